//! Times and rates of a file.

use std::path::Path;

use super::document::{Quantity, TimeUnit};
use crate::model::availability::clocked::ClockLaw;
use crate::printable::printable;
use crate::units::{parse_duration, parse_rate};

/// Makes the mean in seconds of what a directory of trials holds, or says why not.
pub(super) type OfTrials<'a> = &'a dyn Fn(&Path) -> Result<f64, String>;

/// When something happens: how it was told.
#[derive(Debug, Default)]
pub(super) struct Told<'a> {
    pub(super) mean: Option<&'a Quantity>,
    pub(super) rate: Option<&'a Quantity>,
    pub(super) every: Option<&'a Quantity>,
    pub(super) stages: Option<u32>,
    pub(super) from_trials: Option<&'a str>,
}

/// When it happens, in the unit of the model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Timing {
    Rate(f64),
    Mean(f64),
    Clock(ClockLaw),
}

/// What a file says besides.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) unit: TimeUnit,
    /// The directory of the file, in which others are looked for.
    pub(super) directory: &'a Path,
    pub(super) of_trials: OfTrials<'a>,
}

/// What is wrong: the key, and the reason with its mend.
pub(super) type Wrong = (&'static str, String);

impl Told<'_> {
    /// `ways` are the keys of which one has to be there, for messages.
    pub(super) fn timing(&self, ways: &str, around: Around<'_>) -> Result<Timing, Wrong> {
        let of_trials = self.from_trials.map(|directory| {
            let found = (around.of_trials)(&around.directory.join(directory));
            found.map(|seconds| seconds / around.unit.seconds()).map_err(|why| ("from_trials", why))
        });
        let mean = self.mean.map(|quantity| time("mean", quantity, around.unit));
        let every = self.every.map(|quantity| time("every", quantity, around.unit));
        let rate = self.rate.map(|quantity| rate(quantity, around.unit));
        let told = [("mean", mean), ("every", every), ("rate", rate), ("from_trials", of_trials)];
        let mut told = told.into_iter().filter_map(|(key, value)| Some((key, value?)));
        let Some((key, value)) = told.next() else {
            return Err(("", format!("it says nothing of when: give one of {ways}")));
        };
        if let Some((other, _)) = told.next() {
            return Err((other, format!("it has {key} too: give one of {ways}")));
        }
        let value = value?;
        match (key, self.stages) {
            ("rate", None) => Ok(Timing::Rate(value)),
            ("rate", Some(_)) => Err(("stages", "with stages, give a mean and no rate".to_owned())),
            ("every", None) => Ok(Timing::Clock(ClockLaw::Every { interval: value })),
            (_, Some(stages)) => Ok(Timing::Clock(ClockLaw::Erlang { stages, mean: value })),
            (_, None) => Ok(Timing::Mean(value)),
        }
    }
}

fn time(key: &'static str, quantity: &Quantity, unit: TimeUnit) -> Result<f64, Wrong> {
    match quantity {
        Quantity::Number(number) => Ok(*number),
        Quantity::Text(text) if !text.contains(char::is_alphabetic) => Err((
            key,
            format!(
                "'{}' has no unit: write \"65min\", or a number without quotes, in the unit \
                 of the model",
                printable(text)
            ),
        )),
        Quantity::Text(text) => match parse_duration(text) {
            Ok(time) => Ok(time.as_secs_f64() / unit.seconds()),
            Err(error) => Err((key, error.to_string())),
        },
    }
}

fn rate(quantity: &Quantity, unit: TimeUnit) -> Result<f64, Wrong> {
    match quantity {
        Quantity::Number(number) => Ok(*number),
        Quantity::Text(text) if !text.contains('/') => Err((
            "rate",
            format!(
                "'{}' has no unit: write \"2/h\", or a number without quotes, per unit of the \
                 model",
                printable(text)
            ),
        )),
        Quantity::Text(text) => match parse_rate(text) {
            Ok(per_second) => Ok(per_second * unit.seconds()),
            Err(error) => Err(("rate", error.to_string())),
        },
    }
}
