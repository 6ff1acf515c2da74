//! What the user sees while an experiment goes on: a line when a trial begins, one when it was
//! made, and, on a terminal, the load between them.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use loadgen_core::experiment::{
    Cell, ExperimentProgress, Metric, Spread, Trial, TrialStatus, render_spread, render_value,
};

use crate::messages::{note, warning};
use crate::progress::Progress;

/// The figures of a trial that are told as soon as it was made, where they were measured.
const TOLD: [&str; 4] = [
    "total_migration_time_ms",
    "downtime_events_ms",
    "outage_established_ms",
    "response_time_during_p99_ms",
];

pub(super) struct Watch {
    quiet: bool,
    begin: Instant,
    /// Trials that were there before.
    before: usize,
    left: u64,
    /// The trial under way.
    index: u32,
    progress: Option<Progress>,
}

impl Watch {
    pub(super) fn new(quiet: bool) -> Self {
        let begin = Instant::now();
        Self { quiet, begin, before: 0, left: 0, index: 0, progress: None }
    }

    pub(super) fn told(&mut self, now: &ExperimentProgress<'_>) {
        match now {
            ExperimentProgress::Begun { trials, left } => {
                (self.before, self.left) = (trials.len(), *left);
                if !trials.is_empty() && !self.quiet {
                    note(&format!("{} trials are there already, {left} are left", trials.len()));
                }
            }
            ExperimentProgress::Testbed { index, cell, what, .. } => {
                self.begins(*index, cell);
                if !self.quiet && *what != "settle" {
                    note(&format!("trial {index}: {what}"));
                }
            }
            ExperimentProgress::Trouble { error } => warning(&error.to_string()),
            ExperimentProgress::Load { index, cell, now } => {
                self.begins(*index, cell);
                // Lines would tell of hours, a second each.
                let is_shown = !self.quiet && std::io::stderr().is_terminal();
                let progress = self.progress.get_or_insert_with(|| Progress::new(!is_shown, None));
                if let Some(event) = now.event {
                    progress.event(event);
                }
                progress.update(&now.snapshot, now.stage.name());
            }
            ExperimentProgress::Made { trials, left } => {
                self.clear();
                self.left = *left;
                if let Some(last) = trials.last().filter(|_| !self.quiet) {
                    self.made(last, trials);
                }
            }
            _ => {}
        }
    }

    /// Takes the bar away.
    pub(super) fn clear(&mut self) {
        if let Some(progress) = self.progress.take() {
            progress.finish();
        }
    }

    fn begins(&mut self, index: u32, cell: &Cell) {
        if std::mem::replace(&mut self.index, index) == index || self.quiet {
            return;
        }
        let of = u64::from(index) + self.left.saturating_sub(1);
        let time = self.time_left(index).map(|left| format!(", about {left} left"));
        note(&format!("trial {index} of {of}: {cell}{}", time.unwrap_or_default()));
    }

    /// By the trials of this run.
    fn time_left(&self, index: u32) -> Option<String> {
        let made = u32::try_from((index as usize).checked_sub(self.before + 1)?).ok()?;
        let each = self.begin.elapsed().checked_div(made)?;
        let left = each.checked_mul(u32::try_from(self.left).ok()?)?;
        Some(long(left))
    }

    fn made(&self, trial: &Trial, trials: &[Trial]) {
        let figure = |name: &&str| {
            let metric = Metric::named(name)?;
            let value = trial.figures.get(name)?;
            Some(format!("{} {}", metric.title, render_value(metric.unit, value)))
        };
        let figures: Vec<String> = TOLD.iter().filter_map(figure).collect();
        let reason = trial.reason.as_ref().map(|reason| format!(": {reason}"));
        let status = trial.status.name();
        let text = format!("trial {}: {status}{}", trial.index, reason.unwrap_or_default());
        match trial.status {
            TrialStatus::Completed => note(&format!("{text}; {}", figures.join(", "))),
            _ => warning(&text),
        }
        let headline = TOLD.iter().find(|name| trial.figures.get(name).is_some());
        if let Some(metric) = headline.and_then(|name| Metric::named(name)) {
            let of_cell: Vec<&Trial> =
                trials.iter().filter(|other| other.counts() && other.cell == trial.cell).collect();
            let spread = Spread::of(metric, &of_cell).filter(|spread| spread.n > 1);
            if let Some(spread) = spread {
                note(&format!("  this cell: {}", render_spread(&spread)));
            }
        }
    }
}

/// A time that is waited for: `40 s`, `12 min`, `3 h 20 min`.
pub(super) fn long(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..=99 => format!("{seconds} s"),
        100..=5_999 => format!("{} min", (seconds + 30) / 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_are_waited_for() {
        let told = [0, 99, 100, 5_999, 6_000, 86_400].map(|s| long(Duration::from_secs(s)));
        assert_eq!(told, ["0 s", "99 s", "2 min", "100 min", "1 h 40 min", "24 h 0 min"]);
    }
}
