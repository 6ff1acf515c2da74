//! A population of users, and what it can feel of an outage.

use crate::model::error::{ModelError, not_negative, positive};

use super::lost_packets::{DATA_STEPS_S, SYN_STEPS_S};

/// Calls that may be due in an outage and a timeout: what is more takes long to go through.
const MOST_CALLS: f64 = 1e6;

/// A population of users: how they call, and how long they wait.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Users {
    /// Calls that are due in a second, evenly.
    pub rate_per_s: f64,
    /// How they are connected.
    pub connections: Connections,
    /// After which a call is given up, in s from its first byte (or its SYN).
    pub timeout_s: f64,
    /// What a call takes where nothing is wrong, in s.
    pub usual_s: f64,
    /// A call that takes longer is late, in s; `None`: one that takes more than twice the usual
    /// time, and at least 1 ms more.
    pub late_beyond_s: Option<f64>,
    /// Calls that the service can answer in a second; `None`: as many as come.
    pub capacity_per_s: Option<f64>,
    /// When the client's kernel sends a SYN again, in s from the first.
    pub syn_steps_s: Vec<f64>,
    /// When it sends data again, in s from the first time.
    pub data_steps_s: Vec<f64>,
}

/// How users are connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Connections {
    /// So many that are kept open; a call that finds none free waits for one.
    KeptAlive(u32),
    /// A new one for each call.
    Fresh,
}

/// What a population feels of an outage.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct Felt {
    /// Calls that are given up.
    pub failed: u64,
    /// Calls that are answered, but [late](Users::late_beyond_s).
    pub late: u64,
    /// Between the last good reply before and the first one after, in s: the outage that clients
    /// see. `None`: no call that began in it, or within three timeouts after it, was answered.
    pub outage_s: Option<f64>,
    /// From the end of the outage until calls take their usual time again, in s; `None`: they never
    /// do, since the service cannot keep up.
    pub recovery_s: Option<f64>,
    /// The longest response time of a call that was answered, from when it was due, in s.
    pub longest_response_s: f64,
}

impl Users {
    /// With a timeout of 10 s, calls that take 1 ms, a service that answers as many as come, and
    /// the steps of Linux since 6.5.
    #[must_use]
    pub fn new(rate_per_s: f64, connections: Connections) -> Self {
        Self {
            rate_per_s,
            connections,
            timeout_s: 10.0,
            usual_s: 0.001,
            late_beyond_s: None,
            capacity_per_s: None,
            syn_steps_s: SYN_STEPS_S.to_vec(),
            data_steps_s: DATA_STEPS_S.to_vec(),
        }
    }

    /// After which a call is given up, in s.
    #[must_use]
    pub fn with_timeout_s(mut self, timeout_s: f64) -> Self {
        self.timeout_s = timeout_s;
        self
    }

    /// What a call takes where nothing is wrong, in s.
    #[must_use]
    pub fn with_usual_s(mut self, usual_s: f64) -> Self {
        self.usual_s = usual_s;
        self
    }

    /// A call that takes longer is late, in s: the band of a report is twice the 95th percentile of
    /// before.
    #[must_use]
    pub fn with_late_beyond_s(mut self, late_beyond_s: f64) -> Self {
        self.late_beyond_s = Some(late_beyond_s);
        self
    }

    /// Calls that the service can answer in a second: the saturation that a sweep has found.
    #[must_use]
    pub fn with_capacity_per_s(mut self, capacity_per_s: f64) -> Self {
        self.capacity_per_s = Some(capacity_per_s);
        self
    }

    /// When the clients' kernel sends a SYN and data again, in s from the first time, rising.
    #[must_use]
    pub fn with_steps_s(mut self, syn: &[f64], data: &[f64]) -> Self {
        (self.syn_steps_s, self.data_steps_s) = (syn.to_vec(), data.to_vec());
        self
    }

    pub(super) fn check(&self, outage_s: f64) -> Result<(), ModelError> {
        positive("the rate of calls", self.rate_per_s)?;
        positive("the timeout", self.timeout_s)?;
        not_negative("the usual time of a call", self.usual_s)?;
        if let Some(late_beyond_s) = self.late_beyond_s {
            // Or no call would ever be in time again.
            not_negative("what a late call takes beyond the usual", late_beyond_s - self.usual_s)?;
        }
        not_negative("the outage", outage_s)?;
        if let Some(capacity) = self.capacity_per_s {
            positive("the capacity of the service", capacity)?;
        }
        if let Connections::KeptAlive(connections) = self.connections {
            positive("the number of connections", f64::from(connections))?;
            if f64::from(connections) > MOST_CALLS {
                let what = "the number of connections";
                let value = f64::from(connections);
                return Err(ModelError { what, range: "at most 1,000,000", value });
            }
            // Without any outage they would fall behind further and further.
            let at_once = self.rate_per_s * self.usual_s;
            if at_once > f64::from(connections) {
                let what = "calls under way at a time (the rate times the usual time)";
                let range = "at most as many as there are connections";
                return Err(ModelError { what, range, value: at_once });
            }
        }
        let calls = self.rate_per_s * (outage_s + self.timeout_s);
        if calls > MOST_CALLS {
            let what = "calls that are due in an outage and a timeout";
            return Err(ModelError { what, range: "at most 1,000,000", value: calls });
        }
        Ok(())
    }

    /// When a packet that is first sent at `at` comes through.
    pub(super) fn comes(&self, at: f64, outage_s: f64, steps: &[f64]) -> Option<f64> {
        let is_through = |sent: &f64| *sent >= outage_s;
        std::iter::once(at).chain(steps.iter().map(|step| at + step)).find(is_through)
    }
}
