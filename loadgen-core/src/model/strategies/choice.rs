//! Which strategy is best, under limits.

use super::forecast::Forecast;
use super::strategy::Strategy;

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

/// A limit that a strategy does not hold.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Broken {
    /// Of what.
    pub figure: Figure,
    /// The limit.
    pub limit: f64,
    /// What it would be.
    pub value: f64,
}

/// How far the best strategy is before the next one.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Lead {
    /// The figure that decides.
    pub figure: Figure,
    /// Of the best.
    pub value: f64,
    /// The next one that holds the limits, too.
    pub next: Strategy,
    /// Of that one.
    pub next_value: f64,
}

/// Which strategy is best.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Choice {
    /// The best of those that hold all limits; `None`: none does.
    pub best: Option<Strategy>,
    /// Why it is better than the next; `None`: no other holds the limits, or none differs.
    pub lead: Option<Lead>,
    /// Those that do not converge.
    pub endless: Vec<Strategy>,
    /// Those that break limits, and which.
    pub broken: Vec<(Strategy, Vec<Broken>)>,
}

/// Differences below this share decide nothing: models are not so exact.
const ALIKE: f64 = 0.02;

/// The best of some strategies under limits.
///
/// Those that do not converge or break a limit are out. Of the others the one is best that is
/// least in the first figure of [`Figure::ALL`] without a limit in which two of them differ by
/// more than 2 %: a limit says that up to it all is fine.
///
/// ```
/// use loadgen_core::model::migration::{Dirtying, Pattern};
/// use loadgen_core::model::strategies::{Limits, Scenario, Strategy, choose};
///
/// let dirtying = Dirtying::new(8.0).within(64.0, Pattern::RoundRobin);
/// let forecasts = Scenario::new(512.0, 32.0, dirtying).with_device_state(1.0).forecasts()?;
/// // By the outage alone.
/// assert_eq!(choose(&forecasts, &Limits::default()).best, Some(Strategy::PostCopy));
/// // 512 in a second is more than any can send.
/// let mut limits = Limits::default();
/// limits.total_s = Some(1.0);
/// assert_eq!(choose(&forecasts, &limits).best, None);
/// # Ok::<(), loadgen_core::model::ModelError>(())
/// ```
#[must_use]
pub fn choose(forecasts: &[Forecast], limits: &Limits) -> Choice {
    let mut choice = Choice { best: None, lead: None, endless: Vec::new(), broken: Vec::new() };
    let mut held = Vec::new();
    for forecast in forecasts {
        let broken = broken(forecast, limits);
        if !forecast.prediction.converges {
            choice.endless.push(forecast.strategy);
        } else if broken.is_empty() {
            held.push(forecast);
        } else {
            choice.broken.push((forecast.strategy, broken));
        }
    }
    let deciding = Figure::ALL.into_iter().filter(|figure| figure.limit(limits).is_none());
    // Those that are still alike in all figures so far.
    let mut alike = held;
    for figure in deciding {
        let mut by: Vec<(f64, &Forecast)> =
            alike.iter().filter_map(|forecast| Some((figure.of(forecast)?, *forecast))).collect();
        by.sort_by(|a, b| a.0.total_cmp(&b.0));
        let Some((least, best)) = by.first().copied() else { continue };
        let next = by.iter().find(|(value, _)| value - least > ALIKE * value.abs());
        let Some((next_value, next)) = next.copied() else { continue };
        choice.lead.get_or_insert(Lead { figure, value: least, next: next.strategy, next_value });
        choice.best = Some(best.strategy);
        alike = by.iter().filter(|(value, _)| *value < next_value).map(|(_, of)| *of).collect();
        if alike.len() == 1 {
            break;
        }
    }
    choice.best = alike.first().map(|forecast| forecast.strategy);
    choice
}

fn broken(forecast: &Forecast, limits: &Limits) -> Vec<Broken> {
    let broken = |figure: Figure| {
        let (limit, value) = figure.limit(limits).zip(figure.of(forecast))?;
        (value > limit).then_some(Broken { figure, limit, value })
    };
    Figure::ALL.into_iter().filter_map(broken).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::migration::{Dirtying, Pattern};
    use crate::model::strategies::{Population, Scenario};
    use crate::model::users::{Connections, Users};

    fn forecasts(rate: f64) -> Vec<Forecast> {
        let dirtying = Dirtying::new(rate).within(64.0, Pattern::RoundRobin);
        let users = Users::new(100.0, Connections::Fresh).with_timeout_s(5.0);
        let scenario = Scenario::new(512.0, 32.0, dirtying).with_device_state(1.0);
        scenario.with_population(Population::new("fresh", users)).forecasts().unwrap()
    }

    #[test]
    fn a_limit_takes_its_figure_out_of_the_contest() {
        let mut limits = Limits { lost_calls: Some(0.0), ..Limits::default() };
        let choice = choose(&forecasts(8.0), &limits);
        // 16 s are too long for all; the others lose none, and post-copy makes the fewest late.
        assert_eq!(choice.best, Some(Strategy::PostCopy));
        assert_eq!(choice.lead.unwrap().figure, Figure::LateCalls);
        assert_eq!(choice.broken[0].0, Strategy::StopAndCopy);
        assert_eq!(choice.broken[0].1[0].figure, Figure::LostCalls);
        limits.late_calls = Some(200.0);
        (limits.outage_s, limits.downtime_s) = (Some(0.4), Some(0.4));
        let choice = choose(&forecasts(8.0), &limits);
        // By the time alone.
        assert_eq!(choice.lead.unwrap().figure, Figure::Total);
        assert_eq!(choice.best, Some(Strategy::PostCopy));
    }

    #[test]
    fn what_does_not_end_is_not_chosen() {
        let limits = Limits { total_s: Some(17.0), ..Limits::default() };
        let choice = choose(&forecasts(200.0), &limits);
        assert_eq!(choice.endless, [Strategy::PreCopy]);
        assert_ne!(choice.best, Some(Strategy::PreCopy));
        assert!(choose(&[], &limits).best.is_none());
    }

    #[test]
    fn what_nobody_knows_breaks_no_limit_and_decides_nothing() {
        let dirtying = Dirtying::new(1.0);
        let forecasts = Scenario::new(64.0, 32.0, dirtying).forecasts().unwrap();
        let limits = Limits { lost_calls: Some(0.0), ..Limits::default() };
        let choice = choose(&forecasts, &limits);
        assert_eq!(choice.lead.unwrap().figure, Figure::Outage);
    }
}
