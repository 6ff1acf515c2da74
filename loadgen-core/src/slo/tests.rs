use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;

use super::*;
use crate::report::{Counts, Latency};
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};

/// A report of `answered` replies of 1, 2, 3 … ms and `failed` calls without one.
fn report(answered: u64, failed: u64, status_5xx: u64) -> Report {
    let mut histogram = Histogram::<u64>::new(3).unwrap();
    (1..=answered).for_each(|ms| histogram.record(ms * 1_000_000).unwrap());
    let mut bytes = Vec::new();
    V2DeflateSerializer::new().serialize(&histogram, &mut bytes).unwrap();
    let mut report = crate::report::sample::plain();
    report.counts = Counts {
        offered: answered + failed,
        started: answered + failed,
        answered,
        failed,
        censored: failed,
        ..Counts::default()
    };
    report.response_time = Latency {
        count: answered,
        mean_us: (answered > 0).then(|| histogram.mean() / 1000.0),
        max_us: (answered > 0).then(|| histogram.max() as f64 / 1000.0),
        histogram: Some(STANDARD.encode(&bytes)),
        ..Latency::default()
    };
    report.status =
        [("2xx".to_owned(), answered - status_5xx), ("5xx".to_owned(), status_5xx)].into();
    report
}

fn judge(slo: &str, report: &Report) -> (SloOutcome, String) {
    let judgement = slo.parse::<Slo>().unwrap().judge(report);
    (judgement.outcome, judgement.text)
}

#[test]
fn texts_with_units_and_without_sense() {
    let p99: Slo = " p99.9 <= 1.5s ".parse().unwrap();
    let SloMetric::Quantile(q) = p99.metric() else { panic!("{p99:?}") };
    assert!((q - 0.999).abs() < 1e-12 && p99.limit() == 1.5e6);
    assert_eq!("error-rate<0.5%".parse::<Slo>().unwrap().limit(), 0.005);
    assert_eq!("mean<5us".parse::<Slo>().unwrap().limit(), 5.0);
    for text in [
        "",
        "p99",
        "p99>1ms",
        "p99<20",
        "p99<ms",
        "p99<-1ms",
        "p99<1e3ms",
        "p99<0ms",
        "p0<1ms",
        "p100<1ms",
        "pnan<1ms",
        "p-1<1ms",
        "median<1ms",
        "error-rate<2",
        "error-rate<1ms",
        "p99<1.2.3ms",
        "p99<20 ms x",
        "error-rate<nan",
    ] {
        let error = text.parse::<Slo>().unwrap_err().to_string();
        assert!(error.contains("METRIC<LIMIT"), "{text}: {error}");
    }
}

#[test]
fn limits_are_strict_unless_said_otherwise() {
    let report = report(1000, 0, 0);
    assert_eq!(judge("p50<490ms", &report).0, SloOutcome::Breached);
    let (outcome, text) = judge("p50<510ms", &report);
    assert_eq!(outcome, SloOutcome::Held, "{text}");
    let max = report.response_time.max_us.unwrap() / 1000.0;
    assert_eq!(judge(&format!("max<{max}ms"), &report).0, SloOutcome::Breached);
    assert_eq!(judge(&format!("max<={max}ms"), &report).0, SloOutcome::Held);
    assert_eq!(judge("mean<600ms", &report).0, SloOutcome::Held);
    assert_eq!(judge("mean<500ms", &report).0, SloOutcome::Breached);
}

#[test]
fn lost_calls_count_as_longer_than_any_limit() {
    // 5 % brought no reply: p99 of the answered ones is 940 ms, but the p99 of
    // the users is not known to be below anything.
    let lossy = report(950, 50, 0);
    let (outcome, text) = judge("p99<60s", &lossy);
    assert_eq!(outcome, SloOutcome::Breached, "{text}");
    assert!(text.contains("50 of 1000 calls brought no reply"), "{text}");
    assert_eq!(judge("max<60s", &lossy).0, SloOutcome::Breached);
    // 99.9 / 100 is a little above 0.999 in binary: the rank is 999 all the same.
    assert_eq!(judge("p99.9<=1s", &report(1000, 0, 0)).0, SloOutcome::Held);
    // Rank 900 of 1000 is the 900th of 950 replies: 900 ms, not p90 of the replies (855 ms).
    assert_eq!(judge("p90<880ms", &lossy).0, SloOutcome::Breached);
    assert_eq!(judge("p90<905ms", &lossy).0, SloOutcome::Held);
}

#[test]
fn error_rate_counts_losses_and_bad_statuses() {
    let report = report(990, 10, 20);
    let (outcome, text) = judge("error-rate<3%", &report);
    assert_eq!(outcome, SloOutcome::Breached);
    assert!(text.ends_with("the error rate was 3 %"), "{text}");
    assert_eq!(judge("error-rate<=0.03", &report).0, SloOutcome::Held);
}

#[test]
fn too_few_calls_are_never_held() {
    let (outcome, text) = judge("p99.9<60s", &report(500, 0, 0));
    assert_eq!(outcome, SloOutcome::Unknown);
    assert!(text.contains("500 calls are too few"), "{text}");
    assert_eq!(judge("error-rate<1%", &report(0, 0, 0)).0, SloOutcome::Unknown);
    let mut bare = report(1000, 0, 0);
    bare.response_time.histogram = None;
    assert_eq!(judge("p50<60s", &bare).0, SloOutcome::Unknown);
}

/// 1,000 replies of 2 ms, 50 of which the generator made 100 ms longer, and `shed` calls
/// that it lost.
fn late_by_itself(shed: u64, truly_slow: u64) -> Report {
    let latency = |values: &[(u64, u64)]| {
        let mut histogram = Histogram::<u64>::new(3).unwrap();
        // No calls at all would still move the maximum.
        for (ms, n) in values.iter().filter(|(_, n)| *n > 0) {
            histogram.record_n(ms * 1_000_000, *n).unwrap();
        }
        crate::report::latency(&histogram, true)
    };
    let mut report = report(1_000, 0, 0);
    report.counts.offered += shed;
    report.counts.shed = shed;
    report.response_time =
        latency(&[(2, 950 - truly_slow), (102, 50), (80 * truly_slow.min(1), truly_slow)]);
    report.generator = Some(crate::report::GeneratorReport {
        longest_pause_ms: Some(100.0),
        longest_pause_at_s: Some(5.0),
        response_time_without: Some(latency(&[(2, 1_000 - truly_slow), (80, truly_slow)])),
        calls_lost: shed,
        ..Default::default()
    });
    report
}

#[test]
fn what_own_lateness_accounts_for_is_no_breach() {
    let report = late_by_itself(0, 0);
    for slo in ["p99<50ms", "max<100ms", "mean<5ms"] {
        let (outcome, text) = judge(slo, &report);
        assert_eq!(outcome, SloOutcome::Unknown, "{text}");
        assert!(
            text.contains("cannot be judged") && text.contains("100.0 ms, at 5.00 s"),
            "{text}"
        );
        assert!(!text.contains("breached"), "{text}");
    }
    assert_eq!(judge("p90<50ms", &report).0, SloOutcome::Held);
    // Beyond the limit even without it.
    for slo in ["p99<1ms", "max<1ms", "mean<1ms"] {
        assert_eq!(judge(slo, &report).0, SloOutcome::Breached, "{slo}");
    }
    let slow = late_by_itself(0, 50);
    for slo in ["p99<50ms", "max<50ms"] {
        assert_eq!(judge(slo, &slow).0, SloOutcome::Breached, "{slo}");
    }
    // Calls that it lost itself.
    let shed = late_by_itself(200, 0);
    for slo in ["error-rate<1%", "max<50ms", "p99<50ms"] {
        assert_eq!(judge(slo, &shed).0, SloOutcome::Unknown, "{slo}");
    }
    // Others were lost beside them.
    let mut lost = late_by_itself(200, 0);
    (lost.counts.offered, lost.counts.failed) = (1_300, 100);
    for slo in ["error-rate<1%", "max<50ms"] {
        assert_eq!(judge(slo, &lost).0, SloOutcome::Breached, "{slo}");
    }
}
