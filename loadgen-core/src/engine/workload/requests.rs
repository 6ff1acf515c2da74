//! The requests of a run: their bytes are encoded once, and shared by all workers and
//! connections. A call names its request by its number.

use std::collections::HashMap;
use std::iter;

use crate::error::WorkloadFileError;
use crate::expectation::{Expectation, Expected};
use crate::plan::Plan;
use crate::protocol::http1::request::RequestBytes;
use crate::request::Request;
use crate::target::Target;
use crate::workload_file::{ListedRequest, RequestOrder, Turns};

/// Requests that leave in one piece have at most this many bytes, if there are
/// more than one.
const MANY: usize = 16 * 1024;

/// A request by its number in [`Requests`].
pub(crate) type RequestId = u32;

/// One request, ready to be sent.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// As sent in mid-connection.
    pub(crate) keep: Box<[u8]>,
    /// As the last one of a connection that the server is to close, if that is another.
    last: Option<Box<[u8]>>,
    /// How many bytes of it are the head.
    pub(crate) head: usize,
    /// Several in mid-connection, to leave in one piece; empty unless calls are pipelined.
    many: Box<[u8]>,
    /// Its reply has no body.
    pub(crate) is_head: bool,
    /// It may be sent again without asking (RFC 9110 §9.2.2).
    is_idempotent: bool,
}

impl Prepared {
    /// The same bytes wherever it stands on a connection; it is not sent again unasked.
    pub(crate) fn alike(request: RequestBytes, is_head: bool) -> Self {
        let RequestBytes { bytes, head } = request;
        let keep = bytes.into();
        Self { keep, last: None, head, many: Box::default(), is_head, is_idempotent: false }
    }

    #[inline]
    fn sent(&self) -> Sent<'_> {
        Sent {
            keep: &self.keep,
            head: self.head as u32,
            many: &self.many,
            last: Some(self.last.as_deref().unwrap_or(&self.keep)),
            is_head: self.is_head,
            is_idempotent: self.is_idempotent,
        }
    }

    /// `pipeline` calls of it may be in flight on a connection.
    fn new(request: &Request, target: &Target, pipeline: u32) -> Self {
        let RequestBytes { bytes: keep, head } = request.encode(target, false);
        let together = (MANY / keep.len().max(1)).clamp(1, pipeline as usize);
        let many = if pipeline > 1 { keep.repeat(together) } else { Vec::new() };
        Self {
            head,
            keep: keep.into(),
            last: Some(request.encode(target, true).bytes.into()),
            many: many.into(),
            is_head: request.is_head(),
            is_idempotent: request.is_idempotent(),
        }
    }
}

/// One request, as a worker sends it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent<'a> {
    /// As sent in mid-connection.
    pub(crate) keep: &'a [u8],
    /// How many bytes of it are the head.
    head: u32,
    /// See [`Prepared`].
    pub(crate) many: &'a [u8],
    last: Option<&'a [u8]>,
    pub(crate) is_head: bool,
    pub(crate) is_idempotent: bool,
}

impl<'a> Sent<'a> {
    /// As the last one of a connection that the server is to close. Of many requests it is
    /// put together in `room`.
    #[inline]
    pub(crate) fn last(&self, room: &'a mut Vec<u8>) -> &'a [u8] {
        match self.last {
            Some(last) => last,
            None => self.put_together(room),
        }
    }

    #[inline(never)]
    fn put_together(&self, room: &'a mut Vec<u8>) -> &'a [u8] {
        let (lines, rest) = self.keep.split_at(self.head as usize - END_OF_HEAD);
        room.clear();
        for part in [lines, CLOSE, rest] {
            room.extend_from_slice(part);
        }
        room
    }
}

/// What asks the server to close, in the last request of a connection.
const CLOSE: &[u8] = b"Connection: close\r\n";

/// The empty line that ends a head.
const END_OF_HEAD: usize = 2;

/// The requests of a run; never empty.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    table: Table,
    /// What is expected of replies: first what is of all, then what is of single requests,
    /// too. Empty: nothing is expected of any.
    expected: Vec<Expected>,
    /// Which of these, of each request; empty: the first of all.
    expected_of: Box<[u16]>,
}

#[derive(Debug)]
enum Table {
    /// The one that all calls make.
    One(Box<Prepared>),
    /// Several, in turns.
    Many(Box<Many>),
}

/// Many requests: their bytes one behind the other, and 16 bytes to find each.
#[derive(Debug)]
pub(crate) struct Many {
    chunks: Vec<Box<[u8]>>,
    places: Box<[PlaceOf]>,
    turns: Turns,
    /// Names of tags by their numbers; empty if no request has one.
    tags: Vec<String>,
}

/// Where a request is.
#[derive(Debug, Clone, Copy)]
struct PlaceOf {
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
const CHUNK: usize = 1 << 20;

/// Most different things that single requests of a list may expect.
const MOST_EXPECTATIONS: usize = 1_000;

/// Puts requests one behind the other.
#[derive(Debug, Default)]
struct Builder {
    full: Vec<Box<[u8]>>,
    chunk: Vec<u8>,
    places: Vec<PlaceOf>,
    weights: Vec<f32>,
    tags: Tags,
    /// Of the requests that have any: the texts of what is expected, by their number.
    expectations: Vec<Vec<Expectation>>,
    expected_of: Vec<u16>,
    too_large: bool,
    too_many_expectations: bool,
}

/// Numbers of tags: 0 of requests without one, then as they come, and one of all beyond
/// [`MOST_TAGS`].
#[derive(Debug, Default)]
struct Tags {
    names: Vec<String>,
    numbers: HashMap<String, u8>,
}

/// Most tags that have figures of their own.
const MOST_TAGS: usize = 64;

/// What requests without a tag stand under where others have one.
const UNTAGGED: &str = "untagged";

/// What those of tags beyond [`MOST_TAGS`] stand under.
const OTHER: &str = "other";

impl Tags {
    fn number(&mut self, tag: Option<&str>) -> u8 {
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
    fn add(&mut self, listed: &ListedRequest, target: &Target) {
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

    fn many(mut self, order: RequestOrder) -> Option<Many> {
        self.full.push(self.chunk.into());
        let turns = Turns::new(order, self.places.len() as u64, &self.weights);
        let (chunks, places, tags) = (self.full, self.places.into(), self.tags.names);
        (!self.too_large).then_some(Many { chunks, places, turns, tags })
    }
}

/// None yet.
impl Default for Table {
    fn default() -> Self {
        Self::Many(Box::new(Many {
            chunks: Vec::new(),
            places: Box::default(),
            turns: Turns::Sequential { n: 1 },
            tags: Vec::new(),
        }))
    }
}

impl Requests {
    /// Those of a plan, which are read if they stand in a file.
    ///
    /// # Errors
    /// [`WorkloadFileError`] if that cannot be used.
    pub(crate) fn of(plan: &mut Plan) -> Result<Self, WorkloadFileError> {
        let request = plan.request().into_owned();
        let Some(list) = plan.requests.as_mut() else {
            let pipeline = plan.streams().map(|stream| stream.pipeline).max().unwrap_or(1);
            let one = Prepared::new(&request, &plan.target, pipeline);
            let expected = match plan.expect.is_empty() {
                true => Vec::new(),
                false => vec![Expected::new(&plan.expect)],
            };
            let table = Table::One(Box::new(one));
            return Ok(Self { table, expected, expected_of: Box::default() });
        };
        let mut builder = Builder::default();
        list.read(&request, &plan.target, &mut |listed| builder.add(&listed, &plan.target))?;
        let wrong = |reason: &str| list.content(reason.to_owned());
        if list.order() == RequestOrder::Weighted && builder.weights.iter().all(|w| *w == 0.0) {
            return Err(wrong("no request has a weight above 0, by which a weighted order draws"));
        }
        if builder.too_many_expectations {
            return Err(wrong("more than 1000 different things are expected of its requests"));
        }
        let own = std::mem::take(&mut builder.expectations);
        let expected_of = match own.is_empty() {
            true => Box::default(),
            false => std::mem::take(&mut builder.expected_of).into(),
        };
        let expected = match own.is_empty() && plan.expect.is_empty() {
            true => Vec::new(),
            false => iter::once(&Vec::new())
                .chain(&own)
                .map(|own| Expected::new(plan.expect.iter().chain(own)))
                .collect(),
        };
        let many = builder.many(list.order());
        let many = many.ok_or_else(|| wrong("its requests have more than 64 GiB"))?;
        Ok(Self { table: Table::Many(Box::new(many)), expected, expected_of })
    }

    /// Whether anything is expected of replies.
    #[inline]
    pub(crate) fn expect(&self) -> bool {
        !self.expected.is_empty()
    }

    /// Whether bodies are looked at for it.
    pub(crate) fn scans(&self) -> bool {
        self.expected.iter().any(Expected::scans)
    }

    /// What is expected of the reply to a request, where anything is of any.
    pub(crate) fn expected(&self, id: RequestId) -> &Expected {
        let place = self.expected_of.get(id as usize).copied().unwrap_or(0);
        &self.expected[usize::from(place)]
    }

    /// Which request the arrival of this number in the run makes, whichever worker takes
    /// it. The number is asked for only if it matters.
    #[inline]
    pub(crate) fn of_arrival(&self, seed: u64, number: impl FnOnce() -> u64) -> RequestId {
        match &self.table {
            Table::One(_) => 0,
            Table::Many(many) => many.turns.of(number(), seed),
        }
    }

    /// Names of tags by their numbers; empty if no request has one.
    pub(crate) fn tags(&self) -> &[String] {
        match &self.table {
            Table::One(_) => &[],
            Table::Many(many) => &many.tags,
        }
    }

    /// The number of the tag of a request.
    #[inline]
    pub(crate) fn tag(&self, id: RequestId) -> u8 {
        match &self.table {
            Table::One(_) => 0,
            Table::Many(many) => many.places[id as usize].tag,
        }
    }

    #[inline]
    pub(crate) fn get(&self, id: RequestId) -> Sent<'_> {
        match &self.table {
            Table::One(one) => one.sent(),
            Table::Many(many) => many.get(id),
        }
    }
}

impl Many {
    #[inline]
    fn get(&self, id: RequestId) -> Sent<'_> {
        let place = &self.places[id as usize];
        let (start, end) = (place.offset as usize, place.offset as usize + place.length as usize);
        let keep = &self.chunks[usize::from(place.chunk)][start..end];
        Sent {
            keep,
            head: place.head,
            many: &[],
            last: (place.flags & HAS_CONNECTION != 0).then_some(keep),
            is_head: place.flags & IS_HEAD != 0,
            is_idempotent: place.flags & IS_IDEMPOTENT != 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RequestList, Schedule, Stream};

    fn target() -> Target {
        Target::parse("http://h/").unwrap()
    }

    fn plan(list: impl IntoIterator<Item = ListedRequest>, order: RequestOrder) -> Plan {
        let load = Stream::established(Schedule::constant(1.0));
        Plan::new(target(), load).with_requests(RequestList::given(list).with_order(order))
    }

    #[test]
    fn requests_take_turns_by_the_number_of_the_arrival() {
        let of = |method: &str| ListedRequest::new(Request::get().with_method(method), "/");
        let mut plan = plan(["GET", "HEAD", "POST"].map(of), RequestOrder::Sequential);
        let requests = Requests::of(&mut plan).unwrap();
        let turns: Vec<RequestId> = (0..5).map(|k| requests.of_arrival(1, || k)).collect();
        assert_eq!(turns, [0, 1, 2, 0, 1]);
        let kinds = |id| (requests.get(id).is_head, requests.get(id).is_idempotent);
        assert_eq!([0, 1, 2].map(kinds), [(false, true), (true, true), (false, false)]);
        assert_eq!(plan.requests.unwrap().count(), Some(3));
    }

    #[test]
    fn many_requests_are_the_bytes_that_each_would_be_alone() {
        // Some cross the border of a chunk, and one is larger than a chunk.
        let of = |k: usize| {
            let body = vec![b'x'; if k == 700 { 3 * CHUNK } else { k * 7 }];
            let request = Request::get().with_method("PUT").with_body(body);
            let close = ("Connection", "keep-alive");
            let request = if k % 3 == 0 { request.with_header(close.0, close.1) } else { request };
            ListedRequest::new(request, &format!("/{k}"))
        };
        let all: Vec<ListedRequest> = (0..1_000).map(of).collect();
        let mut plan = plan(all.clone(), RequestOrder::Sequential);
        let requests = Requests::of(&mut plan).unwrap();
        let mut room = Vec::new();
        for (listed, id) in all.iter().zip(0..) {
            let request = listed.request.clone().with_path(&listed.path);
            let alone = |close| request.encode(&target(), close).bytes;
            assert_eq!(requests.get(id).keep, alone(false), "{id}");
            assert_eq!(text(requests.get(id).last(&mut room)), text(&alone(true)), "{id}");
        }
        let Table::Many(many) = requests.table else { unreachable!() };
        assert_eq!(size_of::<PlaceOf>(), 16);
        assert!(many.chunks.len() < 10, "{}", many.chunks.len());
    }

    /// A request with its headers sorted: where `Connection` stands does not matter.
    fn text(bytes: &[u8]) -> (Vec<String>, usize) {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let mut lines: Vec<String> = head.split("\r\n").map(str::to_owned).collect();
        lines[1..].sort();
        (lines, bytes.len() - end)
    }

    #[test]
    fn tags_are_numbered_as_they_come_and_the_rest_is_other() {
        let of =
            |tag: Option<String>| ListedRequest { tag, ..ListedRequest::new(Request::get(), "/") };
        let named = (0..70).map(|k| of(Some(format!("t{}", k % 66))));
        let mut plan = plan(named.chain([of(None)]), RequestOrder::Sequential);
        let requests = Requests::of(&mut plan).unwrap();
        let name = |id| requests.tags()[usize::from(requests.tag(id))].as_str();
        assert_eq!([name(0), name(63), name(64), name(65)], ["t0", "t63", "other", "other"]);
        assert_eq!([name(66), name(70)], ["t0", "untagged"]);
        assert_eq!(requests.tags().len(), 66);
        let mut plain = self::plan([of(None)], RequestOrder::Sequential);
        assert!(Requests::of(&mut plain).unwrap().tags().is_empty());
    }

    #[test]
    fn those_that_leave_together_are_whole() {
        let target = Target::parse("http://h/").unwrap();
        let request = Request::get();
        let alone = Prepared::new(&request, &target, 1);
        assert!(alone.many.is_empty());
        for pipeline in [2, 1024] {
            let many = Prepared::new(&request, &target, pipeline).many;
            assert!(many.len().is_multiple_of(alone.keep.len()) && many.len() <= MANY);
            assert!(many.chunks(alone.keep.len()).all(|one| *one == *alone.keep));
        }
    }
}
