//! Calls whose first packets are lost.

use crate::model::error::{ModelError, not_negative, positive};

/// When Linux sends a SYN again, in s from the first one, since 6.5 (`tcp_syn_linear_timeouts` =
/// 4). Measured on 6.18: 1.02, 2.04, 3.07, 4.09, 5.11, 7.13, 11.2, 19.4.
pub const SYN_STEPS_S: [f64; 8] = [1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 11.0, 19.0];

/// The same before 6.5, and of others that keep to RFC 6298: doubled each time.
pub const SYN_STEPS_S_OLD: [f64; 5] = [1.0, 3.0, 7.0, 15.0, 31.0];

/// When Linux sends data again on a connection with a short round trip, in s from the first time: a
/// tail-loss probe, then the least timeout of 200 ms, doubled. Measured on 6.18.
pub const DATA_STEPS_S: [f64; 7] = [0.21, 0.41, 0.83, 1.66, 3.3, 6.6, 13.3];

/// Calls that begin, evenly, in a time in which all packets are lost.
///
/// A call that begins when the outage has still r seconds to go comes through with the first packet
/// that is sent again at a step s ≥ r, and takes s and its usual time. If that is longer than the
/// timeout, or no step is left, it fails.
///
/// This holds where calls do not wait for each other: a connection for each, and a service that
/// keeps up with those that come at once afterwards.
///
/// ```
/// use loadgen_core::model::users::{CallsInOutage, SYN_STEPS_S, SYN_STEPS_S_OLD};
///
/// let calls = CallsInOutage::new(100.0, 3.2, 5.0, &SYN_STEPS_S).with_usual_s(0.004);
/// let found = calls.predict()?;
/// assert_eq!((found.hit, found.failed), (320.0, 0.0));
/// // 100 each take 1, 2 and 3 s, 20 take 4 s.
/// assert!((found.mean_response_s.unwrap() - (680.0 / 320.0 + 0.004)).abs() < 1e-12);
/// // After 3 s comes 7 s, which is too late.
/// let calls = CallsInOutage::new(100.0, 3.2, 5.0, &SYN_STEPS_S_OLD).with_usual_s(0.004);
/// assert!((calls.predict()?.failed - 20.0).abs() < 1e-9);
/// # Ok::<(), loadgen_core::model::ModelError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct CallsInOutage<'a> {
    /// Calls that begin in a second.
    pub rate_per_s: f64,
    /// How long nothing comes through, in s.
    pub outage_s: f64,
    /// After which a call is given up, in s.
    pub timeout_s: f64,
    /// When a packet is sent again, in s from the first time, rising.
    pub steps_s: &'a [f64],
    /// What a call takes otherwise, in s.
    pub usual_s: f64,
}

/// What became of calls that began in an outage. The numbers are means: parts of calls, too.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct OutageOfCalls {
    /// Calls that began in it.
    pub hit: f64,
    /// Of these, those that are given up.
    pub failed: f64,
    /// Of these, those that are answered later than usual.
    pub delayed: f64,
    /// Mean response time of those, in s; `None` without any.
    pub mean_response_s: Option<f64>,
    /// The longest response time of those, in s; `None` without any.
    pub longest_response_s: Option<f64>,
}

impl<'a> CallsInOutage<'a> {
    /// Of calls that usually take no time.
    #[must_use]
    pub fn new(rate_per_s: f64, outage_s: f64, timeout_s: f64, steps_s: &'a [f64]) -> Self {
        Self { rate_per_s, outage_s, timeout_s, steps_s, usual_s: 0.0 }
    }

    /// What a call takes otherwise, in s.
    #[must_use]
    pub fn with_usual_s(mut self, usual_s: f64) -> Self {
        self.usual_s = usual_s;
        self
    }

    /// What becomes of them.
    ///
    /// # Errors
    /// [`ModelError`] for a number that is out of its range, or steps that do not rise.
    pub fn predict(&self) -> Result<OutageOfCalls, ModelError> {
        let rate_per_s = not_negative("the rate of calls", self.rate_per_s)?;
        let outage_s = not_negative("the outage", self.outage_s)?;
        positive("the timeout", self.timeout_s)?;
        not_negative("the usual time of a call", self.usual_s)?;
        let (mut last, mut delayed, mut sum, mut longest) = (0.0, 0.0, 0.0, None);
        for &step in self.steps_s {
            if !(step.is_finite() && step > last) {
                let (what, range) =
                    ("a step at which packets are sent again", "above the one before");
                return Err(ModelError { what, range, value: step });
            }
            let response_s = step + self.usual_s;
            if last >= outage_s || response_s > self.timeout_s {
                break;
            }
            // Those that have this step to go, and not the one before.
            let calls = rate_per_s * (step.min(outage_s) - last);
            delayed += calls;
            sum += calls * response_s;
            longest = Some(response_s);
            last = step;
        }
        let hit = rate_per_s * outage_s;
        let some = delayed > 0.0;
        Ok(OutageOfCalls {
            hit,
            // What none of the steps brings through.
            failed: rate_per_s * (outage_s - last.min(outage_s)),
            delayed,
            mean_response_s: some.then(|| sum / delayed),
            longest_response_s: longest.filter(|_| some),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_vectors::{cases, close, number};

    #[test]
    fn values_that_were_computed_elsewhere() {
        for (input, expect) in cases("calls_in_outage") {
            let of = |name: &str| number(&input, name);
            let steps: Vec<f64> = serde_json::from_value(input["steps"].clone()).unwrap();
            let calls = CallsInOutage::new(of("rate"), of("outage"), of("timeout"), &steps);
            let got = calls.with_usual_s(of("base")).predict().unwrap();
            let figures = [
                ("hit", Some(got.hit)),
                ("failed", Some(got.failed)),
                ("delayed", Some(got.delayed)),
                ("mean_response_of_delayed_s", got.mean_response_s),
                ("longest_response_s", got.longest_response_s),
            ];
            for (name, got) in figures {
                match got {
                    Some(got) => close(name, &expect[name], got),
                    None => assert!(expect[name].is_null(), "{name} {input}"),
                }
            }
        }
    }

    #[test]
    fn each_call_is_delayed_or_failed() {
        for outage_s in [0.0, 0.05, 0.21, 0.3, 5.0, 100.0] {
            let got = CallsInOutage::new(50.0, outage_s, 4.0, &DATA_STEPS_S).predict().unwrap();
            assert!((got.hit - got.failed - got.delayed).abs() < 1e-9, "{outage_s} {got:?}");
        }
    }

    #[test]
    fn steps_that_do_not_rise_are_refused() {
        for steps in [&[1.0, 1.0][..], &[2.0, 1.0], &[0.0], &[f64::NAN]] {
            let error = CallsInOutage::new(1.0, 5.0, 9.0, steps).predict().unwrap_err();
            assert!(error.to_string().contains("above the one before"), "{error}");
        }
    }
}
