//! Files that are not those of a shard, and shards that do not belong together.

use serde_path_to_error::Error as PathError;

use super::together::numbers;
use crate::printable::printable;

/// A document that is not that of a shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShardError {
    /// It is no JSON.
    #[error("it is no JSON at line {line}, column {column}: {reason}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong there.
        reason: String,
    },
    /// It ends before its time.
    #[error(
        "it ends in the middle of a record: it was not written whole; take the file that the shard \
         wrote at its end"
    )]
    Cut,
    /// It is a document of another kind.
    #[error("it is another document ({0}): give the files that shards wrote")]
    Other(String),
    /// A field is missing or has the wrong type.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// It cannot be written.
    #[error("the record of a shard cannot be written as JSON: {0}")]
    Write(String),
}

impl ShardError {
    pub(super) fn of(error: &PathError<serde_json::Error>) -> Self {
        let inner = error.inner();
        if inner.is_eof() {
            return Self::Cut;
        }
        if inner.is_syntax() {
            let (line, column) = (inner.line(), inner.column());
            return Self::Syntax {
                line,
                column,
                reason: printable(&inner.to_string()).into_owned(),
            };
        }
        if error.path().to_string() == "schema" {
            return Self::Other(printable(&inner.to_string()).into_owned());
        }
        Self::Damaged(printable(&format!("{}: {inner}", error.path())).into_owned())
    }
}

/// Records that are not those of the shards of one plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// The shards are not of the same plan.
    #[error("shards {one} and {other} are not of the same plan: '{path}' differs")]
    Plan {
        /// The shard that the other was compared with.
        one: u32,
        /// The one that differs.
        other: u32,
        /// The first field of the plan that is different, such as `load.connections`.
        path: String,
    },
    /// The shards were measured by different versions, which may not measure alike.
    #[error("shards {one} and {other} were run by different versions of loadgen: use one")]
    Version {
        /// The shard that the other was compared with.
        one: u32,
        /// The one that differs.
        other: u32,
    },
    /// The plan has settings that this version does not know, so that nobody can tell whether the
    /// shards have the same.
    #[error(
        "the plan of shard {shard} has settings that this version of loadgen does not know: {}; merge \
         with the version that ran it, or a later one",
        settings.join(", ")
    )]
    UnknownSettings {
        /// Which one.
        shard: u32,
        /// Their [paths](crate::Plan::unknown_settings).
        settings: Vec<String>,
    },
    /// The shards were told different starts: they are of several runs of one plan.
    #[error(
        "shards {one} and {other} are not of one run: they did not have the same start; give the files of \
         one run"
    )]
    Start {
        /// The shard that the other was compared with.
        one: u32,
        /// The one that differs.
        other: u32,
    },
    /// The requests of the shards have different tags: they read different files.
    #[error("the requests of shards {one} and {other} have different tags: give both one file")]
    Tags {
        /// The shard that the other was compared with.
        one: u32,
        /// The one that differs.
        other: u32,
    },
    /// Two records are of the same shard.
    #[error("two of them are of shard {shard}: leave one of them out")]
    Twice {
        /// Which one.
        shard: u32,
    },
    /// Some did not come to their ends: only parts of what they measured are there.
    #[error(
        "these shards did not come to their ends, and have left what they had by then: {}",
        numbers(partial)
    )]
    Partial {
        /// Their numbers.
        partial: Vec<u32>,
    },
    /// Shards are missing.
    #[error("{} of {of} shards are missing: {}", missing.len(), numbers(missing))]
    Missing {
        /// Their numbers.
        missing: Vec<u32>,
        /// How many shards the plan has.
        of: u32,
    },
}
