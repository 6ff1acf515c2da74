//! Whether the machine drifted: blocks follow each other in time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::experiment::metric::Metric;
use crate::experiment::trial::Trial;
use crate::stats::{Sample, kruskal_wallis};

/// Whether the blocks of an experiment differ in a metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Drift {
    /// The metric.
    pub metric: String,
    /// Blocks that were held against each other.
    pub blocks: u64,
    /// How often chance alone would make them differ so much, or more: Kruskal and Wallis' test
    /// of the values over the medians of their cells.
    pub p: f64,
    /// The block whose values were lowest, and their median over those of their cells.
    pub lowest: (u32, f64),
    /// The block whose values were highest.
    pub highest: (u32, f64),
}

impl Drift {
    /// Whether the blocks differ more than chance makes them, at 1 % : there are many metrics.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        self.p < 0.01
    }
}

/// Of every metric that has values above zero in at least two cells and three blocks.
pub(super) fn drifts(trials: &[&Trial]) -> Vec<Drift> {
    Metric::all().iter().filter_map(|metric| drift(metric, trials)).collect()
}

fn drift(metric: &Metric, trials: &[&Trial]) -> Option<Drift> {
    let mut cells: BTreeMap<&BTreeMap<String, String>, Vec<(u32, f64)>> = BTreeMap::new();
    for trial in trials {
        let value = trial.figures.get(metric.name).filter(|value| *value > 0.0);
        if let Some(value) = value {
            cells.entry(&trial.cell).or_default().push((trial.block, value));
        }
    }
    if cells.len() < 2 {
        return None;
    }
    let mut blocks: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for values in cells.values() {
        let median = Sample::new(values.iter().map(|(_, value)| *value))?.median();
        for (block, value) in values {
            blocks.entry(*block).or_default().push(value / median);
        }
    }
    blocks.retain(|_, values| values.len() > 1);
    if blocks.len() < 3 {
        return None;
    }
    let samples: Option<Vec<(u32, Sample)>> =
        blocks.into_iter().map(|(block, values)| Some((block, Sample::new(values)?))).collect();
    let samples = samples?;
    let groups: Vec<Sample> = samples.iter().map(|(_, sample)| sample.clone()).collect();
    let ranked = kruskal_wallis(&groups)?;
    let medians = || samples.iter().map(|(block, sample)| (*block, sample.median()));
    Some(Drift {
        metric: metric.name.to_owned(),
        blocks: groups.len() as u64,
        p: ranked.p,
        lowest: medians().min_by(|a, b| a.1.total_cmp(&b.1))?,
        highest: medians().max_by(|a, b| a.1.total_cmp(&b.1))?,
    })
}
