//! Whether replies are as expected, where something is.

use super::Worker;
use crate::engine::connection::Connection;
use crate::engine::workload::requests::Requests;
use crate::expectation::{BodyScan, Expected, Scanning};
use crate::protocol::{NotAReply, Progress, Protocol};
use crate::record::Outcome;

/// What is seen of the bodies that a worker's connections read, by their places.
#[derive(Debug, Default)]
pub(in crate::engine) struct Scans(Vec<BodyScan>);

impl Scans {
    /// Gives bytes to the reply that a connection at this place waits for, and looks at its
    /// body for what is expected of it.
    #[inline(never)]
    pub(super) fn advance<P: Protocol>(
        &mut self,
        index: u32,
        connection: &mut Connection<P>,
        heads: &mut P::Heads,
        bytes: &[u8],
        requests: &Requests,
    ) -> Result<(usize, Progress), NotAReply> {
        let expected = requests.expected(connection.call.request);
        let mut scanning = self.scanning(index, connection.reply.is_fresh(), expected);
        connection.reply.advance(heads, bytes, &mut scanning)
    }

    /// What looks at the body of a reply at this place, of which (`is_fresh`) nothing was read
    /// yet.
    pub(super) fn scanning<'a>(
        &'a mut self,
        index: u32,
        is_fresh: bool,
        expected: &'a Expected,
    ) -> Scanning<'a> {
        let place = index as usize;
        if self.0.len() <= place {
            self.0.resize(place + 1, BodyScan::default());
        }
        let scan = &mut self.0[place];
        if is_fresh {
            scan.begin(expected);
        }
        Scanning { expected, scan }
    }
}

impl<P: Protocol> Worker<P> {
    /// How a call ended whose reply is complete, with this status.
    #[inline]
    pub(super) fn outcome_of(&self, index: u32, status: u16) -> Outcome {
        if self.expecting { self.judged(index, status) } else { Outcome::Answered(status) }
    }

    #[inline(never)]
    fn judged(&self, index: u32, status: u16) -> Outcome {
        let connection = &self.slab[index];
        let request = connection.call.request;
        let load = &self.loads[usize::from(connection.load)];
        let requests = &load.requests;
        if !requests.expect() {
            return Outcome::Answered(status);
        }
        let scripts = load.scripts.as_ref();
        let (is_head, expected) = match scripts.filter(|_| connection.session.is_some()) {
            Some(scripts) => {
                let of_script = scripts.request(request);
                (of_script.is_some_and(|request| request.is_head), requests.expected_of_all())
            }
            None => (requests.is_head(request), requests.expected(request)),
        };
        // A reply to HEAD has no body to be looked at.
        let scan = self.scans.0.get(index as usize).filter(|_| !is_head && requests.scans());
        match expected.miss(status, scan) {
            None => Outcome::AsExpected(status),
            Some(miss) => Outcome::Wrong(status, miss),
        }
    }
}
