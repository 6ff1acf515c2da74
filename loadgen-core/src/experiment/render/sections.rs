//! What an experiment says to a person: the answer in words first, then tables of finished
//! cells, which text, Markdown and HTML lay out alike.

use std::collections::BTreeMap;

use super::boot::first_after_boot;
use super::figure::{change, median, p, range, ratio, render_value};
use super::interaction::unlike;
use super::names::cell_name;
use super::predicted::predicted;
use crate::experiment::analysis::{CellSummary, Change, Comparison, Drift, Spread};
use crate::experiment::metric::{Metric, Unit, headlines};
use crate::experiment::summary::Summary;
use crate::experiment::trial::{Trial, TrialStatus};
use crate::report::sections::{Section, cell};

/// Failed trials that are listed; the others are counted.
const MOST_FAILED: usize = 20;

/// Metrics that the first words are about.
const ANSWERED: [&str; 4] = [
    "total_migration_time_ms",
    "outage_established_ms",
    "response_time_p50_ms",
    "response_time_p99_ms",
];

pub(super) fn title(summary: &Summary) -> String {
    let name = summary.plan.name.as_deref().unwrap_or("without a name");
    let unfinished = if summary.trials_left > 0 { " (unfinished)" } else { "" };
    format!("Experiment{unfinished}: {name}")
}

/// What the figures are of.
pub(super) fn lines(summary: &Summary) -> Vec<(&'static str, String)> {
    let plan = &summary.plan;
    let mut lines = Vec::new();
    if let (Some(first), Some(last)) = (summary.trials.first(), summary.trials.last()) {
        lines.push(("measured", format!("{} to {}", first.started_at, last.started_at)));
    }
    for factor in &plan.factors {
        let levels: Vec<String> = factor.levels.iter().map(ToString::to_string).collect();
        lines.push(("factor", format!("{}: {}", factor.name, levels.join(", "))));
    }
    let blocks = format!(
        "{} of every cell in random order (seed {}){}",
        cell::counted(u64::from(plan.trials), "block"),
        plan.seed,
        match plan.warm_up_blocks {
            0 => String::new(),
            n => format!(", after {} of warm-up", cell::counted(u64::from(n), "block")),
        }
    );
    lines.push(("design", blocks));
    lines.push(("trials", counted_trials(summary)));
    let nothing: Vec<&str> = headlines_of(summary)
        .into_iter()
        .filter(|metric| is_nothing(summary, metric))
        .map(|metric| metric.title)
        .collect();
    if !nothing.is_empty() {
        lines.push(("0 in all", nothing.join(", ")));
    }
    if let Some(spec) = plan.settings.get("trigger.spec") {
        lines.push(("trigger", spec.clone()));
    }
    if let Some(rate) = plan.settings.get("load.rate") {
        let is_plain = rate.parse::<f64>().is_ok();
        lines.push(("rate", format!("{rate}{}", if is_plain { "/s" } else { "" })));
    }
    lines
}

fn counted_trials(summary: &Summary) -> String {
    let count = |is_so: &dyn Fn(&Trial) -> bool| {
        summary.trials.iter().filter(|trial| is_so(trial)).count() as u64
    };
    let status = |status| count(&|trial| trial.status == status && !trial.warm_up);
    let reserved = match count(&|trial| trial.counts() && trial.degraded) {
        0 => String::new(),
        n => format!(" ({} of them with reservations, in their reports)", cell::count(n)),
    };
    let mut parts = vec![format!("{} count{reserved}", cell::count(count(&Trial::counts)))];
    let mut add = |n: u64, what: &str| {
        if n > 0 {
            parts.push(format!("{} {what}", cell::count(n)));
        }
    };
    add(status(TrialStatus::Failed), "failed");
    add(status(TrialStatus::Invalid), "invalid");
    add(count(&|trial| trial.status == TrialStatus::Interrupted), "interrupted");
    add(count(&|trial| trial.warm_up), "of the warm-up");
    add(summary.trials_left, "still to be made");
    parts.join(", ")
}

/// What was found, in sentences made of the figures alone.
pub(super) fn answers(summary: &Summary) -> Vec<String> {
    let mut answers = Vec::new();
    for metric in told(summary).iter().filter(|metric| ANSWERED.contains(&metric.name)) {
        answers.extend(extremes(summary, metric.name));
    }
    answers.extend(told_apart(summary));
    answers.extend(undecided(summary));
    let drifted: Vec<&Drift> = summary.drift.iter().filter(|drift| drift.is_shown()).collect();
    if let Some(drift) = drifted.iter().min_by(|a, b| a.p.total_cmp(&b.p)) {
        answers.push(format!(
            "the blocks differ in {} (most of all {}: block {} at {}×, block {} at {}× the medians \
             of their cells): the machine drifted; comparisons are made within blocks and hold all \
             the same",
            cell::counted(drifted.len() as u64, "metric"),
            title_of(&drift.metric),
            drift.lowest.0,
            ratio(drift.lowest.1),
            drift.highest.0,
            ratio(drift.highest.1)
        ));
    }
    answers
}

pub(super) fn title_of(metric: &str) -> &str {
    Metric::named(metric).map_or(metric, |metric| metric.title)
}

/// Where a metric is least and most.
fn extremes(summary: &Summary, name: &str) -> Option<String> {
    let mut cells: Vec<(&CellSummary, &Spread)> =
        summary.cells.iter().filter_map(|cell| Some((cell, cell.metrics.get(name)?))).collect();
    cells.sort_by(|a, b| a.1.median.total_cmp(&b.1.median));
    let title = title_of(name);
    let of = |(cell, spread): &(&CellSummary, &Spread)| {
        format!("{} with {} (n = {})", median(spread), cell_name(&cell.factors, summary), spread.n)
    };
    match cells.as_slice() {
        [] => None,
        [only] => Some(format!("{title}: median {}", of(only))),
        [least, .., most] => Some(format!("{title}: median from {} to {}", of(least), of(most))),
    }
}

/// The pooled comparisons of the headlines, or those of the only stratum.
fn pooled(summary: &Summary) -> impl Iterator<Item = &Comparison> {
    let factors = summary.plan.factors.len();
    summary.comparisons.iter().filter(move |row| row.a.len() == 1 || factors == 1)
}

fn told_apart(summary: &Summary) -> Vec<String> {
    // What has no table of its own is not told either.
    let told = told(summary);
    let told = |row: &&Comparison| {
        matches!(row.verdict, Change::Slower | Change::Faster)
            && ANSWERED.contains(&row.metric.as_str())
            && told.iter().any(|metric| metric.name == row.metric)
    };
    let sentence = |row: &Comparison| {
        let metric = Metric::named(&row.metric)?;
        Some(format!(
            "{}: {} has {} that of {} (95 % interval in brackets; p {} after Holm, {} pairs){}",
            metric.title,
            cell_name(&row.b, summary),
            change(metric.unit, row),
            cell_name(&row.a, summary),
            p(row.p_holm),
            row.n,
            unlike(summary, row, metric.unit).unwrap_or_default()
        ))
    };
    pooled(summary).filter(told).filter_map(sentence).collect()
}

/// How many questions are open, and how many trials would answer the most of them.
fn undecided(summary: &Summary) -> Option<String> {
    let rows: Vec<&Comparison> =
        pooled(summary).filter(|row| told(summary).iter().any(|m| m.name == row.metric)).collect();
    let open: Vec<&&Comparison> =
        rows.iter().filter(|row| row.verdict == Change::CannotTell).collect();
    if open.is_empty() {
        return None;
    }
    let hopeless = open.iter().filter(|row| row.smallest_p_holm > 0.05).count() as u64;
    let hopeless = match hopeless {
        0 => String::new(),
        n => format!("; for {n} of them there are too few blocks to show any difference at all"),
    };
    Some(format!(
        "of {} between levels, {} cannot be told: neither a difference nor its absence is shown\
         {hopeless}",
        cell::counted(rows.len() as u64, "comparison"),
        open.len()
    ))
}

/// How much of the comparisons a rendering wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparisons {
    /// Those over all levels of the other factors.
    Pooled,
    /// Those with the other factors held, too.
    All,
}

/// All tables.
pub(super) fn sections(summary: &Summary, comparisons: Comparisons) -> Vec<Section> {
    let metrics = told(summary);
    let mut sections: Vec<Section> =
        metrics.iter().filter_map(|metric| of_metric(summary, metric)).collect();
    let rows: Vec<&Comparison> = pooled(summary).collect();
    sections.extend(compared(summary, &metrics, &rows, "Compared within blocks"));
    if comparisons == Comparisons::All && summary.plan.factors.len() > 1 {
        let rows: Vec<&Comparison> =
            summary.comparisons.iter().filter(|row| row.a.len() > 1).collect();
        let title = "Compared within blocks, with the other factors held";
        sections.extend(compared(summary, &metrics, &rows, title));
    }
    sections.extend(first_after_boot(summary, &metrics));
    sections.extend(predicted(summary));
    sections.extend(failed(summary));
    sections
}

/// The headlines of which anything is to be told.
fn told(summary: &Summary) -> Vec<&'static Metric> {
    headlines_of(summary).into_iter().filter(|metric| !is_nothing(summary, metric)).collect()
}

/// Whether a metric was measured, and is 0 in all trials.
fn is_nothing(summary: &Summary, metric: &Metric) -> bool {
    let mut spreads =
        summary.cells.iter().filter_map(|cell| cell.metrics.get(metric.name)).peekable();
    spreads.peek().is_some() && spreads.all(|spread| spread.min == 0.0 && spread.max == 0.0)
}

/// One metric over all cells.
pub(super) fn of_metric(summary: &Summary, metric: &Metric) -> Option<Section> {
    let name = metric.name;
    let rows: Vec<Vec<String>> = summary
        .cells
        .iter()
        .filter_map(|cell| Some(row(cell, cell.metrics.get(name)?, summary)))
        .collect();
    if rows.is_empty() {
        return None;
    }
    let spreads: Vec<(String, &Spread)> = summary
        .cells
        .iter()
        .filter_map(|cell| Some((cell_name(&cell.factors, summary), cell.metrics.get(name)?)))
        .collect();
    Some(Section {
        title: capitalised(metric.title),
        scope: format!(
            "{}; each trial counts once; median with its 95 % interval by order statistics, mean \
             with that by Student's t",
            metric.definition
        ),
        columns: vec!["cell", "n", "median", "95 %", "mean", "sd", "range", "for ± 5 %"],
        rows,
        text_columns: 0,
        notes: too_few(&spreads)
            .into_iter()
            .chain(spreads.iter().flat_map(|(cell, spread)| notes(cell, spread)))
            .collect(),
    })
}

fn row(of: &CellSummary, spread: &Spread, summary: &Summary) -> Vec<String> {
    let value = |number: f64| render_value(spread.unit, number);
    let interval = spread.median_low.zip(spread.median_high);
    let half = spread.mean_low.zip(spread.mean_high).map(|(low, high)| (high - low) / 2.0);
    // Of a count that is nearly always 0 nobody wants to know the mean to 5 %.
    let is_size = !matches!(spread.unit, Unit::Count | Unit::Share);
    let needed = spread.trials_for_5_percent.filter(|_| is_size);
    let more = needed.map(|needed| needed.saturating_sub(spread.n));
    vec![
        cell_name(&of.factors, summary),
        spread.n.to_string(),
        format!("{}{}", if spread.lower_bounds > 0 { "≥ " } else { "" }, value(spread.median)),
        interval.map_or_else(|| cell::NONE.to_owned(), |(low, high)| range(spread.unit, low, high)),
        half.map_or_else(
            || value(spread.mean),
            |half| format!("{} ± {}", value(spread.mean), value(half)),
        ),
        spread.sd.map_or_else(|| cell::NONE.to_owned(), value),
        range(spread.unit, spread.min, spread.max),
        match more {
            None => cell::NONE.to_owned(),
            Some(0) => "enough".to_owned(),
            Some(more) => format!("{} more", cell::count(more)),
        },
    ]
}

/// Where no interval exists, and how sure those are that do, once for all cells alike.
fn too_few(spreads: &[(String, &Spread)]) -> Vec<String> {
    let mut seen = BTreeMap::new();
    for (_, spread) in spreads {
        seen.entry(spread.n).or_insert((spread.median_low.is_some(), spread.coverage));
    }
    let note = |(n, (exists, coverage)): (u64, (bool, f64))| {
        let trials = cell::counted(n, "trial");
        let percent = cell::fixed(coverage * 100.0, 1);
        match exists {
            true => {
                format!("of {trials}, an interval of this kind covers the median with {percent} %")
            }
            false => format!(
                "no 95 % interval of a median exists with {trials}; the range covers it with \
                 {percent} %"
            ),
        }
    };
    seen.into_iter().filter(|(n, _)| *n > 1).map(note).collect()
}

fn notes(name: &str, spread: &Spread) -> Vec<String> {
    let mut notes = Vec::new();
    if spread.lower_bounds > 0 {
        notes.push(format!(
            "{name}: the end of the load cut {} of {}, which were at least so long",
            spread.lower_bounds, spread.n
        ));
    }
    if !spread.outliers.is_empty() {
        let trials: Vec<String> = spread.outliers.iter().map(ToString::to_string).collect();
        notes.push(format!(
            "{name}: far from the others, and not left out: trial {}",
            trials.join(", ")
        ));
    }
    if let Some((low, high)) = spread.two_groups {
        notes.push(format!(
            "{name}: the trials fall into two groups, up to {} and from {}: the mean is of neither",
            render_value(spread.unit, low),
            render_value(spread.unit, high)
        ));
    }
    notes
}

/// Some metrics of every two levels.
fn compared(
    summary: &Summary,
    metrics: &[&Metric],
    rows: &[&Comparison],
    title: &str,
) -> Option<Section> {
    let row = |row: &&Comparison| {
        let metric = metrics.iter().find(|metric| metric.name == row.metric)?;
        let verdict = match row.more_trials {
            Some(more) => format!(
                "{} (about {} of each cell)",
                row.verdict.name(),
                cell::counted(more, "more trial")
            ),
            None => row.verdict.name().to_owned(),
        };
        Some(vec![
            metric.title.to_owned(),
            levels(row, summary),
            row.n.to_string(),
            change(metric.unit, row),
            p(row.p),
            p(row.p_holm),
            cell::fixed(row.delta, 2),
            verdict,
        ])
    };
    let rows: Vec<Vec<String>> = rows.iter().filter_map(row).collect();
    if rows.is_empty() {
        return None;
    }
    Some(Section {
        title: title.to_owned(),
        scope: format!(
            "second over first, or second minus first where there are zeros (shares in percentage \
             points); signed-rank test (exact up to 200 pairs) of the pairs, p corrected by Holm within each metric and factor; slower and faster \
             mean worse and better by more than {} %",
            cell::fixed(summary.plan.margin * 100.0, 1)
        ),
        columns: vec![
            "metric",
            "levels",
            "pairs",
            "change (95 %)",
            "p",
            "p, Holm",
            "delta",
            "verdict",
        ],
        rows,
        text_columns: 1,
        notes: Vec::new(),
    })
}

/// `strategy: pre-copy → post-copy`, and the levels that are held.
fn levels(row: &Comparison, summary: &Summary) -> String {
    let of = |factor: &crate::experiment::Factor| {
        let (a, b) = (row.a.get(&factor.name)?, row.b.get(&factor.name)?);
        Some((a != b, format!("{}: {a} → {b}", factor.name), format!("{}={a}", factor.name)))
    };
    let all: Vec<_> = summary.plan.factors.iter().filter_map(of).collect();
    let changed = all.iter().filter(|(changes, ..)| *changes).map(|(_, both, _)| both.clone());
    let held: Vec<String> =
        all.iter().filter(|(changes, ..)| !*changes).map(|(.., one)| one.clone()).collect();
    let held = if held.is_empty() { String::new() } else { format!(" ({})", held.join(" ")) };
    format!("{}{held}", changed.collect::<Vec<_>>().join(", "))
}

/// What did not succeed, with the reasons.
fn failed(summary: &Summary) -> Option<Section> {
    let bad: Vec<&Trial> =
        summary.trials.iter().filter(|trial| trial.status != TrialStatus::Completed).collect();
    if bad.is_empty() {
        return None;
    }
    let row = |trial: &&Trial| {
        vec![
            trial.index.to_string(),
            cell_name(&trial.cell, summary),
            (trial.repeats + 1).to_string(),
            trial.status.name().to_owned(),
            trial.reason.clone().unwrap_or_default(),
        ]
    };
    let left_out = bad.len().saturating_sub(MOST_FAILED);
    Some(Section {
        title: "Trials that did not succeed".to_owned(),
        scope: "kept, in no figure above, and made again at the end of their block".to_owned(),
        columns: vec!["trial", "cell", "attempt", "ended", "why"],
        rows: bad.iter().take(MOST_FAILED).map(row).collect(),
        text_columns: 4,
        notes: match left_out {
            0 => Vec::new(),
            n => vec![format!("and {} more", cell::count(n as u64))],
        },
    })
}

fn headlines_of(summary: &Summary) -> Vec<&'static Metric> {
    headlines(summary.trials.iter().map(|trial| &trial.figures))
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
