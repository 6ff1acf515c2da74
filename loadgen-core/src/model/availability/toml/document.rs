//! A model as it stands in a file.

use std::collections::BTreeMap;

use serde::Deserialize;
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
#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a number in the unit of the model, or text with a unit such as \"65min\""
)]
pub(super) enum Quantity {
    Number(f64),
    Text(String),
}

/// A name, or several.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected the name of a state, or a list of names")]
pub(super) enum Names {
    One(String),
    Several(Vec<String>),
}

impl Names {
    pub(super) fn all(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Several(names) => names,
        }
    }
}

/// Places, and how many tokens of each.
pub(super) type Arcs = BTreeMap<String, u32>;
