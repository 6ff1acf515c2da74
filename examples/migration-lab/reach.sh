#!/usr/bin/env bash
# How near the reach check comes to the truth of QEMU's events, over several migrations
# on one machine: reach.sh --out DIR [--runs N] [options of run.sh]. A line for each run,
# then in how many of them the interval holds STOP to RESUME within 10 ms, and how many
# are at most 20 ms wide.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out='' runs=5 others=()
while (($#)); do
    case $1 in
        --out) out=$2; shift 2 ;;
        --runs) runs=$2; shift 2 ;;
        *) others+=("$1"); shift ;;
    esac
done
if [[ -z $out || ! $runs =~ ^[1-9][0-9]*$ ]]; then
    sed -n '2,5s/^# //p' "${BASH_SOURCE[0]}" >&2
    exit 2
fi

reports=()
for strategy in pre-copy stop-and-copy; do
    for ((k = 1; k <= runs; k++)); do
        dir=$out/$strategy-$k
        "$here/run.sh" --out "$dir" --sizes 512 --strategy "$strategy" "${others[@]}" > /dev/null
        [[ -s $dir/512/report.json ]] && reports+=("$dir/512/report.json")
    done
done
((${#reports[@]})) || exit 1
jq -rn '
  def r: if . == null then "-" else . * 10 | round / 10 end;
  [inputs | .migration | {
      strategy, events: .downtime_ms.events, least: .unreachable_ms.at_least,
      most: .unreachable_ms.at_most, silent: .silent_ms.at_least,
      lost: .unreachable_ms.lost, before: .unreachable_ms.lost_before,
      late: .unreachable_ms.longest_pause_ms, why: .unreachable_ms.reason}
   | .width = (if .most == null or .least == null then null else .most - .least end)
   | .holds = (.width != null and .events != null
               and .least - 10 <= .events and .events <= .most + 10)] as $runs
  | ($runs[] | "\(.strategy): STOP→RESUME \(.events | r) ms, packets lost \(.least | r)–\(.most | r) ms "
      + "(width \(.width | r)), kernel silent \(.silent | r) ms; lost \(.lost), before \(.before), "
      + "check late by \(.late | r) ms: \(if .holds then "holds" else "MISSES \(.why // "")" end)"),
    "holds in \([$runs[] | select(.holds)] | length) of \($runs | length); at most 20 ms wide in "
      + "\([$runs[] | select(.width != null and .width <= 20)] | length); both in "
      + "\([$runs[] | select(.holds and .width <= 20)] | length)"' "${reports[@]}"
uptime >&2
