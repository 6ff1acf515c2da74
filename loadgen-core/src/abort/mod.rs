//! When a run is given up: rules such as `error-rate>50% for 5s`, looked at while it goes on.
//!
//! **It is** a limit beyond which going on is of no use, or does harm. **It is not** an
//! objective ([`Slo`](crate::Slo)): those are judged when the run is over.

mod watch;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::units::{parse_duration, share_of};
pub(crate) use watch::{AbortWatch, Sight};

/// One rule: the run is given up when it is met. Text form: see [`AbortRule::from_str`].
///
/// ```
/// use std::time::Duration;
/// use loadgen_core::{AbortRule, Engine, Load, Plan, Schedule};
/// # use loadgen_core::target_server::{TargetOptions, TargetServer};
/// # let server = TargetServer::bind(TargetOptions::default())?.spawn()?;
/// # let url = server.url();
///
/// let rule: AbortRule = "wrong>0".parse()?;
/// let plan = Plan::new(url.parse()?, Load::established(Schedule::constant(500.0)))
///     .with_duration(Duration::from_secs(3600))
///     .with_expectation("status=201".parse()?)
///     .with_abort_if(rule);
/// let report = Engine::new(plan)?.run()?; // Not for an hour.
/// assert!(report.aborted.is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AbortRule {
    condition: Condition,
    text: String,
}

/// When a rule is met.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Condition {
    /// Of the calls that ended in the last second more than this share (0 to 1) brought no good
    /// reply, at every look for so long.
    ErrorRate { above: f64, lasts: Duration },
    /// The 99th percentile of the response times in the last window of 100 ms was above, at
    /// every look for so long.
    P99 { above: Duration, lasts: Duration },
    /// More calls than this failed.
    Failed { above: u64 },
    /// More replies than this were not as expected.
    Wrong { above: u64 },
}

/// What ended a run before its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Aborted {
    /// The rule that was met.
    pub rule: AbortRule,
    /// When, in seconds from the start of the load. The schedules ended about 0.1 s later.
    pub at_s: f64,
    /// What was seen then, in words.
    pub seen: String,
}

/// A text that is not such a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{text}' does not say when to abort ({reason}): write 'error-rate>50% for 5s', \
     'p99>1s for 10s', 'failed>100' or 'wrong>0'"
)]
pub struct AbortRuleError {
    text: String,
    reason: &'static str,
}

/// Shortest and longest time that a condition may have to last.
const LASTS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(86_400));

impl FromStr for AbortRule {
    type Err = AbortRuleError;

    /// `error-rate>SHARE for TIME`: of the calls that ended in the last second more than this
    /// share brought no good reply (they failed, were shed, were not as expected, or had a
    /// status of 400 or above that was not expected), at each of ten looks a second, for so
    /// long. `p99>LIMIT for TIME`: the 99th percentile of the response times in the last
    /// 100 ms, likewise. `failed>N`, `wrong>N`: so many calls of the run failed, so many replies
    /// were not as expected. A second without the end of any call changes nothing.
    fn from_str(text: &str) -> Result<Self, AbortRuleError> {
        let bad = |reason| AbortRuleError { text: text.to_owned(), reason };
        let (metric, rest) = text.split_once('>').ok_or_else(|| bad("it has no '>'"))?;
        let metric = metric.trim();
        let count = || match rest.trim().parse() {
            Ok(above) => Ok(above),
            Err(_) if rest.contains(" for ") => Err(bad("a count is of the whole run: no 'for'")),
            Err(_) => Err(bad("the limit is not a whole number of calls")),
        };
        let lasting = || {
            let (limit, lasts) = rest.split_once(" for ").ok_or_else(|| {
                bad("it does not say for how long: such a condition is met for moments at any time")
            })?;
            let lasts = time(lasts.trim())
                .ok_or_else(|| bad("the time behind 'for' needs its unit, such as 5s"))?;
            if lasts < LASTS.0 || lasts > LASTS.1 {
                return Err(bad("the time behind 'for' is from 100ms to 24h"));
            }
            Ok((limit.trim(), lasts))
        };
        let condition = match metric {
            "failed" => Condition::Failed { above: count()? },
            "wrong" => Condition::Wrong { above: count()? },
            "error-rate" => {
                let (limit, lasts) = lasting()?;
                let above = share_of(limit)
                    .filter(|share| *share < 1.0)
                    .ok_or_else(|| bad("the limit of error-rate is a share below 1 or 100%"))?;
                Condition::ErrorRate { above, lasts }
            }
            "p99" => {
                let (limit, lasts) = lasting()?;
                let above = time(limit).ok_or_else(|| {
                    bad("the limit is not a time with its unit: us, ms, s, m or h")
                })?;
                Condition::P99 { above, lasts }
            }
            _ => return Err(bad("unknown metric")),
        };
        Ok(Self { condition, text: text.trim().to_owned() })
    }
}

/// A time with its unit: one without is more likely a slip.
fn time(text: &str) -> Option<Duration> {
    text.ends_with(char::is_alphabetic).then(|| parse_duration(text).ok()).flatten()
}

impl fmt::Display for AbortRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl AbortRule {
    /// Whether it counts calls of the whole run.
    pub(crate) fn is_a_number(&self) -> bool {
        matches!(self.condition, Condition::Failed { .. } | Condition::Wrong { .. })
    }

    /// Whether it looks at what is expected of replies.
    pub(crate) fn is_of_wrong_replies(&self) -> bool {
        matches!(self.condition, Condition::Wrong { .. })
    }
}

impl TryFrom<String> for AbortRule {
    type Error = AbortRuleError;

    fn try_from(text: String) -> Result<Self, AbortRuleError> {
        text.parse()
    }
}

impl From<AbortRule> for String {
    fn from(rule: AbortRule) -> Self {
        rule.text
    }
}

impl fmt::Display for Aborted {
    /// Rule, moment and what was seen, in one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} was met {:.1} s after the start of the load: {}",
            self.rule, self.at_s, self.seen
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_and_told() {
        let seconds = |s: f64| Duration::from_secs_f64(s);
        for (text, condition) in [
            ("error-rate>50% for 5s", Condition::ErrorRate { above: 0.5, lasts: seconds(5.0) }),
            (
                " error-rate > 0.07 for 1m",
                Condition::ErrorRate { above: 0.07, lasts: seconds(60.0) },
            ),
            ("error-rate>0% for 100ms", Condition::ErrorRate { above: 0.0, lasts: seconds(0.1) }),
            ("p99>1.5s for 10s", Condition::P99 { above: seconds(1.5), lasts: seconds(10.0) }),
            ("failed>100", Condition::Failed { above: 100 }),
            ("wrong > 0", Condition::Wrong { above: 0 }),
        ] {
            let rule: AbortRule = text.parse().unwrap();
            assert_eq!(rule.condition, condition);
            assert_eq!(rule.to_string().parse(), Ok(rule));
        }
    }

    #[test]
    fn what_is_no_rule_is_explained() {
        for (text, reason) in [
            ("error-rate<1%", "no '>'"),
            ("error-rate>50%", "for how long"),
            ("error-rate>50% for 5", "needs its unit"),
            ("error-rate>50% for 1ms", "from 100ms to 24h"),
            ("error-rate>100% for 5s", "below 1 or 100%"),
            ("error-rate>x for 5s", "below 1 or 100%"),
            ("p99>3 for 5s", "not a time"),
            ("failed>1.5", "whole number"),
            ("failed>-1", "whole number"),
            ("wrong>0 for 5s", "no 'for'"),
            ("p50>1s for 5s", "unknown metric"),
            ("", "no '>'"),
        ] {
            let error = text.parse::<AbortRule>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
