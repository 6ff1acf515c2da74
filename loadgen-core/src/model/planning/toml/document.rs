//! A move as it stands in a file.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use toml::Spanned;

use crate::units::{parse_byte_rate, parse_bytes, parse_duration, plain_number};

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) limits: LimitsTable,
    #[serde(default)]
    pub(super) overhead: OverheadTable,
    #[serde(default)]
    pub(super) network: NetworkTable,
    #[serde(default)]
    pub(super) host: Vec<Spanned<HostTable>>,
    #[serde(default)]
    pub(super) machine: Vec<Spanned<MachineTable>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitsTable {
    pub(super) outage: Option<Time>,
    pub(super) downtime: Option<Time>,
    pub(super) total: Option<Time>,
    pub(super) lost_calls: Option<f64>,
    pub(super) at_once: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OverheadTable {
    pub(super) prepare: Option<Time>,
    pub(super) load: Option<Time>,
    pub(super) settle: Option<Time>,
    pub(super) faulting: Option<Time>,
    pub(super) device_state: Option<Size>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NetworkTable {
    pub(super) bandwidth: Option<Speed>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HostTable {
    pub(super) name: String,
    pub(super) link: Speed,
    pub(super) memory: Option<Size>,
    #[serde(default)]
    pub(super) empty: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MachineTable {
    pub(super) name: String,
    pub(super) host: String,
    pub(super) memory: Size,
    pub(super) to_send: Option<Size>,
    pub(super) dirty: Speed,
    pub(super) working_set: Option<Size>,
    #[serde(default)]
    pub(super) pattern: PatternName,
    #[serde(default)]
    pub(super) requests: f64,
    pub(super) outage: Option<Time>,
    pub(super) to: Option<String>,
    #[serde(default)]
    pub(super) apart_from: Vec<String>,
    #[serde(default)]
    pub(super) strategy: StrategyName,
    pub(super) count: Option<u32>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum PatternName {
    #[default]
    Random,
    RoundRobin,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum StrategyName {
    #[default]
    PreCopy,
    PostCopy,
    Any,
}

/// A number that was written with its unit.
#[derive(Debug)]
pub(super) struct Quantity<U>(pub(super) f64, PhantomData<U>);

/// What a unit is of.
pub(super) trait Unit {
    /// How to write it.
    const WRITE: &'static str;
    fn parse(text: &str) -> Result<f64, String>;
}

#[derive(Debug)]
pub(super) struct Bytes;
#[derive(Debug)]
pub(super) struct BytesPerSecond;
#[derive(Debug)]
pub(super) struct Seconds;

pub(super) type Size = Quantity<Bytes>;
pub(super) type Speed = Quantity<BytesPerSecond>;
pub(super) type Time = Quantity<Seconds>;

impl Unit for Bytes {
    const WRITE: &'static str = "a size with its unit, such as \"4GiB\"";

    fn parse(text: &str) -> Result<f64, String> {
        parse_bytes(text).map(|bytes| bytes as f64).map_err(|error| error.to_string())
    }
}

impl Unit for BytesPerSecond {
    const WRITE: &'static str = "a rate with its unit, such as \"10Gbit/s\" or \"20MiB/s\"";

    fn parse(text: &str) -> Result<f64, String> {
        let bits = text.trim().strip_suffix("bit/s").and_then(|amount| {
            let amount = amount.trim_end();
            let powers = [('T', 1e12), ('G', 1e9), ('M', 1e6), ('k', 1e3)];
            let mut of = powers.iter().filter_map(|(unit, factor)| {
                amount.strip_suffix(*unit).map(|number| (number.trim_end(), *factor))
            });
            let (number, factor) = of.next().unwrap_or((amount, 1.0));
            plain_number(number).map(|number| number * factor / 8.0)
        });
        match bits {
            Some(rate) => Ok(rate),
            None => parse_byte_rate(text)
                .map_err(|error| format!("{error}; or bit, kbit, Mbit, Gbit or Tbit, and /s")),
        }
    }
}

impl Unit for Seconds {
    const WRITE: &'static str = "a time with its unit, such as \"300ms\"";

    fn parse(text: &str) -> Result<f64, String> {
        parse_duration(text).map(|time| time.as_secs_f64()).map_err(|error| error.to_string())
    }
}

impl<'de, U: Unit> Deserialize<'de> for Quantity<U> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written<U>(PhantomData<U>);
        impl<U: Unit> Visitor<'_> for Written<U> {
            type Value = Quantity<U>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(U::WRITE)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Quantity<U>, E> {
                // A plain number would be bytes or seconds: which, nobody sees.
                if plain_number(text.trim()).is_some_and(|number| number != 0.0) {
                    return Err(E::custom(format!("'{text}' has no unit: write {}", U::WRITE)));
                }
                U::parse(text).map(|number| Quantity(number, PhantomData)).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Written(PhantomData))
    }
}
