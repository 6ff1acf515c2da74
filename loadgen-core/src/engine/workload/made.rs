//! Requests that a source of the embedding program makes, kept for as long as their calls
//! need them.
//!
//! When a call is over its request is not given back: a call may end in many places, and each
//! would have to know. Instead, once as many have been made as were needed at the last count,
//! the worker counts which are still needed ([`Made::keep_only`]); the others' room is used again.
//! That costs a call its share of one walk, and holds at most about twice what is needed.

use std::fmt;

use super::prepared::{RequestId, Sent};
use crate::request_source::{Arrival, RequestBuf, RequestSource, Written, ask};

/// What is said instead of a request, when there is none to be had.
pub(crate) const NO_REQUEST: RequestId = RequestId::MAX;

/// Requests are counted after at least this many, and after at least so many bytes.
const FEWEST: usize = 256;
const FEWEST_BYTES: usize = 1 << 20;

/// A larger buffer is not kept for the next request.
const KEPT_BUFFER: usize = 16 * 1024;

/// One request.
#[derive(Debug)]
struct Kept {
    bytes: Vec<u8>,
    written: Written,
    /// The number of the arrival that it was made for.
    number: u64,
}

/// The requests of one worker.
pub(crate) struct Made {
    source: Box<dyn RequestSource>,
    /// The number of the load that they are of.
    load: u8,
    out: RequestBuf,
    /// The numbers that its tags have in the run.
    tags: Box<[u8]>,
    kept: Vec<Kept>,
    /// Places in `kept` that may be used again.
    free: Vec<RequestId>,
    /// Made since they were last counted, and their bytes.
    since: (usize, usize),
    /// After how many they are counted again, and after how many bytes.
    until: (usize, usize),
    /// Why the source made none.
    failure: Option<String>,
}

impl fmt::Debug for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} requests", self.kept.len())
    }
}

// Apart, so that the way of the requests that are known before is not longer for these.
impl Made {
    /// Those of a worker that has this source for a load, none of them yet. `out` is where
    /// each is made.
    pub(super) fn new(
        source: Box<dyn RequestSource>,
        load: u8,
        out: RequestBuf,
        tags: Box<[u8]>,
    ) -> Self {
        Self {
            source,
            load,
            out,
            tags,
            kept: Vec::new(),
            free: Vec::new(),
            since: (0, 0),
            until: (FEWEST, FEWEST_BYTES),
            failure: None,
        }
    }

    /// Asks for the request of the arrival with this number; [`NO_REQUEST`] if there is none.
    #[cold]
    #[inline(never)]
    pub(super) fn next(&mut self, number: u64) -> RequestId {
        if self.failure.is_some() {
            return NO_REQUEST;
        }
        let arrival = Arrival { number, load: self.load };
        if let Err(why) = ask(&mut *self.source, arrival, &mut self.out) {
            self.failure = Some(why);
            return NO_REQUEST;
        }
        let (id, mut bytes) = match self.free.pop() {
            Some(id) => (id, std::mem::take(&mut self.kept[id as usize].bytes)),
            None => (self.kept.len() as RequestId, Vec::new()),
        };
        let mut written = self.out.write(&mut bytes);
        written.tag = written.tag.checked_sub(1).map_or(0, |own| self.tags[usize::from(own)]);
        self.since = (self.since.0 + 1, self.since.1 + bytes.len());
        let kept = Kept { bytes, written, number };
        match self.kept.get_mut(id as usize) {
            Some(place) => *place = kept,
            None => self.kept.push(kept),
        }
        id
    }

    /// Why the source made none, if it did not.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// Whether it is time to say which are still needed. To find that out takes a look at so
    /// many connections.
    pub(crate) fn is_to_be_counted(&self, connections: usize) -> bool {
        self.since.0 >= self.until.0.max(connections / 4) || self.since.1 >= self.until.1
    }

    /// Only these are still needed.
    pub(crate) fn keep_only(&mut self, needed: impl Iterator<Item = RequestId>) {
        let mut is_needed = vec![false; self.kept.len()];
        let mut counted = (0, 0);
        for id in needed {
            let place = id as usize;
            if let (Some(mark), Some(kept)) = (is_needed.get_mut(place), self.kept.get(place))
                && !std::mem::replace(mark, true)
            {
                counted = (counted.0 + 1, counted.1 + kept.bytes.len());
            }
        }
        self.free.clear();
        for (id, (kept, is_needed)) in (0..).zip(self.kept.iter_mut().zip(&is_needed)) {
            if !is_needed {
                self.free.push(id);
                if kept.bytes.capacity() > KEPT_BUFFER {
                    kept.bytes = Vec::new();
                }
            }
        }
        self.since = (0, 0);
        self.until = (counted.0.max(FEWEST), counted.1.max(FEWEST_BYTES));
    }

    fn of(&self, id: RequestId) -> Option<&Kept> {
        self.kept.get(id as usize)
    }

    /// The number of the arrival that a request was made for.
    #[cold]
    #[inline(never)]
    pub(super) fn number(&self, id: RequestId) -> Option<u64> {
        self.of(id).map(|kept| kept.number)
    }

    #[cold]
    #[inline(never)]
    pub(super) fn tag(&self, id: RequestId) -> u8 {
        self.of(id).map_or(0, |kept| kept.written.tag)
    }

    #[cold]
    #[inline(never)]
    pub(super) fn is_head(&self, id: RequestId) -> bool {
        self.of(id).is_some_and(|kept| kept.written.is_head)
    }

    #[cold]
    #[inline(never)]
    pub(super) fn keep(&self, id: RequestId) -> &[u8] {
        self.of(id).map_or(&[], |kept| &kept.bytes)
    }

    #[cold]
    #[inline(never)]
    pub(super) fn get(&self, id: RequestId) -> Sent<'_> {
        let keep = self.keep(id);
        let of = self.of(id).map(|kept| kept.written);
        Sent {
            keep,
            head: of.map_or(0, |written| written.head as u32),
            many: &[],
            last: of.is_none_or(|written| written.has_connection).then_some(keep),
            is_idempotent: of.is_some_and(|written| written.is_idempotent),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::request::Request;
    use crate::request_source::SourceError;
    use crate::target::Target;

    fn made(source: impl RequestSource + 'static, tags: usize) -> Made {
        let target = Target::parse("http://h/").unwrap();
        let out = RequestBuf::new(&Request::get(), &target, tags);
        Made::new(Box::new(source), 0, out, (1..=tags as u8).collect())
    }

    fn numbered(arrival: Arrival, out: &mut RequestBuf) -> Result<(), SourceError> {
        out.set_path(&format!("/{}", arrival.number))?.set_tag(arrival.number as usize % 2)?;
        Ok(())
    }

    /// Calls that end in any order: each has its own request for as long as it lasts, and the
    /// room that is held goes with those under way, not with those that were.
    #[test]
    fn a_request_lasts_as_long_as_its_call() {
        let mut made = made(numbered, 2);
        let mut calls: HashMap<u64, RequestId> = HashMap::new();
        let mut most = 0;
        for number in 0..50_000_u64 {
            let id = made.next(number);
            calls.insert(number, id);
            most = calls.len().max(most);
            let ended = crate::random::number(1, number) % (number + 1);
            // Some last long, most do not.
            calls.remove(&ended);
            calls.retain(|begun, _| {
                number - begun < 600 || begun % 100 == 0 && number - begun < 9_000
            });
            if made.is_to_be_counted(64) {
                made.keep_only(calls.values().copied());
            }
            if number % 997 == 0 {
                for (number, id) in &calls {
                    let bytes = String::from_utf8(made.keep(*id).to_vec()).unwrap();
                    assert!(bytes.starts_with(&format!("GET /{number} HTTP/1.1\r\n")), "{bytes}");
                    assert_eq!(made.number(*id), Some(*number));
                    assert_eq!(made.tag(*id), (number % 2) as u8 + 1);
                }
            }
        }
        assert!(made.kept.len() <= 2 * most + FEWEST, "{} for {most}", made.kept.len());
    }

    #[test]
    fn large_ones_are_counted_by_their_bytes() {
        let large = |_: Arrival, out: &mut RequestBuf| {
            out.set_body(&vec![0; 1 << 19])?;
            Ok(())
        };
        let mut made = made(large, 0);
        for number in 0..100 {
            made.next(number);
            if made.is_to_be_counted(1) {
                made.keep_only(std::iter::empty());
            }
        }
        assert!(made.kept.len() <= 3, "{}", made.kept.len());
        let held: usize = made.kept.iter().map(|kept| kept.bytes.capacity()).sum();
        assert!(held <= 3 << 20, "{held}");
    }

    #[test]
    fn the_last_of_a_connection_says_so() {
        let mut made = made(
            |arrival: Arrival, out: &mut RequestBuf| {
                if arrival.number == 1 {
                    out.add_header("connection", "keep-alive")?;
                }
                out.set_method(["POST", "HEAD"][arrival.number as usize])?;
                Ok(())
            },
            0,
        );
        let ids = [0, 1].map(|number| made.next(number));
        let mut room = Vec::new();
        let last =
            |id, room: &mut Vec<u8>| String::from_utf8(made.get(id).last(room).to_vec()).unwrap();
        assert!(last(ids[0], &mut room).contains("\r\nConnection: close\r\n\r\n"));
        assert!(!last(ids[1], &mut room).contains("close"));
        let kinds = ids.map(|id| (made.is_head(id), made.get(id).is_idempotent));
        assert_eq!(kinds, [(false, false), (true, true)]);
    }

    #[test]
    fn one_that_fails_is_not_asked_again() {
        let mut asked = 0;
        let mut made = made(
            move |_: Arrival, _: &mut RequestBuf| -> Result<(), SourceError> {
                asked += 1;
                assert!(asked < 3, "asked too often");
                if asked == 2 { Err("dry".into()) } else { Ok(()) }
            },
            0,
        );
        let ids = [0, 1, 2, 3].map(|number| made.next(number));
        assert_eq!(ids, [0, NO_REQUEST, NO_REQUEST, NO_REQUEST]);
        assert!(made.failure().unwrap().ends_with("for arrival 1: dry"));
        assert_eq!((made.keep(NO_REQUEST), made.tag(NO_REQUEST)), (&[][..], 0));
        assert_eq!(made.number(NO_REQUEST), None);
    }
}
