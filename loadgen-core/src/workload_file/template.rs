//! `{{column}}` in requests, filled in from the rows of a CSV file.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use super::entry::ListedRequest;
use crate::error::WorkloadFileError;

/// Rows of data; without data there is one, and nothing is filled in.
#[derive(Debug)]
pub(super) struct Table {
    columns: HashMap<String, usize>,
    rows: Option<Vec<csv::StringRecord>>,
}

impl Table {
    pub(super) fn none() -> Self {
        Self { columns: HashMap::new(), rows: None }
    }

    /// A CSV file (RFC 4180) whose first row names the columns.
    pub(super) fn read(bytes: &[u8], file: &Path) -> Result<Self, WorkloadFileError> {
        let wrong = |line, reason: String| WorkloadFileError::content(file, line, reason);
        let of_csv = |error: csv::Error| {
            let line = error.position().map(csv::Position::line);
            let reason = match error.kind() {
                csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                    format!("this row has {len} values, and there are {expected_len} columns")
                }
                csv::ErrorKind::Utf8 { .. } => "this is not UTF-8".to_owned(),
                _ => error.to_string(),
            };
            wrong(line, reason)
        };
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(bytes);
        let mut columns = HashMap::new();
        for (index, name) in reader.headers().map_err(of_csv)?.iter().enumerate() {
            if name.is_empty() {
                return Err(wrong(Some(1), format!("column {} has no name", index + 1)));
            }
            if columns.insert(name.to_owned(), index).is_some() {
                let name = name.escape_debug();
                return Err(wrong(Some(1), format!("two columns are called '{name}'")));
            }
        }
        let rows: Vec<_> = reader.records().collect::<Result<_, _>>().map_err(of_csv)?;
        if rows.is_empty() {
            return Err(wrong(None, "there is no row of data below the names of columns".into()));
        }
        Ok(Self { columns, rows: Some(rows) })
    }

    pub(super) fn rows(&self) -> usize {
        self.rows.as_ref().map_or(1, Vec::len)
    }

    /// Which row it was, for the end of a message.
    pub(super) fn told(&self, row: usize) -> String {
        self.rows.as_ref().map_or(String::new(), |_| format!(" (with row {} of the data)", row + 1))
    }

    /// A request with the values of a row.
    pub(super) fn fill(&self, entry: &ListedRequest, row: usize) -> Result<ListedRequest, String> {
        let Some(row) = self.rows.as_ref().and_then(|rows| rows.get(row)) else {
            return Ok(entry.clone());
        };
        let mut filled = entry.clone();
        filled.path = self.filled(&entry.path, row)?.into_owned();
        filled.request.fill(&mut |text| Ok(self.filled(text, row)?.into_owned()))?;
        if let Some(tag) = &mut filled.tag {
            *tag = self.filled(tag, row)?.into_owned();
        }
        Ok(filled)
    }

    fn filled<'a>(&self, text: &'a str, row: &csv::StringRecord) -> Result<Cow<'a, str>, String> {
        let mut whole = Cow::Borrowed("");
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((name, behind)) = after.split_once("}}") else { break };
            let name = name.trim();
            let Some(column) = self.columns.get(name) else {
                let mut known: Vec<&str> = self.columns.keys().map(String::as_str).collect();
                known.sort_unstable();
                return Err(format!(
                    "there is no column '{}' for '{{{{{}}}}}': the data has {}",
                    name.escape_debug(),
                    name.escape_debug(),
                    known.join(", ").escape_debug()
                ));
            };
            let whole = whole.to_mut();
            whole.push_str(before);
            whole.push_str(row.get(*column).unwrap_or_default());
            rest = behind;
        }
        if whole.is_empty() {
            return Ok(Cow::Borrowed(text)).map(|text: Cow<'a, str>| {
                // A template that came to nothing is not the text.
                if rest.len() == text.len() { text } else { Cow::Owned(rest.to_owned()) }
            });
        }
        whole.to_mut().push_str(rest);
        Ok(whole)
    }
}
