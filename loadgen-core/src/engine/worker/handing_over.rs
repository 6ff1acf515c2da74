//! What a worker has measured so far is left to whoever asks for it.

use super::Worker;
use crate::clock::Nanos;
use crate::engine::harvest::Harvest;
use crate::net::sys;
use crate::protocol::Protocol;
use crate::record::Tally;

/// What a worker has left so far.
#[derive(Debug, Default)]
pub(in crate::engine) struct Left {
    /// How often it had been asked by then.
    asked: u64,
    totals: Tally,
    /// User and system CPU time of the thread at the start of the load, and when it last left
    /// something.
    begin: (u64, u64),
    cpu: (u64, u64),
}

impl Left {
    /// At the start of the load.
    pub(super) fn begin(&mut self) {
        self.begin = sys::thread_cpu_ns();
        self.cpu = self.begin;
    }

    /// CPU time since the start of the load, by this reading of the thread's.
    pub(super) fn since_begin(&self, cpu: u64) -> u64 {
        cpu.saturating_sub(self.begin.0 + self.begin.1)
    }

    /// CPU time since something was left.
    pub(super) fn cpu(&mut self) -> (u64, u64) {
        let now = sys::thread_cpu_ns();
        let before = std::mem::replace(&mut self.cpu, now);
        (now.0 - before.0, now.1 - before.1)
    }
}

impl<P: Protocol> Worker<P> {
    /// Leaves what there is, if somebody asked.
    pub(super) fn hand_over(&mut self, now: Nanos) {
        let handover = &self.shared.handover;
        let (asked, worker) = (handover.asked(), self.shard as usize);
        if asked == self.left.asked {
            return;
        }
        let Some(empty) = handover.take(worker) else { return };
        self.left.asked = asked;
        self.left.totals.add(&self.recorder.totals());
        let recorder = self.recorder.hand_over(*empty);
        let cpu = self.left.cpu();
        // Of the busiest worker they are of the load alone.
        let (user, system) = self.left.cpu;
        let cpu_of_load = if now < self.end { self.left.since_begin(user + system) } else { 0 };
        let harvest = Harvest {
            recorder,
            kernel: None,
            cpu,
            busiest_cpu: cpu_of_load,
            broken: Vec::new(),
            panicked: 0,
            load_end: self.end.min(now),
            finished: now,
            sessions: None,
            lookups: None,
        };
        handover.leave(worker, harvest);
    }

    /// Calls by now, with those that were left.
    pub(super) fn totals(&self) -> Tally {
        let mut totals = self.recorder.totals();
        totals.add(&self.left.totals);
        totals
    }
}
