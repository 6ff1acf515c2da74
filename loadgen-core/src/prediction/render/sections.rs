//! The tables of a prediction, which text and HTML lay out alike.

use super::figure::value;
use super::fitted;
use crate::model::strategies::Figure;
use crate::prediction::document::{CellPrediction, PredictionReport};
use crate::prediction::limits::key;
use crate::prediction::strategy::{BrokenLimit, PredictedPass, PredictedStrategy, UnjudgedLimit};
use crate::report::sections::{Section, cell};

/// Passes that the table has at the most; the JSON has more of them.
const MOST_PASSES: usize = 20;

pub(super) fn sections(report: &PredictionReport) -> Vec<Section> {
    let mut sections = vec![costs(report)];
    sections.extend(users(report));
    sections.extend(expected(report));
    if let [only] = report.predictions.as_slice() {
        sections.extend(rounds(only));
    }
    for prediction in &report.predictions {
        sections.extend(prediction.availability.iter().map(|of| {
            let section = of.section();
            Section { title: format!("{}{}", prediction.before(), section.title), ..section }
        }));
    }
    sections.extend(fitted::parameters(report));
    sections.extend(fitted::validation(report));
    sections
}

fn costs(report: &PredictionReport) -> Section {
    let several = report.predictions.len() > 1;
    let mut rows = Vec::new();
    for prediction in &report.predictions {
        for of in &prediction.strategies {
            let ms = |s: Option<f64>| cell::millis_or_none(s.map(|s| s * 1e3));
            let mut row = vec![
                of.strategy.clone(),
                ms(of.total_s),
                ms(of.copying_s),
                ms(of.downtime_s),
                ms(of.pulling_s),
                cell::at_least(of.outage_is_least, ms(of.outage_s)),
                of.sent_bytes.map_or_else(|| cell::NONE.to_owned(), |n| cell::bytes(n as u64)),
                cell::count(of.passes),
                remark(prediction, of),
            ];
            if several {
                row.insert(0, prediction.levels());
            }
            rows.push(row);
        }
    }
    let mut columns = vec![
        "strategy", "total", "copying", "downtime", "pulling", "outage", "sent", "passes", "limits",
    ];
    if several {
        columns.insert(0, "cell");
    }
    Section {
        title: "What each strategy would cost".to_owned(),
        scope: "predicted by models, not measured. Copying: the machine runs at its source; downtime: \
                it stands still; pulling: it runs at its target and waits for pages; outage: from the \
                stop until its service answers"
            .to_owned(),
        columns,
        rows,
        text_columns: 1,
        notes: notes(report),
    }
}

/// What the figures do not say.
fn notes(report: &PredictionReport) -> Vec<String> {
    let all = || report.predictions.iter();
    let pulls = all().flat_map(|of| &of.strategies).any(|of| of.pulling_s.is_some_and(|s| s > 0.0));
    let mut notes = Vec::new();
    if pulls {
        notes.push(
            "where memory follows (post-copy, hybrid) the machine runs slower while it is pulled, and is \
             lost if the link or the source fails in this time; neither is in a figure"
                .to_owned(),
        );
    }
    let least = || all().filter(|of| of.strategies.iter().any(|of| of.outage_is_least));
    if least().any(|of| of.fit.is_none()) {
        notes.push(
            "how long its service does not answer for want of the first pages was not given: the outage \
             of post-copy and hybrid, and the calls that it costs, are the least that they can be, and \
             hold no limit"
                .to_owned(),
        );
    }
    if least().any(|of| of.fit.is_some()) {
        notes.push(
            "where the outage is only known to be at least so long, too few recordings of the strategy tell \
             when its users were answered again (nothing asked for it, or their load ended too early); so it \
             is with the calls, and such figures hold no limit. Record it with a load that goes on until all \
             is as before"
                .to_owned(),
        );
    }
    notes
}

fn remark(prediction: &CellPrediction, of: &PredictedStrategy) -> String {
    if !of.converges {
        return "does not converge".to_owned();
    }
    let broken = |limit: &BrokenLimit| {
        let figure = Figure::ALL.into_iter().find(|figure| key(*figure) == limit.figure)?;
        Some(format!("{} beyond {}", figure.name(), value(figure, limit.limit)))
    };
    let broken: Vec<String> = of.breaks.iter().filter_map(broken).collect();
    if broken.is_empty() && !of.unjudged.is_empty() {
        return of.unjudged.iter().filter_map(unjudged).collect::<Vec<_>>().join(", ");
    }
    let is_best = prediction.best.as_ref().is_some_and(|best| best.strategy == of.strategy);
    match (broken.is_empty(), is_best) {
        (false, _) => broken.join(", "),
        (true, true) => "best".to_owned(),
        (true, false) => "held".to_owned(),
    }
}

fn unjudged(limit: &UnjudgedLimit) -> Option<String> {
    let figure = Figure::ALL.into_iter().find(|figure| key(*figure) == limit.figure)?;
    Some(format!("{} not known", figure.name()))
}

fn users(report: &PredictionReport) -> Option<Section> {
    let mut rows = Vec::new();
    for prediction in &report.predictions {
        for of in &prediction.strategies {
            for (population, felt) in &of.users {
                let ms = |s: Option<f64>| cell::millis_or_none(s.map(|s| s * 1e3));
                let calls = |n: u64| cell::at_least(of.outage_is_least, cell::count(n));
                rows.push(vec![
                    format!("{}{}", prediction.before(), of.strategy),
                    population.clone(),
                    cell::at_least(of.outage_is_least, ms(felt.outage_s)),
                    calls(felt.failed),
                    calls(felt.late),
                    // A longer outage can be recovered from in less time.
                    ms(felt.recovery_s.filter(|_| !of.outage_is_least)),
                    cell::at_least(of.outage_is_least, ms(Some(felt.longest_response_s))),
                ]);
            }
        }
    }
    (!rows.is_empty()).then(|| Section {
        title: "What its users would feel".to_owned(),
        scope:
            "longest gap: between two good replies; lost: given up at their timeout; late: more \
                than twice their usual time, and at least 1 ms more; recovery: from the end of the \
                outage until calls take their usual time"
                .to_owned(),
        columns: vec![
            "strategy",
            "users",
            "longest gap",
            "lost",
            "late",
            "recovery",
            "longest response",
        ],
        rows,
        text_columns: 0,
        notes: Vec::new(),
    })
}

/// Calls in the mean, with those that no outage explains.
fn expected(report: &PredictionReport) -> Option<Section> {
    let mut rows = Vec::new();
    for prediction in &report.predictions {
        for of in &prediction.strategies {
            let calls = |calls: Option<f64>| {
                let calls = calls.map_or_else(|| cell::NONE.to_owned(), |n| cell::fixed(n, 1));
                cell::at_least(of.calls_are_least, calls)
            };
            if of.expected_lost_calls.is_some() || of.expected_late_calls.is_some() {
                rows.push(vec![
                    format!("{}{}", prediction.before(), of.strategy),
                    calls(of.expected_lost_calls),
                    calls(of.expected_late_calls),
                ]);
            }
        }
    }
    (!rows.is_empty()).then(|| Section {
        title: "Calls of all users, as recordings let expect".to_owned(),
        scope: "in the mean, from the order to the recovery, with those that no outage explains: a machine \
                that is moved is slower. Limits on calls are judged by these, so that a strategy without \
                them is not known to hold any; which strategy is best is by the outage alone, of which all \
                have figures"
            .to_owned(),
        columns: vec!["strategy", "lost", "late"],
        rows,
        text_columns: 0,
        notes: Vec::new(),
    })
}

fn rounds(prediction: &CellPrediction) -> Option<Section> {
    let of = prediction.strategies.iter().find(|of| of.strategy == "pre-copy")?;
    let mut at = 0.0;
    let row = |(number, pass): (usize, &PredictedPass)| {
        at += pass.length_s;
        vec![
            (number + 1).to_string(),
            cell::seconds(at),
            cell::seconds(pass.length_s),
            cell::bytes(pass.sent_bytes as u64),
            cell::bytes(pass.left_bytes as u64),
        ]
    };
    let rows: Vec<Vec<String>> = of.rounds.iter().take(MOST_PASSES).enumerate().map(row).collect();
    let more = of.passes.saturating_sub(rows.len() as u64);
    (!rows.is_empty()).then(|| Section {
        title: "Passes of pre-copy".to_owned(),
        scope:
            "as QEMU makes them: in slots of 100 ms, and over when less than the bandwidth times \
                the downtime limit is left; left: with what was dirtied in the pass"
                .to_owned(),
        columns: vec!["pass", "ends at", "length", "sent", "left"],
        rows,
        text_columns: 0,
        notes: match more {
            0 => Vec::new(),
            n => vec![format!("and {} more", cell::count(n))],
        },
    })
}
