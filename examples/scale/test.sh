#!/usr/bin/env bash
# Runs every recipe under the engine that it is for, on this machine, and checks what comes of it.
#
#   sudo ./test.sh [--loadgen PATH] [--out DIR] [NAME...]    all checks, or those with these names
#
# It needs the packages of packages.txt, a kubectl (packages-kubectl.txt), and PyPI. All that it starts,
# and its network, are gone afterwards, however it ends. Status: 0 all is well; 1 it is not; 2 it cannot
# run here.
set -uo pipefail

home=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
say() { printf 'scale: %s\n' "$*" >&2; }
die() { say "error: $1"; exit "${2:-1}"; }

loadgen=loadgen out='' only=()
while (($# > 0)); do
    case $1 in
        -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
        --loadgen | --out)
            (($# > 1)) || die "$1 needs a value" 2
            printf -v "${1#--}" '%s' "$2"
            shift 2 ;;
        -*) die "unknown argument '$1'" 2 ;;
        *) only+=("$1"); shift ;;
    esac
done
[[ $EUID == 0 ]] || die "Slurm, namespaces and sshd need root" 2
# Without kubectl, its check fails, and says so.
missing=()
for program in slurmctld munged srun mpirun.openmpi mpirun.mpich parallel pdsh ssh faketime ip jq python3 \
    unshare nsenter setpriv openssl; do
    command -v "$program" > /dev/null || missing+=("$program")
done
[[ ${#missing[@]} == 0 ]] || die "not found: ${missing[*]}; see packages.txt" 2
command -v "$loadgen" > /dev/null || die "'$loadgen' is not there: give --loadgen PATH" 2
loadgen=$(realpath -- "$(command -v "$loadgen")")
kept=$out
[[ -n $out ]] || out=$(mktemp -d)
# A directory of our own in it, so that nothing of an earlier run is taken for one of this.
rm -rf "$out/checks"
mkdir -p "$out/checks" && out=$(realpath "$out/checks") || exit 2
chmod 755 "$out"

child=''
# shellcheck disable=SC2317,SC2329 # called by a trap
clean() {
    local first='' i
    trap '' INT TERM
    if [[ -n $child ]]; then
        # With the first process in the namespace the kernel ends all others there.
        first=$(cat "/proc/$child/task/$child/children" 2> /dev/null)
        kill -KILL "$child" 2> /dev/null
        for ((i = 0; i < 100; i++)); do
            grep -qs '^State:[[:space:]]*[^Z[:space:]]' "/proc/${first% }/status" || break
            sleep 0.1
        done
    fi
    rm -rf "$out/tmp" "$out/venv"
    [[ -n $kept ]] || rm -rf "${out%/checks}"
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Processes, mounts and network of their own: no port is taken by anybody else, and nothing is left there.
# What comes from PyPI is fetched meanwhile, from without the network. Should this script be killed, then
# the kernel kills unshare, and with it everything.
# shellcheck disable=SC2016 # for the inner shell
setpriv --pdeathsig KILL unshare --pid --fork --kill-child --mount-proc bash -c '
    "$0/testbed/from-pypi.sh" "$2" > "$2/pypi.log" 2>&1 &
    exec unshare --net "$0/testbed/checks.sh" "$@"' "$home" "$loadgen" "$out" "${only[@]}" < /dev/null &
child=$!
wait "$child"
status=$?
child=''
exit "$status"
