//! Where a worker puts what it saw: histograms, counters, the timeline and, when
//! asked for, every call. Owned by one thread; merged after the run.

use serde::{Deserialize, Serialize};

use super::bad_calls::BadCalls;
use super::connections::{ConnectionEnd, ConnectionLog};
use super::joined::{both, first};
use super::load::{LoadId, LoadRecord, Tally};
use super::tags::TagRecord;
use super::visits::Visits;
use super::{
    CallLog, CallRecord, DateLog, Failure, Outcome, OwnRecord, PauseLog, PauseRecord, Population,
    Timeline, TlsRecord,
};
use crate::clock::Nanos;
use crate::net::tls::Agreed;

/// What one worker measured.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Recorder {
    /// Calls of the whole run, warm-up included, for the progress display.
    totals: Tally,
    /// Those of each load of the plan, by its number.
    loads: Vec<LoadRecord>,
    pub(crate) timeline: Timeline,
    #[serde(skip)]
    pub(crate) log: CallLog,
    /// Kept where calls are.
    pub(crate) connections: ConnectionLog,
    pub(crate) dates: DateLog,
    pub(crate) tls: TlsRecord,
    pub(crate) bad_calls: BadCalls,
    pub(crate) bytes_sent: u64,
    pub(crate) bytes_received: u64,
    /// Calls are logged, or have tags.
    keeps_each: bool,
    /// By the numbers of tags; empty unless requests have some.
    pub(crate) tags: Vec<TagRecord>,
    /// To which endpoints connections went.
    pub(crate) visits: Visits,
    /// Warm connections that could not be opened, and why the first one failed.
    pub(crate) warm_failures: (u64, Option<Failure>),
    /// Arrivals that waited for a connection when the load ended.
    pub(crate) waiting_at_end: u64,
    /// Arrivals shed after that.
    pub(crate) shed_in_drain: u64,
    /// Arrivals that were shed because their worker broke down, or the program failed to make
    /// their requests; without those of the warm-up.
    pub(crate) shed_in_breakdown: u64,
    /// Times in which the worker did not look at its sockets.
    pub(crate) pauses: PauseRecord,
    /// The longer ones of them, one by one.
    pub(crate) pause_log: PauseLog,
    /// Calls that the generator had its part in; `None` while there are none.
    own: Option<Box<OwnRecord>>,
    /// Calls with an earlier intended start are left out of the summary.
    warmup_end: Nanos,
    /// No arrivals from here on; what happens later does not count for rates.
    pub(crate) load_end: Nanos,
}

impl Recorder {
    pub(crate) fn new(
        populations: impl Iterator<Item = Population>,
        warmup_end: Nanos,
        expected: Nanos,
        log: CallLog,
    ) -> Self {
        Self {
            totals: Tally::default(),
            loads: populations.map(LoadRecord::new).collect(),
            timeline: Timeline::new(expected),
            connections: ConnectionLog::new(log.keeps()),
            dates: DateLog::new(log.keeps()),
            keeps_each: log.keeps(),
            log,
            tls: TlsRecord::default(),
            bad_calls: BadCalls::default(),
            bytes_sent: 0,
            bytes_received: 0,
            tags: Vec::new(),
            visits: Visits::default(),
            warm_failures: (0, None),
            waiting_at_end: 0,
            shed_in_drain: 0,
            shed_in_breakdown: 0,
            pauses: PauseRecord::default(),
            pause_log: PauseLog::of_one(),
            own: None,
            warmup_end,
            load_end: Nanos::MAX,
        }
    }

    /// Whether it is one of these populations, and of so many tags: what is read need not be.
    pub(crate) fn is_of(&self, loads: impl Iterator<Item = Population>, tags: usize) -> bool {
        self.loads.iter().map(|load| load.population).eq(loads) && self.tags.len() == tags
    }

    /// An empty one that keeps the same, but for single calls.
    pub(crate) fn successor(&self) -> Self {
        let populations = self.loads.iter().map(|load| load.population);
        let mut next = Self::new(populations, self.warmup_end, 0, CallLog::default());
        next.keep_tags(self.tags.len());
        // Whose pauses they are is known at the end.
        (next.keeps_each, next.pause_log) = (self.keeps_each, PauseLog::default());
        next
    }

    /// Leaves what was recorded so far, and goes on with an empty one. What is kept of single calls
    /// stays here.
    pub(crate) fn hand_over(&mut self, mut to: Self) -> Self {
        to.timeline.follow(&self.timeline);
        to.load_end = self.load_end;
        std::mem::swap(&mut to.log, &mut self.log);
        std::mem::swap(&mut to.connections, &mut self.connections);
        std::mem::swap(&mut to.dates, &mut self.dates);
        std::mem::swap(&mut to.pause_log, &mut self.pause_log);
        std::mem::replace(self, to)
    }

    /// Keeps figures of so many tags, too.
    pub(crate) fn keep_tags(&mut self, tags: usize) {
        self.tags = vec![TagRecord::new(); tags];
        self.keeps_each |= tags > 0;
    }

    /// The totals as of now. How good replies were stands with the loads, but for the
    /// warm-up, so that good ones need not be looked at for it.
    pub(crate) fn totals(&self) -> Tally {
        let mut totals = self.totals;
        for record in &self.loads {
            totals.not_good += record.tally.not_good;
            totals.wrong += record.tally.wrong;
        }
        totals
    }

    /// Calls with an earlier intended start are left out of the summary.
    pub(crate) fn warmup_end(&self) -> Nanos {
        self.warmup_end
    }

    /// The records of the loads, by their numbers.
    pub(crate) fn loads(&self) -> impl ExactSizeIterator<Item = &LoadRecord> {
        self.loads.iter()
    }

    /// The record of a load, of what belongs to a call with this intended start.
    fn record(&mut self, load: u8, intended: Nanos) -> Option<&mut LoadRecord> {
        if intended < self.warmup_end {
            return None;
        }
        self.loads.get_mut(usize::from(load))
    }

    /// Whether a moment lies in the span that rates are taken over.
    fn in_span(&self, at: Nanos) -> bool {
        (self.warmup_end..self.load_end).contains(&at)
    }

    /// An arrival of the schedule. `lag` is how late the worker took it up, in
    /// open loop.
    #[inline]
    pub(crate) fn offered(&mut self, load: LoadId, intended: Nanos, lag: Option<Nanos>) {
        self.timeline.at(intended).offered += 1;
        self.totals.offered += 1;
        if let Some(record) = self.record(load.number, intended) {
            record.tally.offered += 1;
            if let Some(lag) = lag {
                record.lag.saturating_record(lag);
            }
        }
    }

    /// What the generator had its part in, if anything.
    pub(crate) fn own(&self) -> Option<&OwnRecord> {
        self.own.as_deref()
    }

    fn own_mut(&mut self) -> &mut OwnRecord {
        self.own.get_or_insert_default()
    }

    /// The end of a call of which up to `own` may be the generator's; told beside
    /// [`Self::ended`].
    #[cold]
    pub(crate) fn owes(&mut self, call: &CallRecord, own: Nanos) {
        if call.intended < self.warmup_end {
            return;
        }
        let in_time = call.done.saturating_sub(own) < self.load_end;
        let left_over = u64::from(in_time && !self.in_span(call.done));
        match call.outcome {
            // A wrong reply is in none of the times that own lateness is taken out of.
            Outcome::Wrong(..) => self.own_mut().left_over += left_over,
            Outcome::Answered(_) | Outcome::AsExpected(_) => {
                let record = self.own_mut();
                record.answered(call.done.saturating_sub(call.intended), own);
                record.left_over += left_over;
            }
            Outcome::Unfinished => {
                let record = self.own_mut();
                record.lost += 1;
                record.left_over += left_over;
            }
            // Told only of time limits that our late arrivals explain; another failure is
            // the server's. One that failed is not left over.
            Outcome::Failed(_) => {
                let record = self.own_mut();
                record.lost += 1;
                record.timed_out += 1;
            }
            Outcome::Shed => {
                let record = self.own_mut();
                record.lost += 1;
                record.shed += 1;
                record.left_over += 1;
            }
        }
    }

    /// So many of the arrivals that wait when the load ends do so for the generator's
    /// lateness.
    pub(crate) fn own_waiting_at_end(&mut self, waiting: u64) {
        if waiting > 0 {
            self.own_mut().waiting_at_end += waiting;
        }
    }

    /// An arrival that the worker never came to: it was behind its schedule when
    /// the run was cut short. Counted, not kept one by one.
    pub(crate) fn never_taken_up(&mut self, load: LoadId, intended: Nanos, tag: u8) {
        let step = self.timeline.at(intended);
        step.offered += 1;
        step.shed += 1;
        self.totals.offered += 1;
        self.totals.shed += 1;
        self.bad_calls.count();
        if let Some(record) = self.record(load.number, intended) {
            record.tally.offered += 1;
            record.tally.shed += 1;
            let own = self.own_mut();
            own.lost += 1;
            own.shed += 1;
            own.left_over += 1;
            if let Some(record) = self.tags.get_mut(usize::from(tag)) {
                record.shed += 1;
            }
        }
    }

    /// The program failed to make the request of an arrival, which is shed.
    pub(crate) fn without_request(&mut self, intended: Nanos) {
        self.shed_in_breakdown += u64::from(intended >= self.warmup_end);
    }

    /// Arrivals shed by now, without those of the warm-up.
    pub(crate) fn shed(&self) -> u64 {
        self.loads.iter().map(|record| record.tally.shed).sum()
    }

    /// An arrival has to wait for a connection.
    pub(crate) fn queued(&mut self, load: LoadId, intended: Nanos) {
        if let Some(record) = self.record(load.number, intended) {
            record.tally.queued += 1;
        }
    }

    /// The connect or the sending of a call began.
    // Always: where the compiler leaves it to itself, a call has 20 instructions more.
    #[inline(always)]
    pub(crate) fn started(&mut self, load: LoadId, intended: Nanos, now: Nanos) {
        self.timeline.at(now).started += 1;
        self.totals.started += 1;
        let in_span = self.in_span(now);
        if let Some(record) = self.loads.get_mut(usize::from(load.number)) {
            record.tally.started_in_span += u64::from(in_span);
        }
        if let Some(record) = self.record(load.number, intended) {
            record.tally.started += 1;
        }
    }

    /// The TCP handshake of a connection for a call is through: it is open.
    pub(crate) fn connected(&mut self, load: LoadId, intended: Nanos, took: Nanos) {
        if let Some(record) = self.record(load.number, intended) {
            record.tally.opened += 1;
            record.connect.saturating_record(took);
        }
    }

    /// The TLS handshake of a connection is through; `intended` is that of the call that it
    /// was opened for, if there is one.
    pub(crate) fn secured(
        &mut self,
        load: LoadId,
        intended: Option<Nanos>,
        took: Nanos,
        agreed: Option<Agreed>,
    ) {
        if let Some(agreed) = agreed {
            self.tls.complete(agreed);
        }
        if let Some(record) = intended.and_then(|intended| self.record(load.number, intended)) {
            record.tls_handshake.saturating_record(took);
        }
    }

    /// A call is sent again, since the server had closed the idle connection.
    pub(crate) fn reconnect(&mut self, load: LoadId, intended: Nanos) {
        if let Some(record) = self.record(load.number, intended) {
            record.tally.reconnects += 1;
        }
    }

    /// A connection has ended.
    pub(crate) fn connection_ended(&mut self, end: ConnectionEnd) {
        if let (Some(cause), Some(record)) = (end.loss, self.record(end.load, end.ended)) {
            record.lost[cause as usize] += 1;
        }
        self.connections.push(end);
    }

    /// Bytes that the socket took.
    #[inline]
    pub(crate) fn sent_bytes(&mut self, now: Nanos, bytes: u64) {
        self.timeline.at(now).bytes_sent += bytes;
        if now >= self.warmup_end {
            self.bytes_sent += bytes;
        }
    }

    /// Bytes that the socket gave.
    #[inline]
    pub(crate) fn received_bytes(&mut self, now: Nanos, bytes: u64) {
        self.timeline.at(now).bytes_received += bytes;
        if now >= self.warmup_end {
            self.bytes_received += bytes;
        }
    }

    /// The end of a call, whatever it was.
    #[inline]
    pub(crate) fn ended(&mut self, call: CallRecord) {
        if self.keeps_each {
            self.keep(call);
        }
        let response = call.done.saturating_sub(call.intended);
        if let Some(status) = call.outcome.status() {
            self.timeline.at(call.done).answered += 1;
            self.totals.answered += 1;
            let in_span = self.in_span(call.done);
            if let Some(record) = self.loads.get_mut(usize::from(call.load)) {
                record.tally.answered_in_span += u64::from(in_span);
            }
            self.timeline.response(call.population, call.intended, response);
            if let Some(record) = self.record(call.load, call.intended) {
                record.tally.answered += 1;
                record.status.count(status);
                record.service.saturating_record(call.done.saturating_sub(call.sent));
                let responses = match call.outcome {
                    Outcome::Answered(status) if status < 400 => &mut record.response,
                    other => record.not_plainly_good(other),
                };
                responses.saturating_record(response);
            } else {
                self.totals.count_quality(call.outcome);
            }
            return;
        }
        self.ended_badly(call, response);
    }

    /// What is kept of a call by itself, or by its tag.
    #[inline(never)]
    fn keep(&mut self, call: CallRecord) {
        self.log.push(call);
        if call.intended >= self.warmup_end
            && let Some(record) = self.tags.get_mut(usize::from(call.tag))
        {
            record.ended(&call);
        }
    }

    fn ended_badly(&mut self, call: CallRecord, waited: Nanos) {
        self.bad_calls.push(call);
        match call.outcome {
            Outcome::Failed(failure) => {
                self.timeline.at(call.done).failed += 1;
                self.totals.failed += 1;
                if call.intended >= self.warmup_end {
                    self.bad_calls.example(failure, call.done);
                }
                if let Some(record) = self.record(call.load, call.intended) {
                    record.tally.failed += 1;
                    record.tally.timed_out += u64::from(failure.is_censored());
                    record.errors[failure.phase as usize][failure.cause as usize] += 1;
                    record.time_to_failure.saturating_record(waited);
                }
            }
            Outcome::Shed => {
                self.timeline.at(call.intended).shed += 1;
                self.totals.shed += 1;
                self.shed_in_drain += u64::from(call.done >= self.load_end);
                if let Some(record) = self.record(call.load, call.intended) {
                    record.tally.shed += 1;
                }
            }
            _ => {
                self.totals.unfinished += 1;
                if let Some(record) = self.record(call.load, call.intended) {
                    record.tally.unfinished += 1;
                }
            }
        }
    }

    /// Joins the recorder of another worker of the same plan.
    pub(crate) fn merge(&mut self, other: Self) {
        self.loads.iter_mut().zip(&other.loads).for_each(|(mine, theirs)| mine.merge(theirs));
        self.tags.iter_mut().zip(&other.tags).for_each(|(mine, theirs)| mine.merge(theirs));
        self.totals.add(&other.totals);
        self.timeline.merge(other.timeline);
        self.log.merge(other.log);
        self.connections.merge(other.connections);
        self.dates.samples.extend(other.dates.samples);
        self.bad_calls.merge(other.bad_calls);
        self.tls.merge(other.tls);
        self.bytes_sent += other.bytes_sent;
        self.bytes_received += other.bytes_received;
        self.visits.merge(other.visits);
        self.waiting_at_end += other.waiting_at_end;
        self.shed_in_drain += other.shed_in_drain;
        self.shed_in_breakdown += other.shed_in_breakdown;
        self.pauses.merge(&other.pauses);
        self.pause_log.merge(other.pause_log);
        both(&mut self.own, other.own, |mine, theirs| mine.merge(&theirs));
        self.warm_failures.0 += other.warm_failures.0;
        self.warm_failures.1 = first(self.warm_failures.1.take(), other.warm_failures.1);
    }
}

#[cfg(test)]
mod tests;
