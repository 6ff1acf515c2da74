//! The rates of a sweep, and the connections of the test at each.

use crate::config::Config;
use crate::perl;

/// Least `const_test_time`, seconds.
pub const SHORTEST_TEST_S: f64 = 10.0;

/// One rate: new connections per second.
#[derive(Debug, Clone, PartialEq)]
pub struct Rate {
    /// As it stands on the command line; the first one is as the settings have it.
    pub text: String,
    /// Its number.
    pub value: f64,
}

/// `low_rate`, `low_rate + rate_step`, … up to `high_rate`.
#[derive(Debug, Clone)]
pub struct Rates {
    next: Option<Rate>,
    high: f64,
    step: f64,
}

impl Rates {
    /// The rates the settings ask for.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let text = config.get("low_rate").to_owned();
        let next = Rate { value: perl::number(&text), text };
        Self {
            next: Some(next),
            high: config.number("high_rate"),
            step: config.number("rate_step"),
        }
    }

    /// Whether the steps lead nowhere. The original then repeats the first rate for
    /// ever; here the sweep ends after it.
    #[must_use]
    pub fn stand_still(&self) -> bool {
        self.step <= 0.0
    }
}

impl Iterator for Rates {
    type Item = Rate;

    fn next(&mut self) -> Option<Rate> {
        let rate = self.next.take().filter(|rate| rate.value <= self.high)?;
        let value = rate.value + self.step;
        // Not only a step of 0: a tiny one may be lost in rounding.
        if value > rate.value {
            self.next = Some(Rate { text: perl::text(value), value });
        }
        Some(rate)
    }
}

/// Connections of the test at one rate: `num_conn`, or as many as last for
/// `const_test_time` seconds.
#[must_use]
pub fn connections(config: &Config, rate: f64) -> String {
    match constant_time(config) {
        Some(seconds) => perl::text((rate * seconds).round().max(1.0)),
        None => config.get("num_conn").to_owned(),
    }
}

/// `const_test_time` in seconds, if it is in force.
#[must_use]
pub fn constant_time(config: &Config) -> Option<f64> {
    config.is_true("const_test_time").then(|| config.number("const_test_time"))
}

/// What is wrong with `const_test_time`, if anything.
#[must_use]
pub fn complaint_about_time(config: &Config) -> Option<&'static str> {
    constant_time(config)
        .is_some_and(|seconds| seconds < SHORTEST_TEST_S)
        .then_some("--const_test_time must be >= 10. See autobench(1) for details")
}

/// The demanded request rate: calls per second.
#[must_use]
pub fn demanded(config: &Config, rate: f64) -> String {
    perl::text(config.number("num_call") * rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        Config::parse(text, "conf", &mut std::io::sink())
    }

    fn rates(low: &str, high: &str, step: &str) -> Vec<String> {
        let mut config = config("");
        config.set("low_rate", low);
        config.set("high_rate", high);
        config.set("rate_step", step);
        Rates::of(&config).map(|rate| rate.text).collect()
    }

    #[test]
    fn steps_up_to_the_highest_rate() {
        assert_eq!(rates("20", "60", "20"), ["20", "40", "60"]);
        assert_eq!(rates("20", "55", "15"), ["20", "35", "50"]);
        assert_eq!(rates("0", "20", "20"), ["0", "20"]);
        assert_eq!(rates("20.0", "21", "0.5"), ["20.0", "20.5", "21"]);
        assert_eq!(rates("30", "20", "10"), [""; 0]);
        assert_eq!(rates("", "10", "10"), ["", "10"]);
    }

    #[test]
    fn steps_that_lead_nowhere_end_after_the_first_rate() {
        for step in ["0", "-5", "", "1e-300"] {
            assert_eq!(rates("20", "60", step), ["20"], "{step:?}");
        }
    }

    #[test]
    fn a_constant_time_sets_the_connections() {
        let config = config("const_test_time = 10\nnum_conn = 7\nnum_call = 2\n");
        assert_eq!(connections(&config, 15.0), "150");
        assert_eq!(connections(&config, 2.25), "23");
        assert_eq!(connections(&config, 0.0), "1");
        assert_eq!(demanded(&config, 15.0), "30");
    }

    #[test]
    fn without_it_they_are_as_given() {
        assert_eq!(connections(&config("const_test_time = 0\nnum_conn = 7\n"), 15.0), "7");
        assert_eq!(connections(&config(""), 15.0), "");
    }

    #[test]
    fn a_constant_time_has_a_least_value() {
        assert!(complaint_about_time(&config("const_test_time = 5\n")).is_some());
        assert!(complaint_about_time(&config("const_test_time = no\n")).is_some());
        assert!(complaint_about_time(&config("const_test_time = 10\n")).is_none());
        assert!(complaint_about_time(&config("const_test_time = 0\n")).is_none());
    }
}
