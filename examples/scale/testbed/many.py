#!/usr/bin/env python3
"""Makes the records of N shards from that of one, to see what merging many of them takes.

usage: many.py RECORD DIR N

RECORD is that of shard 0 of N, as `loadgen run --shard 0/N` writes it. The others are the same but for
their numbers, so that what comes of them is N times the same.
"""

import sys
from pathlib import Path


def main(record, out, shards):
    text = Path(record).read_text()
    of_plan, of_shard = f'"shard":{{"index":0,"of":{shards}}}', '"shards":[{"index":0,'
    if text.count(of_plan) != 1 or text.count(of_shard) != 1:
        sys.exit(f"many.py: {record} is not the record of shard 0 of {shards}")
    Path(out).mkdir(parents=True, exist_ok=True)
    for index in range(shards):
        other = text.replace(of_plan, of_plan.replace(":0,", f":{index},"))
        other = other.replace(of_shard, of_shard.replace(":0,", f":{index},"))
        (Path(out) / f"shard-{index:04}.json").write_text(other)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__.strip())
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
