//! Rates that change over time, in closed form: the time of the k-th start is the inverse of
//! the number of starts until a time, which is the integral of the rate. No start is late or
//! early because of those before it.

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::{Nanos, SECOND};
use crate::units::{parse_duration, parse_rate};

/// A rate that changes over time. Text form: stages `0..1000/30s,1000/5m,1000..0/10s`
/// (FROM..TO/TIME, or RATE/TIME), or `sine:LOW..HIGH/PERIOD`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "profile", rename_all = "lowercase", deny_unknown_fields)]
#[expect(clippy::large_enum_variant, reason = "a schedule stays Copy; there are one or two")]
#[non_exhaustive]
pub enum Profile {
    /// One stage after the other; after the last, its last rate goes on.
    Stages {
        /// At least one.
        stages: Stages,
    },
    /// Between two rates and back, without end. It begins at their mean, and rises.
    Sine {
        /// The lowest rate, calls a second.
        low_per_s: f64,
        /// The highest one.
        high_per_s: f64,
        /// From one maximum to the next.
        period_s: f64,
    },
}

/// A stage: the rate goes evenly from one value to another.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// At its begin, calls a second.
    pub from_per_s: f64,
    /// At its end.
    pub to_per_s: f64,
    /// How long it lasts.
    pub duration_s: f64,
}

/// Up to 32 stages.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Stage>", into = "Vec<Stage>")]
pub struct Stages {
    stages: [Stage; Self::MOST],
    len: u8,
}

/// A text that is no profile.
#[derive(Debug, thiserror::Error)]
#[error(
    "'{}' is no course of rates: write stages FROM..TO/TIME or RATE/TIME, such as \
     0..1000/30s,1000/5m,1000..0/10s (at most 32), or sine:LOW..HIGH/PERIOD{}",
    .text.escape_debug(),
    .reason
)]
pub struct ProfileError {
    text: String,
    reason: String,
}

impl Stage {
    /// The rate goes evenly from one to the other (calls a second) in this time.
    #[must_use]
    pub fn new(from_per_s: f64, to_per_s: f64, duration: Duration) -> Self {
        Self { from_per_s, to_per_s, duration_s: duration.as_secs_f64() }
    }
}

impl Stages {
    /// Most stages.
    pub const MOST: usize = 32;

    /// From 1 to 32 stages; `None` otherwise.
    #[must_use]
    pub fn new(given: &[Stage]) -> Option<Self> {
        let mut stages = [Stage::default(); Self::MOST];
        stages.get_mut(..given.len()).filter(|part| !part.is_empty())?.copy_from_slice(given);
        Some(Self { stages, len: given.len() as u8 })
    }

    /// The stages.
    #[must_use]
    pub fn as_slice(&self) -> &[Stage] {
        &self.stages[..usize::from(self.len)]
    }
}

impl TryFrom<Vec<Stage>> for Stages {
    type Error = &'static str;

    fn try_from(stages: Vec<Stage>) -> Result<Self, Self::Error> {
        Self::new(&stages).ok_or("the stages of a schedule must be 1 to 32")
    }
}

impl From<Stages> for Vec<Stage> {
    fn from(stages: Stages) -> Self {
        stages.as_slice().to_vec()
    }
}

impl Stage {
    fn calls(&self) -> f64 {
        self.duration_s * (self.from_per_s + self.to_per_s) / 2.0
    }

    /// When so many calls of it have started, from its begin: the positive root of
    /// `from·t + (to − from)·t²/(2·duration) = calls`, in the form that loses no digits where
    /// both rates are nearly the same.
    fn time_of(&self, calls: f64) -> f64 {
        if calls <= 0.0 {
            return 0.0;
        }
        let slope = (self.to_per_s - self.from_per_s) / self.duration_s;
        let root = (self.from_per_s * self.from_per_s + 2.0 * slope * calls).max(0.0).sqrt();
        (2.0 * calls / (self.from_per_s + root)).min(self.duration_s)
    }
}

impl Profile {
    /// The time of the `k`-th start, from 0; `None`: so many do not come.
    pub(super) fn start(&self, k: u64) -> Option<Nanos> {
        let nanos = |s: f64| (s * SECOND as f64).round() as Nanos;
        let k = k as f64;
        match self {
            Self::Stages { stages } => {
                let (mut before_s, mut before) = (0.0, 0.0);
                let stages = stages.as_slice();
                for stage in stages {
                    let calls = stage.calls();
                    if k < before + calls {
                        return Some(nanos(before_s + stage.time_of(k - before)));
                    }
                    before_s += stage.duration_s;
                    before += calls;
                }
                let last = stages.last()?.to_per_s;
                (last > 0.0).then(|| nanos(before_s + (k - before) / last))
            }
            Self::Sine { low_per_s, high_per_s, period_s } => {
                let (mean, swing) =
                    ((low_per_s + high_per_s) / 2.0, (high_per_s - low_per_s) / 2.0);
                let turn = std::f64::consts::TAU / period_s;
                let calls = |t: f64| mean * t + swing / turn * (1.0 - (turn * t).cos());
                // The sum runs ahead of the mean by 0 to 2·swing/turn calls.
                let (mut least, mut most) = ((k - 2.0 * swing / turn) / mean, k / mean);
                least = least.max(0.0);
                while most - least > 1e-10 * (1.0 + most) {
                    let middle = f64::midpoint(least, most);
                    if calls(middle) < k {
                        least = middle;
                    } else {
                        most = middle;
                    }
                }
                Some(nanos(f64::midpoint(least, most)))
            }
        }
    }

    /// Mean calls a second over all stages, or over a period.
    pub(super) fn mean_per_s(&self) -> f64 {
        match self {
            Self::Stages { stages } => {
                let stages = stages.as_slice();
                let calls: f64 = stages.iter().map(Stage::calls).sum();
                calls / stages.iter().map(|stage| stage.duration_s).sum::<f64>()
            }
            Self::Sine { low_per_s, high_per_s, .. } => f64::midpoint(*low_per_s, *high_per_s),
        }
    }

    /// How long its stages last together; `None`: it has no end.
    #[must_use]
    pub fn length_s(&self) -> Option<f64> {
        match self {
            Self::Stages { stages } => Some(stages.as_slice().iter().map(|s| s.duration_s).sum()),
            Self::Sine { .. } => None,
        }
    }

    /// The highest rate.
    pub(super) fn highest_per_s(&self) -> f64 {
        match self {
            Self::Stages { stages } => {
                let rates = stages.as_slice().iter().map(|s| s.from_per_s.max(s.to_per_s));
                rates.fold(0.0, f64::max)
            }
            Self::Sine { high_per_s, .. } => *high_per_s,
        }
    }

    /// The lowest rate.
    pub(super) fn lowest_per_s(&self) -> f64 {
        match self {
            Self::Stages { stages } => {
                let rates = stages.as_slice().iter().map(|s| s.from_per_s.min(s.to_per_s));
                rates.fold(f64::INFINITY, f64::min)
            }
            Self::Sine { low_per_s, .. } => *low_per_s,
        }
    }

    /// The same course with all rates higher by this factor.
    pub(super) fn scaled(self, factor: f64) -> Self {
        match self {
            Self::Stages { mut stages } => {
                for stage in &mut stages.stages {
                    stage.from_per_s *= factor;
                    stage.to_per_s *= factor;
                }
                Self::Stages { stages }
            }
            Self::Sine { low_per_s, high_per_s, period_s } => Self::Sine {
                low_per_s: low_per_s * factor,
                high_per_s: high_per_s * factor,
                period_s,
            },
        }
    }

    /// Whether it can be walked.
    pub(super) fn is_sound(&self) -> bool {
        let is_rate = |rate: f64| rate.is_finite() && (0.0..=1e7).contains(&rate);
        let is_time = |s: f64| s.is_finite() && s > 0.0 && s <= 1e7;
        match self {
            Self::Stages { stages } => stages
                .as_slice()
                .iter()
                .all(|s| is_rate(s.from_per_s) && is_rate(s.to_per_s) && is_time(s.duration_s)),
            Self::Sine { low_per_s, high_per_s, period_s } => {
                is_rate(*low_per_s)
                    && is_rate(*high_per_s)
                    && low_per_s <= high_per_s
                    && is_time(*period_s)
            }
        }
    }
}

/// `LOW..HIGH/TIME` or `RATE/TIME`.
fn stage(text: &str) -> Option<Stage> {
    // A rate may have a slash of its own: 60/m.
    let (rates, time) = text.rsplit_once('/')?;
    let rate = |text: &str| match text.trim() {
        "0" => Some(0.0),
        text => parse_rate(text).ok(),
    };
    let (from, to) = match rates.split_once("..") {
        Some((from, to)) => (rate(from)?, rate(to)?),
        None => (rate(rates)?, rate(rates)?),
    };
    let duration_s = parse_duration(time.trim()).ok()?.as_secs_f64();
    (duration_s > 0.0).then_some(Stage { from_per_s: from, to_per_s: to, duration_s })
}

impl FromStr for Profile {
    type Err = ProfileError;

    fn from_str(text: &str) -> Result<Self, ProfileError> {
        let wrong =
            |reason: &str| ProfileError { text: text.to_owned(), reason: reason.to_owned() };
        let profile = match text.strip_prefix("sine:") {
            Some(course) => {
                let Stage { from_per_s, to_per_s, duration_s } =
                    stage(course).ok_or_else(|| wrong(""))?;
                if from_per_s > to_per_s {
                    return Err(wrong(": the lower rate comes first"));
                }
                let (low_per_s, high_per_s) = (from_per_s, to_per_s);
                Self::Sine { low_per_s, high_per_s, period_s: duration_s }
            }
            None => {
                let stages: Option<Vec<Stage>> = text.split(',').map(stage).collect();
                let stages = stages.and_then(|stages| Stages::new(&stages));
                Self::Stages { stages: stages.ok_or_else(|| wrong(""))? }
            }
        };
        if profile.highest_per_s() <= 0.0 {
            return Err(wrong(": no rate is above 0"));
        }
        Ok(profile)
    }
}

impl std::fmt::Display for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let time = |s: f64| format!("{s}s");
        match self {
            Self::Stages { stages } => {
                let told = stages.as_slice().iter().map(|stage| {
                    let Stage { from_per_s, to_per_s, duration_s } = *stage;
                    match from_per_s == to_per_s {
                        true => format!("{from_per_s}/{}", time(duration_s)),
                        false => format!("{from_per_s}..{to_per_s}/{}", time(duration_s)),
                    }
                });
                f.write_str(&told.collect::<Vec<_>>().join(","))
            }
            Self::Sine { low_per_s, high_per_s, period_s } => {
                write!(f, "sine:{low_per_s}..{high_per_s}/{}", time(*period_s))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(profile: &Profile, at: f64) -> f64 {
        match profile {
            Profile::Stages { stages } => {
                let mut begin = 0.0;
                for stage in stages.as_slice() {
                    if at < begin + stage.duration_s {
                        let part = (at - begin) / stage.duration_s;
                        return stage.from_per_s + part * (stage.to_per_s - stage.from_per_s);
                    }
                    begin += stage.duration_s;
                }
                stages.as_slice().last().unwrap().to_per_s
            }
            Profile::Sine { low_per_s, high_per_s, period_s } => {
                let swing = (high_per_s - low_per_s) / 2.0;
                low_per_s + swing + swing * (std::f64::consts::TAU * at / period_s).sin()
            }
        }
    }

    fn any_profile() -> impl Strategy<Value = Profile> {
        let rate = prop_oneof![Just(0.0), 1.0..500.0_f64];
        let stages = prop::collection::vec((rate.clone(), rate, 0.1..3.0_f64), 1..6);
        let stages = stages.prop_map(|all| {
            let stage =
                |(from_per_s, to_per_s, duration_s)| Stage { from_per_s, to_per_s, duration_s };
            let stages: Vec<Stage> = all.into_iter().map(stage).collect();
            Profile::Stages { stages: Stages::new(&stages).unwrap() }
        });
        let sine =
            (0.0..200.0_f64, 1.0..300.0_f64, 0.1..5.0_f64).prop_map(|(low, more, period_s)| {
                Profile::Sine { low_per_s: low, high_per_s: low + more, period_s }
            });
        prop_oneof![stages, sine]
    }

    proptest! {
        /// Between two starts lies one call, by the sum of the rate over small steps.
        #[test]
        fn starts_are_those_of_the_integral(profile in any_profile()) {
            let step = 1e-4;
            let (mut sum, mut at) = (0.0, 0.0);
            let mut starts = (0..).map_while(|k| profile.start(k)).take(400);
            // The first comes at once, or with the first rate above 0.
            let mut k = 0_u64;
            let mut next = starts.next();
            let mut last = 0;
            while let Some(start) = next {
                prop_assert!(start >= last);
                let seconds = start as f64 / SECOND as f64;
                if seconds > 12.0 {
                    break;
                }
                while at < seconds {
                    sum += step * rate(&profile, at + step / 2.0);
                    at += step;
                }
                // As near as a step at the highest rate.
                let near = profile.highest_per_s() * step * 2.0 + 0.02;
                prop_assert!((sum - k as f64).abs() <= near, "{}: {} at {}", k, sum, seconds);
                (last, k, next) = (start, k + 1, starts.next());
            }
        }
    }

    #[test]
    fn stages_have_the_calls_that_they_should() {
        let profile: Profile = "0..1000/30s,1000/5m,1000..0/10s".parse().unwrap();
        assert_eq!(profile.length_s(), Some(340.0));
        assert_eq!(profile.start(0), Some(0));
        // 15,000 calls in the first 30 s, half of a ramp's in its first 1/√2.
        assert_eq!(profile.start(15_000), Some(30 * SECOND));
        assert_eq!(profile.start(7_500), Some((30.0 / 2_f64.sqrt() * 1e9).round() as Nanos));
        assert_eq!(profile.start(16_000), Some(31 * SECOND));
        // The last call is before the end, and there is no other.
        assert!(profile.start(319_999).unwrap() < 340 * SECOND);
        assert_eq!(profile.start(320_000), None);
        let on: Profile = "10/1s".parse().unwrap();
        assert_eq!(on.start(25), Some(2_500_000_000));
    }

    #[test]
    fn what_is_written_is_read_back() {
        for text in ["0..1000/30s", "5/2s,5..7.5/500ms", "sine:100..900/1m"] {
            let profile: Profile = text.parse().unwrap();
            assert_eq!(profile.to_string().parse::<Profile>().unwrap(), profile, "{profile}");
        }
        assert_eq!("60/m/10".parse::<Profile>().unwrap().to_string(), "1/10s");
        for text in [
            "",
            "10",
            "10/",
            "/10s",
            "10..",
            "a/10s",
            "-1/10s",
            "0/10s",
            "0..0/1s",
            "10/0s",
            "10/10s,",
            "sine:10/",
            "sine:9..1/10s",
            "sine:0..0/1s",
            "1e9/1s",
        ] {
            let error = text.parse::<Profile>().unwrap_err().to_string();
            assert!(error.contains("FROM..TO/TIME"), "{text}: {error}");
        }
        assert!(["1/1s"; 33].join(",").parse::<Profile>().is_err());
    }
}
