//! All that recordings tell of the parameters of the models.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::FitError;
use super::fitted::{CONFIDENCE, Fitted};
use super::looks::{Look, looks};
use super::of_users::FittedUsers;
use super::parameter::Parameter;
use super::recording::{Recording, more_than_none, sensible};
use super::stop;
use super::surface::{self, Found};
use crate::model::migration::{Pattern, SLOT_S};
use crate::model::strategy::Strategy;
use crate::stats::{Line, Sample};

/// QEMU's own limit on the downtime, where no recording tells another, in s.
pub(super) const LIMIT_S: f64 = 0.3;

/// Why nothing is known of how memory is sent while the machine runs at its source.
const NO_COPYING: &str = "no recording of pre-copy or hybrid";

/// All that recordings tell of the parameters of the models.
///
/// ```
/// use loadgen_core::model::Strategy;
/// use loadgen_core::model::fit::{Fit, Parameter, Recording};
///
/// let mut recording = Recording::new("trial 1", Strategy::PostCopy);
/// (recording.stop_s, recording.resume_s, recording.end_s) = (Some(1.0), Some(1.03), Some(3.03));
/// recording.sent_after = Some(400e6);
/// let fit = Fit::of(&[recording]);
/// assert!((fit.value(Parameter::PushBandwidth)? - 200e6).abs() < 1.0);
/// assert!((fit.predict(Strategy::PostCopy)?.total_s - 3.03).abs() < 1e-9);
/// // Nothing is known of pre-copy, and it is said why.
/// assert!(fit.pre_copy().unwrap_err().to_string().contains("no recording of pre-copy"));
/// # Ok::<(), loadgen_core::model::fit::FitError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Fit {
    /// Names of the recordings.
    pub recordings: Vec<String>,
    /// What was found.
    pub known: BTreeMap<Parameter, Fitted>,
    /// What was not, and why.
    pub unknown: BTreeMap<Parameter, String>,
    /// The limit on the downtime, in s, of the recordings that tell it: the median.
    pub limit_s: Option<f64>,
    /// How well the dirtied memory was described; `None`: nothing was seen of it.
    pub dirtied: Option<DirtiedFit>,
    /// What users felt, by how the machine was moved.
    pub users: Vec<FittedUsers>,
}

/// How well the dirtied memory was described.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DirtiedFit {
    /// In which order the machine writes.
    pub is_round_robin: bool,
    /// The sum of squares with the other order, as a multiple of that with this one: near 1 the two
    /// cannot be told apart.
    pub other_order: f64,
    /// How many looks at the bitmap it is from.
    pub looks: usize,
    /// The root of the mean square of how far they were off, as a share.
    pub off: f64,
    /// How far the worst was off, as a share.
    pub worst_off: f64,
    /// How much more or less a pass dirties than is expected, in bytes: the variance is this times
    /// what is expected. 0: there were too few looks to tell.
    pub scatter: f64,
}

impl Fit {
    /// What these recordings tell. Those of all strategies may be among them, of one machine under
    /// one load: their figures are taken as trials of the same.
    #[must_use]
    pub fn of(recordings: &[Recording]) -> Self {
        let all: Vec<&Recording> = recordings.iter().collect();
        let of = |moved: Strategy| -> Vec<&Recording> {
            all.iter().copied().filter(|one| one.moved == moved).collect()
        };
        let limits = recordings.iter().filter_map(|one| more_than_none(one.limit_s?));
        let mut fit = Self {
            recordings: recordings.iter().map(|one| one.name.clone()).collect(),
            limit_s: Sample::new(limits).map(|limits| limits.median()),
            ..Self::default()
        };
        let (pre_copy, hybrid) = (of(Strategy::PreCopy), of(Strategy::Hybrid));
        fit.of_copying(&[pre_copy.as_slice(), &hybrid].concat());
        fit.of_stops(&pre_copy);
        fit.of_post_copy(&of(Strategy::PostCopy));
        fit.of_hybrid(&hybrid);
        fit.of_stop_and_copy(&of(Strategy::StopAndCopy));
        fit.users = Strategy::ALL.into_iter().filter_map(|m| FittedUsers::of(m, &all)).collect();
        fit
    }

    /// What is known of how memory is dirtied from times and the *different* bytes that were written
    /// to in each, from a clean begin: QEMU's `calc-dirty-rate`, with a few `calc-time`s.
    ///
    /// ```
    /// use loadgen_core::model::fit::{Fit, Known, Parameter};
    ///
    /// let mib = f64::from(1 << 20);
    /// let one = Fit::of_dirtied(&[(1.0, 20.0 * mib)]);
    /// assert_eq!(one.known[&Parameter::WorkingSet].known, Known::AtLeast);
    /// let times = [1.0, 2.0, 3.0, 4.0, 6.0, 8.0];
    /// let samples = times.map(|t: f64| (t, (20.0 * mib * t).min(64.0 * mib)));
    /// let fit = Fit::of_dirtied(&samples);
    /// assert!((fit.value(Parameter::WorkingSet)? / mib - 64.0).abs() < 3.0);
    /// # Ok::<(), loadgen_core::model::fit::FitError>(())
    /// ```
    #[must_use]
    pub fn of_dirtied(samples: &[(f64, f64)]) -> Self {
        let fine = samples.iter().filter_map(|(length_s, dirtied)| {
            Some(Look::of_time(more_than_none(*length_s)?, sensible(*dirtied)?))
        });
        let mut fit = Self::default();
        fit.of_looks(&fine.collect::<Vec<_>>());
        fit
    }

    /// The value of a parameter.
    ///
    /// # Errors
    /// [`FitError::Unknown`], with the reason.
    pub fn value(&self, parameter: Parameter) -> Result<f64, FitError> {
        let reason = || self.unknown.get(&parameter).cloned();
        let nothing = || "no recording tells of it".to_owned();
        self.known.get(&parameter).map(|fitted| fitted.value).ok_or_else(|| FitError::Unknown {
            parameter,
            reason: reason().unwrap_or_else(nothing),
        })
    }

    /// With another value of a parameter, which is then taken as it is.
    #[must_use]
    pub fn with_value(mut self, parameter: Parameter, value: f64) -> Self {
        self.unknown.remove(&parameter);
        self.known.insert(parameter, Fitted::within(value, None, 0));
        self
    }

    /// All that is to be said of single parameters.
    pub fn notes(&self) -> impl Iterator<Item = (Parameter, &str)> {
        let said = self.known.iter().filter(|(_, fitted)| !fitted.note.is_empty());
        let said = said.map(|(parameter, fitted)| (*parameter, fitted.note.as_str()));
        said.chain(self.unknown.iter().map(|(parameter, reason)| (*parameter, reason.as_str())))
    }

    fn keep(&mut self, parameter: Parameter, fitted: Option<Fitted>, why_not: &str) {
        match fitted {
            Some(fitted) => {
                self.known.insert(parameter, fitted);
            }
            None => {
                self.unknown.insert(parameter, why_not.to_owned());
            }
        }
    }

    /// While memory is sent and the machine runs at its source: of pre-copy, and of hybrid until
    /// its switch-over.
    fn of_copying(&mut self, recordings: &[&Recording]) {
        let passes = if recordings.is_empty() {
            NO_COPYING
        } else {
            "no recording of pre-copy or hybrid tells when passes over the memory began"
        };
        let bandwidth = bandwidth(recordings);
        let r = bandwidth.as_ref().map(|bandwidth| bandwidth.value);
        let why = if recordings.is_empty() {
            NO_COPYING
        } else {
            "no recording tells of bytes that were sent at two different times"
        };
        self.keep(Parameter::Bandwidth, bandwidth, why);
        let memories = recordings.iter().filter_map(|one| memory(one, r?));
        self.keep(Parameter::Memory, Fitted::of_trials(&memories.collect::<Vec<_>>()), passes);
        let prepare = recordings.iter().filter_map(|one| sensible(*one.passes_s.first()?));
        self.keep(Parameter::PrepareS, Fitted::of_trials(&prepare.collect::<Vec<_>>()), passes);
        let looks: Vec<Look> =
            recordings.iter().filter_map(|one| Some(looks(one, r?))).flatten().collect();
        self.of_looks(&looks);
    }

    /// The stops of pre-copy.
    fn of_stops(&mut self, recordings: &[&Recording]) {
        let stop = stop::stop(recordings);
        let why = if recordings.is_empty() { "no recording of pre-copy" } else { stop::UNKNOWN };
        let (bandwidth, load_s) = stop.map(|stop| (stop.bandwidth, stop.load_s)).unzip();
        self.keep(Parameter::StopBandwidth, bandwidth, why);
        self.keep(Parameter::LoadS, load_s, why);
    }

    fn of_looks(&mut self, looks: &[Look]) {
        let Some(found) = surface::found(looks) else {
            self.of_nothing_dirtied(looks.len());
            return;
        };
        let Found { dirtying, rate, working_set, base, base_time_s, .. } = found;
        let base_time = Fitted::within(base_time_s, None, looks.len());
        self.known.insert(Parameter::DirtyRate, rate);
        self.known.insert(Parameter::WorkingSet, working_set);
        self.known.insert(Parameter::Base, base);
        self.known.insert(Parameter::BaseTimeS, base_time);
        self.dirtied = Some(DirtiedFit {
            is_round_robin: dirtying.pattern == Pattern::RoundRobin,
            other_order: found.other_pattern,
            looks: looks.len(),
            off: found.off.0,
            worst_off: found.off.1,
            scatter: found.scatter,
        });
    }

    /// After so many looks that found nothing.
    fn of_nothing_dirtied(&mut self, looks: usize) {
        if looks == 0 {
            let why = "no recording has two passes, with what was left to be sent after the first";
            for parameter in
                [Parameter::DirtyRate, Parameter::WorkingSet, Parameter::Base, Parameter::BaseTimeS]
            {
                self.keep(parameter, None, why);
            }
            return;
        }
        let why = "no look found anything that was written to";
        let nothing = Fitted::within(0.0, None, looks).saying(why);
        self.known.insert(Parameter::DirtyRate, nothing);
        // If it wrote to any, nobody knows to how much.
        self.known.insert(Parameter::WorkingSet, Fitted::at_least(0.0, 0.0, looks));
        self.keep(Parameter::Base, None, why);
        self.keep(Parameter::BaseTimeS, None, why);
    }

    fn of_post_copy(&mut self, recordings: &[&Recording]) {
        let mean = |of: fn(&Recording) -> Option<f64>| {
            Fitted::of_trials(&recordings.iter().filter_map(|one| of(one)).collect::<Vec<_>>())
        };
        let why = "no recording of post-copy tells it";
        let pushed = mean(|one| more_than_none(one.sent_after?));
        self.keep(Parameter::PushedMemory, pushed, why);
        self.keep(Parameter::PostCopyPrepareS, mean(|one| sensible(one.stop_s?)), why);
        let before = mean(|one| sensible(one.sent? - one.sent_after?));
        self.keep(Parameter::SentBefore, before, why);
        self.keep(Parameter::PushBandwidth, mean(push_bandwidth), why);
        self.keep(Parameter::PostCopyDowntimeS, mean(Recording::downtime_s), why);
    }

    /// How memory follows a machine after its pass.
    fn of_hybrid(&mut self, recordings: &[&Recording]) {
        let mean = |of: fn(&Recording) -> Option<f64>| {
            Fitted::of_trials(&recordings.iter().filter_map(|one| of(one)).collect::<Vec<_>>())
        };
        let why = "no recording of hybrid tells it";
        self.keep(Parameter::HybridPushBandwidth, mean(push_bandwidth), why);
        self.keep(Parameter::HybridDowntimeS, mean(Recording::downtime_s), why);
    }

    fn of_stop_and_copy(&mut self, recordings: &[&Recording]) {
        let mean = |of: fn(&Recording) -> Option<f64>| {
            Fitted::of_trials(&recordings.iter().filter_map(|one| of(one)).collect::<Vec<_>>())
        };
        let why = "no recording of stop-and-copy tells it";
        self.keep(Parameter::CopiedMemory, mean(|one| more_than_none(one.sent?)), why);
        let copy = mean(|one| more_than_none(one.sent? / one.downtime_s()?));
        self.keep(Parameter::CopyBandwidth, copy, why);
    }
}

/// At which memory followed the machine.
fn push_bandwidth(recording: &Recording) -> Option<f64> {
    more_than_none(recording.sent_after? / (recording.end_s? - recording.resume_s?))
}

/// Of one recording the slope of what was sent, of more their mean.
fn bandwidth(recordings: &[&Recording]) -> Option<Fitted> {
    let line = |one: &&Recording| {
        let points = one.running().into_iter().map(|word| (word.at_s, word.sent));
        Line::through(&points.collect::<Vec<_>>()).filter(|line| line.slope > 0.0)
    };
    let lines: Vec<Line> = recordings.iter().filter_map(line).collect();
    if let [only] = lines.as_slice() {
        return Some(Fitted::within(only.slope, only.slope_interval(CONFIDENCE), only.n));
    }
    Fitted::of_trials(&lines.iter().map(|line| line.slope).collect::<Vec<_>>())
}

/// What the first pass had to send, by its length: it ended with some part of a slot below the
/// threshold left.
fn memory(recording: &Recording, bandwidth: f64) -> Option<f64> {
    let (_, length_s) = recording.whole_passes().first().copied()?;
    let threshold = bandwidth * recording.limit_s.unwrap_or(LIMIT_S);
    Some(bandwidth * length_s + (threshold - bandwidth * SLOT_S / 2.0).max(0.0))
}
