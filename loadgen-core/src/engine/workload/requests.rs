//! The requests of a run: their bytes are encoded once, and shared by all workers and
//! connections. A call names its request by its number.

use crate::protocol::http1::request::RequestBytes;
use crate::request::Request;
use crate::target::Target;

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
    pub(crate) many: Box<[u8]>,
    /// Its reply has no body.
    pub(crate) is_head: bool,
    /// It may be sent again without asking (RFC 9110 §9.2.2).
    pub(crate) is_idempotent: bool,
}

impl Prepared {
    /// The same bytes wherever it stands on a connection; it is not sent again unasked.
    pub(crate) fn alike(request: RequestBytes, is_head: bool) -> Self {
        let RequestBytes { bytes, head } = request;
        let keep = bytes.into();
        Self { keep, last: None, head, many: Box::default(), is_head, is_idempotent: false }
    }

    /// As the last one of a connection that the server is to close.
    #[inline]
    pub(crate) fn last(&self) -> &[u8] {
        self.last.as_deref().unwrap_or(&self.keep)
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

/// The requests of a run; never empty.
#[derive(Debug)]
pub(crate) struct Requests(Box<[Prepared]>);

impl Requests {
    /// The one that all calls make.
    pub(crate) fn one(request: &Request, target: &Target, pipeline: u32) -> Self {
        Self([Prepared::new(request, target, pipeline)].into())
    }

    /// Which request the arrival of this number in the run makes, whichever worker takes
    /// it. The number is asked for only if it matters.
    #[inline]
    pub(crate) fn of_arrival(&self, number: impl FnOnce() -> u64) -> RequestId {
        match self.0.len() {
            1 => 0,
            // A plan has fewer than 2^32.
            n => (number() % n as u64) as RequestId,
        }
    }

    #[inline]
    pub(crate) fn get(&self, id: RequestId) -> &Prepared {
        &self.0[id as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_take_turns_by_the_number_of_the_arrival() {
        let target = Target::parse("http://h/").unwrap();
        let of = |method: &str| Prepared::new(&Request::get().with_method(method), &target, 1);
        let requests = Requests([of("GET"), of("HEAD"), of("POST")].into());
        let turns: Vec<RequestId> = (0..5).map(|k| requests.of_arrival(|| k)).collect();
        assert_eq!(turns, [0, 1, 2, 0, 1]);
        let kinds = |id| (requests.get(id).is_head, requests.get(id).is_idempotent);
        assert_eq!([0, 1, 2].map(kinds), [(false, true), (true, true), (false, false)]);
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
