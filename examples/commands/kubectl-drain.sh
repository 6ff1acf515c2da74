#!/bin/sh
# kubectl-drain.sh NODE VM [NAMESPACE]: empties a node of its virtual machines, of which VM is under
# load. The node takes machines again at the end.
#
#   loadgen migrate URL --trigger 'command:examples/commands/kubectl-drain.sh node1 web1'
set -u
. "$(dirname "$0")/lib.sh"
[ $# = 2 ] || [ $# = 3 ] || usage "$0 NODE VM [NAMESPACE]"
node=$1 vm=$2 namespace=${3:-default}

vmi() {
    kubectl get vmi "$vm" --namespace "$namespace" --output "jsonpath={.$1}"
}

[ "$(vmi status.nodeName)" = "$node" ] || fail "the machine $vm is not on the node $node"
trap 'kubectl uncordon "$node" >&2' EXIT
trap 'exit 143' TERM
event accepted
# It comes back when the node is empty: every machine has moved by then.
said=$(kubectl drain "$node" --pod-selector=kubevirt.io=virt-launcher --delete-emptydir-data \
    --ignore-daemonsets 2>&1) || fail "$said"
now_on=$(vmi status.nodeName)
[ "$(vmi status.phase)" = Running ] && [ -n "$now_on" ] && [ "$now_on" != "$node" ] && completed
fail "the node is empty, but the machine is $(vmi status.phase) on '$now_on'"
