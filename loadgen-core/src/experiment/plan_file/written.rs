//! A plan as it is written: everything resolved.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::experiment::design::{Factor, Level};
use crate::experiment::plan::{BUILD, Build, ExperimentPlan};
use crate::experiment::settings::{Given, HookName, HookSettings};

#[derive(Serialize)]
struct Written<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    seed: i64,
    trials: u32,
    warm_up_blocks: u32,
    factors: WrittenFactors<'a>,
    load: &'a BTreeMap<String, Given>,
    trigger: &'a BTreeMap<String, Given>,
    hooks: WrittenHooks<'a>,
    #[serde(skip_serializing_if = "WrittenBuilds::is_empty")]
    builds: WrittenBuilds<'a>,
    limits: WrittenLimits,
    analysis: WrittenAnalysis,
}

/// Without that of builds, which follows from them.
struct WrittenFactors<'a>(&'a ExperimentPlan);

struct WrittenHooks<'a> {
    boot_factors: &'a [String],
    programs: &'a BTreeMap<HookName, HookSettings>,
}

struct WrittenBuilds<'a>(&'a [Build]);

#[derive(Serialize)]
struct WrittenBuild<'a> {
    load: &'a BTreeMap<String, Given>,
    trigger: &'a BTreeMap<String, Given>,
    hooks: WrittenHooks<'a>,
}

#[derive(Serialize)]
struct WrittenHook<'a> {
    run: &'a str,
    limit: String,
}

#[derive(Serialize)]
struct WrittenLimits {
    repeats: u32,
    failed_trials: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
}

#[derive(Serialize)]
struct WrittenAnalysis {
    margin: f64,
}

/// The plan as TOML, with everything in it, defaults too.
pub(in crate::experiment) fn to_toml(plan: &ExperimentPlan) -> Result<String, toml::ser::Error> {
    let limits = &plan.limits;
    toml::to_string(&Written {
        name: plan.name.as_deref(),
        // A design with a larger one is refused.
        seed: i64::try_from(plan.design.seed()).unwrap_or(i64::MAX),
        trials: plan.design.trials(),
        warm_up_blocks: plan.design.warm_up_blocks(),
        factors: WrittenFactors(plan),
        load: &plan.settings.load,
        trigger: &plan.settings.trigger,
        hooks: WrittenHooks { boot_factors: &plan.boot_factors, programs: &plan.settings.hooks },
        builds: WrittenBuilds(&plan.builds),
        limits: WrittenLimits {
            repeats: limits.repeats,
            failed_trials: limits.failed_trials,
            time: limits.time.map(seconds),
        },
        analysis: WrittenAnalysis { margin: plan.margin },
    })
}

fn seconds(time: Duration) -> String {
    format!("{}s", time.as_secs_f64())
}

impl Serialize for Given {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Flag(flag) => flag.serialize(serializer),
            Self::One(text) => text.serialize(serializer),
            Self::Several(texts) => texts.serialize(serializer),
        }
    }
}

impl Serialize for WrittenFactors<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(plan) = self;
        let mut map = serializer.serialize_map(None)?;
        let is_own = |factor: &&Factor| plan.builds.is_empty() || factor.name != BUILD;
        for factor in plan.design.factors().iter().filter(is_own) {
            let levels: Vec<&str> = factor.levels.iter().map(Level::as_str).collect();
            map.serialize_entry(&factor.name, &levels)?;
        }
        map.end()
    }
}

impl Serialize for WrittenHooks<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if !self.boot_factors.is_empty() {
            map.serialize_entry("boot_factors", self.boot_factors)?;
        }
        for (name, hook) in self.programs {
            let limit = seconds(hook.limit);
            map.serialize_entry(name.name(), &WrittenHook { run: &hook.run, limit })?;
        }
        map.end()
    }
}

impl WrittenBuilds<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for WrittenBuilds<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for Build { name, settings } in self.0 {
            let own = WrittenBuild {
                load: &settings.load,
                trigger: &settings.trigger,
                hooks: WrittenHooks { boot_factors: &[], programs: &settings.hooks },
            };
            map.serialize_entry(name, &own)?;
        }
        map.end()
    }
}
