//! What is known of a machine that may be moved.

use super::forecast::{FeltBy, Forecast};
use crate::model::error::{ModelError, not_negative};
use crate::model::migration::{Dirtying, Hybrid, PostCopy, PreCopy, Prediction, StopAndCopy};
use crate::model::strategy::Strategy;
use crate::model::users::Users;

/// A machine, the link that it would be moved over, and its users.
///
/// Memory is in bytes, rates are in bytes a second, times in seconds.
///
/// ```
/// use loadgen_core::model::migration::{Dirtying, Pattern};
/// use loadgen_core::model::Strategy;
/// use loadgen_core::model::strategies::Scenario;
///
/// const MIB: f64 = 1_048_576.0;
/// let dirtying = Dirtying::new(40.0 * MIB).within(200.0 * MIB, Pattern::RoundRobin);
/// let scenario = Scenario::new(2048.0 * MIB, 119.0 * MIB, dirtying);
/// let forecasts = scenario.forecasts()?;
/// let (stop, pre) = (&forecasts[0], &forecasts[1]);
/// assert_eq!((stop.strategy, pre.strategy), (Strategy::StopAndCopy, Strategy::PreCopy));
/// // 17 s in which nobody is answered, or 0.3 s.
/// assert!(stop.outage_s > 17.0 && pre.outage_s < 0.3);
/// assert!(pre.prediction.total_s > stop.prediction.total_s);
/// # Ok::<(), loadgen_core::model::ModelError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Scenario {
    /// Memory to send, in bytes: pages that are not empty.
    pub memory: f64,
    /// How it is dirtied.
    pub dirtying: Dirtying,
    /// At which memory is sent while the machine runs at its source, in bytes a second.
    pub bandwidth: f64,
    /// At which it is sent while it stands still.
    pub stop_bandwidth: f64,
    /// At which it follows a machine that runs at its target.
    pub push_bandwidth: f64,
    /// Bytes on the wire for a byte of memory, in the first pass and in later ones: of pre-copy, and
    /// the first of stop-and-copy. Post-copy and hybrid have none: deltas and compressed streams do
    /// not go with pages that are asked for.
    pub ratios: (f64, f64),
    /// The limit on the downtime that pre-copy is told.
    pub limit_s: f64,
    /// The state of the machine's devices, in bytes.
    pub device_state: f64,
    /// From the order to the first byte of memory.
    pub prepare_s: f64,
    /// What the target needs to load the state of devices and to resume.
    pub resume_s: f64,
    /// From then until the service answers: caches and translated code are cold, switches learn
    /// where the machine is.
    pub settle_s: f64,
    /// The same where memory follows the machine, which waits for the first pages that it touches:
    /// of post-copy and hybrid. `None`: it is not known; then it is taken for `settle_s`, the least
    /// that it can be, and the outage is [known to be no less](Forecast::outage_is_least).
    pub faulting_s: Option<f64>,
    /// Whether `settle_s` is known to be no less than it is, and maybe more: of recordings whose
    /// load ended too early.
    pub settle_is_least: bool,
    /// Its users.
    pub populations: Vec<Population>,
}

/// Some of the users, by a name.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Population {
    /// What they are called.
    pub name: String,
    /// How they call.
    pub users: Users,
}

impl Population {
    /// Users with a name.
    #[must_use]
    pub fn new(name: impl Into<String>, users: Users) -> Self {
        Self { name: name.into(), users }
    }
}

impl Scenario {
    /// A machine by the memory to send, the bandwidth of the link, and how it dirties its memory;
    /// one bandwidth at all times, no compression, QEMU's limit of 300 ms, no time to prepare and
    /// to resume, no state of devices, and nobody who uses it.
    #[must_use]
    pub fn new(memory: f64, bandwidth: f64, dirtying: Dirtying) -> Self {
        Self {
            memory,
            dirtying,
            bandwidth,
            stop_bandwidth: bandwidth,
            push_bandwidth: bandwidth,
            ratios: (1.0, 1.0),
            limit_s: 0.3,
            device_state: 0.0,
            prepare_s: 0.0,
            resume_s: 0.0,
            settle_s: 0.0,
            faulting_s: None,
            settle_is_least: false,
            populations: Vec::new(),
        }
    }

    /// Other bandwidths, in bytes a second: while the machine stands still, and after it.
    #[must_use]
    pub fn with_bandwidths(mut self, stop: f64, push: f64) -> Self {
        (self.stop_bandwidth, self.push_bandwidth) = (stop, push);
        self
    }

    /// The same over a link of another bandwidth; those that differ from it, while the machine
    /// stands still and after it, stay as they are.
    #[must_use]
    pub fn over(&self, bandwidth: f64) -> Self {
        let follows = |other: f64| if other == self.bandwidth { bandwidth } else { other };
        let stop_bandwidth = follows(self.stop_bandwidth);
        let push_bandwidth = follows(self.push_bandwidth);
        Self { bandwidth, stop_bandwidth, push_bandwidth, ..self.clone() }
    }

    /// The same machine, if it dirtied its memory at another rate, in bytes a second.
    #[must_use]
    pub fn dirtied_at(&self, rate: f64) -> Self {
        Self { dirtying: Dirtying { rate, ..self.dirtying }, ..self.clone() }
    }

    /// Bytes on the wire for a byte of memory, in the first pass and in later ones; see
    /// [`PreCopy::with_ratios`].
    #[must_use]
    pub fn with_ratios(mut self, first: f64, later: f64) -> Self {
        self.ratios = (first, later);
        self
    }

    /// The limit on the downtime that pre-copy is told, in s.
    #[must_use]
    pub fn with_limit_s(mut self, limit_s: f64) -> Self {
        self.limit_s = limit_s;
        self
    }

    /// The state of the machine's devices, in bytes.
    #[must_use]
    pub fn with_device_state(mut self, device_state: f64) -> Self {
        self.device_state = device_state;
        self
    }

    /// Times in s: from the order to the first byte; what the target needs to resume.
    #[must_use]
    pub fn with_times_s(mut self, prepare: f64, resume: f64) -> Self {
        (self.prepare_s, self.resume_s) = (prepare, resume);
        self
    }

    /// From when the machine runs until its service answers, in s: where all memory is at the
    /// target, and where it follows.
    #[must_use]
    pub fn with_settle_s(mut self, settle: f64, faulting: Option<f64>) -> Self {
        (self.settle_s, self.faulting_s) = (settle, faulting);
        self
    }

    /// Whether the time to settle is known to be no less than it is, and maybe more.
    #[must_use]
    pub fn with_settle_is_least(mut self, settle_is_least: bool) -> Self {
        self.settle_is_least = settle_is_least;
        self
    }

    /// More of its users.
    #[must_use]
    pub fn with_population(mut self, population: Population) -> Self {
        self.populations.push(population);
        self
    }

    /// What each strategy would cost, in the order of [`Strategy::ALL`].
    ///
    /// # Errors
    /// [`ModelError`] for a number that is out of its range.
    pub fn forecasts(&self) -> Result<Vec<Forecast>, ModelError> {
        Strategy::ALL.into_iter().map(|strategy| self.forecast(strategy)).collect()
    }

    /// What a strategy would cost.
    ///
    /// Users are without an answer from the stop until the machine runs again and its service has
    /// settled. Of a pre-copy that does not converge nothing is said of them: it does not come to
    /// a stop.
    ///
    /// # Errors
    /// [`ModelError`] for a number that is out of its range.
    pub fn forecast(&self, strategy: Strategy) -> Result<Forecast, ModelError> {
        let mut forecast = self.of_machine(strategy)?;
        if forecast.prediction.converges {
            forecast.felt = self.feel(forecast.outage_s)?;
        }
        Ok(forecast)
    }

    /// The same without what users would feel.
    pub(crate) fn of_machine(&self, strategy: Strategy) -> Result<Forecast, ModelError> {
        let mut prediction = self.predict(strategy)?;
        let settle_s = match strategy {
            Strategy::StopAndCopy | Strategy::PreCopy => {
                // The model of the others has it.
                prediction.prepare_s = not_negative("the time to prepare", self.prepare_s)?;
                prediction.total_s += prediction.prepare_s;
                self.settle_s
            }
            Strategy::Hybrid | Strategy::PostCopy => self.faulting_s.unwrap_or(self.settle_s),
        };
        let outage_s = prediction.downtime_s + not_negative("the time to settle", settle_s)?;
        let mut forecast = Forecast::new(strategy, prediction, outage_s);
        forecast.outage_is_least = match strategy.follows() {
            true => self.faulting_s.is_none(),
            false => self.settle_is_least,
        };
        forecast.calls_are_least = forecast.outage_is_least;
        Ok(forecast)
    }

    /// What each population would feel of an outage, in s.
    ///
    /// # Errors
    /// [`ModelError`] for a number that is out of its range.
    pub fn feel(&self, outage_s: f64) -> Result<Vec<FeltBy>, ModelError> {
        let feel = |population: &Population| {
            let felt = population.users.feel(outage_s)?;
            Ok(FeltBy::new(population.name.clone(), felt))
        };
        self.populations.iter().map(feel).collect()
    }

    fn predict(&self, strategy: Strategy) -> Result<Prediction, ModelError> {
        match strategy {
            Strategy::StopAndCopy => {
                let prediction = self.stop_and_copy().predict()?;
                Ok(Prediction { left: self.memory, ..prediction })
            }
            Strategy::PreCopy => {
                let prediction = self.pre_copy().by_slots()?;
                let sent = prediction.sent + self.device_state;
                Ok(Prediction { sent, ..prediction })
            }
            Strategy::Hybrid => self.hybrid().predict(),
            Strategy::PostCopy => self.post_copy().predict(),
        }
    }

    fn stop_and_copy(&self) -> StopAndCopy {
        let sent = self.memory * self.ratios.0 + self.device_state;
        // Measured: a machine that stands still from the begin is sent by the limit of one that
        // runs.
        StopAndCopy::new(sent, self.bandwidth).with_resume_s(self.resume_s)
    }

    pub(super) fn pre_copy(&self) -> PreCopy {
        let load_s = self.resume_s + self.device_state / self.stop_bandwidth;
        PreCopy::new(self.memory, self.bandwidth, self.dirtying)
            .with_stop_bandwidth(self.stop_bandwidth)
            .with_ratios(self.ratios.0, self.ratios.1)
            .with_limit_s(self.limit_s)
            .with_load_s(load_s)
    }

    fn post_copy(&self) -> PostCopy {
        // Pages that are asked for one by one go as they are.
        PostCopy::new(self.memory, self.push_bandwidth, self.device_state)
            .with_stop_bandwidth(self.stop_bandwidth)
            .with_prepare_s(self.prepare_s)
            .with_resume_s(self.resume_s)
    }

    fn hybrid(&self) -> Hybrid {
        Hybrid::new(self.bandwidth, self.dirtying, self.post_copy())
    }
}
