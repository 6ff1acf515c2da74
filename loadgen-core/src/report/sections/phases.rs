//! The run cut at the events of the migration, and the events themselves.

use serde_json::Value;

use super::super::span::Span;
use super::super::{Latency, Migration, Report};
use super::load::{class_list, is_lower_bound, lower_bound};
use super::{Events, Section, cell};

/// Response time before, during and after.
pub(super) fn response(report: &Report, migration: &Migration) -> Section {
    let mut rows = Vec::new();
    let (mut missing, mut bounds) = (false, false);
    for (name, span) in [
        ("before", Span::before(migration)),
        ("during", Span::during(migration)),
        ("after", Span::after(migration)),
    ] {
        let latency = span.response_time();
        missing |= latency.p50_us.is_none() || latency.p99_us.is_none();
        let [mean, p50, p99, max] = times(&latency, span.sum(|p| p.counts.censored));
        bounds |= [&mean, &p50, &p99, &max].iter().any(|time| time.starts_with('≥'));
        rows.push(vec![
            name.to_owned(),
            span.length_s().map_or_else(|| cell::NONE.to_owned(), cell::seconds),
            cell::count(latency.count),
            mean,
            p50,
            p99,
            max,
            cell::count(span.sum(|p| p.counts.failed)),
            cell::rate_or_none(span.rate(|p| p.goodput_per_s)),
            received(span.rate(|p| p.bytes_per_s)),
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

fn received(bytes_per_s: Option<f64>) -> String {
    bytes_per_s.map_or_else(|| cell::NONE.to_owned(), cell::throughput)
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
            cell::rate_or_none(phase.goodput_per_s),
            received(phase.bytes_per_s),
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
