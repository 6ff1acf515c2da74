//! One request, ready to be sent.

use crate::protocol::http1::request::RequestBytes;
use crate::request::Request;
use crate::target::Target;

/// A request by its number among those of a run.
pub(crate) type RequestId = u32;

/// Requests that leave in one piece have at most this many bytes, if there are
/// more than one.
pub(super) const MANY: usize = 16 * 1024;

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
    pub(super) many: Box<[u8]>,
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
    pub(super) fn sent(&self) -> Sent<'_> {
        Sent {
            keep: &self.keep,
            head: self.head as u32,
            many: &self.many,
            last: Some(self.last.as_deref().unwrap_or(&self.keep)),
            is_idempotent: self.is_idempotent,
        }
    }

    /// `pipeline` calls of it may be in flight on a connection.
    pub(super) fn new(request: &Request, target: &Target, pipeline: u32) -> Self {
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
    pub(super) head: u32,
    /// See [`Prepared`].
    pub(crate) many: &'a [u8],
    pub(super) last: Option<&'a [u8]>,
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
