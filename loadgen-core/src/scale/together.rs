//! Whether what shards measured together can be trusted.

use std::time::{Duration, SystemTime};

use crate::report::{ShardClock, ShardReport, Verdict, VerdictStatus};

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
    let of_clocks = [apart(shards), unknown(shards)].into_iter().flatten();
    let of_clocks = of_clocks.chain(shards.iter().filter_map(stepped));
    findings.extend(of_clocks.map(|reason| (VerdictStatus::Degraded, reason)));
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

/// Whether their loads began at different times, or nobody knows.
fn apart(shards: &[ShardReport]) -> Option<String> {
    let (apart, by) = match (compared(shards), by_wall_clock(shards)) {
        (Some(apart), _) => (apart, "their clocks were compared"),
        (None, Some(apart)) => (apart, "by their wall clocks"),
        (None, None) => {
            let reason =
                "when some of the shards began cannot be read: they may not have begun together";
            return Some(reason.to_owned());
        }
    };
    (apart >= APART).then(|| {
        format!(
            "the shards did not begin together ({by}): the last one's load began {:.2} s after the \
             first one's, so what stands at one time of the load was not at one moment",
            apart.as_secs_f64()
        )
    })
}

/// From the first begin to the last, if all have one clock, or were compared with that of shard 0;
/// what the bounds leave no doubt of.
fn compared(shards: &[ShardReport]) -> Option<Duration> {
    let clocks: Vec<&ShardClock> =
        shards.iter().map(|shard| shard.clock.as_ref()).collect::<Option<_>>()?;
    let first = clocks.first()?;
    if first.domain.is_some() && clocks.iter().all(|clock| clock.domain == first.domain) {
        let began = || clocks.iter().map(|clock| clock.began_ns);
        return Some(Duration::from_nanos(began().max()? - began().min()?));
    }
    let after = |clock: &ShardClock| clock.began_after_ms.zip(clock.began_bound_ms);
    let after: Vec<(f64, f64)> = clocks.iter().map(|clock| after(clock)).collect::<Option<_>>()?;
    let latest = after.iter().map(|(ms, bound)| ms - bound).fold(f64::NEG_INFINITY, f64::max);
    let earliest = after.iter().map(|(ms, bound)| ms + bound).fold(f64::INFINITY, f64::min);
    Some(Duration::from_secs_f64(((latest - earliest) / 1e3).max(0.0)))
}

fn by_wall_clock(shards: &[ShardReport]) -> Option<Duration> {
    let starts = shards.iter().map(|s| humantime::parse_rfc3339(&s.started_at).ok());
    let starts: Vec<SystemTime> = starts.collect::<Option<_>>()?;
    starts.iter().max()?.duration_since(*starts.iter().min()?).ok()
}

/// Clocks of which nobody knows how far they are apart; nothing if they are one, or were compared.
fn unknown(shards: &[ShardReport]) -> Option<String> {
    if compared(shards).is_some() {
        return None;
    }
    let is_kept = |shard: &&ShardReport| {
        shard.clock.as_ref().and_then(|clock| clock.synchronised) == Some(true)
    };
    let not_kept: Vec<u32> =
        shards.iter().filter(|shard| !is_kept(shard)).map(|shard| shard.index).collect();
    (!not_kept.is_empty()).then(|| {
        format!(
            "nobody keeps the clocks of shards {}, as far as their kernels know, and they were not \
             compared: what stands at one time of the load may not have been at one moment; let them \
             meet, or run a time daemon on their machines",
            numbers(&not_kept)
        )
    })
}

/// Clocks that were set while the load went on, by more than a clock is made to go faster.
fn stepped(shard: &ShardReport) -> Option<String> {
    let by_ms = shard.clock.as_ref()?.stepped_ms;
    // A daemon makes it go faster by up to 500 millionths (adjtimex(2)).
    let slewed_ms = 1.0 + 0.5 * shard.duration_s;
    (by_ms.abs() > slewed_ms).then(|| {
        format!(
            "shard {}: its wall clock was set by {:.1} ms while the load went on; times of the load are \
             by another clock, and do not show it",
            shard.index, by_ms
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    /// Shards whose loads began so many ms after each other, on machines of their own.
    fn shards(began_ms: [f64; 2]) -> Vec<ShardReport> {
        let mut shards = sample::merged().shards;
        for (shard, after_ms) in shards.iter_mut().zip(began_ms) {
            let clock = shard.clock.as_mut().unwrap();
            clock.domain = Some(format!("machine {}", shard.index));
            (clock.began_after_ms, clock.began_bound_ms) = (Some(after_ms), Some(20.0));
            shard.verdict = Verdict::from_findings(vec![]);
        }
        shards
    }

    fn reasons(shards: &[ShardReport]) -> String {
        let Verdict { status, reasons, .. } = verdict(shards, &[], 2);
        assert_eq!(status == VerdictStatus::Valid, reasons.is_empty());
        reasons.join("\n")
    }

    #[test]
    fn what_began_together_is_valid() {
        assert_eq!(reasons(&shards([0.0, 3.0])), "");
        // Within the bounds nobody knows.
        assert_eq!(reasons(&shards([0.0, 130.0])), "");
        let text = reasons(&shards([0.0, 150.0]));
        assert!(text.contains("(their clocks were compared): the last one's load began 0.11 s"));
        // Whoever was first.
        assert_eq!(reasons(&shards([150.0, 0.0])), text);
    }

    #[test]
    fn one_machine_has_one_clock() {
        let mut shards = shards([0.0, 0.0]);
        for (shard, began_ns) in shards.iter_mut().zip([5_000_000_000, 5_400_000_000]) {
            let clock = shard.clock.as_mut().unwrap();
            (clock.domain, clock.began_ns) = (Some("one".to_owned()), began_ns);
            (clock.began_after_ms, clock.synchronised) = (None, Some(false));
        }
        let text = reasons(&shards);
        assert!(text.contains("began 0.40 s after") && !text.contains("nobody"), "{text}");
    }

    #[test]
    fn clocks_that_were_not_compared_are_trusted_if_somebody_keeps_them() {
        let mut shards = shards([0.0, 0.0]);
        shards[1].clock.as_mut().unwrap().began_after_ms = None;
        assert_eq!(reasons(&shards), "");
        shards[1].started_at = "2026-11-22T15:00:00.700Z".to_owned();
        let text = reasons(&shards);
        assert!(text.contains("(by their wall clocks)") && text.contains("0.70 s"), "{text}");
        shards[1].clock = None;
        let text = reasons(&shards);
        assert!(text.contains("nobody keeps the clocks of shards 1, as far as"), "{text}");
        shards[0].started_at = "yesterday".to_owned();
        assert!(reasons(&shards).contains("cannot be read"), "{}", reasons(&shards));
    }

    #[test]
    fn a_clock_that_was_set_is_told() {
        let mut shards = shards([0.0, 0.0]);
        for (stepped_ms, is_told) in [(0.9, false), (-400.0, true), (400.0, true)] {
            shards[1].clock.as_mut().unwrap().stepped_ms = stepped_ms;
            assert_eq!(reasons(&shards).contains("shard 1: its wall clock was set"), is_told);
        }
    }

    #[test]
    fn the_worst_of_them_counts_and_says_whose_it_is() {
        let mut shards = shards([0.0, 0.0]);
        let late = vec![(VerdictStatus::Invalid, "it was late".to_owned())];
        shards[1].verdict = Verdict::from_findings(late);
        let Verdict { status, reasons, .. } = verdict(&shards, &[2, 3], 4);
        assert_eq!(status, VerdictStatus::Invalid);
        let missing = "2 of 4 shards are missing (2, 3): the load was 2/4 of that of the plan";
        assert_eq!(reasons, ["shard 1: it was late", missing]);
    }
}
