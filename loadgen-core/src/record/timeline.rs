//! How a run went over time: counters on a fine grid and response times on one
//! ten times coarser, both from the start of the load. Memory is bounded: when a
//! run outgrows the grid, both are made twice as coarse.
//!
//! Response times belong to the window of the *intended* start, so a call that is
//! answered late still counts where its user came; all else belongs to the step
//! in which it happened.

#[cfg(test)]
mod tests;
mod written;

use serde::{Deserialize, Serialize};

use super::Population;
use crate::clock::{MILLISECOND, Nanos};

/// The finest step of the counters.
const FINEST_STEP: Nanos = 10 * MILLISECOND;

/// The same for a load that goes on for days.
const COARSE_STEP: Nanos = 100 * FINEST_STEP;

/// Steps of the counters in one window of response times.
pub(crate) const STEPS_PER_WINDOW: u64 = 10;

/// Steps before the grid is coarsened: one hour at the finest (14 MiB).
const MAX_STEPS: u64 = 360_000;

/// How often a step can be doubled, of the longest load.
const MAX_WIDTHS: u64 = 1 << 20;

/// What happened in one step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) offered: u32,
    pub(crate) started: u32,
    pub(crate) answered: u32,
    pub(crate) failed: u32,
    pub(crate) shed: u32,
    pub(crate) bytes_sent: u64,
    pub(crate) bytes_received: u64,
}

impl Counters {
    pub(crate) fn add(&mut self, other: &Self) {
        self.offered = self.offered.saturating_add(other.offered);
        self.started = self.started.saturating_add(other.started);
        self.answered = self.answered.saturating_add(other.answered);
        self.failed = self.failed.saturating_add(other.failed);
        self.shed = self.shed.saturating_add(other.shed);
        self.bytes_sent += other.bytes_sent;
        self.bytes_received += other.bytes_received;
    }
}

/// Response times of one closed window: counts of log-linear buckets (7 bits of
/// mantissa, so a value is known to 0.8 %, two significant digits), sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Window {
    buckets: Vec<(u16, u32)>,
    /// Exact.
    pub(crate) max_ns: u64,
}

impl Window {
    fn add(&mut self, bucket: u16, count: u32, max_ns: u64) {
        match self.buckets.binary_search_by_key(&bucket, |&(b, _)| b) {
            Ok(i) => self.buckets[i].1 = self.buckets[i].1.saturating_add(count),
            Err(i) => self.buckets.insert(i, (bucket, count)),
        }
        self.max_ns = self.max_ns.max(max_ns);
    }

    /// Of buckets in order, without the empty ones; `None` if these are no such.
    fn of(buckets: Vec<(u16, u32)>, max_ns: u64) -> Option<Self> {
        let in_order = buckets.is_sorted_by(|one, next| one.0 < next.0);
        let known = buckets.last().is_none_or(|&(bucket, _)| usize::from(bucket) < BUCKETS);
        (in_order && known).then_some(Self { buckets, max_ns })
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for &(bucket, count) in &other.buckets {
            self.add(bucket, count, other.max_ns);
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().map(|&(_, n)| u64::from(n)).sum()
    }

    /// The smallest bucket that holds at least the fraction `q` of the calls, at
    /// its middle; never above the maximum. `None` without calls.
    pub(crate) fn quantile_ns(&self, q: f64) -> Option<u64> {
        let rank = ((self.count() as f64 * q).ceil() as u64).max(1);
        let mut seen = 0;
        self.buckets.iter().find_map(|&(bucket, n)| {
            seen += u64::from(n);
            (seen >= rank).then(|| bucket_middle(bucket).min(self.max_ns))
        })
    }
}

/// The window that calls arrive in now, kept dense so that recording is two adds.
#[derive(Debug, Clone)]
struct Live {
    index: u64,
    /// Where it begins, to save a division.
    start: Nanos,
    counts: Vec<u32>,
    touched: Vec<u16>,
    max_ns: u64,
}

/// One more than the largest bucket of a u64.
const BUCKETS: usize = 58 * 128;

/// Bucket of a value: exact below 256 ns, 7 bits of mantissa above.
fn bucket(value: u64) -> u16 {
    let shift = (u64::BITS - 8).saturating_sub(value.leading_zeros());
    (u64::from(shift) * 128 + (value >> shift)) as u16
}

/// The middle of a bucket, in ns.
fn bucket_middle(bucket: u16) -> u64 {
    if bucket < 256 {
        return u64::from(bucket);
    }
    let shift = u32::from(bucket / 128 - 1);
    let mantissa = u64::from(bucket) - u64::from(shift) * 128;
    (mantissa << shift) + (1_u64 << shift) / 2
}

/// The timeline of one worker, or of all after merging.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "written::Columns", into = "written::Columns")]
pub(crate) struct Timeline {
    step: Nanos,
    /// The window that it begins with: 0, but for one that goes on after another.
    first: u64,
    steps: Vec<Counters>,
    windows: [Vec<Window>; 2],
    live: [Live; 2],
    /// The step that was touched last, to save a division.
    cursor: (Nanos, usize),
}

impl Timeline {
    /// A timeline with room for `expected` ns before it has to grow.
    pub(crate) fn new(expected: Nanos) -> Self {
        let steps = (expected / FINEST_STEP).min(MAX_STEPS) as usize + 1;
        let windows = steps / STEPS_PER_WINDOW as usize + 1;
        let live =
            Live { index: 0, start: 0, counts: vec![0; BUCKETS], touched: Vec::new(), max_ns: 0 };
        Self {
            step: FINEST_STEP,
            first: 0,
            steps: Vec::with_capacity(steps),
            windows: [Vec::with_capacity(windows), Vec::with_capacity(windows)],
            live: [live.clone(), live],
            cursor: (0, usize::MAX),
        }
    }

    /// A timeline that begins with steps of a second, and is made coarser after four days.
    pub(crate) fn coarse() -> Self {
        Self { step: COARSE_STEP, ..Self::new(0) }
    }

    /// Begins where the other one is now: of one that is empty.
    pub(crate) fn follow(&mut self, other: &Self) {
        self.step = other.step;
        self.first = other.first + other.steps.len() as u64 / STEPS_PER_WINDOW;
    }

    /// Makes it begin with an earlier window.
    fn begin_at(&mut self, first: u64) {
        let earlier = self.first.saturating_sub(first) as usize;
        if earlier == 0 {
            return;
        }
        let steps = earlier * STEPS_PER_WINDOW as usize;
        self.steps.splice(..0, std::iter::repeat_n(Counters::default(), steps));
        for windows in self.windows.iter_mut().filter(|windows| !windows.is_empty()) {
            windows.splice(..0, std::iter::repeat_n(Window::default(), earlier));
        }
        self.first = first;
        self.cursor = (0, usize::MAX);
    }

    /// Width of a step of the counters.
    pub(crate) fn step(&self) -> Nanos {
        self.step
    }

    /// Width of a window of response times.
    pub(crate) fn window(&self) -> Nanos {
        self.step * STEPS_PER_WINDOW
    }

    /// The counters of the step at `at`.
    // Always: where the compiler leaves it to itself, a call has 15 instructions more.
    #[inline(always)]
    pub(crate) fn at(&mut self, at: Nanos) -> &mut Counters {
        let (start, index) = self.cursor;
        if index != usize::MAX && at >= start && at - start < self.step {
            return &mut self.steps[index];
        }
        self.move_to(at)
    }

    /// The same for a step that was not the last one touched.
    #[cold]
    #[inline(never)]
    fn move_to(&mut self, at: Nanos) -> &mut Counters {
        while at / self.step >= MAX_STEPS {
            self.coarsen();
        }
        self.begin_at((at / self.window()).min(self.first));
        let step = at / self.step;
        let index = (step - self.first * STEPS_PER_WINDOW) as usize;
        if index >= self.steps.len() {
            self.steps.resize(index + 1, Counters::default());
        }
        self.cursor = (step * self.step, index);
        &mut self.steps[index]
    }

    /// Records a response time in the window of its intended start.
    #[inline]
    pub(crate) fn response(&mut self, population: Population, intended: Nanos, response: Nanos) {
        let p = population as usize;
        let bucket = bucket(response);
        // Before its start the difference wraps around, and is no less either.
        if intended.wrapping_sub(self.live[p].start) >= self.window()
            && let Some(past) = self.move_live_to(p, intended)
        {
            self.window_at(p, past).add(bucket, 1, response);
            return;
        }
        let live = &mut self.live[p];
        let count = &mut live.counts[usize::from(bucket)];
        if *count == 0 {
            live.touched.push(bucket);
        }
        *count += 1;
        live.max_ns = live.max_ns.max(response);
    }

    /// Makes the window of `intended` the live one. Returns its index in place of
    /// that if it is closed already.
    #[cold]
    #[inline(never)]
    fn move_live_to(&mut self, p: usize, intended: Nanos) -> Option<u64> {
        while intended / self.step >= MAX_STEPS {
            self.coarsen();
        }
        let index = intended / self.window();
        if index < self.live[p].index {
            return Some(index);
        }
        if index > self.live[p].index {
            self.close(p);
            self.live[p].index = index;
            self.live[p].start = index * self.window();
        }
        None
    }

    /// The last window before the one of `now`: what a progress display shows.
    pub(crate) fn recent(&mut self, population: Population, now: Nanos) -> Option<&Window> {
        let p = population as usize;
        if now / self.window() > self.live[p].index {
            self.close(p);
        }
        self.windows[p].last()
    }

    /// Moves the live counts of a population into its closed window.
    fn close(&mut self, p: usize) {
        let live = &mut self.live[p];
        if live.touched.is_empty() {
            return;
        }
        live.touched.sort_unstable();
        let index = live.index;
        self.begin_at(index.min(self.first));
        let live = &mut self.live[p];
        let window = window_at(&mut self.windows[p], index - self.first);
        if window.buckets.is_empty() {
            window.buckets.reserve_exact(live.touched.len());
        }
        for bucket in live.touched.drain(..) {
            let count = std::mem::take(&mut live.counts[usize::from(bucket)]);
            window.add(bucket, count, live.max_ns);
        }
        live.max_ns = 0;
    }

    /// Doubles the width of steps and windows.
    fn coarsen(&mut self) {
        self.close(0);
        self.close(1);
        self.begin_at(self.first / 2 * 2);
        self.first /= 2;
        self.steps = pairs(&self.steps, Counters::add);
        for windows in &mut self.windows {
            *windows = pairs(windows, Window::merge);
        }
        for live in &mut self.live {
            live.index /= 2;
        }
        self.step *= 2;
        let window = self.window();
        for live in &mut self.live {
            live.start = live.index * window;
        }
        self.cursor = (0, usize::MAX);
    }

    /// Joins the timeline of another worker.
    pub(crate) fn merge(&mut self, mut other: Self) {
        for p in 0..2 {
            self.close(p);
            other.close(p);
        }
        while self.step < other.step {
            self.coarsen();
        }
        while other.step < self.step {
            other.coarsen();
        }
        self.begin_at(other.first.min(self.first));
        let later = other.first - self.first;
        let first = (later * STEPS_PER_WINDOW) as usize;
        let end = first + other.steps.len();
        if self.steps.len() < end {
            self.steps.resize(end, Counters::default());
        }
        for (mine, theirs) in self.steps[first..].iter_mut().zip(&other.steps) {
            mine.add(theirs);
        }
        for (mine, theirs) in self.windows.iter_mut().zip(&other.windows) {
            for (window, i) in theirs.iter().zip(later..) {
                window_at(mine, i).merge(window);
            }
        }
        self.cursor = (0, usize::MAX);
    }

    /// The counters of all steps from the start of the load, the last one possibly unfinished.
    pub(crate) fn steps(&mut self) -> &[Counters] {
        self.begin_at(0);
        &self.steps
    }

    /// The closed windows of a population from the start of the load; call after the last record.
    pub(crate) fn windows(&mut self, population: Population) -> &[Window] {
        let p = population as usize;
        self.close(p);
        self.begin_at(0);
        &self.windows[p]
    }

    /// A window by its number, of those since the start of the load.
    fn window_at(&mut self, p: usize, index: u64) -> &mut Window {
        self.begin_at(index.min(self.first));
        window_at(&mut self.windows[p], index - self.first)
    }
}

fn window_at(windows: &mut Vec<Window>, index: u64) -> &mut Window {
    let index = index as usize;
    if index >= windows.len() {
        windows.resize(index + 1, Window::default());
    }
    &mut windows[index]
}

/// Joins neighbours, an odd last one alone.
fn pairs<T: Clone>(items: &[T], join: impl Fn(&mut T, &T)) -> Vec<T> {
    items
        .chunks(2)
        .map(|pair| {
            let mut joined = pair[0].clone();
            if let Some(second) = pair.get(1) {
                join(&mut joined, second);
            }
            joined
        })
        .collect()
}
