//! A model as it stands in a file.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use toml::Spanned;

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) chain: Option<ChainTable>,
    pub(super) net: Option<NetTable>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChainTable {
    #[serde(default)]
    pub(super) unit: TimeUnit,
    pub(super) up: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) rewards: BTreeMap<String, Spanned<f64>>,
    #[serde(default, rename = "move")]
    pub(super) moves: Vec<Spanned<MoveTable>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MoveTable {
    pub(super) from: Names,
    pub(super) to: String,
    pub(super) mean: Option<Quantity>,
    pub(super) rate: Option<Quantity>,
    pub(super) every: Option<Quantity>,
    pub(super) stages: Option<u32>,
    pub(super) from_trials: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NetTable {
    #[serde(default)]
    pub(super) unit: TimeUnit,
    pub(super) up: Spanned<String>,
    pub(super) places: BTreeMap<String, Spanned<u32>>,
    #[serde(default)]
    pub(super) timed: Vec<Spanned<TimedTable>>,
    #[serde(default)]
    pub(super) immediate: Vec<Spanned<ImmediateTable>>,
    #[serde(default)]
    pub(super) rewards: BTreeMap<String, Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TimedTable {
    pub(super) name: String,
    #[serde(default)]
    pub(super) takes: Arcs,
    #[serde(default)]
    pub(super) gives: Arcs,
    #[serde(default)]
    pub(super) inhibitors: Arcs,
    pub(super) guard: Option<String>,
    pub(super) mean: Option<Quantity>,
    pub(super) rate: Option<Quantity>,
    pub(super) from_trials: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ImmediateTable {
    pub(super) name: String,
    #[serde(default)]
    pub(super) takes: Arcs,
    #[serde(default)]
    pub(super) gives: Arcs,
    #[serde(default)]
    pub(super) inhibitors: Arcs,
    pub(super) guard: Option<String>,
    pub(super) weight: Option<f64>,
    pub(super) priority: Option<u32>,
}

/// The unit of times that have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[non_exhaustive]
pub enum TimeUnit {
    /// Seconds.
    #[serde(rename = "s")]
    Seconds,
    /// Minutes.
    #[serde(rename = "min")]
    Minutes,
    /// Hours.
    #[default]
    #[serde(rename = "h")]
    Hours,
    /// Days of 24 hours.
    #[serde(rename = "d")]
    Days,
}

impl TimeUnit {
    /// How many seconds it has.
    #[must_use]
    pub fn seconds(self) -> f64 {
        match self {
            Self::Seconds => 1.0,
            Self::Minutes => 60.0,
            Self::Hours => 3600.0,
            Self::Days => 86_400.0,
        }
    }
}

/// A number in the unit of the file, or text with a unit.
#[derive(Debug)]
pub(super) enum Quantity {
    Number(f64),
    Text(String),
}

/// A name, or several.
#[derive(Debug)]
pub(super) struct Names(pub(super) Vec<String>);

/// Places with how many tokens; a name alone is one.
pub(super) type Arcs = BTreeMap<String, u32>;

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AsQuantity;
        impl Visitor<'_> for AsQuantity {
            type Value = Quantity;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a number in the unit of the model, or text with a unit such as \"65min\"",
                )
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Quantity, E> {
                Ok(Quantity::Number(number as f64))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Quantity, E> {
                Ok(Quantity::Number(number as f64))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Quantity, E> {
                Ok(Quantity::Number(number))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Quantity, E> {
                Ok(Quantity::Text(text.to_owned()))
            }
        }
        deserializer.deserialize_any(AsQuantity)
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AsNames;
        impl<'de> Visitor<'de> for AsNames {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a state, or a list of names")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Names, E> {
                Ok(Names(vec![name.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = seq.next_element()? {
                    names.push(name);
                }
                Ok(Names(names))
            }
        }
        deserializer.deserialize_any(AsNames)
    }
}
