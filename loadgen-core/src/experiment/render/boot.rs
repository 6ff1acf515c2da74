//! The first trials after a boot, apart from those on a machine that was brought back: caches are
//! cold then, and nothing is compiled yet.

use super::figure::ratio;
use super::relative::over_cell_medians;
use crate::experiment::metric::Metric;
use crate::experiment::summary::Summary;
use crate::experiment::trial::Trial;
use crate::report::sections::Section;
use crate::stats::Sample;

/// `None` where there are not both kinds of trials.
pub(super) fn first_after_boot(summary: &Summary, metrics: &[&Metric]) -> Option<Section> {
    let rows: Vec<Vec<String>> = metrics.iter().filter_map(|metric| row(summary, metric)).collect();
    (!rows.is_empty()).then(|| Section {
        title: "First trials after a boot".to_owned(),
        scope:
            "trials that were the first since the machine was brought up, and those on a machine \
                that was brought back: the median of their values over the medians of their cells; \
                both kinds count"
                .to_owned(),
        columns: vec!["metric", "first: n", "over the cell", "later: n", "over the cell"],
        rows,
        text_columns: 0,
        notes: Vec::new(),
    })
}

fn row(summary: &Summary, metric: &Metric) -> Option<Vec<String>> {
    let all = over_cell_medians(summary, metric);
    let relative = |is_wanted: &dyn Fn(&Trial) -> bool| {
        let wanted = all.iter().filter(|(trial, _)| is_wanted(trial));
        Sample::new(wanted.map(|(_, value)| *value))
    };
    let first = relative(&|trial| trial.since_boot == Some(1))?;
    let later = relative(&|trial| trial.since_boot.is_some_and(|since| since > 1))?;
    let mut cells = vec![metric.title.to_owned()];
    for sample in [&first, &later] {
        cells.push(sample.n().to_string());
        cells.push(format!("{}×", ratio(sample.median())));
    }
    Some(cells)
}
