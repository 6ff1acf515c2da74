//! One request of a list.

use serde::{Deserialize, Serialize};

use crate::error::{PlanError, WorkloadFileError};
use crate::expectation::Expectation;
use crate::request::Request;
use crate::target::Target;

/// One request of a list, with what is said of it beside its bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ListedRequest {
    pub(crate) request: Request,
    /// Path and query, which the request's own would replace.
    pub(crate) path: String,
    /// Its figures are kept by this name, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tag: Option<String>,
    /// How often it is made among others, in [`RequestOrder::Weighted`](super::RequestOrder).
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub(crate) weight: f64,
    /// What is expected of its reply beside what is of all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) expect: Vec<Expectation>,
}

fn one() -> f64 {
    1.0
}

fn is_one(weight: &f64) -> bool {
    *weight == 1.0
}

/// Longest name of a tag, in bytes.
const LONGEST_TAG: usize = 64;

impl ListedRequest {
    /// This request of a path (and query), without a tag, of weight 1.
    #[must_use]
    pub fn new(request: Request, path: &str) -> Self {
        Self { request, path: path.to_owned(), tag: None, weight: 1.0, expect: Vec::new() }
    }

    /// Keeps its figures by this name, too.
    #[must_use]
    pub fn with_tag(mut self, tag: &str) -> Self {
        self.tag = Some(tag.to_owned());
        self
    }

    /// Sets how often it is made among others, in a weighted order: 0 or more.
    #[must_use]
    pub fn with_weight(mut self, weight: f64) -> Self {
        self.weight = weight;
        self
    }

    /// Expects this of its reply, beside what is expected of all.
    #[must_use]
    pub fn with_expectation(mut self, expectation: Expectation) -> Self {
        self.expect.push(expectation);
        self
    }

    /// Checks that it can be sent.
    pub(crate) fn validate(&self) -> Result<(), PlanError> {
        if !self.path.starts_with('/') && self.path != "*" {
            return Err(PlanError::Request {
                what: "path, which begins with '/',",
                value: self.path.escape_debug().to_string(),
            });
        }
        if !(self.weight.is_finite() && (0.0..=1e9).contains(&self.weight)) {
            return Err(PlanError::Range {
                what: "the weight of a request",
                range: "from 0 to 1,000,000,000",
                value: self.weight.to_string(),
            });
        }
        self.tag.as_deref().map_or(Ok(()), validate_tag)?;
        self.request.clone().with_path(&self.path).validate()
    }
}

/// Checks that a tag has a name that can be shown.
pub(super) fn validate_tag(tag: &str) -> Result<(), PlanError> {
    if (1..=LONGEST_TAG).contains(&tag.len()) {
        return Ok(());
    }
    Err(PlanError::Range {
        what: "the name of a tag",
        range: "from 1 to 64 bytes",
        value: format!("{} bytes", tag.len()),
    })
}

/// Takes a request and its line; an error ends the reading.
pub(super) type Take<'a> = &'a mut dyn FnMut(u64, ListedRequest) -> Result<(), WorkloadFileError>;

/// What all requests of a list have in common.
pub(super) struct Base<'a> {
    /// The plan's: its method and headers stand where an entry has none of its own.
    pub(super) request: &'a Request,
    pub(super) target: &'a Target,
}

impl Base<'_> {
    /// The request of an entry without anything of its own.
    pub(super) fn plain(&self, path: &str) -> ListedRequest {
        ListedRequest::new(self.request.clone(), path)
    }

    /// An entry, with the headers of the base that it does not replace.
    pub(super) fn under(&self, listed: &ListedRequest) -> ListedRequest {
        ListedRequest { request: listed.request.over(self.request), ..listed.clone() }
    }

    /// Path and query of a URL, or of what begins with a slash.
    pub(super) fn path(&self, url: &str) -> Result<String, String> {
        // What data will fill in is looked at then.
        if url.starts_with('/') || url.starts_with("{{") {
            return Ok(url.to_owned());
        }
        let other = Target::parse(url).map_err(|error| error.to_string())?;
        if !url.contains("://") {
            return Err(format!(
                "'{}' is no URL: write a path that begins with '/', or a whole URL",
                url.escape_debug()
            ));
        }
        if !other.is_at_the_server_of(self.target) {
            return Err(format!(
                "'{}' is of another server than this load's, {}: one load goes to one server",
                other.url(),
                self.target.url()
            ));
        }
        Ok(other.path().to_owned())
    }
}
