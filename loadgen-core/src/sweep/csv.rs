//! The points of a sweep as a table for other programs: one row a run, units in
//! the header, empty where nothing was measured.

use std::collections::BTreeSet;

use super::point::SweepPoint;
use super::report::SweepReport;
use crate::report::csv::field;

/// The points by demanded rate as CSV (RFC 4180, with `\n` line ends). Every
/// class of errors has a column of its own after the fixed ones.
#[must_use]
pub fn render_csv(sweep: &SweepReport) -> String {
    render(sweep, ",")
}

/// The same, with tabs.
#[must_use]
pub fn render_tsv(sweep: &SweepReport) -> String {
    render(sweep, "\t")
}

fn render(sweep: &SweepReport, separator: &str) -> String {
    let mut points: Vec<&SweepPoint> = sweep.points.iter().collect();
    points.sort_by(|a, b| a.demanded_per_s.total_cmp(&b.demanded_per_s));
    let classes: BTreeSet<&String> = points.iter().flat_map(|p| p.errors.keys()).collect();
    let mut header: Vec<String> = HEADER.map(str::to_owned).to_vec();
    header.extend(classes.iter().map(|class| field(&format!("errors_{class}").replace('\t', " "))));
    let mut out = header.join(separator) + "\n";
    for point in points {
        let mut row = cells(point);
        for class in &classes {
            row.push(point.errors.get(*class).copied().unwrap_or(0).to_string());
        }
        out.push_str(&row.join(separator));
        out.push('\n');
    }
    out
}

const HEADER: [&str; 29] = [
    "demanded_per_s",
    "kind",
    "offered_per_s",
    "started_per_s",
    "answered_per_s",
    "offered",
    "started",
    "answered",
    "failed",
    "shed",
    "unfinished",
    "left_over_share",
    "response_mean_us",
    "response_p50_us",
    "response_p90_us",
    "response_p99_us",
    "response_p99_9_us",
    "response_max_us",
    "service_mean_us",
    "service_p50_us",
    "service_p99_us",
    "lag_p50_us",
    "lag_p99_us",
    "lag_max_us",
    "measured_s",
    "duration_s",
    "held",
    "verdict",
    "interrupted",
];

fn cells(point: &SweepPoint) -> Vec<String> {
    let (rates, counts) = (&point.rates, &point.counts);
    let (response, service, lag) = (&point.response_time, &point.service_time, &point.lag);
    let some = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    let mut row = vec![point.demanded_per_s.to_string(), point.kind.word().to_owned()];
    row.extend([rates.offered_per_s, rates.started_per_s, rates.answered_per_s].map(some));
    let fates = [
        counts.offered,
        counts.started,
        counts.answered,
        counts.failed,
        counts.shed,
        counts.unfinished,
    ];
    row.extend(fates.map(|count| count.to_string()));
    row.extend(
        [
            point.left_over,
            response.mean_us,
            response.p50_us,
            response.p90_us,
            response.p99_us,
            response.p99_9_us,
            response.max_us,
            service.mean_us,
            service.p50_us,
            service.p99_us,
            lag.p50_us,
            lag.p99_us,
            lag.max_us,
            Some(point.measured_s),
            Some(point.duration_s),
        ]
        .map(some),
    );
    row.push(point.held.map(|held| held.to_string()).unwrap_or_default());
    row.push(point.verdict.status.name().to_owned());
    row.push(point.interrupted.to_string());
    row
}

#[cfg(test)]
mod tests {
    use super::super::sections::tests::sample;
    use super::*;

    #[test]
    fn one_row_a_run_from_the_lowest_rate() {
        let mut sweep = sample();
        sweep.points.reverse();
        sweep.points[0].errors.insert("connect-timed-out".to_owned(), 3);
        let csv = render_csv(&sweep);
        let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
        assert_eq!(rows.len(), 1 + sweep.points.len());
        assert!(rows.iter().all(|row| row.len() == HEADER.len() + 1), "{csv}");
        let column = |name: &str| rows[0].iter().position(|h| *h == name).unwrap();
        assert_eq!(rows[1][column("demanded_per_s")], "100");
        assert_eq!(rows[1][column("kind")], "step");
        assert_eq!(rows[1][column("errors_connect-timed-out")], "0");
        assert_eq!(rows[4][column("errors_connect-timed-out")], "3");
        assert_eq!(rows[4][column("answered_per_s")], "310");
        assert_eq!(render_tsv(&sweep), csv.replace(',', "\t"));
    }

    #[test]
    fn what_was_not_measured_is_empty() {
        let mut sweep = sample();
        sweep.points.truncate(1);
        sweep.points[0].left_over = None;
        sweep.points[0].response_time = crate::report::Latency::default();
        let csv = render_csv(&sweep);
        let row: Vec<&str> = csv.lines().nth(1).unwrap().split(',').collect();
        let column = HEADER.iter().position(|h| *h == "response_p99_us").unwrap();
        assert_eq!((row[column], row[11]), ("", ""));
        assert!(!csv.contains("NaN"));
    }
}
