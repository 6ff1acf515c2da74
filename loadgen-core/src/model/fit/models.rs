//! The models with what a fit has found, and what they say.

use statrs::distribution::{ContinuousCDF, Normal};

use super::error::FitError;
use super::fitted::{Fitted, Known};
use super::of_recordings::{Fit, LIMIT_S};
use super::of_users::ExpectedFelt;
use super::parameter::Parameter;
use crate::model::migration::{
    Dirtying, Hybrid, Pattern, PostCopy, PreCopy, Prediction, SLOT_S, StopAndCopy,
};
use crate::model::strategy::Strategy;
use crate::random::unit;

/// How often pre-copy is gone through for one prediction, and where its chances begin.
const TIMES: u32 = 101;
const SEED: u64 = 2016;

impl Fit {
    /// How the machine dirties its memory.
    ///
    /// # Errors
    /// [`FitError::Unknown`].
    pub fn dirtying(&self) -> Result<Dirtying, FitError> {
        let is_round_robin = self.dirtied.is_some_and(|dirtied| dirtied.is_round_robin);
        let pattern = if is_round_robin { Pattern::RoundRobin } else { Pattern::Random };
        let rate = self.value(Parameter::DirtyRate)?;
        let base = self.value(Parameter::Base).unwrap_or(0.0);
        // The rate is one that goes with the largest set.
        let is_bound = |fitted: &Fitted| fitted.known == Known::AtLeast && fitted.low.is_some();
        let set = match self.known.get(&Parameter::WorkingSet) {
            Some(fitted) if is_bound(fitted) => f64::INFINITY,
            _ => self.value(Parameter::WorkingSet)?,
        };
        let dirtying = Dirtying::new(rate).within(set, pattern).with_base(base);
        Ok(match self.value(Parameter::BaseTimeS) {
            Ok(base_time_s) => dirtying.with_base_time_s(base_time_s),
            Err(_) => dirtying,
        })
    }

    /// Pre-copy with what was found; without a limit on the downtime in any recording, with QEMU's
    /// 300 ms.
    ///
    /// # Errors
    /// [`FitError::Unknown`] for what is needed and not known.
    pub fn pre_copy(&self) -> Result<PreCopy, FitError> {
        let memory = self.value(Parameter::Memory)?;
        let bandwidth = self.value(Parameter::Bandwidth)?;
        Ok(PreCopy::new(memory, bandwidth, self.dirtying()?)
            .with_limit_s(self.limit_s.unwrap_or(LIMIT_S))
            .with_stop_bandwidth(self.value(Parameter::StopBandwidth)?)
            .with_load_s(self.value(Parameter::LoadS)?))
    }

    /// Post-copy with what was found; where no recording of post-copy tells it, with the memory that
    /// pre-copy sends, and followed as in hybrid.
    ///
    /// # Errors
    /// [`FitError::Unknown`] for what is needed and not known.
    pub fn post_copy(&self) -> Result<PostCopy, FitError> {
        let pushed = self.value(Parameter::PushedMemory);
        let memory = pushed.or_else(|_| self.value(Parameter::Memory))?;
        // The downtime is measured as a whole: all of it is in the time to resume.
        let downtime_s = self.either(Parameter::PostCopyDowntimeS, Parameter::HybridDowntimeS);
        // Where none was recorded it is prepared as the others are.
        let prepare_s = self.value(Parameter::PostCopyPrepareS);
        let prepare_s = prepare_s.or_else(|_| self.value(Parameter::PrepareS)).unwrap_or(0.0);
        let push = self.either(Parameter::PushBandwidth, Parameter::HybridPushBandwidth)?;
        Ok(PostCopy::new(memory, push, 0.0)
            .with_prepare_s(prepare_s)
            .with_resume_s(downtime_s.or_else(|_| self.value(Parameter::LoadS))?))
    }

    /// The first of them that is known.
    fn either(&self, own: Parameter, other: Parameter) -> Result<f64, FitError> {
        self.value(own).or_else(|why| self.value(other).map_err(|_| why))
    }

    /// Stop-and-copy with what was found; of pre-copy what no recording of stop-and-copy tells.
    ///
    /// # Errors
    /// [`FitError::Unknown`] for what is needed and not known.
    pub fn stop_and_copy(&self) -> Result<StopAndCopy, FitError> {
        let copied = self.value(Parameter::CopiedMemory);
        let memory = copied.or_else(|_| self.value(Parameter::Memory))?;
        // That of stop-and-copy is of the whole downtime, with the resume.
        let (bandwidth, resume_s) = match self.value(Parameter::CopyBandwidth) {
            Ok(bandwidth) => (bandwidth, 0.0),
            Err(_) => {
                (self.value(Parameter::Bandwidth)?, self.value(Parameter::LoadS).unwrap_or(0.0))
            }
        };
        Ok(StopAndCopy::new(memory, bandwidth).with_resume_s(resume_s))
    }

    /// One pass of pre-copy, then post-copy, with what was found; followed as in post-copy, where no
    /// recording of hybrid tells it.
    ///
    /// # Errors
    /// [`FitError::Unknown`] for what is needed and not known.
    pub fn hybrid(&self) -> Result<Hybrid, FitError> {
        let mut after = self.post_copy()?;
        after.push_bandwidth =
            self.either(Parameter::HybridPushBandwidth, Parameter::PushBandwidth)?;
        let downtime_s = self.either(Parameter::HybridDowntimeS, Parameter::PostCopyDowntimeS);
        after.resume_s = downtime_s.unwrap_or(after.resume_s);
        after.memory = self.value(Parameter::Memory)?;
        after.prepare_s = self.value(Parameter::PrepareS).unwrap_or(0.0);
        Ok(Hybrid::new(self.value(Parameter::Bandwidth)?, self.dirtying()?, after))
    }

    /// Pre-copy so many times (at least once), in the order of the total time: each time passes dirty
    /// more or less than is expected, as they did in the recordings. Near the end of pre-copy a few
    /// pages more or less decide whether there is one more pass, or are a hundred.
    ///
    /// # Errors
    /// [`FitError`] for what is needed and not known, or out of range.
    pub fn pre_copies(&self, times: u32) -> Result<Vec<Prediction>, FitError> {
        let model = self.pre_copy()?;
        let scatter = self.dirtied.map_or(0.0, |dirtied| dirtied.scatter);
        let prepare_s = self.value(Parameter::PrepareS).unwrap_or(0.0);
        let normal = Normal::standard();
        let mut drawn = 0;
        let mut scattered = |expected: f64| {
            drawn += 1;
            let times = normal.inverse_cdf(unit(SEED, drawn).clamp(1e-9, 1.0 - 1e-9));
            (expected + times * (scatter * expected).sqrt()).max(0.0)
        };
        let mut all = Vec::new();
        for number in 0..times.max(1) {
            // Of the memory only the slot is known in which the first pass ended.
            let part = (f64::from(number) + 0.5) / f64::from(times.max(1)) - 0.5;
            let memory = (model.memory + part * model.bandwidth * SLOT_S).max(0.0);
            let once = PreCopy { memory, ..model };
            let mut prediction = once.by_slots_scattered(&mut scattered)?;
            prediction.prepare_s = prepare_s;
            prediction.total_s += prepare_s;
            all.push(prediction);
        }
        all.sort_by(|a, b| a.total_s.total_cmp(&b.total_s));
        Ok(all)
    }

    /// How often pre-copy comes to an end, of [101 times](Self::pre_copies), from 0 to 1.
    ///
    /// # Errors
    /// [`FitError`] for what is needed and not known, or out of range.
    pub fn converging_share(&self) -> Result<f64, FitError> {
        let all = self.pre_copies(TIMES)?;
        let converging = all.iter().filter(|prediction| prediction.converges).count();
        Ok(converging as f64 / all.len() as f64)
    }

    /// What a migration would cost; of pre-copy the [one in the middle](Self::pre_copies) of 101.
    ///
    /// # Errors
    /// [`FitError`] for what is needed and not known, or out of range.
    pub fn predict(&self, moved: Strategy) -> Result<Prediction, FitError> {
        let mut prediction = match moved {
            Strategy::PreCopy => {
                let mut all = self.pre_copies(TIMES)?;
                all.swap_remove(all.len() / 2)
            }
            Strategy::PostCopy => self.post_copy()?.predict()?,
            Strategy::StopAndCopy => {
                let prepare_s = self.value(Parameter::PrepareS).unwrap_or(0.0);
                let prediction = self.stop_and_copy()?.predict()?;
                let total_s = prediction.total_s + prepare_s;
                Prediction { prepare_s, total_s, ..prediction }
            }
            Strategy::Hybrid => self.hybrid()?.predict()?,
        };
        if moved == Strategy::PostCopy {
            prediction.sent += self.value(Parameter::SentBefore).unwrap_or(0.0);
        }
        Ok(prediction)
    }

    /// What the users of the machine would feel of it.
    ///
    /// # Errors
    /// [`FitError::NoUsers`], or what [`FittedUsers::feel`](super::FittedUsers::feel) says.
    pub fn feel(&self, moved: Strategy, prediction: &Prediction) -> Result<ExpectedFelt, FitError> {
        let users = self.users.iter().find(|users| users.moved == moved);
        users.ok_or(FitError::NoUsers { moved: moved.name() })?.feel(prediction)
    }
}
