#!/bin/sh
# qm.sh VMID NODE: moves a machine of Proxmox VE live, by qm, on the node where it runs.
#
#   loadgen migrate URL --trigger 'command:examples/commands/qm.sh 100 pve2'
#
# From another machine use the recipe examples/recipes/proxmox.toml.
set -u
. "$(dirname "$0")/lib.sh"
[ $# = 2 ] || usage "$0 VMID NODE"
vmid=$1 node=$2

log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
# A signal to qm aborts the migration.
trap 'kill "$qm" 2>/dev/null; wait "$qm"; exit 143' TERM
qm migrate "$vmid" "$node" --online >"$log" 2>&1 &
qm=$!
event accepted
wait "$qm"
status=$?
cat "$log" >&2
[ "$status" = 0 ] || fail "$(tail -n 1 "$log")"
# A machine that arrived paused is no success.
seen=$(pvesh get "/nodes/$node/qemu/$vmid/status/current" --output-format json) ||
    fail "pvesh does not see the machine on $node"
case $seen in
    *'"qmpstatus":"running"'*) ;;
    *) fail "the machine does not run on $node" ;;
esac
# QEMU's own number.
downtime=$(sed -n 's/.* - downtime \([0-9][0-9]*\) ms.*/\1/p' "$log" | tail -n 1)
completed "${downtime:+\"downtime_ms\":$downtime}"
