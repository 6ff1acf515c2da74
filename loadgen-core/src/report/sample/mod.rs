//! Reports for the tests of the renderings: invented calls, from which all
//! figures of a report are computed, so that they agree with each other.

mod post_copy_cut;
mod slow;
mod story;

pub(crate) use post_copy_cut::post_copy_cut;
use serde_json::json;
use story::{Story, phase, report};

use super::*;
use crate::event::{Event, EventKind, EventReport};
use crate::target::Target;
use crate::vm::{Ending, MovedMachine, Strategy, Truth, VmFacts};

fn event(kind: EventKind, at_s: f64, source: &str) -> EventReport {
    EventReport::from(&Event::new(kind, (at_s * 1e9) as u64, 400_000, source))
}

/// The figures of a load with this name.
pub(crate) fn load_report(name: &str) -> LoadReport {
    let report = plain();
    LoadReport {
        name: name.to_owned(),
        population: crate::Population::Established,
        counts: report.counts,
        rates: report.rates,
        response_time: report.response_time.clone(),
        service_time: report.service_time.clone(),
        response_time_error_status: Latency::default(),
        response_time_wrong: None,
        time_to_failure: Latency::default(),
        lag: report.lag,
        status_codes: report.status_codes,
        wrong: [("body".to_owned(), 1)].into(),
        errors: report.errors,
        connections_lost: report.connections_lost,
    }
}

/// The same of two of three shards.
pub(crate) fn merged() -> Report {
    let mut report = plain();
    let late = "the generator was late: 12 % of the calls".to_owned();
    let of_shard = (VerdictStatus::Degraded, format!("shard 1: {late}"));
    let missing = "1 of 3 shards are missing (2): the load was 2/3 of that of the plan".to_owned();
    report.verdict.add([of_shard, (VerdictStatus::Degraded, missing)]);
    report.shards_missing = vec![2];
    report.shards = [(VerdictStatus::Valid, vec![]), (VerdictStatus::Degraded, vec![late])]
        .into_iter()
        .zip(0..)
        .map(|((status, reasons), index)| ShardReport {
            index,
            told_start: Some("at 1000000000 ns of shard 0's clock".to_owned()),
            started_at: report.started_at.clone(),
            duration_s: report.duration_s,
            measured_s: report.measured_s,
            environment: report.environment.clone(),
            verdict: Verdict { status, reasons },
            is_partial: index == 1,
            clock: Some(ShardClock {
                domain: Some("boot time:[1]".to_owned()),
                began_ns: 1_000_000_000,
                synchronised: Some(true),
                max_error_ms: Some(12.5),
                estimated_error_ms: Some(0.04),
                frequency_ppm: Some(-3.2),
                stepped_ms: 0.0,
                began_after_ms: Some(0.004),
                began_bound_ms: Some(0.03),
                drift_ppm: Some(0.4),
            }),
            calls_file: Some(CallsFileReport {
                file: format!("calls-{index}.csv").into(),
                format: CallsFormat::Csv,
                written: report.counts.answered,
                left_out: 0,
                error: None,
            }),
        })
        .collect();
    report
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
            gap: Some(gap),
            gap_start_s: Some(stop - 0.001),
            gap_is_lower_bound: false,
            gap_of: Some(GapOf::Switchover),
            other_gaps: Vec::new(),
            other_gaps_left_out: 0,
            longest_gap: Some(gap),
            longest_gap_start_s: Some(stop - 0.001),
            sum_of_gaps: Some(gap),
            gaps: Some(1),
            threshold: Some(100.0),
            bound: Some(bound),
            baseline_longest_gap: Some(14.2),
            longest_gap_is_lower_bound: false,
            switchover_sum_of_gaps: Some(gap),
            interruption_at_least: Some(gap - bound),
            interruption_at_most: Some(gap),
            catching_up_at_least: Some(gap - 120.0),
            catching_up_at_most: Some(gap - 112.0),
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
        paused_ms: None,
        outage_ms: Outages { established: outage(180.4, 2.1), fresh: outage(188.9, 10.3) },
        unreachable_ms: Unreachable {
            at_least: Some(26.2),
            at_most: Some(36.4),
            start_s: Some(stop - 0.003),
            method: Some("rst:61807".to_owned()),
            address: Some("10.99.0.2".to_owned()),
            rate_per_s: Some(200.0),
            sent: Some(4790),
            lost: Some(6),
            lost_before: Some(0),
            other_runs: Some(0),
            longest_other_at_most: None,
            longest_pause_ms: Some(2.4),
            cpu_s: Some(0.21),
            reason: None,
        },
        silent_ms: Silent {
            at_least: Some(101.3),
            at_most: Some(106.0),
            start_s: Some(stop - 0.002),
            longest_before: Some(7.9),
        },
        recovery_ms: Some(212.0),
        brownout_ms: Some(7300.0),
        brownout_share_before: Some(0.013),
        calls_lost: Some(0),
        connections_lost: connections(0, 16, "reset", 0),
        calls_late: Some(112),
        error_replies: Some(0),
        degradation_calls: Some(91.0),
        degradation_response_s2: Some(0.052),
        guest_clock_step_s: Some(0.01),
        guest_clock_step_bound_s: Some(0.11),
        throttle: Some(Throttle { most_percent: 40.0, from_s: 17.2, to_s: 19.3 }),
        transferred_bytes: Some(244 << 20),
        rounds: Some(7),
        phases,
        tags: Vec::new(),
        machines: Vec::new(),
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
    let mut phases = vec![
        phase("before", 0.0, fired, &calls),
        phase("migration", fired, stop, &calls),
        phase("blackout", stop, resume, &calls),
        phase("after", resume, story.load_s, &calls),
    ];
    slow::add(&mut report, &mut phases[2]);
    let lost = report.counts.failed;
    report.verdict = Verdict {
        status: VerdictStatus::Degraded,
        reasons: vec![format!(
            "{lost} calls timed out after 1 s: what they would have waited for is not known; raise the timeout above the outage to see it"
        )],
    };
    let outage = |gap: f64, bound: f64| OutageReport {
        gap: Some(gap),
        gap_start_s: Some(stop - 0.003),
        gap_is_lower_bound: false,
        gap_of: Some(GapOf::Switchover),
        other_gaps: Vec::new(),
        other_gaps_left_out: 0,
        longest_gap: Some(gap),
        longest_gap_start_s: Some(stop - 0.003),
        sum_of_gaps: Some(gap),
        gaps: Some(1),
        threshold: Some(100.0),
        bound: Some(bound),
        baseline_longest_gap: Some(9.8),
        longest_gap_is_lower_bound: false,
        switchover_sum_of_gaps: Some(gap),
        interruption_at_least: Some(gap - bound),
        interruption_at_most: Some(gap),
        catching_up_at_least: None,
        catching_up_at_most: None,
    };
    let (mut established, mut fresh) = (outage(2987.1, 12.0), outage(3021.0, 28.0));
    established.other_gaps = vec![OtherGap {
        start_s: 18.004,
        length_ms: 312.5,
        is_lower_bound: false,
        when: GapWhen::After,
    }];
    fresh.other_gaps.clone_from(&established.other_gaps);
    for outage in [&mut established, &mut fresh] {
        outage.gaps = Some(2);
        outage.sum_of_gaps = outage.sum_of_gaps.map(|sum| sum + 312.5);
    }
    report.migration = Some(Migration {
        trigger: "simulated".to_owned(),
        strategy: Some(Strategy::StopAndCopy),
        simulated: true,
        ending: Some(Ending::Completed),
        reason: None,
        vm: VmFacts { memory_bytes: Some(96 << 20), ..VmFacts::default() },
        total_migration_time_ms: TotalTime { trigger: Some(3001.2), hypervisor: None },
        downtime_ms: Downtime { reported: Some(2980.0), events: Some(2980.3), bound: Some(0.8) },
        paused_ms: None,
        outage_ms: Outages { established: Some(established), fresh: Some(fresh) },
        unreachable_ms: Unreachable {
            reason: Some(
                "127.0.0.1 is an address of this machine, whose own kernel would answer".to_owned(),
            ),
            ..Unreachable::default()
        },
        silent_ms: Silent::default(),
        recovery_ms: None,
        brownout_ms: Some(0.0),
        brownout_share_before: Some(0.0),
        calls_lost: Some(lost),
        connections_lost: connections(3, 64, "closed", 2),
        calls_late: Some(231),
        error_replies: Some(0),
        degradation_calls: Some(700.5),
        degradation_response_s2: None,
        guest_clock_step_s: Some(-2.98),
        guest_clock_step_bound_s: Some(0.12),
        throttle: None,
        transferred_bytes: Some(96 << 20),
        rounds: Some(1),
        phases,
        tags: Vec::new(),
        machines: vec![
            MovedMachine {
                trigger: "simulated".to_owned(),
                strategy: Some(Strategy::StopAndCopy),
                ending: Some(Ending::Completed),
                total_ms: Some(3000.0),
                downtime_ms: Some(2980.0),
                transferred_bytes: Some(512 << 20),
                on_target: Some(true),
                ..MovedMachine::default()
            },
            MovedMachine {
                trigger: "command".to_owned(),
                ending: Some(Ending::Completed),
                total_ms: Some(900.0),
                hypervisor_total_ms: Some(850.0),
                hypervisor_downtime_ms: Some(12.0),
                ..MovedMachine::default()
            },
        ],
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

/// Kept-alive connections lost for one cause; none of newcomers.
fn connections(count: u64, of: u64, cause: &str, again: u64) -> ConnectionsLost {
    let causes = std::collections::BTreeMap::from([(cause.to_owned(), count)]);
    ConnectionsLost {
        established: Some(LostConnections {
            count,
            of: Some(of),
            opened_since: 0,
            causes: if count > 0 { causes } else { <_>::default() },
            calls_sent_again: again,
            closed_while_paused: 0,
            is_lower_bound: false,
        }),
        fresh: Some(LostConnections::default()),
    }
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
        paused_ms: None,
        outage_ms: Outages::default(),
        unreachable_ms: Unreachable {
            reason: Some("it was switched off".to_owned()),
            ..Unreachable::default()
        },
        silent_ms: Silent::default(),
        recovery_ms: None,
        brownout_ms: None,
        brownout_share_before: None,
        calls_lost: Some(0),
        connections_lost: ConnectionsLost::default(),
        calls_late: Some(0),
        error_replies: Some(0),
        degradation_calls: None,
        degradation_response_s2: None,
        guest_clock_step_s: None,
        guest_clock_step_bound_s: None,
        throttle: None,
        transferred_bytes: None,
        rounds: None,
        phases: Vec::new(),
        tags: Vec::new(),
        machines: Vec::new(),
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
    report.status_codes.insert(BAD.to_owned(), 1);
    report.plan = report.plan.with_load(BAD, crate::Load::fresh(crate::Schedule::constant(1.0)));
    report.loads = ["load", "probe", BAD, BAD].map(load_report).into();
    report.loads[3].status_codes.insert(BAD.to_owned(), 1);
    report.error_examples[0].message = Some(BAD.to_owned());
    for event in &mut report.events {
        event.name.push_str(BAD);
        event.source = BAD.to_owned();
        event.attributes.insert(BAD.to_owned(), json!(BAD));
    }
    let population = report.populations["fresh"].clone();
    report.populations.insert(BAD.to_owned(), population);
    for window in &mut report.timeline.windows {
        let own = window.populations["fresh"].clone();
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
