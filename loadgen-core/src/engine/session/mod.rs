//! One thread of a run of sessions. It takes arrivals off its stripe of the
//! schedule, opens connections for each, and ends when all are through.
//!
//! This file is the loop; what a session does next is in `course.rs`, what happens
//! on one connection in `wire.rs`. The other kind of worker, whose calls share a
//! pool of connections, is `engine/worker.rs`.

mod course;
mod page;
mod parts;
mod ports;
mod reading;
mod request;
mod sampling;
mod settings;
mod slots;
mod timers;
mod wire;

use std::io;
use std::sync::Arc;

use parts::{Connection, Session};
use sampling::Sampling;
pub(crate) use settings::{Common, Settings};
use slots::Slots;
use timers::{Owner, Timers};

use super::looks::{LOOK_EVERY, Looks, NOTABLE};
use super::shared::{PUBLISH_EVERY, Shared, Stop};
use super::worker::{BUFFER, Harvest};
use crate::clock::{MILLISECOND, Nanos, as_seconds};
use crate::net::poll::Poll;
use crate::net::sys;
use crate::record::{Recorder, SessionRecord};
use crate::schedule::Starts;
use crate::session::UriWalker;

/// Arrivals taken up before sockets are looked at again.
const BATCH: u32 = 64;

/// Arrivals that are counted although the worker never came to them: a rate that no
/// machine can hold must not take its time after the run.
const MOST_NEVER_TAKEN_UP: u64 = 10_000_000;

/// How often a worker that is through looks whether the others are.
const WAIT_FOR_OTHERS: Nanos = MILLISECOND;

/// One thread of a run of sessions.
pub(crate) struct SessionWorker {
    common: Arc<Common>,
    shared: Arc<Shared>,
    shard: u32,
    poll: Poll,
    connections: Slots<Connection>,
    sessions: Slots<Session>,
    timers: Timers,
    looks: Looks,
    /// Connections whose time limit has passed, but not yet a look at them after it.
    to_be_looked_at: Vec<u64>,
    recorder: Recorder,
    record: SessionRecord,
    buffer: Box<[u8]>,
    origin: u64,
    starts: Starts,
    next_start: Option<Nanos>,
    /// Arrivals taken up, and how many there are in all.
    arrived: u64,
    share: Option<u64>,
    shards: u64,
    /// Calls created.
    made: u64,
    uris: UriWalker,
    next_server: usize,
    /// The connection that is opened next is counted already among those of all workers.
    counted_ahead: bool,
    sources: ports::Sources,
    sampling: Sampling,
}

impl SessionWorker {
    pub(crate) fn new(
        common: Arc<Common>,
        shared: Arc<Shared>,
        shard: u32,
        shards: u32,
        poll: Poll,
        mut starts: Starts,
        recorder: Recorder,
    ) -> Self {
        let settings = &common.settings;
        let (shard_, shards) = (u64::from(shard), u64::from(shards));
        let share = |whole: u64| whole / shards + u64::from(shard_ < whole % shards);
        let first_server = shard as usize % settings.addresses.len();
        let sampling = Sampling::new(settings.first_sample, common.statuses_every);
        Self {
            share: settings.sessions.count.map(share),
            next_start: starts.next(),
            starts,
            uris: UriWalker::new(&settings.sessions.uris),
            sources: ports::Sources::new(&settings.sessions.socket, shard, shards as u32),
            sampling,
            looks: Looks::new(recorder.warmup_end(), Arc::clone(&shared.standstill)),
            common,
            shared,
            shard,
            poll,
            connections: Slots::new(),
            sessions: Slots::new(),
            timers: Timers::default(),
            to_be_looked_at: Vec::new(),
            recorder,
            record: SessionRecord::default(),
            buffer: vec![0; BUFFER].into_boxed_slice(),
            origin: sys::monotonic_ns(),
            arrived: 0,
            made: 0,
            shards,
            next_server: first_server,
            counted_ahead: false,
        }
    }

    /// Now, in ns from the start of the load.
    #[inline]
    fn now(&self) -> Nanos {
        sys::monotonic_ns().saturating_sub(self.origin)
    }

    /// Carries out the load. `origin` is time 0 on `CLOCK_MONOTONIC`. What was
    /// recorded comes back even if the loop breaks.
    pub(crate) fn run(mut self, origin: u64) -> Harvest {
        self.origin = origin;
        sys::minimise_timer_slack();
        let (user, system) = sys::thread_cpu_ns();
        let mut finished = None;
        let broken = self.work(&mut finished).err();
        if broken.is_some() && finished.is_none() {
            self.common.done();
        }
        let finished = finished.unwrap_or_else(|| self.now());
        self.recorder.pauses = self.looks.record;
        self.recorder.pause_log = std::mem::take(&mut self.looks.log);
        self.recorder.load_end = finished;
        self.give_up_the_rest(finished);
        self.publish(finished);
        let (user_end, system_end) = sys::thread_cpu_ns();
        let cpu = (user_end - user, system_end - system);
        Harvest {
            kernel: None,
            recorder: self.recorder,
            cpu,
            cpu_of_load: cpu.0 + cpu.1,
            broken,
            load_end: finished,
            finished,
            sessions: Some(self.record),
        }
    }

    /// The loop. `finished` takes the time at which this worker's part was done.
    fn work(&mut self, finished: &mut Option<Nanos>) -> io::Result<()> {
        while sys::monotonic_ns() < self.origin {
            let wait = self.origin.saturating_sub(sys::monotonic_ns());
            self.poll.wait(wait)?;
        }
        self.looks.restart(self.now(), 0);
        let mut publish_at = 0;
        loop {
            let now = self.now();
            self.looks.begins(now);
            self.record.round();
            self.sample(now);
            let stopped = self.shared.stop() != Stop::No || self.is_over(now);
            if stopped {
                if finished.is_none() {
                    self.common.done();
                    *finished = Some(now.min(self.common.settings.end));
                }
                return Ok(());
            }
            let behind = self.take_arrivals(now);
            if !behind {
                self.looks.keeps_up(now, self.connections.len() as u64);
            }
            self.expire(now);
            if now >= publish_at {
                self.publish(now);
                publish_at = now + PUBLISH_EVERY;
            }
            let arrivals_over = self.share.is_some_and(|share| self.arrived >= share);
            if arrivals_over && self.sessions.is_empty() {
                if finished.is_none() {
                    *finished = Some(self.now());
                    self.common.done();
                }
                if self.common.all_done() {
                    return Ok(());
                }
            }
            let next = self.next_deadline(publish_at, finished.is_some(), now);
            // The clock is read again: starting what was due took time.
            let at = self.now();
            let wait = if behind { 0 } else { next.saturating_sub(at).min(LOOK_EVERY) };
            self.looks.sleeps(at, wait, self.connections.len() as u64);
            self.handle_events(wait)?;
            let full = self.poll.is_full();
            let most = if full { self.poll.waits_for(self.connections.len()) } else { 0 };
            self.looks.has_looked(full, most);
        }
    }

    /// Waits for at most `wait` ns and handles what has become ready. A function of
    /// its own, as the other worker has one, so that its instructions can be counted
    /// (`benches`, `instructions`).
    #[inline(never)]
    fn handle_events(&mut self, wait: Nanos) -> io::Result<()> {
        for i in 0..self.poll.wait(wait)? {
            let readiness = self.poll.readiness(i);
            if let Some(index) = self.connections.find(readiness.token()) {
                self.ready(index, readiness);
            }
        }
        Ok(())
    }

    /// Whether the time of the run is over. What came before that, while we did not
    /// look, is read first.
    fn is_over(&self, now: Nanos) -> bool {
        let end = self.common.settings.end;
        now >= end && (self.looks.looked() >= end || now - end < NOTABLE)
    }

    /// Takes up the arrivals that are due. `true` if more are due already.
    fn take_arrivals(&mut self, now: Nanos) -> bool {
        let end = self.common.settings.end;
        // The clock is read again for each: those behind it in the batch are later
        // than it, and their lag has to say so.
        let mut at = now;
        for _ in 0..BATCH {
            let over = self.share.is_some_and(|share| self.arrived >= share);
            if over || self.shared.stop() != Stop::No {
                return false;
            }
            if self.common.settings.closed_loop {
                if !self.sessions.is_empty() {
                    return false;
                }
                at = self.now();
                self.arrive(at, None);
                continue;
            }
            let Some(intended) = self.next_start.filter(|start| *start <= at && *start < end)
            else {
                return false;
            };
            self.next_start = self.starts.next();
            if self.arrived > 0
                && let Some(next) = self.next_start
            {
                let gap_s = as_seconds(next.saturating_sub(intended));
                self.common.tell(|observer| observer.gap(gap_s));
            }
            at = self.now();
            self.arrive(intended, Some(at.saturating_sub(intended)));
        }
        true
    }

    /// Ends or wakes what is due.
    fn expire(&mut self, now: Nanos) {
        let live = self.connections.len() + self.sessions.len();
        self.timers.tidy(live, |owner| match owner {
            Owner::Connection(token) => self.connections.find(token).is_some(),
            Owner::Session(token) => self.sessions.find(token).is_some(),
        });
        self.after_a_look();
        while let Some(owner) = self.timers.take_due(now) {
            match owner {
                Owner::Connection(token) => {
                    if let Some(index) = self.connections.find(token) {
                        self.connection_due(index);
                    }
                }
                Owner::Session(token) => {
                    if let Some(index) = self.sessions.find(token) {
                        self.session_due(index, now);
                    }
                }
            }
        }
    }

    /// Those that may have run out of time are judged after the next look.
    fn after_a_look(&mut self) {
        for token in std::mem::take(&mut self.to_be_looked_at) {
            if let Some(index) = self.connections.find(token) {
                self.watch(index);
            }
        }
    }

    /// The next moment at which something is to be done without an event.
    fn next_deadline(&self, publish_at: Nanos, finished: bool, now: Nanos) -> Nanos {
        let mut next = publish_at.min(self.common.settings.end).min(self.sampling.next);
        if finished {
            next = next.min(now + WAIT_FOR_OTHERS);
        }
        if self.common.statuses_every > 0 {
            next = next.min(self.sampling.next_statuses);
        }
        let arrivals_over = self.share.is_some_and(|share| self.arrived >= share);
        if let Some(start) = self.next_start.filter(|_| !arrivals_over) {
            next = next.min(start);
        }
        if !self.to_be_looked_at.is_empty() {
            return now;
        }
        self.timers.next().map_or(next, |timer| next.min(timer))
    }

    /// Takes the samples that are due.
    fn sample(&mut self, now: Nanos) {
        let sampling = &mut self.sampling;
        let every = self.common.settings.sample_every;
        let (replies, sessions) = (self.record.replies(), self.record.succeeded());
        while let Some(sample) = sampling.take(now, replies, sessions, every) {
            self.record.sample(sample.replies_per_s, sample.sessions_per_s);
            self.common.sample(sampling.ticks - 1, sample);
        }
        let every = self.common.statuses_every;
        while every > 0 && now >= sampling.next_statuses {
            let counts = self.record.statuses().to_vec();
            let before = std::mem::replace(&mut sampling.statuses, counts);
            let mut since = sampling.statuses.clone();
            since.iter_mut().zip(&before).for_each(|(n, before)| *n -= before);
            self.common.statuses(sampling.status_ticks, as_seconds(now), &since);
            sampling.status_ticks += 1;
            sampling.next_statuses += every;
        }
    }

    fn publish(&mut self, now: Nanos) {
        let p99 = self
            .recorder
            .timeline
            .recent(self.common.settings.population, now)
            .and_then(|window| window.quantile_ns(0.99));
        let totals = &self.recorder.totals;
        let ended = totals.answered + totals.failed + totals.unfinished;
        let in_flight = totals.started.saturating_sub(ended);
        self.shared.published[self.shard as usize].publish(totals, in_flight, p99);
        self.looks.catch_up().tenth_of_a_second();
    }

    /// What is still open at the end is counted, not dropped.
    fn give_up_the_rest(&mut self, now: Nanos) {
        for _ in 0..MOST_NEVER_TAKEN_UP {
            let over = self.share.is_some_and(|share| self.arrived >= share);
            let Some(intended) = self.next_start.filter(|start| !over && *start < now) else {
                break;
            };
            self.arrived += 1;
            self.next_start = self.starts.next();
            self.recorder.never_taken_up(self.common.settings.population, intended);
        }
        for index in self.sessions.indices() {
            self.abandon(index, now);
        }
    }
}
