//! What an experiment is to try: the factors and the load, the trigger, the programs of the
//! testbed, and when it is given up.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use super::design::Design;
use super::error::DesignError;

/// The plan of an experiment.
///
/// An embedding program makes it by [`ExperimentPlan::new`]; `loadgen experiment` reads it from
/// a file. What is in [`load`](Self::load), [`trigger`](Self::trigger) and
/// [`hooks`](Self::hooks) has its meaning by whoever makes the trials: this type only keeps it,
/// replaces the factors in it, and tells two plans apart.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ExperimentPlan {
    /// What it is called in reports.
    pub name: Option<String>,
    /// The combinations of levels, how often each is tried, and in which order.
    pub design: Design,
    /// The settings of the load, which are the options of `loadgen migrate` with `_` for `-`.
    pub load: BTreeMap<String, Given>,
    /// The settings of the trigger.
    pub trigger: BTreeMap<String, Given>,
    /// The programs of the testbed.
    pub hooks: BTreeMap<HookName, HookSettings>,
    /// When the testbed must be brought up anew although there is a [`HookName::Rewind`]: when
    /// the level of one of these factors is another one. Empty: of any.
    pub boot_factors: Vec<String>,
    /// When it is given up.
    pub limits: ExperimentLimits,
    /// From which relative difference on two cells are told to differ; 0.05 is 5 %.
    pub margin: f64,
}

/// The value of a setting, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Given {
    /// A switch.
    Flag(bool),
    /// One value.
    One(String),
    /// Several, each of which is given.
    Several(Vec<String>),
}

/// When a program of the testbed is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum HookName {
    /// Brings up the machine, and all that is around it.
    Up,
    /// Waits until the machine is quiet, before each load.
    Settle,
    /// Brings the machine back to where it was, after a trial; without it, it is taken down and
    /// brought up for each trial.
    Rewind,
    /// Takes it all down, also what an experiment left that was killed.
    Down,
}

impl HookName {
    /// All, in the order in which a trial has them.
    pub const ALL: [Self; 4] = [Self::Up, Self::Settle, Self::Rewind, Self::Down];

    /// Its name in plans and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Settle => "settle",
            Self::Rewind => "rewind",
            Self::Down => "down",
        }
    }
}

/// A program of the testbed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HookSettings {
    /// The program and its arguments, split into words as by a shell; no shell runs.
    pub run: String,
    /// How long it may take.
    pub limit: Duration,
}

impl HookSettings {
    /// How long a program may take unless the plan says otherwise.
    pub const LIMIT: Duration = Duration::from_secs(300);

    /// This program, with the usual limit.
    #[must_use]
    pub fn new(run: &str) -> Self {
        Self { run: run.to_owned(), limit: Self::LIMIT }
    }
}

/// When an experiment makes a trial again, and when it is given up.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExperimentLimits {
    /// How often a trial that failed, or is invalid, is made again.
    pub repeats: u32,
    /// After how many such trials in all, those of the warm-up too, the experiment is given up.
    pub failed_trials: u32,
    /// After which time no further trial begins; of a run that goes on, its own time counts.
    /// `None`: never.
    pub time: Option<Duration>,
}

impl Default for ExperimentLimits {
    fn default() -> Self {
        Self { repeats: 2, failed_trials: 20, time: None }
    }
}

impl ExperimentPlan {
    /// A plan that tries this design, and says nothing of the load.
    #[must_use]
    pub fn new(design: Design) -> Self {
        Self {
            name: None,
            design,
            load: BTreeMap::new(),
            trigger: BTreeMap::new(),
            hooks: BTreeMap::new(),
            boot_factors: Vec::new(),
            limits: ExperimentLimits::default(),
            margin: 0.05,
        }
    }

    /// Its name in reports.
    #[must_use]
    pub fn with_name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// A setting of the load that the trials have in common: it is kept with the results, and two
    /// experiments whose settings differ are not compared.
    #[must_use]
    pub fn with_load(mut self, name: &str, value: &str) -> Self {
        self.load.insert(name.to_owned(), Given::One(value.to_owned()));
        self
    }

    /// When it is given up.
    #[must_use]
    pub fn with_limits(mut self, limits: ExperimentLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Whether the design can be carried out.
    ///
    /// # Errors
    /// [`DesignError`] if not.
    pub fn validate(&self) -> Result<(), DesignError> {
        self.design.cells()?;
        for name in &self.boot_factors {
            if !self.design.factors().iter().any(|factor| factor.name == *name) {
                return Err(DesignError::NoFactor { name: name.clone() });
            }
        }
        Ok(())
    }

    /// In what another plan differs that is to go on with this one's results, a line each. More
    /// trials, other limits and another name are no difference.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let (mut ours, mut theirs) = (self.settings(), other.settings());
        let mut lines = Vec::new();
        let (before, now) = (self.design.trials(), other.design.trials());
        if now < before {
            lines.push(format!("trials: {before}, now {now}: there may be more, not fewer"));
        }
        for (plan, factors) in [(&mut ours, &self.design), (&mut theirs, &other.design)] {
            plan.insert("seed".to_owned(), factors.seed().to_string());
            plan.insert("warm_up_blocks".to_owned(), factors.warm_up_blocks().to_string());
            // The order of the cells in a block follows from theirs.
            let names: Vec<&str> = factors.factors().iter().map(|f| f.name.as_str()).collect();
            plan.insert("factors".to_owned(), names.join(", "));
            for factor in factors.factors() {
                let levels: Vec<&str> = factor.levels.iter().map(|level| level.as_str()).collect();
                plan.insert(format!("factors.{}", factor.name), levels.join(", "));
            }
        }
        lines.extend(differing(&ours, &theirs));
        lines
    }

    /// What holds for every cell, a line each: the load, the trigger and the testbed.
    #[must_use]
    pub fn settings(&self) -> BTreeMap<String, String> {
        let mut settings = BTreeMap::new();
        for (group, all) in [("load", &self.load), ("trigger", &self.trigger)] {
            let of_group =
                all.iter().map(|(key, given)| (format!("{group}.{key}"), given.to_string()));
            settings.extend(of_group);
        }
        for (hook, program) in &self.hooks {
            settings.insert(format!("hooks.{}", hook.name()), program.run.clone());
        }
        if !self.boot_factors.is_empty() {
            settings.insert("hooks.boot_factors".to_owned(), self.boot_factors.join(", "));
        }
        settings
    }
}

/// A line for each setting that is not the same in both.
pub(super) fn differing(
    ours: &BTreeMap<String, String>,
    theirs: &BTreeMap<String, String>,
) -> Vec<String> {
    let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let told =
        |value: Option<&String>| value.map_or("not set".to_owned(), |value| format!("'{value}'"));
    let line = |name: &&String| {
        let (before, now) = (ours.get(*name), theirs.get(*name));
        (before != now).then(|| format!("{name}: {}, now {}", told(before), told(now)))
    };
    names.iter().filter_map(line).collect()
}

impl Given {
    /// Its texts; none of a switch.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        let texts = match self {
            Self::Flag(_) => &[],
            Self::One(text) => std::slice::from_ref(text),
            Self::Several(texts) => texts.as_slice(),
        };
        texts.iter().map(String::as_str)
    }
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => flag.fmt(f),
            Self::One(text) => f.write_str(text),
            Self::Several(texts) => f.write_str(&texts.join(", ")),
        }
    }
}
