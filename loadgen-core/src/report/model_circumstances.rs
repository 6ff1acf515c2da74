//! Under which circumstances a run measured: with what, where, whether it can be trusted, and what
//! became of the file of its calls.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What became of a file with a line for each call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CallsFileReport {
    /// Where it is.
    pub file: PathBuf,
    /// `csv` or `json-lines`.
    pub format: CallsFormat,
    /// Calls that are in it, those of the warm-up among them.
    pub written: u64,
    /// Calls that ended and are not in it: the disk was too slow, or it broke.
    pub left_out: u64,
    /// Why it broke; calls that ended later are not in it.
    #[serde(default)]
    pub error: Option<String>,
}

impl CallsFileReport {
    /// What it lacks, and why, in a sentence; `None` if all calls are in it.
    #[must_use]
    pub fn lack(&self) -> Option<String> {
        let left_out = self.left_out;
        match &self.error {
            Some(error) => Some(format!(
                "the file of calls could not be written ({error}): {left_out} calls are not in it"
            )),
            None if left_out > 0 => Some(format!(
                "the disk was too slow for the file of calls: {left_out} calls are not in it; \
                 write it to a faster disk, or lower the rate"
            )),
            None => None,
        }
    }
}

/// How the lines of a file of calls are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CallsFormat {
    /// A head line with the names of the columns, then comma-separated values (RFC 4180).
    Csv,
    /// A JSON object a line.
    JsonLines,
}

/// The program that measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl Tool {
    /// This one.
    pub(crate) fn this() -> Self {
        Self { name: "loadgen".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
    }
}

/// The machine that measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Environment {
    /// Kernel release.
    pub kernel: String,
    /// CPU model.
    pub cpu: String,
    /// CPUs that this process may use.
    pub cpus: u32,
    /// Worker threads.
    pub threads: u32,
    /// The address that was loaded.
    pub address: String,
    /// Limit of open descriptors in force.
    pub descriptor_limit: u64,
    /// Load average of the machine (1 minute) when the run began.
    pub load_average: Option<f64>,
}

/// Whether a run's figures can be trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Verdict {
    /// The verdict.
    pub status: VerdictStatus,
    /// Why it is not `valid`; each says what, how much, and what to do.
    pub reasons: Vec<String>,
}

/// The worst that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VerdictStatus {
    /// Nothing was found that would make the figures doubtful.
    Valid,
    /// The figures hold with the reservations in the reasons.
    Degraded,
    /// The figures do not say what they seem to say.
    Invalid,
}

impl VerdictStatus {
    /// The word in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Degraded => "degraded",
            Self::Invalid => "invalid",
        }
    }
}
