//! Response times before, during and after the migration of the median trial, as the share of
//! calls that took longer: both axes in powers of ten, so that the slowest calls can be seen.

use std::ops::RangeInclusive;

use plotters::style::text_anchor::HPos;

use crate::experiment::timelines::{CellTimelines, Distribution};
use crate::report::chart::canvas::{
    BOTTOM, COLORS, Canvas, Drawn, LEFT, RIGHT, SIZE, TOP, draw, legend, small,
};
use crate::report::chart::decade;
use crate::report::chart::panel::{FAINT, FRAME, INK, line, text};
use crate::report::sections::cell::count;

/// The axes that the charts of all cells have in common, so that they can be compared.
pub(super) struct Axes {
    /// Powers of ten of a microsecond.
    times: RangeInclusive<i32>,
    /// The smallest share is ten to the power of minus this.
    nines: i32,
}

impl Axes {
    /// `None`: no cell has a distribution.
    pub(super) fn of(cells: &[CellTimelines]) -> Option<Self> {
        let all = || cells.iter().flat_map(|cell| &cell.distributions).flat_map(|d| &d.points);
        let logs = || all().filter(|(_, ms)| *ms > 0.0).map(|(_, ms)| (ms * 1e3).log10());
        let (low, high) = (logs().fold(f64::MAX, f64::min), logs().fold(f64::MIN, f64::max));
        let least = all().map(|(share, _)| *share).fold(1.0, f64::min);
        (low <= high).then(|| {
            let low = low.floor() as i32;
            let times = low..=(high.ceil() as i32).max(low + 1);
            Self { times, nines: (-least.log10()).ceil().max(1.0) as i32 }
        })
    }

    fn x(&self, log: f64) -> i32 {
        let (low, high) = (f64::from(*self.times.start()), f64::from(*self.times.end()));
        LEFT + (((log - low) / (high - low)).clamp(0.0, 1.0) * f64::from(RIGHT - LEFT)) as i32
    }

    fn y(&self, share: f64) -> i32 {
        let place = (-share.log10() / f64::from(self.nines)).clamp(0.0, 1.0);
        TOP + (place * f64::from(BOTTOM - TOP)).round() as i32
    }
}

/// As SVG; `None` of a cell without distributions.
pub(super) fn distribution(
    name: &str,
    cell: &CellTimelines,
    axes: &Axes,
) -> Option<Result<String, String>> {
    let title = format!("Calls that took longer: {name}");
    let parts = &cell.distributions;
    (!parts.is_empty()).then(|| draw(&title, |canvas| draw_on(canvas, &title, parts, axes)))
}

fn draw_on(canvas: &Canvas<'_>, title: &str, parts: &[Distribution], axes: &Axes) -> Drawn {
    text(canvas, title, (LEFT, 24), HPos::Left, INK, SIZE)?;
    let keys: Vec<String> =
        parts.iter().map(|part| format!("{} ({} calls)", part.name, count(part.calls))).collect();
    legend(canvas, &keys)?;
    for k in axes.times.clone() {
        let x = axes.x(f64::from(k));
        line(canvas, &[(x, TOP), (x, BOTTOM)], FAINT, 1)?;
        small(canvas, &decade(k), (x, BOTTOM + 34), HPos::Center)?;
    }
    for k in 0..=axes.nines {
        let y = axes.y(10f64.powi(-k));
        line(canvas, &[(LEFT, y), (RIGHT, y)], FAINT, 1)?;
        let percent = (10f64.powi(2 - k) * 1e6).round() / 1e6;
        small(canvas, &format!("{percent} %"), (LEFT - 12, y), HPos::Right)?;
    }
    for (part, color) in parts.iter().zip(COLORS) {
        let at = |(share, ms): &(f64, f64)| (axes.x((ms * 1e3).log10()), axes.y(*share));
        let points: Vec<(i32, i32)> =
            part.points.iter().filter(|(_, ms)| *ms > 0.0).map(at).collect();
        line(canvas, &points, color, 3)?;
    }
    line(canvas, &[(LEFT, TOP), (LEFT, BOTTOM), (RIGHT, BOTTOM)], FRAME, 2)
}
