//! What a cloud is to the thread that asks it: the next request, and what its answer says.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Map, Value};

use crate::migration::{ApiAnswer, ApiRequest};

/// An answer that is longer is not read: the longest of the clouds have some kilobytes.
const LONGEST_ANSWER: usize = 1 << 20;

/// How a cloud is asked for notices. It keeps what it needs to tell changes from its answers; time
/// is not its concern.
pub(super) trait Cloud: fmt::Debug + Send {
    /// The source of its events, such as `gcp`.
    fn name(&self) -> &'static str;

    /// Where its metadata server is found, such as "an Amazon EC2 instance".
    fn home(&self) -> &'static str;

    /// What is asked next; the path without that of the base URL.
    fn request(&self) -> ApiRequest;

    /// How long its answer may take.
    fn limit(&self) -> Duration;

    /// How long after the begin of the last question the next one comes.
    fn interval(&self) -> Duration;

    /// What an answer says.
    fn read(&mut self, answer: &ApiAnswer) -> Result<Said, Unread>;
}

/// What an answer says.
#[derive(Debug)]
pub(super) enum Said {
    /// Something that the next request needs, which is asked at once.
    Go,
    /// The state of things, as what changed since the last answer. `odd` is what could not be read
    /// of it.
    Changes { changes: Vec<Change>, odd: Option<String> },
}

/// An answer that says nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// The server cannot answer just now.
    Busy(String),
    /// This is not how the cloud's server answers.
    Wrong(String),
}

/// Something that is not as it was.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) name: String,
    pub(super) attributes: Map<String, Value>,
}

/// A request without a body, with one header.
pub(super) fn request(
    method: Method,
    path: impl Into<String>,
    name: &'static str,
    value: HeaderValue,
) -> ApiRequest {
    let mut headers = HeaderMap::new();
    headers.insert(HeaderName::from_static(name), value);
    ApiRequest { method, path: path.into(), headers, body: Bytes::new() }
}

/// Whether an answer is worth reading.
pub(super) fn readable(answer: &ApiAnswer) -> Result<(), Unread> {
    let status = answer.status;
    let passes = [StatusCode::TOO_MANY_REQUESTS, StatusCode::GONE, StatusCode::REQUEST_TIMEOUT];
    if status.is_server_error() || passes.contains(&status) {
        return Err(Unread::Busy(format!("it answers with status {}", status.as_u16())));
    }
    if answer.body.len() > LONGEST_ANSWER {
        return Err(Unread::Wrong("its answer is longer than 1 MiB".to_owned()));
    }
    Ok(())
}

/// That the server answers with a status that it should not have.
pub(super) fn status(answer: &ApiAnswer) -> Unread {
    Unread::Wrong(format!("it answers with status {}", answer.status.as_u16()))
}

/// An answer for tests of what follows from it.
#[cfg(test)]
pub(super) fn answer(
    status: u16,
    headers: &[(&'static str, &'static str)],
    body: &str,
) -> ApiAnswer {
    let mut all = HeaderMap::new();
    for (name, value) in headers {
        all.insert(*name, HeaderValue::from_static(value));
    }
    ApiAnswer {
        status: StatusCode::from_u16(status).unwrap(),
        headers: all,
        body: Bytes::from(body.to_owned()),
        asked_ns: 1,
        answered_ns: 2,
    }
}

/// The names of the changes that an answer brings to a cloud.
#[cfg(test)]
pub(super) fn names(cloud: &mut dyn Cloud, answer: &ApiAnswer) -> Vec<String> {
    match cloud.read(answer).unwrap() {
        Said::Go => vec!["go".to_owned()],
        Said::Changes { changes, .. } => changes.into_iter().map(|change| change.name).collect(),
    }
}
