#!/usr/bin/env bash
# One load from several machines by pdsh and ssh; %n is the number of a machine.
#
#   HOSTS=node-[1-4] SHARDS=4 LOADGEN_SYNC_PLACE=node-1:7946 \
#       ./pdsh.sh http://10.0.0.5/ --rate 400k --duration 60s
#
#   HOSTS                machines, as pdsh writes them
#   SHARDS               how many these are
#   LOADGEN_SYNC_PLACE   where shard 0, the first one, is met: HOST:PORT
#   LOADGEN_OUT          where results go, the same on all machines (loadgen-TIME)
#   LOADGEN, LOADGEN_MERGE   as in slurm.sbatch
set -euo pipefail

program=${LOADGEN:-loadgen} hosts=${HOSTS:?which machines?} shards=${SHARDS:?how many machines?}
out=${LOADGEN_OUT:-$PWD/loadgen-$(date +%Y%m%dT%H%M%S)}
place=${LOADGEN_SYNC_PLACE:?where is shard 0 met?}
mkdir -p "$out"
! compgen -G "$out/shard-*.json" > /dev/null || { echo "$out has the records of another load" >&2; exit 1; }

# In a file that only its owner reads: a command line is seen by all.
trap 'rm -f "$out/token"' EXIT
install -m 600 /dev/null "$out/token"
head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n' > "$out/token"
command=$(printf '%q ' "$program" run "$@" --sync "$place" --quiet)
pdsh -R ssh -w "$hosts" "cd $(printf '%q' "$PWD") && \
    export LOADGEN_SYNC_TOKEN=\$(cat $(printf '%q' "$out/token")) && \
    $command --shard %n/$shards -o $(printf '%q' "$out")/shard-%n.json" || true
merge=()
eval "merge=(${LOADGEN_MERGE:-})"
"$program" merge "$out"/shard-*.json -o "$out/report.json" "${merge[@]}"
