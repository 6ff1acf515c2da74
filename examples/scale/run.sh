#!/usr/bin/env bash
# One load by several shards under Slurm, and the same load by one process, compared: see README.md.
set -uo pipefail

home=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

help() {
    cat <<'TEXT'
usage: run.sh --out DIR [options]

Starts a Slurm cluster of several nodes on this machine, each in a network namespace of its own, and a
server; puts a load on it by slurm.sbatch, a shard on each node, and merges their records; then puts the
same load on it from one process; and compares: each request was made once, at the time of the
one schedule, and all counts are the same. All of the cluster is gone afterwards. It needs root, and the
packages of packages.txt.

  --out DIR         where results go: shards/report.json, one/report.json, and the logs
  --loadgen PATH    the loadgen program (loadgen)
  --shards N        how many (4)
  --rate R          calls a second, in all (100)
  --duration S      seconds (4)

Status: 0 as it should be; 1 not so; 2 wrong usage.
TEXT
}

say() { printf 'scale: %s\n' "$*" >&2; }
die() { say "error: $1"; exit "${2:-1}"; }

loadgen=loadgen out='' shards=4 rate=100 duration=4
while (($# > 0)); do
    case $1 in
        -h | --help) help; exit 0 ;;
        --out | --loadgen | --shards | --rate | --duration)
            (($# > 1)) || die "$1 needs a value (see --help)" 2
            printf -v "${1#--}" '%s' "$2"
            shift 2 ;;
        *) die "unknown argument '$1' (see --help)" 2 ;;
    esac
done
[[ -n $out ]] || die "--out DIR is needed (see --help)" 2
for number in "$shards" "$rate" "$duration"; do
    [[ $number =~ ^[1-9][0-9]*$ ]] || die "'$number' is no whole number above 0" 2
done
[[ $EUID == 0 ]] || die "namespaces need root" 2
for program in python3 jq "$loadgen"; do
    command -v "$program" > /dev/null || die "'$program' is not there"
done
loadgen=$(realpath -- "$(command -v "$loadgen")")
mkdir -p "$out" || exit 1
out=$(realpath -- "$out")
rm -rf "$out/shards" "$out/one" "$out/cluster"
mkdir "$out/shards" "$out/one" || exit 1

slurm=$home/testbed/slurm.sh
server='' running=''
stop() { [[ -z $1 ]] || { kill "$1" && wait "$1"; } 2> /dev/null; }
# shellcheck disable=SC2317,SC2329 # called by a trap
clean() {
    # To the end, whatever comes.
    trap '' INT TERM
    stop "$running"
    stop "$server"
    "$slurm" down "$out/cluster"
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Runs what takes a while, so that a signal is not heard after it alone.
meanwhile() {
    "$@" &
    running=$!
    wait "$running"
    local status=$?
    running=''
    return "$status"
}
at() { "$slurm" at "$1" "$out/cluster" "${@:2}"; }

# Starts the server anew, with a log of its own. All that is between becomes what it starts, so that
# this is its process id.
serve() {
    stop "$server"
    nsenter --net="/run/netns/$(< "$out/cluster/prefix")-head" \
        python3 "$home/testbed/server.py" 10.98.0.254:8080 "$1" &
    server=$!
    for ((i = 0; i < 600; i++)); do
        at n1 timeout 10 bash -c 'exec 3<> /dev/tcp/head/8080' 2> /dev/null && return
        kill -0 "$server" 2> /dev/null || die "the server did not start"
        sleep 0.1
    done
    die "the server does not answer"
}

say "a cluster of $shards nodes"
meanwhile "$slurm" up "$out/cluster" --nodes "$shards" || exit 1

# Request k has the path /K. A connection for each call (up to 800), open before: however slow this
# machine is, no call waits for one, and how many there are is no matter of times.
calls=$((rate * duration))
connections=$((calls < 800 ? calls : 800))
seq -f '/%08.0f' 0 $((calls - 1)) > "$out/paths.txt"
load=(http://head:8080/ --requests "$out/paths.txt" --rate "$rate" --duration "${duration}s"
    --connections "$connections" --warm-connections "$connections")

say "the load by $shards shards"
serve "$out/shards/server.log"
# The server of two cores is late now and then: 4 says that figures of times are not valid, and nothing
# of counts.
LOADGEN=$loadgen LOADGEN_OUT=$out/shards meanwhile "$slurm" batch n1 "$out/cluster" \
    --chdir="$out" --output="$out/shards/job.log" --nodes="$shards" \
    "$home/slurm.sbatch" "${load[@]}" --calls-log "$out/shards/calls-%r.csv"
status=$?
[[ $status == 0 || $status == 4 ]] \
    || { cat "$out/shards/job.log" >&2; die "the job ended with status $status"; }

say "the load by one process"
serve "$out/one/server.log"
meanwhile "$slurm" at n1 "$out/cluster" "$loadgen" run "${load[@]}" --quiet \
    -o "$out/one/report.json" 2> "$out/one/run.log"
status=$?
[[ $status == 0 || $status == 4 ]] || { cat "$out/one/run.log" >&2; die "loadgen ended with status $status"; }

python3 "$home/testbed/compare.py" "$out" || die "the shards did not do what one process does: see $out"
say "the report is $out/shards/report.json"
