//! Gaps between arrivals as httperf draws them, so that a run with the same
//! client number meets the server with the same sequence of arrivals.

use serde::{Deserialize, Serialize};

use crate::clock::{Nanos, SECOND};

/// The law of the gaps, and whose sequence of random numbers they take.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gaps {
    /// The law.
    pub law: GapLaw,
    /// The number of this client; it seeds the random numbers.
    #[serde(default)]
    pub client: u32,
}

/// How long the gaps are, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "law", rename_all = "lowercase", deny_unknown_fields)]
#[expect(clippy::large_enum_variant, reason = "a schedule stays Copy; there are one or two")]
#[non_exhaustive]
pub enum GapLaw {
    /// All the same.
    Constant {
        /// The gap.
        gap_s: f64,
    },
    /// Uniform in `[least_s, most_s)`.
    Uniform {
        /// The shortest.
        least_s: f64,
        /// The longest.
        most_s: f64,
    },
    /// Exponential (a Poisson process).
    Exponential {
        /// The mean.
        mean_s: f64,
    },
    /// Constant for a time, then another constant, and so on, from the beginning
    /// again after the last.
    Steps {
        /// At least one.
        steps: GapSteps,
    },
}

/// One step of [`GapLaw::Steps`].
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GapStep {
    /// The gap, in seconds.
    pub gap_s: f64,
    /// How long the step lasts: until the gaps drawn in it add up to this many
    /// seconds.
    pub duration_s: f64,
}

/// Up to 16 steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<GapStep>", into = "Vec<GapStep>")]
pub struct GapSteps {
    steps: [GapStep; Self::MOST],
    len: u8,
}

impl GapSteps {
    /// Most steps.
    pub const MOST: usize = 16;

    /// From 1 to 16 steps; `None` otherwise.
    #[must_use]
    pub fn new(given: &[GapStep]) -> Option<Self> {
        let mut steps = [GapStep::default(); Self::MOST];
        steps.get_mut(..given.len()).filter(|part| !part.is_empty())?.copy_from_slice(given);
        Some(Self { steps, len: given.len() as u8 })
    }

    /// The steps.
    #[must_use]
    pub fn as_slice(&self) -> &[GapStep] {
        &self.steps[..usize::from(self.len)]
    }
}

impl TryFrom<Vec<GapStep>> for GapSteps {
    type Error = &'static str;

    fn try_from(steps: Vec<GapStep>) -> Result<Self, Self::Error> {
        Self::new(&steps).ok_or("the steps of a schedule must be 1 to 16")
    }
}

impl From<GapSteps> for Vec<GapStep> {
    fn from(steps: GapSteps) -> Self {
        steps.as_slice().to_vec()
    }
}

impl Gaps {
    /// The same law with all gaps longer by this factor. Steps last as long as
    /// before.
    pub(super) fn stretched(mut self, factor: f64) -> Self {
        match &mut self.law {
            GapLaw::Constant { gap_s } => *gap_s *= factor,
            GapLaw::Uniform { least_s, most_s } => {
                *least_s *= factor;
                *most_s *= factor;
            }
            GapLaw::Exponential { mean_s } => *mean_s *= factor,
            GapLaw::Steps { steps } => {
                for step in &mut steps.steps {
                    step.gap_s *= factor;
                }
            }
        }
        self
    }

    /// The mean gap in seconds.
    #[must_use]
    pub fn mean_s(&self) -> f64 {
        match self.law {
            GapLaw::Constant { gap_s } => gap_s,
            GapLaw::Uniform { least_s, most_s } => f64::midpoint(least_s, most_s),
            GapLaw::Exponential { mean_s } => mean_s,
            GapLaw::Steps { steps } => {
                // A step ends with the gap that reaches its duration.
                let (count, time) = steps.as_slice().iter().fold((0.0, 0.0), |sum, step| {
                    let gaps = (step.duration_s / step.gap_s).ceil().max(1.0);
                    (sum.0 + gaps, sum.1 + gaps * step.gap_s)
                });
                time / count
            }
        }
    }

    /// Whether every gap is a time, and not all of them are 0.
    pub(crate) fn is_sound(&self) -> bool {
        let positive = |s: f64| s.is_finite() && s > 0.0;
        match self.law {
            GapLaw::Constant { gap_s } => positive(gap_s),
            GapLaw::Uniform { least_s, most_s } => {
                let sound = |s: f64| s.is_finite() && s >= 0.0;
                sound(least_s) && sound(most_s) && least_s + most_s > 0.0
            }
            GapLaw::Exponential { mean_s } => positive(mean_s),
            GapLaw::Steps { steps } => {
                steps.as_slice().iter().all(|s| positive(s.gap_s) && positive(s.duration_s))
            }
        }
    }
}

/// The arrivals of one law: the first at 0, then gap by gap.
#[derive(Debug, Clone)]
pub(super) struct Walk {
    law: GapLaw,
    random: Rand48,
    at_s: f64,
    step: usize,
    in_step_s: f64,
}

impl Walk {
    pub(super) fn new(gaps: Gaps) -> Self {
        let random = Rand48::for_client(gaps.client);
        Self { law: gaps.law, random, at_s: 0.0, step: 0, in_step_s: 0.0 }
    }

    fn gap_s(&mut self) -> f64 {
        match self.law {
            GapLaw::Constant { gap_s } => gap_s,
            GapLaw::Uniform { least_s, most_s } => {
                least_s + (most_s - least_s) * self.random.next()
            }
            GapLaw::Exponential { mean_s } => -mean_s * (1.0 - self.random.next()).ln(),
            GapLaw::Steps { steps } => {
                let steps = steps.as_slice();
                if self.in_step_s >= steps[self.step].duration_s {
                    self.step = (self.step + 1) % steps.len();
                    self.in_step_s = 0.0;
                }
                self.in_step_s += steps[self.step].gap_s;
                steps[self.step].gap_s
            }
        }
    }
}

impl Iterator for Walk {
    type Item = Nanos;

    fn next(&mut self) -> Option<Nanos> {
        let at = (self.at_s * SECOND as f64).round() as Nanos;
        self.at_s += self.gap_s();
        Some(at)
    }
}

/// The generator of POSIX `erand48`: a linear congruence modulo 2^48.
#[derive(Debug, Clone)]
struct Rand48(u64);

impl Rand48 {
    fn for_client(client: u32) -> Self {
        let low = 0x1234 ^ (client & 0xffff);
        let middle = 0x5678 ^ ((client << 8) & 0xffff);
        let high = (0x9abc ^ !client) & 0xffff;
        Self(u64::from(high) << 32 | u64::from(middle) << 16 | u64::from(low))
    }

    /// Uniform in [0, 1).
    fn next(&mut self) -> f64 {
        self.0 = (self.0.wrapping_mul(0x5_deec_e66d) + 0xb) & ((1 << 48) - 1);
        self.0 as f64 / (1_u64 << 48) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gaps(law: GapLaw, n: usize) -> Vec<f64> {
        let mut walk = Walk::new(Gaps { law, client: 0 });
        (0..n).map(|_| walk.gap_s()).collect()
    }

    /// What the original printed with `-vvv --period e0.02`: every gap after the
    /// first.
    #[test]
    fn the_sequence_is_that_of_the_original() {
        let printed = [
            "0.0065", "0.0018", "0.0113", "0.0205", "0.0063", "0.0034", "0.0078", "0.0246",
            "0.0026", "0.0215", "0.0065", "0.0027", "0.0021", "0.0011", "0.0113", "0.0039",
            "0.0006", "0.0632", "0.0277",
        ];
        let drawn: Vec<_> = gaps(GapLaw::Exponential { mean_s: 0.02 }, 20)[1..]
            .iter()
            .map(|gap| format!("{gap:.4}"))
            .collect();
        assert_eq!(drawn[..printed.len()], printed);
    }

    #[test]
    fn steps_change_when_their_time_is_up_and_come_again() {
        let step = |gap_s, duration_s| GapStep { gap_s, duration_s };
        let steps = GapSteps::new(&[step(0.5, 1.0), step(0.25, 0.5)]).unwrap();
        assert_eq!(gaps(GapLaw::Steps { steps }, 6), [0.5, 0.5, 0.25, 0.25, 0.5, 0.5]);
        let mean = Gaps { law: GapLaw::Steps { steps }, client: 0 }.mean_s();
        assert!((mean - 0.375).abs() < 1e-12);
        assert!(GapSteps::new(&[]).is_none());
        assert!(GapSteps::new(&[step(1.0, 1.0); 17]).is_none());
    }

    #[test]
    fn the_first_arrival_is_at_once() {
        let law = GapLaw::Constant { gap_s: 0.1 };
        let at: Vec<_> = Walk::new(Gaps { law, client: 3 }).take(3).collect();
        assert_eq!(at, [0, 100_000_000, 200_000_000]);
    }
}
