//! Whether replies are as expected, where something is, and as the embedding program's check
//! has it, where there is one.

use super::Worker;
use crate::check::{self, Check, LONGEST_BODY, Rejected, Reply};
use crate::clock::Nanos;
use crate::engine::connection::Connection;
use crate::engine::workload::requests::Requests;
use crate::expectation::{BodyScan, Expected, Miss, Scanning};
use crate::protocol::{NotAReply, Progress, Protocol, Sink};
use crate::record::Outcome;

/// A larger buffer is not kept for the next reply.
const KEPT_BUFFER: usize = 64 * 1024;

/// What is seen of the replies that a worker's connections read, by their places.
#[derive(Default)]
pub(in crate::engine) struct Scans {
    bodies: Vec<BodyScan>,
    checker: Option<Box<Checker>>,
}

/// The program's check, and what it is to look at.
struct Checker {
    check: Box<dyn Check>,
    /// By the places of connections.
    replies: Vec<Caught>,
    /// Why it is not asked any more.
    failure: Option<String>,
    /// When it first rejected a reply, and why.
    first: Option<(Nanos, Rejected)>,
}

/// A reply that is kept for the check.
#[derive(Debug, Default)]
struct Caught {
    head: Vec<u8>,
    /// The whole head is there, and nothing but it.
    has_head: bool,
    body: Vec<u8>,
    size: u64,
}

/// Takes the body of a reply that is kept, and scans it if it is to be.
struct Catching<'a> {
    scanning: Option<Scanning<'a>>,
    caught: &'a mut Caught,
}

impl Sink for Catching<'_> {
    const TAKES_BODY: bool = true;

    fn body(&mut self, bytes: &[u8]) {
        if let Some(scanning) = &mut self.scanning {
            scanning.body(bytes);
        }
        self.caught.size += bytes.len() as u64;
        let room = LONGEST_BODY - self.caught.body.len();
        self.caught.body.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

impl Caught {
    fn begin(&mut self) {
        self.head.clear();
        self.has_head = false;
        self.size = 0;
        self.body.clear();
        if self.body.capacity() > KEPT_BUFFER {
            self.body = Vec::new();
        }
    }

    /// Takes what the parser consumed while the head was not there: lines of it, with interim
    /// heads before it (RFC 9110 §15.2) and a piece of the body behind it.
    fn take_head(&mut self, bytes: &[u8]) {
        self.head.extend_from_slice(bytes);
        while let Some(length) = length_of_head(&self.head) {
            // `HTTP/1.1 103`, which the parser has seen to; 101 is final.
            let status = self.head.get(9..12).unwrap_or_default();
            if !status.starts_with(b"1") || status == b"101" {
                self.head.truncate(length);
                self.has_head = true;
                return;
            }
            self.head.drain(..length);
        }
    }
}

/// How many bytes a head has with the empty line that ends it, if that is there.
fn length_of_head(bytes: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'\n', bytes).find_map(|at| match &bytes[at + 1..] {
        [b'\n', ..] => Some(at + 2),
        [b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    })
}

impl Scans {
    /// Lets this check look at all replies.
    pub(super) fn checked_by(check: Option<Box<dyn Check>>) -> Self {
        let checker = |check| Checker { check, replies: Vec::new(), failure: None, first: None };
        Self { bodies: Vec::new(), checker: check.map(checker).map(Box::new) }
    }

    /// Whether there is a check.
    pub(super) fn check(&self) -> bool {
        self.checker.is_some()
    }

    /// Whether replies to these requests are looked at as they come.
    #[inline]
    pub(super) fn look_at(&self, requests: &Requests) -> bool {
        requests.scans() || self.check()
    }

    /// Why the check is not asked any more, if it broke down.
    pub(super) fn failure(&self) -> Option<&str> {
        self.checker.as_ref()?.failure.as_deref()
    }

    /// When the check first rejected a reply, and why.
    pub(super) fn first_rejected(&mut self) -> Option<(Nanos, String)> {
        let (at, why) = self.checker.as_mut()?.first.take()?;
        Some((at, why.to_string()))
    }

    /// Gives bytes to the reply that a connection at this place waits for, and looks at it as
    /// far as somebody wants to know of it.
    #[inline(never)]
    pub(super) fn advance<P: Protocol>(
        &mut self,
        index: u32,
        connection: &mut Connection<P>,
        heads: &mut P::Heads,
        bytes: &[u8],
        requests: &Requests,
    ) -> Result<(usize, Progress), NotAReply> {
        let is_fresh = connection.reply.is_fresh();
        let scanning = requests.scans().then(|| {
            let expected = requests.expected(connection.call.request);
            scanning(&mut self.bodies, index, is_fresh, expected)
        });
        let Some(checker) = &mut self.checker else {
            let Some(mut scanning) = scanning else {
                return connection.reply.advance(heads, bytes, &mut ());
            };
            return connection.reply.advance(heads, bytes, &mut scanning);
        };
        let caught = at(&mut checker.replies, index);
        if is_fresh {
            caught.begin();
        }
        let mut catching = Catching { scanning, caught };
        let came = connection.reply.advance(heads, bytes, &mut catching)?;
        if !caught.has_head {
            caught.take_head(&bytes[..came.0]);
        }
        Ok(came)
    }

    /// What looks at the body of a reply at this place, of which (`is_fresh`) nothing was read
    /// yet.
    pub(super) fn scanning<'a>(
        &'a mut self,
        index: u32,
        is_fresh: bool,
        expected: &'a Expected,
    ) -> Scanning<'a> {
        scanning(&mut self.bodies, index, is_fresh, expected)
    }
}

fn scanning<'a>(
    bodies: &'a mut Vec<BodyScan>,
    index: u32,
    is_fresh: bool,
    expected: &'a Expected,
) -> Scanning<'a> {
    let scan = at(bodies, index);
    if is_fresh {
        scan.begin(expected);
    }
    Scanning { expected, scan }
}

/// What stands at a place, which there may be none of yet.
fn at<T: Default>(all: &mut Vec<T>, index: u32) -> &mut T {
    let place = index as usize;
    if all.len() <= place {
        all.resize_with(place + 1, T::default);
    }
    &mut all[place]
}

impl Checker {
    /// Whether a reply that is complete since `now` is good; `None`: there is nobody to ask any
    /// more. Of `reply` head and body are not there yet.
    fn approves(&mut self, index: u32, reply: Reply<'_>, now: Option<Nanos>) -> Option<bool> {
        if self.failure.is_some() {
            return None;
        }
        let Caught { head, body, size, .. } = at(&mut self.replies, index);
        let reply = Reply { head, body, size: *size, ..reply };
        match check::ask(&mut *self.check, &reply) {
            Ok(Ok(())) => Some(true),
            Ok(Err(why)) => {
                if let Some(now) = now {
                    self.first.get_or_insert((now, why));
                }
                Some(false)
            }
            Err(why) => {
                self.failure = Some(why);
                None
            }
        }
    }
}

impl<P: Protocol> Worker<P> {
    /// How a call ended whose reply is complete since `now`, with this status.
    #[inline]
    pub(super) fn outcome_of(&mut self, index: u32, status: u16, now: Nanos) -> Outcome {
        if self.expecting { self.judged(index, status, now) } else { Outcome::Answered(status) }
    }

    #[inline(never)]
    fn judged(&mut self, index: u32, status: u16, now: Nanos) -> Outcome {
        let connection = &self.slab[index];
        let request = connection.call.request;
        let load = &self.loads[usize::from(connection.load)];
        let requests = &load.requests;
        if requests.expect() {
            let scripts = load.scripts.as_ref();
            let (is_head, expected) = match scripts.filter(|_| connection.session.is_some()) {
                Some(scripts) => {
                    let of_script = scripts.request(request);
                    (of_script.is_some_and(|request| request.is_head), requests.expected_of_all())
                }
                None => (requests.is_head(request), requests.expected(request)),
            };
            // A reply to HEAD has no body to be looked at.
            let scan = self.scans.bodies.get(index as usize);
            let scan = scan.filter(|_| !is_head && requests.scans());
            if let Some(miss) = expected.miss(status, scan) {
                return Outcome::Wrong(status, miss);
            }
        }
        let Some(checker) = &mut self.scans.checker else {
            return match requests.expect() {
                true => Outcome::AsExpected(status),
                false => Outcome::Answered(status),
            };
        };
        let (load, request) = (load.id.number, requests.number(request));
        let reply = Reply { status, head: &[], body: &[], size: 0, load, request };
        // Examples are of the calls that are counted.
        let counts = self.slab[index].call.intended >= self.recorder.warmup_end();
        match checker.approves(index, reply, counts.then_some(now)) {
            Some(true) => Outcome::AsExpected(status),
            Some(false) => Outcome::Wrong(status, Miss::Check),
            None => Outcome::Answered(status),
        }
    }
}
