//! Several machines over one link.

use super::geometric::Geometric;
use super::prediction::Prediction;
use crate::model::error::{ModelError, not_negative, positive};

/// One of several machines.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct MachineOnLink {
    /// Memory to send, in bytes.
    pub memory: f64,
    /// At which it is dirtied, in bytes a second.
    pub dirty_rate: f64,
}

impl MachineOnLink {
    /// A machine by its memory in bytes and its dirty rate in bytes a second.
    #[must_use]
    pub fn new(memory: f64, dirty_rate: f64) -> Self {
        Self { memory, dirty_rate }
    }
}

/// Several machines that share a link, each by the rounds of [`Geometric`].
///
/// Cerroni (J. Internet Services and Applications 2015) has the closed forms of both orders; Ye et
/// al. (CLOUD 2011) and Zhao & Figueiredo (VTDC 2007) measured several machines, but only their
/// abstracts could be read.
///
/// ```
/// use loadgen_core::model::migration::{MachineOnLink, SeveralMachines};
///
/// let four = SeveralMachines::new(vec![MachineOnLink::new(512.0, 10.0); 4], 119.209)
///     .with_threshold(1.0)
///     .with_resume_s(0.02);
/// let (turns, together) = (four.sequential()?, four.sharing()?);
/// assert!((turns.total_s - 18.832).abs() < 1e-3 && (turns.sent - 2235.42).abs() < 1e-2);
/// // Each round is longer when four share a link, so more is dirtied in it.
/// assert!((together.total_s - 25.863).abs() < 1e-3 && (together.sent - 3080.75).abs() < 1e-2);
/// // Where all are alike, all end at once, and fixed shares are no other.
/// assert!((four.with_fixed_shares()?.total_s - together.total_s).abs() < 1e-9);
/// # Ok::<(), loadgen_core::model::ModelError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SeveralMachines {
    /// The machines, in their order.
    pub machines: Vec<MachineOnLink>,
    /// The link, in bytes a second.
    pub link: f64,
    /// When so much of a machine is left, in bytes, it is stopped.
    pub threshold: f64,
    /// What each target needs to resume, in s.
    pub resume_s: f64,
    /// After so many rounds a machine is stopped whatever is left.
    pub most_rounds: u32,
}

/// What several migrations come to.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Together {
    /// When each machine runs at its target, from the begin of the first, in s.
    pub ends_s: Vec<f64>,
    /// How long each stands still, in s.
    pub downtimes_s: Vec<f64>,
    /// When the last one runs at its target, in s.
    pub total_s: f64,
    /// All that is sent, in bytes.
    pub sent: f64,
    /// Whether the rounds of all come down to the threshold.
    pub converges: bool,
}

impl SeveralMachines {
    /// With targets that resume at once, a threshold of 50 pages of 4 KiB, and 30 rounds at the
    /// most.
    #[must_use]
    pub fn new(machines: Vec<MachineOnLink>, link: f64) -> Self {
        let (threshold, resume_s, most_rounds) = (50.0 * 4096.0, 0.0, 30);
        Self { machines, link, threshold, resume_s, most_rounds }
    }

    /// When so much of a machine is left, in bytes, it is stopped.
    #[must_use]
    pub fn with_threshold(mut self, threshold: f64) -> Self {
        self.threshold = threshold;
        self
    }

    /// What each target needs to resume, in s.
    #[must_use]
    pub fn with_resume_s(mut self, resume_s: f64) -> Self {
        self.resume_s = resume_s;
        self
    }

    /// One after the other, each with the whole link.
    ///
    /// # Errors
    /// [`ModelError`] for a number that is out of its range.
    pub fn sequential(&self) -> Result<Together, ModelError> {
        let mut at = 0.0;
        let each = self.each(self.link)?;
        let ends_s = each.iter().map(|of| {
            at += of.total_s;
            at
        });
        Ok(Together::of(ends_s.collect(), &each))
    }

    /// All at the same time, each with its share of the link, which it keeps to the end.
    ///
    /// # Errors
    /// [`ModelError`] for a number that is out of its range.
    pub fn with_fixed_shares(&self) -> Result<Together, ModelError> {
        let each = self.each(self.link / self.machines.len().max(1) as f64)?;
        Ok(Together::of(each.iter().map(|of| of.total_s).collect(), &each))
    }

    /// All at the same time; those that still send share the link evenly.
    ///
    /// # Errors
    /// [`ModelError`] for a number that is out of its range.
    pub fn sharing(&self) -> Result<Together, ModelError> {
        let machines = self.machines.iter();
        let mut all =
            machines.map(|machine| self.sender(machine)).collect::<Result<Vec<_>, _>>()?;
        let mut at = 0.0;
        loop {
            let sending = all.iter().filter(|one| one.sends()).count();
            let share = positive("the link", self.link)? / sending.max(1) as f64;
            let next = all.iter().filter(|one| one.sends()).map(|one| one.to_send / share);
            let Some(step) = next.min_by(f64::total_cmp) else { break };
            at += step;
            for one in all.iter_mut().filter(|one| one.sends()) {
                one.go_on(at, step * share, self);
            }
        }
        let each: Vec<Prediction> = all.iter().map(|one| one.prediction.clone()).collect();
        Ok(Together::of(all.iter().map(|one| one.end_s).collect(), &each))
    }

    /// Each machine by itself, at a bandwidth.
    fn each(&self, bandwidth: f64) -> Result<Vec<Prediction>, ModelError> {
        positive("the link", self.link)?;
        let alone = |machine: &MachineOnLink| {
            Geometric::new(machine.memory, bandwidth, machine.dirty_rate)
                .with_threshold(self.threshold)
                .with_resume_s(self.resume_s)
                .with_most_rounds(self.most_rounds)
                .predict()
        };
        self.machines.iter().map(alone).collect()
    }

    fn sender(&self, machine: &MachineOnLink) -> Result<Sender, ModelError> {
        positive("the threshold", self.threshold)?;
        not_negative("the time to resume", self.resume_s)?;
        let memory = not_negative("the memory", machine.memory)?;
        let is_last = memory <= self.threshold || self.most_rounds == 0;
        Ok(Sender {
            dirty_rate: not_negative("the dirty rate", machine.dirty_rate)?,
            to_send: memory,
            of_round: memory,
            began_s: 0.0,
            rounds: 0,
            state: if is_last { State::Stopped } else { State::Runs },
            end_s: if memory == 0.0 { self.resume_s } else { 0.0 },
            prediction: Prediction {
                converges: memory <= self.threshold,
                downtime_s: if memory == 0.0 { self.resume_s } else { 0.0 },
                ..Prediction::default()
            },
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Runs,
    /// What is left is being sent.
    Stopped,
    Moved,
}

/// One of those that share a link.
struct Sender {
    dirty_rate: f64,
    /// Left of this round, in bytes.
    to_send: f64,
    /// All of this round, in bytes.
    of_round: f64,
    began_s: f64,
    rounds: u32,
    state: State,
    end_s: f64,
    prediction: Prediction,
}

impl Sender {
    fn sends(&self) -> bool {
        self.state != State::Moved && self.to_send > 0.0
    }

    /// Sends some bytes, up to a moment.
    fn go_on(&mut self, now_s: f64, sent: f64, of: &SeveralMachines) {
        self.to_send -= sent;
        // The one that set the step is done, but for rounding.
        if self.to_send > 1e-12 * self.of_round {
            return;
        }
        self.prediction.sent += self.of_round;
        let length_s = now_s - self.began_s;
        if self.state == State::Stopped {
            self.to_send = 0.0;
            self.state = State::Moved;
            self.prediction.downtime_s = length_s + of.resume_s;
            self.end_s = now_s + of.resume_s;
            return;
        }
        self.rounds += 1;
        let left = self.dirty_rate * length_s;
        self.prediction.converges = left <= of.threshold * (1.0 + 1e-12);
        if self.prediction.converges || self.rounds >= of.most_rounds {
            self.state = State::Stopped;
        }
        (self.to_send, self.of_round, self.began_s) = (left, left, now_s);
        if left == 0.0 {
            self.state = State::Moved;
            self.prediction.downtime_s = of.resume_s;
            self.end_s = now_s + of.resume_s;
        }
    }
}

impl Together {
    fn of(ends_s: Vec<f64>, each: &[Prediction]) -> Self {
        Self {
            total_s: ends_s.iter().copied().fold(0.0, f64::max),
            ends_s,
            downtimes_s: each.iter().map(|of| of.downtime_s).collect(),
            sent: each.iter().map(|of| of.sent).sum(),
            converges: each.iter().all(|of| of.converges),
        }
    }
}

/// Bandwidth to reserve for each migration, in bytes a second, so that the busiest machine still
/// converges: its dirty rate, and a margin (Stage & Setzer 2009 start a migration only where more
/// than the dirty rate of its class can be reserved; Ye et al. 2011; abstracts only). `None`
/// without any machine.
#[must_use]
pub fn reserved_for_each(dirty_rates: &[f64], margin: f64) -> Option<f64> {
    dirty_rates.iter().copied().max_by(f64::total_cmp).map(|busiest| busiest * margin)
}

/// How many migrations such a reservation lets begin at once.
///
/// ```
/// use loadgen_core::model::migration::{machines_at_once, reserved_for_each};
///
/// let reserved = reserved_for_each(&[10.0, 25.0, 5.0], 1.5).unwrap();
/// assert_eq!((reserved, machines_at_once(119.209, reserved)), (37.5, 3));
/// ```
#[must_use]
pub fn machines_at_once(link: f64, reserved: f64) -> u64 {
    let machines = link / reserved;
    // What is whole but for rounding is whole.
    if machines.is_finite() && machines >= 0.0 { (machines * (1.0 + 1e-12)) as u64 } else { 0 }
}
