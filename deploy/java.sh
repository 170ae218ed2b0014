#!/usr/bin/env bash
# The tests run a real Kafka, which needs Java 17 or newer, and Maven to fetch it. Installs them where that is possible,
# and otherwise names the command.
set -eu
major=$(java -version 2>&1 | sed -nE 's/.* version "([0-9]+).*/\1/p' || true)
if [ "${major:-0}" -ge 17 ] && command -v mvn >/dev/null; then exit 0; fi
if [ -n "${LYDIA_KAFKA_BOOTSTRAP_SERVERS:-}" ]; then exit 0; fi
install="apt-get install -y openjdk-17-jre-headless maven"
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Java 17 or Maven is missing: installing them"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $install >/dev/null
else
  echo "Java 17 or Maven is missing. Mend: sudo $install"
  exit 1
fi
