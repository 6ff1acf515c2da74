#!/bin/sh
# virtctl.sh VM [NAMESPACE]: moves a virtual machine of KubeVirt to another node, by virtctl.
#
#   loadgen migrate URL --trigger 'command:examples/commands/virtctl.sh web1'
set -u
. "$(dirname "$0")/lib.sh"
[ $# = 1 ] || [ $# = 2 ] || usage "$0 VM [NAMESPACE]"
vm=$1 namespace=${2:-default}

# vmi PATH: what the machine's instance has there.
vmi() {
    kubectl get vmi "$vm" --namespace "$namespace" --output "jsonpath={.$1}"
}
trap 'virtctl migrate-cancel "$vm" --namespace "$namespace" >&2; exit 143' TERM

source=$(vmi status.nodeName) && [ -n "$source" ] || fail "kubectl shows no node of $vm"
# What stands there is of an earlier migration until ours is over.
earlier=$(vmi status.migrationState.migrationUid)
said=$(virtctl migrate "$vm" --namespace "$namespace" 2>&1) || fail "$said"
event accepted
while sleep "$EVERY"; do
    uid=$(vmi status.migrationState.migrationUid) || continue
    [ -n "$uid" ] && [ "$uid" != "$earlier" ] || continue
    # One that failed, or was aborted, is completed, too.
    [ "$(vmi status.migrationState.failed)" != true ] || fail "$(vmi status.migrationState.failureReason)"
    [ "$(vmi status.migrationState.completed)" = true ] || continue
    node=$(vmi status.nodeName)
    [ "$(vmi status.phase)" = Running ] && [ -n "$node" ] && [ "$node" != "$source" ] && completed
done
