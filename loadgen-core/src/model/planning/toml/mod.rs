//! A move as TOML.

mod document;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::error::{Place, PlanningError};
use super::evacuation::{Evacuation, Host, Limits, Machine, Overhead, Strategies};
use super::problem::{MOST_MACHINES, Problem};
use crate::model::migration::{Dirtying, Pattern};
use crate::printable::{one_line, printable};
use document::{Document, HostTable, MachineTable, PatternName, StrategyName};

/// A file that is no move.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvacuationFileError {
    /// It cannot be read.
    #[error("cannot read '{}': {cause}", printable(&file.to_string_lossy()))]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// It holds something else.
    #[error("{}", content(file, *line, reason))]
    Content {
        /// The file.
        file: PathBuf,
        /// The line, if it is about one.
        line: Option<u64>,
        /// What is wrong, and how it would be right.
        reason: String,
    },
}

impl Evacuation {
    /// Reads a file; see [`parse`](Self::parse).
    ///
    /// # Errors
    /// [`EvacuationFileError`] with the line, if it cannot be read, or is no move.
    pub fn read(file: &Path) -> Result<Self, EvacuationFileError> {
        let text = std::fs::read_to_string(file);
        let text =
            text.map_err(|cause| EvacuationFileError::Read { file: file.to_owned(), cause })?;
        Self::parse(&text, file)
    }

    /// Reads the text of a move; messages name `file`. Its keys are in docs/models.md.
    ///
    /// ```
    /// use loadgen_core::model::planning::Evacuation;
    ///
    /// let text = r#"
    ///     limits = { outage = "1s" }
    ///     [[host]]
    ///     name = "a"
    ///     link = "10Gbit/s"
    ///     empty = true
    ///     [[host]]
    ///     name = "b"
    ///     link = "10Gbit/s"
    ///     memory = "64GiB"
    ///     [[machine]]
    ///     name = "web"
    ///     host = "a"
    ///     memory = "4GiB"
    ///     dirty = "20MiB/s"
    ///     count = 10
    /// "#;
    /// let evacuation = Evacuation::parse(text, "evacuate.toml".as_ref())?;
    /// assert_eq!(evacuation.machines[9].name, "web-10");
    /// let planned = evacuation.plan()?;
    /// assert!(planned.plan().is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`EvacuationFileError::Content`] with the line, if it is no move.
    pub fn parse(text: &str, file: &Path) -> Result<Self, EvacuationFileError> {
        let wrong = |at: Option<usize>, reason: String| {
            let line = at.map(|at| line_at(text, at));
            EvacuationFileError::Content { file: file.to_owned(), line, reason }
        };
        let document: Document = ::toml::from_str(text).map_err(|error| {
            wrong(error.span().map(|span| span.start), error.message().to_owned())
        })?;
        let mut all = 0;
        for table in &document.machine {
            let count = table.get_ref().count.map_or(1, |count| count as usize);
            all += count;
            // Before so many are made.
            if count == 0 || all > MOST_MACHINES {
                let name = printable(&table.get_ref().name);
                let most = format!("at most {MOST_MACHINES} machines are planned at once");
                let reason = format!("machine '{name}': its count is at least 1, and {most}");
                return Err(wrong(Some(table.span().start), reason));
            }
        }
        let (mut machines, mut places) = (Vec::new(), Vec::new());
        let groups = groups(&document);
        for table in &document.machine {
            let (at, of) = (table.span().start, table.get_ref());
            for name in names(of) {
                machines.push(machine(of, &name, &groups));
                places.push(at);
            }
        }
        let limits = &document.limits;
        let overhead = &document.overhead;
        let default = Overhead::default();
        let evacuation = Self {
            name: document.name.clone(),
            hosts: document.host.iter().map(|table| host(table.get_ref())).collect(),
            machines,
            limits: Limits {
                outage_s: limits.outage.as_ref().map(|time| time.0),
                downtime_s: limits.downtime.as_ref().map(|time| time.0),
                total_s: limits.total.as_ref().map(|time| time.0),
                lost_calls: limits.lost_calls,
                at_once: limits.at_once,
            },
            overhead: Overhead {
                prepare_s: overhead.prepare.as_ref().map_or(default.prepare_s, |time| time.0),
                load_s: overhead.load.as_ref().map_or(default.load_s, |time| time.0),
                settle_s: overhead.settle.as_ref().map_or(default.settle_s, |time| time.0),
                faulting_s: overhead.faulting.as_ref().map(|time| time.0),
                device_state: overhead
                    .device_state
                    .as_ref()
                    .map_or(default.device_state, |size| size.0),
            },
            network: document.network.bandwidth.as_ref().map(|speed| speed.0),
        };
        match Problem::of(&evacuation) {
            Ok(_) => Ok(evacuation),
            Err(error) => {
                let at = match &error {
                    PlanningError::Content { place: Place::Host { index, .. }, .. } => {
                        document.host.get(*index).map(|table| table.span().start)
                    }
                    PlanningError::Content { place: Place::Machine { index, .. }, .. } => {
                        places.get(*index).copied()
                    }
                    _ => None,
                };
                Err(wrong(at, error.to_string()))
            }
        }
    }
}

/// The names of the machines of a table.
fn names(table: &MachineTable) -> Vec<String> {
    table.count.map_or_else(
        || vec![table.name.clone()],
        |count| (1..=count).map(|k| format!("{}-{k}", table.name)).collect(),
    )
}

/// The machines of each table with a `count`, by its name.
fn groups(document: &Document) -> BTreeMap<&str, Vec<String>> {
    let tables = document.machine.iter().map(::toml::Spanned::get_ref);
    let groups = tables.filter(|table| table.count.is_some());
    groups.map(|table| (table.name.as_str(), names(table))).collect()
}

fn host(table: &HostTable) -> Host {
    Host {
        name: table.name.clone(),
        link: table.link.0,
        memory: table.memory.as_ref().map(|size| size.0),
        empty: table.empty,
    }
}

fn machine(table: &MachineTable, name: &str, groups: &BTreeMap<&str, Vec<String>>) -> Machine {
    let pattern = match table.pattern {
        PatternName::Random => Pattern::Random,
        PatternName::RoundRobin => Pattern::RoundRobin,
    };
    let memory = table.memory.0;
    let working_set = table.working_set.as_ref().map_or(memory, |size| size.0.min(memory));
    // A group is told by its name, and a machine of it is not apart from itself. An unknown name
    // stays as it is, and is refused with all else that is wrong.
    let each = table.apart_from.iter().flat_map(|other| match groups.get(other.as_str()) {
        Some(group) => group.iter().filter(|of| *of != name).collect(),
        None => vec![other],
    });
    Machine {
        name: name.to_owned(),
        host: table.host.clone(),
        memory,
        to_send: table.to_send.as_ref().map_or(memory, |size| size.0),
        dirtying: Dirtying::new(table.dirty.0).within(working_set, pattern),
        requests: table.requests,
        outage_s: table.outage.as_ref().map(|time| time.0),
        to: table.to.clone(),
        apart_from: each.cloned().collect(),
        strategies: match table.strategy {
            StrategyName::PreCopy => Strategies::PreCopy,
            StrategyName::PostCopy => Strategies::PostCopy,
            StrategyName::Any => Strategies::Any,
        },
    }
}

fn line_at(text: &str, at: usize) -> u64 {
    let before = text.bytes().take(at);
    1 + before.filter(|byte| *byte == b'\n').count() as u64
}

fn content(file: &Path, line: Option<u64>, reason: &str) -> String {
    let file = file.to_string_lossy();
    let line = line.map_or(String::new(), |line| format!(":{line}"));
    format!("{}{line}: {}", printable(&file), one_line(reason))
}

#[cfg(test)]
mod tests;
