//! What is only known to be no less, and what nobody can tell: it holds no limit, and says so.

use super::*;
use crate::model::fit::{Row, Validated};

fn of<'a>(report: &'a PredictionReport, strategy: &str) -> &'a PredictedStrategy {
    report.predictions[0].strategies.iter().find(|of| of.strategy == strategy).unwrap()
}

/// Without its line breaks.
fn flowing(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What nobody saw the end of holds no limit, and is marked wherever it stands.
#[test]
fn an_outage_that_was_cut_is_the_least() {
    let limits = Limits { outage_s: Some(30.0), ..Limits::default() };
    let report = fitted_to(&cut(), &limits);
    let post_copy = of(&report, "post-copy");
    assert!(post_copy.outage_is_least && post_copy.breaks.is_empty());
    let UnjudgedLimit { figure, limit, least } = &post_copy.unjudged[0];
    assert_eq!((figure.as_str(), *limit, *least), ("outage_s", 30.0, post_copy.outage_s));
    // It is what hybrid has its own from.
    assert!(of(&report, "hybrid").outage_is_least);
    let pre_copy = of(&report, "pre-copy");
    assert!(!pre_copy.outage_is_least && pre_copy.unjudged.is_empty());
    assert_eq!(report.predictions[0].best.as_ref().unwrap().strategy, "pre-copy");
    // It stands back without a limit, too, and its users' calls are the least.
    assert!(post_copy.calls_are_least && !pre_copy.calls_are_least);
    let free = fitted_to(&cut(), &Limits::default());
    let best = free.predictions[0].best.as_ref().unwrap();
    assert_eq!((best.strategy.as_str(), best.is_least), ("pre-copy", false));
    let text = flowing(&render_prediction_text(&free));
    assert_eq!(best.maybe_better.is_empty(), !text.contains("would be better"), "{text}");
    // Nor does a chart take it for known.
    let input = report.predictions[0].input.as_ref().unwrap();
    assert_eq!((input.faulting_s, input.settle_is_least), (None, false));
    // Neither predicted calls nor those that were counted until the load ended are held against any.
    let fit = report.predictions[0].fit.as_ref().unwrap();
    let calls = |of: &&Row| of.figure == Validated::Late;
    assert!(fit.validation.rows.iter().filter(calls).all(|row| row.moved == Strategy::PreCopy));
    // The outage of the same recordings, seen to its end, holds it.
    let whole = fitted_to(&recordings(), &limits);
    assert!(
        !of(&whole, "post-copy").outage_is_least && of(&whole, "post-copy").unjudged.is_empty()
    );
    assert_eq!(of(&whole, "post-copy").outage_s, post_copy.outage_s);
    let moved = &report.predictions[0].availability.as_ref().unwrap().moved;
    let moved = moved.iter().find(|of| of.strategy == "post-copy").unwrap();
    assert!(moved.blackout_is_least && moved.measured.is_none() && moved.trials_cut == 2);
    let text = flowing(&render_prediction_text(&report));
    for words in [
        "it cannot be told whether post-copy holds the limit on the outage (30.000 s): known is only \
         that it is at least",
        "outage not known",
        "post-copy: in 2 trials the load ended before the outage",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let html = render_prediction_html(&report);
    let caption = "The outage of hybrid and post-copy is the least that it can be";
    assert_eq!(html.contains(caption), cfg!(feature = "charts"));
    let schema = Schema::read("prediction.schema.json");
    schema.strict().validate(&serde_json::to_value(&report).unwrap());
}

/// One of three was cut: the median is that of the others, and the mean is not.
#[test]
fn a_trial_that_was_cut_is_in_the_mean() {
    let mut recordings = recordings();
    let mut last = recordings[3].clone();
    last.name = "cut".to_owned();
    for population in &mut last.felt.as_mut().unwrap().populations {
        (population.outage_s, population.outage_is_least) = (Some(9.0), true);
    }
    recordings.push(last);
    let limits = Limits { late_calls: Some(1e6), ..Limits::default() };
    let report = fitted_to(&recordings, &limits);
    let post_copy = of(&report, "post-copy");
    assert!(!post_copy.outage_is_least && post_copy.outage_s.unwrap() < 2.0);
    let availability = report.predictions[0].availability.as_ref().unwrap();
    let moved = availability.moved.iter().find(|of| of.strategy == "post-copy").unwrap();
    assert!(moved.blackout_is_least && moved.measured.is_none());
    // What its users are expected to feel is a mean, too.
    assert!(post_copy.calls_are_least && post_copy.unjudged.len() == 1);
    let text = flowing(&render_prediction_text(&report));
    assert!(
        text.contains("post-copy: in 1 trial the load ended before the outage was over"),
        "{text}"
    );
}

/// What was not recorded holds no limit on calls by its outage alone, whoever else is there.
#[test]
fn limits_on_calls_are_judged_by_recordings_of_the_strategy() {
    let limits = Limits { late_calls: Some(1e9), ..Limits::default() };
    let recordings = recordings();
    let report = fitted_to(&recordings, &limits);
    assert!(of(&report, "stop-and-copy").unjudged.len() == 1);
    assert!(of(&report, "pre-copy").unjudged.is_empty());
    let (fit, validation) = (Fit::of(&recordings), Validation::default());
    let (cell, said) = ([].into(), [].into());
    let pilot = Pilot { cell, fit: &fit, validation: &validation, left_out: &[], said };
    let alone = CellPrediction::of_fit(&pilot, &[Strategy::StopAndCopy], &limits).unwrap();
    assert!(alone.best.is_none());
    // Response times that were not seen to come back.
    let mut recordings = recordings;
    for of in recordings.iter_mut().filter(|of| of.moved == Strategy::PreCopy) {
        of.felt.as_mut().unwrap().recovery_s = None;
    }
    assert!(of(&fitted_to(&recordings, &limits), "pre-copy").unjudged.len() == 1);
}

/// Without users in any recording nobody knows when a service answers.
#[test]
fn an_outage_that_nobody_asked_for_holds_no_limit() {
    let mut recordings = recordings();
    recordings.iter_mut().for_each(|of| of.felt = None);
    let limits = Limits { outage_s: Some(60.0), ..Limits::default() };
    let report = fitted_to(&recordings, &limits);
    let prediction = &report.predictions[0];
    assert!(prediction.best.is_none());
    assert_eq!(prediction.why_none_is_best(), "no strategy is known to hold the limits");
    let ending = prediction.strategies.iter().filter(|of| of.converges);
    assert!(ending.clone().all(|of| of.outage_is_least && of.unjudged.len() == 1));
    // Limits on the machine alone are held as before.
    let limits = Limits { downtime_s: Some(60.0), ..Limits::default() };
    assert!(fitted_to(&recordings, &limits).predictions[0].best.is_some());
}

/// Users that cannot be gone through cost nobody the figures of the machine.
#[test]
fn users_that_cannot_be_told_leave_the_machine() {
    let mut recordings = recordings();
    for of in &mut recordings {
        // A hundred calls a second that take a second each, over one connection.
        let population = &mut of.felt.as_mut().unwrap().populations[0];
        (population.usual_s, population.late_beyond_s) = (1.0, 2.0);
        population.connections = Some(1);
    }
    let limits = Limits { lost_calls: Some(5.0), ..Limits::default() };
    let report = fitted_to(&recordings, &limits);
    let post_copy = of(&report, "post-copy");
    let reason = post_copy.users_unknown.as_ref().unwrap();
    assert!(reason.contains("as many as there are connections"), "{reason}");
    assert!(post_copy.total_s.is_some() && post_copy.users.is_empty());
    assert_eq!(
        (post_copy.unjudged[0].figure.as_str(), post_copy.unjudged[0].least),
        ("lost_calls", None)
    );
    assert!(report.predictions[0].left_out.is_empty());
    let text = render_prediction_text(&report);
    let words = "it cannot be told what users would feel of post-copy: ";
    assert!(flowing(&text).contains(words), "{text}");
}
