//! Whether what shards measured together can be trusted.

use std::time::{Duration, SystemTime};

use crate::report::{ShardReport, Verdict, VerdictStatus};

/// From one shard's begin to another's, that makes what they measured at one time of the load
/// lie in different windows: the width of the finest.
const APART: Duration = Duration::from_millis(100);

/// The worst of all, with the reasons of each, and what is to be said of them together.
pub(super) fn verdict(shards: &[ShardReport], missing: &[u32], of: u32) -> Verdict {
    let mut findings = Vec::new();
    for shard in shards {
        let Verdict { status, reasons, .. } = &shard.verdict;
        let own = |reason: &String| (*status, format!("shard {}: {reason}", shard.index));
        findings.extend(reasons.iter().map(own));
    }
    if !missing.is_empty() {
        let reason = format!(
            "{} of {of} shards are missing ({}): the load was {} of that of the plan",
            missing.len(),
            numbers(missing),
            share(of - missing.len() as u32, of)
        );
        findings.push((VerdictStatus::Degraded, reason));
    }
    findings.extend(apart(shards).map(|reason| (VerdictStatus::Degraded, reason)));
    Verdict::from_findings(findings)
}

/// The first ten.
pub(super) fn numbers(of: &[u32]) -> String {
    let first = of.iter().take(10).map(u32::to_string).collect::<Vec<_>>().join(", ");
    if of.len() > 10 { first + ", …" } else { first }
}

fn share(there: u32, of: u32) -> String {
    format!("{there}/{of}")
}

/// Whether their loads began at different times, by their clocks.
fn apart(shards: &[ShardReport]) -> Option<String> {
    let starts = shards.iter().filter_map(|s| humantime::parse_rfc3339(&s.started_at).ok());
    let starts: Vec<SystemTime> = starts.collect();
    if starts.len() < shards.len() {
        let reason =
            "when some of the shards began cannot be read: they may not have begun together";
        return Some(reason.to_owned());
    }
    let first = starts.iter().min()?;
    let apart = starts.iter().filter_map(|start| start.duration_since(*first).ok()).max()?;
    (apart >= APART).then(|| {
        format!(
            "the shards did not begin together: by their clocks the last one's load began {:.1} s \
             after the first one's, so what stands at one time of the load was not at one moment",
            apart.as_secs_f64()
        )
    })
}
