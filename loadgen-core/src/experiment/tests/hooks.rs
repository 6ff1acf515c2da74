//! When a testbed is brought up, brought back and taken down; programs as one.

use std::path::Path;
use std::sync::{Arc, Mutex};

use super::invented::{experiment, report, run, two_by_two};
use crate::experiment::*;

/// Keeps what it was asked for, and fails where it is told to.
#[derive(Clone, Default)]
struct Log {
    calls: Arc<Mutex<Vec<String>>>,
    fails: Vec<String>,
    rewinds: bool,
}

impl Log {
    fn call(&self, what: &str, trial: &TrialContext<'_>) -> Result<(), TestbedError> {
        let call = format!("{what} {}", trial.index);
        let fails = self.fails.contains(&call);
        self.calls.lock().unwrap().push(call);
        if fails { Err(TestbedError(format!("{what} broke"))) } else { Ok(()) }
    }
}

impl Testbed for Log {
    fn up(&mut self, trial: &TrialContext<'_>) -> Result<Values, TestbedError> {
        self.call("up", trial)?;
        Ok(Values::from([("socket".to_owned(), format!("/run/{}", trial.index))]))
    }

    fn settle(&mut self, trial: &TrialContext<'_>) -> Result<(), TestbedError> {
        self.call("settle", trial)
    }

    fn rewinds(&self, last: &Cell, next: &Cell) -> bool {
        self.rewinds && last.level("memory") == next.level("memory")
    }

    fn rewind(&mut self, trial: &TrialContext<'_>) -> Result<Values, TestbedError> {
        self.call("rewind", trial)?;
        Ok(Values::new())
    }

    fn down(&mut self, trial: &TrialContext<'_>) -> Result<(), TestbedError> {
        self.call("down", trial)
    }
}

fn made(log: Log, trials: u32, directory: &Path) -> (Vec<Trial>, Vec<String>) {
    let calls = Arc::clone(&log.calls);
    let seen = Arc::clone(&log.calls);
    let plan = ExperimentPlan::new(two_by_two(trials));
    let (one, _) = experiment(plan, directory, move |trial| {
        seen.lock().unwrap().push(format!("load {} {}", trial.index, trial.values["socket"]));
        Ok(report(1.0))
    });
    let outcome = run(one.with_testbed(log)).unwrap();
    let calls = calls.lock().unwrap().clone();
    (outcome.trials, calls)
}

#[test]
fn it_is_brought_up_for_each_trial_or_back_after_it() {
    let kept = tempfile::tempdir().unwrap();
    let (trials, calls) = made(Log::default(), 1, kept.path());
    let of = |k: u32| {
        vec![
            format!("up {k}"),
            format!("settle {k}"),
            format!("load {k} /run/{k}"),
            format!("down {k}"),
        ]
    };
    assert_eq!(calls, (1..=4).flat_map(of).collect::<Vec<_>>());
    assert!(trials.iter().all(|trial| trial.since_boot == Some(1) && trial.counts()));
    assert_eq!(trials[3].boot, Some(4));
    assert_eq!(trials[3].values["socket"], "/run/4");
    let kept = tempfile::tempdir().unwrap();
    let (trials, calls) = made(Log { rewinds: true, ..Log::default() }, 2, kept.path());
    // As often up as the memory changes from one trial to the next, and once at the begin.
    let changes = trials.windows(2).filter(|two| two[0].cell["memory"] != two[1].cell["memory"]);
    let boots = 1 + changes.count();
    let count = |what: &str| calls.iter().filter(|call| call.starts_with(what)).count();
    assert_eq!((count("up"), count("down"), count("rewind")), (boots, boots, 8 - boots));
    assert_eq!(trials.last().unwrap().boot, Some(boots as u32));
    assert!(trials.iter().any(|trial| trial.since_boot == Some(2)));
    assert_eq!(calls.last().map(String::as_str), Some("down 8"));
}

#[test]
fn what_breaks_costs_a_trial_and_not_the_experiment() {
    let kept = tempfile::tempdir().unwrap();
    let fails = ["up 1", "settle 2", "down 3"].map(str::to_owned).to_vec();
    let (trials, calls) = made(Log { fails, ..Log::default() }, 1, kept.path());
    let failed: Vec<u32> = trials.iter().filter(|t| !t.counts()).map(|t| t.index).collect();
    assert_eq!((failed, trials.len()), (vec![1, 2], 6));
    assert_eq!(trials[0].reason.as_deref(), Some("up broke"));
    // Half of it may be up.
    assert_eq!(calls[..2], ["up 1", "down 1"]);
    assert_eq!(calls.iter().filter(|call| call.starts_with("down")).count(), 6);
    // A machine that cannot be brought back is taken down.
    let fails = (1..9).map(|k| format!("rewind {k}")).collect();
    let kept = tempfile::tempdir().unwrap();
    let (trials, _) = made(Log { fails, rewinds: true, ..Log::default() }, 2, kept.path());
    assert!(trials.iter().all(|trial| trial.since_boot == Some(1) && trial.counts()));
}

/// Asked of each cell once, with what the testbed said, before anything is measured.
#[test]
fn what_cannot_be_tried_is_told_before_the_first_trial() {
    let kept = tempfile::tempdir().unwrap();
    let log = Log::default();
    let (asked, loads) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<Mutex<u32>>::default());
    let try_it = |trials: u32, refused: &'static str| {
        let (asked, loads) = (Arc::clone(&asked), Arc::clone(&loads));
        let plan = ExperimentPlan::new(two_by_two(trials));
        let (one, _) = experiment(plan, kept.path(), move |_| {
            *loads.lock().unwrap() += 1;
            Ok(report(1.0))
        });
        run(one.with_testbed(log.clone()).with_check(move |trial| {
            let cell = trial.cell.to_string();
            asked.lock().unwrap().push(format!("{cell} {}", trial.values["socket"]));
            if cell.contains(refused) { Err("not with this machine".into()) } else { Ok(()) }
        }))
    };
    let error = try_it(2, "memory=2").unwrap_err();
    let ExperimentError::Impossible { cells, measured: 0 } = &error else { panic!("{error}") };
    assert_eq!(cells.len(), 2);
    assert!(cells[0].starts_with("memory=2 strategy=pre: not with"), "{cells:?}");
    let told = error.to_string();
    assert!(told.starts_with("2 cells of the plan cannot be tried on this testbed"), "{told}");
    assert_eq!(*loads.lock().unwrap(), 0);
    assert_eq!(*log.calls.lock().unwrap(), ["up 1", "settle 1", "down 1"]);
    // Nothing was kept yet: the plan may be another one.
    asked.lock().unwrap().clear();
    let outcome = try_it(1, "nothing").unwrap();
    assert_eq!((outcome.trials.len(), outcome.left), (4, 0));
    let mut asked = asked.lock().unwrap().clone();
    asked.sort_unstable();
    let cells = ["memory=1", "memory=2"]
        .iter()
        .flat_map(|memory| ["post", "pre"].map(|way| format!("{memory} strategy={way} /run/1")));
    assert_eq!(asked, cells.collect::<Vec<_>>());
}

/// Another testbed is asked when it is up.
#[test]
fn a_cell_is_checked_on_its_own_testbed() {
    let kept = tempfile::tempdir().unwrap();
    let mut new = Settings::default();
    new.hooks.insert(HookName::Up, HookSettings::new("./new.sh"));
    let plan = ExperimentPlan::new(Design::new(1))
        .with_build("old", Settings::default())
        .with_build("new", new);
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let seen = Arc::clone(&asked);
    let (one, _) = experiment(plan, kept.path(), |_| Ok(report(1.0)));
    let one = one.with_testbed(Log::default()).with_check(move |trial| {
        seen.lock().unwrap().push(format!("{} in trial {}", trial.cell, trial.index));
        Ok(())
    });
    let outcome = run(one).unwrap();
    let wanted: Vec<String> = outcome
        .trials
        .iter()
        .map(|t| format!("build={} in trial {}", t.cell["build"], t.index))
        .collect();
    assert_eq!(*asked.lock().unwrap(), wanted);
}

/// An experiment that was killed may have left the machine up.
#[test]
fn what_is_left_is_taken_down_first() {
    let kept = tempfile::tempdir().unwrap();
    made(Log::default(), 1, kept.path());
    let (_, calls) = made(Log::default(), 2, kept.path());
    assert_eq!(calls[..2], ["down 5", "up 5"]);
}

fn programs(toml: &str, directory: &Path) -> Result<Programs, PlanFileError> {
    let toml = format!("trials = 1\n[factors]\nmemory = [1, 2]\n{toml}");
    Programs::of(&PlanFile::parse(&toml, &directory.join("plan.toml"))?)
}

fn with_programs(toml: &str, kept: &tempfile::TempDir) -> Vec<Trial> {
    let design = Design::new(1).with_factor(Factor::new("memory", ["1", "2"]));
    let mut plan = ExperimentPlan::new(design);
    plan.limits.repeats = 0;
    let out = kept.path().join("out");
    let (one, _) = experiment(plan, &out, |_| Ok(report(1.0)));
    run(one.with_testbed(programs(toml, kept.path()).unwrap())).unwrap().trials
}

#[test]
fn programs_are_told_of_the_trial_and_tell_of_themselves() {
    let kept = tempfile::tempdir().unwrap();
    let up = "up = '''sh -c 'echo booting; echo SOCKET=/run/$LOADGEN_FACTOR_MEMORY/{memory}; \
              echo address=$LOADGEN_TRIAL.$LOADGEN_BLOCK.$LOADGEN_ATTEMPT; pwd' '''";
    let down = "down = '''sh -c 'echo $LOADGEN_VALUE_SOCKET > $LOADGEN_TRIAL_DIR/kept' '''";
    let trials = with_programs(&format!("[hooks]\n{up}\n{down}\n"), &kept);
    for trial in &trials {
        let memory = &trial.cell["memory"];
        assert_eq!(trial.values["SOCKET"], format!("/run/{memory}/{memory}"));
        assert_eq!(trial.values["address"], format!("{}.1.1", trial.index));
        let folder = kept.path().join(format!("out/trials/{:04}", trial.index));
        let told = std::fs::read_to_string(folder.join("kept")).unwrap();
        assert_eq!(told.trim(), trial.values["SOCKET"]);
        // All that it said is kept; it ran where the plan is.
        let out = std::fs::read_to_string(folder.join("up.out")).unwrap();
        let place = std::fs::canonicalize(kept.path()).unwrap();
        assert!(out.starts_with("booting\n") && out.trim_end().ends_with(place.to_str().unwrap()));
    }
}

#[test]
fn programs_that_fail_say_why() {
    let reason = |hooks: &str| {
        let kept = tempfile::tempdir().unwrap();
        let trials = with_programs(&format!("[hooks]\n{hooks}\n"), &kept);
        assert!(trials.iter().all(|trial| trial.status == TrialStatus::Failed));
        trials[0].reason.clone().unwrap()
    };
    let said = reason("up = '''sh -c 'echo no KVM >&2; printf \"\\033[2J\" >&2; exit 3' '''");
    assert_eq!(said, "hook up: it ended with exit code 3: no KVM; \\u{1b}[2J");
    assert_eq!(reason("up = '''sh -c 'kill -9 $$' '''"), "hook up: it was ended by signal 9");
    let said = reason("settle = { run = 'sleep 1000', limit = '50ms' }");
    assert_eq!(said, "hook settle: it took longer than its limit of 50.0 ms");
    assert!(reason("up = './not-there'").contains("cannot start './not-there'"));
    let said = reason("up = 'echo memory=7'");
    assert_eq!(said, "hook up: it says memory=…, and memory is a factor");
}

#[test]
fn what_is_no_command_line_is_refused_with_its_line() {
    let said = |hooks: &str| programs(hooks, Path::new("")).unwrap_err().to_string();
    assert!(said("[hooks]\nup = \"'a\"").starts_with("plan.toml:5: hooks.up: a quotation"));
    assert!(said("[hooks]\n\ndown = ' '").starts_with("plan.toml:6: hooks.down: there is no"));
    let unknown = said("[hooks]\nup = 'up {size}'");
    assert!(unknown.contains("'{size}' stands for nothing") && unknown.contains("memory"));
}

#[test]
fn builds_have_programs_of_their_own() {
    let kept = tempfile::tempdir().unwrap();
    let toml = "trials = 1\n[hooks]\nup = 'echo IS=plain'\n[builds.old]\n[builds.new.hooks]\nup = \
                'echo IS={build}'\n";
    let file = PlanFile::parse(toml, &kept.path().join("plan.toml")).unwrap();
    let programs = Programs::of(&file).unwrap();
    let out = kept.path().join("out");
    let (one, _) = experiment(file.plan, &out, |_| Ok(report(1.0)));
    let trials = run(one.with_testbed(programs)).unwrap().trials;
    let is = |build: &str| &trials.iter().find(|t| t.cell["build"] == build).unwrap().values["IS"];
    assert_eq!((is("old").as_str(), is("new").as_str()), ("plain", "new"));
}

/// The machine of one build is not that of another, and one that was killed may have left any.
#[test]
fn builds_have_machines_of_their_own() {
    let kept = tempfile::tempdir().unwrap();
    let toml = "trials = 6\n[factors]\nmemory = [1]\n[hooks]\nup = 'true'\nrewind = 'true'\n\
                boot_factors = ['memory']\n[builds.old]\nhooks.down = 'touch old'\n[builds.new]\n\
                hooks.up = 'echo'\nhooks.down = 'touch new'\n";
    let file = PlanFile::parse(toml, &kept.path().join("plan.toml")).unwrap();
    let out = kept.path().join("out");
    let (one, _) = experiment(file.plan.clone(), &out, |_| Ok(report(1.0)));
    let trials = run(one.with_testbed(Programs::of(&file).unwrap())).unwrap().trials;
    for two in trials.windows(2) {
        let is_another = two[0].cell["build"] != two[1].cell["build"];
        assert_eq!(two[1].since_boot == Some(1), is_another, "trial {}", two[1].index);
    }
    // Of one of them alone nobody knows afterwards that it was up.
    let mut programs = Programs::of(&file).unwrap();
    for name in ["old", "new"] {
        std::fs::remove_file(kept.path().join(name)).unwrap();
    }
    let cells = file.plan.design.cells().unwrap();
    let (values, interrupt) = (Values::new(), std::sync::atomic::AtomicBool::new(false));
    let trial = machine::context(
        &machine::At {
            index: 1,
            block: 1,
            attempt: 1,
            cell: &cells[0],
            folder: kept.path().to_owned(),
        },
        kept.path(),
        &values,
        &interrupt,
    );
    programs.down(&trial).unwrap();
    assert!(kept.path().join("old").exists() && kept.path().join("new").exists());
}
