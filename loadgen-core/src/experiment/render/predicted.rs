//! What was predicted before the first trial, beside what came of it.

use super::figure::{range, render_value};
use super::names::cell_name;
use crate::experiment::metric::Metric;
use crate::experiment::predicted::Predicted;
use crate::experiment::summary::Summary;
use crate::report::sections::{Section, cell};

/// What was predicted, beside what was measured.
pub(super) fn predicted(summary: &Summary) -> Option<Section> {
    let row = |held: &Predicted| {
        let metric = Metric::named(&held.metric)?;
        let value = |value: f64| render_value(metric.unit, value);
        let interval = held.median_low.zip(held.median_high);
        Some(vec![
            metric.title.to_owned(),
            format!("{} ({})", cell_name(&held.cell, summary), held.strategy),
            value(held.predicted),
            value(held.median),
            interval
                .map_or_else(|| cell::NONE.to_owned(), |(low, high)| range(metric.unit, low, high)),
            held.n.to_string(),
            held.error.map_or_else(
                || cell::NONE.to_owned(),
                |error| {
                    format!(
                        "{}{} %",
                        if error > 0.0 { "+" } else { "" },
                        cell::fixed(error * 100.0, 1)
                    )
                },
            ),
        ])
    };
    let rows: Vec<Vec<String>> = summary.predicted.iter().filter_map(row).collect();
    (!rows.is_empty()).then(|| Section {
        title: "Predicted beforehand".to_owned(),
        scope: "by models, before the first trial (prediction.json), beside the medians of the trials; \
                error: predicted less median, in per cent of the median"
            .to_owned(),
        columns: vec!["metric", "cell", "predicted", "median", "95 %", "n", "error"],
        rows,
        text_columns: 0,
        notes: Vec::new(),
    })
}
