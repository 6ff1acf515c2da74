//! The cells of one experiment held against each other, within blocks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::difference::{Change, Difference, Estimate};
use crate::experiment::design::{Cell, Design, Factor, Level};
use crate::experiment::metric::Metric;
use crate::experiment::trial::Trial;
use crate::stats::{Sample, holm};

/// Rows that a document may have; designs with more have the pooled ones alone.
const MOST: usize = 20_000;

/// Pairs that are judged together: it takes memory by their square.
const MOST_PAIRS: usize = 2_000;

/// How the trials of one side differ from those of another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Comparison {
    /// The metric.
    pub metric: String,
    /// The levels of the first side; of a pooled comparison, that of the factor in question
    /// alone.
    pub a: BTreeMap<String, String>,
    /// Those of the second side.
    pub b: BTreeMap<String, String>,
    /// Whether each trial of one side is held against that of the other in the same block.
    pub paired: bool,
    /// Pairs; without blocks, trials of the smaller side. Of more than 2,000 the first 2,000.
    pub n: u64,
    /// The second side over the first (Hodges and Lehmann's estimate, of the logarithms). `None`
    /// where a value is 0: see `difference`.
    pub ratio: Option<f64>,
    /// Where it lies with 95 % at least. `None`: there are too few trials.
    pub ratio_low: Option<f64>,
    /// The other end of it.
    pub ratio_high: Option<f64>,
    /// The second side minus the first (Hodges and Lehmann's estimate).
    pub difference: f64,
    /// Where it lies with 95 % at least.
    pub difference_low: Option<f64>,
    /// The other end of it.
    pub difference_high: Option<f64>,
    /// How often chance alone would make the sides differ so much, or more: exact up to 200 pairs,
    /// or 60 trials of both sides; by the normal law beyond.
    pub p: f64,
    /// The same, of all `questions` together (Holm).
    pub p_holm: f64,
    /// Comparisons that were corrected together.
    pub questions: u64,
    /// The least `p_holm` that so many trials can give: where that is above 0.05, no difference
    /// however large can be told from chance.
    pub smallest_p_holm: f64,
    /// Cliff's delta, from −1 to 1: how much oftener the second side is above the first than
    /// below.
    pub delta: f64,
    /// How far the ratios of two trials, one of each side, lie apart: the standard deviation of
    /// their logarithms. `None` of one pair, and where a value is 0.
    #[serde(default)]
    pub log_sd: Option<f64>,
    /// What can be said of it.
    pub verdict: Change,
    /// About how many more trials of each cell would answer it, where it cannot be told: to show
    /// a difference as large as the estimate in 80 of 100 experiments, or, where that is within
    /// the margin, to know the ratio to ± the margin.
    pub more_trials: Option<u64>,
}

/// A comparison whose p is not corrected yet.
pub(in crate::experiment) struct Question {
    pub(in crate::experiment) metric: &'static Metric,
    pub(in crate::experiment) a: BTreeMap<String, String>,
    pub(in crate::experiment) b: BTreeMap<String, String>,
    pub(in crate::experiment) difference: Difference,
    /// The size of what is compared, for margins of differences.
    pub(in crate::experiment) scale: f64,
    /// Pairs that a block gives.
    pub(in crate::experiment) per_block: u64,
}

/// Corrects the p of questions that are asked together, and says what can be said.
pub(in crate::experiment) fn answered(questions: Vec<Question>, margin: f64) -> Vec<Comparison> {
    // What no data could show, since all values are the same, is no question (Tarone, Biometrics
    // 46, 1990).
    let open = |question: &Question| question.difference.smallest_p < 1.0;
    let p: Vec<f64> =
        questions.iter().filter(|q| open(q)).map(|question| question.difference.p).collect();
    let count = (p.len() as u64).max(1);
    let mut corrected = holm(&p).into_iter();
    let p_holm = |question: &Question| match open(question) {
        true => corrected.next().unwrap_or(1.0),
        false => 1.0,
    };
    let p_holm: Vec<f64> = questions.iter().map(p_holm).collect();
    let answer = |(question, p_holm): (Question, f64)| {
        let Question { metric, a, b, difference, scale, per_block } = question;
        let verdict = difference.change(p_holm, margin, metric.worse, scale);
        let low = |estimate: Estimate| estimate.interval.map(|(low, _)| low);
        let high = |estimate: Estimate| estimate.interval.map(|(_, high)| high);
        Comparison {
            metric: metric.name.to_owned(),
            a,
            b,
            paired: difference.is_paired,
            n: difference.n,
            ratio: difference.ratio.map(|ratio| ratio.value),
            ratio_low: difference.ratio.and_then(low),
            ratio_high: difference.ratio.and_then(high),
            difference: difference.difference.value,
            difference_low: low(difference.difference),
            difference_high: high(difference.difference),
            p: difference.p,
            p_holm,
            questions: count,
            smallest_p_holm: (difference.smallest_p * count as f64).min(1.0),
            delta: difference.delta,
            log_sd: difference.log_sd,
            verdict,
            more_trials: Some(verdict)
                .filter(|verdict| *verdict == Change::CannotTell)
                .and_then(|_| difference.more(count as usize, margin))
                .map(|more| more.div_ceil(per_block)),
        }
    };
    questions.into_iter().zip(p_holm).map(answer).collect()
}

/// What every two levels of a factor differ by, with the others held, and over all of them.
pub(super) fn comparisons(
    design: &Design,
    cells: &[Cell],
    trials: &[&Trial],
    margin: f64,
) -> Vec<Comparison> {
    let table = Table::new(cells, trials);
    let pairs = |levels: usize| levels * levels.saturating_sub(1) / 2;
    let factors = design.factors();
    let rows = |factor: &Factor| cells.len() / factor.levels.len() * pairs(factor.levels.len());
    let in_cells = factors.iter().map(rows).sum::<usize>() * Metric::all().len() <= MOST;
    let mut all = Vec::new();
    for metric in Metric::all() {
        for factor in factors {
            let strata = strata(cells, factor);
            let single = strata.iter().map(std::slice::from_ref).filter(|_| in_cells);
            let pooled = Some(strata.as_slice()).filter(|_| strata.len() > 1 || !in_cells);
            for strata in single.chain(pooled) {
                let questions = every_two(factor.levels.len())
                    .filter_map(|two| table.question(metric, factor, strata, two));
                all.extend(answered(questions.collect(), margin));
            }
        }
    }
    all
}

/// Cells that differ by the level of one factor alone, in the order of its levels.
type Stratum = Vec<usize>;

fn strata(cells: &[Cell], factor: &Factor) -> Vec<Stratum> {
    let others = |cell: &Cell| -> Vec<Level> {
        cell.levels()
            .filter(|(name, _)| *name != factor.name)
            .map(|(_, level)| level.clone())
            .collect()
    };
    let mut strata: Vec<(Vec<Level>, Stratum)> = Vec::new();
    // The cells come with the levels of each factor in their order.
    for cell in cells {
        let others = others(cell);
        match strata.iter_mut().find(|(of, _)| *of == others) {
            Some((_, stratum)) => stratum.push(cell.index()),
            None => strata.push((others, vec![cell.index()])),
        }
    }
    strata.into_iter().map(|(_, stratum)| stratum).collect()
}

fn every_two(count: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..count).flat_map(move |first| (first + 1..count).map(move |second| (first, second)))
}

/// The trials by cell and block.
struct Table<'a> {
    cells: &'a [Cell],
    trials: Vec<BTreeMap<u32, &'a Trial>>,
}

impl<'a> Table<'a> {
    fn new(cells: &'a [Cell], trials: &[&'a Trial]) -> Self {
        let of = |cell: &Cell| {
            let levels = cell.to_levels();
            let own = trials.iter().filter(|trial| trial.cell == levels);
            own.map(|trial| (trial.block, *trial)).collect()
        };
        Self { cells, trials: cells.iter().map(of).collect() }
    }

    /// What two levels of a factor differ by within the blocks of some strata; `None`: in no
    /// block were both measured.
    fn question(
        &self,
        metric: &'static Metric,
        factor: &Factor,
        strata: &[Stratum],
        (first, second): (usize, usize),
    ) -> Option<Question> {
        let of_stratum = |stratum: &Stratum| {
            let (a, b) = (&self.trials[stratum[first]], &self.trials[stratum[second]]);
            let pair = |(block, trial): (&u32, &&Trial)| {
                let value = |trial: &Trial| trial.figures.get(metric.name);
                Some((value(trial)?, value(b.get(block)?)?))
            };
            a.iter().filter_map(pair).collect::<Vec<_>>()
        };
        let pairs: Vec<(f64, f64)> = strata.iter().flat_map(of_stratum).take(MOST_PAIRS).collect();
        let difference = Difference::within_blocks(&pairs)?;
        let side = |place: usize| match strata {
            [stratum] => self.cells[stratum[place]].to_levels(),
            _ => BTreeMap::from([(factor.name.clone(), factor.levels[place].to_string())]),
        };
        let sizes = Sample::new(pairs.iter().flat_map(|(a, b)| [a.abs(), b.abs()]))?;
        Some(Question {
            metric,
            a: side(first),
            b: side(second),
            difference,
            scale: sizes.median(),
            per_block: strata.len().max(1) as u64,
        })
    }
}
