//! The sample of a post-copy that stood still.

use super::*;

/// A post-copy whose path is cut half a second after the switch-over, and recovered 4 s
/// later: 12.5 ms without a CPU, more than 4 s without replies.
pub(crate) fn post_copy_cut() -> Report {
    let (fired, post_copy, stop, resume) = (10.0, 12.0, 12.001, 12.013_5);
    let (paused, recovering, again, completed) = (12.52, 16.41, 16.52, 17.2);
    let story = Story {
        load_s: 26.0,
        rate: 200.0,
        migration: Some((fired, completed)),
        outage: (paused + 0.002, again + 0.05),
        timeout_s: 10.0,
    };
    let mut report = report(&story, 2.0);
    let calls = story.calls();
    let why = "Unable to read from socket: Connection reset by peer";
    let cut = Event::new(EventKind::Paused, (paused * 1e9) as u64, 400_000, "qmp:target")
        .with("reason", why)
        .with("waits_for", "a recovery");
    report.events = vec![
        event(EventKind::Fired, fired, "qmp:source"),
        event(EventKind::Accepted, fired + 0.002, "qmp:source"),
        event(EventKind::Setup, fired + 0.003, "qmp:source"),
        event(EventKind::Round(1), fired + 0.01, "qmp:source"),
        event(EventKind::PostCopy, post_copy, "qmp:source"),
        event(EventKind::Stop, stop, "qmp:source"),
        event(EventKind::State("postcopy-device".to_owned()), stop + 0.002, "qmp:source"),
        event(EventKind::Resume, resume, "qmp:target"),
        EventReport::from(&cut),
        event(EventKind::Recovering, recovering, "qmp:source"),
        event(EventKind::PostCopy, again, "qmp:source"),
        event(EventKind::Completed, completed, "qmp:source"),
    ];
    let cuts = [
        ("warm-up", 0.0),
        ("before", 2.0),
        ("setup", fired),
        ("round 1", fired + 0.01),
        ("blackout", stop),
        ("post-copy", resume),
        ("paused", paused),
        ("recovering", recovering),
        ("post-copy", again),
        ("after", completed),
        ("", story.load_s),
    ];
    let mut migration = pre_copy().migration;
    if let Some(migration) = &mut migration {
        migration.strategy = Some(Strategy::PostCopy);
        migration.downtime_ms =
            Downtime { reported: Some(3.0), events: Some(12.5), bound: Some(0.8) };
        migration.paused_ms = Some(PausedTime {
            events: 4000.0,
            bound: 0.8,
            pauses: 1,
            recovered: true,
            reason: Some(why.to_owned()),
        });
        migration.total_migration_time_ms =
            TotalTime { trigger: Some(7198.0), hypervisor: Some(7195.0) };
        for outage in [&mut migration.outage_ms.established, &mut migration.outage_ms.fresh] {
            *outage = Some(OutageReport {
                gap: Some(4051.0),
                gap_start_s: Some(paused + 0.001),
                gap_of: Some(GapOf::Switchover),
                longest_gap: Some(4051.0),
                longest_gap_start_s: Some(paused + 0.001),
                sum_of_gaps: Some(4051.0),
                gaps: Some(1),
                threshold: Some(100.0),
                bound: Some(28.0),
                baseline_longest_gap: Some(14.2),
                switchover_sum_of_gaps: Some(4051.0),
                interruption_at_least: Some(4023.0),
                interruption_at_most: Some(4056.0),
                ..OutageReport::default()
            });
        }
        migration.unreachable_ms.start_s = Some(stop - 0.003);
        migration.silent_ms = Silent {
            at_least: Some(3998.0),
            at_most: Some(4053.0),
            start_s: Some(paused),
            longest_before: Some(7.9),
        };
        migration.throttle = None;
        migration.rounds = Some(1);
        migration.phases =
            cuts.windows(2).map(|cut| phase(cut[0].0, cut[0].1, cut[1].1, &calls)).collect();
    }
    report.migration = migration;
    let reason = format!(
        "post-copy was paused for 4000.0 ms ({why}) and recovered: outages and degradation hold \
         that time, too; mend the path between the two sides and repeat the run"
    );
    report.verdict = Verdict { status: VerdictStatus::Degraded, reasons: vec![reason] };
    report
}
