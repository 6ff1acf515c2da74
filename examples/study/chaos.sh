#!/usr/bin/env bash
# Kills the runner of an experiment, the source or the target at random moments, again and again, and
# looks whether the experiment comes to what it was designed to be all the same.
#   chaos.sh --out DIR [--kills N] [--loadgen PATH]
# About half a minute a kill; root, as the migration lab needs it.
set -uo pipefail

here=$(dirname "$(realpath "$0")")
out='' kills=20 loadgen=()
while (($#)); do
    case $1 in
        --out) out=$(realpath -m "$2") ;;
        --kills) kills=$2 ;;
        --loadgen) loadgen=(--loadgen "$2") ;;
        *) echo "usage: chaos.sh --out DIR [--kills N] [--loadgen PATH]" >&2; exit 2 ;;
    esac
    shift 2
done
[[ -n $out ]] || { echo "chaos.sh: --out DIR is missing" >&2; exit 2; }
mkdir -p "$out" || exit 1

# The programs of a plan begin in its directory.
cp "$here/testbed.sh" "$out/testbed.sh"
sed -e 's/^trials = .*/trials = 3/' -e 's/^warm_up_blocks = .*/warm_up_blocks = 0/' \
    -e 's/^memory = .*/memory = [512]/' -e 's/^strategy = .*/strategy = ["pre-copy", "post-copy"]/' \
    -e 's/^repeats = .*/repeats = 100\nfailed_trials = 200/' -e 's/^before = .*/before = "2s"/' \
    -e 's/^after = .*/after = "2s"/' "$here/study.toml" > "$out/plan.toml"

# The lab must be found by the copy of testbed.sh, which sources it by LAB_HOME alone.
starts=0
start() {
    # Far more often than it can be killed: then something else is wrong.
    if ((++starts > 3 * kills + 10)); then
        echo "chaos.sh: the experiment does not get on; the end of $out/log says why" >&2
        exit 1
    fi
    "$here/../migration-lab/run.sh" --experiment "$out/plan.toml" --out "$out/results" "${loadgen[@]}" \
        >> "$out/log" 2>&1 &
    run=$!
}

# A process of this experiment, by what it is.
find_one() {
    case $1 in
        runner) pgrep -f "loadgen experiment $out/plan.toml" | tail -n 1 ;;
        source) pgrep -f "qemu-system-x86_64 -name lab-src .*file:$out/results/" | tail -n 1 ;;
        target) pgrep -f "qemu-system-x86_64 -name lab-dst .*file:$out/results/" | tail -n 1 ;;
    esac
}

start
done_kills=0 whole=0
while ((done_kills < kills)); do
    sleep "$((RANDOM % 30)).$((RANDOM % 10))"
    if ! kill -0 "$run" 2> /dev/null; then
        # If it has come to its end although it was disturbed: begin anew.
        if wait "$run"; then
            mv "$out/results" "$out/results-$((++whole))"
        fi
        start
        continue
    fi
    all=(runner source target)
    what=${all[RANDOM % 3]}
    pid=$(find_one "$what")
    [[ -n $pid ]] || continue
    kill -KILL "$pid" 2> /dev/null || continue
    done_kills=$((done_kills + 1))
    echo "kill $done_kills of $kills: $what ($pid)"
    if [[ $what == runner ]]; then
        wait "$run"
        start
    fi
done
until wait "$run"; do
    start
done

# Whatever happened, each directory is of the same design: no cell is missing, none is there twice,
# and blocks follow each other in the order of the plan.
status=0
for results in "$out"/results*; do
    # A trial counts once for its cell and block; failed ones are kept beside it.
    verdict=$(jq -r '
        [.trials[] | select(.status == "completed" and (.warm_up | not))] as $counted
        | if .trials_left != 0 then "\(.trials_left) trials are left"
          elif ($counted | length) != 6 then "\($counted | length) trials count in place of 6"
          elif ($counted | map([.cell.strategy, .block]) | unique | length) != 6 then "one is there twice"
          elif ([.trials[].index] != [range(1; (.trials | length) + 1)]) then "numbers are missing"
          elif ([.trials[].block] | . != sort) then "blocks are mixed"
          else "whole: 6 trials count of \(.trials | length)" end' "$results/summary.json")
    echo "${results##*/}: $verdict"
    [[ $verdict == whole* ]] || status=1
done
exit "$status"
