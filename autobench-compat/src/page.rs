//! `--html FILE`: the curves of a sweep on a page.

use std::path::PathBuf;

use loadgen_core::Report;
use loadgen_core::report::{WriteError, write_file};
use loadgen_core::sweep::{SweepPoint, SweepReport, render_html};

/// A page that is written anew after every step.
#[derive(Debug)]
pub struct Page {
    path: PathBuf,
    sweep: Option<SweepReport>,
}

impl Page {
    /// The page at this path; nothing is written yet.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, sweep: None }
    }

    /// Adds the test at `rate` connections and `demanded` calls a second.
    ///
    /// # Errors
    ///
    /// What kept the page from being written.
    pub fn push(&mut self, rate: f64, demanded: f64, report: &Report) -> Result<(), WriteError> {
        let sweep = self.sweep.get_or_insert_with(|| SweepReport::new(report.plan.clone()));
        sweep.push(point(rate, demanded, report), &report.environment);
        write_file(&self.path, render_html(sweep).as_bytes())
    }
}

/// The figures of the test at `rate` connections and `demanded` calls a second.
#[must_use]
pub fn point(rate: f64, demanded: f64, report: &Report) -> SweepPoint {
    let mut point = SweepPoint::of(demanded, report);
    point.left_over = overrun(rate, report);
    point
}

/// The part of a test (0 to 1) that it took beyond its connections at that rate, the life
/// of one of them, and the generator's own lateness. A test ends with its last connection, however late, so nothing
/// is left over at its end: a server that falls behind makes it longer.
fn overrun(rate: f64, report: &Report) -> Option<f64> {
    let connections = &report.sessions.as_ref()?.connections;
    let life_s = connections.lifetime_ms.as_ref().map_or(0.0, |life| life.mean / 1e3);
    let paused_s = report.generator.as_ref().map_or(0.0, |own| own.paused_ms / 1e3);
    let late_s = paused_s.max(report.lag.max_us.unwrap_or(0.0) / 1e6);
    let due_s = connections.attempted as f64 / rate + life_s + late_s;
    let share = (report.measured_s - due_s) / report.measured_s;
    share.is_finite().then(|| share.clamp(0.0, 1.0))
}
