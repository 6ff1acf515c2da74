//! What was taken from recordings, and how near predictions from them come to what was measured.

use crate::model::fit::{FitUnit, Fitted, Known, Parameter, Summed, Validated};
use crate::prediction::document::PredictionReport;
use crate::report::sections::{Section, cell};

/// The parameters of each cell.
pub(super) fn parameters(report: &PredictionReport) -> Option<Section> {
    let mut rows = Vec::new();
    let mut notes = Vec::new();
    for prediction in &report.predictions {
        let Some(fit) = &prediction.fit else { continue };
        let name = prediction.before();
        for (parameter, fitted) in &fit.found.known {
            rows.push(row(&name, *parameter, fitted));
        }
        for (parameter, said) in &fit.said {
            notes.push(format!(
                "{name}for the prediction {} was taken as {}",
                parameter.words(),
                value(*parameter, *said)
            ));
        }
        for (parameter, note) in fit.found.notes() {
            // Each once, however many cells have it.
            let note = format!("{}: {note}", parameter.words());
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    (!rows.is_empty()).then(|| Section {
        title: "What the recordings tell".to_owned(),
        scope: "the median of the trials, or the least squares over all passes; intervals of 95 %"
            .to_owned(),
        columns: vec!["what", "value", "95 %", "of", "known"],
        rows,
        text_columns: 1,
        notes,
    })
}

fn row(name: &str, parameter: Parameter, fitted: &Fitted) -> Vec<String> {
    let value = |of: f64| value(parameter, of);
    let interval = match (fitted.low, fitted.high) {
        (Some(low), Some(high)) => format!("{} to {}", value(low), value(high)),
        (Some(low), None) => format!("from {}", value(low)),
        (None, Some(high)) => format!("up to {}", value(high)),
        (None, None) => cell::NONE.to_owned(),
    };
    vec![
        format!("{name}{}", parameter.words()),
        value(fitted.value),
        interval,
        fitted.samples.to_string(),
        match fitted.known {
            Known::Interval => "within the interval",
            Known::Value => "as a value",
            Known::AtLeast => "at least",
            _ => "together with another",
        }
        .to_owned(),
    ]
}

fn value(parameter: Parameter, value: f64) -> String {
    match parameter.unit() {
        FitUnit::Bytes => cell::bytes(value as u64),
        FitUnit::BytesPerS => cell::throughput(value),
        FitUnit::Seconds => cell::millis(value * 1e3),
    }
}

/// A parameter that is known only from one side, and what was made of it.
pub(super) fn bound(parameter: Parameter, fitted: &Fitted) -> String {
    let least = value(parameter, fitted.low.unwrap_or(fitted.value));
    let taken = match parameter {
        Parameter::WorkingSet => "all memory is taken for it".to_owned(),
        _ => format!("{} is taken for it", value(parameter, fitted.value)),
    };
    format!("of the {} only is known that it is at least {least}; {taken}", parameter.words())
}

/// Predictions of trials that the fit does not know, held against them.
pub(super) fn validation(report: &PredictionReport) -> Option<Section> {
    let mut rows = Vec::new();
    let mut notes = Vec::new();
    for prediction in &report.predictions {
        let Some(fit) = &prediction.fit else { continue };
        let name = prediction.before();
        rows.extend(fit.summed.iter().map(|of| summed(&name, of)));
        for (recording, reason) in fit.validation.left_out.iter().chain(&fit.left_out) {
            notes.push(format!("{name}{recording} was left out: {reason}"));
        }
    }
    (!rows.is_empty() || !notes.is_empty()).then(|| Section {
        title: "Held against the recordings".to_owned(),
        scope: "each trial predicted by a fit to the others; errors as shares of what was measured, \
                without their signs; within: 10 % of the total time and of the bytes, 25 % or 20 ms of the \
                downtime, 25 % or 1 of the calls"
            .to_owned(),
        columns: vec!["figure", "trials", "within", "median error", "worst error", "worst by"],
        rows,
        text_columns: 0,
        notes,
    })
}

fn summed(name: &str, of: &Summed) -> Vec<String> {
    let share = |share: Option<f64>| {
        share.map_or_else(
            || cell::NONE.to_owned(),
            |share| format!("{} %", cell::fixed(share * 100.0, 1)),
        )
    };
    let (what, by) = match of.figure {
        Validated::TotalS => ("total time", cell::millis(of.worst_off * 1e3)),
        Validated::DowntimeS => ("downtime", cell::millis(of.worst_off * 1e3)),
        Validated::Sent => ("bytes sent", cell::bytes(of.worst_off as u64)),
        Validated::Late => ("late calls", cell::fixed(of.worst_off, 1)),
        _ => ("lost calls", cell::fixed(of.worst_off, 1)),
    };
    vec![
        format!("{name}{}, {what}", of.moved.name()),
        of.n.to_string(),
        of.within.to_string(),
        share(of.median_error),
        share(of.worst_error),
        by,
    ]
}
