//! Service level objectives: what a run has to hold, such as `p99<20ms`.
//!
//! **It is** a limit on one metric of a [`Report`], parsed from text and judged
//! after the run. **It is not** part of the measurement: nothing here changes a
//! figure.
//!
//! Invariant: a call without a reply counts as *longer than any limit* in the
//! quantiles and the maximum, so that a server cannot hold `p99<20ms` by losing
//! its slow calls. What cannot be judged (too few calls, or the generator itself was
//! late) is never "held", and never "breached".

use std::fmt;
use std::str::FromStr;

use crate::report::{Latency, Report};
use crate::units::{parse_duration, plain_number, share_of};

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum SloMetric {
    /// A quantile of the response time, `0 < q < 1`, over all calls offered.
    Quantile(f64),
    /// The longest response time, over all calls offered.
    Max,
    /// The mean response time of the answered calls alone.
    Mean,
    /// The share of offered calls without a good reply (status below 400), 0 to 1.
    ErrorRate,
}

/// One objective: a metric and its limit. Text form: `METRIC<LIMIT` or
/// `METRIC<=LIMIT`; see [`Slo::from_str`].
///
/// ```
/// use std::time::Duration;
/// use loadgen_core::{Engine, Load, Plan, Schedule, Slo, SloOutcome};
/// # use loadgen_core::target_server::{TargetOptions, TargetServer};
/// # let server = TargetServer::bind(TargetOptions::default())?.spawn()?;
/// # let url = server.url();
///
/// let limit: Slo = "p90<2s".parse()?;
/// let plan = Plan::new(url.parse()?, Load::established(Schedule::constant(400.0)))
///     .with_duration(Duration::from_millis(500));
/// let report = Engine::new(plan)?.run()?;
/// assert_eq!(limit.judge(&report).outcome, SloOutcome::Held);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Slo {
    metric: SloMetric,
    /// Microseconds for times, a share (0 to 1) for the error rate.
    limit: f64,
    /// Whether the limit itself still holds (`<=`).
    inclusive: bool,
    text: String,
}

/// Whether an objective was held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SloOutcome {
    /// The metric was within its limit.
    Held,
    /// The metric was beyond its limit.
    Breached,
    /// The run does not tell: it had too few calls, or the generator's own lateness
    /// may account for the breach.
    Unknown,
}

/// The judgement of one objective.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SloJudgement {
    /// Whether it was held.
    pub outcome: SloOutcome,
    /// What was measured, in words, such as `p99<20ms: breached, p99 was 31.2 ms`.
    pub text: String,
}

/// A text that is not an objective.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{text}' is not an objective ({reason}): write METRIC<LIMIT, such as p99<20ms, max<1s, \
     mean<=5ms or error-rate<0.1%; metrics are p50, p90, p99, p99.9 (any pN with 0 < N < 100), \
     max, mean, error-rate"
)]
pub struct SloError {
    text: String,
    reason: &'static str,
}

impl FromStr for Slo {
    type Err = SloError;

    fn from_str(text: &str) -> Result<Self, SloError> {
        let bad = |reason| SloError { text: text.to_owned(), reason };
        let (metric, limit) = text.split_once('<').ok_or_else(|| bad("it has no '<'"))?;
        let (limit, inclusive) = match limit.strip_prefix('=') {
            Some(limit) => (limit.trim(), true),
            None => (limit.trim(), false),
        };
        let metric = metric_of(metric.trim()).ok_or_else(|| bad("unknown metric"))?;
        let limit = match metric {
            SloMetric::ErrorRate => share_of(limit).ok_or_else(|| {
                bad("the limit of error-rate is a share from 0 to 1 or a percentage")
            })?,
            _ => microseconds_of(limit).ok_or_else(|| {
                bad("the limit is not a time above 0 with its unit: us, ms, s, m or h")
            })?,
        };
        Ok(Self { metric, limit, inclusive, text: text.trim().to_owned() })
    }
}

impl fmt::Display for Slo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Slo {
    /// What is limited.
    #[must_use]
    pub fn metric(&self) -> SloMetric {
        self.metric
    }

    /// The limit: microseconds, or a share for [`SloMetric::ErrorRate`].
    #[must_use]
    pub fn limit(&self) -> f64 {
        self.limit
    }

    /// Judges a report. It says nothing about the report's verdict: figures of an
    /// invalid run should not be judged at all.
    ///
    /// A breach that the generator's own lateness may account for says nothing of the
    /// server: if the objective holds once that lateness is taken out in full, it
    /// cannot be judged.
    #[must_use]
    pub fn judge(&self, report: &Report) -> SloJudgement {
        let with = Figures::of(report);
        let measured = self.measured(&with);
        let judged = self.outcome(&measured);
        if judged.outcome == SloOutcome::Breached
            && let Some(without) = Figures::without_own(report)
            && let Measured::Value(value) = self.measured(&without)
            && self.holds(value)
        {
            return self.breached_by_ourselves(&measured, value, report);
        }
        judged
    }

    fn outcome(&self, measured: &Measured) -> SloJudgement {
        match *measured {
            Measured::Value(value) => {
                let held = self.holds(value);
                let outcome = if held { SloOutcome::Held } else { SloOutcome::Breached };
                let word = if held { "held" } else { "breached" };
                let text = format!("{self}: {word}, {} was {}", self.name(), self.show(value));
                SloJudgement { outcome, text }
            }
            Measured::Endless { lost, offered } => SloJudgement {
                outcome: SloOutcome::Breached,
                text: format!(
                    "{self}: breached, {} is beyond any limit: {lost} of {offered} calls brought \
                     no reply",
                    self.name()
                ),
            },
            Measured::TooFew { offered } => SloJudgement {
                outcome: SloOutcome::Unknown,
                text: format!(
                    "{self}: cannot be judged, {offered} calls are too few for {}: run longer",
                    self.name()
                ),
            },
        }
    }

    fn holds(&self, value: f64) -> bool {
        if self.inclusive { value <= self.limit } else { value < self.limit }
    }

    fn breached_by_ourselves(
        &self,
        measured: &Measured,
        without: f64,
        report: &Report,
    ) -> SloJudgement {
        let was = match measured {
            Measured::Value(value) => format!("was {}", self.show(*value)),
            _ => "was beyond any limit".to_owned(),
        };
        let pause = report.generator.as_ref().and_then(|own| own.longest_pause());
        let pause = pause.map_or(String::new(), |pause| format!(" ({pause})"));
        SloJudgement {
            outcome: SloOutcome::Unknown,
            text: format!(
                "{self}: cannot be judged, {} {was}, but {} without the generator's own \
                 lateness{pause}: give it a CPU of its own, or repeat the run",
                self.name(),
                self.show(without)
            ),
        }
    }

    fn measured(&self, figures: &Figures<'_>) -> Measured {
        let (offered, lost) = (figures.offered, figures.lost);
        if offered == 0 {
            return Measured::TooFew { offered };
        }
        match self.metric {
            SloMetric::ErrorRate => {
                Measured::Value((lost + figures.bad_status) as f64 / offered as f64)
            }
            SloMetric::Mean => known(figures.times.mean_us, offered),
            SloMetric::Max if lost > 0 => Measured::Endless { lost, offered },
            SloMetric::Max => known(figures.times.max_us, offered),
            SloMetric::Quantile(q) => {
                // Nearest rank over all that was offered; replies come first, what
                // brought none is longer than each of them. The small step down takes
                // back what the rounding of q may have added.
                let rank = (q * offered as f64 - 1e-6).ceil().max(1.0) as u64;
                if offered - rank.min(offered) < 1 {
                    return Measured::TooFew { offered };
                }
                if rank > offered - lost {
                    return Measured::Endless { lost, offered };
                }
                // Those that we lost might have been the fastest.
                match rank.saturating_sub(figures.lost_by_us) {
                    0 => known(figures.times.min_us, offered),
                    rank => known(quantile_at_rank(figures.times, rank), offered),
                }
            }
        }
    }

    fn name(&self) -> String {
        match self.metric {
            SloMetric::Quantile(q) => format!("p{}", trim_float(q * 100.0)),
            SloMetric::Max => "max".to_owned(),
            SloMetric::Mean => "the mean".to_owned(),
            SloMetric::ErrorRate => "the error rate".to_owned(),
        }
    }

    fn show(&self, value: f64) -> String {
        match self.metric {
            SloMetric::ErrorRate => format!("{} %", trim_float(value * 100.0)),
            _ => format!("{} ms", trim_float(value / 1000.0)),
        }
    }
}

/// What a report tells of all calls.
struct Figures<'a> {
    offered: u64,
    /// Calls without a reply, or with a wrong one.
    lost: u64,
    /// Calls without a reply that are not among them.
    lost_by_us: u64,
    bad_status: u64,
    /// Of the answered calls.
    times: &'a Latency,
}

impl<'a> Figures<'a> {
    fn of(report: &'a Report) -> Self {
        let counts = &report.counts;
        let offered = counts.offered.max(counts.started + counts.shed);
        Self {
            offered,
            // A wrong reply is none.
            lost: offered.saturating_sub(counts.answered) + counts.wrong,
            lost_by_us: 0,
            // Where anything is expected, those of them that are wrong are counted already.
            bad_status: match report.plan.expects() {
                true => 0,
                false => ["4xx", "5xx"].iter().filter_map(|class| report.status.get(*class)).sum(),
            },
            times: &report.response_time,
        }
    }

    /// The same as if the generator had been in time; `None` if it was.
    fn without_own(report: &'a Report) -> Option<Self> {
        let own = report.generator.as_ref()?;
        let with = Self::of(report);
        let lost_by_us = own.calls_lost.min(with.lost);
        let times = own.response_time_without.as_ref();
        (lost_by_us > 0 || times.is_some()).then(|| Self {
            lost: with.lost - lost_by_us,
            lost_by_us,
            times: times.unwrap_or(with.times),
            ..with
        })
    }
}

/// What a report says of a metric.
enum Measured {
    /// Microseconds, or a share.
    Value(f64),
    /// The rank falls on a call without a reply.
    Endless { lost: u64, offered: u64 },
    /// Not enough calls.
    TooFew { offered: u64 },
}

fn known(value: Option<f64>, offered: u64) -> Measured {
    value.map_or(Measured::TooFew { offered }, Measured::Value)
}

/// The response time at a rank (1 = shortest) in µs, from its histogram.
fn quantile_at_rank(times: &Latency, rank: u64) -> Option<f64> {
    let histogram = times.histogram()?;
    if rank > histogram.len() {
        return None;
    }
    let mut seen = 0;
    for bucket in histogram.iter_recorded() {
        seen += bucket.count_since_last_iteration();
        if seen >= rank {
            let highest = histogram.highest_equivalent(bucket.value_iterated_to());
            return Some(highest.min(histogram.max()) as f64 / 1000.0);
        }
    }
    None
}

fn metric_of(text: &str) -> Option<SloMetric> {
    match text {
        "max" => Some(SloMetric::Max),
        "mean" => Some(SloMetric::Mean),
        "error-rate" => Some(SloMetric::ErrorRate),
        _ => {
            let percent = plain_number(text.strip_prefix('p')?)?;
            (percent > 0.0 && percent < 100.0).then_some(SloMetric::Quantile(percent / 100.0))
        }
    }
}

fn microseconds_of(text: &str) -> Option<f64> {
    // A plain number would be seconds elsewhere; a limit of latency without a
    // unit is more likely a slip.
    text.ends_with(char::is_alphabetic).then_some(())?;
    let limit = parse_duration(text).ok()?;
    (!limit.is_zero()).then_some(limit.as_secs_f64() * 1e6)
}

/// At most three decimals, without trailing zeros.
fn trim_float(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests;
