//! Trials in the order of time, each over the median of its cell: whether the machine drifted.

use plotters::style::text_anchor::HPos;

use super::super::relative::over_cell_medians;
use crate::experiment::metric::Metric;
use crate::experiment::summary::Summary;
use crate::experiment::trial::Trial;
use crate::report::chart::canvas::{
    BOTTOM, COLORS, Canvas, Drawn, LEFT, RIGHT, SIZE, TOP, dot, draw, small,
};
use crate::report::chart::panel::{FAINT, FRAME, INK, line, text};
use crate::report::chart::ticks;

/// As SVG; `None` of fewer than three trials that count.
pub(super) fn in_order(summary: &Summary, metric: &Metric) -> Option<Result<String, String>> {
    let placed = |(trial, value): (&Trial, f64)| {
        let Trial { index, block, .. } = *trial;
        Placed { index, block, value, is_first: trial.since_boot == Some(1) }
    };
    let trials: Vec<Placed> = over_cell_medians(summary, metric).into_iter().map(placed).collect();
    if trials.len() < 3 {
        return None;
    }
    let title = format!("{} in the order of time", metric.title);
    Some(draw(&title.clone(), |canvas| draw_on(canvas, &title, &trials)))
}

/// A trial in the order of time.
struct Placed {
    index: u32,
    block: u32,
    /// Over the median of its cell.
    value: f64,
    /// It was the first one since the machine was brought up.
    is_first: bool,
}

fn draw_on(canvas: &Canvas<'_>, title: &str, trials: &[Placed]) -> Drawn {
    text(canvas, title, (LEFT, 24), HPos::Left, INK, SIZE + 2.0)?;
    // Where all are the first after a boot, none is another than the others.
    let is_mixed = trials.iter().any(|t| t.is_first) && trials.iter().any(|t| !t.is_first);
    let boots = if is_mixed { "; brown: the first after a boot" } else { "" };
    let scope = format!("over the median of the cell; a line between blocks{boots}");
    small(canvas, &scope, (LEFT, 70), HPos::Left)?;
    let values = || trials.iter().map(|trial| trial.value);
    let (low, high) = (values().fold(1.0, f64::min), values().fold(1.0, f64::max));
    let margin = ((high - low) * 0.08).max(0.02);
    let range = low - margin..high + margin;
    let y = |value: f64| {
        let share = (value - range.start) / (range.end - range.start);
        BOTTOM - (share.clamp(0.0, 1.0) * f64::from(BOTTOM - TOP)).round() as i32
    };
    let last = f64::from(trials.last().map_or(1, |trial| trial.index));
    let x = |index: f64| LEFT + (index / (last + 1.0) * f64::from(RIGHT - LEFT)).round() as i32;
    for tick in ticks(&range, 5) {
        line(canvas, &[(LEFT, y(tick)), (RIGHT, y(tick))], FAINT, 1)?;
        let label = format!("{}×", (tick * 1e4).round() / 1e4);
        small(canvas, &label, (LEFT - 12, y(tick)), HPos::Right)?;
    }
    line(canvas, &[(LEFT, y(1.0)), (RIGHT, y(1.0))], FRAME, 2)?;
    for two in trials.windows(2).filter(|two| two[0].block != two[1].block) {
        let at = x(f64::from(two[1].index) - 0.5);
        line(canvas, &[(at, TOP), (at, BOTTOM)], FAINT, 2)?;
    }
    for trial in trials {
        let color = COLORS[usize::from(is_mixed && trial.is_first)];
        dot(canvas, (x(f64::from(trial.index)), y(trial.value)), color)?;
    }
    for tick in ticks(&(0.0..last), 6) {
        small(canvas, &tick.to_string(), (x(tick), BOTTOM + 34), HPos::Center)?;
    }
    line(canvas, &[(LEFT, TOP), (LEFT, BOTTOM), (RIGHT, BOTTOM)], FRAME, 2)
}
