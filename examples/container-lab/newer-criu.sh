#!/usr/bin/env bash
# Puts the CRIU of Debian sid beside that of the system, with its libraries:
#
#   newer-criu.sh DIR      DIR/criu runs it; nothing of the system changes
#
# Debian 12 has 3.17, which newer kernels refuse. Status 1, and why, where it cannot be had.
set -euo pipefail

[[ $# == 1 ]] || { echo "usage: newer-criu.sh DIR" >&2; exit 2; }
mkdir -p "$1"
dir=$(cd "$1" && pwd)
program=$dir/criu

fail() { echo "newer-criu.sh: $*" >&2; exit 1; }

if [[ -x $program ]] && "$program" --version > /dev/null 2>&1; then
    "$program" --version | head -n 1
    exit
fi
command -v apt-get > /dev/null || fail "there is no apt-get here"
# Lists, state and cache of its own; and as if nothing were installed, so that all its libraries come.
rm -rf -- "$dir/apt" "$dir/root"
mkdir -p "$dir/apt"/{state/lists/partial,cache/archives/partial} "$dir/root"
keys=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keys] http://deb.debian.org/debian sid main" > "$dir/apt/sources.list"
apt() {
    timeout 300 apt-get -qq -o Dir::Etc::SourceList="$dir/apt/sources.list" \
        -o Dir::Etc::SourceParts=/dev/null -o Dir::State="$dir/apt/state" \
        -o Dir::State::status=/dev/null -o Dir::Cache="$dir/apt/cache" \
        -o APT::Sandbox::User=root -o Debug::NoLocking=1 -o Acquire::Retries=2 \
        -o Acquire::Languages=none "$@" < /dev/null >&2
}
apt update || fail "the package lists of sid cannot be had"
apt install -y --no-install-recommends --download-only criu || fail "its packages cannot be had"
shopt -s nullglob
for package in "$dir"/apt/cache/archives/*.deb; do
    dpkg-deb -x "$package" "$dir/root"
done
libraries=$dir/root/usr/lib/x86_64-linux-gnu
cat > "$program" << RUN
#!/bin/sh
exec $libraries/ld-linux-x86-64.so.2 --library-path $libraries $dir/root/usr/sbin/criu "\$@"
RUN
chmod +x "$program"
rm -rf -- "$dir/apt"
"$program" --version | head -n 1 || fail "it does not run here"
