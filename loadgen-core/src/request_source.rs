//! Requests that the embedding program makes one by one, as their calls come.
//!
//! **It is** the door for requests that no list can hold: of a signature with a time, of keys
//! drawn from a law of one's own, fed through a queue. **It is not** the way of requests that
//! are known before ([`RequestList::given`](crate::RequestList::given)): those are encoded once,
//! and a call of theirs costs less.

use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::error::PlanError;
use crate::panicked::said;
use crate::protocol::http1::request::write_head;
use crate::request::{
    Header, Request, check_body, check_length, check_method, check_path, is_idempotent,
    is_one_line, is_token, needs_length,
};
use crate::target::Target;

/// An arrival that needs a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Arrival {
    /// Its number in the run, from 0: *k* of the load's schedule. With *n* workers, the one
    /// with the number *w* has those of *w*, *w + n*, *w + 2n* …, so that each comes once.
    pub number: u64,
    /// The place of its load among [those of the plan](crate::Plan::named_loads), 0 for the main one.
    /// The arrivals of each load have numbers of their own.
    pub load: u8,
}

/// What ends a run because a request could not be made.
pub type SourceError = Box<dyn Error + Send + Sync>;

/// Makes the requests of a run; see [`RequestList::made_by`](crate::RequestList::made_by).
///
/// Each worker has one of its own for each load, and calls it on its thread when an arrival
/// is taken up: what
/// it does there delays all that comes next, and is told as the generator's own lateness. So it
/// must not block; what takes long is made elsewhere and fed ahead through a queue.
///
/// It is asked once for each arrival that its worker takes up, in their order, be it that the
/// call is shed or fails later. A call that is sent once more has the request that it had.
pub trait RequestSource: Send {
    /// Makes the request of an arrival. `out` begins as the plan's own request, and without
    /// a tag.
    ///
    /// # Errors
    /// What keeps it from making one. That ends the run, whose report is kept and invalid, and
    /// says why; a panic does the same.
    fn next(&mut self, arrival: Arrival, out: &mut RequestBuf) -> Result<(), SourceError>;
}

impl<F> RequestSource for F
where
    F: FnMut(Arrival, &mut RequestBuf) -> Result<(), SourceError> + Send,
{
    fn next(&mut self, arrival: Arrival, out: &mut RequestBuf) -> Result<(), SourceError> {
        self(arrival, out)
    }
}

/// One request in the making. What a method refuses leaves it as it was.
///
/// ```
/// use loadgen_core::{Arrival, CallLimit, Engine, Load, Plan, RequestBuf, RequestList, Schedule};
/// # use loadgen_core::target_server::{TargetOptions, TargetServer};
/// # let server = TargetServer::bind(TargetOptions::default())?.spawn()?;
/// # let url = server.url();
///
/// let made = RequestList::made_by("orders", |_worker| {
///     |arrival: Arrival, out: &mut RequestBuf| {
///         out.set_method("POST")?.set_path(&format!("/orders/{}", arrival.number))?;
///         out.set_body(arrival.number.to_string().as_bytes())?;
///         Ok(())
///     }
/// });
/// let plan = Plan::new(url.parse()?, Load::established(Schedule::constant(500.0)))
///     .with_requests(made)
///     .with_calls(CallLimit::Calls(100));
/// assert_eq!(Engine::new(plan)?.run()?.counts.answered, 100);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RequestBuf {
    base: Base,
    method: String,
    path: String,
    /// Lines of its own headers.
    own: Vec<u8>,
    /// Where in them each name begins and ends.
    names: Vec<(usize, usize)>,
    body: Vec<u8>,
    /// The number of its tag, from 1; 0: none.
    tag: u8,
    /// How many tags there are.
    tags: usize,
    /// Whether a header, its own or the plan's, says how long the body is.
    says_length: bool,
}

/// What all requests of a plan have in common.
struct Base {
    method: String,
    path: String,
    body: Vec<u8>,
    /// What stands before the path in the request line.
    prefix: String,
    /// Headers, unless a request has its own of that name: the names, and the lines.
    headers: Vec<(String, Vec<u8>)>,
    /// All lines together.
    lines: Vec<u8>,
    /// Whether one of them says how long the body is.
    says_length: bool,
}

/// A request as it was written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written {
    /// How many bytes are the head, with the empty line.
    pub(crate) head: usize,
    pub(crate) is_head: bool,
    pub(crate) is_idempotent: bool,
    /// It has a `Connection` header of its own.
    pub(crate) has_connection: bool,
    /// The number of its tag, from 1; 0: none.
    pub(crate) tag: u8,
}

impl RequestBuf {
    /// One that begins as the plan's request, and may have so many tags.
    pub(crate) fn new(request: &Request, target: &Target, tags: usize) -> Self {
        let line = |header: Header| {
            let mut line = Vec::new();
            header.write(&mut line);
            (header.name().to_owned(), line)
        };
        let headers: Vec<_> = request.lines(target).into_iter().map(line).collect();
        let base = Base {
            method: request.method().to_owned(),
            path: request.path().unwrap_or_else(|| target.path()).to_owned(),
            body: request.body().to_vec(),
            prefix: target.request_target("").into_owned(),
            lines: headers.iter().flat_map(|(_, line)| line).copied().collect(),
            says_length: headers.iter().any(|(name, _)| is_length(name.as_bytes())),
            headers,
        };
        let (method, path) = (base.method.clone(), base.path.clone());
        let (own, names, body) = (Vec::new(), Vec::new(), base.body.clone());
        let says_length = base.says_length;
        Self { base, method, path, own, names, body, tag: 0, tags, says_length }
    }

    /// Sets the method, such as `HEAD` or `POST`.
    ///
    /// # Errors
    /// [`PlanError::Request`] if it is no method.
    pub fn set_method(&mut self, method: &str) -> Result<&mut Self, PlanError> {
        check_method(method)?;
        set(&mut self.method, method);
        Ok(self)
    }

    /// Sets path and query, which begin with a slash.
    ///
    /// # Errors
    /// [`PlanError::Request`] if they do not, or have spaces or control characters.
    pub fn set_path(&mut self, path: &str) -> Result<&mut Self, PlanError> {
        if !path.starts_with('/') && path != "*" {
            let (what, value) = ("path, which begins with '/',", path.escape_debug().to_string());
            return Err(PlanError::Request { what, value });
        }
        check_path(path)?;
        set(&mut self.path, path);
        Ok(self)
    }

    /// Adds a header. One that the plan's request has, or that requests have by themselves
    /// (`Host`, `User-Agent`, `Content-Length`), is replaced by it. A `Content-Length` that is
    /// not that of the body ends the run, as an error of the source does.
    ///
    /// # Errors
    /// [`PlanError::Request`] if the name is none, or the value is more than a line.
    pub fn add_header(&mut self, name: &str, value: &str) -> Result<&mut Self, PlanError> {
        if !is_token(name) || !is_one_line(value) {
            // That knows what must not be told.
            Header::new(name, value).validate()?;
        }
        self.says_length |= is_length(name.as_bytes());
        let begin = self.own.len();
        self.names.push((begin, begin + name.len()));
        for part in [name, ": ", value, "\r\n"] {
            self.own.extend_from_slice(part.as_bytes());
        }
        Ok(self)
    }

    /// Sets the body; its `Content-Length` is sent.
    ///
    /// # Errors
    /// [`PlanError::Range`] if it has more than 1 GiB.
    pub fn set_body(&mut self, body: &[u8]) -> Result<&mut Self, PlanError> {
        check_body(body)?;
        self.body.clear();
        self.body.extend_from_slice(body);
        Ok(self)
    }

    /// Sets the tag whose figures the call counts to, by its place, from 0, among those of
    /// [`RequestList::with_tags`](crate::RequestList::with_tags).
    ///
    /// # Errors
    /// [`PlanError::Range`] if there is none at that place.
    pub fn set_tag(&mut self, place: usize) -> Result<&mut Self, PlanError> {
        if place >= self.tags {
            return Err(PlanError::Range {
                what: "the place of a request's tag",
                range: "below the number of tags that its source has",
                value: place.to_string(),
            });
        }
        // A source has at most 64.
        self.tag = place as u8 + 1;
        Ok(self)
    }

    /// Begins anew.
    pub(crate) fn clear(&mut self) {
        set(&mut self.method, &self.base.method);
        set(&mut self.path, &self.base.path);
        self.own.clear();
        self.names.clear();
        self.body.clear();
        self.body.extend_from_slice(&self.base.body);
        self.tag = 0;
        self.says_length = self.base.says_length;
    }

    /// Whether it has a header of its own of this name.
    fn has(&self, name: &str) -> bool {
        let is_it = |&(begin, end): &(usize, usize)| {
            self.own[begin..end].eq_ignore_ascii_case(name.as_bytes())
        };
        self.names.iter().any(is_it)
    }

    /// Whether it has a header of this name, its own or the plan's.
    fn is_given(&self, name: &str) -> bool {
        let of_all = self.base.headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
        of_all || self.has(name)
    }

    /// Checks what is known only when all is there: that a `Content-Length` is that of the body.
    #[inline]
    fn check(&self) -> Result<(), PlanError> {
        if self.says_length { self.check_lengths() } else { Ok(()) }
    }

    #[cold]
    fn check_lengths(&self) -> Result<(), PlanError> {
        let own = self.names.iter().filter(|&&(begin, end)| is_length(&self.own[begin..end]));
        // Each line begins with its name and ": ".
        let own: Vec<&[u8]> = own.map(|(_, end)| &self.own[end + 2..]).collect();
        let base = self.base.headers.iter().filter(|(name, _)| is_length(name.as_bytes()));
        let base = base.map(|(name, line)| &line[name.len() + 2..]);
        let base = base.filter(|_| own.is_empty());
        for value in own.iter().copied().chain(base) {
            let value = value.split(|byte| *byte == b'\r').next().unwrap_or_default();
            check_length(&String::from_utf8_lossy(value), &self.body)?;
        }
        Ok(())
    }

    /// Writes it for the wire, in place of what is in `into`.
    pub(crate) fn write(&self, into: &mut Vec<u8>) -> Written {
        let needs_length = needs_length(&self.method, &self.body)
            && !self.is_given("content-length")
            && !self.is_given("transfer-encoding");
        let length = match needs_length {
            true => format!("Content-Length: {}\r\n", self.body.len()),
            false => String::new(),
        };
        let replaces =
            !self.names.is_empty() && self.base.headers.iter().any(|(name, _)| self.has(name));
        let kept: Vec<u8>;
        let lines = if replaces {
            let headers = self.base.headers.iter().filter(|(name, _)| !self.has(name));
            kept = headers.flat_map(|(_, line)| line).copied().collect();
            &kept
        } else {
            &self.base.lines
        };
        into.clear();
        let named = [self.base.prefix.as_bytes(), self.path.as_bytes()];
        let lines = [lines, self.own.as_slice(), length.as_bytes()];
        let head = write_head(into, self.method.as_bytes(), &named, 1, &lines);
        into.extend_from_slice(&self.body);
        Written {
            head,
            is_head: self.method == "HEAD",
            is_idempotent: is_idempotent(&self.method),
            has_connection: self.is_given("connection"),
            tag: self.tag,
        }
    }
}

impl fmt::Debug for RequestBuf {
    /// Without its headers, which may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBuf")
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

fn is_length(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"content-length")
}

fn set(text: &mut String, to: &str) {
    text.clear();
    text.push_str(to);
}

/// Makes the source of each worker, which has this number.
#[derive(Clone)]
pub(crate) struct MakeSource(Arc<dyn Fn(u32) -> Box<dyn RequestSource> + Send + Sync>);

impl MakeSource {
    pub(crate) fn new<S: RequestSource + 'static>(
        make: impl Fn(u32) -> S + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(move |worker| Box::new(make(worker))))
    }

    /// The source of a worker.
    pub(crate) fn of_worker(&self, worker: u32) -> Box<dyn RequestSource> {
        (self.0)(worker)
    }
}

impl PartialEq for MakeSource {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for MakeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MakeSource")
    }
}

/// Asks a source for the request of an arrival; why there is none, in words.
pub(crate) fn ask(
    source: &mut dyn RequestSource,
    arrival: Arrival,
    out: &mut RequestBuf,
) -> Result<(), String> {
    out.clear();
    let number = arrival.number;
    // It is not asked again.
    let made = catch_unwind(AssertUnwindSafe(|| source.next(arrival, out)));
    let checked = made.map(|made| match made {
        Ok(()) => out.check().map_err(SourceError::from),
        error => error,
    });
    match checked {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            Err(format!("the program's source of requests has none for arrival {number}: {error}"))
        }
        Err(panic) => {
            let said = said(&*panic);
            Err(format!("the program's source of requests panicked at arrival {number}: {said}"))
        }
    }
}

#[cfg(test)]
mod tests;
