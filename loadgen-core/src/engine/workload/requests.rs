//! The requests of a run. The bytes of those that are known before it are encoded once, and
//! shared by all workers and connections; others are made as their calls come. A call names its
//! request by its number.

use std::iter;
use std::sync::Arc;

use super::made::Made;
pub(crate) use super::made::NO_REQUEST;
use super::many::{Builder, Many, Tags};
pub(crate) use super::prepared::{Prepared, RequestId, Sent};
use crate::error::WorkloadFileError;
use crate::expectation::{Expectation, Expected};
use crate::plan::Plan;
use crate::request::Request;
use crate::request_source::{MakeSource, RequestBuf};
use crate::schedule::Times;
use crate::target::Target;
use crate::workload_file::RequestOrder;

/// The requests of one load, as one worker has them.
#[derive(Debug)]
pub(crate) struct Requests {
    table: Table,
    common: Arc<Common>,
}

#[derive(Debug)]
enum Table {
    /// The one that all calls make.
    One(Arc<Prepared>),
    /// Several, in turns; never none.
    Many(Arc<Many>),
    /// One for each arrival, from a source of this worker.
    Made(Box<Made>),
}

/// What is said of the requests of a load.
#[derive(Debug, Default)]
struct Common {
    /// What is expected of replies: first what is of all, then what is of single requests,
    /// too. Empty: nothing is expected of any.
    expected: Vec<Expected>,
    /// Bodies are looked at for it.
    scans: bool,
    /// Which of these, of each request; empty: the first of all.
    expected_of: Box<[u16]>,
    /// When they came, of those of an access log.
    times: Times,
}

impl Common {
    fn new(expected: Vec<Expected>) -> Self {
        let scans = expected.iter().any(Expected::scans);
        Self { expected, scans, ..Self::default() }
    }
}

/// The requests of all loads of a run.
#[derive(Debug)]
pub(crate) struct RequestsOfRun {
    /// Of each worker, those of each load.
    pub(crate) of_workers: Vec<Vec<Requests>>,
    /// Names of tags by their numbers; empty if no request has one.
    pub(crate) tags: Vec<String>,
    /// When those of each load came, of those of an access log.
    pub(crate) times: Vec<Times>,
}

/// The requests of a load, of which each worker is to have its own.
struct Prepare {
    table: Source,
    common: Arc<Common>,
}

enum Source {
    One(Arc<Prepared>),
    Many(Arc<Many>),
    Made { make: MakeSource, request: Box<Request>, tags: Box<[u8]> },
}

impl RequestsOfRun {
    /// Those of a plan. They are read if they stand in files.
    ///
    /// # Errors
    /// [`WorkloadFileError`] if one of these cannot be used.
    pub(crate) fn new(plan: &mut Plan) -> Result<Self, WorkloadFileError> {
        let mut tags = Tags::default();
        let mut prepared: Vec<Arc<Prepare>> = Vec::new();
        // Loads that say nothing of requests share what the plan says.
        let mut shared: Option<Arc<Prepare>> = None;
        for load in 0..plan.loads().count() {
            let is_shared = plan.load_at(load).has_requests_of_plan();
            let prepare = match shared.as_ref().filter(|_| is_shared) {
                Some(shared) => Arc::clone(shared),
                None => Arc::new(Prepare::new(plan, load, &mut tags)?),
            };
            if is_shared {
                shared = Some(Arc::clone(&prepare));
            }
            plan.load_at_mut(load).know_times(&prepare.common.times);
            prepared.push(prepare);
        }
        let of_worker = |worker| {
            // Processes must not have sources with the same numbers.
            let worker = plan.stripe(worker).of_all().0;
            let of_load = |(prepare, load): (&Arc<Prepare>, u8)| {
                prepare.of_worker(worker, load, &plan.target)
            };
            prepared.iter().zip(0..).map(of_load).collect()
        };
        let times = prepared.iter().map(|prepare| Arc::clone(&prepare.common.times)).collect();
        Ok(Self {
            of_workers: (0..plan.threads).map(of_worker).collect(),
            tags: tags.names(),
            times,
        })
    }
}

impl Prepare {
    fn new(plan: &mut Plan, load: usize, tags: &mut Tags) -> Result<Self, WorkloadFileError> {
        let of = plan.load_at(load);
        let request = plan.request_of(of).into_owned();
        let expected: Vec<Expectation> = plan.expected_of(of).cloned().collect();
        let list = plan.requests_of(of);
        let Some(list) = list else {
            let pipeline = plan.loads().map(|load| load.pipeline).max().unwrap_or(1);
            let one = Arc::new(Prepared::new(&request, &plan.target, pipeline));
            return Ok(Self::of_all(Source::One(one), &expected));
        };
        if let Some((make, names)) = list.source() {
            let make = make.clone();
            let tags = names.iter().map(|name| tags.number(Some(name))).collect();
            let request = Box::new(request);
            return Ok(Self::of_all(Source::Made { make, request, tags }, &expected));
        }
        Self::listed(plan, load, &request, &expected, tags)
    }

    /// The same is expected of the replies to all.
    fn of_all(table: Source, expected: &[Expectation]) -> Self {
        let is_nothing = expected.is_empty();
        let expected = if is_nothing { Vec::new() } else { vec![Expected::new(expected)] };
        Self { table, common: Arc::new(Common::new(expected)) }
    }

    fn listed(
        plan: &mut Plan,
        load: usize,
        request: &Request,
        of_all: &[Expectation],
        tags: &mut Tags,
    ) -> Result<Self, WorkloadFileError> {
        let target = plan.target.clone();
        let Some(list) = plan.requests_at_mut(load) else {
            unreachable!("a load that is asked for its list has one")
        };
        let mut builder = Builder::with_tags(std::mem::take(tags));
        let times = list.read(request, &target, &mut |listed| builder.add(&listed, &target))?;
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
        let expected = match own.is_empty() && of_all.is_empty() {
            true => Vec::new(),
            false => iter::once(&Vec::new())
                .chain(&own)
                .map(|own| Expected::new(of_all.iter().chain(own)))
                .collect(),
        };
        let (many, all_tags) = builder
            .many(list.order())
            .ok_or_else(|| wrong("its requests have more than 64 GiB"))?;
        *tags = all_tags;
        let times = times.into();
        let common = Arc::new(Common { expected_of, times, ..Common::new(expected) });
        Ok(Self { table: Source::Many(Arc::new(many)), common })
    }

    /// What one worker has of them, for the load with this number.
    fn of_worker(&self, worker: u32, load: u8, target: &Target) -> Requests {
        let table = match &self.table {
            Source::One(one) => Table::One(Arc::clone(one)),
            Source::Many(many) => Table::Many(Arc::clone(many)),
            Source::Made { make, request, tags } => {
                let out = RequestBuf::new(request, target, tags.len());
                Table::Made(Box::new(Made::new(make.of_worker(worker), load, out, tags.clone())))
            }
        };
        Requests { table, common: Arc::clone(&self.common) }
    }
}

impl Requests {
    /// Whether anything is expected of replies.
    #[inline]
    pub(crate) fn expect(&self) -> bool {
        !self.common.expected.is_empty()
    }

    /// Whether bodies are looked at for it.
    #[inline]
    pub(crate) fn scans(&self) -> bool {
        self.common.scans
    }

    /// What is expected of the reply to a request, where anything is of any.
    pub(crate) fn expected(&self, id: RequestId) -> &Expected {
        let place = self.common.expected_of.get(id as usize).copied().unwrap_or(0);
        &self.common.expected[usize::from(place)]
    }

    /// What is expected of all replies, where anything is of any.
    pub(crate) fn expected_of_all(&self) -> &Expected {
        &self.common.expected[0]
    }

    /// Which request an arrival makes, whichever worker takes it; [`NO_REQUEST`] if none can
    /// be had. Which number it has is asked for only if it matters.
    #[inline]
    pub(crate) fn of_arrival(&mut self, seed: u64, number: impl FnOnce() -> u64) -> RequestId {
        match self.table {
            Table::One(_) => 0,
            Table::Many(_) | Table::Made(_) => self.of_another_arrival(seed, number()),
        }
    }

    // As what else is of several requests it is no part of the way of the only one.
    #[inline(never)]
    fn of_another_arrival(&mut self, seed: u64, number: u64) -> RequestId {
        match &mut self.table {
            Table::One(_) => 0,
            Table::Many(many) => many.turns.of(number, seed),
            Table::Made(made) => made.next(number),
        }
    }

    /// Which request an arrival would make that is not taken up; [`NO_REQUEST`] if it would
    /// have to be made for it.
    pub(crate) fn of_lost_arrival(&self, seed: u64, number: u64) -> RequestId {
        match &self.table {
            Table::One(_) => 0,
            Table::Many(many) => many.turns.of(number, seed),
            Table::Made(_) => NO_REQUEST,
        }
    }

    /// Whether they are made one by one.
    #[inline]
    pub(crate) fn are_made(&self) -> bool {
        matches!(self.table, Table::Made(_))
    }

    /// Those that are made one by one, if they are.
    pub(crate) fn made_one_by_one(&mut self) -> Option<&mut Made> {
        match &mut self.table {
            Table::Made(made) => Some(made),
            Table::One(_) | Table::Many(_) => None,
        }
    }

    /// What a request is known by outside: its place in the list, or the number of the arrival
    /// that it was made for.
    pub(crate) fn number(&self, id: RequestId) -> Option<u64> {
        match &self.table {
            Table::One(_) | Table::Many(_) => Some(id.into()),
            Table::Made(made) => made.number(id),
        }
    }

    /// The number of the tag of a request.
    #[inline]
    pub(crate) fn tag(&self, id: RequestId) -> u8 {
        match &self.table {
            Table::One(_) => 0,
            Table::Many(many) => many.tag(id),
            Table::Made(made) => made.tag(id),
        }
    }

    /// Whether the reply to a request has no body.
    #[inline]
    pub(crate) fn is_head(&self, id: RequestId) -> bool {
        match &self.table {
            Table::One(one) => one.is_head,
            _ => self.other_is_head(id),
        }
    }

    #[inline(never)]
    fn other_is_head(&self, id: RequestId) -> bool {
        match &self.table {
            Table::One(one) => one.is_head,
            Table::Many(many) => many.is_head(id),
            Table::Made(made) => made.is_head(id),
        }
    }

    /// A request as sent in mid-connection.
    #[inline]
    pub(crate) fn keep(&self, id: RequestId) -> &[u8] {
        match &self.table {
            Table::One(one) => &one.keep,
            _ => self.other_keep(id),
        }
    }

    #[inline(never)]
    fn other_keep(&self, id: RequestId) -> &[u8] {
        match &self.table {
            Table::One(one) => &one.keep,
            Table::Many(many) => many.keep(id),
            Table::Made(made) => made.keep(id),
        }
    }

    #[inline]
    pub(crate) fn get(&self, id: RequestId) -> Sent<'_> {
        match &self.table {
            Table::One(one) => one.sent(),
            Table::Many(many) => many.get(id),
            Table::Made(made) => made.get(id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::workload::many::{CHUNK, PlaceOf};
    use crate::schedule::Schedule;
    use crate::workload_file::ListedRequest;
    use crate::{Load, RequestList};

    fn target() -> Target {
        Target::parse("http://h/").unwrap()
    }

    fn plan(list: impl IntoIterator<Item = ListedRequest>, order: RequestOrder) -> Plan {
        let load = Load::established(Schedule::constant(1.0));
        Plan::new(target(), load).with_requests(RequestList::given(list).with_order(order))
    }

    /// The requests of the main load, and the names of all tags.
    fn of_load(plan: &mut Plan) -> (Requests, Vec<String>) {
        let mut run = RequestsOfRun::new(plan).unwrap();
        (run.of_workers.remove(0).remove(0), run.tags)
    }

    #[test]
    fn requests_take_turns_by_the_number_of_the_arrival() {
        let of = |method: &str| ListedRequest::new(Request::get().with_method(method), "/");
        let mut plan = plan(["GET", "HEAD", "POST"].map(of), RequestOrder::Sequential);
        let (mut requests, _) = of_load(&mut plan);
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
        let (requests, _) = of_load(&mut plan);
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
        let (requests, tags) = of_load(&mut plan);
        let name = |id| tags[usize::from(requests.tag(id))].as_str();
        assert_eq!([name(0), name(63), name(64), name(65)], ["t0", "t63", "other", "other"]);
        assert_eq!([name(66), name(70)], ["t0", "untagged"]);
        assert_eq!(tags.len(), 66);
        let mut plain = self::plan([of(None)], RequestOrder::Sequential);
        assert!(of_load(&mut plain).1.is_empty());
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
