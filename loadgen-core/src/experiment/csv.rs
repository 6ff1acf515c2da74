//! The trials of an experiment as a table: one row each, for R, a spreadsheet, or a history of
//! runs.

use super::metric::Metric;
use super::summary::Summary;
use super::trial::Trial;
use crate::report::csv::field;

/// One row a trial, with all of them: what failed or belongs to the warm-up says so. Columns:
/// `trial`, `block`, `position`, `repeats`, `boot`, `since_boot`, `started_at` (RFC 3339),
/// `took_s`, `status`, `degraded`, `warm_up`, `counts`, `plan_hash`, `load_average`, a column `factor_NAME`
/// for each factor, each metric (its unit is in its name; empty: not measured), `lower_bounds`
/// (metrics that were at least so large), `reason`.
#[must_use]
pub fn render_csv(summary: &Summary) -> String {
    let mut header: Vec<String> = FIRST.map(str::to_owned).to_vec();
    let factors = &summary.plan.factors;
    header.extend(factors.iter().map(|factor| field(&format!("factor_{}", factor.name))));
    header.extend(Metric::all().iter().map(|metric| metric.name.to_owned()));
    header.extend(["lower_bounds", "reason"].map(str::to_owned));
    let mut out = header.join(",") + "\n";
    for trial in &summary.trials {
        let mut row = first(trial, &summary.plan_hash);
        let level = |factor: &super::Factor| {
            trial.cell.get(&factor.name).map(|level| field(level)).unwrap_or_default()
        };
        row.extend(factors.iter().map(level));
        let figure = |metric: &Metric| trial.figures.get(metric.name).map(|v| v.to_string());
        row.extend(Metric::all().iter().map(|metric| figure(metric).unwrap_or_default()));
        let bounds: Vec<&str> = trial.figures.lower_bounds.iter().map(String::as_str).collect();
        row.push(field(&bounds.join(" ")));
        row.push(field(trial.reason.as_deref().unwrap_or_default()));
        out.push_str(&row.join(","));
        out.push('\n');
    }
    out
}

const FIRST: [&str; 14] = [
    "trial",
    "block",
    "position",
    "repeats",
    "boot",
    "since_boot",
    "started_at",
    "took_s",
    "status",
    "degraded",
    "warm_up",
    "counts",
    "plan_hash",
    "load_average",
];

fn first(trial: &Trial, plan_hash: &str) -> Vec<String> {
    let number = |number: Option<u32>| number.map(|n| n.to_string()).unwrap_or_default();
    vec![
        trial.index.to_string(),
        trial.block.to_string(),
        trial.position.to_string(),
        trial.repeats.to_string(),
        number(trial.boot),
        number(trial.since_boot),
        field(&trial.started_at),
        format!("{:.3}", trial.took_s),
        trial.status.name().to_owned(),
        trial.degraded.to_string(),
        trial.warm_up.to_string(),
        trial.counts().to_string(),
        plan_hash.to_owned(),
        trial.load_average.map(|load| load.to_string()).unwrap_or_default(),
    ]
}
