//! What a worker learnt from the kernel: the causes of slow calls, samples of
//! connections over time, and how long the worker itself waited for a CPU. Owned
//! by one thread; merged after the run. Memory is bounded.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use super::causes::{Evidence, SlowCause, TimeByCause, classify};
use super::load::histogram;
use super::{CallRecord, Histogram, Population, written};
use crate::clock::{MILLISECOND, Nanos};
use crate::net::spin_window;
use crate::net::tcp_info::TcpInfo;

/// Slow calls that are kept one by one, for phases and windows.
const MAX_SLOW_CALLS: usize = 100_000;

/// Width of the grid of samples, at first.
const FINEST: Nanos = 100 * MILLISECOND;

/// Cells before the grid is coarsened: an hour at the finest.
const MAX_CELLS: usize = 36_000;

/// How often it can be doubled, of the longest run.
const MAX_WIDTHS: u64 = 1 << 20;

const CAUSES: usize = SlowCause::ALL.len();

/// A slow call, as far as phases and windows need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SlowCall {
    pub(crate) intended: Nanos,
    pub(crate) cause: SlowCause,
}

/// A slow call with all that is known of it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct SlowExample {
    pub(crate) intended: Nanos,
    pub(crate) took: Nanos,
    pub(crate) population: Population,
    pub(crate) parts: TimeByCause,
    pub(crate) sample: Option<TcpInfo>,
}

/// Samples of connections in one cell of the grid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) samples: u32,
    /// Of them, those that had sent something again that was not acknowledged yet.
    pub(crate) retransmitting: u32,
    /// Sum and count of the round trips that were known.
    pub(crate) rtt_us_sum: u64,
    pub(crate) rtts: u32,
    pub(crate) rtt_us_max: u32,
    pub(crate) rto_us_max: u32,
    /// The worker's wait for a CPU.
    pub(crate) run_delay: Option<Nanos>,
    /// Slow calls that were to start in it, by their longest part.
    #[serde(default, skip_serializing_if = "is_none_slow")]
    pub(crate) slow: [u32; CAUSES],
}

fn is_none_slow(slow: &[u32; CAUSES]) -> bool {
    slow.iter().all(|calls| *calls == 0)
}

impl Cell {
    fn add(&mut self, other: &Self) {
        self.samples = self.samples.saturating_add(other.samples);
        self.retransmitting = self.retransmitting.saturating_add(other.retransmitting);
        self.rtt_us_sum += other.rtt_us_sum;
        self.rtts = self.rtts.saturating_add(other.rtts);
        for (mine, theirs) in self.slow.iter_mut().zip(&other.slow) {
            *mine = mine.saturating_add(*theirs);
        }
        self.rtt_us_max = self.rtt_us_max.max(other.rtt_us_max);
        self.rto_us_max = self.rto_us_max.max(other.rto_us_max);
        if let Some(delay) = other.run_delay {
            *self.run_delay.get_or_insert(0) += delay;
        }
    }

    fn of(info: &TcpInfo) -> Self {
        Self {
            samples: 1,
            retransmitting: u32::from(info.retransmits > 0),
            rtt_us_sum: u64::from(info.rtt_us),
            rtts: u32::from(info.rtt_us > 0),
            rtt_us_max: info.rtt_us,
            rto_us_max: info.rto_us,
            run_delay: None,
            slow: [0; CAUSES],
        }
    }
}

/// What the kernel's timestamps told of answered calls.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Receipts {
    /// From the receipt of the reply's last byte to its reading.
    #[serde(with = "written::histogram")]
    pub(crate) unread: Histogram,
    /// Service time up to that receipt.
    #[serde(with = "written::histogram")]
    pub(crate) service: Histogram,
    /// Answered calls of which the kernel did not say.
    pub(crate) missing: u64,
}

/// How often a thread was put on a CPU, and how long it had waited for that.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Turns {
    pub(crate) waited: Nanos,
    pub(crate) turns: u64,
}

/// Waiting for a CPU, looked at ten times a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunDelay {
    pub(crate) waited: Nanos,
    pub(crate) looks: u64,
    /// Those that found more than [`WAITED_LONG`] beyond ordinary wake-ups.
    pub(crate) long: u64,
}

/// What waking up may take without anyone else in the way.
const WAKE_UP: Nanos = spin_window::LONGEST;

/// From here on the wait of a tenth of a second is a neighbour's doing.
const WAITED_LONG: Nanos = MILLISECOND;

impl RunDelay {
    fn add(&mut self, other: &Self) {
        self.waited += other.waited;
        self.looks += other.looks;
        self.long += other.long;
    }
}

/// What one worker learnt, or all of them after merging.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct KernelRecord {
    /// Calls with an earlier intended start are left out of the sums.
    warmup_end: Nanos,
    pub(crate) count: u64,
    pub(crate) sampled: u64,
    /// Slow calls by their longest part, and all parts of all slow calls.
    pub(crate) calls: [u64; CAUSES],
    pub(crate) time: [Nanos; CAUSES],
    /// The slowest call of each cause.
    pub(crate) examples: [Option<SlowExample>; CAUSES],
    /// The first ones of the run, warm-up included.
    pub(crate) slow: Vec<SlowCall>,
    /// Whether more slow calls were seen than are kept.
    pub(crate) slow_dropped: u64,
    pub(crate) run_delay: Option<RunDelay>,
    /// Only if the plan asks for the kernel's timestamps.
    pub(crate) receipts: Option<Box<Receipts>>,
    step: Nanos,
    cells: Vec<Cell>,
}

impl KernelRecord {
    pub(crate) fn new(warmup_end: Nanos, with_receipts: bool) -> Self {
        let receipts =
            || Box::new(Receipts { unread: histogram(), service: histogram(), missing: 0 });
        Self {
            warmup_end,
            count: 0,
            sampled: 0,
            calls: [0; CAUSES],
            time: [0; CAUSES],
            examples: [None; CAUSES],
            slow: Vec::new(),
            slow_dropped: 0,
            run_delay: None,
            receipts: with_receipts.then(receipts),
            step: FINEST,
            cells: Vec::new(),
        }
    }

    /// Takes a slow call.
    pub(crate) fn slow(&mut self, call: &CallRecord, evidence: &Evidence) {
        let parts = classify(call, evidence);
        let cause = parts.main();
        let slow = &mut self.cell(call.intended).slow[cause as usize];
        *slow = slow.saturating_add(1);
        if self.slow.len() < MAX_SLOW_CALLS {
            self.slow.push(SlowCall { intended: call.intended, cause });
        } else {
            self.slow_dropped += 1;
        }
        if call.intended < self.warmup_end {
            return;
        }
        self.count += 1;
        self.sampled += u64::from(evidence.sample.is_some());
        self.calls[cause as usize] += 1;
        for cause in SlowCause::ALL {
            self.time[cause as usize] += parts.get(cause);
        }
        let took = call.done.saturating_sub(call.intended);
        self.example(
            cause,
            SlowExample {
                intended: call.intended,
                took,
                population: call.population,
                parts,
                sample: evidence.sample,
            },
        );
    }

    /// Takes how long the reply of a call lay unread, where timestamps are read.
    pub(crate) fn received(&mut self, call: &CallRecord, unread: Option<Nanos>) {
        let Some(receipts) = &mut self.receipts else { return };
        if !call.outcome.is_answered() || call.intended < self.warmup_end {
            return;
        }
        match unread {
            Some(unread) => {
                let service = call.done.saturating_sub(call.sent);
                receipts.unread.saturating_record(unread);
                receipts.service.saturating_record(service.saturating_sub(unread));
            }
            None => receipts.missing += 1,
        }
    }

    fn example(&mut self, cause: SlowCause, example: SlowExample) {
        let known = &mut self.examples[cause as usize];
        let of = |example: &SlowExample| (example.took, Reverse(example.intended));
        if known.is_none_or(|known| of(&known) < of(&example)) {
            *known = Some(example);
        }
    }

    /// Takes the sample of a connection.
    pub(crate) fn sample(&mut self, now: Nanos, info: &TcpInfo) {
        self.cell(now).add(&Cell::of(info));
    }

    /// Takes what the worker waited for a CPU since it was asked last.
    pub(crate) fn waited(&mut self, now: Nanos, since: Turns) {
        let long = since.waited > since.turns * WAKE_UP + WAITED_LONG;
        let look = RunDelay { waited: since.waited, looks: 1, long: u64::from(long) };
        self.run_delay.get_or_insert_default().add(&look);
        *self.cell(now).run_delay.get_or_insert(0) += since.waited;
    }

    fn cell(&mut self, at: Nanos) -> &mut Cell {
        while at / self.step >= MAX_CELLS as u64 {
            self.coarsen();
        }
        let index = (at / self.step) as usize;
        if index >= self.cells.len() {
            self.cells.resize(index + 1, Cell::default());
        }
        &mut self.cells[index]
    }

    fn coarsen(&mut self) {
        let pairs = self.cells.chunks(2).map(|pair| {
            let mut sum = pair[0];
            pair[1..].iter().for_each(|second| sum.add(second));
            sum
        });
        self.cells = pairs.collect();
        self.step *= 2;
    }

    /// The cells, on as many windows of another width: each in that in which it begins.
    pub(crate) fn windows(&self, width: Nanos, most: usize) -> Vec<Cell> {
        let mut windows = Vec::new();
        for (i, cell) in self.cells.iter().enumerate() {
            let index = (i as u64 * self.step / width) as usize;
            if index >= most {
                break;
            }
            if index >= windows.len() {
                windows.resize(index + 1, Cell::default());
            }
            windows[index].add(cell);
        }
        windows
    }

    /// Whether it is within the bounds in which such records are kept: one that is read need not be.
    pub(crate) fn is_sound(&self) -> bool {
        let widths = self.step / FINEST;
        self.step.is_multiple_of(FINEST)
            && widths.is_power_of_two()
            && widths <= MAX_WIDTHS
            && self.cells.len() <= MAX_CELLS
            && self.slow.len() <= MAX_SLOW_CALLS
    }

    /// Joins the record of another worker of the same plan.
    pub(crate) fn merge(&mut self, mut other: Self) {
        self.count += other.count;
        self.sampled += other.sampled;
        for cause in SlowCause::ALL {
            let i = cause as usize;
            self.calls[i] += other.calls[i];
            self.time[i] += other.time[i];
            if let Some(example) = other.examples[i] {
                self.example(cause, example);
            }
        }
        self.slow.extend(&other.slow);
        // The first ones of all, in whatever order they come.
        self.slow.sort_by_key(|call| (call.intended, call.cause));
        let beyond = self.slow.len().saturating_sub(MAX_SLOW_CALLS);
        self.slow.truncate(MAX_SLOW_CALLS);
        self.slow_dropped += other.slow_dropped + beyond as u64;
        if let Some(theirs) = other.run_delay {
            self.run_delay.get_or_insert_default().add(&theirs);
        }
        if let (Some(mine), Some(theirs)) = (&mut self.receipts, &other.receipts) {
            super::add(&mut mine.unread, &theirs.unread);
            super::add(&mut mine.service, &theirs.service);
            mine.missing += theirs.missing;
        }
        while self.step < other.step {
            self.coarsen();
        }
        while other.step < self.step {
            other.coarsen();
        }
        if self.cells.len() < other.cells.len() {
            self.cells.resize(other.cells.len(), Cell::default());
        }
        for (mine, theirs) in self.cells.iter_mut().zip(&other.cells) {
            mine.add(theirs);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SECOND;
    use crate::record::Outcome;

    fn call(intended: Nanos, took: Nanos) -> CallRecord {
        CallRecord {
            intended,
            sent: intended,
            done: intended + took,
            bytes: 1,
            outcome: Outcome::Answered(200),
            load: 0,
            population: Population::Fresh,
            tag: 0,
            reused: false,
            retried: false,
            queued: false,
        }
    }

    #[test]
    fn the_warm_up_is_in_the_list_only() {
        let mut record = KernelRecord::new(SECOND, false);
        record.slow(&call(0, 300 * MILLISECOND), &Evidence::default());
        record.slow(&call(SECOND, 400 * MILLISECOND), &Evidence::default());
        assert_eq!((record.count, record.sampled, record.slow.len()), (1, 0, 2));
        assert_eq!(record.calls[SlowCause::Unsampled as usize], 1);
        assert_eq!(record.time[SlowCause::Unsampled as usize], 400 * MILLISECOND);
    }

    #[test]
    fn ordinary_wake_ups_are_no_long_waits() {
        let mut record = KernelRecord::new(0, false);
        record.waited(0, Turns { waited: 14 * MILLISECOND, turns: 300 });
        record.waited(0, Turns { waited: 17 * MILLISECOND, turns: 300 });
        record.waited(0, Turns { waited: 2 * MILLISECOND, turns: 1 });
        let delay = record.run_delay.unwrap();
        assert_eq!((delay.looks, delay.long, delay.waited), (3, 2, 33 * MILLISECOND));
    }

    #[test]
    fn workers_are_merged_and_long_runs_coarsened() {
        let info = |rtt_us| TcpInfo { rtt_us, rto_us: 200_000, ..TcpInfo::default() };
        let mut one = KernelRecord::new(0, false);
        one.sample(50 * MILLISECOND, &info(10));
        one.slow(&call(0, SECOND), &Evidence::default());
        let mut two = KernelRecord::new(0, false);
        two.sample(50 * MILLISECOND, &info(30));
        two.sample(5_000 * SECOND, &TcpInfo { retransmits: 1, ..info(0) });
        two.waited(5_000 * SECOND, Turns { waited: 7, turns: 2 });
        two.slow(&call(SECOND, 3 * SECOND), &Evidence::default());
        one.merge(two);
        assert_eq!((one.count, one.step), (2, 2 * FINEST));
        assert_eq!(one.run_delay, Some(RunDelay { waited: 7, looks: 1, long: 0 }));
        let windows = one.windows(SECOND, 100_000);
        let (first, last) = (windows[0], windows[5_000]);
        assert_eq!((first.samples, first.rtt_us_sum, first.rtt_us_max), (2, 40, 30));
        assert_eq!((first.run_delay, last.run_delay), (None, Some(7)));
        assert_eq!((last.samples, last.retransmitting, last.rtts), (1, 1, 0));
        let longest = one.examples[SlowCause::Unsampled as usize].unwrap();
        assert_eq!(longest.took, 3 * SECOND);
    }
}
