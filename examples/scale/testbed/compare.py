#!/usr/bin/env python3
"""Compares a load by several processes with the same load by one.

usage: compare.py DIR

DIR has, of the load by several: shards/shard-*.json and shards/calls-*.csv (--calls-log), and
shards/report.json (their merge); of the load by one: one/report.json; and what server.py wrote of
both: shards/server.log, one/server.log. Request k of the load is that of the path /K, whose number k
may be filled up with zeros. Shard i runs on the node with the address 10.98.0.(i + 1), and all of
them read one CLOCK_MONOTONIC.

Status: 0 all is as it should be; 1 it is not.
"""

import csv
import json
import re
import sys
from pathlib import Path

# What depends on times, and not on the plan alone: no count. (Of windows and steps of the timeline, when
# calls were due is by the plan; when they were sent and answered is not, and their sums are elsewhere.)
OF_TIMES = re.compile(
    r"_us$|_ms$|_s$|histogram|counters/answered"
    r"|windows/\d+/(answered|started|bytes_received|bytes_sent|kernel|populations|slow_calls)")

failed = 0


def check(what, faults):
    global failed
    faults = list(faults)
    print(f"{'FAILED' if faults else 'ok'}: {what}")
    for fault in faults[:5]:
        print(f"    {fault}")
    failed += bool(faults)


def document(path):
    return json.loads(Path(path).read_text())


def requests(log):
    """Of each request: number, arrival in ns, client."""
    for line in Path(log).read_text().splitlines():
        at, client, path = line.split()
        yield int(path.rsplit("/", 1)[1]), int(at), client


def once_each(found, size):
    times = {}
    for k, _, _ in found:
        times[k] = times.get(k, 0) + 1
    for k in sorted(set(range(size)) | set(times)):
        if times.get(k, 0) != 1 or k >= size:
            yield f"request {k} was made {times.get(k, 0)} times, of {size} requests"


def numbers(tree, path=""):
    """All counts of a report, with where they stand."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from numbers(value, f"{path}/{key}")
    elif isinstance(tree, list):
        for i, value in enumerate(tree):
            yield from numbers(value, f"{path}/{i}")
    elif isinstance(tree, int) and not isinstance(tree, bool) and not OF_TIMES.search(path):
        yield path, tree


def counts(report):
    parts = ["counts", "response_time", "service_time", "lag", "connect_time", "status",
             "status_codes", "errors", "connections_lost", "bytes", "populations"]
    found = dict(numbers({part: report.get(part) for part in parts}))
    found |= dict(numbers(report["timeline"], "/timeline"))
    return found


def differences(one, several):
    for path in sorted(one.keys() | several.keys()):
        # Who waited for the last replies a little longer may have a window more, with nothing in it.
        if one.get(path, 0) != several.get(path, 0):
            yield f"{path}: {one.get(path, 0)} by one process, {several.get(path, 0)} by several"


def main(out):
    merged, single = document(out / "shards/report.json"), document(out / "one/report.json")
    shards = [document(path)["shards"][0] for path in out.glob("shards/shard-*.json")]
    shards.sort(key=lambda shard: shard["index"])
    n = len(shards)
    rate = merged["plan"]["load"]["schedule"]["rate_per_s"]
    size = round(rate * merged["plan"]["duration_s"])

    found, alone = list(requests(out / "shards/server.log")), list(requests(out / "one/server.log"))
    check(f"the server was asked for each of {size} requests once, by one process",
          once_each(alone, size))
    check(f"the server was asked for each of {size} requests once, by {n} shards",
          once_each(found, size))
    check("each of them by the shard whose turn it was, from an address of its own",
          (f"request {k} came from {client}" for k, _, client in found
           if client != f"10.98.0.{k % n + 1}"))

    both = counts(single), counts(merged)
    check(f"the merged report has the {len(both[0])} counts of one process", differences(*both))

    # All have one clock here, so that what they say of theirs can be checked.
    clocks = [shard["clock"] for shard in shards]
    begin = clocks[0]["began_ns"]
    apart_ms = [(clock["began_ns"] - begin) / 1e6 for clock in clocks]
    bound_ms = [clock["began_bound_ms"] for clock in clocks]
    check("the shards began together, within the bound of their clocks",
          (f"shard {i} began {apart:.4f} ms after shard 0, and its bound is {bound} ms"
           for i, (apart, bound) in enumerate(zip(apart_ms, bound_ms))
           if bound is None or abs(apart) > bound))

    calls = {}
    for i in range(n):
        with open(out / f"shards/calls-{i}.csv", newline="") as file:
            calls |= {int(call["request"]): (i, call) for call in csv.DictReader(file)}
    late, errors, astray = [], [], []
    for k, at, _ in found:
        if k not in calls:
            astray.append(f"request {k} is in no log of calls")
            continue
        i, call = calls[k]
        of = lambda column: clocks[i]["began_ns"] + float(call[column]) * 1e9
        # When the schedule of one process has it, on the clock of shard 0.
        due = begin + k / rate * 1e9
        errors.append((of("intended_s") - due) / 1e6)
        late.append((at - due) / 1e6)
        # The log has ns; a µs is what the sums above may err by.
        if abs(errors[-1]) > bound_ms[i] + 1e-3:
            astray.append(f"request {k} was due {errors[-1]:.4f} ms off, its bound is {bound_ms[i]} ms")
        if not max(of("sent_s"), due - bound_ms[i] * 1e6) - 1e3 <= at <= of("done_s") + 1e3:
            astray.append(f"request {k} came {late[-1]:.4f} ms after it was due, not while it was made")
    check("the server saw the schedule of one process, within the bound of the clocks", astray)

    late.sort()
    if errors:
        print(f"starts: up to {max(map(abs, errors)):.4f} ms from the schedule of one process (bound "
              f"{max(bound_ms):.4f} ms); arrivals at the server: median {late[len(late) // 2]:.3f} ms, "
              f"at most {late[-1]:.3f} ms after the schedule, with what the processes were late")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
