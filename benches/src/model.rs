//! The analytic truth of a server that answers after a fixed delay and freezes at
//! known times, loaded through a pool of connections.
//!
//! A call of the schedule takes the connection that becomes free first; if none
//! is free and the pool is at its limit, it waits. The server reads a request at
//! once, or at the end of a freeze; the reply leaves `delay` later, or at the end
//! of the freeze in which it would leave. Nothing else takes time, so that the
//! model is what an ideal instrument would measure.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use loadgen_core::clock::Nanos;

/// A server that freezes, in times of the run.
#[derive(Debug, Clone)]
pub struct FreezingServer {
    /// From reading a request to its reply.
    pub delay: Nanos,
    /// Start and end of each freeze, in order.
    pub freezes: Vec<(Nanos, Nanos)>,
}

impl FreezingServer {
    /// When the reply to a request that was sent at `sent` is complete.
    #[must_use]
    pub fn reply_at(&self, sent: Nanos) -> Nanos {
        self.after_freeze(self.after_freeze(sent) + self.delay)
    }

    fn after_freeze(&self, at: Nanos) -> Nanos {
        let frozen = self.freezes.iter().find(|(start, end)| (*start..*end).contains(&at));
        frozen.map_or(at, |(_, end)| *end)
    }

    /// The response times, sorted, of calls with the intended starts `starts`, over
    /// at most `connections` connections.
    #[must_use]
    pub fn response_times(
        &self,
        starts: impl Iterator<Item = Nanos>,
        connections: usize,
    ) -> Vec<Nanos> {
        let mut busy = BinaryHeap::new();
        let mut times: Vec<Nanos> = starts
            .map(|intended| {
                let free = if busy.len() < connections {
                    intended
                } else {
                    busy.pop().map_or(intended, |Reverse(free)| intended.max(free))
                };
                let done = self.reply_at(free);
                busy.push(Reverse(done));
                done - intended
            })
            .collect();
        times.sort_unstable();
        times
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> FreezingServer {
        FreezingServer { delay: 10, freezes: vec![(100, 150), (300, 350)] }
    }

    #[test]
    fn replies_wait_for_the_end_of_a_freeze() {
        let server = server();
        assert_eq!(server.reply_at(0), 10);
        assert_eq!(server.reply_at(95), 150);
        assert_eq!(server.reply_at(100), 160);
        assert_eq!(server.reply_at(149), 160);
        assert_eq!(server.reply_at(150), 160);
    }

    #[test]
    fn a_small_pool_makes_calls_wait() {
        let server = FreezingServer { delay: 10, freezes: vec![] };
        assert_eq!(server.response_times([0, 1, 2].into_iter(), 3), [10, 10, 10]);
        assert_eq!(server.response_times([0, 1, 2].into_iter(), 1), [10, 19, 28]);
        assert_eq!(server.response_times([0, 1, 50].into_iter(), 1), [10, 10, 19]);
    }
}
