#!/usr/bin/env bash
# Puts a newer QEMU than the system's beside it, out of Debian's backports:
#
#   newer-qemu.sh DIR      DIR/qemu-system-x86_64 runs it; nothing of the system changes
#
# Status 1, and why, where it cannot be had (no Debian, no network, no backports).
set -euo pipefail

[[ $# == 1 ]] || { echo "usage: newer-qemu.sh DIR" >&2; exit 2; }
mkdir -p "$1"
dir=$(cd "$1" && pwd)
program=$dir/qemu-system-x86_64

fail() { echo "newer-qemu.sh: $*" >&2; exit 1; }

if [[ -x $program ]] && "$program" --version >/dev/null 2>&1; then
    "$program" --version | head -n 1
    exit
fi
command -v apt-get >/dev/null || fail "there is no apt-get here"
suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
[[ -n $suite ]] || fail "the release of this system is not known"

# Lists, state and cache of its own, so that the system's package manager sees nothing.
rm -rf -- "$dir/apt" "$dir/root"
mkdir -p "$dir/apt"/{state/lists/partial,cache/archives/partial} "$dir/root"
keys=/usr/share/keyrings/debian-archive-keyring.gpg
for part in "$suite" "$suite-backports"; do
    echo "deb [signed-by=$keys] http://deb.debian.org/debian $part main"
done > "$dir/apt/sources.list"
apt() {
    timeout 300 apt-get -qq -o Dir::Etc::SourceList="$dir/apt/sources.list" \
        -o Dir::Etc::SourceParts=/dev/null -o Dir::State="$dir/apt/state" \
        -o Dir::State::status=/var/lib/dpkg/status -o Dir::Cache="$dir/apt/cache" \
        -o APT::Sandbox::User=root -o Debug::NoLocking=1 -o Acquire::Retries=2 \
        "$@" </dev/null >&2
}
apt update || fail "the package lists cannot be had"
apt install -y --no-install-recommends --download-only -t "$suite-backports" qemu-system-x86 \
    || fail "its packages cannot be had"
shopt -s nullglob
packages=("$dir"/apt/cache/archives/*.deb)
((${#packages[@]} > 0)) || fail "the system's QEMU is the newest that $suite-backports has"
for package in "${packages[@]}"; do
    dpkg-deb -x "$package" "$dir/root"
done
root=$dir/root
cat > "$program" <<RUN
#!/bin/sh
LD_LIBRARY_PATH=$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu \\
    exec $root/usr/bin/qemu-system-x86_64 -L $root/usr/share/qemu -L $root/usr/share/seabios "\$@"
RUN
chmod +x "$program"
rm -rf -- "$dir/apt"
"$program" --version | head -n 1 || fail "it does not run here"
