#!/bin/sh
# onevm.sh VM HOST: moves a machine of OpenNebula live, by onevm.
#
#   loadgen migrate URL --trigger 'command:examples/commands/onevm.sh web1 node2'
#
# The trigger opennebula: does it without onevm, and knows better when what happened.
set -u
. "$(dirname "$0")/lib.sh"
[ $# = 2 ] || usage "$0 VM HOST"
vm=$1 host=$2

# The text of the last element of this name.
last() {
    printf '%s\n' "$shown" | sed -n "s:.*<$1>\([^<]*\)</$1>.*:\1:p" | tail -n 1
}
look() {
    shown=$(onevm show -x "$vm") || return 1
}

look || fail "onevm show does not know the machine $vm"
[ "$(last LCM_STATE)" = 3 ] || fail "the machine $vm is not RUNNING (LCM_STATE $(last LCM_STATE))"
before=$(last SEQ)
# 3.x calls it livemigrate.
said=$(onevm migrate --live "$vm" "$host" 2>&1) || fail "$said"
event accepted

# It is RUNNING again after a failure, too; and just after the order nothing has happened yet.
while sleep "$EVERY"; do
    look || continue
    [ "$(last LCM_STATE)" = 3 ] && [ "$(last SEQ)" -gt "$before" ] && [ "$(last RSTIME)" -gt 0 ] || continue
    [ "$(last HOSTNAME)" = "$host" ] && completed
    fail "it runs on $(last HOSTNAME): the machine's log says why"
done
