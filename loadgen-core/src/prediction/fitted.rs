//! Predictions from what was recorded.

use std::collections::BTreeMap;

use super::availability::MeasuredOutages;
use super::document::CellPrediction;
use super::pilot::{FitReport, Pilot};
use crate::model::fit::{
    Fit, FitError, Fitted, FittedPopulation, Known, Parameter, RecordedPopulation, Recording,
};
use crate::model::strategies::{FeltBy, Forecast, Limits, Population, Scenario};
use crate::model::{ModelError, Strategy};

impl CellPrediction {
    /// What these strategies would cost a machine that was recorded, and which is best under limits.
    /// A strategy that was recorded is predicted by its own recordings; another one by what is
    /// known of the machine and the link. Of one that needs what is not known the reason is kept.
    ///
    /// # Errors
    /// [`ModelError`] for a number that is out of its range.
    pub fn of_fit(
        pilot: &Pilot<'_>,
        strategies: &[Strategy],
        limits: &Limits,
    ) -> Result<Self, ModelError> {
        let said = pilot.said.iter();
        let fit = said
            .fold(pilot.fit.clone(), |fit, (parameter, value)| fit.with_value(*parameter, *value));
        let scenario = scenario(&fit);
        let (mut forecasts, mut left_out) = (Vec::new(), BTreeMap::new());
        for strategy in strategies {
            match forecast(&fit, scenario.as_ref().ok(), *strategy) {
                Ok(forecast) => forecasts.push(forecast),
                Err(error) => drop(left_out.insert(*strategy, error.to_string())),
            }
        }
        let mut prediction =
            Self::of_forecasts(scenario.ok().as_ref(), &forecasts, left_out, limits)?;
        prediction.cell = pilot.cell.clone();
        prediction.fit = Some(FitReport::new(pilot));
        Ok(prediction)
    }
}

/// What is known of the machine and the link, whatever the strategy.
fn scenario(fit: &Fit) -> Result<Scenario, FitError> {
    let pre_copy = fit.pre_copy()?;
    let known = |parameter: Parameter| fit.value(parameter).ok();
    let [whole, following] = [Strategy::PreCopy, Strategy::PostCopy].map(|of| settle_of(fit, of));
    let mut scenario = Scenario::new(pre_copy.memory, pre_copy.bandwidth, pre_copy.dirtying)
        .with_bandwidths(
            pre_copy.stop_bandwidth,
            known(Parameter::PushBandwidth)
                .or_else(|| known(Parameter::HybridPushBandwidth))
                .unwrap_or(pre_copy.bandwidth),
        )
        .with_limit_s(pre_copy.limit_s)
        .with_times_s(known(Parameter::PrepareS).unwrap_or(0.0), pre_copy.load_s)
        .with_settle_s(
            whole.s,
            // The least that it can be stands for nothing.
            Some(following.s).filter(|_| !following.is_least),
        )
        .with_settle_is_least(whole.is_least);
    for users in fit.users.iter().filter(|users| users.moved == Strategy::PreCopy) {
        for population in &users.populations {
            let named = Population::new(population.name.clone(), population.users(users.timeout_s));
            scenario = scenario.with_population(named);
        }
    }
    Ok(scenario)
}

/// From the resume until a service answers all of its users.
#[derive(Debug, Clone, Copy)]
struct Settle {
    s: f64,
    /// Whether it may take longer.
    is_least: bool,
}

/// As recordings of one strategy tell it, if they do.
fn settle(fit: &Fit, moved: Strategy) -> Option<Settle> {
    let users = fit.users.iter().find(|users| users.moved == moved)?;
    let settles = || users.populations.iter().map(|of| of.settle_s.as_ref());
    let s = settles().flatten().map(|settle| settle.value).max_by(f64::total_cmp)?;
    let is_whole = |of: Option<&Fitted>| of.is_some_and(|of| of.known != Known::AtLeast);
    Some(Settle { s, is_least: !settles().all(is_whole) })
}

/// Of a strategy that was not recorded that of one whose machine resumes in the same way. Where
/// memory follows it takes no less than where all is there.
fn settle_of(fit: &Fit, strategy: Strategy) -> Settle {
    let of = |one: Strategy| settle(fit, one);
    let whole = || of(Strategy::PreCopy).or_else(|| of(Strategy::StopAndCopy));
    let alike = match strategy {
        Strategy::Hybrid => of(Strategy::PostCopy),
        Strategy::PostCopy => of(Strategy::Hybrid),
        Strategy::PreCopy | Strategy::StopAndCopy => whole(),
    };
    let least = || Settle { s: whole().map_or(0.0, |settle| settle.s), is_least: true };
    of(strategy).or(alike).unwrap_or_else(least)
}

fn forecast(
    fit: &Fit,
    scenario: Option<&Scenario>,
    strategy: Strategy,
) -> Result<Forecast, FitError> {
    let prediction = fit.predict(strategy)?;
    let settle = settle_of(fit, strategy);
    let outage_s = prediction.downtime_s + settle.s;
    let mut forecast = Forecast::new(strategy, prediction, outage_s);
    (forecast.outage_is_least, forecast.calls_are_least) = (settle.is_least, true);
    if strategy == Strategy::PreCopy {
        forecast.converging_share = Some(fit.converging_share()?);
    }
    if !forecast.prediction.converges {
        return Ok(forecast);
    }
    let Some(users) = fit.users.iter().find(|users| users.moved == strategy) else {
        let felt = scenario.map_or(Ok(Vec::new()), |scenario| scenario.feel(outage_s));
        return Ok(forecast.felt_by(felt));
    };
    let feel = |population: &FittedPopulation| {
        let settle_s = population.settle_s.as_ref().map_or(settle.s, |of| of.value);
        let outage_s = forecast.prediction.downtime_s + settle_s;
        let felt = population.users(users.timeout_s).feel(outage_s)?;
        Ok::<_, ModelError>(FeltBy::new(population.name.clone(), felt))
    };
    let felt = users.populations.iter().map(feel).collect::<Result<Vec<_>, _>>();
    if felt.is_ok() {
        let expected = users.feel(&forecast.prediction)?;
        (forecast.expected_lost, forecast.expected_late) = (expected.lost, expected.late);
        let is_told = expected.lost.is_some() && expected.late.is_some();
        forecast.calls_are_least = settle.is_least || expected.is_least || !is_told;
    }
    Ok(forecast.felt_by(felt))
}

impl MeasuredOutages {
    /// Those of the recordings of machines that were moved in one way: of each the longest of its
    /// populations.
    #[must_use]
    pub fn of(moved: Strategy, recordings: &[Recording]) -> Self {
        let of_it = recordings.iter().filter(|one| one.moved == moved);
        let felt = || of_it.clone().filter_map(|one| one.felt.as_ref());
        let is_cut = |of: &RecordedPopulation| of.outage_is_least;
        let (cut, whole): (Vec<_>, Vec<_>) =
            felt().partition(|felt| felt.populations.iter().any(is_cut));
        let outages_s = whole.iter().filter_map(|felt| {
            felt.populations.iter().filter_map(|of| of.outage_s).max_by(f64::total_cmp)
        });
        let outages_s = outages_s.collect();
        Self { strategy: moved.name().to_owned(), outages_s, cut: cut.len() as u64 }
    }
}
