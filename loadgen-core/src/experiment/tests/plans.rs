//! Plans as TOML, there and back, and what is wrong with them.

use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use crate::experiment::plan_file::to_toml;
use crate::experiment::*;

const ALL: &str = r#"
name = "sizes and strategies"
seed = 7
trials = 5
warm_up_blocks = 1
[factors]
strategy = ["pre-copy", "post-copy"]
memory = [512, 1.5, true]
[load]
url = "http://10.99.0.2/"
rate = 100
http2 = true
header = ["A: b", "Authorization: env:TOKEN"]
[trigger]
spec = "qmp:{src},strategy={strategy}"
[hooks]
up = "./up.sh {memory}"
down = { run = "./down.sh", limit = "60s" }
boot_factors = ["memory"]
[limits]
repeats = 1
failed_trials = 3
time = "2h"
[analysis]
margin = "10%"
"#;

fn read(text: &str) -> Result<PlanFile, String> {
    PlanFile::parse(text, Path::new("study.toml")).map_err(|error| error.to_string())
}

#[test]
fn everything_is_read() {
    let plan = read(ALL).unwrap().plan;
    assert_eq!(plan.name.as_deref(), Some("sizes and strategies"));
    let design = &plan.design;
    assert_eq!((design.seed(), design.trials(), design.warm_up_blocks()), (7, 5, 1));
    // In the order of the file: by it go the cells.
    let names: Vec<&str> = design.factors().iter().map(|factor| &*factor.name).collect();
    assert_eq!(names, ["strategy", "memory"]);
    let cells = design.cells().unwrap();
    let shown: Vec<String> = cells.iter().map(ToString::to_string).collect();
    assert_eq!(shown[..2], ["strategy=pre-copy memory=512", "strategy=pre-copy memory=1.5"]);
    assert_eq!(plan.settings.load["rate"], Given::One("100".to_owned()));
    assert_eq!(plan.settings.load["http2"], Given::Flag(true));
    assert!(matches!(&plan.settings.load["header"], Given::Several(texts) if texts.len() == 2));
    assert_eq!(plan.settings.hooks[&HookName::Up].limit, HookSettings::LIMIT);
    assert_eq!(plan.settings.hooks[&HookName::Down].limit, Duration::from_secs(60));
    assert_eq!(plan.boot_factors, ["memory"]);
    let limits = &plan.limits;
    assert_eq!((limits.repeats, limits.failed_trials), (1, 3));
    assert_eq!((limits.time, plan.margin), (Some(Duration::from_secs(7200)), 0.1));
    let least = read("trials = 1").unwrap().plan;
    assert_eq!((least.limits, least.margin), (ExperimentLimits::default(), 0.05));
}

#[test]
fn what_is_written_is_read_as_the_same() {
    for text in [ALL, "trials = 1", "trials = 2\n[analysis]\nmargin = 0"] {
        let plan = read(text).unwrap().plan;
        let written = to_toml(&plan).unwrap();
        let again = read(&written).unwrap().plan;
        assert_eq!(again, plan, "{written}");
        assert_eq!(plan.differences(&again), Vec::<String>::new());
    }
}

const BUILDS: &str = r#"
trials = 2
[factors]
memory = [1, 2]
[load]
rate = 100
[hooks]
up = "./up.sh"
[builds.old.trigger]
spec = "simulated"
[builds.new]
load = { rate = 200 }
[builds.new.trigger]
spec = "simulated:memory=1MiB"
[builds.new.hooks]
up = "./up.sh --new"
"#;

/// Builds are levels of a factor, in the order of the file, each with settings of its own.
#[test]
fn builds_have_settings_of_their_own() {
    let plan = read(BUILDS).unwrap().plan;
    let cells = plan.design.cells().unwrap();
    let shown: Vec<String> = cells.iter().map(ToString::to_string).collect();
    assert_eq!(shown[..2], ["memory=1 build=old", "memory=1 build=new"]);
    let (old, new) = (plan.of_cell(&cells[0]), plan.of_cell(&cells[1]));
    assert_eq!(old.load["rate"], Given::One("100".to_owned()));
    assert_eq!(new.load["rate"], Given::One("200".to_owned()));
    assert_eq!(old.hooks[&HookName::Up].run, "./up.sh");
    assert_eq!(new.hooks[&HookName::Up].run, "./up.sh --new");
    assert_ne!(old.trigger["spec"], new.trigger["spec"]);
    assert_eq!(plan.lines()["builds.new.load.rate"], "200");
    let again = read(&to_toml(&plan).unwrap()).unwrap().plan;
    assert_eq!(again, plan);
    wrong(&BUILDS.replace("memory = [1, 2]", "build = ['x']"), "two factors have the name 'build'");
    wrong(&BUILDS.replace("builds.new.trigger", "builds.new.triggers"), "did you mean `trigger`");
    let secret = BUILDS.replace("rate = 200", "url = 'http://u:p@h/'");
    wrong(&secret, "study.toml:12: the user and password in the URL of builds.new.load.url");
}

/// Two plans as one: what they have in common is the plan's, what they differ in the builds'.
#[test]
fn two_plans_are_tried_against_each_other() {
    let plan = |rate: &str, more: &str| {
        let text = format!(
            "trials = 2\n[factors]\nm = [1, 2]\n[load]\nrate = {rate}\nafter = '1s'\n{more}"
        );
        read(&text).unwrap().plan
    };
    let (old, new) = (plan("1", "http2 = true\n"), plan("2", "[hooks]\nup = 'up'\n"));
    let both = old.against("old", &new, "new").unwrap();
    assert_eq!(both.settings.lines().into_keys().collect::<Vec<_>>(), ["load.after"]);
    for cell in both.design.cells().unwrap() {
        let of = if cell.level(BUILD).unwrap().as_str() == "old" { &old } else { &new };
        assert_eq!(both.of_cell(&cell), of.settings);
    }
    assert_eq!(old.against("a", &old, "b"), Err(DesignError::NothingDiffers));
    let mut other = new.clone();
    other.design = other.design.with_factor(Factor::new("x", ["1"]));
    assert_eq!(old.against("a", &other, "b"), Err(DesignError::OtherFactors));
    let mut other = new.clone();
    (other.margin, other.limits.repeats) = (0.2, 9);
    let refused = old.against("a", &other, "b").unwrap_err().to_string();
    assert!(refused.starts_with("the two plans differ in limits, margin, of which"), "{refused}");
    let same = old.against("a", &new, "a").unwrap();
    assert!(same.validate().unwrap_err().to_string().contains("has the level 'a' twice"));
}

#[track_caller]
fn wrong(text: &str, said: &str) {
    let error = read(text).unwrap_err();
    assert!(error.contains(said), "'{said}' is not in: {error}");
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    wrong(
        "trials = 1\nfactor = 1",
        "study.toml:2: there is no setting `factor` here: did you mean `factors`?",
    );
    wrong("trials = 1\n[limits]\n\nrepeat = 1", "study.toml:4: there is no setting `repeat` here");
    wrong("trials = 1\n[hooks]\nupp = 'a'", "did you mean `up`?");
    wrong("trials = 1\n[hooks]\nup = { runs = 'a' }", "did you mean `run`?");
    wrong("trials = 1\n[xyz]", "known are name, seed, trials");
    wrong("trials = 0", "study.toml: an experiment has at least one trial");
    wrong("trials = -1", "study.toml:1: ");
    wrong("name = 'x'", "missing field `trials`");
    wrong(
        "trials = 1\n[factors]\na = [1, 1]",
        "study.toml:3: the factor 'a' has the level '1' twice",
    );
    wrong(
        "trials = 1\n[factors]\n'a-b' = [1]",
        "study.toml:3: 'a-b' cannot be the name of a factor",
    );
    wrong("trials = 1\n[factors]\na = 1", "study.toml:3: ");
    wrong("trials = 1\n[factors]\na = [[1]]", "a level is a string or a number");
    wrong("trials = 1\n[limits]\ntime = 'soon'", "study.toml:3: ");
    wrong("trials = 1\n[limits]\ntime = 5", "study.toml:3: ");
    wrong("trials = 1\n[analysis]\nmargin = '200%'", "a margin is a share from 0 to below 1");
    wrong("trials = 1\n[hooks]\nboot_factors = ['x']", "there is no factor 'x'");
    wrong("trials = 1\n[factors]\ndir = [1]", "it names the folder of the trial");
    wrong("trials = 1\ntrials = 2", "study.toml:2: ");
    let file = read("trials = 1\n[load]\n\nrates = 3").unwrap();
    let said = file.only_known(&["rate", "url"]).unwrap_err().to_string();
    assert_eq!(said, "study.toml:4: there is no setting 'rates' of the load: did you mean 'rate'?");
    let error = PlanFile::read(Path::new("/not/there.toml")).unwrap_err().to_string();
    assert!(error.contains("cannot read '/not/there.toml'"), "{error}");
}

/// The plan is kept with the results.
#[test]
fn credentials_are_refused() {
    for (setting, said) in [
        (
            "url = 'http://u:hunter2@h/'",
            "study.toml:3: the user and password in the URL of load.url",
        ),
        ("proxy = 'http://u:hunter2@h/'", "load.proxy"),
        (
            "header = 'Authorization: hunter2'",
            "study.toml:3: the value of the header Authorization",
        ),
        ("header = ['A: b', 'X-Api-Key: hunter2']", "X-Api-Key"),
    ] {
        let error = read(&format!("trials = 1\n[load]\n{setting}")).unwrap_err();
        assert!(error.contains(said) && !error.contains("hunter2"), "{error}");
    }
    let hook = "trials = 1\n[hooks]\nup = 'up http://u:hunter2@h/'";
    let error = read(hook).unwrap_err();
    assert!(error.contains("study.toml:3: ") && !error.contains("hunter2"), "{error}");
    read("trials = 1\n[load]\nheader = ['Cookie: env:COOKIE', '@headers']").unwrap();
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(text in "(trials = [0-9-]{1,3}\n)?(\\[[a-z]{0,8}\\]\n)?([a-z_]{0,6} ?= ?[^\n]{0,20}\n){0,4}") {
        let _ = read(&text);
    }

    /// Whatever stands in the texts of a plan.
    #[test]
    fn any_plan_is_read_back(
        name in prop::option::of(".*"),
        levels in prop::collection::btree_set(".*", 1..4),
        value in ".*",
        hook in ".*",
        seed in 0..i64::MAX as u64,
        margin in 0.0..0.999_f64,
    ) {
        let levels: Vec<String> = levels.into_iter().collect();
        let design = Design::new(3).with_seed(seed).with_factor(Factor::new("x", levels));
        let mut plan = ExperimentPlan::new(design).with_load("rate", &value);
        plan.name = name;
        plan.margin = margin;
        plan.settings.hooks.insert(HookName::Up, HookSettings::new(&hook));
        prop_assume!(crate::secret::without_passwords(&value) == value);
        prop_assume!(crate::secret::without_passwords(&hook) == hook);
        let written = to_toml(&plan).unwrap();
        prop_assert_eq!(read(&written).unwrap().plan, plan);
    }
}
