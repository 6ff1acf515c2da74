#!/bin/sh
# openstack.sh SERVER [HOST]: moves a server of an OpenStack cloud live, by the openstack client. Who
# does so is an administrator.
#
#   loadgen migrate URL --trigger 'command:examples/commands/openstack.sh web1 node2'
set -u
. "$(dirname "$0")/lib.sh"
[ $# = 1 ] || [ $# = 2 ] || usage "$0 SERVER [HOST]"
server=$1 host=${2:-}

column() {
    openstack server show "$server" --format value --column "$1"
}
abort() {
    id=$(openstack server migration list --server "$server" --format value --column Id | head -n 1)
    [ -z "$id" ] || openstack server migration abort "$server" "$id" >&2
    exit 143
}
trap abort TERM
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

source=$(column OS-EXT-SRV-ATTR:host) && [ -n "$source" ] ||
    fail "the host of $server is not shown: that is for administrators"
# It comes back when the server is ACTIVE again, wherever that is.
openstack server migrate --live-migration --os-compute-api-version 2.30 --wait \
    ${host:+--host "$host"} "$server" >"$log" 2>&1 &
migrate=$!
event accepted
wait "$migrate" || fail "$(cat "$log")"
now_on=$(column OS-EXT-SRV-ATTR:host)
[ "$(column status)" = ACTIVE ] || fail "the server is $(column status)"
[ "$now_on" != "$source" ] || fail "the server is on $source as before: openstack server event list says why"
completed
