//! Two sides held against each other, and gates.

use super::invented::{report, trial};
use crate::experiment::*;
use crate::random::SplitMix64;
use crate::report::{Report, sample};

fn side(name: &str, values: &[f64]) -> Side {
    let cell = &Design::new(1).cells().unwrap()[0];
    let one =
        |(k, value): (usize, &f64)| trial(k as u32 + 1, 1, cell, "outage_established_ms", *value);
    let mut side = Side::of_reports(name, &[]);
    side.trials = values.iter().enumerate().map(one).collect();
    side
}

fn only(compared: &Compared) -> &Comparison {
    let rows = &compared.comparisons;
    rows.iter().find(|row| row.metric == "outage_established_ms").unwrap()
}

fn compared(a: &[f64], b: &[f64]) -> Compared {
    compare(&side("a", a), &side("b", b), &headlines([]), 0.05, false).unwrap()
}

#[test]
fn what_changed_is_told_and_what_cannot_be_told_is_not_the_same() {
    let a = [100.0, 101.0, 102.0, 99.0, 98.0, 100.5];
    let twice: Vec<f64> = a.iter().map(|value| 2.0 * value).collect();
    let slower = compared(&a, &twice);
    let row = only(&slower);
    assert_eq!((row.verdict, row.paired, row.n, row.delta), (Change::Slower, false, 6, 1.0));
    let ratio = row.ratio.unwrap();
    assert!(row.ratio_low.unwrap() <= ratio && ratio <= row.ratio_high.unwrap());
    assert!((ratio - 2.0).abs() < 0.02 && (row.p - 2.0 / 924.0).abs() < 1e-12, "{row:?}");
    assert_eq!(only(&compared(&twice, &a)).verdict, Change::Faster);
    assert_eq!(only(&compared(&a, &a)).verdict, Change::Same);
    let wide = compared(&[100.0, 150.0, 70.0], &[110.0, 160.0, 80.0]);
    let row = only(&wide);
    assert_eq!(row.verdict, Change::CannotTell);
    assert!(row.more_trials.unwrap() > 3 && row.smallest_p_holm > 0.05);
    // One trial each proves nothing, however far apart.
    let single = compared(&[100.0], &[1_000.0]);
    assert_eq!((only(&single).verdict, only(&single).more_trials), (Change::CannotTell, None));
    let text = render_compared(&single);
    assert!(text.contains("each side is one trial"), "{text}");
    insta::assert_snapshot!("compared_text", render_compared(&slower));
}

#[test]
fn what_is_the_same_everywhere_is_no_question() {
    let mut a = side("a", &[100.0, 101.0, 102.0, 99.0, 98.0, 100.5]);
    let mut b = side("b", &[200.0, 201.0, 202.0, 199.0, 198.0, 200.5]);
    for trial in a.trials.iter_mut().chain(&mut b.trials) {
        trial.figures.metrics.insert("calls_lost".to_owned(), Some(0.0));
        trial.figures.metrics.insert("error_rate".to_owned(), Some(0.0));
    }
    let compared = compare(&a, &b, &headlines([]), 0.05, false).unwrap();
    assert_eq!(compared.comparisons.len(), 3);
    assert!(compared.comparisons.iter().all(|row| row.questions == 1));
    let lost = compared.comparisons.iter().find(|row| row.metric == "calls_lost").unwrap();
    assert_eq!((lost.verdict, lost.p_holm, lost.ratio), (Change::Same, 1.0, None));
}

/// 200 comparisons of equal cells, of six metrics that have much in common: at most 5 % say that
/// anything changed. And where one side is measured after the other on a machine that drifts, they
/// say so far more often: the text warns of it.
#[test]
fn equal_sides_are_rarely_told_to_differ_unless_the_machine_drifts() {
    let metrics = &headlines([])[..6];
    let mut random = SplitMix64::new(21);
    let mut normal = move || {
        let (u, v) = (1.0 - random.unit(), random.unit());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    };
    let mut alarms = |drift: f64| {
        let mut alarms = 0;
        for _ in 0..200 {
            let mut one = || {
                let shift = drift * normal();
                let mut one = side("x", &[1.0; 10]);
                for trial in &mut one.trials {
                    let common = 0.1 * normal();
                    for metric in metrics {
                        let value = 100.0 * (shift + common + 0.1 * normal()).exp();
                        trial.figures.metrics.insert(metric.name.to_owned(), Some(value));
                    }
                }
                one
            };
            let (a, b) = (one(), one());
            let rows = compare(&a, &b, metrics, 0.05, false).unwrap().comparisons;
            let is_told = |row: &Comparison| matches!(row.verdict, Change::Slower | Change::Faster);
            alarms += u32::from(rows.iter().any(is_told));
        }
        alarms
    };
    let (steady, drifting) = (alarms(0.0), alarms(0.15));
    // Ten are to be expected at the most, 28 with six standard deviations of a binomial law.
    assert!(steady <= 10 && drifting >= 60, "{steady} {drifting}");
}

#[test]
fn a_side_against_itself() {
    let mut random = SplitMix64::new(5);
    let values: Vec<f64> = (0..20).map(|_| 100.0 + 10.0 * random.unit()).collect();
    let check = self_check(&side("a", &values), &headlines([]), 0.05, 200, 1).unwrap();
    assert_eq!(check.splits, 200);
    assert!(check.slower <= check.changed && check.changed <= 10, "{check:?}");
    assert!(check.slower_low <= check.slower as f64 / 200.0 && check.slower_high < 0.15);
    assert!(self_check(&side("a", &[]), &headlines([]), 0.05, 9, 1).is_err());
}

fn judged(rule: &str, values: &[f64]) -> Outcome {
    let rule: Rule = rule.parse().unwrap();
    judge(&side("b", values), &[&rule])[0].outcome
}

#[test]
fn gates_fire_when_it_is_shown() {
    let values = [500.0, 510.0, 520.0, 530.0, 540.0, 550.0];
    // The least of six is below the median with 98.4 %.
    for (rule, outcome) in [
        ("outage_ms.established.median > 499", Outcome::Shown),
        ("outage_ms.established.median > 500", Outcome::NotShown),
        ("outage_established_ms.p50 > 551ms", Outcome::Refuted),
        ("outage_established_ms.median < 551ms", Outcome::Shown),
        ("outage_established_ms.median < 0.55s", Outcome::NotShown),
        ("outage_established_ms.median < 1ms", Outcome::Refuted),
        ("outage_established_ms.mean > 505", Outcome::Shown),
        ("calls_lost.median > 0", Outcome::CannotJudge),
    ] {
        assert_eq!(judged(rule, &values), outcome, "{rule}");
    }
    assert_eq!(judged("outage_established_ms.median > 1", &values[..3]), Outcome::CannotJudge);
    let rule: Rule = "error_rate.mean > 1%".parse().unwrap();
    assert_eq!((rule.limit, rule.above), (0.01, true));
    let rule: Rule = "throughput_during_bytes_per_s.median<1MiB/s".parse().unwrap();
    assert_eq!(rule.limit, 1_048_576.0);
    // More rules together are more careful each.
    let rule: Rule = "outage_established_ms.median > 499".parse().unwrap();
    let many = vec![&rule; 20];
    assert!(judge(&side("b", &values), &many).iter().all(|j| j.outcome == Outcome::CannotJudge));
}

/// What was never tried must not pass.
#[test]
fn a_cell_that_was_not_tried_cannot_be_judged() {
    let design = Design::new(6).with_factor(Factor::new("memory", ["1", "2"]));
    let plan = ExperimentPlan::new(design.clone());
    let mut side = Side::of_experiment("b", Summary::of(&plan, Vec::new()).unwrap());
    let cells = design.cells().unwrap();
    side.trials = (1..=8).map(|k| trial(k, k, &cells[0], "calls_lost", 0.0)).collect();
    let rule: Rule = "calls_lost.median < 1".parse().unwrap();
    let outcomes: Vec<Outcome> = judge(&side, &[&rule]).iter().map(|j| j.outcome).collect();
    assert_eq!(outcomes, [Outcome::Shown, Outcome::CannotJudge]);
}

#[test]
fn what_is_no_rule_is_refused() {
    for (text, said) in [
        ("outage", "there is neither < nor >"),
        ("outage_ms > 3", "it names no statistic"),
        ("outage_ms.p99 > 3", "the statistic is median or mean"),
        ("outage_s.median > 3", "there is no metric 'outage_s'; there are total_migration_time_ms"),
        ("calls_lost.median > 3ms", "'3ms' is no limit of this metric"),
        ("calls_lost.median > inf", "'inf' is no limit"),
        ("calls_lost.median >", "'' is no limit"),
    ] {
        let error = text.parse::<Rule>().unwrap_err().to_string();
        assert!(error.contains(said) && error.contains("write METRIC.median"), "{error}");
    }
}

#[test]
fn rules_are_told_in_words() {
    let rule: Rule = "outage_established_ms.median > 499".parse().unwrap();
    let values = [500.0, 510.0, 520.0, 530.0, 540.0, 550.0];
    let told = rule.told(&judge(&side("b", &values), &[&rule])[0]);
    assert_eq!(
        told,
        "outage_established_ms.median > 499: shown (525.0 ms, between 500.0 ms and 550.0 ms, n = 6)"
    );
}

fn write(directory: &std::path::Path, name: &str, report: &Report) {
    std::fs::write(directory.join(name), report.to_json_pretty().unwrap()).unwrap();
}

#[test]
fn sides_are_read_wherever_trials_are() {
    let kept = tempfile::tempdir().unwrap();
    let one = kept.path().join("one.json");
    write(kept.path(), "one.json", &report(10.0));
    assert_eq!(Side::read(&one).unwrap().trials.len(), 1);
    write(kept.path(), "two.json", &report(20.0));
    let side = Side::read(kept.path()).unwrap();
    assert_eq!(side.trials.len(), 2);
    assert_eq!(side.trials[1].figures.get("total_migration_time_ms"), Some(20.0));
    // Of another plan they are no trials of one thing.
    write(kept.path(), "three.json", &sample::plain());
    let error = Side::read(kept.path()).unwrap_err().to_string();
    assert!(error.contains("are no trials of one thing") && error.contains("plan."), "{error}");
    let empty = tempfile::tempdir().unwrap();
    let error = Side::read(empty.path()).unwrap_err().to_string();
    assert!(error.contains("neither an experiment nor a report"), "{error}");
    std::fs::write(empty.path().join("x.json"), "{").unwrap();
    let error = Side::read(empty.path()).unwrap_err().to_string();
    assert!(error.contains("x.json") && error.contains("not JSON"), "{error}");
    assert!(Side::read(&empty.path().join("y")).unwrap_err().to_string().contains("cannot read"));
}

#[test]
fn different_plans_are_refused_with_what_differs() {
    let of = |rate: &str| {
        let design = Design::new(1).with_factor(Factor::new("memory", ["1", "2"]));
        let plan = ExperimentPlan::new(design.clone()).with_load("rate", rate);
        let cells = design.cells().unwrap();
        let order = design.order(0).unwrap();
        let trials = (1..).zip(order).map(|(k, cell)| trial(k, 1, &cells[cell], "calls_lost", 1.0));
        Side::of_experiment(rate, Summary::of(&plan, trials.collect()).unwrap())
    };
    let (a, b) = (of("100"), of("200"));
    let error = compare(&a, &b, &headlines([]), 0.05, false).unwrap_err();
    assert!(error.to_string().contains("load.rate: '100', now '200'"), "{error}");
    let forced = compare(&a, &b, &headlines([]), 0.05, true).unwrap();
    assert_eq!(forced.comparisons.len(), 2);
    let order: Vec<_> = forced.comparisons.iter().map(|row| row.a["memory"].clone()).collect();
    assert_eq!((order, forced.a.cells.len()), (vec!["1".to_owned(), "2".to_owned()], 2));
    // What only one has is left out, and named.
    let mut fewer = b;
    fewer.trials.retain(|trial| trial.cell["memory"] == "1");
    let left = compare(&a, &fewer, &headlines([]), 0.05, true).unwrap();
    assert_eq!((left.comparisons.len(), left.only_in_one.len()), (1, 1));
    fewer.trials.clear();
    assert_eq!(compare(&a, &fewer, &headlines([]), 0.05, true), Err(CompareError::NoCell));
}

#[test]
fn it_is_told_how_far_apart_the_sides_were_measured() {
    let at = |side: Side, when: &str| {
        let mut side = side;
        side.trials.iter_mut().for_each(|trial| trial.started_at = when.to_owned());
        side
    };
    let (a, b) = (side("a", &[1.0]), side("b", &[2.0]));
    let a = at(a, "2026-11-27T12:00:00.000Z");
    let later = at(b.clone(), "2026-11-27T14:00:01.000Z");
    let compared = compare(&a, &later, &headlines([]), 0.05, false).unwrap();
    assert_eq!(compared.hours_apart, Some(2.0));
    assert!(render_compared(&compared).contains("2.0 h apart"));
    let at_once = compare(&a, &at(b, "2026-11-27T12:00:00.500Z"), &headlines([]), 0.05, false);
    assert_eq!(at_once.unwrap().hours_apart, None);
}
