//! One migration at one bandwidth, and what can be said of all of them.

use super::evacuation::{Evacuation, Machine, Overhead, Strategies};
use crate::model::migration::{Dirtying, PostCopy, PreCopy, Prediction};
use crate::model::strategy::Strategy;

/// Of QEMU, in s: where neither the outage nor the downtime is limited.
const QEMUS_DOWNTIME_S: f64 = 0.3;

/// So often a bandwidth is halved or doubled, and the interval halved afterwards, in the search for
/// the least one.
const HALVINGS: u32 = 40;

/// What a migration depends on, beside its bandwidth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Traits {
    pub(super) to_send: f64,
    pub(super) dirtying: Dirtying,
    pub(super) requests: f64,
    pub(super) strategies: Strategies,
    pub(super) overhead: Overhead,
    /// Infinite: no limit.
    pub(super) outage_s: f64,
    /// The highest limit on the downtime, without the load; not above 0: there is none.
    pub(super) downtime_s: f64,
}

/// One migration at one bandwidth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Course {
    pub(super) bandwidth: f64,
    pub(super) strategy: Strategy,
    /// Told to the hypervisor.
    pub(super) downtime_limit_s: f64,
    pub(super) downtime_s: f64,
    pub(super) outage_s: f64,
    pub(super) pulling_s: f64,
    pub(super) total_s: f64,
    pub(super) sent: f64,
    pub(super) lost_calls: f64,
}

impl Traits {
    pub(super) fn of(machine: &Machine, evacuation: &Evacuation) -> Self {
        let (limits, overhead) = (&evacuation.limits, evacuation.overhead);
        let outage_s = machine.outage_s.or(limits.outage_s).unwrap_or(f64::INFINITY);
        let left_s = outage_s - overhead.settle_s - overhead.load_s;
        let default = if left_s.is_finite() { left_s } else { QEMUS_DOWNTIME_S };
        Self {
            to_send: machine.to_send,
            dirtying: machine.dirtying,
            requests: machine.requests,
            strategies: machine.strategies,
            overhead,
            outage_s,
            downtime_s: limits.downtime_s.unwrap_or(default).min(left_s),
        }
    }

    /// With a part of the highest limit on the downtime; `None`: at this bandwidth it does not come
    /// to an end, or not within its limit on the outage.
    pub(super) fn course(&self, bandwidth: f64, part: f64) -> Option<Course> {
        let pre_copy = || self.pre_copy(bandwidth, self.downtime_s * part);
        match self.strategies {
            Strategies::PreCopy => pre_copy(),
            Strategies::PostCopy => self.post_copy(bandwidth),
            Strategies::Any => pre_copy().or_else(|| self.post_copy(bandwidth)),
        }
    }

    fn pre_copy(&self, bandwidth: f64, limit_s: f64) -> Option<Course> {
        if limit_s <= 0.0 {
            return None;
        }
        let model = PreCopy::new(self.to_send, bandwidth, self.dirtying)
            .with_limit_s(limit_s)
            .with_load_s(self.overhead.load_s);
        let prediction = model.by_slots().ok().filter(|of| of.converges)?;
        self.held(Strategy::PreCopy, bandwidth, limit_s, &prediction)
    }

    fn post_copy(&self, bandwidth: f64) -> Option<Course> {
        let model = PostCopy::new(self.to_send, bandwidth, self.overhead.device_state)
            .with_resume_s(self.overhead.load_s);
        let prediction = model.predict().ok()?;
        self.held(Strategy::PostCopy, bandwidth, self.downtime_s, &prediction)
    }

    fn held(
        &self,
        strategy: Strategy,
        bandwidth: f64,
        downtime_limit_s: f64,
        prediction: &Prediction,
    ) -> Option<Course> {
        let outage_s = self.overhead.outage_s(strategy, prediction.downtime_s)?;
        (outage_s <= self.outage_s).then_some(Course {
            bandwidth,
            strategy,
            downtime_limit_s,
            downtime_s: prediction.downtime_s,
            outage_s,
            pulling_s: prediction.pulling_s,
            total_s: self.overhead.prepare_s + prediction.total_s,
            sent: prediction.sent,
            lost_calls: self.requests * outage_s,
        })
    }

    /// What is sent at the least, at any bandwidth up to this one, whatever the slots.
    ///
    /// By the slot rule all that was dirtied in a pass is sent. The first lasts `V/R − L` at the
    /// least (what is left then is below `R L`), with L the limit on the downtime, and dirties
    /// `d(t)`: that much is left, and so on. From the second pass on up to `R L` of the working set
    /// is dirty already, which takes `1 − R L/W` of what is added. All of these fall with R, and
    /// with L.
    pub(super) fn least_sent(&self, bandwidth: f64) -> f64 {
        let once = self.to_send;
        let by_post_copy = once + self.overhead.device_state;
        match self.strategies {
            Strategies::PreCopy => self.least_by_pre_copy(bandwidth),
            Strategies::PostCopy => by_post_copy,
            Strategies::Any => self.least_by_pre_copy(bandwidth).min(by_post_copy),
        }
    }

    fn least_by_pre_copy(&self, bandwidth: f64) -> f64 {
        let dirtying = Dirtying { base: 0.0, ..self.dirtying };
        let limit_s = self.downtime_s.max(0.0);
        let waiting = bandwidth * limit_s / dirtying.working_set.max(f64::MIN_POSITIVE);
        let (mut sent, mut left, mut added) = (self.to_send, self.to_send, 1.0);
        // What does not come to an end is refused elsewhere.
        for _ in 0..1000 {
            let length_s = left / bandwidth - limit_s;
            if length_s <= 0.0 {
                break;
            }
            left = dirtying.dirtied(length_s);
            sent += left * added;
            added = (1.0 - waiting).max(0.0);
        }
        sent
    }

    /// What it takes at the least, at any bandwidth up to this one, in s.
    pub(super) fn least_s(&self, bandwidth: f64) -> f64 {
        let around_s = self.overhead.prepare_s + self.overhead.load_s;
        self.least_sent(bandwidth) / bandwidth + around_s
    }

    /// From which bandwidth on it comes to an end within its limits, found by halving: up to a
    /// thousandth above the least. The search begins at `from`, and goes up to a million times that;
    /// `None`: not even there.
    pub(super) fn least_bandwidth(&self, from: f64) -> Option<f64> {
        let holds = |bandwidth: f64| self.course(bandwidth, 1.0).is_some();
        let mut high = from;
        for _ in 0..20 {
            if holds(high) {
                break;
            }
            high *= 2.0;
        }
        let mut low = high;
        for _ in 0..HALVINGS {
            if !holds(low) {
                break;
            }
            (low, high) = (low / 2.0, low);
        }
        while high > low * 1.001 {
            let middle = low.midpoint(high);
            let of_those = if holds(middle) { &mut high } else { &mut low };
            *of_those = middle;
            if high < from * 1e-9 {
                break;
            }
        }
        holds(high).then_some(high)
    }
}
