//! `--slo EXPR`: the highest rate that holds objectives, searched for.

use loadgen_core::sweep::{Search, SearchEnding, SearchSettings, SweepError, Verdict};
use loadgen_core::{Report, Slo, SloError};
use thiserror::Error;

use crate::config::Config;
use crate::page;
use crate::perl;
use crate::sweep::{Rate, constant_time};

/// Seconds of the test that confirms a rate, unless `const_test_time` says.
const CONFIRMATION_S: f64 = 10.0;

/// A search that cannot be made.
#[derive(Debug, Error)]
pub enum HighestError {
    /// An objective is none.
    #[error("--slo: {0}")]
    Objective(#[from] SloError),
    /// The rates make no range.
    #[error("--slo searches from low_rate to high_rate: {0}")]
    Range(#[from] SweepError),
    /// What it cannot be combined with.
    #[error(
        "--slo is for one server that is tested by loadgen's engine: add --single_host, leave out \
         --httperf"
    )]
    Server,
}

/// A search under way. Its rates are connections per second.
pub struct Highest {
    search: Search,
    objectives: Vec<Slo>,
}

impl Highest {
    /// The search that the settings ask for, if they do: between `low_rate` and
    /// `high_rate`, to 5 %.
    ///
    /// # Errors
    ///
    /// [`HighestError`].
    pub fn of(config: &Config) -> Result<Option<Self>, HighestError> {
        let text = config.get("slo");
        if text.is_empty() {
            return Ok(None);
        }
        if !config.is_true("single_host") || config.is_true("httperf") {
            return Err(HighestError::Server);
        }
        let objectives: Vec<Slo> = text.split(',').map(str::parse).collect::<Result<_, _>>()?;
        let (low, high) = (config.number("low_rate"), config.number("high_rate"));
        let mut settings = SearchSettings::within(low, high);
        // Whatever number the file has: it is checked with the others.
        settings.confirmation_s = constant_time(config).unwrap_or(CONFIRMATION_S);
        settings.attempt_s = settings.confirmation_s / 5.0;
        let settings = settings.for_objectives(&objectives);
        Ok(Some(Self { search: Search::new(settings)?, objectives }))
    }

    /// The next test, and its connections; `None`: the search has ended.
    #[must_use]
    pub fn next(&self) -> Option<(Rate, String)> {
        let attempt = self.search.next()?;
        let value = attempt.rate_per_s;
        let connections = (value * attempt.duration.as_secs_f64()).round().max(1.0);
        Some((Rate { text: perl::text(value), value }, perl::text(connections)))
    }

    /// Takes what came of that test; `demanded` is its calls per second.
    pub fn tell(&mut self, rate: f64, demanded: f64, report: Option<&Report>) {
        self.search.tell(match report {
            Some(report) => {
                let point = page::point(rate, demanded, report).judged(&self.objectives, report);
                Verdict::of(&point)
            }
            None => Verdict::Invalid("nothing was measured".to_owned()),
        });
    }

    /// What was found, in a sentence.
    #[must_use]
    pub fn answer(&self) -> String {
        let text = |rate: Option<f64>| rate.map_or_else(|| "none".to_owned(), perl::text);
        let (holds, fails) = (text(self.search.holds_per_s()), text(self.search.fails_per_s()));
        let objectives: Vec<String> = self.objectives.iter().map(ToString::to_string).collect();
        let objectives = objectives.join(",");
        match self.search.ending() {
            Some(SearchEnding::Found) => {
                format!("{objectives} holds up to {holds} connections per second, not at {fails}")
            }
            Some(SearchEnding::HoldsAtHighest) => {
                format!("{objectives} holds at high_rate, {holds} connections per second")
            }
            Some(SearchEnding::NothingHolds) => {
                format!("{objectives} does not hold at low_rate, {fails} connections per second")
            }
            Some(SearchEnding::NotValid(reason)) => format!("{objectives}: no result: {reason}"),
            _ => format!("{objectives}: no result (held: {holds}, not held: {fails})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Option<Highest>, HighestError> {
        Highest::of(&Config::parse(text, "conf", &mut std::io::sink()))
    }

    #[test]
    fn what_is_asked_for() {
        let base = "single_host = 1\nlow_rate = 20\nhigh_rate = 200\n";
        assert!(of(base).unwrap().is_none());
        let highest = of(&format!("{base}slo = p99<20ms,error-rate<1%\n")).unwrap().unwrap();
        let (rate, connections) = highest.next().unwrap();
        assert_eq!((rate.text.as_str(), connections.as_str()), ("20", "200"), "200 at least");
        assert!(matches!(of(&format!("{base}slo = fast\n")), Err(HighestError::Objective(_))));
        let one = "slo = p99<20ms\n";
        assert!(matches!(of(one), Err(HighestError::Server)));
        assert!(matches!(of(&format!("{one}single_host = 1\n")), Err(HighestError::Range(_))));
    }

    #[test]
    fn tests_without_a_report_end_the_search() {
        let text = "single_host = 1\nlow_rate = 20\nhigh_rate = 200\nslo = p99<20ms\n";
        let mut highest = of(text).unwrap().unwrap();
        let mut tests = 0;
        while let Some((rate, _)) = highest.next() {
            highest.tell(rate.value, rate.value, None);
            tests += 1;
        }
        assert_eq!(tests, 2);
        assert_eq!(highest.answer(), "p99<20ms: no result: nothing was measured");
    }
}
