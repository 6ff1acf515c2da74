//! What can be said without a dirty rate, and with a record of dirtied pages (Akoush, Sohan, Rice,
//! Moore & Hopper, MASCOTS 2010).

use std::collections::BTreeSet;

use super::prediction::{Pass, Prediction};
use crate::model::error::{ModelError, not_negative, positive};

/// The least and the most of something.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Bounds {
    /// Not less.
    pub at_least: f64,
    /// Not more.
    pub at_most: f64,
}

/// Bounds on what pre-copy by Xen takes, whatever is dirtied. It stops when fewer than 50 pages are
/// left, after 29 rounds, or when three times the memory was sent; at the worst all of it is dirty
/// at the beginning of the last round and again at the stop: `O + V/B ≤ T ≤ O + (5V − 1 page)/B`
/// and `O_post ≤ T_down ≤ O_post + V/B`, with the overheads O (of all) and O_post (after the copy).
/// The `5V − 1 page` is quoted from memory and could not be read in the paper.
///
/// ```
/// use loadgen_core::model::migration::AkoushBounds;
///
/// let mebi = 1024.0 * 1024.0;
/// let bounds = AkoushBounds::new(512.0 * mebi, 125e6).with_overhead_s(1.0, 0.3);
/// assert!((bounds.total_s()?.at_least - 5.294_967_296).abs() < 1e-9);
/// assert!((bounds.downtime_s()?.at_most - 4.594_967_296).abs() < 1e-9);
/// # Ok::<(), loadgen_core::model::ModelError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct AkoushBounds {
    /// Memory, in bytes.
    pub memory: f64,
    /// The link, in bytes a second.
    pub bandwidth: f64,
    /// Bytes of a page.
    pub page: f64,
    /// Of the whole: to begin, to reserve, to commit and to activate, in s.
    pub overhead_s: f64,
    /// The part of it in which the machine stands still, in s.
    pub post_overhead_s: f64,
}

impl AkoushBounds {
    /// Without overheads, with pages of 4 KiB.
    #[must_use]
    pub fn new(memory: f64, bandwidth: f64) -> Self {
        Self { memory, bandwidth, page: 4096.0, overhead_s: 0.0, post_overhead_s: 0.0 }
    }

    /// Overheads of the whole, and of the part in which the machine stands still, in s.
    #[must_use]
    pub fn with_overhead_s(mut self, overhead_s: f64, post_overhead_s: f64) -> Self {
        (self.overhead_s, self.post_overhead_s) = (overhead_s, post_overhead_s);
        self
    }

    /// Bytes of a page.
    #[must_use]
    pub fn with_page(mut self, page: f64) -> Self {
        self.page = page;
        self
    }

    /// How long it takes, in s.
    ///
    /// # Errors
    /// [`ModelError`] for a number that is out of its range.
    pub fn total_s(&self) -> Result<Bounds, ModelError> {
        let once = self.once()?;
        let overhead = not_negative("the overhead", self.overhead_s)?;
        let page = not_negative("the size of a page", self.page)? / self.bandwidth;
        let at_most = (overhead + 5.0 * once - page).max(overhead + once);
        Ok(Bounds { at_least: overhead + once, at_most })
    }

    /// How long the machine stands still, in s.
    ///
    /// # Errors
    /// [`ModelError`] for a number that is out of its range.
    pub fn downtime_s(&self) -> Result<Bounds, ModelError> {
        let overhead = not_negative("the overhead of the stop", self.post_overhead_s)?;
        Ok(Bounds { at_least: overhead, at_most: overhead + self.once()? })
    }

    /// All of the memory, once.
    fn once(&self) -> Result<f64, ModelError> {
        let memory = not_negative("the memory", self.memory)?;
        Ok(memory / positive("the bandwidth", self.bandwidth)?)
    }
}

/// Pre-copy by Xen, with the pages that a machine dirtied in an earlier run (HIST of Akoush et
/// al.).
///
/// A round sends all pages that are dirty; those dirtied in it are the sets of the intervals that
/// began in it. The record is begun again at its end. **All of it is in pages**; so are the sums of
/// the prediction.
///
/// ```
/// use loadgen_core::model::migration::AkoushHistory;
///
/// let sets = vec![vec![0, 1, 2, 3], vec![2, 3, 4, 5], vec![6, 7], vec![]];
/// let prediction = AkoushHistory::new(64, 32.0, 0.25, sets).with_stop_below(4).predict()?;
/// // In the 2 s of the first round all intervals come by: pages 0 to 7 are dirty.
/// assert_eq!((prediction.passes[0].sent, prediction.passes[0].left), (64.0, 8.0));
/// # Ok::<(), loadgen_core::model::ModelError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct AkoushHistory {
    /// Pages to send.
    pub pages: u64,
    /// Pages that are sent in a second.
    pub pages_per_s: f64,
    /// How long an interval of the record is, in s.
    pub interval_s: f64,
    /// The pages that were dirtied in each interval, by their numbers.
    pub dirtied: Vec<Vec<u64>>,
    /// With fewer pages left, the machine is stopped.
    pub stop_below: u64,
    /// After so many rounds it is stopped.
    pub most_rounds: u32,
    /// When so many times its pages were sent, it is stopped.
    pub most_sent: f64,
}

impl AkoushHistory {
    /// With Xen's rules: 50 pages, 29 rounds, three times the memory.
    #[must_use]
    pub fn new(pages: u64, pages_per_s: f64, interval_s: f64, dirtied: Vec<Vec<u64>>) -> Self {
        let (stop_below, most_rounds, most_sent) = (50, 29, 3.0);
        Self { pages, pages_per_s, interval_s, dirtied, stop_below, most_rounds, most_sent }
    }

    /// With fewer pages left, the machine is stopped.
    #[must_use]
    pub fn with_stop_below(mut self, pages: u64) -> Self {
        self.stop_below = pages;
        self
    }

    /// What it costs, in pages and seconds.
    ///
    /// # Errors
    /// [`ModelError`] for a number that is out of its range.
    pub fn predict(&self) -> Result<Prediction, ModelError> {
        positive("the pages a second", self.pages_per_s)?;
        positive("the interval of the record", self.interval_s)?;
        let mut prediction = Prediction { left: self.pages as f64, ..Prediction::default() };
        let mut interval = 0;
        while prediction.left >= self.stop_below as f64
            && prediction.passes.len() < self.most_rounds as usize
            && prediction.sent < self.most_sent * self.pages as f64
        {
            let sent = prediction.left;
            let length_s = sent / self.pages_per_s;
            prediction.sent += sent;
            // Of whole pages: a sum of lengths would drift from the intervals.
            prediction.copying_s = prediction.sent / self.pages_per_s;
            let begun = self.begun_by(prediction.copying_s);
            prediction.left = self.dirtied_in(interval, begun) as f64;
            interval = begun;
            prediction.passes.push(Pass { length_s, sent, left: prediction.left });
        }
        prediction.converges = prediction.left < self.stop_below as f64;
        prediction.sent += prediction.left;
        prediction.downtime_s = prediction.left / self.pages_per_s;
        Ok(prediction.summed())
    }

    /// How many intervals have begun before a moment.
    fn begun_by(&self, at_s: f64) -> u64 {
        let intervals = at_s / self.interval_s;
        // One that begins at this very moment, but for rounding, has not.
        (intervals - 1e-9 * intervals.max(1.0)).ceil() as u64
    }

    /// Different pages that were dirtied in the intervals from `from` to before `to`.
    fn dirtied_in(&self, from: u64, to: u64) -> usize {
        let all = self.dirtied.len() as u64;
        if all == 0 {
            return 0;
        }
        // Once around is all there is.
        let intervals = (from..to.min(from.saturating_add(all))).map(|k| (k % all) as usize);
        let sets = intervals.filter_map(|k| self.dirtied.get(k));
        sets.flatten().filter(|page| **page < self.pages).collect::<BTreeSet<_>>().len()
    }
}
