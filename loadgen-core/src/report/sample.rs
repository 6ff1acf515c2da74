//! Reports for the tests of the renderings: invented calls, from which all
//! figures of a report are computed, so that they agree with each other.

use std::collections::BTreeMap;

use serde_json::json;

use super::model::*;
use crate::event::{Event, EventKind, EventReport};
use crate::migration::{Ending, Strategy, Truth, VmFacts};
use crate::plan::{Plan, Stream};
use crate::schedule::Schedule;
use crate::target::Target;

/// One invented call: its reply's response time, or why and when it was given up.
struct Call {
    at_s: f64,
    population: &'static str,
    end: Result<f64, (f64, &'static str)>,
}

/// What the invented server does.
struct Story {
    load_s: f64,
    rate: f64,
    /// Fired and completed.
    migration: Option<(f64, f64)>,
    /// No call is answered: begin and end.
    outage: (f64, f64),
    timeout_s: f64,
}

/// A number from 0 to 1 that looks random and never changes.
fn noise(k: u64) -> f64 {
    let mut z = (k + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((z ^ (z >> 27)) >> 11) as f64 / (1_u64 << 53) as f64
}

impl Story {
    fn calls(&self) -> Vec<Call> {
        let mut calls = Vec::new();
        for (population, rate, base_s) in
            [("established", self.rate, 0.000_9), ("fresh", self.rate / 5.0, 0.001_3)]
        {
            for k in 0..(self.load_s * rate) as u64 {
                let at_s = k as f64 / rate;
                let spread = -(1.0 - noise(k * 2 + population.len() as u64)).ln();
                let slow = match self.migration {
                    Some((fired, completed)) if (fired..completed).contains(&at_s) => 1.8,
                    _ => 1.0,
                };
                let mut response = base_s * slow * (0.7 + 0.3 * spread);
                let (stop, resume) = self.outage;
                if (stop..resume).contains(&at_s) {
                    response += (resume - at_s) + 0.02 * noise(k);
                }
                let end = if response > self.timeout_s {
                    Err((
                        self.timeout_s,
                        if k % 7 == 0 { "connect-refused" } else { "head-timeout" },
                    ))
                } else {
                    Ok(response)
                };
                calls.push(Call { at_s, population, end });
            }
        }
        calls.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        calls
    }
}

fn latency(mut seconds: Vec<f64>) -> Latency {
    seconds.sort_by(f64::total_cmp);
    let n = seconds.len();
    let us = |s: f64| (s * 1e9).round() / 1e3;
    let quantile = |q: f64| {
        let beyond = (1.0 - q) * n as f64;
        (beyond >= 9.999 || (q == 0.5 && n > 0))
            .then(|| us(seconds[((q * n as f64).ceil() as usize).clamp(1, n) - 1]))
    };
    Latency {
        count: n as u64,
        min_us: seconds.first().map(|s| us(*s)),
        mean_us: (n > 0).then(|| us(seconds.iter().sum::<f64>() / n as f64)),
        p50_us: quantile(0.5),
        p90_us: quantile(0.9),
        p99_us: quantile(0.99),
        p99_9_us: quantile(0.999),
        p99_99_us: quantile(0.9999),
        max_us: seconds.last().map(|s| us(*s)),
        histogram: histogram(&seconds),
    }
}

fn histogram(seconds: &[f64]) -> Option<String> {
    use base64::Engine as _;
    use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};
    let mut histogram = hdrhistogram::Histogram::<u64>::new(3).unwrap();
    for s in seconds {
        histogram.record((s * 1e9) as u64).unwrap();
    }
    let mut bytes = Vec::new();
    V2DeflateSerializer::new().serialize(&histogram, &mut bytes).unwrap();
    Some(base64::engine::general_purpose::STANDARD.encode(bytes))
}

fn counts(calls: &[&Call]) -> Counts {
    let n = calls.len() as u64;
    let failed = calls.iter().filter(|c| c.end.is_err()).count() as u64;
    let censored =
        calls.iter().filter(|c| matches!(c.end, Err((_, class)) if class.ends_with("timeout")));
    Counts {
        offered: n,
        started: n,
        answered: n - failed,
        failed,
        censored: censored.count() as u64,
        connections_opened: 16,
        ..Counts::default()
    }
}

fn errors(calls: &[&Call]) -> BTreeMap<String, u64> {
    let mut errors = BTreeMap::new();
    for call in calls {
        if let Err((_, class)) = call.end {
            *errors.entry(class.to_owned()).or_default() += 1;
        }
    }
    errors
}

fn good(calls: &[&Call]) -> Vec<f64> {
    calls.iter().filter_map(|c| c.end.ok()).collect()
}

fn timeline(calls: &[Call], seconds: f64) -> TimelineReport {
    let (window_s, step_s) = (0.1, 0.01);
    let mut windows = Vec::new();
    for i in 0..(seconds / window_s).ceil() as usize {
        let (from, to) = (i as f64 * window_s, (i + 1) as f64 * window_s);
        let here: Vec<&Call> = calls.iter().filter(|c| (from..to).contains(&c.at_s)).collect();
        let ends = |c: &&Call| {
            let lasted = match c.end {
                Ok(s) | Err((s, _)) => s,
            };
            (from..to).contains(&(c.at_s + lasted))
        };
        let ended: Vec<&Call> = calls.iter().filter(ends).collect();
        let failed = ended.iter().filter(|c| c.end.is_err()).count() as u64;
        let answered = ended.len() as u64 - failed;
        let mut populations = BTreeMap::new();
        for name in ["established", "fresh"] {
            let own: Vec<&Call> = here.iter().filter(|c| c.population == name).copied().collect();
            let times = latency(good(&own));
            let window = PopulationWindow {
                count: times.count,
                p50_us: times.p50_us,
                p99_us: times.p99_us.or(times.max_us),
                max_us: times.max_us,
            };
            populations.insert(name.to_owned(), window);
        }
        windows.push(WindowReport {
            start_s: from,
            offered: here.len() as u64,
            started: here.len() as u64,
            answered,
            failed,
            bytes_sent: here.len() as u64 * 78,
            bytes_received: answered * 10_940,
            populations,
            ..WindowReport::default()
        });
    }
    let steps = (seconds / step_s).ceil() as usize;
    let mut counters = TimelineCounters {
        step_ms: step_s * 1e3,
        offered: vec![0; steps],
        answered: vec![0; steps],
        failed: vec![0; steps],
    };
    let mut failed_calls = Vec::new();
    for call in calls {
        let step = |at: f64| ((at / step_s) as usize).min(steps - 1);
        counters.offered[step(call.at_s)] += 1;
        match call.end {
            Ok(response) => counters.answered[step(call.at_s + response)] += 1,
            Err((waited_s, class)) => {
                counters.failed[step(call.at_s + waited_s)] += 1;
                failed_calls.push(FailedCall {
                    at_s: call.at_s,
                    waited_s,
                    population: call.population.to_owned(),
                    class: class.to_owned(),
                });
            }
        }
    }
    let failed_calls_total = failed_calls.len() as u64;
    TimelineReport { window_ms: 100.0, windows, counters, failed_calls, failed_calls_total }
}

fn phase(name: &str, start_s: f64, end_s: f64, calls: &[Call]) -> PhaseReport {
    let own: Vec<&Call> = calls.iter().filter(|c| (start_s..end_s).contains(&c.at_s)).collect();
    let completed = |c: &&Call| c.end.is_ok_and(|s| (start_s..end_s).contains(&(c.at_s + s)));
    let answered = calls.iter().filter(completed).count() as f64;
    let long = end_s > start_s;
    PhaseReport {
        name: name.to_owned(),
        start_s,
        end_s,
        counts: counts(&own),
        response_time: latency(good(&own)),
        errors: errors(&own),
        error_replies: 0,
        goodput_per_s: long.then(|| answered / (end_s - start_s)),
        bytes_per_s: long.then(|| answered * 10_940.0 / (end_s - start_s)),
    }
}

fn report(story: &Story, warmup_s: f64) -> Report {
    let calls = story.calls();
    let measured: Vec<&Call> = calls.iter().filter(|c| c.at_s >= warmup_s).collect();
    let measured_s = story.load_s - warmup_s;
    let counts_ = counts(&measured);
    let target = Target::parse("http://192.0.2.10:8080/index.html").unwrap();
    let plan = Plan::new(target, Stream::established(Schedule::constant(story.rate)))
        .with_probe(Stream::fresh(Schedule::poisson(story.rate / 5.0)))
        .with_duration(std::time::Duration::from_secs_f64(story.load_s))
        .with_warmup(std::time::Duration::from_secs_f64(warmup_s))
        .with_timeout(std::time::Duration::from_secs_f64(story.timeout_s));
    let lag = |calls: &[&Call]| {
        latency((0..calls.len() as u64).map(|k| 2e-6 + 6e-6 * noise(k)).collect())
    };
    let service =
        |calls: &[&Call]| latency(good(calls).into_iter().map(|s| s.min(0.2) * 0.9).collect());
    let populations = ["established", "fresh"].map(|name| {
        let own: Vec<&Call> = measured.iter().filter(|c| c.population == name).copied().collect();
        let given_up = own.iter().filter_map(|c| c.end.err().map(|(s, _)| s)).collect();
        let population = PopulationReport {
            counts: counts(&own),
            response_time: latency(good(&own)),
            service_time: service(&own),
            time_to_failure: latency(given_up),
            lag: lag(&own),
            errors: errors(&own),
            ..PopulationReport::default()
        };
        (name.to_owned(), population)
    });
    let errors_ = errors(&measured);
    let error_examples = errors_
        .keys()
        .map(|class| ErrorExample {
            class: class.clone(),
            at_s: story.outage.0 + story.timeout_s,
            errno: class.ends_with("refused").then_some(111),
            message: class.ends_with("refused").then(|| "Connection refused".to_owned()),
        })
        .collect();
    Report {
        schema: SCHEMA.to_owned(),
        tool: Tool { name: "loadgen".to_owned(), version: "0.1.0".to_owned() },
        plan,
        environment: Environment {
            kernel: "6.1.0-25-amd64".to_owned(),
            cpu: "Example CPU @ 2.50GHz".to_owned(),
            cpus: 2,
            threads: 1,
            address: "192.0.2.10:8080".to_owned(),
            descriptor_limit: 1_048_576,
            load_average: Some(0.42),
        },
        started_at: "2026-11-22T15:00:00.000Z".to_owned(),
        duration_s: story.load_s + 0.012,
        measured_s,
        interrupted: false,
        verdict: Verdict { status: VerdictStatus::Valid, reasons: Vec::new() },
        counts: counts_,
        rates: Rates {
            offered_per_s: counts_.offered as f64 / measured_s,
            started_per_s: counts_.started as f64 / measured_s,
            answered_per_s: counts_.answered as f64 / measured_s,
        },
        response_time: latency(good(&measured)),
        service_time: service(&measured),
        lag: lag(&measured),
        status: BTreeMap::from([("2xx".to_owned(), counts_.answered)]),
        errors: errors_,
        error_examples,
        bytes: Traffic { sent: counts_.started * 78, received: counts_.answered * 10_940 },
        cpu: Cpu { user_s: 0.62, system_s: 1.91 },
        populations: BTreeMap::from(populations),
        timeline: timeline(&calls, story.load_s),
        events: Vec::new(),
        migration: None,
    }
}

fn event(kind: EventKind, at_s: f64, source: &str) -> EventReport {
    EventReport::from(&Event::new(kind, (at_s * 1e9) as u64, 400_000, source))
}

/// A run without migration: 20 s at 120/s, 2 s of it warm-up.
pub(crate) fn plain() -> Report {
    let story = Story {
        load_s: 20.0,
        rate: 100.0,
        migration: None,
        outage: (f64::MAX, f64::MAX),
        timeout_s: 5.0,
    };
    report(&story, 2.0)
}

/// Pre-copy of 7.6 s with seven rounds; 31 ms without a CPU, 180 ms without replies.
pub(crate) fn pre_copy() -> Report {
    let (fired, completed, stop, resume) = (12.0, 19.645, 19.45, 19.481_1);
    let story = Story {
        load_s: 30.0,
        rate: 500.0,
        migration: Some((fired, completed)),
        outage: (stop, 19.63),
        timeout_s: 5.0,
    };
    let mut report = report(&story, 2.0);
    let calls = story.calls();
    let rounds = [12.05, 15.4, 17.1, 18.0, 18.6, 19.0, 19.25];
    report.events.push(event(EventKind::Fired, fired, "loadgen"));
    report.events.push(event(EventKind::Accepted, fired + 0.002, "qmp:source"));
    report.events.push(event(EventKind::Setup, fired + 0.02, "qmp:source"));
    let mut phases = vec![phase("warm-up", 0.0, 2.0, &calls), phase("before", 2.0, fired, &calls)];
    for (i, at) in rounds.iter().enumerate() {
        let end = rounds.get(i + 1).copied().unwrap_or(stop);
        report.events.push(event(EventKind::Round(i as u32 + 1), *at, "qmp:source"));
        let begin = if i == 0 { fired } else { *at };
        phases.push(phase(&format!("round {}", i + 1), begin, end, &calls));
    }
    report.events.push(event(EventKind::Stop, stop, "qmp:source"));
    report.events.push(event(EventKind::Resume, resume, "qmp:target"));
    report.events.push(event(EventKind::Completed, completed, "qmp:source"));
    phases.push(phase("blackout", stop, resume, &calls));
    phases.push(phase("after", resume, story.load_s, &calls));
    let outage = |gap: f64, bound: f64| {
        Some(OutageReport {
            longest_gap: Some(gap),
            longest_gap_start_s: Some(stop - 0.001),
            sum_of_gaps: Some(gap),
            gaps: 1,
            threshold: Some(100.0),
            bound: Some(bound),
            baseline_longest_gap: Some(14.2),
            longest_gap_is_lower_bound: false,
            switchover_sum_of_gaps: Some(gap),
            interruption_at_least: Some(gap - bound),
            interruption_at_most: Some(gap),
        })
    };
    report.migration = Some(Migration {
        trigger: "qmp".to_owned(),
        strategy: Some(Strategy::PreCopy),
        simulated: false,
        ending: Some(Ending::Completed),
        reason: None,
        vm: VmFacts {
            hypervisor: Some("QEMU 7.2.22".to_owned()),
            memory_bytes: Some(512 << 20),
            running: Some(true),
            details: serde_json::Map::new(),
        },
        total_migration_time_ms: TotalTime { trigger: Some(7645.0), hypervisor: Some(7641.0) },
        downtime_ms: Downtime { reported: Some(25.0), events: Some(31.1), bound: Some(0.8) },
        outage_ms: Outages { established: outage(180.4, 2.1), fresh: outage(188.9, 10.3) },
        recovery_ms: Some(212.0),
        brownout_ms: Some(7300.0),
        brownout_share_before: Some(0.013),
        calls_lost: 0,
        calls_late: 112,
        error_replies: 0,
        degradation_calls: Some(91.0),
        degradation_response_s2: Some(0.052),
        transferred_bytes: Some(244 << 20),
        rounds: Some(7),
        phases,
        truth: None,
        details: serde_json::Map::from_iter([(
            "ram".to_owned(),
            json!({"dirty-pages-rate": 2570}),
        )]),
    });
    report
}

/// A simulated stop-and-copy with 3 s without replies, a timeout of 1 s and failures.
pub(crate) fn stop_and_copy() -> Report {
    let (fired, stop, resume) = (10.0, 10.02, 13.0);
    let story = Story {
        load_s: 24.0,
        rate: 200.0,
        migration: Some((fired, resume)),
        outage: (stop, resume + 0.02),
        timeout_s: 1.0,
    };
    let mut report = report(&story, 0.0);
    let calls = story.calls();
    report.events = vec![
        event(EventKind::Fired, fired, "loadgen"),
        event(EventKind::Stop, stop, "simulated"),
        event(EventKind::Progress, 11.0, "simulated"),
        event(EventKind::Resume, resume, "simulated"),
        event(EventKind::Completed, resume, "simulated"),
        event(EventKind::Mark("cache cleared".to_owned()), 17.5, "user"),
    ];
    let phases = vec![
        phase("before", 0.0, fired, &calls),
        phase("migration", fired, stop, &calls),
        phase("blackout", stop, resume, &calls),
        phase("after", resume, story.load_s, &calls),
    ];
    let lost = report.counts.failed;
    report.verdict = Verdict {
        status: VerdictStatus::Degraded,
        reasons: vec![format!(
            "{lost} calls timed out after 1 s (--timeout): what they would have waited for is not known; raise --timeout above the outage to see it"
        )],
    };
    let outage = |gap: f64, bound: f64| OutageReport {
        longest_gap: Some(gap),
        longest_gap_start_s: Some(stop - 0.003),
        sum_of_gaps: Some(gap),
        gaps: 1,
        threshold: Some(100.0),
        bound: Some(bound),
        baseline_longest_gap: Some(9.8),
        longest_gap_is_lower_bound: false,
        switchover_sum_of_gaps: Some(gap),
        interruption_at_least: Some(gap - bound),
        interruption_at_most: Some(gap),
    };
    report.migration = Some(Migration {
        trigger: "simulated".to_owned(),
        strategy: Some(Strategy::StopAndCopy),
        simulated: true,
        ending: Some(Ending::Completed),
        reason: None,
        vm: VmFacts { memory_bytes: Some(96 << 20), ..VmFacts::default() },
        total_migration_time_ms: TotalTime { trigger: Some(3001.2), hypervisor: None },
        downtime_ms: Downtime { reported: Some(2980.0), events: Some(2980.3), bound: Some(0.8) },
        outage_ms: Outages {
            established: Some(outage(2987.1, 12.0)),
            fresh: Some(outage(3021.0, 28.0)),
        },
        recovery_ms: None,
        brownout_ms: Some(0.0),
        brownout_share_before: Some(0.0),
        calls_lost: lost,
        calls_late: 231,
        error_replies: 0,
        degradation_calls: Some(700.5),
        degradation_response_s2: None,
        transferred_bytes: Some(96 << 20),
        rounds: Some(1),
        phases,
        truth: Some(Truth {
            downtime_ms: 2980.0,
            stop_s: stop,
            resume_s: resume,
            total_migration_time_ms: 3000.4,
            transferred_bytes: 96 << 20,
            rounds: 1,
        }),
        details: serde_json::Map::new(),
    });
    report
}

/// A run of which nothing was measured: every optional figure is missing.
pub(crate) fn empty() -> Report {
    let mut report = plain();
    report.counts = Counts::default();
    report.rates = Rates::default();
    report.response_time = Latency::default();
    report.service_time = Latency::default();
    report.lag = Latency::default();
    report.status.clear();
    report.populations.clear();
    report.environment = Environment::default();
    report.timeline = TimelineReport { window_ms: 100.0, ..TimelineReport::default() };
    report.verdict = Verdict {
        status: VerdictStatus::Invalid,
        reasons: vec!["no call was started: the run ended before its first arrival".to_owned()],
    };
    report.migration = Some(Migration {
        trigger: "command".to_owned(),
        strategy: None,
        simulated: false,
        ending: None,
        reason: None,
        vm: VmFacts::default(),
        total_migration_time_ms: TotalTime::default(),
        downtime_ms: Downtime::default(),
        outage_ms: Outages::default(),
        recovery_ms: None,
        brownout_ms: None,
        brownout_share_before: None,
        calls_lost: 0,
        calls_late: 0,
        error_replies: 0,
        degradation_calls: None,
        degradation_response_s2: None,
        transferred_bytes: None,
        rounds: None,
        phases: Vec::new(),
        truth: None,
        details: serde_json::Map::new(),
    });
    report
}

/// Every string that can come from outside tries to break out of the page.
pub(crate) fn hostile() -> Report {
    const BAD: &str = "</title></svg><script>alert(1)</script>&\"'\u{1b}[31m<img src=x>";
    let mut report = stop_and_copy();
    let url = "http://192.0.2.10:8080/?a=<script>alert(1)</script>&b=\"'><img/src=x>";
    report.plan.target = Target::parse(url).unwrap();
    report.environment.cpu = BAD.to_owned();
    report.environment.kernel = BAD.to_owned();
    report.verdict.reasons = vec![BAD.to_owned()];
    report.errors.insert(BAD.to_owned(), 1);
    report.status.insert(BAD.to_owned(), 1);
    report.error_examples[0].message = Some(BAD.to_owned());
    for event in &mut report.events {
        event.name.push_str(BAD);
        event.source = BAD.to_owned();
        event.attributes.insert(BAD.to_owned(), json!(BAD));
    }
    let population = report.populations["fresh"].clone();
    report.populations.insert(BAD.to_owned(), population);
    for window in &mut report.timeline.windows {
        let own = window.populations["fresh"];
        window.populations.insert(BAD.to_owned(), own);
    }
    if let Some(migration) = &mut report.migration {
        migration.trigger = BAD.to_owned();
        migration.reason = Some(BAD.to_owned());
        migration.vm.hypervisor = Some(BAD.to_owned());
        for phase in &mut migration.phases {
            phase.name.push_str(BAD);
        }
    }
    report
}
