#!/usr/bin/env bash
# The tests run a real Redis with TLS, which the one inside the Python packages cannot. Installs Debian's where that is
# possible, and otherwise names the command.
set -eu
# The one of the Python packages may come first on the path; it does not count.
system=$(tr ':' '\n' <<<"$PATH" | grep -v '/.venv/bin/*$' | paste -sd: -)
if PATH=$system command -v redis-server >/dev/null; then exit 0; fi
install="apt-get install -y redis-server"
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Redis is missing: installing it"
  apt-get update -qq
  RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive $install >/dev/null # without starting a service
else
  echo "Redis is missing. Mend: sudo $install"
  exit 1
fi
