//! Predictions from what was recorded.

use std::collections::BTreeMap;

use super::availability::MeasuredOutages;
use super::document::CellPrediction;
use super::pilot::{FitReport, Pilot};
use crate::model::fit::{Fit, FitError, Parameter, Recording};
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
    let mut scenario = Scenario::new(pre_copy.memory, pre_copy.bandwidth, pre_copy.dirtying)
        .with_bandwidths(
            pre_copy.stop_bandwidth,
            known(Parameter::PushBandwidth).unwrap_or(pre_copy.bandwidth),
        )
        .with_limit_s(pre_copy.limit_s)
        .with_times_s(known(Parameter::PrepareS).unwrap_or(0.0), pre_copy.load_s)
        .with_settle_s(
            settle_s(fit, Strategy::PreCopy).unwrap_or(0.0),
            settle_s(fit, Strategy::PostCopy),
        );
    for users in fit.users.iter().filter(|users| users.moved == Strategy::PreCopy) {
        for population in &users.populations {
            let named = Population::new(population.name.clone(), population.users(users.timeout_s));
            scenario = scenario.with_population(named);
        }
    }
    Ok(scenario)
}

/// From the resume until a service answers all of its users, in s.
fn settle_s(fit: &Fit, moved: Strategy) -> Option<f64> {
    let users = fit.users.iter().find(|users| users.moved == moved)?;
    let settles = users.populations.iter().filter_map(|of| Some(of.settle_s.as_ref()?.value));
    settles.max_by(f64::total_cmp)
}

fn forecast(
    fit: &Fit,
    scenario: Option<&Scenario>,
    strategy: Strategy,
) -> Result<Forecast, FitError> {
    let prediction = fit.predict(strategy)?;
    let users = fit.users.iter().find(|users| users.moved == strategy);
    // Of a strategy that was not recorded that of one whose machine resumes in the same way; else
    // the least that there is.
    let alike = match strategy {
        Strategy::Hybrid => [Strategy::Hybrid, Strategy::PostCopy, Strategy::PreCopy],
        Strategy::PostCopy => [Strategy::PostCopy, Strategy::Hybrid, Strategy::PreCopy],
        _ => [strategy, Strategy::PreCopy, Strategy::StopAndCopy],
    };
    let settle_s = alike.into_iter().find_map(|one| settle_s(fit, one));
    let outage_s = prediction.downtime_s + settle_s.unwrap_or(0.0);
    let mut forecast = Forecast::new(strategy, prediction, outage_s);
    if strategy == Strategy::PreCopy {
        forecast.converging_share = Some(fit.converging_share()?);
    }
    if !forecast.prediction.converges {
        return Ok(forecast);
    }
    match users {
        Some(users) => {
            for population in &users.populations {
                let settle_s = population.settle_s.as_ref().map_or(0.0, |of| of.value);
                let outage_s = forecast.prediction.downtime_s + settle_s;
                let felt = population.users(users.timeout_s).feel(outage_s)?;
                forecast.felt.push(FeltBy::new(population.name.clone(), felt));
            }
            let expected = users.feel(&forecast.prediction)?;
            forecast.expected_lost = expected.lost;
            forecast.expected_late = expected.late;
        }
        None => {
            if let Some(scenario) = scenario {
                forecast.felt = scenario.feel(outage_s)?;
            }
        }
    }
    Ok(forecast)
}

impl MeasuredOutages {
    /// Those of the recordings of machines that were moved in one way: of each the longest of its
    /// populations.
    #[must_use]
    pub fn of(moved: Strategy, recordings: &[Recording]) -> Self {
        let longest = |one: &Recording| {
            let felt = one.felt.as_ref()?;
            felt.populations.iter().filter_map(|of| of.outage_s).max_by(f64::total_cmp)
        };
        let of_it = recordings.iter().filter(|one| one.moved == moved);
        Self { strategy: moved.name().to_owned(), outages_s: of_it.filter_map(longest).collect() }
    }
}
