//! Rules by which a side passes or fails, that fire only where the figures show it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::side::Side;
use crate::experiment::metric::{Metric, Unit};
use crate::experiment::render::figure::render_value;
use crate::stats::{Confidence, Interval, Sample};
use crate::units::{parse_bytes, parse_duration, share_of};

/// What all rules together may be wrong by.
const ALPHA: f64 = 0.05;

/// A statement on a metric of every cell, such as `outage_ms.established.median > 500`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Rule {
    /// The metric.
    pub metric: &'static Metric,
    /// Of its trials.
    pub statistic: Statistic,
    /// It says that they are above the limit, else below.
    pub above: bool,
    /// The limit, in the unit of the metric.
    pub limit: f64,
    text: String,
}

/// What a rule is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Statistic {
    /// The median, with its interval by order statistics.
    Median,
    /// The mean, with its interval by Student's t.
    Mean,
}

/// A text that is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{text}' is no rule ({reason}): write METRIC.median > LIMIT or METRIC.mean < LIMIT, such as \
     'outage_ms.established.median > 500ms'"
)]
pub struct RuleError {
    text: String,
    reason: String,
}

/// What came of a rule in one cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Judged {
    /// The rule.
    pub rule: String,
    /// The combination of levels.
    pub factors: BTreeMap<String, String>,
    /// Trials.
    pub n: u64,
    /// The estimate.
    pub value: Option<f64>,
    /// It is above this with the confidence of the rule.
    pub low: Option<f64>,
    /// It is below this with the confidence of the rule.
    pub high: Option<f64>,
    /// Whether what the rule says is so.
    pub outcome: Outcome,
}

/// Whether what a rule says is so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// It is shown to be so.
    Shown,
    /// It is shown not to be so.
    Refuted,
    /// The limit lies within the interval.
    NotShown,
    /// There are too few trials for any interval, or none.
    CannotJudge,
}

impl Outcome {
    /// The words for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Shown => "shown",
            Self::Refuted => "refuted",
            Self::NotShown => "not shown",
            Self::CannotJudge => "cannot be judged",
        }
    }
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let wrong = |reason: &str| RuleError { text: text.to_owned(), reason: reason.to_owned() };
        let at = text.find(['<', '>']).ok_or_else(|| wrong("there is neither < nor >"))?;
        let (left, right) = (text[..at].trim(), text[at + 1..].trim());
        let (name, statistic) =
            left.rsplit_once('.').ok_or_else(|| wrong("it names no statistic"))?;
        let statistic = match statistic {
            "median" | "p50" => Statistic::Median,
            "mean" => Statistic::Mean,
            _ => return Err(wrong("the statistic is median or mean")),
        };
        let metric = Metric::named(name).ok_or_else(|| {
            let known: Vec<&str> = Metric::all().iter().map(|metric| metric.name).collect();
            wrong(&format!("there is no metric '{name}'; there are {}", known.join(", ")))
        })?;
        let limit = limit(metric.unit, right)
            .ok_or_else(|| wrong(&format!("'{right}' is no limit of this metric")))?;
        let above = text.as_bytes()[at] == b'>';
        Ok(Self { metric, statistic, above, limit, text: text.trim().to_owned() })
    }
}

/// A limit in the unit of a metric: a plain number, or one with a unit.
fn limit(unit: Unit, text: &str) -> Option<f64> {
    let plain = text.parse::<f64>().ok();
    let told = match unit {
        Unit::Ms => parse_duration(text).ok().map(|time| time.as_secs_f64() * 1e3),
        Unit::Share => share_of(text),
        Unit::Bytes | Unit::BytesPerS => {
            parse_bytes(text.strip_suffix("/s").unwrap_or(text)).ok().map(|bytes| bytes as f64)
        }
        Unit::Count | Unit::PerS => None,
    };
    plain.or(told).filter(|limit| limit.is_finite())
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Judges some rules on every cell that a side was to have: one that was not tried cannot be
/// judged. Each bound is one-sided, and all of them together
/// are wrong in at most 5 of 100 sides (Bonferroni).
#[must_use]
pub fn judge(side: &Side, rules: &[&Rule]) -> Vec<Judged> {
    let cells = side.planned_cells();
    let questions = (rules.len() * cells.len()).max(1) as f64;
    let confidence = Confidence::new(1.0 - 2.0 * ALPHA / questions);
    let one = |rule: &Rule, cell: &BTreeMap<String, String>| {
        let own = side.counting().filter(|trial| trial.cell == *cell);
        let sample = Sample::new(own.filter_map(|trial| trial.figures.get(rule.metric.name)));
        let interval = sample
            .as_ref()
            .zip(confidence)
            .and_then(|(sample, confidence)| rule.statistic.interval(sample, confidence));
        Judged {
            rule: rule.text.clone(),
            factors: cell.clone(),
            n: sample.as_ref().map_or(0, |sample| sample.n() as u64),
            value: sample.as_ref().map(|sample| rule.statistic.of(sample)),
            low: interval.map(|interval| interval.low),
            high: interval.map(|interval| interval.high),
            outcome: interval.map_or(Outcome::CannotJudge, |interval| rule.outcome(interval)),
        }
    };
    rules.iter().flat_map(|rule| cells.iter().map(move |cell| one(rule, cell))).collect()
}

impl Statistic {
    fn of(self, sample: &Sample) -> f64 {
        match self {
            Self::Median => sample.median(),
            Self::Mean => sample.mean(),
        }
    }

    fn interval(self, sample: &Sample, confidence: Confidence) -> Option<Interval> {
        match self {
            Self::Median => sample.median_interval(confidence).interval(),
            Self::Mean => sample.mean_interval(confidence),
        }
    }
}

impl Rule {
    fn outcome(&self, interval: Interval) -> Outcome {
        let (is_above, is_below) = (interval.low > self.limit, interval.high < self.limit);
        match (self.above, is_above, is_below) {
            (true, true, _) | (false, _, true) => Outcome::Shown,
            (true, _, true) | (false, true, _) => Outcome::Refuted,
            _ => Outcome::NotShown,
        }
    }

    /// What came of it in a cell, in words.
    #[must_use]
    pub fn told(&self, judged: &Judged) -> String {
        let unit = self.metric.unit;
        let value =
            judged.value.map_or_else(|| "not measured".to_owned(), |v| render_value(unit, v));
        let interval = judged.low.zip(judged.high).map(|(low, high)| {
            format!(", between {} and {}", render_value(unit, low), render_value(unit, high))
        });
        let cell: Vec<String> =
            judged.factors.iter().map(|(name, level)| format!("{name}={level}")).collect();
        let cell =
            if cell.is_empty() { String::new() } else { format!(" with {}", cell.join(" ")) };
        format!(
            "{}{cell}: {} ({value}{}, n = {})",
            self.text,
            judged.outcome.name(),
            interval.unwrap_or_default(),
            judged.n
        )
    }
}
