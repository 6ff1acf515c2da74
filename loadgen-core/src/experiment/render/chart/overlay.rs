//! The response times of all trials of a cell over each other, the median trial in front.

use std::ops::RangeInclusive;

use plotters::style::text_anchor::HPos;

use crate::experiment::timelines::{CellTimelines, Timeline};
use crate::report::chart::canvas::{
    BOTTOM, COLORS, Canvas, Drawn, LEFT, RIGHT, SIZE, TOP, draw, small,
};
use crate::report::chart::panel::{FAINT, FRAME, INK, line, text};
use crate::report::chart::{decade, ticks};

/// The axes that the charts of all cells have in common, so that they can be compared.
pub(super) struct Axes {
    from_s: f64,
    to_s: f64,
    /// Powers of ten of a microsecond.
    decades: RangeInclusive<i32>,
}

impl Axes {
    pub(super) fn of(cells: &[CellTimelines]) -> Option<Self> {
        let points = || cells.iter().flat_map(|c| &c.trials).flat_map(|trial| &trial.points);
        let times = || points().map(|(at, _)| *at);
        let (from_s, to_s) = (times().fold(0.0, f64::min), times().fold(0.0, f64::max));
        let logs = || {
            points().filter_map(|(_, ms)| ms.filter(|ms| *ms > 0.0)).map(|ms| (ms * 1e3).log10())
        };
        let (low, high) = (logs().fold(f64::MAX, f64::min), logs().fold(f64::MIN, f64::max));
        (to_s > from_s && low <= high).then(|| {
            let low = low.floor() as i32;
            Self { from_s, to_s, decades: low..=(high.ceil() as i32).max(low + 1) }
        })
    }

    fn x(&self, at_s: f64) -> i32 {
        let share = (at_s - self.from_s) / (self.to_s - self.from_s);
        LEFT + (share.clamp(0.0, 1.0) * f64::from(RIGHT - LEFT)).round() as i32
    }

    fn y(&self, log: f64) -> i32 {
        let (low, high) = (f64::from(*self.decades.start()), f64::from(*self.decades.end()));
        BOTTOM
            - (((log - low) / (high - low)).clamp(0.0, 1.0) * f64::from(BOTTOM - TOP)).round()
                as i32
    }
}

/// As SVG.
pub(super) fn overlay(name: &str, cell: &CellTimelines, axes: &Axes) -> Result<String, String> {
    let title = format!("Response time, p99: {name}");
    draw(&title, |canvas| {
        text(canvas, &title, (LEFT, 24), HPos::Left, INK, SIZE)?;
        small(
            canvas,
            "seconds from the firing; the median trial in front",
            (LEFT, 70),
            HPos::Left,
        )?;
        for k in axes.decades.clone() {
            let y = axes.y(f64::from(k));
            line(canvas, &[(LEFT, y), (RIGHT, y)], FAINT, 1)?;
            small(canvas, &decade(k), (LEFT - 12, y), HPos::Right)?;
        }
        for tick in ticks(&(axes.from_s..axes.to_s), 6) {
            small(canvas, &tick.to_string(), (axes.x(tick), BOTTOM + 34), HPos::Center)?;
        }
        line(canvas, &[(axes.x(0.0), TOP), (axes.x(0.0), BOTTOM)], FRAME, 2)?;
        let (front, behind): (Vec<&Timeline>, Vec<_>) =
            cell.trials.iter().partition(|trial| trial.is_median);
        behind.iter().try_for_each(|trial| stroke(canvas, axes, trial, false))?;
        front.iter().try_for_each(|trial| stroke(canvas, axes, trial, true))?;
        line(canvas, &[(LEFT, TOP), (LEFT, BOTTOM), (RIGHT, BOTTOM)], FRAME, 2)
    })
}

/// A line with gaps where nothing was answered.
fn stroke(canvas: &Canvas<'_>, axes: &Axes, trial: &Timeline, is_front: bool) -> Drawn {
    let (color, width) = if is_front { (COLORS[0], 4) } else { (COLORS[5], 1) };
    for run in trial.points.split(|(_, ms)| ms.is_none_or(|ms| ms <= 0.0)) {
        let run: Vec<(i32, i32)> = run
            .iter()
            .filter_map(|(at, ms)| Some((axes.x(*at), axes.y((ms.as_ref()? * 1e3).log10()))))
            .collect();
        line(canvas, &run, color, width)?;
    }
    Ok(())
}
