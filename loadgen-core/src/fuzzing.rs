//! Private parts for fuzz targets and benches, behind the feature `fuzzing`. Not
//! part of the API: it changes without notice.

use crate::clock::{Nanos, SECOND};
use crate::protocol::Progress;
use crate::protocol::http1::{ReplyParser, harness, tolerant};
use crate::record::{CallLog, CallRecord, LoadId, Outcome, Population, Recorder, Timeline};
use crate::{Request, Target};

/// Checks the reply parser with bytes of a fuzzer: the lowest bit of the first says
/// whether the call was a HEAD, the next three say how many of the following
/// bytes are lengths of pieces, and the rest is the reply.
///
/// # Panics
///
/// The parser broke a promise.
pub fn check_reply(data: &[u8]) {
    let Some((reply, head_request, lengths)) = choices(data) else { return };
    harness::check_splits(reply, head_request, &lengths);
    harness::check_oracle(reply);
}

/// Checks the reply reader of sessions with the same bytes as [`check_reply`].
///
/// # Panics
///
/// The reader broke a promise.
pub fn check_tolerant(data: &[u8]) {
    let Some((reply, head_request, lengths)) = choices(data) else { return };
    tolerant::harness::check_splits(reply, head_request, &lengths);
}

/// Checks the readers of lists of requests, logs and data.
///
/// # Panics
///
/// A reader broke a promise.
pub fn check_requests(data: &[u8]) {
    let Ok(target) = Target::parse("http://h/") else { return };
    crate::workload_file::harness::check_readers(data, &target);
}

/// The reply, whether it answers a HEAD, and the lengths of pieces.
fn choices(data: &[u8]) -> Option<(&[u8], bool, Vec<usize>)> {
    let (choice, data) = data.split_first()?;
    let (lengths, reply) = data.split_at_checked(usize::from(choice >> 1 & 7))?;
    let lengths = lengths.iter().map(|length| usize::from(*length)).collect();
    Some((reply, choice & 1 == 1, lengths))
}

/// Parses one reply in one piece: its length and status if it is complete.
#[must_use]
#[inline]
pub fn parse_reply(bytes: &[u8]) -> Option<(usize, u16)> {
    let mut parser = ReplyParser::new(false);
    match parser.advance(bytes) {
        Ok((length, Progress::Done)) => Some((length, parser.status())),
        _ => None,
    }
}

/// The bytes of a request.
#[must_use]
pub fn encode(request: &Request, target: &Target) -> Vec<u8> {
    request.encode(target, false).bytes
}

/// A recorder with calls one after the other.
#[derive(Debug)]
pub struct Recording {
    recorder: Recorder,
    now: Nanos,
}

impl Recording {
    /// One without calls.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "for benches only")]
    pub fn new() -> Self {
        let populations = [Population::Established].into_iter();
        let recorder = Recorder::new(populations, 0, 10 * SECOND, CallLog::with_limit(0));
        Self { recorder, now: 0 }
    }

    /// Records all that the worker does of one call that takes `length` ns; the
    /// next one begins when it ends.
    #[inline]
    pub fn call(&mut self, length: Nanos) {
        let load = LoadId { number: 0, population: Population::Established };
        let intended = self.now;
        let done = intended + length;
        self.recorder.offered(load, intended, None);
        self.recorder.started(load, intended, intended);
        self.recorder.sent_bytes(intended, 60);
        self.recorder.received_bytes(done, 350);
        self.recorder.ended(CallRecord {
            intended,
            sent: intended,
            done,
            bytes: 350,
            outcome: Outcome::Answered(200),
            load: load.number,
            population: load.population,
            tag: 0,
            reused: true,
            retried: false,
            queued: false,
        });
        // A benchmark has more calls than a run: after an hour it begins anew.
        self.now = if done < 3600 * SECOND { done } else { 0 };
    }

    /// The timeline so far.
    #[must_use]
    pub fn timeline(&self) -> MergedTimeline {
        MergedTimeline(self.recorder.timeline.clone())
    }
}

/// A timeline that others are merged into.
#[derive(Debug)]
pub struct MergedTimeline(Timeline);

impl MergedTimeline {
    /// Joins another one.
    pub fn merge(&mut self, other: Self) {
        self.0.merge(other.0);
    }
}
