//! Replies of all sizes, by length and in chunks: counted to the byte, and kept by
//! nobody.

use std::time::Duration;

use loadgen_core::target_server::{TargetOptions, TargetServer};
use loadgen_core::{Load, Plan, Schedule, Target};

use crate::common::run_until;
use crate::own_process::alone;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const GIB: u64 = 1024 * MIB;

/// Most memory that this process has had, in bytes.
fn memory_peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * KIB
}

#[test]
fn bodies_of_all_sizes_and_framings() {
    alone("large_replies::bodies_of_all_sizes_and_framings", || {
        bodies();
        assert!(memory_peak() < 512 * MIB, "{} bytes", memory_peak());
    });
}

fn bodies() {
    let chunks = [None, Some(1000), Some(64 * KIB), Some(8 * MIB)];
    for body in [10 * KIB, 64 * KIB, MIB, GIB] {
        for chunk in chunks {
            if chunk.is_some_and(|chunk| body / chunk > 100_000) {
                continue;
            }
            let mut options = TargetOptions::new().with_body_bytes(body);
            options.chunk_bytes = chunk;
            let server = TargetServer::bind(options).unwrap().spawn().unwrap();
            let target = Target::parse(&server.url()).unwrap();
            let stream = Load::established(Schedule::Closed).with_connections(1);
            let plan = Plan::new(target, stream).with_timeout(Duration::from_secs(60));
            let report = run_until(plan, |so_far| so_far.started >= 1, || ());
            let truth = server.stop().unwrap();
            let what = format!("{body} bytes, chunks of {chunk:?}");
            assert_eq!(report.counts.failed + report.counts.unfinished, 0, "{what}");
            assert!(report.counts.answered >= 1, "{what}");
            assert_eq!(report.bytes.received, truth.bytes_sent, "{what}");
            assert!(report.bytes.received > report.counts.answered * body, "{what}");
            assert_eq!(report.counts.connections_opened, 1, "{what}");
        }
    }
}
