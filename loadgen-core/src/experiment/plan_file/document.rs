//! A plan as it stands in a file.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use toml::Spanned;

use crate::experiment::design::{Design, Factor};
use crate::experiment::plan::{ExperimentLimits, ExperimentPlan, Given, HookName, HookSettings};
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
    pub(super) factors: Factors,
    #[serde(default)]
    pub(super) load: BTreeMap<String, Spanned<Given>>,
    #[serde(default)]
    pub(super) trigger: BTreeMap<String, Spanned<Given>>,
    #[serde(default)]
    pub(super) hooks: Hooks,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    analysis: Analysis,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Hooks {
    up: Option<Spanned<Hook>>,
    settle: Option<Spanned<Hook>>,
    rewind: Option<Spanned<Hook>>,
    down: Option<Spanned<Hook>>,
    #[serde(default)]
    boot_factors: Vec<String>,
}

impl Hooks {
    /// Those that there are.
    pub(super) fn all(&self) -> impl Iterator<Item = (HookName, &Spanned<Hook>)> {
        let all = [
            (HookName::Up, &self.up),
            (HookName::Settle, &self.settle),
            (HookName::Rewind, &self.rewind),
            (HookName::Down, &self.down),
        ];
        all.into_iter().filter_map(|(name, hook)| Some((name, hook.as_ref()?)))
    }
}

/// A program: its command line, or a table.
pub(super) struct Hook(HookSettings);

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
pub(super) struct Scalar(String);

/// Factors in the order of the file, whatever order a map has.
#[derive(Default)]
pub(super) struct Factors(pub(super) Vec<(String, Spanned<Vec<Scalar>>)>);

impl Document {
    pub(super) fn into_plan(self) -> ExperimentPlan {
        let mut design = Design::new(self.trials).with_warm_up_blocks(self.warm_up_blocks);
        if let Some(seed) = self.seed {
            design = design.with_seed(seed);
        }
        for (name, levels) in self.factors.0 {
            let levels = levels.into_inner().into_iter().map(|Scalar(level)| level);
            design = design.with_factor(Factor::new(&name, levels));
        }
        let plain = |settings: BTreeMap<String, Spanned<Given>>| {
            settings.into_iter().map(|(key, given)| (key, given.into_inner())).collect()
        };
        let hooks = self.hooks.all().map(|(name, hook)| (name, hook.get_ref().0.clone())).collect();
        let mut plan = ExperimentPlan::new(design);
        plan.name = self.name;
        plan.load = plain(self.load);
        plan.trigger = plain(self.trigger);
        plan.hooks = hooks;
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

impl<'de> Deserialize<'de> for Factors {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AsFactors;
        impl<'de> Visitor<'de> for AsFactors {
            type Value = Factors;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of factors, each with the list of its levels")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Factors, A::Error> {
                let mut factors: Vec<(String, Spanned<Vec<Scalar>>)> = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    factors.push(entry);
                }
                factors.sort_by_key(|(_, levels)| levels.span().start);
                Ok(Factors(factors))
            }
        }
        deserializer.deserialize_map(AsFactors)
    }
}
