//! A plan as it stands in a file.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use toml::Spanned;

use crate::experiment::design::{Design, Factor};
use crate::experiment::plan::{BUILD, ExperimentLimits, ExperimentPlan};
use crate::experiment::settings::{Given, HookName, HookSettings, Settings};
use crate::units::{parse_duration, share_of};

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    name: Option<String>,
    seed: Option<u64>,
    trials: u32,
    #[serde(default)]
    warm_up_blocks: u32,
    #[serde(default)]
    factors: Factors,
    #[serde(default)]
    load: Givens,
    #[serde(default)]
    trigger: Givens,
    #[serde(default)]
    hooks: Hooks,
    #[serde(default)]
    builds: Builds,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    analysis: Analysis,
}

type Givens = BTreeMap<String, Spanned<Given>>;

/// What a build has of its own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfBuild {
    #[serde(default)]
    load: Givens,
    #[serde(default)]
    trigger: Givens,
    #[serde(default)]
    hooks: HooksOfBuild,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct HooksOfBuild {
    up: Option<Spanned<Hook>>,
    settle: Option<Spanned<Hook>>,
    rewind: Option<Spanned<Hook>>,
    down: Option<Spanned<Hook>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Hooks {
    up: Option<Spanned<Hook>>,
    settle: Option<Spanned<Hook>>,
    rewind: Option<Spanned<Hook>>,
    down: Option<Spanned<Hook>>,
    #[serde(default)]
    boot_factors: Vec<String>,
}

/// Those programs that there are.
type Programs<'a> = Vec<(HookName, &'a Spanned<Hook>)>;

fn programs<'a>(all: [&'a Option<Spanned<Hook>>; 4]) -> Programs<'a> {
    let named = HookName::ALL.into_iter().zip(all);
    named.filter_map(|(name, hook)| Some((name, hook.as_ref()?))).collect()
}

impl Hooks {
    fn all(&self) -> Programs<'_> {
        programs([&self.up, &self.settle, &self.rewind, &self.down])
    }
}

impl HooksOfBuild {
    fn all(&self) -> Programs<'_> {
        programs([&self.up, &self.settle, &self.rewind, &self.down])
    }
}

/// Where each setting of a group of them stands in the text.
fn places(load: &Givens, trigger: &Givens, hooks: &Programs<'_>) -> Vec<(String, usize)> {
    let groups = [("load", load), ("trigger", trigger)];
    let of_groups = groups.into_iter().flat_map(|(group, all)| {
        all.iter().map(move |(key, given)| (format!("{group}.{key}"), given.span().start))
    });
    let of_hooks = hooks.iter();
    let of_hooks =
        of_hooks.map(|(name, hook)| (format!("hooks.{}", name.name()), hook.span().start));
    of_groups.chain(of_hooks).collect()
}

fn settings(load: &Givens, trigger: &Givens, hooks: &Programs<'_>) -> Settings {
    let plain = |settings: &Givens| {
        settings.iter().map(|(key, given)| (key.clone(), given.get_ref().clone())).collect()
    };
    let programs = hooks.iter().map(|(name, hook)| (*name, hook.get_ref().0.clone()));
    Settings { load: plain(load), trigger: plain(trigger), hooks: programs.collect() }
}

/// A program: its command line, or a table.
struct Hook(HookSettings);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HookTable {
    run: String,
    limit: Option<Time>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Limits {
    repeats: Option<u32>,
    failed_trials: Option<u32>,
    time: Option<Time>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Analysis {
    margin: Option<Margin>,
}

/// A time with its unit.
struct Time(Duration);

/// A share, as `5%` or 0.05.
struct Margin(f64);

/// A string or a number, as text.
struct Scalar(String);

/// Entries of a table in the order of the file, whatever order a map has.
struct InOrder<T>(Vec<(String, Spanned<T>)>);

impl<T> Default for InOrder<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

type Factors = InOrder<Vec<Scalar>>;
type Builds = InOrder<OfBuild>;

impl Document {
    /// Where each setting, such as `load.rate`, stands in the text.
    pub(super) fn places(&self) -> Vec<(String, usize)> {
        let mut all = places(&self.load, &self.trigger, &self.hooks.all());
        let factors = self.factors.0.iter();
        all.extend(factors.map(|(name, of)| (format!("factors.{name}"), of.span().start)));
        for (name, build) in &self.builds.0 {
            all.push((format!("factors.{BUILD}"), build.span().start));
            let build = build.get_ref();
            let own = places(&build.load, &build.trigger, &build.hooks.all());
            all.extend(own.into_iter().map(|(key, at)| (format!("builds.{name}.{key}"), at)));
        }
        all
    }

    pub(super) fn into_plan(self) -> ExperimentPlan {
        let mut design = Design::new(self.trials).with_warm_up_blocks(self.warm_up_blocks);
        if let Some(seed) = self.seed {
            design = design.with_seed(seed);
        }
        for (name, levels) in self.factors.0 {
            let levels = levels.into_inner().into_iter().map(|Scalar(level)| level);
            design = design.with_factor(Factor::new(&name, levels));
        }
        let mut plan = ExperimentPlan::new(design);
        plan.name = self.name;
        plan.settings = settings(&self.load, &self.trigger, &self.hooks.all());
        for (name, build) in &self.builds.0 {
            let build = build.get_ref();
            let own = settings(&build.load, &build.trigger, &build.hooks.all());
            plan = plan.with_build(name, own);
        }
        plan.boot_factors = self.hooks.boot_factors;
        plan.limits = ExperimentLimits {
            repeats: self.limits.repeats.unwrap_or(plan.limits.repeats),
            failed_trials: self.limits.failed_trials.unwrap_or(plan.limits.failed_trials),
            time: self.limits.time.map(|Time(time)| time),
        };
        if let Some(Margin(margin)) = self.analysis.margin {
            plan.margin = margin;
        }
        plan
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_duration(&text).map(Self).map_err(Error::custom)
    }
}

impl<'de> Deserialize<'de> for Margin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Scalar(text) = Scalar::deserialize(deserializer)?;
        let share = share_of(&text).filter(|share| *share < 1.0);
        share.map(Self).ok_or_else(|| {
            Error::custom(format!(
                "a margin is a share from 0 to below 1, such as 5%, not '{text}'"
            ))
        })
    }
}

impl<'de> Deserialize<'de> for Hook {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AsHook;
        impl<'de> Visitor<'de> for AsHook {
            type Value = Hook;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a program with its arguments, or a table { run = \"…\", limit = \"60s\" }",
                )
            }

            fn visit_str<E: Error>(self, run: &str) -> Result<Hook, E> {
                Ok(Hook(HookSettings::new(run)))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Hook, A::Error> {
                let table =
                    HookTable::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                let limit = table.limit.map_or(HookSettings::LIMIT, |Time(limit)| limit);
                Ok(Hook(HookSettings { limit, ..HookSettings::new(&table.run) }))
            }
        }
        deserializer.deserialize_any(AsHook)
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Given::deserialize(deserializer)? {
            Given::One(text) => Ok(Self(text)),
            Given::Flag(flag) => Ok(Self(flag.to_string())),
            Given::Several(_) => Err(Error::custom("a level is a string or a number, not a list")),
        }
    }
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AsGiven;
        impl<'de> Visitor<'de> for AsGiven {
            type Value = Given;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, a number, true, false, or a list of strings and numbers")
            }

            fn visit_bool<E: Error>(self, flag: bool) -> Result<Given, E> {
                Ok(Given::Flag(flag))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Given, E> {
                Ok(Given::One(number.to_string()))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Given, E> {
                Ok(Given::One(number.to_string()))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Given, E> {
                Ok(Given::One(number.to_string()))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Given, E> {
                Ok(Given::One(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Given, A::Error> {
                let mut texts = Vec::new();
                while let Some(Scalar(text)) = seq.next_element()? {
                    texts.push(text);
                }
                Ok(Given::Several(texts))
            }
        }
        deserializer.deserialize_any(AsGiven)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for InOrder<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AsTable<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for AsTable<T> {
            type Value = InOrder<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<InOrder<T>, A::Error> {
                let mut entries: Vec<(String, Spanned<T>)> = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                entries.sort_by_key(|(_, entry)| entry.span().start);
                Ok(InOrder(entries))
            }
        }
        deserializer.deserialize_map(AsTable(PhantomData))
    }
}
