//! A report as JSON, and back. The JSON Schema is in `docs/report.schema.json`.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::sections::cell;
use super::{Report, SCHEMA};
use crate::later_version::{self, Unreadable};
use crate::plan::pass_over_unknown;
use crate::printable::printable_json;

/// A document that is not a report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The text is not JSON.
    #[error("not a report: not JSON at line {line}, column {column}: {reason}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong there.
        reason: String,
    },
    /// JSON, but not a report of this program.
    #[error("not a report: it has no \"schema\" field; give a file that loadgen wrote as JSON")]
    NoSchema,
    /// A report in another schema.
    #[error(
        "the report has schema \"{found}\", but \"{SCHEMA}\" is read here: {}",
        if found.starts_with("loadgen-sweep/") {
            "it is that of a sweep; 'loadgen sweep' with the same options, resuming this file, writes \
             it in another form and measures nothing anew"
        } else if found.starts_with("loadgen-migrations/") {
            "it is that of several machines; 'loadgen report' with the number of a machine takes its \
             report out of it"
        } else if found.starts_with("loadgen-shard/") {
            "it is what a shard of a load measured; 'loadgen merge' makes the report of it and of the \
             other shards"
        } else {
            "use the version of loadgen that wrote it"
        }
    )]
    Schema {
        /// The schema that it names.
        found: String,
    },
    /// A document of another kind than the one that is wanted.
    #[error("the document has schema \"{found}\", but \"{wanted}\" is wanted here")]
    OtherSchema {
        /// The schema that it names.
        found: String,
        /// The schema that is wanted.
        wanted: &'static str,
    },
    /// A field is missing or has the wrong type.
    #[error(
        "the report is damaged at {path}: {reason}{}",
        version.as_ref().map_or(String::new(), |version| format!(
            "; or loadgen {version}, which wrote it, has words that this version, {}, does not know",
            env!("CARGO_PKG_VERSION")
        ))
    )]
    Field {
        /// Where, such as `migration.phases[2].name`; `.` is the document itself.
        path: String,
        /// What is wrong there.
        reason: String,
        /// The version that wrote it, if it is another than this one.
        version: Option<String>,
    },
    /// The report has a number that JSON cannot hold.
    #[error("the report cannot be written as JSON: {0}")]
    Write(String),
}

impl Report {
    /// The report as JSON, indented, with a newline at its end.
    ///
    /// # Errors
    /// [`ReportError::Write`] if a value cannot stand in JSON, which is a defect.
    pub fn to_json_pretty(&self) -> Result<String, ReportError> {
        written(self)
    }

    /// Reads a report. Unknown fields are passed over: a later version of the
    /// same schema may have added them. Those of the plan are
    /// [kept by name](crate::Plan::unknown_settings).
    ///
    /// # Errors
    /// [`ReportError`] with the line and column, the schema found, or the path of
    /// the field.
    pub fn from_json(text: &str) -> Result<Self, ReportError> {
        Self::from_document(serde_json::from_str(text).map_err(syntax)?)
    }

    /// The same of a document that is part of another.
    pub(crate) fn from_document(document: Value) -> Result<Self, ReportError> {
        match document.get("schema").map(|schema| schema.as_str()) {
            None => return Err(ReportError::NoSchema),
            Some(Some(SCHEMA)) => {}
            Some(found) => {
                let found = found.unwrap_or("(not a text)");
                return Err(ReportError::Schema { found: cell::clean(found) });
            }
        }
        read(document)
    }
}

/// A document as JSON, indented, with a newline at its end, and with nothing that a terminal would
/// obey.
pub(crate) fn written<T: Serialize>(document: &T) -> Result<String, ReportError> {
    let json = serde_json::to_string_pretty(document);
    json.map(|json| printable_json(json + "\n")).map_err(|e| ReportError::Write(e.to_string()))
}

/// A document that is to be of a schema of the same family.
pub(crate) fn document(text: &str, wanted: &'static str) -> Result<Value, ReportError> {
    let value: Value = serde_json::from_str(text).map_err(syntax)?;
    match value.get("schema").map(|schema| schema.as_str()) {
        None => Err(ReportError::NoSchema),
        Some(Some(found)) if found == wanted => Ok(value),
        Some(found) => {
            let found = cell::clean(found.unwrap_or("(not a text)"));
            Err(ReportError::OtherSchema { found, wanted })
        }
    }
}

/// Reads a document of a schema that is known, which has the plan of a run, passing unknown
/// fields over.
pub(crate) fn read<T: DeserializeOwned>(mut document: Value) -> Result<T, ReportError> {
    // Once, and not whenever the whole is read.
    let passed = document.get_mut("plan").map_or(Ok(()), pass_over_unknown);
    passed.map_err(|error| unreadable(&document, "plan", error))?;
    read_planless(document)
}

/// The same of a document without such a plan.
pub(crate) fn read_planless<T: DeserializeOwned>(mut document: Value) -> Result<T, ReportError> {
    let read = later_version::read(&mut document);
    read.map(|(read, _)| read).map_err(|error| unreadable(&document, "", error))
}

/// A field that cannot be read, within a part of the document.
fn unreadable(document: &Value, within: &str, error: Unreadable) -> ReportError {
    let Unreadable { path, reason } = error;
    let version = document["tool"]["version"].as_str();
    let version = version.filter(|version| *version != env!("CARGO_PKG_VERSION"));
    ReportError::Field {
        path: cell::clean(&match path.as_str() {
            "." => within.to_owned(),
            path => [within, path].join(if within.is_empty() { "" } else { "." }),
        }),
        reason: cell::clean(&reason),
        version: version.map(cell::clean),
    }
}

pub(crate) fn syntax(error: serde_json::Error) -> ReportError {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let place = format!(" at line {line} column {column}");
    let reason = cell::clean(text.strip_suffix(&place).unwrap_or(&text));
    ReportError::Syntax { line, column, reason }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::sample;
    use super::*;

    #[test]
    fn there_and_back() {
        let all = [
            sample::plain(),
            sample::pre_copy(),
            sample::stop_and_copy(),
            sample::empty(),
            sample::hostile(),
        ];
        for report in all {
            let json = report.to_json_pretty().unwrap();
            assert!(json.ends_with("}\n"));
            assert_eq!(Report::from_json(&json).unwrap(), report);
        }
    }

    /// The error of a sample whose JSON was changed.
    fn error(change: impl FnOnce(&mut Value)) -> String {
        let mut value = serde_json::to_value(sample::stop_and_copy()).unwrap();
        change(&mut value);
        Report::from_json(&value.to_string()).unwrap_err().to_string()
    }

    #[test]
    fn errors_say_where() {
        let text = Report::from_json("{\n  \"schema\": nope}").unwrap_err().to_string();
        assert!(text.contains("line 2, column 14"), "{text}");
        assert_eq!(text.matches("line").count(), 1, "{text}");
        let text = Report::from_json("").unwrap_err().to_string();
        assert!(text.contains("line 1, column 0: EOF"), "{text}");
        let text = Report::from_json("[1]").unwrap_err().to_string();
        assert!(text.contains("no \"schema\""), "{text}");
        let text = error(|v| v["schema"] = json!("loadgen-report/2"));
        assert!(text.contains("loadgen-report/2") && text.contains(SCHEMA), "{text}");
        let text = error(|v| v["schema"] = json!(1));
        assert!(text.contains("not a text"), "{text}");
        let text = error(|v| {
            v["migration"]["phases"][2].as_object_mut().unwrap().remove("name");
        });
        assert!(text.contains("at migration.phases[2]: missing field `name`"), "{text}");
        let text = error(|v| v["timeline"]["windows"][3]["offered"] = json!(-1));
        assert!(text.contains("at timeline.windows[3].offered"), "{text}");
        let text = error(|v| {
            v.as_object_mut().unwrap().remove("plan");
        });
        assert!(text.contains("missing field `plan`"), "{text}");
    }

    #[test]
    fn fields_of_later_versions_are_passed_over() {
        let mut value = serde_json::to_value(sample::plain()).unwrap();
        value["new_in_1_1"] = json!({"a": 1});
        value["counts"]["new_count"] = json!(1);
        assert_eq!(Report::from_json(&value.to_string()).unwrap(), sample::plain());
    }

    #[test]
    fn settings_of_later_versions_are_kept_by_name() {
        let mut value = serde_json::to_value(sample::plain()).unwrap();
        value["plan"]["new\u{1b}"] = json!(1);
        value["plan"]["load"]["schedule"]["shape"] = json!({"a": 1});
        value["plan"]["target"]["shape"] = json!("b");
        // A name of an earlier reader, and whoever forged it.
        value["plan"]["unknown_settings"] = json!(["z\n\u{1b}", "target.shape"]);
        let report = Report::from_json(&value.to_string()).unwrap();
        let unknown = report.plan.unknown_settings();
        assert_eq!(
            unknown,
            ["load.schedule.shape", "new\\u{1b}", "target.shape", "z\\u{a}\\u{1b}"]
        );
        // It can be shown and written again, not carried out.
        assert!(crate::report::render_text(&report).contains("also set"));
        assert_eq!(Report::from_json(&report.to_json_pretty().unwrap()).unwrap(), report);
        assert_ne!(report.plan, sample::plain().plan);
        let refused = report.plan.validate().unwrap_err().to_string();
        assert!(
            refused.contains("does not know: ") && refused.contains("target.shape"),
            "{refused}"
        );
    }

    #[test]
    fn what_only_a_later_version_can_read_says_so() {
        let text = error(|v| {
            v["tool"]["version"] = json!("99.1.0");
            v["plan"]["load"]["schedule"]["arrival"] = json!("tidal");
        });
        assert!(text.contains("or loadgen 99.1.0, which wrote it"), "{text}");
        assert!(text.contains("unknown variant `tidal`"), "{text}");
        assert!(text.contains("at plan.load.schedule.arrival: "), "{text}");
    }
}
