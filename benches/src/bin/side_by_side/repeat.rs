//! Contestants in turn, repetition by repetition. What was disturbed is done again;
//! what fails drops out without taking the others with it.

use super::part::{Figures, Measured};
use super::setting::Setting;

/// Tries of one run, the first one included.
const TRIES: u32 = 3;

/// One run.
pub(crate) struct Trial {
    pub(crate) figures: Figures,
    /// Whether something else ran meanwhile.
    pub(crate) disturbed: bool,
}

/// One tool, or one way of calling it.
pub(crate) struct Contestant<'a> {
    pub(crate) name: String,
    /// Does one run, of the given repetition (from 0).
    pub(crate) run: Box<dyn Fn(u32) -> anyhow::Result<Trial> + 'a>,
}

/// Runs them all, `runs` times in turn. Each repetition begins with another one, so
/// that none always follows the same neighbour's traces.
#[expect(clippy::print_stderr, reason = "progress")]
pub(crate) fn in_turn(
    setting: &Setting,
    part: &str,
    runs: u32,
    contestants: &[Contestant<'_>],
) -> Vec<Measured> {
    let mut all: Vec<Measured> = contestants
        .iter()
        .map(|c| Measured { name: c.name.clone(), ..Measured::default() })
        .collect();
    for repetition in 0..runs {
        for i in 0..contestants.len() {
            let i = (i + repetition as usize) % contestants.len();
            let (contestant, measured) = (&contestants[i], &mut all[i]);
            if measured.error.is_some() {
                measured.runs.push(None);
                continue;
            }
            eprintln!("{part} {}/{runs}: {}", repetition + 1, contestant.name);
            let figures = one(setting, contestant, measured, repetition);
            measured.runs.push(figures);
        }
    }
    all
}

#[expect(clippy::print_stderr, reason = "progress")]
fn one(
    setting: &Setting,
    contestant: &Contestant<'_>,
    measured: &mut Measured,
    repetition: u32,
) -> Option<Figures> {
    for again in 1..=TRIES {
        match (contestant.run)(repetition) {
            Ok(trial) if !trial.disturbed => return Some(trial.figures),
            Ok(trial) if again == TRIES || setting.retries.get() == 0 => {
                measured.disturbed += 1;
                return Some(trial.figures);
            }
            Ok(_) => {
                eprintln!("  disturbed; again");
                setting.retries.set(setting.retries.get() - 1);
                measured.repeated += 1;
            }
            Err(error) => {
                eprintln!("  {error:#}");
                measured.error = Some(format!("{error:#}"));
                return None;
            }
        }
    }
    None
}
