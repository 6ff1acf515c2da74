//! Why an experiment cannot be carried out, or cannot go on.

use std::io;
use std::path::PathBuf;

use crate::report::sections::cell::{count, counted};
use crate::report::{ReportError, WriteError};

/// A design that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DesignError {
    /// Nothing is tried.
    #[error("an experiment has at least one trial of each cell")]
    NoTrials,
    /// Placeholders and the environment of programs could not have this name.
    #[error(
        "'{name}' cannot be the name of a factor: take letters, digits and '_', such as memory"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// Something else has this name.
    #[error("'{name}' cannot be the name of a factor: it names {what}")]
    Reserved {
        /// The name.
        name: String,
        /// What it names.
        what: &'static str,
    },
    /// Names that differ by the case of their letters alone are one in the environment.
    #[error("two factors have the name '{name}'")]
    Twice {
        /// The name.
        name: String,
    },
    /// A factor without levels.
    #[error("the factor '{name}' has no level: give at least one")]
    NoLevels {
        /// Its name.
        name: String,
    },
    /// A level that a factor has already.
    #[error("the factor '{name}' has the level '{level}' twice")]
    SameLevel {
        /// Its name.
        name: String,
        /// The level.
        level: String,
    },
    /// A factor was named that there is not.
    #[error("there is no factor '{name}'")]
    NoFactor {
        /// The name.
        name: String,
    },
    /// Two plans vary different things: they are no builds of one experiment.
    #[error("the two plans have different factors, or other levels of them: give both the same")]
    OtherFactors,
    /// Two plans try the same.
    #[error("the two plans do not differ: there is nothing to be held against each other")]
    NothingDiffers,
    /// Two plans that are to be one differ in what is not a build's own.
    #[error("the two plans differ in {names}, of which an experiment has one: make them the same")]
    OtherDesign {
        /// What they differ in.
        names: String,
    },
    /// A plan as TOML could not have this number.
    #[error("the seed {seed} is too large: take one up to {}", i64::MAX)]
    Seed {
        /// The seed.
        seed: u64,
    },
    /// Nobody waits for so many combinations.
    #[error("the factors have {} combinations; an experiment has at most {}", count(*cells as u64), count(*most as u64))]
    Cells {
        /// How many there would be.
        cells: usize,
        /// How many there may be.
        most: usize,
    },
    /// Nobody waits for so many trials.
    #[error("these are {} trials; an experiment has at most {}", count(*trials), count(*most))]
    Trials {
        /// How many there would be.
        trials: u64,
        /// How many there may be.
        most: u64,
    },
}

impl DesignError {
    /// The factor that is wrong, if it is one.
    #[must_use]
    pub fn factor(&self) -> Option<&str> {
        match self {
            Self::Name { name }
            | Self::Reserved { name, .. }
            | Self::Twice { name }
            | Self::NoLevels { name }
            | Self::SameLevel { name, .. } => Some(name),
            _ => None,
        }
    }
}

/// A plan of an experiment that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanFileError {
    /// The file cannot be read.
    #[error("cannot read '{}': {cause}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// Something in it means nothing.
    #[error("{}{}: {reason}", file.display(), line.map_or(String::new(), |line| format!(":{line}")))]
    Content {
        /// The file.
        file: PathBuf,
        /// The line, from 1; `None`: it is the whole file.
        line: Option<u64>,
        /// What is wrong, and what would be right.
        reason: String,
    },
}

/// An experiment that cannot begin, or cannot go on. What was measured so far is in its
/// directory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExperimentError {
    /// The design is none.
    #[error(transparent)]
    Design(#[from] DesignError),
    /// Another process writes to the directory.
    #[error("another experiment is at work in '{}': wait for it, or choose another directory", directory.display())]
    InUse {
        /// The directory.
        directory: PathBuf,
    },
    /// The directory holds what another plan brought.
    #[error(
        "'{}' holds an experiment with another plan. Differences:\n{}\nRestore the plan, or choose \
         another directory",
        directory.display(),
        differences.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
    )]
    OtherPlan {
        /// The directory.
        directory: PathBuf,
        /// A line for each setting that differs.
        differences: Vec<String>,
    },
    /// The directory holds something else.
    #[error("'{}' is no directory of an experiment, and not empty: choose another one", directory.display())]
    NotEmpty {
        /// The directory.
        directory: PathBuf,
    },
    /// A prediction of other machines.
    #[error(
        "the prediction says nothing of any cell of the plan: its factors, levels or strategies are \
         others; fit it to a pilot with the same factors, and where the trigger's text does not tell the \
         strategy (a command, a recipe), name it by a factor 'strategy'"
    )]
    OtherPrediction,
    /// A prediction that came after trials.
    #[error(
        "a prediction is made before the first trial, and {} made already: choose another directory, \
         or go on without it",
        if *trials == 1 { "one was".to_owned() } else { format!("{} were", count(*trials as u64)) }
    )]
    LatePrediction {
        /// Trials that were made.
        trials: usize,
    },
    /// Cells that cannot be tried here.
    #[error("{}", impossible(cells, *measured))]
    Impossible {
        /// Each with the reason.
        cells: Vec<String>,
        /// Trials that were made before, and are kept.
        measured: u64,
    },
    /// What is in the directory cannot be read.
    #[error("cannot go on with '{}': {reason}", file.display())]
    Broken {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A trial that the plan does not ask for.
    #[error("trial {index} is not the one that the plan asks for at its place")]
    OtherTrial {
        /// The trial.
        index: u32,
    },
    /// What the trials say together cannot be written down.
    #[error(transparent)]
    Render(#[from] ReportError),
    /// The system refuses to read or to make something in the directory.
    #[error("cannot {what} '{}': {cause}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// Something could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// There is no room for the report of the next trial, which therefore was not begun.
    #[error(
        "no room for the report of trial {index} ({} were to be had in '{}'): free some space, and \
         go on with the same command",
        crate::units::format_bytes(*wanted),
        directory.display()
    )]
    NoRoom {
        /// The trial.
        index: u32,
        /// How many bytes were to be had.
        wanted: u64,
        /// Where.
        directory: PathBuf,
    },
    /// A trial was made, and its report could not be kept: here it is.
    #[error("the report of trial {index} is not in its place: {error}")]
    Unkept {
        /// The trial.
        index: u32,
        /// Why.
        error: WriteError,
        /// The report as JSON; empty if the trial had none.
        json: String,
    },
    /// The kernel refuses a thread.
    #[error("cannot start the thread of an experiment: {0}")]
    Thread(io::Error),
}

/// How many cells are named that cannot be tried; those that follow are mostly of their kind.
const MOST_NAMED: usize = 12;

fn impossible(cells: &[String], measured: u64) -> String {
    let so = match measured {
        0 => "so nothing was measured".to_owned(),
        n => format!("and the experiment ends after {}, kept", counted(n, "trial")),
    };
    let cells_of = counted(cells.len() as u64, "cell");
    let mut lines = format!("{cells_of} of the plan cannot be tried on this testbed, {so}:");
    for cell in cells.iter().take(MOST_NAMED) {
        lines.push_str(&format!("\n  {cell}"));
    }
    if cells.len() > MOST_NAMED {
        lines.push_str(&format!("\n  … and {} more", cells.len() - MOST_NAMED));
    }
    lines.push_str("\nLeave their levels out of the plan, or give it a testbed that can do them.");
    lines
}
