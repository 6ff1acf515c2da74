#!/usr/bin/env bash
# One load from several processes of GNU parallel on this machine. (For several machines see pdsh.sh.)
#
#   SHARDS=4 ./parallel.sh http://10.0.0.5/ --rate 400k --duration 60s
#
#   SHARDS               how many (4)
#   LOADGEN_SYNC_PLACE   where shard 0 is met (127.0.0.1, port 7946)
#   LOADGEN_OUT          where results go (loadgen-TIME)
#   LOADGEN, LOADGEN_MERGE   as in slurm.sbatch
set -euo pipefail

program=${LOADGEN:-loadgen} shards=${SHARDS:-4}
out=${LOADGEN_OUT:-$PWD/loadgen-$(date +%Y%m%dT%H%M%S)}
place=${LOADGEN_SYNC_PLACE:-127.0.0.1:7946}
mkdir -p "$out"
! compgen -G "$out/shard-*.json" > /dev/null || { echo "$out has the records of another load" >&2; exit 1; }
LOADGEN_SYNC_TOKEN=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')
export LOADGEN_SYNC_TOKEN

command=$(printf '%q ' "$program" run "$@" --shard "auto/$shards" --sync "$place" --quiet \
    -o "$out/shard-%r.json")
# All at once (-j0), each command once (-N0: without its number, which the environment has).
seq "$shards" | parallel -j0 -N0 --halt never "$command" || true
merge=()
eval "merge=(${LOADGEN_MERGE:-})"
"$program" merge "$out"/shard-*.json -o "$out/report.json" "${merge[@]}"
