//! The run cut at the events of the migration, and the events themselves.

use hdrhistogram::Histogram;
use serde_json::Value;

use super::super::{Latency, Migration, PhaseReport, Report, latency};
use super::load::{class_list, is_lower_bound, lower_bound};
use super::{Events, Section, cell};

/// Response time before, during and after.
pub(super) fn response(report: &Report, migration: &Migration) -> Section {
    let named = |name: &str| migration.phases.iter().filter(|p| p.name == name).collect::<Vec<_>>();
    let during: Vec<_> = migration
        .phases
        .iter()
        .filter(|p| !matches!(p.name.as_str(), "warm-up" | "before" | "after"))
        .collect();
    let mut rows = Vec::new();
    let (mut missing, mut bounds) = (false, false);
    for (name, phases) in
        [("before", named("before")), ("during", during), ("after", named("after"))]
    {
        let latency = together(&phases);
        missing |= latency.p50_us.is_none() || latency.p99_us.is_none();
        let censored = phases.iter().map(|p| p.counts.censored).sum();
        let [mean, p50, p99, max] = times(&latency, censored);
        bounds |= [&mean, &p50, &p99, &max].iter().any(|time| time.starts_with('≥'));
        let span = phases.first().zip(phases.last());
        rows.push(vec![
            name.to_owned(),
            span.map_or_else(|| cell::NONE.to_owned(), |(a, b)| cell::seconds(b.end_s - a.start_s)),
            cell::count(latency.count),
            mean,
            p50,
            p99,
            max,
            cell::count(phases.iter().map(|p| p.counts.failed).sum()),
            goodput(&phases),
            received(&phases),
        ]);
    }
    let mut notes = vec![
        "during: all phases between before and after; failed calls have no response time and are \
         not in it"
            .to_owned(),
    ];
    if bounds {
        notes.push(LOWER_BOUND.to_owned());
    }
    if missing {
        notes.push(format!("{}: too few calls to tell, or not measured", cell::NONE));
    }
    Section {
        title: "Response time before, during and after".to_owned(),
        scope: format!(
            "good replies by intended start; {}",
            match report.populations.len() {
                1 => "1 population".to_owned(),
                n => format!("{n} populations together"),
            }
        ),
        columns: vec![
            "", "span", "calls", "mean", "p50", "p99", "max", "failed", "goodput", "received",
        ],
        rows,
        text_columns: 0,
        notes,
    }
}

const LOWER_BOUND: &str =
    "≥: only a lower bound; so many calls were censored that this one lies among them";

/// Mean, p50, p99 and maximum, marked where they are only lower bounds.
fn times(latency: &Latency, censored: u64) -> [String; 4] {
    let beyond = |q| is_lower_bound(latency.count, censored, q);
    [
        lower_bound(latency.mean_us, censored > 0),
        lower_bound(latency.p50_us, beyond(0.5)),
        lower_bound(latency.p99_us, beyond(0.99)),
        lower_bound(latency.max_us, censored > 0),
    ]
}

/// A rate over several phases, weighted by their lengths.
fn weighted(phases: &[&PhaseReport], rate: impl Fn(&PhaseReport) -> Option<f64>) -> Option<f64> {
    let (mut sum, mut span) = (0.0, 0.0);
    for phase in phases.iter().filter(|p| p.end_s > p.start_s) {
        sum += rate(phase)? * (phase.end_s - phase.start_s);
        span += phase.end_s - phase.start_s;
    }
    (span > 0.0).then(|| sum / span)
}

fn goodput(phases: &[&PhaseReport]) -> String {
    weighted(phases, |p| p.goodput_per_s).map_or_else(|| cell::NONE.to_owned(), cell::rate)
}

fn received(phases: &[&PhaseReport]) -> String {
    weighted(phases, |p| p.bytes_per_s).map_or_else(|| cell::NONE.to_owned(), cell::throughput)
}

/// The response times of several phases as one distribution. Count, mean and
/// extremes are exact; quantiles come from the merged histograms, and are `None`
/// where a phase of several carries none.
fn together(phases: &[&PhaseReport]) -> Latency {
    if let [only] = phases {
        return only.response_time.clone();
    }
    let parts: Vec<&Latency> =
        phases.iter().map(|p| &p.response_time).filter(|l| l.count > 0).collect();
    let count = parts.iter().map(|l| l.count).sum::<u64>();
    let sum: Option<f64> = parts.iter().map(|l| Some(l.mean_us? * l.count as f64)).sum();
    let merged = merged(&parts).filter(|histogram| histogram.len() == count);
    let of_all = merged.map_or_else(Latency::default, |histogram| latency(&histogram, false));
    Latency {
        count,
        min_us: parts.iter().filter_map(|l| l.min_us).min_by(f64::total_cmp),
        mean_us: sum.filter(|_| count > 0).map(|sum| sum / count as f64),
        max_us: parts.iter().filter_map(|l| l.max_us).max_by(f64::total_cmp),
        ..of_all
    }
}

fn merged(parts: &[&Latency]) -> Option<Histogram<u64>> {
    let mut merged = Histogram::new(3).ok()?;
    for part in parts {
        merged.add(part.histogram()?).ok()?;
    }
    Some(merged)
}

/// One row a phase.
pub(super) fn table(migration: &Migration) -> Section {
    let mut rows = Vec::new();
    let mut notes = Vec::new();
    let mut bounds = false;
    for phase in &migration.phases {
        let counts = &phase.counts;
        let lost = counts.failed + counts.shed + counts.unfinished;
        let [mean, p50, p99, max] = times(&phase.response_time, counts.censored);
        bounds |= [&mean, &p50, &p99, &max].iter().any(|time| time.starts_with('≥'));
        rows.push(vec![
            phase.name.clone(),
            cell::seconds(phase.start_s),
            cell::seconds(phase.end_s),
            cell::count(counts.offered),
            cell::count(lost),
            mean,
            p50,
            p99,
            max,
            goodput(&[phase]),
            received(&[phase]),
        ]);
        if !phase.errors.is_empty() {
            notes.push(format!("failed in {}: {}", phase.name, class_list(&phase.errors)));
        }
        if phase.error_replies > 0 {
            let n = cell::count(phase.error_replies);
            notes.push(format!("{}: {n} replies with a status of 400 and above", phase.name));
        }
    }
    if bounds {
        notes.push(LOWER_BOUND.to_owned());
    }
    notes.push(
        "lost: failed, shed or unfinished; goodput and received by the moment of the reply"
            .to_owned(),
    );
    Section {
        title: "Phases".to_owned(),
        scope: format!(
            "all populations, calls by intended start; {}, times from the start of the load",
            cell::counted(migration.phases.len() as u64, "phase")
        ),
        columns: vec![
            "", "from", "to", "offered", "lost", "mean", "p50", "p99", "max", "goodput", "received",
        ],
        rows,
        text_columns: 0,
        notes,
    }
}

/// The events in the order of their times.
pub(super) fn events(report: &Report, wanted: Events) -> Section {
    let mut events: Vec<_> = report.events.iter().collect();
    events.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
    let all = events.len();
    if wanted == Events::Milestones {
        events.retain(|event| event.name != "progress");
    }
    let left_out = all - events.len();
    let rows = events
        .iter()
        .map(|event| {
            let attributes: Vec<_> = event
                .attributes
                .iter()
                .map(|(name, value)| match value {
                    Value::String(text) => format!("{name}={}", crate::printable::one_line(text)),
                    other => format!("{name}={other}"),
                })
                .collect();
            vec![
                cell::seconds(event.at_s),
                format!("± {}", cell::micros(event.uncertainty_s * 1e6)),
                event.name.clone(),
                event.source.clone(),
                attributes.join(", "),
            ]
        })
        .collect();
    let mut notes = Vec::new();
    if left_out > 0 {
        notes.push(format!(
            "left out here, but in the JSON: {}",
            cell::counted(left_out as u64, "progress event")
        ));
    }
    if report.events_dropped > 0 {
        notes.push(format!("{} more events were not kept", cell::count(report.events_dropped)));
    }
    Section {
        title: "Events".to_owned(),
        scope: format!("{}, times from the start of the load", cell::counted(all as u64, "event")),
        columns: vec!["at", "uncertainty", "event", "source", "attributes"],
        rows,
        text_columns: 3,
        notes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn phases_together_are_the_distribution_of_all_their_calls() {
        let report = sample::pre_copy();
        let migration = report.migration.unwrap();
        let phases: Vec<_> = migration.phases.iter().collect();
        let all = together(&phases);
        let calls: u64 = phases.iter().map(|p| p.response_time.count).sum();
        assert_eq!(all.count, calls);
        // Against the figures that the sample computed from the calls themselves:
        // the whole run without its warm-up.
        let measured: Vec<_> = phases[1..].to_vec();
        let (own, direct) = (together(&measured), &report.response_time);
        assert_eq!(own.count, direct.count);
        for (a, b) in [
            (own.mean_us, direct.mean_us),
            (own.p50_us, direct.p50_us),
            (own.p99_us, direct.p99_us),
            (own.max_us, direct.max_us),
        ] {
            let (a, b) = (a.unwrap(), b.unwrap());
            assert!((a - b).abs() <= b * 0.002, "{a} {b}");
        }
    }

    #[test]
    fn no_quantile_without_all_histograms() {
        let mut migration = sample::pre_copy().migration.unwrap();
        migration.phases[3].response_time.histogram = None;
        let phases: Vec<_> = migration.phases.iter().collect();
        let all = together(&phases);
        assert_eq!((all.p50_us, all.p99_us), (None, None));
        assert!(all.mean_us.is_some() && all.max_us.is_some());
    }
}
