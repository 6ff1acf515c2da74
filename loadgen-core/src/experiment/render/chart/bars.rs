//! The figures of cells as bars: the median of each with its interval, and every trial as a dot.

use std::collections::BTreeMap;

use plotters::style::text_anchor::HPos;

use super::scale::Scale;
use crate::experiment::analysis::Spread;
use crate::experiment::metric::Metric;
use crate::experiment::summary::Summary;
use crate::report::chart::canvas::{
    BOTTOM, COLORS, Canvas, Drawn, LEFT, RIGHT, SIZE, TOP, dot, draw, legend, small,
};
use crate::report::chart::panel::{FAINT, FRAME, INK, fill, line, text};

/// Bars that a chart can have: with more, none of them could be read.
const MOST_BARS: usize = 60;

/// The bars of a metric: groups of them along the axis, and one of each series in a group.
pub(super) struct Bars {
    title: String,
    scale: Scale,
    groups: Vec<String>,
    series: Vec<String>,
    bars: Vec<Bar>,
}

struct Bar {
    group: usize,
    series: usize,
    median: f64,
    interval: Option<(f64, f64)>,
    trials: Vec<f64>,
}

impl Bars {
    /// Those of a metric: grouped by the levels of the first factor that has several. `None`: it
    /// was measured nowhere, or there are too many cells to be told apart.
    pub(super) fn of(summary: &Summary, metric: &Metric) -> Option<Self> {
        let first = summary.plan.factors.iter().find(|factor| factor.levels.len() > 1);
        let first = first.or(summary.plan.factors.first());
        let group = |cell: &BTreeMap<String, String>| {
            first.and_then(|factor| cell.get(&factor.name)).cloned().unwrap_or_default()
        };
        let series = |cell: &BTreeMap<String, String>| {
            let others = summary.plan.factors.iter().filter(|f| Some(*f) != first);
            let levels = others.filter(|factor| factor.levels.len() > 1);
            let levels: Vec<&str> =
                levels.filter_map(|factor| cell.get(&factor.name)).map(String::as_str).collect();
            levels.join(" ")
        };
        let cells = summary.cells.iter().filter_map(|cell| {
            let trials = summary.trials.iter().filter(|t| t.counts() && t.cell == cell.factors);
            let values = trials.filter_map(|trial| trial.figures.get(metric.name)).collect();
            let spread = cell.metrics.get(metric.name)?;
            Some((group(&cell.factors), series(&cell.factors), spread, values))
        });
        let title = metric.title.to_owned();
        Self::new(title, first.map(|factor| factor.name.as_str()), metric, cells)
    }

    fn new<'a>(
        title: String,
        factor: Option<&str>,
        metric: &Metric,
        cells: impl Iterator<Item = (String, String, &'a Spread, Vec<f64>)>,
    ) -> Option<Self> {
        let (mut groups, mut series, mut bars) = (Vec::new(), Vec::new(), Vec::new());
        for (group, of_series, spread, trials) in cells {
            bars.push(Bar {
                group: place(&mut groups, group),
                series: place(&mut series, of_series),
                median: spread.median,
                interval: spread.median_low.zip(spread.median_high),
                trials,
            });
        }
        let values = bars.iter().flat_map(|bar| bar.trials.iter().copied().chain([bar.median]));
        let scale = Scale::new(metric.unit, values);
        let by = factor.map_or_else(String::new, |factor| format!(" by {factor}"));
        (!bars.is_empty() && bars.len() <= MOST_BARS).then_some(Self {
            title: format!("{title}{by}"),
            scale,
            groups,
            series,
            bars,
        })
    }

    /// As SVG.
    pub(super) fn draw(&self) -> Result<String, String> {
        draw(&self.title, |canvas| self.draw_on(canvas))
    }

    fn draw_on(&self, canvas: &Canvas<'_>) -> Drawn {
        let title = format!("{} ({})", self.title, self.scale.unit);
        text(canvas, &title, (LEFT, 24), HPos::Left, INK, SIZE + 2.0)?;
        if self.series.len() > 1 {
            legend(canvas, &self.series)?;
        }
        for (value, label) in self.scale.ticks() {
            let y = self.y(value);
            line(canvas, &[(LEFT, y), (RIGHT, y)], FAINT, 1)?;
            small(canvas, &label, (LEFT - 12, y), HPos::Right)?;
        }
        let width = (RIGHT - LEFT) / i32::try_from(self.groups.len().max(1)).unwrap_or(1);
        for (place, group) in self.groups.iter().enumerate() {
            let middle = LEFT + width * place as i32 + width / 2;
            small(canvas, group, (middle, BOTTOM + 34), HPos::Center)?;
        }
        for bar in &self.bars {
            self.bar(canvas, bar, width)?;
        }
        line(canvas, &[(LEFT, TOP), (LEFT, BOTTOM), (RIGHT, BOTTOM)], FRAME, 2)
    }

    fn bar(&self, canvas: &Canvas<'_>, bar: &Bar, group: i32) -> Drawn {
        let series = i32::try_from(self.series.len().max(1)).unwrap_or(1);
        let each = group * 8 / 10 / series;
        let left = LEFT + group * bar.group as i32 + group / 10 + each * bar.series as i32;
        let (from, to) = (left + each / 10, left + each * 9 / 10);
        let middle = i32::midpoint(from, to);
        let color = COLORS[bar.series % COLORS.len()];
        fill(canvas, (from, self.y(bar.median)), (to, BOTTOM), color, 0.35)?;
        line(canvas, &[(from, self.y(bar.median)), (to, self.y(bar.median))], color, 4)?;
        // Beside each other, as far as there is room: the order is that of time.
        let room = (to - from) * 7 / 10;
        let n = bar.trials.len().max(1) as i32;
        for (k, value) in bar.trials.iter().enumerate() {
            let x = middle - room / 2 + room * (2 * k as i32 + 1) / (2 * n);
            dot(canvas, (x, self.y(*value)), color)?;
        }
        if let Some((low, high)) = bar.interval {
            let (low, high) = (self.y(low), self.y(high));
            line(canvas, &[(middle, low), (middle, high)], INK, 3)?;
            for end in [low, high] {
                line(canvas, &[(middle - 10, end), (middle + 10, end)], INK, 3)?;
            }
        }
        Ok(())
    }

    fn y(&self, value: f64) -> i32 {
        BOTTOM - (self.scale.share(value) * f64::from(BOTTOM - TOP)).round() as i32
    }
}

/// The place of a name, which is added if it is new.
fn place(names: &mut Vec<String>, name: String) -> usize {
    names.iter().position(|known| *known == name).unwrap_or_else(|| {
        names.push(name);
        names.len() - 1
    })
}
