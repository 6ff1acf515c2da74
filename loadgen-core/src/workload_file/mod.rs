//! More requests than one: a list of them, or a file that is read when a run is prepared.
//!
//! Which request a call makes is a pure function of the plan, its seed and the number of the
//! call ([`RequestOrder`]), so that threads and repeated runs ask the same.

mod access_log;
mod entry;
mod file;
#[cfg(feature = "fuzzing")]
pub(crate) mod harness;
mod json_lines;
mod order;
mod reading;
mod template;
mod urls;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use entry::ListedRequest;
pub(crate) use file::{line_of, read};
pub use order::RequestOrder;
pub(crate) use order::Turns;

use crate::error::{PlanError, WorkloadFileError};
use crate::later_version::nothing_beside;
use crate::request_source::{MakeSource, RequestSource};

/// Most requests of a list.
pub(crate) const MOST_REQUESTS: usize = 1_000_000;

/// The requests of a load whose calls do not all make the same one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestList {
    source: Source,
    /// A CSV file whose first row names the columns: each request is made once for each
    /// further row, with `{{column}}` replaced in path, headers and body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<PathBuf>,
    order: RequestOrder,
    /// Of an access log, those of methods that may change state, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    change_state: bool,
    /// What was read, once it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    found: Option<Found>,
}

/// Most tags that have figures of their own.
pub(crate) const MOST_TAGS: usize = 64;

/// Where requests come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum Source {
    /// The program that embeds the engine makes them, one by one.
    Program {
        name: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tags: Vec<String>,
        /// `None`: the plan was read, and the source is where it was made.
        #[serde(skip)]
        make: Option<MakeSource>,
    },
    /// The plan's one request, with data.
    #[serde(deserialize_with = "nothing_beside")]
    Request,
    /// They are here.
    Given { requests: Vec<ListedRequest> },
    /// A file.
    File { file: PathBuf, format: Option<RequestFormat> },
}

/// How a file of requests is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RequestFormat {
    /// A URL or a path a line, a method before it if it is not GET; `#` begins a comment.
    Urls,
    /// A JSON object a line; see [`ListedRequest`] for its keys.
    JsonLines,
    /// Paths that end with a NUL byte each, as httperf's `--wlog` has them.
    Wlog,
    /// The access log of a server: the common, combined or vhost_combined format of Apache and
    /// nginx, or a JSON object a line. Its requests are taken in the order of their times; those
    /// that cannot be made again are left out and counted.
    AccessLog,
}

/// What a list came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Found {
    /// Requests, each as often as there are rows of data.
    pub(crate) count: u64,
    /// Of the files, to tell whether they are the same again: FNV-1a, 64 bits.
    pub(crate) fingerprint: String,
    /// Something is expected of the replies to some.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) expects: bool,
    /// Lines of an access log that were left out, by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) skipped: BTreeMap<String, u64>,
}

impl RequestList {
    /// These requests, in their order.
    #[must_use]
    pub fn given(requests: impl IntoIterator<Item = ListedRequest>) -> Self {
        Self::of(Source::Given { requests: requests.into_iter().collect() })
    }

    /// Those of a file, which is read when the run is prepared. What it says of a request
    /// goes before what the plan's request says (method, headers).
    #[must_use]
    pub fn file(file: impl Into<PathBuf>) -> Self {
        Self::of(Source::File { file: file.into(), format: None })
    }

    /// The plan's own request, once for each row of a CSV file: see [`Self::with_data`].
    #[must_use]
    pub fn of_data(data: impl Into<PathBuf>) -> Self {
        Self::of(Source::Request).with_data(data)
    }

    /// No list: each request is made when its arrival is taken up, by a source that `make` makes
    /// for each worker, by its number: from 0 in one process, and another for each of all workers
    /// where [shards](crate::Plan::with_shard) share the load. Reports call the source by its name: it cannot be
    /// kept there, and so a plan that was read from one has to be given it again.
    ///
    /// A source may be fed ahead through a queue, by a thread that may take its time:
    /// ```
    /// use std::sync::mpsc::sync_channel;
    /// use std::sync::{Arc, Mutex};
    /// use loadgen_core::{Arrival, RequestBuf, RequestList};
    ///
    /// let (feed, fed) = sync_channel::<String>(1000);
    /// std::thread::spawn(move || (0..).try_for_each(|id| feed.send(format!("/order/{id}"))));
    /// let fed = Arc::new(Mutex::new(fed));
    /// let list = RequestList::made_by("orders", move |_worker| {
    ///     let fed = Arc::clone(&fed);
    ///     move |_: Arrival, out: &mut RequestBuf| {
    ///         // It must not wait: what the feeder did not bring in time is counted apart.
    ///         match fed.lock().unwrap().try_recv() {
    ///             Ok(path) => out.set_path(&path)?.set_tag(0)?,
    ///             Err(_) => out.set_path("/")?.set_tag(1)?,
    ///         };
    ///         Ok(())
    ///     }
    /// });
    /// let list = list.with_tags(["fed", "not fed in time"]);
    /// # let _ = list;
    /// ```
    #[must_use]
    pub fn made_by<S: RequestSource + 'static>(
        name: &str,
        make: impl Fn(u32) -> S + Send + Sync + 'static,
    ) -> Self {
        let (name, make) = (name.to_owned(), Some(MakeSource::new(make)));
        Self::of(Source::Program { name, tags: Vec::new(), make })
    }

    /// Names the tags that requests of a [source](Self::made_by) may have, at most 64. Those of
    /// a list have their names by themselves.
    #[must_use]
    pub fn with_tags(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        if let Source::Program { tags, .. } = &mut self.source {
            *tags = names.into_iter().map(Into::into).collect();
        }
        self
    }

    /// What makes the sources of its requests, and the names of their tags.
    pub(crate) fn source(&self) -> Option<(&MakeSource, &[String])> {
        match &self.source {
            Source::Program { make: Some(make), tags, .. } => Some((make, tags)),
            _ => None,
        }
    }

    /// Whether its requests are made one by one.
    pub(crate) fn is_made(&self) -> bool {
        matches!(self.source, Source::Program { .. })
    }

    fn of(source: Source) -> Self {
        let order = RequestOrder::Sequential;
        Self { source, data: None, order, change_state: false, found: None }
    }

    /// Says how the file is written, which is told by its content otherwise.
    #[must_use]
    pub fn with_format(mut self, as_given: RequestFormat) -> Self {
        if let Source::File { format, .. } = &mut self.source {
            *format = Some(as_given);
        }
        self
    }

    /// Takes from an [access log](RequestFormat::AccessLog) requests of all methods; otherwise
    /// only those of GET, HEAD, OPTIONS and TRACE, which change nothing (RFC 9110 §9.2.1). They
    /// have no body, since logs have none.
    #[must_use]
    pub fn with_methods_that_change_state(mut self) -> Self {
        self.change_state = true;
        self
    }

    /// Makes each request once for each row of a CSV file, whose first row names the columns:
    /// `{{column}}` in path, values of headers and text of the body is replaced by what the
    /// row has there. All requests of a row come before those of the next one.
    #[must_use]
    pub fn with_data(mut self, file: impl Into<PathBuf>) -> Self {
        self.data = Some(file.into());
        self
    }

    /// Sets the order, which is [`RequestOrder::Sequential`] otherwise.
    #[must_use]
    pub fn with_order(mut self, order: RequestOrder) -> Self {
        self.order = order;
        self
    }

    pub(crate) fn order(&self) -> RequestOrder {
        self.order
    }

    /// Whether something is expected of the replies to some, once they were read.
    pub(crate) fn expects(&self) -> bool {
        self.found.as_ref().is_some_and(|found| found.expects)
    }

    /// Whether something may be expected of the replies to some, as far as it is known
    /// without reading.
    pub(crate) fn may_expect(&self) -> bool {
        match &self.source {
            Source::Program { .. } | Source::Request => false,
            Source::Given { requests } => requests.iter().any(|one| !one.expect.is_empty()),
            Source::File { format, .. } => {
                matches!(format, None | Some(RequestFormat::JsonLines))
            }
        }
    }

    /// How many there are, once they were read.
    pub(crate) fn count(&self) -> Option<u64> {
        self.found.as_ref().map(|found| found.count)
    }

    /// As if it had been read.
    #[cfg(test)]
    pub(crate) fn found_for_tests(mut self) -> Self {
        self.found = Some(Found {
            count: 1,
            fingerprint: "0".to_owned(),
            expects: true,
            skipped: BTreeMap::from([("no-path".to_owned(), 1)]),
        });
        self
    }

    /// Lines of an access log that were left out, by reason, once it was read.
    pub(crate) fn skipped(&self) -> impl Iterator<Item = (&str, u64)> {
        let skipped = self.found.iter().flat_map(|found| &found.skipped);
        skipped.map(|(why, n)| (why.as_str(), *n))
    }

    /// Whether its requests come with times: of a file that is said to be an access log, and
    /// is taken as it stands.
    pub(crate) fn has_times(&self) -> bool {
        let log = Some(RequestFormat::AccessLog);
        let is_log = matches!(&self.source, Source::File { format, .. } if *format == log);
        is_log && self.data.is_none() && self.order == RequestOrder::Sequential
    }

    /// Where they come from, for a person.
    pub(crate) fn told(&self) -> String {
        let of = match &self.source {
            Source::Program { name, .. } => format!("the source {name}"),
            Source::Request => "the request".to_owned(),
            Source::Given { .. } => "a list".to_owned(),
            Source::File { file, .. } => file.display().to_string(),
        };
        match &self.data {
            Some(data) => format!("{of} with the rows of {}", data.display()),
            None => of,
        }
    }

    /// That something is wrong with all of it.
    pub(crate) fn content(&self, reason: String) -> WorkloadFileError {
        WorkloadFileError::content(&self.name(), None, reason)
    }

    /// The file that its requests come from, or their data.
    fn name(&self) -> PathBuf {
        match &self.source {
            Source::File { file, .. } => file.clone(),
            _ => self.data.clone().unwrap_or_default(),
        }
    }

    /// Checks what can be checked without reading.
    pub(crate) fn validate(&self) -> Result<(), PlanError> {
        if let Source::Program { tags, make, .. } = &self.source {
            return self.validate_source(tags, make.is_some());
        }
        if let Source::Given { requests } = &self.source {
            if requests.is_empty() || requests.len() > MOST_REQUESTS {
                return Err(PlanError::Range {
                    what: "the requests of a list",
                    range: "from 1 to 1,000,000",
                    value: requests.len().to_string(),
                });
            }
            for listed in requests {
                listed.validate()?;
            }
        }
        Ok(())
    }

    fn validate_source(&self, tags: &[String], is_there: bool) -> Result<(), PlanError> {
        if !is_there {
            return Err(PlanError::Conflict(
                "the requests of this plan were made by the program that it was run by: give it \
                 that source again (RequestList::made_by)",
            ));
        }
        if self.data.is_some() || self.order != RequestOrder::Sequential {
            return Err(PlanError::Conflict(
                "requests that a program makes come as it makes them: leave out their data and \
                 their order",
            ));
        }
        if tags.len() > MOST_TAGS {
            return Err(PlanError::Range {
                what: "the tags of a source of requests",
                range: "at most 64",
                value: tags.len().to_string(),
            });
        }
        tags.iter().try_for_each(|tag| entry::validate_tag(tag))
    }

    /// Whether the plan's request has a say in more than method and headers.
    pub(crate) fn is_of_the_request(&self) -> bool {
        self.source == Source::Request
    }

    /// The requests that stand in the plan itself.
    pub(crate) fn given_requests(&self) -> &[ListedRequest] {
        match &self.source {
            Source::Given { requests } => requests,
            _ => &[],
        }
    }

    /// The same, to be changed.
    pub(crate) fn given_requests_mut(&mut self) -> &mut [ListedRequest] {
        match &mut self.source {
            Source::Given { requests } => requests,
            _ => &mut [],
        }
    }
}

#[cfg(test)]
mod tests;
