//! Reports of the original, read back into figures and written again.

mod read_back;

use super::*;
use crate::report::{ConnectionFailures, ConnectionFigures, Moments, RequestFigures};

/// Reports that the original printed, each after a line with `=== ` and a name.
const REPORTS: &str = include_str!("../testdata/reports.txt");

/// Lines in which both texts differ.
fn differing<'a>(ours: &'a str, theirs: &'a str) -> Vec<(&'a str, &'a str)> {
    ours.lines().zip(theirs.lines()).filter(|(a, b)| a != b).collect()
}

#[test]
fn reports_of_the_original_come_out_the_same() {
    let mut seen = 0;
    for part in REPORTS.split("=== ").skip(1) {
        let (name, theirs) = part.split_once('\n').unwrap();
        let (report, cpu) = read_back::parse(theirs);
        let verbosity = if theirs.contains("Connection lifetime") { 2 } else { 0 };
        let ours = render(&report, &cpu, verbosity, theirs.contains("Periodic"));
        assert_eq!(ours.lines().count(), theirs.lines().count(), "{name}");
        assert_eq!(ours, theirs, "{name}: {:?}", differing(&ours, theirs));
        seen += 1;
    }
    assert!(seen >= 40, "{seen} reports");
}

#[test]
fn nothing_in_no_time() {
    let report = SessionsReport {
        connections: ConnectionFigures { attempted: 1, concurrent: 1, ..Default::default() },
        failures: ConnectionFailures { no_address: 1, tls: 2, other: 3, ..Default::default() },
        outcomes: Some(SessionOutcomes::default()),
        ..SessionsReport::default()
    };
    let cpu = Cpu { user_s: 0.001, system_s: 0.0, run_delay_s: None };
    insta::assert_snapshot!(render(&report, &cpu, 0, true));
}

#[test]
fn everything() {
    let moments = |count, min, mean, max, stddev| Some(Moments { count, min, mean, max, stddev });
    let report = SessionsReport {
        test_duration_s: 12.5,
        connections: ConnectionFigures {
            attempted: 12,
            connected: 11,
            connect_mean_ms: Some(0.25),
            with_reply: 9,
            lifetime_ms: moments(9, 0.125, 11_135.9, 100_000.0, Some(33_324.5)),
            lifetime_histogram: vec![(0, 2), (1, 2), (3, 1), (10, 2), (11, 0), (12, 1)],
            concurrent: 3,
            connect_burst: 2,
        },
        requests: RequestFigures { sent: 26, bytes: 26 * 71 - 1 },
        replies: ReplyFigures {
            completed: 20,
            begun: 21,
            response_mean_ms: Some(1.25),
            transfer_mean_ms: Some(0.05),
            header_bytes: 20 * 240 - 1,
            content_bytes: 20 * 1024 + 19,
            footer_bytes: 21,
            by_class: [1, 12, 3, 4, 0],
            by_status: [(200, 11), (204, 1), (302, 3), (404, 4), (100, 1)].into(),
        },
        failures: ConnectionFailures {
            timeout: 1,
            kernel_timeout: 2,
            refused: 3,
            reset: 4,
            no_descriptor: 5,
            table_full: 6,
            no_address: 7,
            tls: 8,
            other: 9,
        },
        arrivals_shed: 1,
        tls_failure: None,
        reply_rate_samples: vec![1.0, 2.5, 1.5],
        session_rate_samples: vec![0.25, 0.5],
        outcomes: Some(SessionOutcomes {
            succeeded: 5,
            failed: 2,
            connections_of_succeeded: 8,
            lifetime_mean_s: Some(1.36),
            failtime_mean_s: Some(0.75),
            by_replies: vec![1, 0, 0, 4, 2, 0],
        }),
    };
    let cpu = Cpu { user_s: 1.0, system_s: 2.5, run_delay_s: None };
    insta::assert_snapshot!(render(&report, &cpu, 2, true));
    assert_eq!(render_burst(&report), "Maximum connect burst length: 2\n");
}

#[test]
fn the_median_is_the_middle_of_its_bin() {
    assert_eq!(median(&[], 0), 0.0);
    assert_eq!(median(&[(4, 1)], 1), 4.5);
    // As the original has it: connections of 8, 40 and 80 ms.
    assert_eq!(median(&[(8, 1), (48, 1), (80, 1)], 3), 48.5);
    assert_eq!(median(&[(1, 1), (2, 1)], 2), 1.5);
    // Lives beyond the histogram count, but are in none of its bins.
    assert_eq!(median(&[(1, 1)], 2), 1.5);
    assert_eq!(median(&[(1, 1)], 3), 0.0);
}
