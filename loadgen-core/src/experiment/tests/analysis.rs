//! What is said of trials whose truth is known, since it was invented.

use super::invented::trial;
use crate::experiment::*;
use crate::random::SplitMix64;

/// Numbers that follow a normal law (Box and Muller).
struct Normal(SplitMix64);

impl Normal {
    fn draw(&mut self) -> f64 {
        let (u, v) = (1.0 - self.0.unit(), self.0.unit());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }
}

const METRICS: [&str; 6] = [
    "total_migration_time_ms",
    "downtime_events_ms",
    "outage_established_ms",
    "outage_fresh_ms",
    "unreachable_ms",
    "response_time_during_p99_ms",
];

/// Trials of cells that have these medians, spread by `trial` within blocks, that drift by `block`
/// from one to the next; in six metrics, which have the drift in common.
fn trials(
    design: &Design,
    medians: &[f64],
    (of_trial, of_block): (f64, f64),
    random: &mut Normal,
) -> Vec<Trial> {
    let cells = design.cells().unwrap();
    let mut all: Vec<Trial> = Vec::new();
    for block in 0..design.blocks() {
        let drift = of_block * random.draw();
        for cell in design.order(block).unwrap() {
            let index = all.len() as u32 + 1;
            let mut one = trial(index, block + 1, &cells[cell], METRICS[0], 0.0);
            for name in METRICS {
                let value = medians[cell] * (drift + of_trial * random.draw()).exp();
                one.figures.metrics.insert(name.to_owned(), Some(value));
            }
            all.push(one);
        }
    }
    all
}

fn two(blocks: u32) -> Design {
    Design::new(blocks).with_factor(Factor::new("strategy", ["pre", "post"]))
}

fn summary(design: &Design, trials: Vec<Trial>) -> Summary {
    Summary::of(&ExperimentPlan::new(design.clone()), trials).unwrap()
}

fn is_changed(comparison: &Comparison) -> bool {
    matches!(comparison.verdict, Change::Slower | Change::Faster)
}

/// Six standard deviations of a binomial law around what is expected.
#[track_caller]
fn about(hits: u32, of: u32, share: f64) {
    let (of, hits) = (f64::from(of), f64::from(hits));
    let sd = (of * share * (1.0 - share)).sqrt();
    assert!((hits - of * share).abs() <= 6.0 * sd, "{hits} of {of}, and not {share}");
}

#[test]
fn intervals_hold_the_truth_as_often_as_they_say() {
    let mut random = Normal(SplitMix64::new(11));
    let design = Design::new(7);
    let (mut mean, mut median, experiments) = (0, 0, 1_000);
    for _ in 0..experiments {
        // Of a normal law: so small a spread is as good as none in the logarithm.
        let trials = trials(&design, &[100.0], (0.001, 0.0), &mut random);
        let summary = summary(&design, trials);
        let spread = &summary.cells[0].metrics[METRICS[1]];
        let holds = |low: Option<f64>, high: Option<f64>| {
            low.is_some_and(|low| low <= 100.0) && high.is_some_and(|high| high >= 100.0)
        };
        mean += u32::from(holds(spread.mean_low, spread.mean_high));
        median += u32::from(holds(spread.median_low, spread.median_high));
        assert!((spread.coverage - 0.984_375).abs() < 1e-12);
    }
    about(mean, experiments, 0.95);
    about(median, experiments, 0.984_375);
}

/// Where the machine drifts, too: that is what blocks are for.
#[test]
fn equal_cells_are_rarely_told_to_differ() {
    let mut random = Normal(SplitMix64::new(12));
    for (blocks, of_block) in [(7, 0.15), (10, 0.0), (10, 0.3)] {
        let design = two(blocks);
        let (mut alarms, experiments) = (0, 200);
        for _ in 0..experiments {
            let trials = trials(&design, &[100.0, 100.0], (0.08, of_block), &mut random);
            let summary = summary(&design, trials);
            alarms += summary.comparisons.iter().filter(|row| is_changed(row)).count();
        }
        // Of 1,200 questions 60 at the most are to be wrong: with six deviations, 105.
        assert!(alarms <= 105, "{blocks} {of_block}: {alarms}");
    }
}

#[test]
fn a_known_difference_is_shown_as_often_as_it_was_said_to_be() {
    let mut random = Normal(SplitMix64::new(13));
    let design = two(10);
    let log_sd = 0.08 * std::f64::consts::SQRT_2;
    let least = crate::stats::detectable_ratio(log_sd, 10, 1, 0.8).unwrap();
    let (mut shown, mut wrong, experiments) = (0, 0, 300);
    for _ in 0..experiments {
        let trials = trials(&design, &[100.0, 100.0 * least], (0.08, 0.2), &mut random);
        for row in summary(&design, trials).comparisons {
            shown += u32::from(row.verdict == Change::Slower);
            wrong += u32::from(row.verdict == Change::Faster || row.verdict == Change::Same);
        }
    }
    about(shown, 6 * experiments, 0.8);
    assert_eq!(wrong, 0);
}

#[test]
fn drift_is_told_and_its_absence_is_not() {
    let mut random = Normal(SplitMix64::new(14));
    let design = Design::new(8).with_factor(Factor::new("x", ["1", "2", "3", "4"]));
    let (mut told, mut steady) = (0, 0);
    for _ in 0..50 {
        let medians = [100.0, 200.0, 300.0, 400.0];
        let drifting = summary(&design, trials(&design, &medians, (0.05, 0.3), &mut random));
        told += drifting.drift.iter().filter(|drift| drift.is_shown()).count();
        let quiet = summary(&design, trials(&design, &medians, (0.05, 0.0), &mut random));
        steady += quiet.drift.iter().filter(|drift| drift.is_shown()).count();
    }
    assert!(told >= 295 && steady <= 20, "{told} {steady}");
}

fn cell_trials(values: &[f64]) -> Vec<Trial> {
    let cell = &Design::new(1).cells().unwrap()[0];
    let one =
        |(k, value): (usize, &f64)| trial(k as u32 + 1, k as u32 + 1, cell, "calls_lost", *value);
    values.iter().enumerate().map(one).collect()
}

fn spread(values: &[f64]) -> Spread {
    let trials = cell_trials(values);
    let all: Vec<&Trial> = trials.iter().collect();
    Spread::of(Metric::named("calls_lost").unwrap(), &all).unwrap()
}

#[test]
fn few_trials_say_little_and_say_so() {
    let one = spread(&[3.0]);
    assert_eq!((one.median, one.median_low, one.mean_low, one.sd), (3.0, None, None, None));
    assert_eq!((one.coverage, one.precision, one.trials_for_5_percent), (0.0, None, None));
    let five = spread(&[1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!((five.median_low, five.coverage), (None, 0.9375));
    let six = spread(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!((six.median_low, six.median_high), (Some(1.0), Some(6.0)));
    assert_eq!(six.coverage, 0.968_75);
    // All alike: nothing is needed, and nothing divided by nothing.
    let zeros = spread(&[0.0; 8]);
    assert_eq!((zeros.precision, zeros.sd, zeros.outliers.len()), (None, Some(0.0), 0));
}

#[test]
fn outliers_and_groups_are_told_and_not_left_out() {
    let far = spread(&[10.0, 11.0, 10.5, 10.2, 10.8, 10.4, 90.0]);
    assert_eq!((far.outliers.clone(), far.n, far.max), (vec![7], 7, 90.0));
    assert_eq!(spread(&[10.0, 10.1, 90.0]).outliers, Vec::<u32>::new());
    let two = spread(&[10.0, 30.0, 11.0, 31.0, 10.5, 30.5]);
    assert_eq!(two.two_groups, Some((11.0, 30.0)));
}

#[test]
fn only_trials_that_count_are_counted() {
    let design = two(2);
    let mut all = trials(
        &design.clone().with_warm_up_blocks(1),
        &[1.0, 2.0],
        (0.0, 0.0),
        &mut Normal(SplitMix64::new(1)),
    );
    all[0].warm_up = true;
    all[1].warm_up = true;
    all[2].status = TrialStatus::Failed;
    let counting: Vec<&Trial> = all.iter().filter(|trial| trial.counts()).collect();
    assert_eq!(counting.len(), 3);
    let cells = design.cells().unwrap();
    let found = analysis::cells(&cells, &all);
    assert_eq!(found.iter().map(|cell| cell.n).sum::<u64>(), 3);
    assert_eq!(found.iter().map(|cell| cell.failed).sum::<u64>(), 1);
}

/// Two levels are held against each other within each stratum, and over all of them; what is 0
/// somewhere by the difference.
#[test]
fn comparisons_are_those_of_the_factors() {
    let design = Design::new(7)
        .with_factor(Factor::new("memory", ["1", "2"]))
        .with_factor(Factor::new("strategy", ["a", "b", "c"]));
    let medians = [10.0, 20.0, 40.0, 20.0, 40.0, 80.0];
    let all = trials(&design, &medians, (0.01, 0.1), &mut Normal(SplitMix64::new(2)));
    let summary = summary(&design, all.clone());
    let rows: Vec<&Comparison> =
        summary.comparisons.iter().filter(|row| row.metric == METRICS[0]).collect();
    // Of memory: three strata and all; of strategy: three pairs in two strata and in all.
    assert_eq!(rows.len(), 4 + 9);
    let pooled: Vec<_> = rows.iter().filter(|row| row.a.len() == 1).collect();
    assert_eq!(pooled.iter().map(|row| row.n).collect::<Vec<_>>(), [21, 14, 14, 14]);
    for row in &rows {
        let wanted = match (row.a.get("strategy"), row.b.get("strategy")) {
            (Some(a), Some(b)) if a == "a" && b == "c" => 4.0,
            _ => 2.0,
        };
        let ratio = row.ratio.unwrap();
        assert!((ratio / wanted - 1.0).abs() < 0.05, "{row:?}");
        assert_eq!((row.verdict, row.delta, row.paired), (Change::Slower, row.delta, true));
        assert!(row.p_holm >= row.p && row.p_holm >= row.smallest_p_holm - 1e-12, "{row:?}");
        assert_eq!(row.more_trials, None);
    }
    let mut zeros = all;
    for (k, trial) in zeros.iter_mut().enumerate() {
        trial.figures.metrics.insert("calls_lost".to_owned(), Some((k % 2) as f64));
    }
    let rows = Summary::of(&ExperimentPlan::new(design), zeros).unwrap().comparisons;
    let lost: Vec<_> = rows.iter().filter(|row| row.metric == "calls_lost").collect();
    assert_eq!(lost.len(), 13);
    assert!(lost.iter().all(|row| row.ratio.is_none() && row.difference.abs() <= 1.0));
}

#[test]
fn a_metric_where_less_is_worse() {
    let design = two(8);
    let mut random = Normal(SplitMix64::new(5));
    let mut all = trials(&design, &[100.0, 50.0], (0.01, 0.0), &mut random);
    for trial in &mut all {
        let value = trial.figures.get(METRICS[0]);
        trial.figures.metrics.insert("throughput_during_bytes_per_s".to_owned(), value);
    }
    let rows = summary(&design, all).comparisons;
    let of = |name: &str| rows.iter().find(|row| row.metric == name).unwrap();
    assert_eq!(of(METRICS[0]).verdict, Change::Faster);
    let throughput = of("throughput_during_bytes_per_s");
    assert_eq!(throughput.verdict, Change::Slower);
    assert!((throughput.ratio.unwrap() - 0.5).abs() < 0.02 && throughput.delta == -1.0);
}

/// How many more trials an open question takes: to show a difference that is as large as it
/// seems, or that there is none.
#[test]
fn open_questions_say_how_many_trials_they_take() {
    let design = two(5);
    let mut random = Normal(SplitMix64::new(6));
    let large = trials(&design, &[100.0, 300.0], (0.02, 0.0), &mut random);
    let row = summary(&design, large).comparisons.remove(0);
    // With five blocks nothing can be shown; with six, all that is so large.
    assert_eq!((row.verdict, row.more_trials), (Change::CannotTell, Some(1)));
    assert!((row.smallest_p_holm - 0.0625).abs() < 1e-12);
    let equal = trials(&design, &[100.0, 100.0], (0.1, 0.0), &mut random);
    let row = summary(&design, equal).comparisons.remove(0);
    assert_eq!(row.verdict, Change::CannotTell);
    assert!(row.more_trials.unwrap() > 10, "{row:?}");
    // Both spread by 0.1, so their ratio by √2 of that.
    let many = two(400);
    let equal = trials(&many, &[100.0, 100.0], (0.1, 0.0), &mut random);
    let log_sd = summary(&many, equal).comparisons.remove(0).log_sd.unwrap();
    assert!((0.125..0.158).contains(&log_sd), "{log_sd}");
    let design = two(12);
    let same = trials(&design, &[100.0, 100.0], (0.005, 0.2), &mut random);
    let row = summary(&design, same).comparisons.remove(0);
    assert_eq!((row.verdict, row.more_trials), (Change::Same, None));
}
