//! A simulated server that, back from its interruption, first reads all that has piled
//! up and then answers it, one call after the other; and the property that the
//! truth is within the bound.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::clock::{Nanos, SECOND, as_millis};
use crate::event::{Event, EventKind};
use crate::random::SplitMix64;
use crate::record::{CallLog, CallRecord, Population};
use crate::schedule::Schedule;

use super::simulated_outage::answered;
use super::{ImpactInput, impact};

/// A single server that does not run in `[stop, resume)`.
struct Server {
    stop: Nanos,
    resume: Nanos,
    /// Delay of every reply, beside the work.
    service: Nanos,
    /// Work of reading a call, and of answering it.
    read: Nanos,
    reply: Nanos,
}

/// What happens at a time: a start is due (of a newcomer or not), or a kept-alive
/// call is done.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Due(bool),
    Done,
}

impl Server {
    /// The calls of both populations (by intended start), and how many piled up.
    fn calls(&self, due: Vec<(Nanos, bool)>, pool: usize) -> (Vec<CallRecord>, Nanos) {
        let mut events: BinaryHeap<Reverse<(Nanos, What)>> =
            due.into_iter().map(|(at, fresh)| Reverse((at, What::Due(fresh)))).collect();
        let (mut waiting, mut busy) = (VecDeque::new(), 0);
        let (mut pile, mut calls, mut piled) = (Vec::new(), Vec::new(), 0);
        let mut free = self.resume;
        loop {
            let next = events.peek().map_or(Nanos::MAX, |Reverse((at, _))| *at);
            if next >= self.resume && !pile.is_empty() {
                piled = pile.len() as Nanos;
                free = self.resume + piled * self.read;
                for (intended, sent, fresh) in std::mem::take(&mut pile) {
                    free += self.reply;
                    let done = free + self.service;
                    calls.push(record(intended, sent, done, fresh));
                    if !fresh {
                        events.push(Reverse((done, What::Done)));
                    }
                }
                continue;
            }
            let Some(Reverse((now, what))) = events.pop() else { break };
            let (intended, fresh) = match what {
                What::Due(false) if busy >= pool => {
                    waiting.push_back(now);
                    continue;
                }
                What::Due(fresh) => {
                    busy += usize::from(!fresh);
                    (now, fresh)
                }
                What::Done => match waiting.pop_front() {
                    Some(intended) => (intended, false),
                    None => {
                        busy -= 1;
                        continue;
                    }
                },
            };
            let done = if now + self.service < self.stop {
                now + self.service
            } else if now < self.resume {
                pile.push((intended, now, fresh));
                continue;
            } else {
                free = free.max(now) + self.read + self.reply;
                free + self.service
            };
            calls.push(record(intended, now, done, fresh));
            if !fresh {
                events.push(Reverse((done, What::Done)));
            }
        }
        (calls, piled)
    }
}

fn record(intended: Nanos, sent: Nanos, done: Nanos, fresh: bool) -> CallRecord {
    let population = if fresh { Population::Fresh } else { Population::Established };
    CallRecord { queued: sent > intended, ..answered(population, intended, sent, done) }
}

fn world(seed: u64, pool: usize) {
    let mut random = SplitMix64::new(seed);
    let truth = (random.log(20e-3, 5.0) * 1e9) as Nanos;
    let stop = 3 * SECOND + (random.unit() * 1e8) as Nanos;
    // Reading costs from a third of answering up to the double.
    let reply = random.log(10e-6, 100e-6);
    let read = (reply * random.log(1.0 / 3.0, 2.0)).clamp(10e-6, 100e-6);
    let server = Server {
        stop,
        resume: stop + truth,
        service: (random.log(50e-6, 5e-3) * 1e9) as Nanos,
        read: (read * 1e9) as Nanos,
        reply: (reply * 1e9) as Nanos,
    };
    let load_end = server.resume + 3 * SECOND;
    let rates = [random.log(50.0, 1000.0), random.log(50.0, 1000.0)];
    let mut due = Vec::new();
    for (rate, fresh) in rates.into_iter().zip([false, true]) {
        let schedule = Schedule::constant(rate);
        let starts = schedule.starts(random.draw(), 0, 1).take_while(|at| *at < load_end);
        let phase = (random.unit() * 1e9 / rate) as Nanos;
        due.extend(starts.map(|at| (at + phase, fresh)));
    }
    let (calls, piled) = server.calls(due, pool);
    let log: CallLog = calls.into_iter().collect();
    let events = [
        Event::new(EventKind::Fired, 3 * SECOND, 0, "test"),
        Event::new(EventKind::Completed, server.resume, 0, "test"),
    ];
    let mut input = ImpactInput::new("test", &log, &events, load_end);
    (input.established_per_s, input.fresh_per_s) = (Some(rates[0]), Some(rates[1]));
    let outages = impact(&input).migration.outage_ms;
    let truth = as_millis(truth);
    let work = as_millis(piled * (server.read + server.reply));
    for outage in [outages.established.unwrap(), outages.fresh.unwrap()] {
        let what = format!("seed {seed} pool {pool}: truth {truth} ms, {piled} piled, {outage:?}");
        let (gap, bound) = (outage.gap.unwrap(), outage.bound.unwrap());
        assert!(outage.interruption_at_least.unwrap() <= truth, "{what}");
        assert!((gap - truth).abs() <= bound, "{what}");
        let interval = 1e3 / rates[0].min(rates[1]);
        let most = 2.0 * interval + 3.0 * as_millis(server.service) + 12.5 + 8.0 * work;
        assert!(bound <= most, "at most {most}: {what}");
    }
}

#[test]
fn the_truth_is_within_the_bound_behind_a_pile() {
    for seed in 0..150 {
        world(seed, 64);
        world(seed, usize::MAX);
    }
}
