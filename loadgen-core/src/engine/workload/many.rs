//! Many requests: their bytes one behind the other, and 16 bytes to find each.

use std::collections::HashMap;

use super::prepared::{RequestId, Sent};
use crate::expectation::Expectation;
use crate::protocol::http1::request::RequestBytes;
use crate::target::Target;
use crate::workload_file::{ListedRequest, MOST_TAGS, RequestOrder, Turns};

/// Many requests.
#[derive(Debug)]
pub(crate) struct Many {
    chunks: Vec<Box<[u8]>>,
    places: Box<[PlaceOf]>,
    pub(super) turns: Turns,
}

/// Where a request is.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlaceOf {
    offset: u32,
    length: u32,
    head: u32,
    chunk: u16,
    flags: u8,
    tag: u8,
}

const IS_HEAD: u8 = 1;
const IS_IDEMPOTENT: u8 = 2;
/// It has a `Connection` header of its own, which says what becomes of the connection.
const HAS_CONNECTION: u8 = 4;

/// Bytes of a chunk; a larger request has one for itself.
pub(super) const CHUNK: usize = 1 << 20;

/// Most different things that single requests of a list may expect.
const MOST_EXPECTATIONS: usize = 1_000;

impl Many {
    /// How many chunks they take.
    #[cfg(test)]
    pub(super) fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// The number of the tag of a request.
    #[inline]
    pub(super) fn tag(&self, id: RequestId) -> u8 {
        self.places[id as usize].tag
    }

    /// Whether the reply to it has no body.
    #[inline]
    pub(super) fn is_head(&self, id: RequestId) -> bool {
        self.places[id as usize].flags & IS_HEAD != 0
    }

    /// A request as sent in mid-connection.
    #[inline]
    pub(super) fn keep(&self, id: RequestId) -> &[u8] {
        self.bytes(&self.places[id as usize])
    }

    #[inline]
    fn bytes(&self, place: &PlaceOf) -> &[u8] {
        let (start, end) = (place.offset as usize, place.offset as usize + place.length as usize);
        &self.chunks[usize::from(place.chunk)][start..end]
    }

    #[inline]
    pub(super) fn get(&self, id: RequestId) -> Sent<'_> {
        let place = &self.places[id as usize];
        let keep = self.bytes(place);
        Sent {
            keep,
            head: place.head,
            many: &[],
            last: (place.flags & HAS_CONNECTION != 0).then_some(keep),
            is_idempotent: place.flags & IS_IDEMPOTENT != 0,
        }
    }
}

/// Puts requests one behind the other.
#[derive(Debug, Default)]
pub(super) struct Builder {
    full: Vec<Box<[u8]>>,
    chunk: Vec<u8>,
    places: Vec<PlaceOf>,
    pub(super) weights: Vec<f32>,
    tags: Tags,
    /// Of the requests that have any: the texts of what is expected, by their number.
    pub(super) expectations: Vec<Vec<Expectation>>,
    /// Which of these, from 1, of each request; 0: none.
    pub(super) expected_of: Vec<u16>,
    too_large: bool,
    pub(super) too_many_expectations: bool,
}

/// Numbers of tags: 0 of requests without one, then as they come, and one of all beyond
/// [`MOST_TAGS`].
#[derive(Debug, Default)]
pub(super) struct Tags {
    names: Vec<String>,
    numbers: HashMap<String, u8>,
}

/// What requests without a tag stand under where others have one.
const UNTAGGED: &str = "untagged";

/// What those of tags beyond [`MOST_TAGS`] stand under.
const OTHER: &str = "other";

impl Tags {
    /// The names by their numbers; empty if there are none.
    pub(super) fn names(self) -> Vec<String> {
        self.names
    }

    pub(super) fn number(&mut self, tag: Option<&str>) -> u8 {
        let Some(tag) = tag else { return 0 };
        if self.names.is_empty() {
            self.names.push(UNTAGGED.to_owned());
            self.numbers.insert(UNTAGGED.to_owned(), 0);
        }
        if let Some(number) = self.numbers.get(tag) {
            return *number;
        }
        let others = MOST_TAGS + 1;
        let number = self.names.len().min(others);
        if number == self.names.len() {
            self.names.push(if number == others { OTHER } else { tag }.to_owned());
        }
        if number < others {
            self.numbers.insert(tag.to_owned(), number as u8);
        }
        number as u8
    }
}

impl Builder {
    /// One whose requests may have the tags of others.
    pub(super) fn with_tags(tags: Tags) -> Self {
        Self { tags, ..Self::default() }
    }

    pub(super) fn add(&mut self, listed: &ListedRequest, target: &Target) {
        let request = listed.request.clone().with_path(&listed.path);
        let RequestBytes { bytes, head } = request.encode(target, false);
        if self.chunk.len() + bytes.len() > CHUNK && !self.chunk.is_empty() {
            self.full.push(std::mem::take(&mut self.chunk).into());
        }
        let (Ok(chunk), Ok(length), Ok(head)) =
            (u16::try_from(self.full.len()), u32::try_from(bytes.len()), u32::try_from(head))
        else {
            self.too_large = true;
            return;
        };
        if self.chunk.capacity() == 0 {
            self.chunk.reserve_exact(CHUNK.max(bytes.len()));
        }
        let flag = |is_so: bool, flag: u8| if is_so { flag } else { 0 };
        self.places.push(PlaceOf {
            offset: self.chunk.len() as u32,
            length,
            head,
            chunk,
            flags: flag(request.is_head(), IS_HEAD)
                | flag(request.is_idempotent(), IS_IDEMPOTENT)
                | flag(request.headers().iter().any(|h| h.is_named("connection")), HAS_CONNECTION),
            tag: self.tags.number(listed.tag.as_deref()),
        });
        self.chunk.extend_from_slice(&bytes);
        self.weights.push(listed.weight as f32);
        let number = self.number_of(&listed.expect);
        self.expected_of.push(number);
    }

    /// The number of what is expected of a request beside what is of all: 0 of nothing.
    fn number_of(&mut self, expect: &[Expectation]) -> u16 {
        if expect.is_empty() {
            return 0;
        }
        // Requests alike often follow each other.
        let known = self.expectations.iter().rposition(|known| known == expect);
        let place = known.unwrap_or_else(|| {
            self.too_many_expectations |= self.expectations.len() == MOST_EXPECTATIONS;
            if !self.too_many_expectations {
                self.expectations.push(expect.to_vec());
            }
            self.expectations.len() - 1
        });
        place as u16 + 1
    }

    /// The requests, and all tags by now; `None` if they are too large.
    pub(super) fn many(mut self, order: RequestOrder) -> Option<(Many, Tags)> {
        self.full.push(self.chunk.into());
        let turns = Turns::new(order, self.places.len() as u64, &self.weights);
        let (chunks, places) = (self.full, self.places.into());
        (!self.too_large).then_some((Many { chunks, places, turns }, self.tags))
    }
}
