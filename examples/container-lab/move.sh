#!/bin/sh
# Moves the server of run.sh, and tells loadgen of it: docs/triggers.md.
set -u
. "$(dirname "$0")/../commands/lib.sh"

# between NAME BEGIN END: it happened between two times, of which nothing else is known.
between() {
    awk -v name="$1" -v begin="$2" -v end="$3" 'BEGIN {
        printf "{\"event\":\"%s\",\"t\":%.6f,\"uncertainty_s\":%.6f}\n", name, (begin + end) / 2, (end - begin) / 2
    }'
}
on() {
    space=$1
    shift
    nsenter --net="/run/netns/$space" "$@"
}

images=$LAB_OUT/images
rm -rf "$images" && mkdir -p "$images" || exit 1
begin=$(now)
# First of all the network: else the host would answer for a server that is gone, and reset its
# connections.
ip -n "$LAB_NET" link set to-a down
bridge -n "$LAB_NET" link set dev to-b state 0
on "$LAB_FROM" "$LAB_CRIU" dump --tree "$LAB_SERVER" --images-dir "$images" --tcp-established \
    --shell-job -v4 --log-file dump.log >&2 || fail "CRIU could not save it: $(tail -n 2 "$images/dump.log")"
between stop "$begin" "$(now)"
ip -n "$LAB_TO" addr add "$LAB_ADDRESS/24" dev eth0
begin=$(now)
on "$LAB_TO" "$LAB_CRIU" restore --images-dir "$images" --tcp-established --shell-job \
    --restore-detached -v4 --log-file restore.log >&2 ||
    fail "CRIU could not restore it: $(tail -n 2 "$images/restore.log")"
# And last of all the network, at its other end: a host that has the address and not yet the connections would reset
# them.
bridge -n "$LAB_NET" link set dev to-b state 3
between resume "$begin" "$(now)"
[ "$(readlink "/proc/$LAB_SERVER/ns/net")" = "$(on "$LAB_TO" readlink /proc/self/ns/net)" ] ||
    fail "the server is not on its new host"
completed
