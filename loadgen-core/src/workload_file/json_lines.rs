//! A JSON object a line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::entry::{Base, ListedRequest, Take};
use super::file::read as read_file;
use crate::error::WorkloadFileError;
use crate::expectation::Expectation;
use crate::request::Request;

/// The object of a line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    method: Option<String>,
    url: Option<String>,
    path: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
    body_file: Option<PathBuf>,
    tag: Option<String>,
    weight: Option<f64>,
    expect: Option<OneOrMore>,
}

/// What is expected: one thing, or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

pub(super) fn read(
    bytes: &[u8],
    file: &Path,
    base: &Base<'_>,
    take: Take<'_>,
) -> Result<(), WorkloadFileError> {
    let folder = file.parent().unwrap_or(Path::new(""));
    for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let wrong = |reason: String| WorkloadFileError::content(file, Some(number), reason);
        let line: Line = serde_json::from_slice(line).map_err(|error| {
            // The line that it knows is always the first.
            let text = error.to_string();
            let text = text.split(" at line ").next().unwrap_or_default();
            wrong(format!("{text} (at column {})", error.column()))
        })?;
        let listed = line.listed(folder, base)?.map_err(wrong)?;
        take(number, listed)?;
    }
    Ok(())
}

impl Line {
    /// The outer error is of another file.
    fn listed(
        self,
        folder: &Path,
        base: &Base<'_>,
    ) -> Result<Result<ListedRequest, String>, WorkloadFileError> {
        let url = match (&self.url, &self.path) {
            (Some(url), None) | (None, Some(url)) => url,
            (Some(_), Some(_)) => return Ok(Err("it has a url and a path: leave out one".into())),
            (None, None) => return Ok(Err("it has neither a url nor a path".into())),
        };
        let path = match base.path(url) {
            Ok(path) => path,
            Err(reason) => return Ok(Err(reason)),
        };
        let body = match (self.body, self.body_file) {
            (Some(_), Some(_)) => {
                return Ok(Err("it has a body and a body_file: leave out one".into()));
            }
            (Some(body), None) => Some(body.into_bytes()),
            (None, Some(file)) => Some(read_file(&folder.join(file))?),
            (None, None) => None,
        };
        let own = match (self.method, &body) {
            (Some(method), _) => Request::get().with_method(&method),
            (None, Some(_)) => Request::get().with_method("POST"),
            (None, None) => Request::get().with_method(base.request.method()),
        };
        let own = self
            .headers
            .iter()
            .fold(own, |own, (name, value)| own.with_header(name, value))
            .with_body(body.unwrap_or_default());
        let mut listed = ListedRequest::new(own.over(base.request), &path);
        listed.tag = self.tag;
        listed.weight = self.weight.unwrap_or(1.0);
        let expect = match self.expect {
            None => Vec::new(),
            Some(OneOrMore::One(one)) => vec![one],
            Some(OneOrMore::More(more)) => more,
        };
        for text in expect {
            match text.parse::<Expectation>() {
                Ok(expectation) => listed.expect.push(expectation),
                Err(error) => return Ok(Err(error.to_string())),
            }
        }
        Ok(Ok(listed))
    }
}
