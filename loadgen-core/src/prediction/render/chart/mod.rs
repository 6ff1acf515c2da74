//! The charts of a prediction as SVG. What they need beyond the document, the models say again.

mod axis;
mod bandwidth;
mod map;
mod rounds;
mod validation;

use crate::model::Strategy;
use crate::prediction::document::{CellPrediction, PredictionReport};

/// Machines that have charts; with more, nobody would look at them.
const MOST: usize = 8;

/// Kinds of users whose calls are gone through for a map: a document can hold any number of them.
const MOST_POPULATIONS: usize = 8;

/// One chart, and what it shows.
pub(super) struct Figure {
    pub(super) title: String,
    pub(super) caption: String,
    /// The back end's message if it could not be drawn, which does not happen in practice.
    pub(super) svg: Result<String, String>,
}

/// All charts.
pub(super) fn figures(report: &PredictionReport) -> Vec<Figure> {
    let several = report.predictions.len() > 1;
    let mut figures = Vec::new();
    for prediction in report.predictions.iter().take(MOST) {
        let of = if several { format!(": {}", prediction.levels()) } else { String::new() };
        figures.extend(rounds::figure(prediction, &of));
        figures.extend(bandwidth::figure(prediction, &of));
        figures.extend(map::figure(prediction, report.limits.limits(), &of));
    }
    figures.extend(validation::figures(report));
    figures
}

/// The strategies of a prediction, each once: a document can hold any number of them.
fn strategies(prediction: &CellPrediction) -> Vec<Strategy> {
    let is_there =
        |of: &Strategy| prediction.strategies.iter().any(|one| one.strategy == of.name());
    Strategy::ALL.into_iter().filter(is_there).collect()
}

/// Which outages in a chart are only known to be no less.
fn of_bounds(prediction: &CellPrediction) -> String {
    let least = prediction.strategies.iter().filter(|of| of.outage_is_least);
    let names: Vec<&str> = least.map(|of| of.strategy.as_str()).take(4).collect();
    if names.is_empty() {
        return String::new();
    }
    format!(
        " The outage of {} is the least that it can be, and stands back behind the others.",
        names.join(" and ")
    )
}

/// What a chart of a recorded machine leaves out.
fn of_whom(prediction: &CellPrediction) -> &'static str {
    match prediction.fit {
        Some(_) => {
            " Drawn from what is known of the machine in pre-copy, for all strategies alike."
        }
        None => "",
    }
}
