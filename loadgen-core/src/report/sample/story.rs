//! Invented calls, and a report whose figures are computed from them.

use std::collections::BTreeMap;

use super::super::*;
use crate::plan::{Load, Plan};
use crate::schedule::Schedule;
use crate::target::Target;

/// One invented call: its reply's response time, or why and when it was given up.
pub(super) struct Call {
    at_s: f64,
    population: &'static str,
    end: Result<f64, (f64, &'static str)>,
}

/// What the invented server does.
pub(super) struct Story {
    pub(super) load_s: f64,
    pub(super) rate: f64,
    /// Fired and completed.
    pub(super) migration: Option<(f64, f64)>,
    /// No call is answered: begin and end.
    pub(super) outage: (f64, f64),
    pub(super) timeout_s: f64,
}

/// A number from 0 to 1 that looks random and never changes.
fn noise(k: u64) -> f64 {
    let mut z = (k + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((z ^ (z >> 27)) >> 11) as f64 / (1_u64 << 53) as f64
}

impl Story {
    pub(super) fn calls(&self) -> Vec<Call> {
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

/// The times as the engine would report them.
fn latency(seconds: Vec<f64>) -> Latency {
    let mut histogram = hdrhistogram::Histogram::<u64>::new(3).unwrap();
    for s in seconds {
        histogram.record((s * 1e9) as u64).unwrap();
    }
    super::super::latency(&histogram, true)
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

pub(super) fn phase(name: &str, start_s: f64, end_s: f64, calls: &[Call]) -> PhaseReport {
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
        slow_calls: BTreeMap::new(),
        goodput_per_s: long.then(|| answered / (end_s - start_s)),
        bytes_per_s: long.then(|| answered * 10_940.0 / (end_s - start_s)),
    }
}

pub(super) fn report(story: &Story, warmup_s: f64) -> Report {
    let calls = story.calls();
    let measured: Vec<&Call> = calls.iter().filter(|c| c.at_s >= warmup_s).collect();
    let measured_s = story.load_s - warmup_s;
    let counts_ = counts(&measured);
    let target = Target::parse("http://192.0.2.10:8080/index.html").unwrap();
    let plan = Plan::new(target, Load::established(Schedule::constant(story.rate)))
        .with_probe(Load::fresh(Schedule::poisson(story.rate / 5.0)))
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
        aborted: None,
        calls_file: None,
        workers_lost: 0,
        verdict: Verdict { status: VerdictStatus::Valid, reasons: Vec::new() },
        counts: counts_,
        rates: Rates {
            offered_per_s: Some(counts_.offered as f64 / measured_s),
            started_per_s: Some(counts_.started as f64 / measured_s),
            answered_per_s: Some(counts_.answered as f64 / measured_s),
        },
        response_time: latency(good(&measured)),
        service_time: service(&measured),
        lag: lag(&measured),
        connect_time: None,
        tls: None,
        status: BTreeMap::from([("2xx".to_owned(), counts_.answered)]),
        status_codes: BTreeMap::from([("200".to_owned(), counts_.answered)]),
        errors: errors_,
        connections_lost: BTreeMap::from([("reset".to_owned(), 3)]),
        error_examples,
        bytes: Traffic { sent: counts_.started * 78, received: counts_.answered * 10_940 },
        cpu: Cpu { user_s: 0.62, system_s: 1.91, run_delay_s: Some(0.031) },
        populations: BTreeMap::from(populations),
        loads: Vec::new(),
        tags: Vec::new(),
        wrong: Default::default(),
        response_time_wrong: None,
        timeline: timeline(&calls, story.load_s),
        slow_calls: None,
        kernel_timestamps: None,
        generator: None,
        connected_to: None,
        events: Vec::new(),
        events_dropped: 0,
        migration: None,
        sessions: None,
        shards: Vec::new(),
        shards_missing: Vec::new(),
    }
}
