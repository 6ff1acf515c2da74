//! A sweep as JSON, and back.

use super::report::{SCHEMA, SweepReport};
use crate::report::ReportError;
use crate::report::json::{document, read, written};

impl SweepReport {
    /// The sweep as JSON, indented, with a newline at its end.
    ///
    /// # Errors
    /// [`ReportError::Write`] if a value cannot stand in JSON, which is a defect.
    pub fn to_json_pretty(&self) -> Result<String, ReportError> {
        written(self)
    }

    /// Reads a sweep. Unknown fields are passed over: a later version of the same
    /// schema may have added them. Those of the plan are
    /// [kept by name](crate::Plan::unknown_settings).
    ///
    /// # Errors
    /// [`ReportError`] with the line and column, the schema found, or the path of
    /// the field.
    pub fn from_json(text: &str) -> Result<Self, ReportError> {
        read(document(text, SCHEMA)?)
    }
}
