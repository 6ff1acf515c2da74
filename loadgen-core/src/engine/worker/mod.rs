//! One thread of the engine: takes arrivals off its stripe of the schedules,
//! gives them to connections, and records what becomes of them. It shares
//! nothing that is written on the way of a call.
//!
//! This file is the loop; who gets which connection is in `dispatch.rs`, what
//! happens on one in `calls.rs`.

mod calls;
mod closing;
mod dating;
mod dispatch;
mod ending;
mod expecting;
mod handing_out;
mod handing_over;
mod lifecycle;
mod own;
mod pacing;
mod pipelining;
mod receive;
mod requests;
mod sessions;
mod slow_calls;
mod unanswered;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::sync::Arc;

use expecting::Scans;
use handing_out::Outlet;
use handing_over::Left;

use crate::clock::{MILLISECOND, Nanos};
use crate::engine::connection::Slab;
use crate::engine::destination::{BELL, Destination};
use crate::engine::harvest::Harvest;
use crate::engine::kernel_view::KernelView;
use crate::engine::load::{LoadState, Waiting};
use crate::engine::looks::{LOOK_EVERY, Looks};
use crate::engine::opening::AT_ONCE;
use crate::engine::shared::{PUBLISH_EVERY, Published, Settings, Shared, Stop};
use crate::net::poll::Poll;
use crate::net::sys;
use crate::protocol::Protocol;
use crate::record::CallSink;
use crate::record::{Failure, Recorder};

/// Bytes taken from a socket at once. One buffer serves all connections.
pub(super) const BUFFER: usize = 64 * 1024;

/// One thread of the engine.
pub(crate) struct Worker<P: Protocol> {
    pub(super) settings: Arc<Settings>,
    pub(super) shared: Arc<Shared>,
    pub(super) shard: u32,
    pub(super) poll: Poll,
    pub(super) slab: Slab<P>,
    pub(super) loads: Vec<LoadState>,
    pub(super) recorder: Recorder,
    pub(super) looks: Looks,
    pub(super) kernel: KernelView,
    pub(super) buffer: Box<[u8]>,
    /// Requests have tags.
    pub(super) tagged: bool,
    /// Requests of some load are made one by one.
    makes_requests: bool,
    /// Something is expected of replies.
    pub(super) expecting: bool,
    /// Bodies are looked at for what is expected of them.
    pub(super) scanning: bool,
    pub(super) scans: Scans,
    /// Where a request is put together that does not lie ready.
    pub(super) scratch: Vec<u8>,
    pub(super) heads: P::Heads,
    /// `CLOCK_MONOTONIC` at time 0 of the run.
    pub(super) origin: u64,
    /// No arrivals at or after this time. Those that wait then are still served in
    /// the drain.
    pub(super) end: Nanos,
    pub(super) destination: Destination,
    /// Connections that are being opened before the load starts.
    pub(super) warming: u32,
    /// Connections whose requests are held back, to leave together.
    pub(super) unflushed: Vec<u64>,
    /// What calls are handed out to.
    pub(super) outlet: Outlet,
    /// What was left to whoever asked what there is so far.
    left: Left,
    /// Some load is read from slowly.
    pub(super) paced: bool,
    /// The load whose arrivals are sessions.
    scripted: Option<usize>,
    /// The load may end by a number, not a time.
    counted: bool,
    /// When which connections are to be read from again.
    pub(super) resting: BinaryHeap<Reverse<(Nanos, u64)>>,
}

impl<P: Protocol> Worker<P> {
    pub(crate) fn new(
        settings: Arc<Settings>,
        shared: Arc<Shared>,
        shard: u32,
        poll: Poll,
        loads: Vec<LoadState>,
        destination: Destination,
        recorder: Recorder,
    ) -> Self {
        let connections = loads.iter().map(|s| s.warm.max(64) as usize).sum();
        let tagged = !recorder.tags.is_empty();
        let scans = Scans::checked_by(settings.check.as_ref().and_then(|c| c.of_worker(shard)));
        let expecting = scans.check() || loads.iter().any(|load| load.requests.expect());
        let scanning = loads.iter().any(|load| scans.look_at(&load.requests));
        let makes_requests = loads.iter().any(|load| load.requests.are_made());
        let paced = loads.iter().any(|load| load.pace.is_some());
        let scripted = loads.iter().position(|load| load.scripts.is_some());
        let counted = loads.first().is_some_and(LoadState::ends_when_through);
        Self {
            end: settings.end,
            kernel: KernelView::new(recorder.warmup_end(), settings.kernel_timestamps),
            looks: Looks::new(recorder.warmup_end(), Arc::clone(&shared.standstill)),
            settings,
            shared,
            shard,
            poll,
            slab: Slab::with_capacity(connections),
            loads,
            makes_requests,
            recorder,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            tagged,
            expecting,
            scanning,
            scans,
            scratch: Vec::new(),
            heads: P::Heads::default(),
            origin: sys::monotonic_ns(),
            destination,
            warming: 0,
            unflushed: Vec::new(),
            outlet: Outlet::default(),
            left: Left::default(),
            paced,
            scripted,
            counted,
            resting: BinaryHeap::new(),
        }
    }

    /// Hands out each call as it ends.
    pub(crate) fn handing_out_to(mut self, sink: Option<Box<dyn CallSink>>) -> Self {
        if sink.is_some() {
            self.kernel.look_after = 0;
            self.looks.tell_news();
        }
        self.outlet = Outlet::to(sink);
        self
    }

    /// Now, in ns from the start of the load.
    #[inline]
    pub(super) fn now(&self) -> Nanos {
        sys::monotonic_ns().saturating_sub(self.origin)
    }

    /// Opens the connections that are to be open before the load starts. Those
    /// that cannot be opened are counted, not retried.
    pub(crate) fn warm_up(&mut self) -> io::Result<()> {
        sys::minimise_timer_slack();
        for s in 0..self.loads.len() {
            let mut left = self.loads[s].warm;
            while (left > 0 || self.warming > 0) && self.shared.stop() == Stop::No {
                while left > 0 && self.warming < AT_ONCE && self.may_open(s) {
                    left -= 1;
                    self.open(s, None);
                }
                self.expire(self.now());
                self.look(10 * MILLISECOND)?;
            }
            // Interrupted: what is still under way is of no use.
            while let Some(index) = self.loads[s].connecting.first() {
                self.drop_connection(index);
            }
        }
        Ok(())
    }

    /// Carries out the load. `origin` is time 0 on `CLOCK_MONOTONIC`. What was
    /// recorded comes back even if the loop breaks.
    pub(crate) fn run(mut self, origin: u64) -> Harvest {
        self.origin = origin;
        self.kernel.begin();
        self.left.begin();
        let mut cpu_of_load = None;
        let broken = self.work(&mut cpu_of_load).err();
        let finished = self.finished();
        self.recorder.pauses = self.looks.record;
        self.recorder.pause_log = std::mem::take(&mut self.looks.log);
        self.end = self.end.min(finished);
        let broken = broken.or_else(|| self.failure_of_program());
        let shed = self.recorder.shed();
        self.give_up_the_rest(finished);
        if broken.is_some() {
            self.recorder.shed_in_breakdown += self.recorder.shed() - shed;
        }
        self.publish(finished);
        self.outlet.close(&mut self.looks);
        // A sink may fail at the last calls.
        let broken = broken.or_else(|| self.failure_of_program());
        self.look_around(finished);
        let cpu = self.left.cpu();
        self.recorder.bad_calls.rejected = self.scans.first_rejected();
        let sessions = self.scripted.and_then(|s| self.loads[s].scripts.take());
        let (user, system) = sys::thread_cpu_ns();
        let cpu_of_load = self.left.since_begin(cpu_of_load.unwrap_or(user + system));
        Harvest {
            recorder: self.recorder,
            kernel: Some(self.kernel.record),
            cpu,
            busiest_cpu: cpu_of_load,
            broken: broken.iter().map(io::Error::to_string).collect(),
            panicked: 0,
            load_end: self.end,
            finished,
            sessions: sessions.map(|scripts| scripts.record),
            lookups: None,
        }
    }

    /// The loop, to the end of the drain. `cpu_at_end` takes the thread's CPU time
    /// when the load (before the drain) ends.
    fn work(&mut self, cpu_at_end: &mut Option<u64>) -> io::Result<()> {
        while sys::monotonic_ns() < self.origin {
            let wait = self.origin.saturating_sub(sys::monotonic_ns());
            self.handle_events(wait)?;
        }
        self.recorder.load_end = self.end;
        self.loads.iter_mut().for_each(|load| load.opening.restart());
        self.bring_users();
        self.looks.restart(self.now(), self.outstanding());
        self.start_closed_loops();
        let mut publish_at = 0;
        loop {
            let now = self.now();
            self.looks.begins(now);
            let stop = self.shared.stop();
            if stop != Stop::No {
                let at = self.shared.stop_at().saturating_sub(self.origin);
                self.end = self.end.min(if stop == Stop::Now { now.min(at) } else { at });
                self.recorder.load_end = self.end;
            }
            if let Some(s) = self.scripted {
                self.tend_sessions(s, now);
            }
            let behind = self.take_arrivals(now);
            if self.makes_requests {
                self.look_after_requests()?;
            }
            if let Some(error) = self.failure_of_program() {
                return Err(error);
            }
            if !behind {
                self.looks.keeps_up(now, self.outstanding());
            }
            self.expire(now);
            if !self.resting.is_empty() {
                self.read_rested();
            }
            if now >= publish_at {
                self.tenth_of_a_second(now);
                publish_at = now + PUBLISH_EVERY;
            }
            if self.counted && self.is_through() {
                self.end = self.end.min(now);
                self.recorder.load_end = self.end;
            }
            if now >= self.end {
                if cpu_at_end.is_none() {
                    let (user, system) = sys::thread_cpu_ns();
                    *cpu_at_end = Some(user + system);
                    self.count_waiting();
                }
                let drained = !behind && self.loads.iter().all(LoadState::is_idle);
                // What came while we did not look is read before it counts as missing.
                let waited = self.looks.looked() >= self.end.saturating_add(self.settings.drain);
                if drained || stop == Stop::Now || (waited && now >= self.end) {
                    return Ok(());
                }
            }
            // The clock is read again: starting the calls that were due took time.
            let next = self.next_deadline(publish_at, now);
            self.look(if behind { 0 } else { next.saturating_sub(self.now()).min(LOOK_EVERY) })?;
        }
    }

    /// Sleeps for at most `wait` ns, looks at the sockets, and handles what is ready.
    #[inline]
    fn look(&mut self, wait: Nanos) -> io::Result<()> {
        self.looks.sleeps(self.now(), wait, self.outstanding());
        self.handle_events(wait)?;
        let full = self.poll.is_full();
        let most = if full { self.poll.waits_for(self.slab.slots() as usize) } else { 0 };
        self.looks.has_looked(full, most);
        Ok(())
    }

    /// What of the embedding program broke down, if anything did.
    #[inline]
    fn failure_of_program(&self) -> Option<io::Error> {
        let of_loads = || self.loads.iter().find_map(LoadState::failure_of_program);
        let failure = self.scans.failure().or_else(|| self.outlet.failure());
        let failure = failure.or_else(of_loads);
        failure.map(|why| io::Error::other(why.to_owned()))
    }

    /// Calls under way, and those that wait.
    #[inline]
    fn outstanding(&self) -> u64 {
        let of = |s: &LoadState| u64::from(s.in_flight()) + s.waiting();
        self.loads.iter().map(of).sum()
    }

    /// The users of closed loops are there from the first moment on.
    fn bring_users(&mut self) {
        for load in self.loads.iter_mut().filter(|load| load.has_users()) {
            load.users = load.limit.saturating_mul(load.pipeline);
        }
    }

    fn start_closed_loops(&mut self) {
        for s in 0..self.loads.len() {
            if self.loads[s].has_users() {
                self.serve(s);
            }
        }
    }

    /// Ends what has run out of time, as far as the sockets were looked at since then:
    /// what was received while we did not look has not failed.
    fn expire(&mut self, now: Nanos) {
        let looked = self.looks.looked();
        for s in 0..self.loads.len() {
            while let Some(index) = self.loads[s].connecting.first()
                && self.slab[index].call.expires <= looked
            {
                self.time_out(index);
                self.serve(s);
            }
            while let Some(index) = self.loads[s].active.first()
                && self.slab[index].call.expires <= looked
            {
                self.time_out(index);
                self.serve(s);
            }
            while let Some(index) = self.loads[s].closing.first()
                && self.slab[index].call.expires <= looked
            {
                self.loads[s].closing.remove(&mut self.slab, index);
                self.slab.close(index);
            }
            self.expire_again(s, looked.min(now));
            if self.loads[s].opening.is_paced() || !self.loads[s].again.is_empty() {
                self.serve(s);
            }
            let Some(deadline) = self.settings.deadline else { continue };
            while let Some(&Waiting { intended, request }) = self.loads[s].due.front() {
                if intended + deadline > looked {
                    break;
                }
                self.loads[s].due.pop_front();
                self.shed(s, intended, request, true);
            }
        }
    }

    /// The next moment at which something is to be done without an event.
    fn next_deadline(&self, publish_at: Nanos, now: Nanos) -> Nanos {
        let end = if now < self.end { self.end } else { self.end + self.settings.drain };
        let mut next = publish_at.min(end);
        if let Some(&Reverse((at, _))) = self.resting.peek() {
            next = next.min(at);
        }
        if let Some(scripts) = self.scripted.and_then(|s| self.loads[s].scripts.as_deref()) {
            next = next.min(scripts.next_deadline(now));
        }
        for load in &self.loads {
            let expiry = |index: u32| self.slab[index].call.expires;
            let deadline = |intended: Nanos| self.settings.deadline.map(|d| intended + d);
            let due = load.due.front().and_then(|arrival| deadline(arrival.intended));
            let again = load.again.front().and_then(|call| deadline(call.intended));
            for at in [
                load.next_start(self.end),
                load.next_return(),
                load.next_opening(),
                load.connecting.first().map(expiry),
                load.active.first().map(expiry),
                load.closing.first().map(expiry),
                due,
                again,
            ]
            .into_iter()
            .flatten()
            {
                next = next.min(at);
            }
        }
        next
    }

    /// Waits for at most `wait` ns and handles what has become ready. A function of
    /// its own, so that its instructions can be counted (`benches`, `instructions`).
    #[inline(never)]
    fn handle_events(&mut self, wait: Nanos) -> io::Result<()> {
        for i in 0..self.poll.wait(wait)? {
            let readiness = self.poll.readiness(i);
            // A connection may have been closed by an earlier event of this batch.
            if let Some(index) = self.slab.find(readiness.token()) {
                let s = usize::from(self.slab[index].load);
                self.ready(index, readiness);
                self.serve(s);
            } else if readiness.token() == BELL {
                self.resolved();
            }
        }
        Ok(())
    }

    /// What is done ten times a second.
    fn tenth_of_a_second(&mut self, now: Nanos) {
        self.publish(now);
        // When all has come, there is nothing to be given up.
        if now < self.end {
            self.shared.look_whether_to_abort(now);
        }
        self.outlet.flush(&mut self.looks);
        self.looks.catch_up().tenth_of_a_second();
        self.look_at_dates();
        self.look_around(now);
        self.hand_over(now);
    }

    /// Tells whoever watches what there is by now.
    fn publish(&mut self, now: Nanos) {
        let in_flight = self.loads.iter().map(|s| u64::from(s.in_flight())).sum();
        let mut p99 = None;
        for load in &self.loads {
            let window = self.recorder.timeline.recent(load.id.population, now);
            p99 = p99.max(window.and_then(|w| w.quantile_ns(0.99)));
        }
        let published: &Published = &self.shared.published[self.shard as usize];
        published.publish(&self.totals(), in_flight, p99);
    }

    /// A connection that was to be warm could not be opened.
    pub(super) fn warm_failed(&mut self, failure: Failure) {
        self.recorder.warm_failures.0 += 1;
        self.recorder.warm_failures.1.get_or_insert(failure);
    }
}
