//! The subcommands, one file each.

pub(crate) mod compare;
pub(crate) mod completions;
mod conclude;
pub(crate) mod experiment;
pub(crate) mod man;
pub(crate) mod merge;
pub(crate) mod migrate;
pub(crate) mod predict;
pub(crate) mod report;
pub(crate) mod run;
mod shard;
pub(crate) mod sweep;
pub(crate) mod target;
pub(crate) mod watch;

use loadgen_core::Report;

use crate::exit::Failure;

/// Reads a report from a file, or from stdin for `-`.
fn read_report(path: &std::path::Path) -> Result<Report, Failure> {
    parsed(path, &read(path)?)
}

/// A file, or stdin for `-`.
fn read(path: &std::path::Path) -> Result<String, Failure> {
    let text = if path == std::path::Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(path)
    };
    text.map_err(|e| Failure::usage(format!("cannot read '{}': {e}", path.display())))
}

/// The report in a file.
fn parsed(path: &std::path::Path, text: &str) -> Result<Report, Failure> {
    Report::from_json(text).map_err(|e| Failure::usage(format!("'{}': {e}", path.display())))
}
