#!/usr/bin/env bash
# The bars of an experiment's report as one picture, for a README or slides:
#   loadgen report DIR --html report.html
#   charts.sh report.html > charts.svg
# The four of the study of 2012 (total migration time, response time, network throughput, errors),
# then downtime and outage.
set -euo pipefail
(($# == 1)) || { echo "usage: charts.sh report.html > charts.svg" >&2; exit 2; }
awk '
BEGIN {
    split("total migration time|response time during, mean|throughput during|errors|" \
          "downtime STOP→RESUME|outage of kept-alive clients", wanted, "|")
    width = 660; height = 360
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\">\n", 2 * width, 3 * height
    print "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>"
}
/<svg role="img"/ {
    for (k in wanted) if (index($0, "aria-label=\"" wanted[k] " by ")) {
        place = sprintf("<svg x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" ", \
                        (k - 1) % 2 * width, int((k - 1) / 2) * height, width, height)
        sub(/.*<svg /, place); inside = 1; found++
    }
}
inside { end = index($0, "</svg>"); if (end) { $0 = substr($0, 1, end + 5); inside = 0; last = 1 }
         print }
END { print "</svg>"; if (!found) exit 1 }
' "$1"
