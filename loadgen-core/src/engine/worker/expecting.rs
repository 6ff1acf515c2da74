//! Whether replies are as expected, where something is.

use super::Worker;
use crate::expectation::{BodyScan, Scanning};
use crate::protocol::{NotAReply, Progress, Protocol};
use crate::record::Outcome;

/// What is seen of the bodies that a worker's connections read, by their places.
#[derive(Debug, Default)]
pub(in crate::engine) struct Scans(Vec<BodyScan>);

impl<P: Protocol> Worker<P> {
    /// Gives bytes of the buffer to the reply that a connection waits for.
    #[inline(always)]
    pub(super) fn advance_reply(
        &mut self,
        index: u32,
        from: usize,
        to: usize,
    ) -> Result<(usize, Progress), NotAReply> {
        if self.scanning {
            return self.advance_scanning(index, from, to);
        }
        self.slab[index].reply.advance(&mut self.heads, &self.buffer[from..to], &mut ())
    }

    #[inline(never)]
    fn advance_scanning(
        &mut self,
        index: u32,
        from: usize,
        to: usize,
    ) -> Result<(usize, Progress), NotAReply> {
        let connection = &mut self.slab[index];
        let bytes = &self.buffer[from..to];
        let expected = self.settings.requests.expected(connection.call.request);
        let place = index as usize;
        if self.scans.0.len() <= place {
            self.scans.0.resize(place + 1, BodyScan::default());
        }
        let scan = &mut self.scans.0[place];
        if connection.reply.is_fresh() {
            scan.begin(expected);
        }
        connection.reply.advance(&mut self.heads, bytes, &mut Scanning { expected, scan })
    }

    /// How a call ended whose reply is complete, with this status.
    #[inline]
    pub(super) fn outcome_of(&self, index: u32, status: u16) -> Outcome {
        if self.settings.requests.expect() {
            self.judged(index, status)
        } else {
            Outcome::Answered(status)
        }
    }

    #[inline(never)]
    fn judged(&self, index: u32, status: u16) -> Outcome {
        let requests = &self.settings.requests;
        let request = self.slab[index].call.request;
        // A reply to HEAD has no body to be looked at.
        let has_body = !requests.get(request).is_head;
        let scan = self.scans.0.get(index as usize).filter(|_| has_body && self.scanning);
        match requests.expected(request).miss(status, scan) {
            None => Outcome::AsExpected(status),
            Some(miss) => Outcome::Wrong(status, miss),
        }
    }
}
