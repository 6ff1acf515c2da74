#!/usr/bin/env bash
# One load from the ranks of Open MPI or MPICH; they begin together, and their clocks are compared.
#
#   RANKS=8 HOSTS=node-1,node-2 ./mpirun.sh http://10.0.0.5/ --rate 400k --duration 60s
#
#   RANKS                how many (4)
#   HOSTS                machines, separated by commas; the first one runs rank 0 (this one)
#   MPIRUN               the program (mpirun)
#   LOADGEN_SYNC_PLACE   where rank 0 is met (the first host, port 7946)
#   LOADGEN_OUT          where results go, the same on all machines (loadgen-TIME)
#   LOADGEN, LOADGEN_MERGE   as in slurm.sbatch
set -euo pipefail

program=${LOADGEN:-loadgen} mpirun=${MPIRUN:-mpirun} ranks=${RANKS:-4} hosts=${HOSTS:-localhost}
out=${LOADGEN_OUT:-$PWD/loadgen-$(date +%Y%m%dT%H%M%S)}
place=${LOADGEN_SYNC_PLACE:-${hosts%%,*}:7946}
mkdir -p "$out"
! compgen -G "$out/shard-*.json" > /dev/null || { echo "$out has the records of another load" >&2; exit 1; }
LOADGEN_SYNC_TOKEN=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')
export LOADGEN_SYNC_TOKEN

if "$mpirun" --version 2>&1 | grep -q 'Open MPI\|OpenRTE'; then
    # A rank on each host in turn, on whatever processor; one that dies does not end the others. The
    # environment goes along by name.
    options=(--host "${hosts//,/:$ranks,}:$ranks" --map-by node --bind-to none
        --mca orte_abort_on_non_zero_status 0 -x LOADGEN_SYNC_TOKEN)
    [[ $EUID != 0 ]] || options+=(--allow-run-as-root)
else
    # -disable-auto-cleanup: one that dies does not end the others.
    options=(-hosts "$hosts" -disable-auto-cleanup -genvlist LOADGEN_SYNC_TOKEN,PATH)
fi
"$mpirun" -n "$ranks" "${options[@]}" \
    "$program" run "$@" --shard auto --sync "$place" --quiet -o "$out/shard-%r.json" || true
eval "merge=(${LOADGEN_MERGE:-})"
"$program" merge "$out"/shard-*.json -o "$out/report.json" "${merge[@]}"
