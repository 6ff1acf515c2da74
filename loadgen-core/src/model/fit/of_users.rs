//! What the users of a machine feel, by what those of recorded migrations felt.

use serde::{Deserialize, Serialize};

use super::error::FitError;
use super::fitted::Fitted;
use super::recording::{RecordedPopulation, RecordedUsers, Recording, more_than_none, sensible};
use crate::model::ModelError;
use crate::model::migration::Prediction;
use crate::model::strategy::Strategy;
use crate::model::users::{Connections, Felt, Users};

/// Halvings of the time in which the outage behind one that was seen lies: to a millionth of it.
const HALVINGS: u32 = 20;

/// The users of a machine, and what of a migration they felt beyond its downtime.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FittedUsers {
    /// How the machine was moved.
    pub moved: Strategy,
    /// Those with one way of connecting.
    pub populations: Vec<FittedPopulation>,
    /// After which a call is given up, in s.
    pub timeout_s: f64,
    /// From the resume until response times are as before, in s; `None`: not seen in any
    /// recording.
    pub recovery_s: Option<Fitted>,
    /// Of the calls that are due outside of the outage, from the firing to the recovery, the share
    /// that is late: a machine that is moved is slower.
    pub late_share: Option<Fitted>,
    /// The share that is lost.
    pub lost_share: Option<Fitted>,
    /// Whether the load of a recording ended before its users were answered again, or before response
    /// times were as before: then what they are expected to feel is the least that it can be.
    #[serde(default)]
    pub is_cut: bool,
}

/// Users with one way of connecting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FittedPopulation {
    /// What they are called.
    pub name: String,
    /// Their connections that are kept open; `None`: a new one for each call.
    pub connections: Option<u32>,
    /// Their calls in a second.
    pub rate_per_s: f64,
    /// What a call takes where nothing is wrong, in s.
    pub usual_s: f64,
    /// A call that takes longer is late, in s.
    pub late_beyond_s: f64,
    /// What the service needs after the resume until packets come through and it answers, in s: so
    /// much that the model of these users sees the outage that was recorded. What their kernel waits
    /// until it sends again is no part of it.
    pub settle_s: Option<Fitted>,
}

/// What users are expected to feel.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExpectedFelt {
    /// Calls that are late; `None`: the recordings do not tell.
    pub late: Option<f64>,
    /// Calls that are lost; `None`: the recordings do not tell.
    pub lost: Option<f64>,
    /// The outage of each population that is known, in s, by its name.
    pub outages_s: Vec<(String, f64)>,
    /// Whether all that is the least that it can be: see [`FittedUsers::is_cut`].
    #[serde(default)]
    pub is_least: bool,
}

impl FittedPopulation {
    fn of(recorded: &[(&RecordedPopulation, Option<f64>)], timeout_s: f64) -> Option<Self> {
        let first = recorded.first()?.0;
        let mean = |of: fn(&RecordedPopulation) -> f64| {
            let fine = recorded.iter().filter_map(|(one, _)| more_than_none(of(one)));
            Fitted::of_trials(&fine.collect::<Vec<_>>()).map(|mean| mean.value)
        };
        let mut fitted = Self {
            name: first.name.clone(),
            connections: first.connections,
            rate_per_s: mean(|one| one.rate_per_s)?,
            usual_s: mean(|one| one.usual_s)?,
            late_beyond_s: mean(|one| one.late_beyond_s)?,
            settle_s: None,
        };
        let users = fitted.users(timeout_s);
        let settle = |(one, downtime_s): &(&RecordedPopulation, Option<f64>)| {
            let seen_s = sensible(one.outage_s?)?;
            Some((outage_behind(&users, seen_s)? - (*downtime_s)?).max(0.0))
        };
        let (cut, whole): (Vec<_>, Vec<_>) =
            recorded.iter().partition(|(one, _)| one.outage_is_least);
        let settles: Vec<f64> = whole.into_iter().filter_map(settle).collect();
        // One that explains nothing is still one that went on.
        let bounds: Vec<f64> = cut.into_iter().map(|of| settle(of).unwrap_or(0.0)).collect();
        fitted.settle_s = Fitted::of_bounded_trials(&settles, &bounds);
        Some(fitted)
    }

    /// The model of them.
    #[must_use]
    pub fn users(&self, timeout_s: f64) -> Users {
        let connections = self.connections.map_or(Connections::Fresh, Connections::KeptAlive);
        Users::new(self.rate_per_s, connections)
            .with_timeout_s(timeout_s)
            .with_usual_s(self.usual_s)
            .with_late_beyond_s(self.late_beyond_s.max(self.usual_s))
    }
}

/// The longest outage that users see as one of `seen_s` at the most: they see more of it than there
/// is, since they wait for a packet to be sent again. `None`: they see more of none.
fn outage_behind(users: &Users, seen_s: f64) -> Option<f64> {
    let sees = |outage_s: f64| users.feel(outage_s).ok()?.outage_s;
    sees(0.0).filter(|least| *least <= seen_s)?;
    let (mut low, mut high) = (0.0, seen_s);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        match sees(middle).is_some_and(|seen| seen <= seen_s) {
            true => low = middle,
            false => high = middle,
        }
    }
    Some(low)
}

impl FittedUsers {
    /// Those of all recordings of machines that were moved in one way; `None` without any.
    pub(super) fn of(moved: Strategy, recordings: &[&Recording]) -> Option<Self> {
        let of_it = || recordings.iter().filter(|recording| recording.moved == moved);
        let felt: Vec<(&RecordedUsers, &Recording)> =
            of_it().filter_map(|one| Some((one.felt.as_ref()?, *one))).collect();
        let (first, _) = felt.first()?;
        let timeout_s = more_than_none(first.timeout_s)?;
        let population = |name: &str| {
            let all = felt.iter().flat_map(|(felt, recording)| {
                let of_name = felt.populations.iter().filter(|one| one.name == name);
                of_name.map(|one| (one, recording.downtime_s()))
            });
            FittedPopulation::of(&all.collect::<Vec<_>>(), timeout_s)
        };
        let names = first.populations.iter().map(|one| one.name.as_str());
        let mut fitted = Self {
            moved,
            populations: names.filter_map(population).collect(),
            timeout_s,
            recovery_s: None,
            late_share: None,
            lost_share: None,
            is_cut: felt.iter().any(|(felt, _)| felt.is_cut()),
        };
        let mean = |figures: Vec<f64>| Fitted::of_trials(&figures);
        let recoveries = felt.iter().filter_map(|(felt, _)| sensible(felt.recovery_s?));
        // What was counted until the load ended was counted from the resume on.
        let unrecovered = felt.iter().filter(|(felt, _)| felt.recovery_s.is_none());
        let bounds = unrecovered.map(|(felt, of)| {
            let counted_s = felt.counted_s.zip(of.resume_s).map(|(until, from)| until - from);
            counted_s.and_then(sensible).unwrap_or(0.0)
        });
        let (recoveries, bounds) = (recoveries.collect::<Vec<_>>(), bounds.collect::<Vec<_>>());
        fitted.recovery_s = Fitted::of_bounded_trials(&recoveries, &bounds);
        let share = |of: fn(&RecordedUsers) -> Option<f64>, in_outage: fn(&Felt) -> u64| {
            let shares = felt.iter().filter_map(|(felt, _)| {
                let (known, due) = fitted.around(felt, in_outage).ok()?;
                let beside = sensible(of(felt)?)? - known;
                (due > 0.0).then(|| (beside / due).clamp(0.0, 1.0))
            });
            shares.collect::<Vec<f64>>()
        };
        let late = share(|felt| felt.late, |felt| felt.late);
        let lost = share(|felt| felt.lost, |felt| felt.failed);
        (fitted.late_share, fitted.lost_share) = (mean(late), mean(lost));
        Some(fitted)
    }

    /// Of calls of a recording those that its outages explain, and those that were due outside of
    /// them.
    fn around(&self, felt: &RecordedUsers, of: fn(&Felt) -> u64) -> Result<(f64, f64), ModelError> {
        let counted_s = felt.counted_s.and_then(sensible).unwrap_or(0.0);
        let behind = |one: &RecordedPopulation| {
            let population = self.populations.iter().find(|of| of.name == one.name)?;
            outage_behind(&population.users(self.timeout_s), sensible(one.outage_s?)?)
        };
        let outages_s =
            felt.populations.iter().map(|one| (one.name.as_str(), behind(one).unwrap_or(0.0)));
        self.explained(&outages_s.collect::<Vec<_>>(), counted_s, of)
    }

    fn explained(
        &self,
        outages_s: &[(&str, f64)],
        counted_s: f64,
        of: fn(&Felt) -> u64,
    ) -> Result<(f64, f64), ModelError> {
        let (mut explained, mut due) = (0.0, 0.0);
        for population in &self.populations {
            let outage = outages_s.iter().find(|(name, _)| *name == population.name);
            let outage_s = outage.map_or(0.0, |(_, outage_s)| *outage_s);
            let felt = population.users(self.timeout_s).feel(outage_s)?;
            explained += of(&felt) as f64;
            due += population.rate_per_s * (counted_s - outage_s).max(0.0);
        }
        Ok((explained, due))
    }

    /// What they feel of a migration of which this is expected.
    ///
    /// The outage of a population is the downtime and the time that the service then needed to
    /// settle; calls that it touches go by [`Users::feel`]. Of the others, until the recovery,
    /// the shares that were late and lost in the recordings are so again.
    ///
    /// # Errors
    /// [`FitError`] for a number that is out of the range of a model.
    pub fn feel(&self, prediction: &Prediction) -> Result<ExpectedFelt, FitError> {
        let outages_s: Vec<(&str, f64)> = self
            .populations
            .iter()
            .filter_map(|population| {
                let settle_s = population.settle_s.as_ref()?.value;
                Some((population.name.as_str(), prediction.downtime_s + settle_s))
            })
            .collect();
        // Recovery begins with the resume.
        let recovery_s = self.recovery_s.as_ref().map(|recovery| recovery.value);
        let counted_s = recovery_s.map(|s| prediction.total_s - prediction.pulling_s + s);
        let count = |share: &Option<Fitted>, of: fn(&Felt) -> u64| {
            let (Some(share), Some(counted_s)) = (share, counted_s) else { return Ok(None) };
            let (explained, due) = self.explained(&outages_s, counted_s, of)?;
            Ok::<_, ModelError>(Some(explained + share.value * due))
        };
        Ok(ExpectedFelt {
            late: count(&self.late_share, |felt| felt.late)?,
            lost: count(&self.lost_share, |felt| felt.failed)?,
            outages_s: outages_s.iter().map(|(name, s)| ((*name).to_owned(), *s)).collect(),
            is_least: self.is_cut,
        })
    }
}
