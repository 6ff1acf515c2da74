//! Trials in their order, kept, made again, and gone on with.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::invented::{experiment, invalid, report, run, two_by_two};
use crate::experiment::*;
use crate::random::SplitMix64;

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn plan(trials: u32) -> ExperimentPlan {
    ExperimentPlan::new(two_by_two(trials).with_warm_up_blocks(1)).with_name("x")
}

/// The cells in the order in which a design asks for them.
fn order(design: &Design) -> Vec<String> {
    let cells = design.cells().unwrap();
    let order = (0..design.blocks()).flat_map(|block| design.order(block).unwrap());
    order.map(|cell| cells[cell].to_string()).collect()
}

fn names(trials: &[Trial]) -> Vec<String> {
    let name = |trial: &Trial| {
        let cell: Vec<String> = trial.cell.iter().map(|(f, l)| format!("{f}={l}")).collect();
        cell.join(" ")
    };
    trials.iter().map(name).collect()
}

#[test]
fn all_trials_are_made_and_kept_in_their_order() {
    let kept = directory();
    let out = kept.path().join("a/b");
    let (one, asked) = experiment(plan(2), &out, |trial| {
        let mut report = report(f64::from(trial.index));
        if trial.index == 5 {
            report.verdict.status = crate::report::VerdictStatus::Degraded;
        }
        Ok(report)
    });
    let outcome = run(one).unwrap();
    assert_eq!((&outcome.ending, outcome.left), (&ExperimentEnding::Complete, 0));
    assert_eq!(names(&outcome.trials), order(&two_by_two(2).with_warm_up_blocks(1)));
    assert_eq!(asked.lock().unwrap().len(), 12);
    for (place, trial) in outcome.trials.iter().enumerate() {
        assert_eq!(trial.index as usize, place + 1);
        assert_eq!((trial.block as usize, trial.position as usize), (1 + place / 4, 1 + place % 4));
        assert_eq!((trial.warm_up, trial.counts()), (place < 4, place >= 4));
        assert_eq!(trial.figures.get("total_migration_time_ms"), Some(place as f64 + 1.0));
        assert_eq!(trial.degraded, place == 4);
        let kept = std::fs::read_to_string(out.join(trial.report.as_ref().unwrap())).unwrap();
        assert_eq!(Figures::of(&crate::Report::from_json(&kept).unwrap()), trial.figures);
    }
    // What is beside them follows from them.
    let summary = Summary::read(&out).unwrap();
    assert_eq!(summary.trials, outcome.trials);
    let json = std::fs::read_to_string(out.join("summary.json")).unwrap();
    assert_eq!(Summary::from_json(&json).unwrap(), summary);
    assert_eq!(summary.to_json_pretty().unwrap(), json);
    assert_eq!(std::fs::read_to_string(out.join("results.csv")).unwrap(), render_csv(&summary));
    assert!(is_experiment(&out) && !is_experiment(kept.path()));
}

#[test]
fn what_fails_is_kept_and_made_again_at_the_end_of_its_block() {
    let kept = directory();
    let (one, _) = experiment(plan(2), kept.path(), |trial| {
        match (trial.level("memory"), trial.level("strategy"), trial.attempt) {
            ("1", "pre", 1) => Err("the machine did not come up".into()),
            ("2", "post", 1) => Ok(invalid(report(1.0))),
            ("2", "pre", _) => Err("never".into()),
            _ => Ok(report(2.0)),
        }
    });
    let outcome = run(one).unwrap();
    assert_eq!(outcome.ending, ExperimentEnding::Complete);
    let of = |status| outcome.trials.iter().filter(|t| t.status == status).count();
    // Two of the first kind of failure and three of the last in each block.
    assert_eq!((of(TrialStatus::Failed), of(TrialStatus::Invalid)), (12, 3));
    let first: Vec<&Trial> = outcome.trials.iter().filter(|trial| trial.block == 2).collect();
    assert!(first[..4].iter().all(|trial| trial.repeats == 0));
    assert!(first[4..].iter().all(|trial| trial.repeats > 0));
    let failed = first.iter().find(|trial| trial.status == TrialStatus::Failed).unwrap();
    assert_eq!((failed.report.as_ref(), failed.counts()), (None, false));
    let summary = Summary::read(kept.path()).unwrap();
    assert_eq!((summary.missing(), summary.trials_left), (2, 0));
    let text = render_text(&summary);
    assert!(text.contains("Trials that did not succeed") && text.contains("never"), "{text}");
}

#[test]
fn too_many_failures_end_it_and_a_wider_limit_goes_on() {
    let kept = directory();
    let mut limited = plan(3);
    limited.limits.failed_trials = 5;
    let fails = |_: &TrialContext<'_>| Err("no".into());
    let outcome = run(experiment(limited.clone(), kept.path(), fails).0).unwrap();
    let ExperimentEnding::GivenUp { reason } = &outcome.ending else { panic!("{outcome:?}") };
    assert!(reason.contains("5 trials failed") && reason.contains("limits.failed_trials"));
    assert_eq!(outcome.trials.len(), 5);
    limited.limits.failed_trials = 100;
    let (one, _) = experiment(limited.clone(), kept.path(), |_| Ok(report(1.0)));
    let outcome = run(one).unwrap();
    assert_eq!(outcome.ending, ExperimentEnding::Complete);
    // And no time at all is a limit, too.
    limited.limits.time = Some(std::time::Duration::ZERO);
    limited.design = two_by_two(4).with_warm_up_blocks(1);
    let outcome = run(experiment(limited, kept.path(), |_| Ok(report(1.0))).0).unwrap();
    let ExperimentEnding::GivenUp { reason } = &outcome.ending else { panic!("{outcome:?}") };
    assert!(reason.contains("limits.time"), "{reason}");
    assert_eq!(outcome.left, 4);
}

#[test]
fn it_goes_on_where_it_was_interrupted_in_the_same_order() {
    let kept = directory();
    let stop = AtomicBool::new(false);
    let mut runs = 0;
    let all = loop {
        runs += 1;
        let (one, _) = experiment(plan(2), kept.path(), |_| Ok(report(3.0)));
        let outcome = one.run(&stop, &mut |now| {
            if let ExperimentProgress::Made { .. } = now {
                stop.store(true, Relaxed);
            }
        });
        let outcome = outcome.unwrap();
        stop.store(false, Relaxed);
        if outcome.left == 0 {
            break outcome.trials;
        }
        assert_eq!(outcome.ending, ExperimentEnding::Interrupted);
        assert_eq!(outcome.trials.len(), runs);
    };
    assert_eq!((runs, names(&all)), (12, order(&two_by_two(2).with_warm_up_blocks(1))));
    // Whoever asks for more trials gets them after those that there are.
    let (more, asked) = experiment(plan(3), kept.path(), |_| Ok(report(3.0)));
    let outcome = run(more).unwrap();
    assert_eq!((outcome.trials.len(), asked.lock().unwrap().len()), (16, 4));
}

/// A trial that whoever runs the experiment cut short is kept if anything was measured, and made
/// again at once.
#[test]
fn an_interrupted_trial_is_made_again() {
    let kept = directory();
    let (one, _) = experiment(plan(1), kept.path(), |trial| {
        let mut report = report(1.0);
        if trial.index == 3 {
            trial.interrupt.store(true, Relaxed);
            report.set_interrupted();
        }
        Ok(report)
    });
    let outcome = run(one).unwrap();
    assert_eq!(outcome.ending, ExperimentEnding::Interrupted);
    assert_eq!(outcome.trials.last().map(|t| t.status), Some(TrialStatus::Interrupted));
    let (one, asked) = experiment(plan(1), kept.path(), |_| Ok(report(1.0)));
    let trials = run(one).unwrap().trials;
    assert_eq!(asked.lock().unwrap()[0].2, names(&trials)[2]);
    assert_eq!((trials[2].cell.clone(), trials[3].repeats), (trials[3].cell.clone(), 0));
    assert_eq!(trials.iter().filter(|trial| trial.counts()).count(), 4);
    // Before anything was measured, nothing is kept of it.
    let elsewhere = directory();
    let (one, _) = experiment(plan(1), elsewhere.path(), |trial| {
        trial.interrupt.store(true, Relaxed);
        Err("interrupted".into())
    });
    let outcome = run(one).unwrap();
    assert_eq!((outcome.ending, outcome.trials.len()), (ExperimentEnding::Interrupted, 0));
}

#[test]
fn panics_of_the_program_are_failures_of_trials() {
    let kept = directory();
    let (one, _) = experiment(plan(1), kept.path(), |trial| {
        assert!(trial.attempt > 1, "out of order");
        Ok(report(1.0))
    });
    let trials = run(one).unwrap().trials;
    assert!(trials[0].reason.as_ref().unwrap().contains("panicked: out of order"));
    assert_eq!(trials.iter().filter(|trial| trial.counts()).count(), 4);
    // An observer's goes on when all is taken down.
    let elsewhere = directory();
    let (one, _) = experiment(plan(1), elsewhere.path(), |_| Ok(report(1.0)));
    let stop = AtomicBool::new(false);
    let run = catch_unwind(AssertUnwindSafe(|| one.run(&stop, &mut |_| panic!("observer"))));
    assert!(run.is_err());
    assert_eq!(Summary::read(elsewhere.path()).unwrap().trials.len(), 0);
}

#[test]
fn another_plan_is_refused_with_what_differs() {
    let kept = directory();
    let first = || plan(3).with_load("rate", "100");
    run(experiment(first(), kept.path(), |_| Ok(report(1.0))).0).unwrap();
    let refused = |plan: ExperimentPlan| {
        let error = run(experiment(plan, kept.path(), |_| Ok(report(1.0))).0).unwrap_err();
        assert!(matches!(error, ExperimentError::OtherPlan { .. }), "{error}");
        error.to_string()
    };
    let said = refused(plan(2).with_load("rate", "200").with_load("after", "1s"));
    for line in [
        "load.rate: '100', now '200'",
        "load.after: not set, now '1s'",
        "trials: 3, now 2: there may be more, not fewer",
    ] {
        assert!(said.contains(line), "{said}");
    }
    let mut other = first();
    other.design = two_by_two(3).with_warm_up_blocks(1).with_seed(9);
    assert!(refused(other).contains("seed: '1', now '9'"));
    let mut other = first();
    other.design = other.design.with_factor(Factor::new("tls", ["on"]));
    assert!(refused(other).contains("factors.tls: not set, now 'on'"));
    // What the trials do not depend on may change.
    let mut same = first().with_name("another name");
    (same.limits.repeats, same.margin) = (2, 0.1);
    run(experiment(same, kept.path(), |_| Ok(report(1.0))).0).unwrap();
}

#[test]
fn what_is_no_experiment_is_left_alone() {
    let kept = directory();
    std::fs::write(kept.path().join("thesis.txt"), "mine").unwrap();
    let error = run(experiment(plan(1), kept.path(), |_| Ok(report(1.0))).0).unwrap_err();
    assert!(matches!(error, ExperimentError::NotEmpty { .. }), "{error}");
    let holds: Vec<_> = std::fs::read_dir(kept.path()).unwrap().collect();
    assert_eq!(holds.len(), 1);
    let error = Summary::read(kept.path()).unwrap_err().to_string();
    assert!(error.contains("plan.toml"), "{error}");
}

#[test]
fn two_at_once_are_refused() {
    let kept = directory();
    let inner = kept.path().to_owned();
    let small = || ExperimentPlan::new(Design::new(1));
    let (one, _) = experiment(small(), kept.path(), move |_| {
        let error = run(experiment(small(), &inner, |_| Ok(report(1.0))).0).unwrap_err();
        assert!(matches!(error, ExperimentError::InUse { .. }), "{error}");
        // To look at it is allowed.
        Ok(report(Summary::read(&inner)?.trials.len() as f64 + 1.0))
    });
    let trials = run(one).unwrap().trials;
    assert_eq!((trials.len(), trials[0].counts()), (1, true));
}

#[test]
fn a_directory_that_was_tampered_with_is_refused() {
    let spoilt = |spoil: fn(&Path)| {
        let kept = directory();
        run(experiment(plan(1), kept.path(), |_| Ok(report(1.0))).0).unwrap();
        spoil(kept.path());
        let error = run(experiment(plan(1), kept.path(), |_| Ok(report(1.0))).0).unwrap_err();
        assert!(matches!(error, ExperimentError::Broken { .. }), "{error}");
        error.to_string()
    };
    let said = spoilt(|dir| std::fs::write(dir.join("trials/0003/trial.json"), "{").unwrap());
    assert!(said.contains("0003/trial.json"), "{said}");
    let said = spoilt(|dir| std::fs::remove_file(dir.join("trials/0003/trial.json")).unwrap());
    assert!(said.contains("this trial is missing, and later ones are there"), "{said}");
    let said = spoilt(|dir| {
        let (third, fourth) =
            (dir.join("trials/0003/trial.json"), dir.join("trials/0004/trial.json"));
        let text = std::fs::read_to_string(fourth).unwrap().replace("\"index\": 4", "\"index\": 3");
        std::fs::write(third, text).unwrap();
    });
    assert!(said.contains("the plan asks for another trial"), "{said}");
    let said = spoilt(|dir| std::fs::write(dir.join("plan.toml"), "trials = []").unwrap());
    assert!(said.contains("plan.toml"), "{said}");
}

/// Whatever fails, and however often it is killed between any two steps of keeping a trial, the
/// design is the same in the end, and no trial is made twice that was kept.
#[test]
fn killed_at_any_moment_it_comes_to_the_same_design() {
    for seed in 0..5 {
        let kept = directory();
        let mut random = SplitMix64::new(seed);
        let bad = move |trial: &TrialContext<'_>| {
            SplitMix64::new(seed ^ u64::from(trial.index) << 8).draw().is_multiple_of(4)
        };
        let mut asked_in_all: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        let trials = loop {
            let stop = AtomicBool::new(false);
            let (one, asked) = experiment(plan(2), kept.path(), move |trial| {
                if bad(trial) { Err("bad".into()) } else { Ok(report(1.0)) }
            });
            let mut left = random.draw() % 4;
            let outcome = one.run(&stop, &mut |now| {
                if let ExperimentProgress::Made { .. } = now {
                    left = left.saturating_sub(1);
                    stop.store(left == 0, Relaxed);
                }
            });
            let outcome = outcome.unwrap();
            for (index, _, cell, attempt) in asked.lock().unwrap().iter() {
                asked_in_all.entry(*index).or_default().push(format!("{cell} {attempt}"));
            }
            if outcome.left == 0 {
                break outcome.trials;
            }
            // What a killed process leaves: a folder without a record, a file half written.
            let next = outcome.trials.len() + 1;
            let folder = kept.path().join(format!("trials/{next:04}"));
            match random.draw() % 3 {
                0 => std::fs::create_dir(&folder).unwrap(),
                1 => {
                    std::fs::create_dir(&folder).unwrap();
                    std::fs::write(folder.join("report.json"), "{\"schema\"").unwrap();
                    std::fs::write(folder.join(".trial.json.x"), "{").unwrap();
                }
                // Nor are what follows from the trials, and a summary of before.
                _ => drop(std::fs::remove_file(kept.path().join("summary.json"))),
            }
        };
        let uninterrupted = directory();
        let (one, _) = experiment(plan(2), uninterrupted.path(), move |trial| {
            if bad(trial) { Err("bad".into()) } else { Ok(report(1.0)) }
        });
        let straight = run(one).unwrap().trials;
        assert_eq!(names(&trials), names(&straight), "{seed}");
        let fates = |trials: &[Trial]| -> Vec<_> {
            trials.iter().map(|t| (t.block, t.position, t.repeats, t.status)).collect()
        };
        assert_eq!(fates(&trials), fates(&straight), "{seed}");
        assert!(asked_in_all.values().all(|asked| asked.len() == 1), "{seed}: {asked_in_all:?}");
    }
}
