#!/usr/bin/env bash
# One load from several machines by pdsh; %n is the number of a machine.
#
#   HOSTS=node-[1-4] SHARDS=4 ./pdsh.sh http://10.0.0.5/ --rate 400k --duration 60s
#
#   HOSTS                machines, as pdsh writes them
#   SHARDS               how many these are
#   LOADGEN_SYNC_PLACE   where shard 0, the first one, is met: HOST:PORT
#   LOADGEN, LOADGEN_OUT, LOADGEN_MERGE   as in slurm.sbatch; LOADGEN_OUT is the same everywhere
set -euo pipefail

program=${LOADGEN:-loadgen}
out=${LOADGEN_OUT:-$PWD/loadgen-pdsh}
mkdir -p "$out"
token=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')

command=$(printf '%q ' "$program" run "$@")
# In a file that only its owner reads: a command line is seen by all.
install -m 600 /dev/null "$out/token"
echo "$token" > "$out/token"
trap 'rm -f "$out/token"' EXIT
pdsh -S -R ssh -w "${HOSTS:?which machines?}" "cd $(printf '%q' "$PWD") && \
    LOADGEN_SYNC_TOKEN=\$(cat $(printf '%q' "$out")/token) $command --shard %n/${SHARDS:?how many?} \
    --sync ${LOADGEN_SYNC_PLACE:?where is shard 0 met?} --quiet -o $(printf '%q' "$out")/shard-%n.json"
eval "merge=(${LOADGEN_MERGE:-})"
"$program" merge "$out"/shard-*.json -o "$out/report.json" "${merge[@]}"
