//! What a watch tells, as lines of JSON.

use serde::Serialize;

use super::freeze::Freeze;
use super::notice::Notice;
use super::summary::WatchSummary;

/// One line of a watch in JSON: an object with a `type`.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum WatchLine<'a> {
    /// `"type": "freeze"`.
    Freeze(&'a Freeze),
    /// `"type": "notice"`.
    Notice(&'a Notice),
    /// `"type": "summary"`, the last one.
    Summary(&'a WatchSummary),
}

impl WatchLine<'_> {
    /// The line, without its end.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Nothing in it can fail to be written as JSON.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
