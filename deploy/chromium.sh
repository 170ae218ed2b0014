#!/usr/bin/env bash
# The tests look at the real pages in Chromium. Installs it where that is possible, and otherwise names the command.
set -eu
for name in chromium chromium-browser google-chrome; do
  if command -v "$name" >/dev/null; then exit 0; fi
done
install="apt-get install -y chromium fonts-noto-cjk"
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Chromium is missing: installing it"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $install >/dev/null
else
  echo "Chromium is missing. Mend: sudo $install"
  exit 1
fi
