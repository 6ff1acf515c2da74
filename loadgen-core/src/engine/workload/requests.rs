//! The requests of a run: their bytes are encoded once, and shared by all workers and
//! connections. A call names its request by its number.

use std::iter;

use super::many::{Builder, Many};
pub(crate) use super::prepared::{Prepared, RequestId, Sent};
use crate::error::WorkloadFileError;
use crate::expectation::Expected;
use crate::plan::Plan;
use crate::schedule::{Schedule, Times};
use crate::workload_file::RequestOrder;

/// The requests of a run; never empty.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    table: Table,
    /// What is expected of replies: first what is of all, then what is of single requests,
    /// too. Empty: nothing is expected of any.
    expected: Vec<Expected>,
    /// Which of these, of each request; empty: the first of all.
    expected_of: Box<[u16]>,
    /// When they came, of those of an access log.
    times: Times,
}

#[derive(Debug)]
enum Table {
    /// The one that all calls make.
    One(Box<Prepared>),
    /// Several, in turns.
    Many(Box<Many>),
}

/// None yet.
impl Default for Table {
    fn default() -> Self {
        Self::Many(Box::new(Many::none()))
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
            let (expected_of, times) = Default::default();
            return Ok(Self { table, expected, expected_of, times });
        };
        let mut builder = Builder::default();
        let times =
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
        if let Schedule::Recorded(recorded) = &mut plan.load.schedule {
            *recorded = recorded.knowing(&times);
        }
        let times = times.into();
        Ok(Self { table: Table::Many(Box::new(many)), expected, expected_of, times })
    }

    /// When they came, in ns from the first, of those of an access log; empty otherwise.
    pub(crate) fn times(&self) -> &Times {
        &self.times
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
            Table::Many(many) => many.tag(id),
        }
    }

    /// Whether any request has a tag.
    pub(crate) fn are_tagged(&self) -> bool {
        !self.tags().is_empty()
    }

    /// Whether the reply to a request has no body.
    #[inline]
    pub(crate) fn is_head(&self, id: RequestId) -> bool {
        match &self.table {
            Table::One(one) => one.is_head,
            Table::Many(many) => many.is_head(id),
        }
    }

    /// A request as sent in mid-connection.
    #[inline]
    pub(crate) fn keep(&self, id: RequestId) -> &[u8] {
        match &self.table {
            Table::One(one) => &one.keep,
            Table::Many(many) => many.keep(id),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::workload::many::{CHUNK, PlaceOf};
    use crate::request::Request;
    use crate::target::Target;
    use crate::workload_file::ListedRequest;
    use crate::{RequestList, Stream};

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
        let kinds = |id| (requests.is_head(id), requests.get(id).is_idempotent);
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
            let request =
                if k.is_multiple_of(3) { request.with_header(close.0, close.1) } else { request };
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
        assert!(many.chunks() < 10, "{}", many.chunks());
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
            assert!(
                many.len().is_multiple_of(alone.keep.len())
                    && many.len() <= super::super::prepared::MANY
            );
            assert!(many.chunks(alone.keep.len()).all(|one| *one == *alone.keep));
        }
    }
}
