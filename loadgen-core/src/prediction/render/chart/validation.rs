//! What was predicted of each trial by the others, over what was measured of it.

use plotters::style::text_anchor::HPos;

use super::Figure;
use super::axis::Powers;
use crate::model::Strategy;
use crate::model::fit::{Row, Validated};
use crate::prediction::document::PredictionReport;
use crate::report::chart::canvas::{
    BOTTOM, COLORS, Canvas, Drawn, LEFT, RIGHT, SIZE, TOP, dot, draw, legend, small,
};
use crate::report::chart::panel::{FAINT, FRAME, INK, line, text};
use crate::units::format_duration_us;

/// The total time and the downtime of all trials; none without any.
pub(super) fn figures(report: &PredictionReport) -> Vec<Figure> {
    let of = |figure, title, aim| one(report, figure, title, aim);
    let total = of(Validated::TotalS, "Total time", 0.1);
    let downtime = of(Validated::DowntimeS, "Downtime", 0.25);
    total.into_iter().chain(downtime).collect()
}

fn one(report: &PredictionReport, figure: Validated, what: &str, aim: f64) -> Option<Figure> {
    let all = report.predictions.iter().filter_map(|prediction| prediction.fit.as_ref());
    let rows: Vec<&Row> = all
        .flat_map(|fit| &fit.validation.rows)
        .filter(|row| row.figure == figure && row.predicted > 0.0 && row.measured > 0.0)
        .collect();
    let values = || rows.iter().flat_map(|row| [row.predicted, row.measured]);
    let (low, high) = (values().fold(f64::MAX, f64::min), values().fold(0.0, f64::max));
    if rows.is_empty() {
        return None;
    }
    // The same on both, so that what is right lies on the diagonal.
    let (low, high) = (low / 1.3, high * 1.3);
    let axes = (Powers::new(low, high, LEFT, RIGHT)?, Powers::new(low, high, BOTTOM, TOP)?);
    let title = format!("{what}: predicted over measured");
    let svg = draw(&title, |canvas| draw_on(canvas, &title, &rows, &axes, (low, high, aim)));
    let caption = format!(
        "A dot for each trial, predicted by a fit to the others; both axes in powers of ten. On the line it \
         was as predicted; the pale ones are {} % beside it.",
        aim * 100.0
    );
    Some(Figure { title, caption, svg })
}

fn draw_on(
    canvas: &Canvas<'_>,
    title: &str,
    rows: &[&Row],
    (x, y): &(Powers, Powers),
    (low, high, aim): (f64, f64, f64),
) -> Drawn {
    text(canvas, title, (LEFT, 24), HPos::Left, INK, SIZE)?;
    legend(canvas, &Strategy::ALL.map(|moved| moved.name().to_owned()))?;
    for tick in y.ticks(10.0, &[1.0, 2.0, 5.0]) {
        let label = format_duration_us(tick * 1e6);
        line(canvas, &[(LEFT, y.at(tick)), (RIGHT, y.at(tick))], FAINT, 1)?;
        line(canvas, &[(x.at(tick), TOP), (x.at(tick), BOTTOM)], FAINT, 1)?;
        small(canvas, &label, (LEFT - 12, y.at(tick)), HPos::Right)?;
        small(canvas, &label, (x.at(tick), BOTTOM + 34), HPos::Center)?;
    }
    for (factor, color) in [(1.0 - aim, FAINT), (1.0 + aim, FAINT), (1.0, FRAME)] {
        let at = |value: f64| (x.at(value), y.at(value * factor));
        line(canvas, &[at(low), at(high)], color, 3)?;
    }
    for row in rows {
        let place = Strategy::ALL.iter().position(|moved| *moved == row.moved).unwrap_or_default();
        dot(canvas, (x.at(row.measured), y.at(row.predicted)), COLORS[place])?;
    }
    line(canvas, &[(LEFT, TOP), (LEFT, BOTTOM), (RIGHT, BOTTOM)], FRAME, 2)
}
