//! An experiment for people.

mod boot;
#[cfg(feature = "charts")]
mod chart;
mod compared;
pub(super) mod figure;
mod gnuplot;
mod html;
mod interaction;
mod markdown;
mod names;
mod predicted;
mod relative;
mod sections;
mod text;

pub use compared::render_compared;
pub use figure::{render_spread, render_value};
pub use gnuplot::render_gnuplot;
pub use html::render_html;
pub use markdown::render_markdown;
pub use text::render_text;

use super::metric::Metric;
use super::summary::Summary;

/// Metrics that have a chart: those of the study of 2012 first, then what it could not measure.
const CHARTED: [&str; 9] = [
    "total_migration_time_ms",
    "response_time_during_mean_ms",
    "throughput_during_bytes_per_s",
    "error_rate",
    "downtime_events_ms",
    "unreachable_ms",
    "outage_established_ms",
    "outage_fresh_ms",
    "calls_lost",
];

/// The same of a load without a migration.
const OF_LOAD: [&str; 3] = ["response_time_p50_ms", "response_time_p99_ms", "answered_per_s"];

/// Those of them that were measured, and are not 0 in all trials.
fn charted(summary: &Summary) -> Vec<&'static Metric> {
    let named = |names: &[&str]| -> Vec<&'static Metric> {
        let named = names.iter().filter_map(|name| Metric::named(name));
        let is_seen = |metric: &&Metric| {
            let mut spreads = summary.cells.iter().filter_map(|cell| cell.metrics.get(metric.name));
            spreads.any(|spread| spread.max > 0.0)
        };
        named.filter(is_seen).collect()
    };
    let is_migrated = !named(&CHARTED[..1]).is_empty();
    named(if is_migrated { &CHARTED } else { &OF_LOAD })
}
