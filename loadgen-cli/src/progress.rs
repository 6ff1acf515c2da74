//! What the user sees while a run goes on: a bar where stderr is a terminal,
//! else one plain line a second. Nothing here touches the run; it only looks at
//! snapshots.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use loadgen_core::printable::printable;
use loadgen_core::units::format_duration_us;
use loadgen_core::{Event, EventKind, Snapshot};

use crate::messages::note;

/// How often a plain line is written.
const LINE_EVERY: Duration = Duration::from_secs(1);

/// A program that marks without end does not fill the terminal.
const MOST_MARKS: u32 = 100;

/// Over how long rates are taken, at least.
const RATE_SPAN: Duration = Duration::from_millis(900);

/// The display of one run.
pub(crate) struct Progress {
    display: Display,
    /// Snapshot that the rate is counted from, and the one that will be next.
    since: Snapshot,
    rate_per_s: Option<f64>,
    last_line: Option<Duration>,
    phase: String,
    /// Marks told of so far.
    marks: u32,
    line_every: Duration,
}

enum Display {
    Bar(ProgressBar),
    Lines,
    Silent,
}

impl Progress {
    /// A display for a run whose starts end after `length`, if that is known.
    pub(crate) fn new(quiet: bool, length: Option<Duration>) -> Self {
        let display = if quiet {
            Display::Silent
        } else if std::io::stderr().is_terminal() {
            Display::Bar(bar(length))
        } else {
            Display::Lines
        };
        Self {
            display,
            since: Snapshot::default(),
            rate_per_s: None,
            last_line: None,
            phase: String::new(),
            marks: 0,
            line_every: LINE_EVERY,
        }
    }

    /// Plain lines are written less often, for what goes on for hours.
    pub(crate) fn with_line_every(mut self, every: Duration) -> Self {
        self.line_every = every;
        self
    }

    /// Does what writes to the terminal, with the bar out of the way.
    pub(crate) fn beside<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.display {
            Display::Bar(bar) => bar.suspend(write),
            Display::Lines | Display::Silent => write(),
        }
    }

    /// Shows where the run is.
    pub(crate) fn update(&mut self, now: &Snapshot, phase: &str) {
        let span = now.elapsed.saturating_sub(self.since.elapsed);
        if span >= RATE_SPAN {
            let answered = now.answered.saturating_sub(self.since.answered);
            self.rate_per_s = Some(answered as f64 / span.as_secs_f64());
            self.since = *now;
        }
        let new_phase = self.phase != phase;
        if new_phase {
            phase.clone_into(&mut self.phase);
        }
        match &self.display {
            Display::Silent => {}
            Display::Bar(bar) => {
                bar.set_position(millis(now.elapsed));
                bar.set_message(line(phase, self.rate_per_s, now));
            }
            Display::Lines => {
                let due = self.last_line.is_none_or(|at| now.elapsed >= at + self.line_every);
                if new_phase || due {
                    self.last_line = Some(now.elapsed);
                    let text = line(phase, self.rate_per_s, now);
                    note(&format!("{:6.1} s  {text}", now.elapsed.as_secs_f64()));
                }
            }
        }
    }

    /// Tells of an event of the migration.
    pub(crate) fn event(&mut self, event: &Event) {
        // What the trigger says often, and what the driver says before the trigger
        // does, is kept for the report.
        if event.kind == EventKind::Progress || event.source == "loadgen" {
            return;
        }
        let is_mark = matches!(event.kind, EventKind::Mark(_));
        let text = match self.marks {
            MOST_MARKS if is_mark => return,
            _ => told(event),
        };
        self.marks += u32::from(is_mark);
        let text = match self.marks {
            MOST_MARKS if is_mark => format!("{text} (further marks are not told here)"),
            _ => text,
        };
        match &self.display {
            Display::Silent => {}
            Display::Bar(bar) => bar.println(format!("loadgen: {text}")),
            Display::Lines => note(&text),
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(self) {
        if let Display::Bar(bar) = self.display {
            bar.finish_and_clear();
        }
    }
}

/// Who says what; of a migration that stands still also why, and what it waits for.
fn event_line(event: &Event) -> String {
    let mut text = format!("{}: {}", event.source, event.kind);
    if event.kind == EventKind::Paused {
        let said = |name: &str| event.attributes.get(name).and_then(|value| value.as_str());
        if let Some(reason) = said("reason") {
            text.push_str(&format!(" ({reason})"));
        }
        if let Some(waits_for) = said("waits_for") {
            text.push_str(&format!("; it waits for {waits_for}"));
        }
    }
    text
}

fn bar(length: Option<Duration>) -> ProgressBar {
    let template = match length {
        Some(_) => "{bar:24} {elapsed_precise} {msg}",
        None => "{spinner} {elapsed_precise} {msg}",
    };
    let bar = ProgressBar::with_draw_target(length.map(millis), ProgressDrawTarget::stderr());
    // The template is a constant; a bad one only costs the style.
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Who says what, in one line: a trigger's words may hold anything.
fn told(event: &Event) -> String {
    printable(&event_line(event)).into_owned()
}

/// Phase, answered rate, failures so far, recent p99, calls in flight.
fn line(phase: &str, rate_per_s: Option<f64>, now: &Snapshot) -> String {
    let rate = rate_per_s.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.0}"));
    let p99 = now.p99_us.map_or_else(|| "-".to_owned(), format_duration_us);
    let mut text = format!(
        "{phase:<10} answered {rate}/s  p99 {p99}  in flight {}  failed {}",
        now.in_flight, now.failed
    );
    if now.shed > 0 {
        text.push_str(&format!("  shed {}", now.shed));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64, answered: u64) -> Snapshot {
        let mut snapshot = Snapshot::default();
        snapshot.elapsed = Duration::from_secs_f64(seconds);
        snapshot.answered = answered;
        snapshot
    }

    #[test]
    fn events_are_told_in_one_line_and_marks_not_for_ever() {
        let mark = EventKind::Mark("a\n\u{1b}[2J\u{9b}\u{202e}".to_owned());
        let event = Event::new(mark, 0, 0, "me\u{7}");
        assert_eq!(told(&event), "me\\u{7}: a\\u{a}\\u{1b}[2J\\u{9b}\\u{202e}");
        let mut progress = Progress::new(true, None);
        (0..200).for_each(|_| progress.event(&event));
        assert_eq!(progress.marks, MOST_MARKS);
    }

    #[test]
    fn a_pause_says_why_and_what_it_waits_for() {
        let event = Event::new(EventKind::Paused, 0, 0, "qmp:source");
        assert_eq!(event_line(&event), "qmp:source: paused");
        let event = event.with("reason", "reset").with("waits_for", "a recovery");
        assert_eq!(event_line(&event), "qmp:source: paused (reset); it waits for a recovery");
    }

    #[test]
    fn unknown_figures_are_dashes() {
        let text = line("before", None, &at(0.1, 0));
        assert_eq!(text, "before     answered -/s  p99 -  in flight 0  failed 0");
    }

    #[test]
    fn rates_are_of_the_last_second() {
        let mut progress = Progress::new(true, None);
        for (seconds, answered) in [(1.0, 100), (1.5, 1000), (2.0, 400)] {
            progress.update(&at(seconds, answered), "load");
        }
        assert_eq!(progress.rate_per_s, Some(300.0));
        let mut now = at(2.0, 400);
        (now.shed, now.failed, now.p99_us) = (7, 3, Some(1500.0));
        let text = line("load", progress.rate_per_s, &now);
        assert!(text.contains("300/s  p99 1.5"), "{text}");
        assert!(text.ends_with("failed 3  shed 7"), "{text}");
    }
}
