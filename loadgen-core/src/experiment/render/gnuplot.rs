//! The bars of an experiment for gnuplot 5: a script with its data in it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::names::cell_name;
use crate::experiment::metric::{Metric, Unit};
use crate::experiment::summary::Summary;
use crate::report::sections::cell;

/// A script that draws a chart of each of the metrics into an SVG file of its name: medians as
/// bars with their intervals, and every trial as a point. All that it needs is in it.
#[must_use]
pub fn render_gnuplot(summary: &Summary) -> String {
    let mut out = String::from(
        "# Made by loadgen; gnuplot 5: gnuplot THIS_FILE\nset terminal svg noenhanced size 900,520 \
         background 'white'\nset style fill solid 0.35\nset boxwidth 0.7\nset grid ytics\nset yrange \
         [0:*]\nset xtics rotate by -20\nunset key\n",
    );
    for (k, metric) in super::charted(summary).into_iter().enumerate() {
        one(&mut out, summary, metric, k);
    }
    out
}

fn one(out: &mut String, summary: &Summary, metric: &Metric, k: usize) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "\n$cells{k} << EOD\n# cell, name, median, low, high, trials");
    let cells: Vec<_> = summary
        .cells
        .iter()
        .filter_map(|cell| Some((cell, cell.metrics.get(metric.name)?)))
        .collect();
    let mut places: BTreeMap<&BTreeMap<String, String>, usize> = BTreeMap::new();
    for (place, (cell, spread)) in cells.iter().enumerate() {
        places.insert(&cell.factors, place);
        let (low, high) =
            spread.median_low.zip(spread.median_high).unwrap_or((spread.median, spread.median));
        let name = quoted(&cell_name(&cell.factors, summary));
        let _ = writeln!(out, "{place} {name} {} {low} {high} {}", spread.median, spread.n);
    }
    let _ = writeln!(out, "EOD\n$trials{k} << EOD\n# cell, value, trial");
    for trial in summary.trials.iter().filter(|trial| trial.counts()) {
        if let (Some(place), Some(value)) =
            (places.get(&trial.cell), trial.figures.get(metric.name))
        {
            let _ = writeln!(out, "{place} {value} {}", trial.index);
        }
    }
    let unit = match metric.unit {
        Unit::Ms => "ms",
        Unit::Count => "",
        Unit::Share => "share",
        Unit::Bytes => "bytes",
        Unit::BytesPerS => "bytes/s",
        Unit::PerS => "per second",
    };
    let _ = writeln!(
        out,
        "EOD\nset output {}\nset title {}\nset ylabel '{unit}'\nplot $cells{k} using 1:3:xtic(2) with \
         boxes linecolor rgb '#094ab2', '' using 1:3:4:5 with yerrorbars linecolor rgb 'black' \
         pointtype 0, $trials{k} using ($1+0.075*(int($3)%5-2)):2 with \
         points pointtype 7 pointsize 0.4 linecolor rgb '#a04100'",
        quoted(&format!("{}.svg", metric.name)),
        quoted(metric.title)
    );
}

/// A text as gnuplot reads it.
fn quoted(text: &str) -> String {
    let text = cell::clean(text).replace('\\', "\\\\").replace('"', "'");
    format!("\"{text}\"")
}
