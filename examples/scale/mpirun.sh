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
    # A rank on each host in turn, on whatever processor. The environment goes along by name.
    options=(--host "${hosts//,/:$ranks,}:$ranks" --map-by node --bind-to none -x LOADGEN_SYNC_TOKEN)
    [[ $EUID != 0 ]] || options+=(--allow-run-as-root)
else
    options=(-hosts "$hosts" -genvlist 'LOADGEN_SYNC_TOKEN,PATH')
fi
# Both end all ranks when one fails or is killed. A shell before each keeps it from them: the merge says
# which are missing. (Their own options for that do not hold: Open MPI 4.1 then does not end when a rank
# was killed, MPICH 4.0 ends all the same.)
# shellcheck disable=SC2016 # for the shell of a rank
"$mpirun" -n "$ranks" "${options[@]}" sh -c '"$@" || :' sh \
    "$program" run "$@" --shard auto --sync "$place" --quiet -o "$out/shard-%r.json" || true
merge=()
eval "merge=(${LOADGEN_MERGE:-})"
"$program" merge "$out"/shard-*.json -o "$out/report.json" "${merge[@]}"
