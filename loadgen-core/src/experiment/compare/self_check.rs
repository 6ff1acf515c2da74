//! How often a gate fires though nothing changed: one side, split at random.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::compared::{CompareError, compare};
use super::side::Side;
use crate::experiment::analysis::Change;
use crate::experiment::metric::Metric;
use crate::random::SplitMix64;
use crate::stats::{Confidence, proportion_interval};

/// How often a side was told to differ from itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SelfCheck {
    /// Random splits.
    pub splits: u64,
    /// Splits of which any metric of any cell was told to be slower.
    pub slower: u64,
    /// Splits of which any was told to be slower or faster.
    pub changed: u64,
    /// Where the share of `slower` lies with 95 % (Clopper and Pearson).
    pub slower_low: f64,
    /// The other end of it.
    pub slower_high: f64,
}

/// Splits the trials of each cell in two halves at random, so many times, and compares them.
/// With the same seed it is always the same.
///
/// # Errors
/// [`CompareError::NoCell`] if no cell has two trials.
pub fn self_check(
    side: &Side,
    metrics: &[&'static Metric],
    margin: f64,
    splits: u32,
    seed: u64,
) -> Result<SelfCheck, CompareError> {
    let mut random = SplitMix64::new(seed);
    let (mut slower, mut changed) = (0, 0);
    for _ in 0..splits {
        let (a, b) = halves(side, &mut random);
        let compared = compare(&a, &b, metrics, margin, false)?;
        let has = |change: Change| compared.comparisons.iter().any(|row| row.verdict == change);
        slower += u64::from(has(Change::Slower));
        changed += u64::from(has(Change::Slower) || has(Change::Faster));
    }
    let interval = proportion_interval(slower, u64::from(splits), Confidence::P95);
    Ok(SelfCheck {
        splits: u64::from(splits),
        slower,
        changed,
        slower_low: interval.map_or(0.0, |interval| interval.low),
        slower_high: interval.map_or(1.0, |interval| interval.high),
    })
}

fn halves(side: &Side, random: &mut SplitMix64) -> (Side, Side) {
    let mut cells: BTreeMap<&BTreeMap<String, String>, Vec<&_>> = BTreeMap::new();
    for trial in side.counting() {
        cells.entry(&trial.cell).or_default().push(trial);
    }
    let empty = Side { trials: Vec::new(), ..side.clone() };
    let (mut a, mut b) = (empty.clone(), empty);
    for trials in cells.values_mut() {
        for last in (1..trials.len()).rev() {
            trials.swap(last, (random.draw() % (last as u64 + 1)) as usize);
        }
        let half = trials.len() / 2;
        a.trials.extend(trials[..half].iter().map(|trial| (*trial).clone()));
        b.trials.extend(trials[half..].iter().map(|trial| (*trial).clone()));
    }
    (a, b)
}
