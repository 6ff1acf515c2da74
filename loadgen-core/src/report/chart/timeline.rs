//! The four panels, the strip of phases and events above them, and their marks.

use std::collections::BTreeSet;
use std::ops::Range;

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::super::sections::cell;
use super::super::{FailedCall, Report};
use super::panel::{
    Canvas, Drawn, FONT, INK, Key, Panel, Shape, cross, failed, fill, line, text, text_width,
};
use super::series::{self, Point, Series, ticks};
use super::{Chart, View, darks};

const WIDTH: i32 = 2200;
const LEFT: i32 = 136;
const RIGHT: i32 = WIDTH - 56;
/// Height of the strip of phase names and event marks.
const STRIP: i32 = 118;
const TITLE: i32 = 48;
const PANELS: [i32; 4] = [430, 260, 150, 200];
const GAP: i32 = 22;
const AXIS: i32 = 78;

const FAILED: RGBColor = RGBColor(0xd1, 0x24, 0x2f);
const SHED: RGBColor = RGBColor(0x82, 0x50, 0xdf);
const OFFERED: RGBColor = RGBColor(0x8a, 0x90, 0x99);
const ANSWERED: RGBColor = RGBColor(0x1a, 0x7f, 0x37);
const SENT: RGBColor = RGBColor(0xbf, 0x87, 0x00);
const RECEIVED: RGBColor = RGBColor(0x0b, 0x7a, 0x8f);
const MARK: RGBColor = RGBColor(0xa4, 0x0e, 0x26);
/// p50 and p99 of the populations, in the order of their names.
const POPULATIONS: [(RGBColor, RGBColor); 3] = [
    (RGBColor(0x09, 0x4a, 0xb2), RGBColor(0x62, 0xa8, 0xff)),
    (RGBColor(0xa0, 0x41, 0x00), RGBColor(0xff, 0x9a, 0x3d)),
    (RGBColor(0x4c, 0x4c, 0x4c), RGBColor(0x9a, 0x9a, 0x9a)),
];
const BANDS: [RGBColor; 2] = [RGBColor(0x54, 0x9c, 0xe8), RGBColor(0x2f, 0x6f, 0xbf)];

pub(super) fn draw(report: &Report, view: View, span: &Range<f64>) -> Result<Chart, String> {
    let strip = strip(report);
    let height =
        strip + darks::height(report) + PANELS.iter().sum::<i32>() + 4 * TITLE + 3 * GAP + AXIS;
    let mut svg = String::new();
    let series = series::windows(report, span);
    {
        let canvas =
            SVGBackend::with_string(&mut svg, (WIDTH as u32, height as u32)).into_drawing_area();
        draw_all(&canvas, report, view, span, &series)?;
        canvas.present().map_err(failed)?;
    }
    // Scaled by the page; the size is in the view box.
    let size = format!("width=\"{WIDTH}\" height=\"{height}\" ");
    let svg = svg.replacen(&size, "role=\"img\" ", 1);
    let window = cell::millis(report.timeline.window_ms);
    let mut caption = if series.windows_a_point > 1 {
        format!(
            "Each point stands for {} windows of {window}: response times are the largest of \
             them, rates are means (and the minimum of the answered rate), failures are sums.",
            series.windows_a_point
        )
    } else {
        format!("Each point is one window of {window}.")
    };
    caption.push_str(
        " Response times are those of calls with an intended start in the window (p99: the \
         maximum where it has fewer than 100 calls); a gap in a line: no such call was answered. \
         Each × is a call that brought no reply, at its intended start and the time it waited.",
    );
    if darks::height(report) > 0 {
        caption.push_str(
            " The bars tell when the machine was dark, by each view of it: solid for so long as it \
             surely was, light for as long as it may have been.",
        );
    }
    if view == View::Blackout && !series::steps(report, span).is_empty() {
        caption.push_str(&format!(
            " Rates are counted in steps of {}.",
            cell::millis(report.timeline.counters.step_ms)
        ));
    }
    let kept = report.timeline.failed_calls.len() as u64;
    let not_kept = report.timeline.failed_calls_total.saturating_sub(kept);
    if not_kept > 0 {
        caption.push_str(&format!(" {} such calls more are not drawn.", cell::count(not_kept)));
    }
    Ok(Chart { svg, caption })
}

/// Height of the strip of this report; 0 where it would be empty.
fn strip(report: &Report) -> i32 {
    if report.events.is_empty() && report.migration.is_none() { 0 } else { STRIP }
}

fn draw_all(
    canvas: &Canvas<'_>,
    report: &Report,
    view: View,
    span: &Range<f64>,
    series: &Series,
) -> Drawn {
    let points = &series.points;
    let steps = if view == View::Blackout { series::steps(report, span) } else { Vec::new() };
    let lost: Vec<&FailedCall> = report
        .timeline
        .failed_calls
        .iter()
        .filter(|call| span.contains(&call.at_s) && call.waited_s.is_finite())
        .collect();
    let mut top = strip(report) + darks::height(report) + TITLE;
    let mut panels = Vec::new();
    let rates_top = points
        .iter()
        .map(|p| p.offered_per_s.max(p.answered_per_s))
        .chain(steps.iter().map(|s| s.offered_per_s.max(s.answered_per_s)))
        .fold(1.0, f64::max);
    let lost_top = points.iter().map(|p| (p.failed + p.shed) as f64).fold(1.0, f64::max);
    let bytes_top = points.iter().map(|p| p.sent_per_s.max(p.received_per_s)).fold(1.0, f64::max);
    let tops = [rates_top, lost_top, bytes_top].map(|top| 0.0..top * 1.08);
    let ranges = std::iter::once(response_range(points, &lost)).chain(tops);
    for (y, height) in ranges.zip(PANELS) {
        let (bottom, x) = (top + height, span.clone());
        panels.push(Panel { left: LEFT, right: RIGHT, top, bottom, x, y });
        top = bottom + GAP + TITLE;
    }
    let [response, rates, losses, traffic] = panels.as_slice() else {
        return Err("a panel is missing".to_owned());
    };
    let x_ticks = ticks(span, 10);
    darks::draw(canvas, report, response, strip(report))?;
    bands(canvas, report, &panels, span)?;
    draw_response(canvas, response, points, &lost, &x_ticks)?;
    draw_rates(canvas, rates, series, &steps, &x_ticks)?;
    draw_losses(canvas, losses, points, &x_ticks)?;
    draw_traffic(canvas, traffic, points, &x_ticks)?;
    marks(canvas, report, &panels, span)?;
    for panel in &panels {
        panel.frame(canvas)?;
    }
    x_axis(canvas, traffic, &x_ticks)
}

/// Decades around all response times, as log10 of µs.
fn response_range(points: &[Point], lost: &[&FailedCall]) -> Range<f64> {
    let times = points.iter().flat_map(|p| p.response.values()).flat_map(|(a, b)| [*a, *b]);
    let waited = lost.iter().map(|call| Some(call.waited_s * 1e6));
    let (mut low, mut high) = (f64::MAX, f64::MIN);
    for us in times.chain(waited).flatten().filter(|us| us.is_finite() && *us >= 1.0) {
        low = low.min(us);
        high = high.max(us);
    }
    if low > high {
        return 2.0..5.0;
    }
    let (low, high) = (low.log10().floor(), (high * 1.15).log10().ceil());
    low..high.max(low + 1.0)
}

fn draw_response(
    canvas: &Canvas<'_>,
    panel: &Panel,
    points: &[Point],
    lost: &[&FailedCall],
    x_ticks: &[f64],
) -> Drawn {
    let names: BTreeSet<&String> = points.iter().flat_map(|p| p.response.keys()).collect();
    let named: Vec<_> = names.into_iter().zip(POPULATIONS).collect();
    let mut keys = Vec::new();
    for (name, (p50, p99)) in &named {
        let name: String = name.chars().take(16).collect();
        keys.push(Key { words: format!("{name} p50"), color: *p50, shape: Shape::Line(4) });
        keys.push(Key { words: format!("{name} p99"), color: *p99, shape: Shape::Line(4) });
    }
    keys.push(Key { words: "no reply".to_owned(), color: FAILED, shape: Shape::Cross });
    panel.header(canvas, "Response time", &keys)?;
    let decades: Vec<_> =
        (panel.y.start as i32..=panel.y.end as i32).map(|k| (f64::from(k), decade(k))).collect();
    panel.grid(canvas, &decades, x_ticks)?;
    let log = |us: Option<f64>| us.filter(|us| *us > 0.0).map(f64::log10);
    for (name, (_, color)) in &named {
        let values = points
            .iter()
            .map(|p| (p.middle_s(), p.response.get(*name).and_then(|(_, p99)| log(*p99))));
        panel.curve(canvas, values, *color, 3)?;
    }
    for (name, (color, _)) in &named {
        let values = points
            .iter()
            .map(|p| (p.middle_s(), p.response.get(*name).and_then(|(p50, _)| log(*p50))));
        panel.curve(canvas, values, *color, 3)?;
    }
    // Marks that would lie on the same spot are drawn once.
    let spots: BTreeSet<(i32, i32)> = lost
        .iter()
        .map(|call| {
            let y = log(Some(call.waited_s * 1e6)).unwrap_or(panel.y.start);
            (panel.px(call.at_s) / 2 * 2, panel.py(y) / 2 * 2)
        })
        .collect();
    spots.into_iter().try_for_each(|spot| cross(canvas, spot, FAILED))
}

/// 10^k µs as a label.
pub(crate) fn decade(k: i32) -> String {
    match k {
        ..=2 => format!("{} µs", 10f64.powi(k)),
        3..=5 => format!("{} ms", 10f64.powi(k - 3)),
        _ => format!("{} s", 10f64.powi(k - 6)),
    }
}

fn draw_rates(
    canvas: &Canvas<'_>,
    panel: &Panel,
    series: &Series,
    steps: &[series::Step],
    x_ticks: &[f64],
) -> Drawn {
    let grouped = series.windows_a_point > 1;
    let mut keys = vec![
        Key { words: "offered".to_owned(), color: OFFERED, shape: Shape::Line(4) },
        Key { words: "answered".to_owned(), color: ANSWERED, shape: Shape::Line(4) },
    ];
    if grouped {
        keys.push(Key { words: "least answered".to_owned(), color: MARK, shape: Shape::Line(2) });
    }
    panel.header(canvas, "Rate (calls per second)", &keys)?;
    let labels: Vec<_> =
        ticks(&panel.y, 4).into_iter().map(|y| (y, cell::count(y.round() as u64))).collect();
    panel.grid(canvas, &labels, x_ticks)?;
    if !steps.is_empty() {
        let offered = steps.iter().map(|s| (s.middle_s, Some(s.offered_per_s)));
        panel.curve(canvas, offered, OFFERED, 4)?;
        let answered = steps.iter().map(|s| (s.middle_s, Some(s.answered_per_s)));
        return panel.curve(canvas, answered, ANSWERED, 3);
    }
    let points = &series.points;
    if grouped {
        let least = points.iter().map(|p| (p.middle_s(), Some(p.least_answered_per_s)));
        panel.curve(canvas, least, MARK, 1)?;
    }
    let offered = points.iter().map(|p| (p.middle_s(), Some(p.offered_per_s)));
    panel.curve(canvas, offered, OFFERED, 4)?;
    let answered = points.iter().map(|p| (p.middle_s(), Some(p.answered_per_s)));
    panel.curve(canvas, answered, ANSWERED, 3)
}

fn draw_losses(canvas: &Canvas<'_>, panel: &Panel, points: &[Point], x_ticks: &[f64]) -> Drawn {
    let keys = [
        Key { words: "failed".to_owned(), color: FAILED, shape: Shape::Bar },
        Key { words: "shed".to_owned(), color: SHED, shape: Shape::Bar },
    ];
    panel.header(canvas, "Calls without reply, per point", &keys)?;
    let labels: Vec<_> = ticks(&panel.y, 3)
        .into_iter()
        .filter(|y| y.fract() == 0.0)
        .map(|y| (y, cell::count(y as u64)))
        .collect();
    panel.grid(canvas, &labels, x_ticks)?;
    for point in points {
        let (from, to) = (panel.px(point.start_s), panel.px(point.end_s));
        let to = to.max(from + 2);
        let (failed, both) = (point.failed as f64, (point.failed + point.shed) as f64);
        if point.failed > 0 {
            fill(canvas, (from, panel.py(failed)), (to, panel.bottom), FAILED, 1.0)?;
        }
        if point.shed > 0 {
            fill(canvas, (from, panel.py(both)), (to, panel.py(failed)), SHED, 1.0)?;
        }
    }
    Ok(())
}

fn draw_traffic(canvas: &Canvas<'_>, panel: &Panel, points: &[Point], x_ticks: &[f64]) -> Drawn {
    let keys = [
        Key { words: "sent".to_owned(), color: SENT, shape: Shape::Line(4) },
        Key { words: "received".to_owned(), color: RECEIVED, shape: Shape::Line(4) },
    ];
    panel.header(canvas, "Throughput (bytes per second)", &keys)?;
    // Ticks at round numbers of the unit that fits the top.
    let power = ((panel.y.end.log2() / 10.0).floor()).clamp(0.0, 4.0);
    let unit = 1024f64.powf(power);
    let name = ["B/s", "KiB/s", "MiB/s", "GiB/s", "TiB/s"][power as usize];
    let labels: Vec<_> = ticks(&(0.0..panel.y.end / unit), 3)
        .into_iter()
        .map(|y| (y * unit, format!("{} {name}", (y * 1e6).round() / 1e6)))
        .collect();
    panel.grid(canvas, &labels, x_ticks)?;
    let sent = points.iter().map(|p| (p.middle_s(), Some(p.sent_per_s)));
    panel.curve(canvas, sent, SENT, 3)?;
    let received = points.iter().map(|p| (p.middle_s(), Some(p.received_per_s)));
    panel.curve(canvas, received, RECEIVED, 3)
}

fn x_axis(canvas: &Canvas<'_>, panel: &Panel, x_ticks: &[f64]) -> Drawn {
    for x in x_ticks {
        let at = panel.px(*x);
        line(canvas, &[(at, panel.bottom), (at, panel.bottom + 8)], INK, 2)?;
        let label = format!("{} s", (x * 1e6).round() / 1e6);
        text(canvas, &label, (at, panel.bottom + 24), HPos::Center, INK, FONT - 2.0)?;
    }
    let middle = i32::midpoint(panel.left, panel.right);
    let words = "time from the start of the load";
    text(canvas, words, (middle, panel.bottom + 56), HPos::Center, INK, FONT)
}

/// The phases as light bands through all panels, their names in the strip.
fn bands(canvas: &Canvas<'_>, report: &Report, panels: &[Panel], span: &Range<f64>) -> Drawn {
    let Some(migration) = &report.migration else { return Ok(()) };
    let Some(first) = panels.first() else { return Ok(()) };
    let mut label_end = i32::MIN;
    for (i, phase) in migration.phases.iter().enumerate() {
        if phase.end_s <= span.start || phase.start_s >= span.end {
            continue;
        }
        let (from, to) = (first.px(phase.start_s), first.px(phase.end_s));
        let (color, opacity) = match phase.name.as_str() {
            "before" | "after" => (OFFERED, 0.0),
            "warm-up" => (OFFERED, 0.18),
            "blackout" => (FAILED, 0.22),
            "paused" | "recovering" => (FAILED, 0.15),
            _ => (BANDS[i % 2], 0.13),
        };
        if opacity > 0.0 {
            fill(canvas, (from, 8), (to, 44), color, opacity)?;
            for panel in panels {
                fill(canvas, (from, panel.top), (to, panel.bottom), color, opacity)?;
            }
        }
        let name = phase.name.clone();
        let short = name.strip_prefix("round ").unwrap_or(&name).to_owned();
        let middle = i32::midpoint(from, to);
        let size = FONT - 2.0;
        // The name where it fits, the number of a round where only that fits.
        for words in [name, short] {
            let width = text_width(&words, size);
            if width + 6 <= to - from && middle - width / 2 > label_end {
                text(canvas, &words, (middle, 26), HPos::Center, INK, size)?;
                label_end = middle + width / 2;
                break;
            }
        }
    }
    Ok(())
}

/// STOP and RESUME as lines through all panels; the other events as ticks with
/// their names where there is room.
fn marks(canvas: &Canvas<'_>, report: &Report, panels: &[Panel], span: &Range<f64>) -> Drawn {
    let (Some(first), Some(last)) = (panels.first(), panels.last()) else { return Ok(()) };
    let mut events: Vec<_> = report.events.iter().filter(|e| span.contains(&e.at_s)).collect();
    events.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
    let size = FONT - 3.0;
    let mut label_end = 0;
    for event in events {
        let x = first.px(event.at_s);
        let name = event.name.clone();
        match event.name.as_str() {
            "stop" | "resume" => {
                line(canvas, &[(x, 58), (x, STRIP)], MARK, 3)?;
                for panel in panels {
                    line(canvas, &[(x, panel.top), (x, panel.bottom)], MARK, 2)?;
                }
                // Away from each other, since they may be one pixel apart.
                let words = name.to_uppercase();
                let left = event.name == "stop" && x - text_width(&words, size) > LEFT;
                let (at, side) = if left { (x - 8, HPos::Right) } else { (x + 8, HPos::Left) };
                text(canvas, &words, (at, 66), side, MARK, size)?;
            }
            "progress" => {
                line(canvas, &[(x, STRIP - 10), (x, STRIP - 2)], OFFERED, 1)?;
            }
            _ => {
                line(canvas, &[(x, STRIP - 16), (x, STRIP)], INK, 2)?;
                let words = match event.attributes.get("round") {
                    // The bands have the numbers of the rounds already.
                    Some(_) => continue,
                    None if name.chars().count() > 24 => {
                        format!("{}…", name.chars().take(23).collect::<String>())
                    }
                    None => name,
                };
                let width = text_width(&words, size);
                if x + 6 > label_end && x + 6 + width < last.right {
                    text(canvas, &words, (x + 6, STRIP - 16), HPos::Left, INK, size)?;
                    label_end = x + 6 + width;
                }
            }
        }
    }
    Ok(())
}
