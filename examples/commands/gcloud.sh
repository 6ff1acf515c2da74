#!/bin/sh
# gcloud.sh INSTANCE ZONE: has Google Compute Engine move an instance, as for maintenance of its host.
#
#   loadgen migrate URL --trigger 'command:examples/commands/gcloud.sh web1 europe-west4-a'
#
# Google shows no hosts, so nothing confirms that it was moved: the report is degraded for that. It
# cannot be cancelled.
set -u
. "$(dirname "$0")/lib.sh"
[ $# = 2 ] || usage "$0 INSTANCE ZONE"
instance=$1 zone=$2

show() {
    gcloud compute instances describe "$instance" --zone "$zone" --format "value($1)"
}

# An instance that is to be terminated is stopped and started, and not moved.
policy=$(show scheduling.onHostMaintenance) || fail "gcloud does not show the instance $instance"
[ "$policy" = MIGRATE ] || fail "the instance's onHostMaintenance is $policy, not MIGRATE"
event accepted
said=$(gcloud compute instances simulate-maintenance-event "$instance" --zone "$zone" --quiet 2>&1) ||
    fail "$said"
[ "$(show status)" = RUNNING ] || fail "the instance is $(show status)"
event completed
