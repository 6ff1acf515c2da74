//! What a sweep says of migrations, if one was fired in the middle of its runs.

use super::point::{PointMigration, SweepPoint};
use super::report::SweepReport;
use crate::report::OutageReport;
use crate::report::sections::{Section, cell};
use crate::vm::Ending;

/// The runs with a migration, by rate.
fn migrated(sweep: &SweepReport) -> Vec<(&SweepPoint, &PointMigration)> {
    let mut migrated: Vec<_> =
        sweep.points.iter().filter_map(|point| Some((point, point.migration.as_ref()?))).collect();
    migrated.sort_by(|(a, _), (b, _)| a.demanded_per_s.total_cmp(&b.demanded_per_s));
    migrated
}

/// How many went through, and why nothing else is answered.
pub(super) fn answer(sweep: &SweepReport) -> String {
    let migrated = migrated(sweep);
    let completed = migrated.iter().filter(|(_, m)| m.ending == Some(Ending::Completed)).count();
    format!(
        "{completed} of {} migrations completed, one in the middle of each step; knee and \
         saturation are not looked for, since the steps hold what the migrations cost",
        migrated.len()
    )
}

/// One row a migration; `None` without any.
pub(super) fn section(sweep: &SweepReport) -> Option<Section> {
    let migrated = migrated(sweep);
    if migrated.is_empty() {
        return None;
    }
    let rows = migrated
        .into_iter()
        .map(|(point, migration)| {
            let outage = migration.outage_ms.as_ref();
            let length = outage.and_then(OutageReport::headline).map(cell::millis);
            let length = length.unwrap_or_else(|| cell::NONE.to_owned());
            let cut = outage.is_some_and(|outage| outage.headline_is_lower_bound());
            vec![
                cell::rate(point.demanded_per_s),
                cell::millis_or_none(migration.total_migration_time_ms.trigger),
                cell::millis_or_none(migration.total_migration_time_ms.hypervisor),
                cell::millis_or_none(migration.downtime_ms.events),
                cell::millis_or_none(migration.downtime_ms.reported),
                if cut { format!("≥ {length}") } else { length },
                cell::bound(outage.and_then(|outage| outage.bound)),
                migration.calls_lost.map_or_else(|| cell::NONE.to_owned(), cell::count),
                ending_word(migration.ending).to_owned(),
            ]
        })
        .collect();
    Some(Section {
        title: "Migrations".to_owned(),
        scope: "one in the middle of each step".to_owned(),
        columns: vec![
            "demanded",
            "total time",
            "reported",
            "downtime",
            "reported",
            "outage",
            "bound",
            "lost",
            "ending",
        ],
        rows,
        text_columns: 1,
        notes: vec![
            "total time: from the acceptance to the completion; downtime: from stop to resume; \
             reported: the same as the hypervisor tells it; outage: time without a good reply at \
             the switch-over (where that is not known: the longest); lost: calls between firing and recovery without a reply"
                .to_owned(),
        ],
    })
}

fn ending_word(ending: Option<Ending>) -> &'static str {
    match ending {
        Some(Ending::Completed) => "completed",
        Some(Ending::Failed) => "failed",
        Some(Ending::Cancelled) => "cancelled",
        None => cell::NONE,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::point::tests::run;
    use super::super::{render_html, render_text};
    use super::*;
    use crate::report::sample;

    /// Three steps with a migration in each, the last of which failed.
    pub(crate) fn sample_with_migrations() -> SweepReport {
        let mut sweep = SweepReport::new(run(1.0, 1.0, 1.0).plan);
        for rate in [100.0, 200.0, 300.0] {
            let mut report = run(rate, rate, 20.0);
            report.migration = sample::stop_and_copy().migration;
            if let Some(migration) = report.migration.as_mut().filter(|_| rate == 300.0) {
                migration.ending = Some(Ending::Failed);
                migration.total_migration_time_ms.trigger = None;
            }
            sweep.push_report(rate, &report);
        }
        sweep
    }

    #[test]
    fn migrations_are_told_and_nothing_else_is_concluded() {
        let sweep = sample_with_migrations();
        assert_eq!((sweep.knee, sweep.saturation, sweep.held_up_to_per_s), (None, None, None));
        let text = render_text(&sweep);
        assert!(text.contains("2 of 3 migrations completed"), "{text}");
        assert!(!text.contains("saturation not reached"), "{text}");
        assert!(text.contains("failed"), "{text}");
        let page = render_html(&sweep);
        assert!(page.contains("Migrations") && page.contains("Migration (ms)"), "{page}");
        let json = sweep.to_json_pretty().unwrap();
        assert_eq!(SweepReport::from_json(&json).unwrap(), sweep);
    }

    #[test]
    fn a_sweep_without_migrations_has_no_word_of_them() {
        let mut sweep = SweepReport::new(run(1.0, 1.0, 1.0).plan);
        sweep.push_report(100.0, &run(100.0, 100.0, 20.0));
        assert!(!sweep.has_migrations());
        assert!(section(&sweep).is_none());
        assert!(!sweep.to_json_pretty().unwrap().contains("migration\""));
    }
}
