#!/usr/bin/env bash
# `make cluster` runs a real Prometheus. Installs it where that is possible, and otherwise names the command.
set -eu
if command -v prometheus >/dev/null; then exit 0; fi
install="apt-get install -y --no-install-recommends prometheus"
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Prometheus is missing: installing it"
  apt-get update -qq
  RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive $install >/dev/null # without starting a service
else
  echo "Prometheus is missing. Mend: sudo $install"
  exit 1
fi
