//! What strategies are compared by, and what it may be at most.

use super::forecast::Forecast;

/// What a strategy may cost at most. Where nothing is said there is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// How long the machine may stand still, in s.
    pub downtime_s: Option<f64>,
    /// How long its service may not answer, in s.
    pub outage_s: Option<f64>,
    /// How long all of it may take, in s.
    pub total_s: Option<f64>,
    /// What may be sent, in bytes.
    pub sent: Option<f64>,
    /// Calls of all users that may be lost.
    pub lost_calls: Option<f64>,
    /// Calls of all users that may be late.
    pub late_calls: Option<f64>,
}

/// A figure of a strategy that is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Figure {
    /// Calls of all users that are given up.
    LostCalls,
    /// Calls of all users that are late.
    LateCalls,
    /// How long the service does not answer, in s.
    Outage,
    /// How long the machine stands still, in s.
    Downtime,
    /// All of it, in s.
    Total,
    /// All that is sent, in bytes.
    Sent,
}

impl Figure {
    /// In the order in which they matter to whoever has said no limit on them: what users feel
    /// first.
    pub const ALL: [Self; 6] =
        [Self::LostCalls, Self::LateCalls, Self::Outage, Self::Downtime, Self::Total, Self::Sent];

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LostCalls => "lost calls",
            Self::LateCalls => "late calls",
            Self::Outage => "outage",
            Self::Downtime => "downtime",
            Self::Total => "total time",
            Self::Sent => "bytes sent",
        }
    }

    /// Its value; `None`: nothing is known of it.
    #[must_use]
    pub fn of(self, forecast: &Forecast) -> Option<f64> {
        match self {
            Self::LostCalls => forecast.lost_calls(),
            Self::LateCalls => forecast.late_calls(),
            Self::Outage => Some(forecast.outage_s),
            Self::Downtime => Some(forecast.prediction.downtime_s),
            Self::Total => Some(forecast.prediction.total_s),
            Self::Sent => Some(forecast.prediction.sent),
        }
    }

    /// Of calls what recordings let expect, with those that no outage explains, where they tell it.
    pub(super) fn expected(self, forecast: &Forecast) -> Option<f64> {
        match self {
            Self::LostCalls => forecast.expected_lost,
            Self::LateCalls => forecast.expected_late,
            _ => None,
        }
    }

    /// Whether it is one of what users feel, and not of the machine.
    pub(super) fn is_of_users(self) -> bool {
        matches!(self, Self::LostCalls | Self::LateCalls | Self::Outage)
    }

    /// Whether its value is known to be no less than it is, and may be more.
    pub(super) fn is_least(self, forecast: &Forecast) -> bool {
        match self {
            Self::LostCalls | Self::LateCalls => forecast.calls_are_least,
            Self::Outage => forecast.outage_is_least,
            Self::Downtime | Self::Total | Self::Sent => false,
        }
    }

    /// By how much two of them must differ for a model to tell them apart: what predictions are to
    /// hold. 10 % of times and bytes; 25 % or 20 ms of outages and downtimes; 25 % or 5 calls.
    #[must_use]
    pub fn tolerance(self, value: f64) -> f64 {
        let (share, least) = match self {
            Self::LostCalls | Self::LateCalls => (0.25, 5.0),
            Self::Outage | Self::Downtime => (0.25, 0.02),
            Self::Total | Self::Sent => (0.1, 0.0),
        };
        (share * value.abs()).max(least)
    }

    /// Its limit.
    #[must_use]
    pub fn limit(self, limits: &Limits) -> Option<f64> {
        match self {
            Self::LostCalls => limits.lost_calls,
            Self::LateCalls => limits.late_calls,
            Self::Outage => limits.outage_s,
            Self::Downtime => limits.downtime_s,
            Self::Total => limits.total_s,
            Self::Sent => limits.sent,
        }
    }
}
