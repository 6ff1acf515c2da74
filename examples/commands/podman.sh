#!/bin/sh
# podman.sh CONTAINER HOST: moves a container to another host, which is logged in to by ssh, with its
# open TCP connections: frozen and saved by CRIU, copied, restored. Both need root, CRIU, and the image
# of the container; the address has to move along.
#
#   loadgen migrate URL --trigger 'command:examples/commands/podman.sh web1 node2'
set -u
. "$(dirname "$0")/lib.sh"
[ $# = 2 ] || usage "$0 CONTAINER HOST"
container=$1 host=$2

folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
image=$folder/checkpoint.tar.zst

# between NAME BEGIN END: it happened between two times, of which nothing else is known.
between() {
    awk -v name="$1" -v begin="$2" -v end="$3" 'BEGIN {
        printf "{\"event\":\"%s\",\"t\":%.6f,\"uncertainty_s\":%.6f}\n", name, (begin + end) / 2, (end - begin) / 2
    }'
}

begin=$(now)
said=$(podman container checkpoint --tcp-established --export "$image" "$container" 2>&1) || fail "$said"
end=$(now) || end=$(now)
between stop "$begin" "$end"
# Back where it was, rather than nowhere.
back() {
    begin=$(now) || begin=$(now)
    podman container restore --tcp-established --import "$image" >&2 && between resume "$begin" "$(now)"
    fail "$@"
}
trap 'back "it was cancelled"' TERM
said=$(scp -q -B "$image" "$host:/tmp/$container.tar.zst" 2>&1) || back "$said"
begin=$(now) || begin=$(now)
said=$(ssh -o BatchMode=yes "$host" podman container restore --tcp-established \
    --import "/tmp/$container.tar.zst" 2>&1) || back "$said"
end=$(now) || end=$(now)
between resume "$begin" "$end"
trap - TERM
running=$(ssh -o BatchMode=yes "$host" podman container inspect --format '{{.State.Running}}' "$container")
ssh -o BatchMode=yes "$host" rm -f "/tmp/$container.tar.zst"
[ "$running" = true ] || fail "the container does not run on $host"
podman container rm --force "$container" >&2
completed
