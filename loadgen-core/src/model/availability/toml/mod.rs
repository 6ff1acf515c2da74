//! Chains and nets as TOML.

mod document;
mod of_chain;
mod of_net;
mod timing;

use std::io;
use std::path::{Path, PathBuf};

use super::chain::Chain;
use super::clocked::{ClockError, ClockedChain};
use super::distribution::Distribution;
use super::net::Net;
use super::net_error::NetError;
use crate::printable::printable;
use document::Document;
pub use document::TimeUnit;
use timing::Around;

/// A model that was read from a file.
///
/// A chain has states, which moves name, and for each move when it is made: after a `mean` time or
/// at a `rate` (exponential), `every` so often (a clock that always takes the same time), or with
/// `stages` (a clock between the two). A clock runs on while the chain moves between the states
/// that it is `from`. Numbers are in `unit` (`s`, `min`, `h` or `d`; hours, if there is none), text
/// has a unit of its own.
///
/// A net has places with their tokens, and transitions: `timed` with a mean or a rate, and
/// `immediate` with a weight and a priority. Both take tokens from places, give some, are held off
/// by `inhibitors` and by a `guard`. Its `up` and its `rewards` are
/// [expressions](super::Expression) over places.
///
/// In place of a mean, `from_trials` names the directory of an experiment, from which whoever reads
/// the file takes it.
///
/// ```
/// use loadgen_core::model::availability::ModelFile;
///
/// let daily = r#"
///     [chain]
///     up = ["robust", "aged"]
///     [[chain.move]]
///     from = "robust"
///     to = "aged"
///     mean = 720
///     [[chain.move]]
///     from = "aged"
///     to = "failed"
///     mean = "168h"
///     [[chain.move]]
///     from = "failed"
///     to = "robust"
///     rate = 1
///     [[chain.move]]
///     from = ["robust", "aged"]
///     to = "blackout"
///     every = 24
///     [[chain.move]]
///     from = "blackout"
///     to = "robust"
///     mean = "0.3s"
/// "#;
/// let solved = ModelFile::parse(daily, "daily.toml".as_ref())?.solve()?;
/// assert!((solved.distribution.availability().minutes_a_year() - 51.046).abs() < 1e-3);
///
/// let spare = r#"
///     [net]
///     up = "disks > 0"
///     places = { disks = 2, broken = 0 }
///     rewards = { spares = "disks - 1" }
///     [[net.timed]]
///     name = "fails"
///     takes = { disks = 1 }
///     gives = { broken = 1 }
///     mean = "1000h"
///     [[net.timed]]
///     name = "replaced"
///     takes = { broken = 1 }
///     gives = { disks = 1 }
///     mean = 10
/// "#;
/// let solved = ModelFile::parse(spare, "spare.toml".as_ref())?.solve()?;
/// assert_eq!(solved.distribution.probabilities().len(), 3);
/// assert!((solved.rewards[0].1 - 0.9899).abs() < 1e-4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ModelFile {
    /// What it describes.
    pub model: Model,
    /// The unit of its times.
    pub unit: TimeUnit,
}

/// What a file describes.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Model {
    /// A chain, perhaps with clocks.
    Chain(ClockedChain),
    /// A net.
    #[non_exhaustive]
    Net {
        /// The net.
        net: Net,
        /// Where it is up: an expression over places.
        up: String,
        /// Names of rewards, and their expressions.
        rewards: Vec<(String, String)>,
    },
}

/// The long run of a model.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Solved {
    /// How likely each state is.
    pub distribution: Distribution,
    /// The rewards of a net by name, in the mean.
    pub rewards: Vec<(String, f64)>,
}

/// A model without an answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SolveError {
    /// A chain.
    #[error(transparent)]
    Chain(#[from] ClockError),
    /// A net.
    #[error(transparent)]
    Net(#[from] NetError),
}

/// A file that is no model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelFileError {
    /// It cannot be read.
    #[error("cannot read '{}': {cause}", printable(&file.to_string_lossy()))]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// It holds something else.
    #[error("{}", content(file, *line, key, reason))]
    Content {
        /// The file.
        file: PathBuf,
        /// The line, if it is about one.
        line: Option<u64>,
        /// The key, such as `chain.move.mean`; empty, if it is about none.
        key: String,
        /// What is wrong, and how it would be right.
        reason: String,
    },
}

impl ModelFile {
    /// Reads a file. It has to have no `from_trials`; see
    /// [`read_with_trials`](Self::read_with_trials).
    ///
    /// # Errors
    /// [`ModelFileError`] with line and key, if it cannot be read, or is no model.
    pub fn read(file: &Path) -> Result<Self, ModelFileError> {
        Self::read_with_trials(file, &no_trials)
    }

    /// Reads a file, in which `from_trials` names directories: `of_trials` makes the mean in
    /// seconds of each, or says why it cannot. Their paths begin where the file is.
    ///
    /// # Errors
    /// As of [`read`](Self::read), and with what `of_trials` says.
    pub fn read_with_trials(
        file: &Path,
        of_trials: &dyn Fn(&Path) -> Result<f64, String>,
    ) -> Result<Self, ModelFileError> {
        let text = std::fs::read_to_string(file);
        let text = text.map_err(|cause| ModelFileError::Read { file: file.to_owned(), cause })?;
        Self::parse_with_trials(&text, file, of_trials)
    }

    /// Reads the text of a model without `from_trials`; messages name `file`.
    ///
    /// # Errors
    /// [`ModelFileError::Content`] with line and key, if it is no model.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ModelFileError> {
        Self::parse_with_trials(text, file, &no_trials)
    }

    /// Reads the text of a model; see [`read_with_trials`](Self::read_with_trials).
    ///
    /// # Errors
    /// As of [`parse`](Self::parse), and with what `of_trials` says.
    pub fn parse_with_trials(
        text: &str,
        file: &Path,
        of_trials: &dyn Fn(&Path) -> Result<f64, String>,
    ) -> Result<Self, ModelFileError> {
        let wrong = |(at, key, reason): of_chain::Misplaced| {
            let line = at.map(|at| line_at(text, at));
            ModelFileError::Content { file: file.to_owned(), line, key, reason }
        };
        let document: Document = ::toml::from_str(text).map_err(|error| {
            wrong((error.span().map(|span| span.start), String::new(), error.message().to_owned()))
        })?;
        let directory = file.parent().unwrap_or(Path::new(""));
        let around = |unit| Around { unit, directory, of_trials };
        match (document.chain, document.net) {
            (Some(table), None) => {
                let chain = of_chain::chain(&table, around(table.unit)).map_err(wrong)?;
                Ok(Self { model: Model::Chain(chain), unit: table.unit })
            }
            (None, Some(table)) => {
                let net = of_net::net(&table, around(table.unit)).map_err(wrong)?;
                let rewards = table.rewards.into_iter();
                let rewards = rewards.map(|(name, text)| (name, text.into_inner())).collect();
                let model = Model::Net { net, up: table.up.into_inner(), rewards };
                Ok(Self { model, unit: table.unit })
            }
            (chain, _) => {
                let both = if chain.is_some() { "both a [chain] and" } else { "no [chain] and no" };
                let reason = format!("there is {both} [net]: a model is one of them");
                Err(wrong((None, String::new(), reason)))
            }
        }
    }

    /// The long run of it.
    ///
    /// # Errors
    /// If it has none, or none that can be computed exactly.
    pub fn solve(&self) -> Result<Solved, SolveError> {
        let (net, up, rewards) = match &self.model {
            Model::Chain(chain) => {
                let distribution = chain.steady_state()?;
                return Ok(Solved { distribution, rewards: Vec::new() });
            }
            Model::Net { net, up, rewards } => (net, up, rewards),
        };
        let reached = net.explore(up)?;
        let distribution = reached.steady_state()?;
        let mean = |(name, expression): &(String, String)| {
            Ok::<_, NetError>((name.clone(), reached.mean(&distribution, expression)?))
        };
        let rewards = rewards.iter().map(mean).collect::<Result<_, _>>()?;
        Ok(Solved { distribution, rewards })
    }

    /// All of it as a chain: of a net the markings in which time goes by; stages of clocks as
    /// states.
    ///
    /// # Errors
    /// If it cannot be one: a clock that always takes the same time is no part of a chain.
    pub fn to_chain(&self) -> Result<Chain, SolveError> {
        match &self.model {
            Model::Chain(chain) => Ok(chain.to_chain()?),
            Model::Net { net, up, .. } => Ok(net.explore(up)?.chain().clone()),
        }
    }
}

fn no_trials(directory: &Path) -> Result<f64, String> {
    Err(format!(
        "the mean of the trials in '{}' is looked up by `loadgen predict`, and not here: give it \
         the file, or write the mean",
        printable(&directory.to_string_lossy())
    ))
}

fn line_at(text: &str, at: usize) -> u64 {
    let before = text.bytes().take(at);
    1 + before.filter(|byte| *byte == b'\n').count() as u64
}

fn content(file: &Path, line: Option<u64>, key: &str, reason: &str) -> String {
    let file = file.to_string_lossy();
    let mut told = printable(&file).into_owned();
    if let Some(line) = line {
        told.push_str(&format!(":{line}"));
    }
    if !key.is_empty() {
        told.push_str(&format!(": {}", printable(key)));
    }
    format!("{told}: {}", crate::printable::one_line(reason))
}

#[cfg(test)]
mod tests;
