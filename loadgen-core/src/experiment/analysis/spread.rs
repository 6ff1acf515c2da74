//! How the trials of one cell spread: what is told of a metric of one cell.

use serde::{Deserialize, Serialize};

use crate::experiment::metric::{Metric, Unit};
use crate::experiment::trial::Trial;
use crate::stats::{Confidence, MedianInterval, Sample, trials_for_mean};

/// How narrow an interval of the mean is to be, as a share of it, where it is told how many
/// trials that takes.
const NARROW: f64 = 0.05;

/// Trials below which no outliers are told.
const FEW: usize = 5;

/// One metric over the trials of one cell. What so few trials cannot tell is `None`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Spread {
    /// The unit of all that is not a share or a number of trials.
    pub unit: Unit,
    /// Trials in which it was measured.
    pub n: u64,
    /// Those of them of which only a lower bound is known; they count with it.
    #[serde(default)]
    pub lower_bounds: u64,
    /// The median.
    pub median: f64,
    /// Where the median lies with 95 %, by order statistics: one of the trials.
    pub median_low: Option<f64>,
    /// The other end of it.
    pub median_high: Option<f64>,
    /// How often such an interval holds the median, at least 0.95. Without an interval: how
    /// often the range from the least to the greatest does.
    pub coverage: f64,
    /// The arithmetic mean.
    pub mean: f64,
    /// Where the mean lies with 95 %, by Student's t: right for values that follow a normal law.
    pub mean_low: Option<f64>,
    /// The other end of it.
    pub mean_high: Option<f64>,
    /// Standard deviation, with n − 1.
    pub sd: Option<f64>,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// Half of the interval of the mean, as a share of the mean.
    pub precision: Option<f64>,
    /// Trials in all until that is 0.05 at most.
    pub trials_for_5_percent: Option<u64>,
    /// Trials that lie more than three robust deviations from the median, by their numbers. They
    /// are told, and not left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outliers: Vec<u32>,
    /// The trials fall into two groups, with this gap between them. A hint, no test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub two_groups: Option<(f64, f64)>,
}

impl Spread {
    /// That of a metric over some trials; `None` if it was measured in none of them.
    #[must_use]
    pub fn of(metric: &Metric, trials: &[&Trial]) -> Option<Self> {
        let measured: Vec<(&Trial, f64)> = trials
            .iter()
            .filter_map(|trial| Some((*trial, trial.figures.get(metric.name)?)))
            .collect();
        let sample = Sample::new(measured.iter().map(|(_, value)| *value))?;
        let is_bound = |trial: &Trial| trial.figures.lower_bounds.contains(metric.name);
        let lower_bounds = measured.iter().filter(|(trial, _)| is_bound(trial)).count() as u64;
        let median = sample.median_interval(Confidence::P95);
        let mean = sample.mean_interval(Confidence::P95);
        let center = sample.mean();
        let cv = sample.cv();
        // Of a few, none can be far from the others.
        let far = if measured.len() < FEW { Vec::new() } else { sample.outliers() };
        let outliers = measured.iter().filter(|(_, value)| far.contains(value));
        Some(Self {
            unit: metric.unit,
            n: measured.len() as u64,
            lower_bounds,
            median: sample.median(),
            median_low: median.interval().map(|interval| interval.low),
            median_high: median.interval().map(|interval| interval.high),
            coverage: match median {
                MedianInterval::Found { interval, .. } => interval.coverage,
                MedianInterval::TooFew { largest_coverage } => largest_coverage,
            },
            mean: center,
            mean_low: mean.map(|interval| interval.low),
            mean_high: mean.map(|interval| interval.high),
            sd: sample.sd(),
            min: sample.min(),
            max: sample.max(),
            precision: mean
                .filter(|_| center != 0.0)
                .map(|interval| (interval.high - interval.low) / 2.0 / center.abs()),
            trials_for_5_percent: cv
                .and_then(|cv| trials_for_mean(cv, NARROW, Confidence::P95))
                .map(|trials| trials as u64),
            outliers: outliers.map(|(trial, _)| trial.index).collect(),
            two_groups: sample.two_groups().filter(|groups| is_told(metric, &sample, *groups)),
        })
    }
}

/// Whether two groups are worth a word: of a few trials they are chance, and what lies together
/// within a few per cent, or one apart in a count, is one group to whoever reads of it.
fn is_told(metric: &Metric, sample: &Sample, (low, high): (f64, f64)) -> bool {
    let least = match metric.unit {
        Unit::Count => 1.0,
        _ => NARROW * sample.median().abs(),
    };
    sample.n() > FEW && high - low > least
}
