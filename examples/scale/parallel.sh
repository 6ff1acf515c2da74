#!/usr/bin/env bash
# One load from several processes of GNU parallel, on this machine or by ssh.
#
#   SHARDS=4 ./parallel.sh http://10.0.0.5/ --rate 400k --duration 60s
#   SHARDS=4 HOSTS=node-1,node-2 LOADGEN_SYNC_PLACE=node-1:7946 ./parallel.sh ...
#
#   SHARDS               how many (4)
#   HOSTS                machines for ssh, separated by commas (this one)
#   LOADGEN_SYNC_PLACE   where shard 0 is met (127.0.0.1, port 7946)
#   LOADGEN, LOADGEN_OUT, LOADGEN_MERGE   as in slurm.sbatch; LOADGEN_OUT is the same everywhere
set -euo pipefail

program=${LOADGEN:-loadgen} shards=${SHARDS:-4}
out=${LOADGEN_OUT:-$PWD/loadgen-parallel}
place=${LOADGEN_SYNC_PLACE:-127.0.0.1:7946}
mkdir -p "$out"
LOADGEN_SYNC_TOKEN=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')
export LOADGEN_SYNC_TOKEN

where=()
[[ -z ${HOSTS:-} ]] || where=(--sshlogin "$HOSTS" --env LOADGEN_SYNC_TOKEN --workdir "$PWD")
# All at once (-j0), and each is told its number.
command=$(printf '%q ' "$program" run "$@")
seq 0 $((shards - 1)) | parallel -j0 --halt now,fail=1 "${where[@]}" \
    "$command --shard {}/$shards --sync $place --quiet -o $(printf '%q' "$out")/shard-{}.json"
eval "merge=(${LOADGEN_MERGE:-})"
"$program" merge "$out"/shard-*.json -o "$out/report.json" "${merge[@]}"
