//! The reader as a protocol of the worker.

use super::{State, TolerantReader};
use crate::protocol::{Heads, NotAReply, Progress, Protocol, ReplySizes, Sink, Truncated};

/// Each head is read.
#[derive(Debug, Default)]
pub(crate) struct NoHeads;

impl Heads for NoHeads {
    fn before_large_body(&self, _: u64) -> Option<usize> {
        None
    }

    fn is_new(&mut self) -> bool {
        false
    }

    fn date_s(&self) -> Option<i64> {
        None
    }

    fn forget(&mut self) {}
}

/// HTTP/1 as httperf takes it.
impl Protocol for TolerantReader {
    type Heads = NoHeads;

    fn reply_to(is_head: bool) -> Self {
        Self::new(is_head)
    }

    fn advance<S: Sink>(
        &mut self,
        _: &mut NoHeads,
        bytes: &[u8],
        sink: &mut S,
    ) -> Result<(usize, Progress), NotAReply> {
        Self::advance(self, bytes, sink).map_err(|_| NotAReply)
    }

    fn end_of_stream(&mut self) -> Result<(), Truncated> {
        Self::end_of_stream(self)
    }

    fn droppable(&self) -> u64 {
        self.discardable()
    }

    fn dropped(&mut self, bytes: u64) -> Progress {
        self.discarded(bytes)
    }

    fn is_fresh(&self) -> bool {
        self.state == State::StatusLine && self.lines == 0 && self.interim == 0
    }

    fn has_status(&self) -> bool {
        self.begun
    }

    fn status(&self) -> u32 {
        Self::status(self)
    }

    fn keep_alive(&self) -> bool {
        self.state == State::Done && !self.closes
    }

    fn sizes(&self) -> Option<ReplySizes> {
        Some(self.sizes)
    }
}
