# Input: an array of {size, status, report}, one for each VM size (report null: none was
# written). Output: the table by size as text. What was not measured is shown as "-".

def fixed($digits):                       # a number with so many digits after the point
  if . == null then "-"
  else
    . as $x | pow(10; $digits) as $p
    | (($x | fabs) * $p | round) as $n
    | (if $x < 0 and $n > 0 then "-" else "" end)
      + ($n / $p | floor | tostring)
      + (if $digits == 0 then "" else
           "." + (($n % $p | tostring) as $f | ("0" * ($digits - ($f | length)) // "") + $f) end)
  end;

def ms_as_s: if . == null then null else . / 1000 end;
def us_as_ms: if . == null then null else . / 1000 end;

def phases: .migration.phases // [];
def phase($name): first(phases[] | select(.name == $name)) // null;
# Everything between the end of "before" and the start of "after".
def during:
  (phase("before").end_s) as $from | (phase("after").start_s) as $to
  | [phases[] | select(.name != "before" and .name != "after")
     | select($from != null and .start_s >= $from - 1e-6)
     | select($to == null or .start_s < $to)];

# Mean over several phases: each weighs by its number of answers.
def mean_ms:
  [.[] | .response_time | select(.mean_us != null and (.count // 0) > 0)]
  | if length == 0 then null
    else (map(.mean_us * .count) | add) / (map(.count) | add) | us_as_ms end;
def worst_ms: [.[] | .response_time.max_us | numbers] | max | us_as_ms;

def rate: if type == "object" then ([.[] | numbers] | add) else . end;
# Mean over several phases: each weighs by its length.
def throughput:
  [.[] | {bytes: (.bytes_per_s | rate), s: (.end_s - .start_s)}
   | select(.bytes != null and .s > 0)]
  | if length == 0 then null
    else (map(.bytes * .s) | add) / (map(.s) | add) / 1000 end;

def lost: [.[] | .counts.failed | numbers] | add;

def one($name): [phase($name) | select(. != null)];

def with_bound($digits; value; bound):
  (value | fixed($digits)) + if value == null or bound == null then "" else " ±" + (bound | fixed($digits)) end;

def outage: if . == null then "-" else
    with_bound(0; (.gap // .longest_gap); .bound) + " (sum \(.sum_of_gaps | fixed(0)) in \(.gaps // "-"))" end;

def interval:
  if .at_least == null then "-"
  else (.at_least | fixed(1)) + "–" + (.at_most | fixed(1)) end;

def verdict:
  if .report == null then "failed"
  elif .status == 1 then "failed (\(.report.verdict.status // "-"))"
  else .report.verdict.status // "-" end;

def row($name; f): {name: $name, cells: map(f)};
def measured($name; f): row($name; .report // {} | f);

def pad($width): . + (" " * ([$width - length, 0] | max) // "");
def pad_left($width): (" " * ([$width - length, 0] | max) // "") + .;

. as $sizes
| [ row("VM memory"; "\(.size) MB"),
    measured("total migration time, seen by loadgen [s]";
             .migration.total_migration_time_ms.trigger | ms_as_s | fixed(2)),
    measured("total migration time, told by QEMU [s]";
             .migration.total_migration_time_ms.hypervisor | ms_as_s | fixed(2)),
    measured("downtime told by QEMU [ms]"; .migration.downtime_ms.reported | fixed(0)),
    measured("downtime STOP→RESUME [ms]";
             .migration.downtime_ms | with_bound(1; .events; .bound)),
    measured("packets lost, by the network [ms]"; .migration.unreachable_ms | interval),
    measured("kernel silent [ms]"; .migration.silent_ms | interval),
    measured("outage, open connections [ms]"; .migration.outage_ms.established | outage),
    measured("outage, new connections [ms]"; .migration.outage_ms.fresh | outage),
    measured("response time before, mean [ms]"; one("before") | mean_ms | fixed(1)),
    measured("response time during, mean [ms]"; during | mean_ms | fixed(1)),
    measured("response time during, max [ms]"; during | worst_ms | fixed(0)),
    measured("response time after, mean [ms]"; one("after") | mean_ms | fixed(1)),
    measured("errors before / during / after";
             "\(one("before") | lost // "-") / \(during | lost // "-") / \(one("after") | lost // "-")"),
    measured("errors, of calls offered";
             if .counts.offered == null then "-" else "\(.counts.failed // "-") of \(.counts.offered)" end),
    measured("throughput before [kB/s]"; one("before") | throughput | fixed(1)),
    measured("throughput during [kB/s]"; during | throughput | fixed(1)),
    measured("throughput after [kB/s]"; one("after") | throughput | fixed(1)),
    row("verdict"; verdict)
  ] as $rows
| ($rows | map(.name | length) | max) as $first
| ([range($sizes | length) as $i | [$rows[].cells[$i] | length] | max]) as $widths
| ($rows[]
   | (.name | pad($first))
     + ([range(.cells | length) as $i | "   " + (.cells[$i] | pad_left($widths[$i]))] | join(""))),
  ($sizes[] | .size as $size | .report.verdict.reasons[]? | "\($size) MB: \(.)")
