#!/usr/bin/env bash
# What a real node on this machine is made of, from Debian's packages, and no service of theirs is started: Docker builds
# the images, containerd runs them, iptables and ipset close what is not open.
set -eu
packages=(docker.io containerd runc containernetworking-plugins iptables ipset iproute2 mmdebstrap)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if [ ${#missing[@]} = 0 ]; then exit 0; fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "Missing: ${missing[*]}. Mend: run this as root on Debian 12"
  exit 1
fi
echo "Installing ${missing[*]}"
apt-get update -qq
# The run level is one in which Debian starts no service.
RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" >/dev/null
