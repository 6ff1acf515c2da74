//! The curves of a sweep as SVG: response time, answered rate and losses above
//! each other on one axis of the demanded rate, with knee and saturation marked.
//!
//! Drawn in units of half a pixel, as the charts of a report are.

use std::ops::Range;

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::point::SweepPoint;
use super::report::SweepReport;
use crate::report::chart::panel::{
    Canvas, Drawn, FONT, INK, Key, Panel, Shape, cross, failed, fill, line, text, text_width,
};
use crate::report::chart::{decade, ticks};
use crate::report::sections::cell;

const WIDTH: i32 = 2200;
const LEFT: i32 = 136;
const RIGHT: i32 = WIDTH - 56;
const STRIP: i32 = 60;
const TITLE: i32 = 48;
const PANELS: [i32; 3] = [460, 320, 200];
/// The one below them, of sweeps with migrations.
const MIGRATIONS: i32 = 260;
const GAP: i32 = 22;
const AXIS: i32 = 78;

// The page recolours some of these for dark screens by their exact values.
const P50: RGBColor = RGBColor(0x09, 0x4a, 0xb2);
const P90: RGBColor = RGBColor(0x62, 0xa8, 0xff);
const P99: RGBColor = RGBColor(0xa0, 0x41, 0x00);
const P99_9: RGBColor = RGBColor(0xff, 0x9a, 0x3d);
const LONGEST: RGBColor = RGBColor(0x8a, 0x90, 0x99);
const DEMANDED: RGBColor = RGBColor(0x8a, 0x90, 0x99);
const ANSWERED: RGBColor = RGBColor(0x1a, 0x7f, 0x37);
const FAILED: RGBColor = RGBColor(0xd1, 0x24, 0x2f);
const LEFT_OVER: RGBColor = RGBColor(0x82, 0x50, 0xdf);
const MARK: RGBColor = RGBColor(0xa4, 0x0e, 0x26);

/// Draws the curves; `None` if there is nothing to draw.
///
/// # Errors
/// The back end's message; drawing into memory does not fail in practice.
pub(super) fn draw(sweep: &SweepReport) -> Result<Option<String>, String> {
    let mut points = sweep.curve();
    points.retain(|point| point.demanded_per_s.is_finite());
    let Some(highest) = points.last().map(|point| point.demanded_per_s) else { return Ok(None) };
    let below = if sweep.has_migrations() { MIGRATIONS + TITLE + GAP } else { 0 };
    let height = STRIP + PANELS.iter().sum::<i32>() + 3 * TITLE + 2 * GAP + below + AXIS;
    let mut svg = String::new();
    {
        let canvas =
            SVGBackend::with_string(&mut svg, (WIDTH as u32, height as u32)).into_drawing_area();
        draw_all(&canvas, sweep, &points, 0.0..highest * 1.04)?;
        canvas.present().map_err(failed)?;
    }
    // Scaled by the page; the size is in the view box.
    let size = format!("width=\"{WIDTH}\" height=\"{height}\" ");
    Ok(Some(svg.replacen(&size, "role=\"img\" ", 1)))
}

fn draw_all(
    canvas: &Canvas<'_>,
    sweep: &SweepReport,
    points: &[&SweepPoint],
    x: Range<f64>,
) -> Drawn {
    let is_of_sessions = sweep.is_of_sessions();
    let answered = points.iter().filter_map(|p| p.rates.answered_per_s);
    let asked = match is_of_sessions {
        true => points.iter().filter_map(|p| p.rates.offered_per_s).fold(1.0, f64::max),
        false => x.end / 1.04,
    };
    let rates_top = answered.fold(asked, f64::max) * 1.08;
    let shares = points.iter().flat_map(|p| [lost(p), left_over(p)]).flatten();
    let lost_top = (shares.fold(0.0, f64::max) * 1.08).max(1.0);
    let mut top = STRIP + TITLE;
    let ranges = [times(points), 0.0..rates_top, 0.0..lost_top].into_iter().zip(PANELS);
    let lengths = points.iter().flat_map(|point| MIGRATION.map(|(.., of)| of(point))).flatten();
    let longest = (lengths.fold(0.0, f64::max) * 1.08).max(1.0);
    let below = sweep.has_migrations().then_some((0.0..longest, MIGRATIONS));
    let panels = ranges.chain(below).map(|(y, height)| {
        let panel = Panel { left: LEFT, right: RIGHT, top, bottom: top + height, x: x.clone(), y };
        top += height + GAP + TITLE;
        panel
    });
    let panels: Vec<Panel> = panels.collect();
    let [response, rates, losses, below @ ..] = panels.as_slice() else {
        return Err("a panel is missing".to_owned());
    };
    let x_ticks = ticks(&x, 10);
    band(canvas, sweep, &panels)?;
    draw_times(canvas, response, points, &x_ticks)?;
    draw_rates(canvas, rates, points, &x_ticks, is_of_sessions)?;
    draw_losses(canvas, losses, points, &x_ticks)?;
    for panel in below {
        draw_migrations(canvas, panel, points, &x_ticks)?;
    }
    mark(canvas, sweep, &panels)?;
    for panel in &panels {
        panel.frame(canvas)?;
    }
    let what = if is_of_sessions { "sessions" } else { "calls" };
    let words = format!("demanded rate ({what} per second)");
    x_axis(canvas, panels.last().unwrap_or(losses), &x_ticks, &words)
}

/// A time as a height on a logarithmic axis.
fn log(us: Option<f64>) -> Option<f64> {
    us.filter(|us| us.is_finite() && *us >= 1.0).map(f64::log10)
}

/// A curve of the response time and how it is shown.
type TimeCurve = (&'static str, RGBColor, u32, fn(&SweepPoint) -> Option<f64>);

const TIMES: [TimeCurve; 5] = [
    ("p50", P50, 4, |p| p.response_time.p50_us),
    ("p90", P90, 4, |p| p.response_time.p90_us),
    ("p99", P99, 4, |p| p.response_time.p99_us),
    ("p99.9", P99_9, 4, |p| p.response_time.p99_9_us),
    ("max", LONGEST, 2, |p| p.response_time.max_us),
];

/// Decades around all response times.
fn times(points: &[&SweepPoint]) -> Range<f64> {
    let all = points.iter().flat_map(|point| TIMES.map(|(.., of)| log(of(point)))).flatten();
    let (low, high) = all.fold((f64::MAX, f64::MIN), |(low, high), y| (low.min(y), high.max(y)));
    if low > high {
        return 2.0..5.0;
    }
    let (low, high) = (low.floor(), (high + 0.05).ceil());
    low..high.max(low + 1.0)
}

fn draw_times(
    canvas: &Canvas<'_>,
    panel: &Panel,
    points: &[&SweepPoint],
    x_ticks: &[f64],
) -> Drawn {
    let keys = TIMES.map(|(name, color, width, _)| key(name, color, Shape::Line(width)));
    panel.header(canvas, "Response time", &keys)?;
    let decades = panel.y.start as i32..=panel.y.end as i32;
    let labels: Vec<_> = decades.map(|k| (f64::from(k), decade(k))).collect();
    panel.grid(canvas, &labels, x_ticks)?;
    for (_, color, width, of) in TIMES.into_iter().rev() {
        let values: Vec<_> = points.iter().map(|p| (p.demanded_per_s, log(of(p)))).collect();
        panel.curve(canvas, values.iter().copied(), color, width - 1)?;
        dots(canvas, panel, &values, color)?;
    }
    Ok(())
}

fn draw_rates(
    canvas: &Canvas<'_>,
    panel: &Panel,
    points: &[&SweepPoint],
    x_ticks: &[f64],
    is_of_sessions: bool,
) -> Drawn {
    // How many calls a session makes is the server's to say, too.
    let asked = if is_of_sessions { "offered" } else { "demanded" };
    let keys = [key(asked, DEMANDED, Shape::Line(2)), key("answered", ANSWERED, Shape::Line(4))];
    panel.header(canvas, "Answered rate (calls per second)", &keys)?;
    panel.grid(canvas, &counts(panel, 5, ""), x_ticks)?;
    if is_of_sessions {
        let offered = points.iter().map(|p| (p.demanded_per_s, p.rates.offered_per_s));
        panel.curve(canvas, offered, DEMANDED, 2)?;
    } else {
        let ideal = [0.0, panel.x.end / 1.04].map(|rate| (rate, Some(rate)));
        panel.curve(canvas, ideal.into_iter(), DEMANDED, 2)?;
    }
    let values: Vec<_> =
        points.iter().map(|p| (p.demanded_per_s, p.rates.answered_per_s)).collect();
    panel.curve(canvas, values.iter().copied(), ANSWERED, 4)?;
    dots(canvas, panel, &values, ANSWERED)
}

fn draw_losses(
    canvas: &Canvas<'_>,
    panel: &Panel,
    points: &[&SweepPoint],
    x_ticks: &[f64],
) -> Drawn {
    let keys =
        [key("without reply", FAILED, Shape::Line(4)), key("left over", LEFT_OVER, Shape::Line(4))];
    panel.header(canvas, "Lost calls (% of offered)", &keys)?;
    panel.grid(canvas, &counts(panel, 3, " %"), x_ticks)?;
    let values: Vec<_> = points.iter().map(|p| (p.demanded_per_s, left_over(p))).collect();
    panel.curve(canvas, values.into_iter(), LEFT_OVER, 3)?;
    let values: Vec<_> = points.iter().map(|p| (p.demanded_per_s, lost(p))).collect();
    panel.curve(canvas, values.iter().copied(), FAILED, 3)?;
    for (x, y) in values {
        if let Some(y) = y.filter(|y| *y > 0.0) {
            cross(canvas, (panel.px(x), panel.py(y)), FAILED)?;
        }
    }
    Ok(())
}

const MIGRATION: [TimeCurve; 2] = [
    ("outage", P99, 4, |p| p.migration.as_ref()?.outage_ms.as_ref()?.headline()),
    ("downtime", P50, 4, |p| p.migration.as_ref()?.downtime_ms.events),
];

fn draw_migrations(
    canvas: &Canvas<'_>,
    panel: &Panel,
    points: &[&SweepPoint],
    x_ticks: &[f64],
) -> Drawn {
    let keys = MIGRATION.map(|(name, color, width, _)| key(name, color, Shape::Line(width)));
    panel.header(canvas, "Migration (ms)", &keys)?;
    panel.grid(canvas, &counts(panel, 4, ""), x_ticks)?;
    for (_, color, width, of) in MIGRATION {
        let values: Vec<_> = points.iter().map(|p| (p.demanded_per_s, of(p))).collect();
        panel.curve(canvas, values.iter().copied(), color, width - 1)?;
        dots(canvas, panel, &values, color)?;
    }
    Ok(())
}

/// Calls without reply, per cent of those offered.
fn lost(point: &SweepPoint) -> Option<f64> {
    let offered = point.counts.offered;
    (offered > 0).then(|| point.lost() as f64 / offered as f64 * 100.0)
}

fn left_over(point: &SweepPoint) -> Option<f64> {
    point.left_over.map(|share| share * 100.0)
}

fn key(words: &str, color: RGBColor, shape: Shape) -> Key {
    Key { words: words.to_owned(), color, shape }
}

/// Round numbers of the y axis.
fn counts(panel: &Panel, wanted: usize, unit: &str) -> Vec<(f64, String)> {
    let label = |y: f64| match y {
        _ if y.fract() == 0.0 => format!("{}{unit}", cell::count(y as u64)),
        _ => format!("{}{unit}", (y * 1e6).round() / 1e6),
    };
    ticks(&panel.y, wanted).into_iter().map(|y| (y, label(y))).collect()
}

fn dots(
    canvas: &Canvas<'_>,
    panel: &Panel,
    values: &[(f64, Option<f64>)],
    color: RGBColor,
) -> Drawn {
    for (x, y) in values {
        if let Some(y) = y.filter(|y| y.is_finite()) {
            let dot = Circle::new((panel.px(*x), panel.py(y)), 5, color.filled());
            canvas.draw(&dot).map_err(failed)?;
        }
    }
    Ok(())
}

/// Between the last rate that the server keeps up with and the next.
fn band(canvas: &Canvas<'_>, sweep: &SweepReport, panels: &[Panel]) -> Drawn {
    let Some(full) = sweep.saturation else { return Ok(()) };
    let low = full.keeps_up_per_s.unwrap_or(0.0);
    for panel in panels {
        let (from, to) = (panel.px(low), panel.px(full.falls_behind_per_s));
        fill(canvas, (from, panel.top), (to, panel.bottom), FAILED, 0.10)?;
    }
    let Some(first) = panels.first() else { return Ok(()) };
    let low = cell::rate(low);
    let words = format!(
        "saturation {}–{}",
        low.trim_end_matches("/s"),
        cell::rate(full.falls_behind_per_s)
    );
    let size = FONT - 3.0;
    let half = text_width(&words, size) / 2;
    let middle = i32::midpoint(
        first.px(full.keeps_up_per_s.unwrap_or(0.0)),
        first.px(full.falls_behind_per_s),
    );
    let at = (middle.clamp(LEFT + half, (RIGHT - half).max(LEFT + half)), 18);
    text(canvas, &words, at, HPos::Center, FAILED, size)
}

/// The knee as a line, or in a search the rate that holds.
fn mark(canvas: &Canvas<'_>, sweep: &SweepReport, panels: &[Panel]) -> Drawn {
    let knee = sweep.knee.map(|knee| ("knee", knee.at_per_s));
    let holds = sweep.search.as_ref().and_then(|search| search.holds_per_s);
    let marked = knee.or(holds.map(|rate| ("holds", rate))).filter(|(_, rate)| rate.is_finite());
    let (Some((name, rate)), Some(first)) = (marked, panels.first()) else { return Ok(()) };
    let x = first.px(rate);
    for panel in panels {
        line(canvas, &[(x, panel.top), (x, panel.bottom)], MARK, 2)?;
    }
    let words = format!("{name} {}", cell::rate(rate));
    let size = FONT - 3.0;
    let half = text_width(&words, size) / 2;
    let at = (x.clamp(LEFT + half, (RIGHT - half).max(LEFT + half)), 48);
    text(canvas, &words, at, HPos::Center, MARK, size)
}

fn x_axis(canvas: &Canvas<'_>, panel: &Panel, x_ticks: &[f64], words: &str) -> Drawn {
    for x in x_ticks {
        let at = panel.px(*x);
        line(canvas, &[(at, panel.bottom), (at, panel.bottom + 8)], INK, 2)?;
        let label = ((x * 1e6).round() / 1e6).to_string();
        text(canvas, &label, (at, panel.bottom + 24), HPos::Center, INK, FONT - 2.0)?;
    }
    let middle = i32::midpoint(panel.left, panel.right);
    text(canvas, words, (middle, panel.bottom + 56), HPos::Center, INK, FONT)
}
