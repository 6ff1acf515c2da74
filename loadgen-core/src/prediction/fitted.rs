//! Predictions from what was recorded.

use std::collections::BTreeMap;

use super::document::{CellPrediction, FitReport};
use crate::model::fit::{Fit, FitError, Moved, Parameter, Validation};
use crate::model::strategies::{FeltBy, Forecast, Limits, Population, Scenario, Strategy};

impl CellPrediction {
    /// What these strategies would cost a machine that was recorded, and which is best under limits.
    /// A strategy that was recorded is predicted by its own recordings; another one by what is
    /// known of the machine and the link. Of one that needs what is not known the reason is kept.
    ///
    /// # Errors
    /// [`FitError`] if nothing can be predicted at all.
    pub fn of_fit(
        cell: BTreeMap<String, String>,
        fit: &Fit,
        validation: &Validation,
        strategies: &[Strategy],
        limits: &Limits,
    ) -> Result<Self, FitError> {
        let scenario = scenario(fit);
        let (mut forecasts, mut left_out) = (Vec::new(), Vec::new());
        for strategy in strategies {
            match forecast(fit, scenario.as_ref().ok(), *strategy) {
                Ok(forecast) => forecasts.push(forecast),
                Err(error) => left_out.push((*strategy, error)),
            }
        }
        if let (true, Some((_, error))) = (forecasts.is_empty(), left_out.first()) {
            return Err(error.clone());
        }
        let left_out = left_out.into_iter().map(|(strategy, e)| (strategy, e.to_string()));
        let mut prediction =
            Self::of_forecasts(scenario.ok().as_ref(), &forecasts, left_out.collect(), limits)?;
        prediction.cell = cell;
        prediction.fit = Some(FitReport::new(fit, validation));
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
            settle_s(fit, Moved::PreCopy).unwrap_or(0.0),
            settle_s(fit, Moved::PostCopy).unwrap_or(0.0),
        );
    for users in fit.users.iter().filter(|users| users.moved == Moved::PreCopy) {
        for population in &users.populations {
            let named = Population::new(population.name.clone(), population.users(users.timeout_s));
            scenario = scenario.with_population(named);
        }
    }
    Ok(scenario)
}

/// From the resume until a service answers all of its users, in s.
fn settle_s(fit: &Fit, moved: Moved) -> Option<f64> {
    let users = fit.users.iter().find(|users| users.moved == moved)?;
    let settles = users.populations.iter().filter_map(|of| Some(of.settle_s.as_ref()?.value));
    settles.max_by(f64::total_cmp)
}

fn forecast(
    fit: &Fit,
    scenario: Option<&Scenario>,
    strategy: Strategy,
) -> Result<Forecast, FitError> {
    let moved = match strategy {
        Strategy::StopAndCopy => Some(Moved::StopAndCopy),
        Strategy::PreCopy => Some(Moved::PreCopy),
        Strategy::PostCopy => Some(Moved::PostCopy),
        Strategy::Hybrid => None,
    };
    let is_recorded = moved.is_some_and(|moved| fit.users.iter().any(|of| of.moved == moved));
    let prediction = match moved {
        Some(moved) => fit.predict(moved)?,
        None => fit.hybrid()?.predict()?,
    };
    let settle_s = match (moved, strategy) {
        (Some(moved), _) if is_recorded => settle_s(fit, moved),
        (_, Strategy::Hybrid) => settle_s(fit, Moved::PostCopy),
        _ => settle_s(fit, Moved::PreCopy),
    };
    let outage_s = prediction.downtime_s + settle_s.unwrap_or(0.0);
    let mut forecast = Forecast::new(strategy, prediction, outage_s);
    if !forecast.prediction.converges {
        return Ok(forecast);
    }
    match moved.and_then(|moved| fit.users.iter().find(|users| users.moved == moved)) {
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
