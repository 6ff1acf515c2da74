//! Documents of experiments as JSON.

use serde::Serialize;

use crate::printable::printable_json;
use crate::report::ReportError;

/// A document, indented, with a newline at its end.
pub(super) fn pretty(document: &impl Serialize) -> Result<String, ReportError> {
    let json = serde_json::to_string_pretty(document);
    json.map(|json| printable_json(json + "\n")).map_err(|e| ReportError::Write(e.to_string()))
}
