//! What a prediction says first: what it is of, and the answer in words.

use super::figure::value;
use super::fitted;
use crate::model::fit::Known;
use crate::model::strategies::Figure;
use crate::prediction::document::{CellPrediction, PredictionReport};
use crate::prediction::input::{PredictedPopulation, PredictionInput};
use crate::prediction::limits::key;
use crate::prediction::strategy::{BestStrategy, PredictedStrategy, UnjudgedLimit};
use crate::prediction::thresholds::PredictionThresholds;
use crate::report::sections::cell;

pub(super) fn title(report: &PredictionReport) -> String {
    match report.predictions.as_slice() {
        [_] => "Prediction: what moving this machine would cost (nothing was moved)".to_owned(),
        all => format!(
            "Prediction for {}: what moving each would cost (nothing was moved)",
            cell::counted(all.len() as u64, "machine")
        ),
    }
}

/// What the prediction is made from.
pub(super) fn lines(report: &PredictionReport) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    let source = match (report.source.kind.as_str(), &report.source.name) {
        ("numbers", _) => "numbers that were given".to_owned(),
        ("recordings", Some(name)) => format!("what was recorded in {name}"),
        ("machine", Some(name)) => format!("what {name} says of itself"),
        (kind, Some(name)) => format!("{kind}: {name}"),
        (kind, None) => kind.to_owned(),
    };
    lines.push(("from", source));
    if let [only] = report.predictions.as_slice() {
        lines.extend(only.input.iter().flat_map(of_input));
    }
    let limits = report.limits.limits();
    let limits: Vec<String> = Figure::ALL
        .into_iter()
        .filter_map(|figure| {
            let limit = figure.limit(&limits)?;
            Some(format!("{} up to {}", figure.name(), value(figure, limit)))
        })
        .collect();
    if !limits.is_empty() {
        lines.push(("limits", limits.join(", ")));
    }
    lines
}

fn of_input(input: &PredictionInput) -> Vec<(&'static str, String)> {
    let bytes = |bytes: f64| cell::bytes(bytes as u64);
    let mut memory = format!("{} to send", bytes(input.memory_bytes));
    if (input.first_ratio, input.later_ratio) != (1.0, 1.0) {
        memory.push_str(&format!(
            ", of which {} % go over the wire in the first pass and {} % in later ones",
            cell::fixed(input.first_ratio * 100.0, 0),
            cell::fixed(input.later_ratio * 100.0, 0)
        ));
    }
    let mut dirtied = cell::throughput(input.dirty_bytes_per_s);
    if let Some(set) = input.working_set_bytes {
        let order = match input.pattern.as_str() {
            "round-robin" => "page after page",
            _ => "in any order",
        };
        dirtied.push_str(&format!(" within {}, {order}", bytes(set)));
    }
    if input.base_bytes > 0.0 {
        dirtied.push_str(&format!(", and {} that are always dirty", bytes(input.base_bytes)));
    }
    let mut link = cell::throughput(input.bandwidth_bytes_per_s);
    let others = [
        ("while it stands still", input.stop_bandwidth_bytes_per_s),
        ("after it", input.push_bandwidth_bytes_per_s),
    ];
    for (when, rate) in others.into_iter().filter(|of| of.1 != input.bandwidth_bytes_per_s) {
        link.push_str(&format!(", {} {when}", cell::throughput(rate)));
    }
    link.push_str(&format!(
        "; downtime limit of pre-copy {}",
        cell::millis(input.downtime_limit_s * 1e3)
    ));
    let mut lines = vec![("memory", memory), ("dirtied", dirtied), ("link", link)];
    let times: Vec<String> = [
        (input.prepare_s, "to prepare"),
        (input.resume_s, "to resume"),
        (input.settle_s, "until the service answers then"),
        (input.faulting_s.unwrap_or(0.0), "until it answers where memory follows"),
    ]
    .into_iter()
    .zip([false, false, input.settle_is_least, false])
    .filter(|((s, _), _)| *s > 0.0)
    .map(|((s, what), is_least)| {
        format!("{} {what}", cell::at_least(is_least, cell::millis(s * 1e3)))
    })
    .collect();
    if !times.is_empty() {
        lines.push(("times", times.join(", ")));
    }
    lines.extend(input.populations.iter().map(|of| ("users", of_population(of))));
    lines
}

fn of_population(population: &PredictedPopulation) -> String {
    let connections = match population.connections {
        Some(n) => format!("{} kept open", cell::counted(u64::from(n), "connection")),
        None => "a new connection for each".to_owned(),
    };
    let capacity = match population.capacity_per_s {
        Some(most) => format!("; the service answers at most {}", cell::rate(most)),
        None => String::new(),
    };
    format!(
        "{}: {}, {connections}, given up after {}, usually answered in {}{capacity}",
        population.name,
        cell::rate(population.rate_per_s),
        cell::setting(population.timeout_s),
        cell::millis(population.usual_s * 1e3)
    )
}

/// The answer in words.
pub(super) fn answers(report: &PredictionReport) -> Vec<String> {
    let mut answers = Vec::new();
    for prediction in &report.predictions {
        let name = prediction.before();
        answers.push(format!("{name}{}", best(prediction)));
        answers.extend(maybe_better(prediction).map(|said| format!("{name}{said}")));
        for endless in prediction.strategies.iter().filter(|of| !of.converges) {
            answers.push(format!("{name}{}", does_not_converge(prediction, endless)));
        }
        answers.extend(prediction.strategies.iter().flat_map(|of| {
            let unjudged = of.unjudged.iter().filter_map(|limit| unjudged(of, limit));
            unjudged.map(|said| format!("{name}{said}"))
        }));
        answers.extend(prediction.strategies.iter().filter_map(|of| {
            let reason = of.users_unknown.as_ref()?;
            let strategy = &of.strategy;
            Some(format!("{name}it cannot be told what users would feel of {strategy}: {reason}"))
        }));
        answers.extend(margin(prediction).map(|margin| format!("{name}{margin}")));
        answers.extend(bounds(prediction).into_iter().map(|bound| format!("{name}{bound}")));
        for (strategy, reason) in &prediction.left_out {
            answers.push(format!("{name}nothing can be said of {strategy}: {reason}"));
        }
    }
    answers
}

fn best(prediction: &CellPrediction) -> String {
    let Some(best) = &prediction.best else {
        return prediction.why_none_is_best().to_owned();
    };
    let of_best = prediction.strategies.iter().find(|of| of.strategy == best.strategy);
    let figures = of_best.map_or_else(String::new, |of| {
        format!(
            ": {} in all, {} without an answer",
            cell::millis(of.total_s.unwrap_or(0.0) * 1e3),
            cell::at_least(of.outage_is_least, cell::millis(of.outage_s.unwrap_or(0.0) * 1e3))
        )
    });
    let is_least = match best.is_least {
        true => ", as far as its outage is known",
        false => "",
    };
    format!("{} is best{is_least}{figures}{}", best.strategy, lead(prediction, best))
}

/// Those of which nobody knows whether they are better than the best.
fn maybe_better(prediction: &CellPrediction) -> Option<String> {
    let best = prediction.best.as_ref().filter(|best| !best.maybe_better.is_empty())?;
    let named = |name: &String| {
        let of = prediction.strategies.iter().find(|of| of.strategy == *name);
        let least = of.and_then(|of| of.outage_s).unwrap_or(0.0);
        format!("{name} (at least {})", cell::millis(least * 1e3))
    };
    let named: Vec<String> = best.maybe_better.iter().map(named).collect();
    Some(format!(
        "it cannot be told whether {} would be better: of the outage only that much is known",
        named.join(" or ")
    ))
}

fn lead(prediction: &CellPrediction, best: &BestStrategy) -> String {
    if !best.alike.is_empty() {
        return format!("; models cannot tell it from {}", best.alike.join(" and "));
    }
    let Some(lead) = &best.lead else {
        let mut others = prediction.strategies.iter().filter(|of| of.strategy != best.strategy);
        let breaks = |of: &PredictedStrategy| !of.breaks.is_empty();
        let is_unjudged = |of: &PredictedStrategy| !of.unjudged.is_empty();
        return match (others.clone().any(is_unjudged), others.any(breaks)) {
            (true, _) => "; no other one is known to hold the limits",
            (false, true) if best.maybe_better.is_empty() => "; no other one holds the limits",
            _ => "",
        }
        .to_owned();
    };
    let figure = Figure::ALL.into_iter().find(|figure| key(*figure) == lead.figure);
    let Some(figure) = figure else { return String::new() };
    format!(
        "; by {}: {} against {} of {}",
        figure.name(),
        value(figure, lead.value),
        lead.next_value.map_or_else(
            || "more than can be gone through".to_owned(),
            |next_value| value(figure, next_value)
        ),
        lead.next
    )
}

/// A limit that a strategy may hold or not.
fn unjudged(of: &PredictedStrategy, limit: &UnjudgedLimit) -> Option<String> {
    let figure = Figure::ALL.into_iter().find(|figure| key(*figure) == limit.figure)?;
    let known = match limit.least {
        Some(least) => format!("known is only that it is at least {}", value(figure, least)),
        None => "nothing is known of it".to_owned(),
    };
    Some(format!(
        "it cannot be told whether {} holds the limit on the {} ({}): {known}",
        of.strategy,
        figure.name(),
        value(figure, limit.limit)
    ))
}

fn does_not_converge(prediction: &CellPrediction, of: &PredictedStrategy) -> String {
    let ways = prediction.thresholds.as_ref().map(ways).unwrap_or_default();
    let ways = match ways.as_slice() {
        [] => "nothing that is in these numbers would change that".to_owned(),
        ways => format!("it would with {}", ways.join(", or with ")),
    };
    format!("{} does not converge: {ways}", of.strategy)
}

/// Figures are rounded to the side on which it converges.
fn ways(thresholds: &PredictionThresholds) -> Vec<String> {
    let mut ways = Vec::new();
    if let Some(bandwidth) = thresholds.bandwidth_bytes_per_s.value {
        ways.push(format!("a bandwidth of {}", cell::throughput(bandwidth * MORE)));
    }
    if let Some(rate) = thresholds.dirty_bytes_per_s.value {
        ways.push(format!("a dirty rate of at most {}", cell::throughput(rate / MORE)));
    }
    if let Some(limit) = thresholds.downtime_limit_s.value {
        ways.push(format!("a downtime limit of {}", cell::millis(limit * MORE * 1e3)));
    }
    ways
}

/// More than three digits round off.
const MORE: f64 = 1.006;

/// How far pre-copy is from where it would not converge any more, and how sure it is.
fn margin(prediction: &CellPrediction) -> Option<String> {
    let of = prediction.strategies.iter().find(|of| of.strategy == "pre-copy" && of.converges)?;
    let share = of.converging_share.filter(|share| *share < 1.0).map(|share| {
        format!(
            "pre-copy is near the edge: with the scatter of the recordings {} % of runs come to an end",
            cell::fixed(share * 100.0, 0)
        )
    });
    let edge = || {
        let edge = prediction.thresholds.as_ref()?.dirty_bytes_per_s.value?;
        let rate = prediction.input.as_ref()?.dirty_bytes_per_s;
        Some(format!(
            "pre-copy converges up to about {} dirtied, {} times what there is",
            cell::throughput(edge / MORE),
            cell::fixed(edge / rate, 1)
        ))
        .filter(|_| rate > 0.0 && edge / rate < 3.0)
    };
    share.or_else(edge)
}

/// What of a machine is known only from one side.
fn bounds(prediction: &CellPrediction) -> Vec<String> {
    let Some(fit) = &prediction.fit else { return Vec::new() };
    let known = fit.found.known.iter().filter(|(_, fitted)| fitted.known == Known::AtLeast);
    let said = known.filter(|(parameter, _)| !fit.said.contains_key(parameter));
    said.map(|(parameter, fitted)| fitted::bound(*parameter, fitted)).collect()
}
