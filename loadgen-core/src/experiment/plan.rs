//! What an experiment is to try: the factors and the load, the trigger, the programs of the
//! testbed, and when it is given up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::design::{Cell, Design};
use super::error::DesignError;
use super::settings::{Given, Settings};

/// The plan of an experiment.
///
/// An embedding program makes it by [`ExperimentPlan::new`]; `loadgen experiment` reads it from
/// a file.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ExperimentPlan {
    /// What it is called in reports.
    pub name: Option<String>,
    /// The combinations of levels, how often each is tried, and in which order.
    pub design: Design,
    /// What trials are made with.
    pub settings: Settings,
    /// Levels of the factor [`BUILD`], each with what it has in place of `settings`.
    pub builds: Vec<Build>,
    /// When the testbed must be brought up anew although there is a [`HookName::Rewind`](super::HookName::Rewind): when
    /// the level of one of these factors is another one. Empty: of any.
    pub boot_factors: Vec<String>,
    /// When it is given up.
    pub limits: ExperimentLimits,
    /// From which relative difference on two cells are told to differ; 0.05 is 5 %.
    pub margin: f64,
}

/// The factor that tells builds apart.
pub const BUILD: &str = "build";

/// One of several things that are tried in turn, such as two versions of a server: what differs
/// is in its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Build {
    /// Its level of the factor [`BUILD`].
    pub name: String,
    /// What it has in place of the settings of the plan.
    pub settings: Settings,
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
            settings: Settings::default(),
            builds: Vec::new(),
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
        self.settings.load.insert(name.to_owned(), Given::One(value.to_owned()));
        self
    }

    /// Adds a build: a level of the factor [`BUILD`], with what it has in place of the settings
    /// of the plan.
    #[must_use]
    pub fn with_build(mut self, name: &str, settings: Settings) -> Self {
        self.design = self.design.with_level(BUILD, name);
        self.builds.push(Build { name: name.to_owned(), settings });
        self
    }

    /// This plan and another one as one experiment, in which each block has both: what they have
    /// in common is the plan's, and what they differ in that of two builds of these names.
    ///
    /// # Errors
    /// [`DesignError::OtherFactors`] if they vary different things,
    /// [`DesignError::OtherDesign`] if they differ in more than what trials are made with, and
    /// [`DesignError::NothingDiffers`].
    pub fn against(&self, own: &str, other: &Self, theirs: &str) -> Result<Self, DesignError> {
        if self.design.factors() != other.design.factors() {
            return Err(DesignError::OtherFactors);
        }
        let rest = |plan: &Self| {
            let Self { design, limits, margin, boot_factors, builds, .. } = plan;
            [
                ("trials", design.trials().to_string()),
                ("seed", design.seed().to_string()),
                ("warm_up_blocks", design.warm_up_blocks().to_string()),
                ("limits", format!("{limits:?}")),
                ("margin", margin.to_string()),
                ("boot_factors", boot_factors.join(", ")),
                ("builds", format!("{builds:?}")),
            ]
        };
        let both = rest(self).into_iter().zip(rest(other));
        let names: Vec<&str> = both.filter(|(a, b)| a != b).map(|(a, _)| a.0).collect();
        if !names.is_empty() {
            return Err(DesignError::OtherDesign { names: names.join(", ") });
        }
        let (ours, others) =
            (self.settings.beside(&other.settings), other.settings.beside(&self.settings));
        if ours.is_empty() && others.is_empty() {
            return Err(DesignError::NothingDiffers);
        }
        let mut plan = self.clone();
        plan.settings = self.settings.without(&ours);
        Ok(plan.with_build(own, ours).with_build(theirs, others))
    }

    /// What trials of a cell are made with.
    #[must_use]
    pub fn of_cell(&self, cell: &Cell) -> Settings {
        let is_it = |build: &&Build| cell.level(BUILD).is_some_and(|l| l.as_str() == build.name);
        match self.builds.iter().find(is_it) {
            Some(build) => self.settings.with(&build.settings),
            None => self.settings.clone(),
        }
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
        // It is made of the builds, and of nothing else.
        let build = self.design.factors().iter().find(|factor| factor.name == BUILD);
        let levels = build.map_or(0, |factor| factor.levels.len());
        if !self.builds.is_empty() && levels != self.builds.len() {
            return Err(DesignError::Twice { name: BUILD.to_owned() });
        }
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
        let (mut ours, mut theirs) = (self.lines(), other.lines());
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

    /// What holds for every cell, a line each, by names such as `load.rate`; what builds have of
    /// their own as `builds.NAME.load.rate`.
    #[must_use]
    pub fn lines(&self) -> BTreeMap<String, String> {
        let mut lines = self.settings.lines();
        if !self.boot_factors.is_empty() {
            lines.insert("hooks.boot_factors".to_owned(), self.boot_factors.join(", "));
        }
        for build in &self.builds {
            let own = build.settings.lines().into_iter();
            lines.extend(own.map(|(name, line)| (format!("builds.{}.{name}", build.name), line)));
        }
        lines
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
