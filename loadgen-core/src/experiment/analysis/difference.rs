//! How one side differs from another: the same question within blocks and between two samples.

use serde::{Deserialize, Serialize};

use crate::experiment::metric::Worse;
use crate::stats::{Confidence, Sample, blocks_for_ratio, paired, trials_for_ratio, two_samples};

/// How often a difference that is there is to be shown.
const POWER: f64 = 0.8;

/// By how much a second side differs from a first one, before it is known how many such
/// questions are asked together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::experiment) struct Difference {
    /// Pairs, or trials of the smaller side.
    pub(super) n: u64,
    pub(super) is_paired: bool,
    /// The second over the first, where all values are above zero: the estimate, and where it
    /// lies.
    pub(super) ratio: Option<Estimate>,
    /// The second minus the first.
    pub(super) difference: Estimate,
    pub(super) p: f64,
    /// Cliff's delta over all pairs of trials.
    pub(super) delta: f64,
    /// The least p that so many trials can give.
    pub(super) smallest_p: f64,
    /// Standard deviation of the logarithm of a ratio of two trials, one of each side.
    pub(super) log_sd: Option<f64>,
}

/// A number, and where it lies with 95 %.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Estimate {
    pub(super) value: f64,
    /// `None`: there are too few trials.
    pub(super) interval: Option<(f64, f64)>,
}

/// What can be said of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Change {
    /// The second side is worse.
    #[serde(rename = "slower")]
    Slower,
    /// The second side is better.
    #[serde(rename = "faster")]
    Faster,
    /// They differ by less than the margin.
    #[serde(rename = "same")]
    Same,
    /// More trials are needed.
    #[serde(rename = "can't tell")]
    CannotTell,
}

impl Change {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Slower => "slower",
            Self::Faster => "faster",
            Self::Same => "same",
            Self::CannotTell => "can't tell",
        }
    }
}

impl Difference {
    /// Of pairs (first, second), each of one block. `None` of none.
    pub(super) fn within_blocks(pairs: &[(f64, f64)]) -> Option<Self> {
        let differences = Sample::new(pairs.iter().map(|(a, b)| b - a))?;
        let of_differences = paired(&differences, Confidence::P95);
        let interval = |interval: crate::stats::Interval| (interval.low, interval.high);
        let difference = Estimate {
            value: of_differences.pseudo_median,
            interval: of_differences.interval.map(interval),
        };
        let positive = pairs.iter().all(|(a, b)| *a > 0.0 && *b > 0.0);
        let logs = positive.then(|| Sample::new(pairs.iter().map(|(a, b)| (b / a).ln()))).flatten();
        let of_logs = logs.as_ref().map(|logs| paired(logs, Confidence::P95));
        let (a, b) = pairs.iter().copied().unzip::<f64, f64, Vec<f64>, Vec<f64>>();
        let both = two_samples(&Sample::new(a)?, &Sample::new(b)?, Confidence::P95);
        Some(Self {
            n: pairs.len() as u64,
            is_paired: true,
            ratio: of_logs.map(|logs| Estimate {
                value: logs.pseudo_median.exp(),
                interval: logs.interval.map(|i| (i.low.exp(), i.high.exp())),
            }),
            difference,
            p: of_logs.map_or(of_differences.p, |logs| logs.p),
            delta: both.cliffs_delta,
            // Zeros say nothing, and have no rank.
            smallest_p: 0.5_f64.powi(of_differences.n_nonzero.saturating_sub(1).min(1_000) as i32),
            log_sd: logs.and_then(|logs| logs.sd()),
        })
    }

    /// Of two samples that have nothing to do with each other.
    pub(in crate::experiment) fn between(first: &Sample, second: &Sample) -> Self {
        let plain = two_samples(first, second, Confidence::P95);
        let logs = |side: &Sample| {
            let positive = side.min() > 0.0;
            positive.then(|| Sample::new(side.values().iter().map(|value| value.ln()))).flatten()
        };
        let logs = logs(first).zip(logs(second));
        let estimate =
            |shift: f64, interval: Option<crate::stats::Interval>, of: fn(f64) -> f64| {
                let interval = interval.map(|interval| (of(interval.low), of(interval.high)));
                Estimate { value: of(shift), interval }
            };
        let ratio = logs.as_ref().map(|(a, b)| {
            let logs = two_samples(a, b, Confidence::P95);
            estimate(logs.shift, logs.shift_interval, f64::exp)
        });
        let ways =
            |n: usize, m: usize| -> f64 { (1..=n).map(|k| (m + k) as f64 / k as f64).product() };
        Self {
            n: first.n().min(second.n()) as u64,
            is_paired: false,
            ratio,
            difference: estimate(plain.shift, plain.shift_interval, |value| value),
            p: plain.p,
            delta: plain.cliffs_delta,
            smallest_p: match first.min() == second.max() && second.min() == first.max() {
                true => 1.0,
                false => (2.0 / ways(first.n(), second.n())).min(1.0),
            },
            log_sd: logs.and_then(|(a, b)| Some(a.sd()?.hypot(b.sd()?))),
        }
    }

    /// What can be said, when this is one of several questions and `p` is what Holm makes of
    /// its p. Two sides differ if that is below 5 % and either the estimate lies beyond the
    /// margin or the whole interval beyond half of it.
    pub(super) fn change(&self, p_holm: f64, margin: f64, worse: Worse, scale: f64) -> Change {
        let (estimate, unchanged, margin_low, margin_high) = match self.ratio {
            Some(ratio) => (ratio, 1.0, 1.0 / (1.0 + margin), 1.0 + margin),
            None => (self.difference, 0.0, -margin * scale, margin * scale),
        };
        let half = |limit: f64| f64::midpoint(unchanged, limit);
        let beyond = estimate.value < margin_low
            || estimate.value > margin_high
            || estimate
                .interval
                .is_some_and(|(low, high)| low > half(margin_high) || high < half(margin_low));
        if p_holm < 0.05 && beyond {
            let is_more = estimate.value > unchanged;
            return if is_more == (worse == Worse::Higher) {
                Change::Slower
            } else {
                Change::Faster
            };
        }
        let is_within =
            estimate.interval.is_some_and(|(low, high)| low >= margin_low && high <= margin_high);
        if is_within { Change::Same } else { Change::CannotTell }
    }

    /// About how many more pairs, or trials of each side, would answer it, when this is one of so
    /// many questions: a difference as large as the estimate is shown, or, where that is within
    /// the margin, that the difference is. `None`: nobody knows, or nobody would make so many.
    pub(super) fn more(&self, questions: usize, margin: f64) -> Option<u64> {
        let (ratio, log_sd) = (self.ratio?.value, self.log_sd?);
        let needed = if ratio.ln().abs() > margin.ln_1p() {
            blocks_for_ratio(log_sd, ratio, questions, POWER)?
        } else {
            trials_for_ratio(log_sd, margin, Confidence::P95)? as u64
        };
        Some(needed.saturating_sub(self.n).max(1))
    }
}
