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
server=
clean() {
    [[ -z $server ]] || { kill "$server" && wait "$server"; } 2> /dev/null
    "$slurm" down "$out/cluster"
}
trap clean EXIT
trap 'exit 130' INT TERM

at() { "$slurm" at "$1" "$out/cluster" "${@:2}"; }

# Starts the server anew, with a log of its own. ip and unshare become what they start, so that this
# is its process id.
serve() {
    [[ -z $server ]] || { kill "$server" && wait "$server"; } 2> /dev/null
    nsenter --net="/run/netns/$(< "$out/cluster/prefix")-head" \
        python3 "$home/testbed/server.py" 10.98.0.254:8080 "$1" &
    server=$!
    for ((i = 0; i < 200; i++)); do
        at n1 timeout 1 bash -c 'exec 3<> /dev/tcp/head/8080' 2> /dev/null && return
        kill -0 "$server" 2> /dev/null || die "the server did not start"
        sleep 0.1
    done
    die "the server does not answer"
}

say "a cluster of $shards nodes"
"$slurm" up "$out/cluster" --nodes "$shards" || exit 1

# Request k has the path /K. Enough connections that no call waits for one on a slow machine, and all
# of them open before: how many there are, and how many calls wait, is then no matter of times.
seq -f '/%08.0f' 0 $((rate * duration - 1)) > "$out/paths.txt"
load=(http://head:8080/ --requests "$out/paths.txt" --rate "$rate" --duration "${duration}s"
    --connections $((16 * shards)) --warm-connections $((16 * shards)))

say "the load by $shards shards"
serve "$out/shards/server.log"
# The server of two cores is late now and then: 4 says that figures of times are not valid, and nothing
# of counts.
at n1 env LOADGEN="$loadgen" LOADGEN_OUT="$out/shards" \
    sbatch --wait --quiet --chdir="$out" --output="$out/shards/job.log" --nodes="$shards" \
    "$home/slurm.sbatch" "${load[@]}" --calls-log "$out/shards/calls-%r.csv"
status=$?
[[ $status == 0 || $status == 4 ]] \
    || { cat "$out/shards/job.log" >&2; die "the job ended with status $status"; }

say "the load by one process"
serve "$out/one/server.log"
at n1 "$loadgen" run "${load[@]}" --quiet -o "$out/one/report.json" 2> "$out/one/run.log"
status=$?
[[ $status == 0 || $status == 4 ]] || { cat "$out/one/run.log" >&2; die "loadgen ended with status $status"; }

python3 "$home/testbed/compare.py" "$out" || die "the shards did not do what one process does: see $out"
say "the report is $out/shards/report.json"
