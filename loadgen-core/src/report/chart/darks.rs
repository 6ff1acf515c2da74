//! The strip of the darks: a bar for each view of the standstill, over the same x axis
//! as the panels. What surely was dark is solid, what may have been is light.

use std::ops::Range;

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::super::sections::{Dark, darks};
use super::super::{Migration, Report};
use super::event_at;
use super::panel::{Canvas, Drawn, FAINT, FONT, INK, Key, Panel, Shape, fill, line, text};

/// Height of the bar of one view, and of the strip's title.
const ROW: i32 = 36;
const TITLE: i32 = 48;
/// Below the last bar.
const GAP: i32 = 14;

const STOPPED: RGBColor = RGBColor(0xa4, 0x0e, 0x26);
const LOST: RGBColor = RGBColor(0xbc, 0x4c, 0x00);
const SILENT: RGBColor = RGBColor(0x6e, 0x56, 0xcf);
const AWAY: RGBColor = RGBColor(0x09, 0x4a, 0xb2);

/// One bar: the name, what surely and what perhaps was dark, in s.
struct Bar {
    name: String,
    color: RGBColor,
    sure: Option<(f64, f64)>,
    perhaps: (f64, f64),
}

/// Height of the strip of this report; 0 where there is nothing to compare.
pub(super) fn height(report: &Report) -> i32 {
    let bars = bars(report).len();
    if bars < 2 { 0 } else { TITLE + ROW * bars as i32 + GAP }
}

/// Draws the strip with its upper edge at `top`.
pub(super) fn draw(canvas: &Canvas<'_>, report: &Report, place: &Panel, top: i32) -> Drawn {
    let bars = bars(report);
    if bars.len() < 2 {
        return Ok(());
    }
    let bottom = top + TITLE + ROW * bars.len() as i32;
    let strip = Panel {
        left: place.left,
        right: place.right,
        top: top + TITLE,
        bottom,
        x: place.x.clone(),
        y: 0.0..1.0,
    };
    let keys: Vec<Key> = bars
        .iter()
        .zip(1..)
        .map(|(bar, k)| Key {
            words: format!("{k} {}", bar.name),
            color: bar.color,
            shape: Shape::Bar,
        })
        .collect();
    strip.header(canvas, "Standstill", &keys)?;
    for (bar, k) in bars.iter().zip(0..) {
        let (from, to) = (strip.top + ROW * k + 6, strip.top + ROW * (k + 1) - 6);
        let middle = i32::midpoint(from, to);
        line(canvas, &[(strip.left, middle), (strip.right, middle)], FAINT, 1)?;
        let paint = |(begin, end): (f64, f64), opacity| {
            let Some((left, right)) = pixels(&strip, begin, end) else { return Ok(()) };
            fill(canvas, (left, from), (right, to), bar.color, opacity)
        };
        paint(bar.perhaps, 0.4)?;
        if let Some(sure) = bar.sure {
            paint(sure, 1.0)?;
        }
        let label = (k + 1).to_string();
        text(canvas, &label, (strip.left - 12, middle), HPos::Right, INK, FONT - 4.0)?;
    }
    Ok(())
}

/// Where a bar lies that is in sight: at least 3 half pixels wide, to be seen.
fn pixels(strip: &Panel, begin: f64, end: f64) -> Option<(i32, i32)> {
    let x: &Range<f64> = &strip.x;
    if !(begin.is_finite() && end.is_finite()) || end < x.start || begin > x.end {
        return None;
    }
    let (left, right) = (strip.px(begin), strip.px(end));
    Some((left, right.max(left + 3)))
}

fn bars(report: &Report) -> Vec<Bar> {
    let Some(migration) = &report.migration else { return Vec::new() };
    // Without a reach check the blackout and the outage are in the panels already.
    if migration.unreachable_ms.at_least.is_none() {
        return Vec::new();
    }
    darks(migration).iter().filter_map(|dark| bar(report, migration, dark)).collect()
}

fn bar(report: &Report, migration: &Migration, dark: &Dark) -> Option<Bar> {
    let end_s = migration.phases.last().map_or(report.duration_s, |phase| phase.end_s);
    let (color, start) = match dark.by {
        "events" => (STOPPED, event_at(report, "stop")?),
        "network" => (LOST, dark.start_s?),
        "answers" => (SILENT, dark.start_s?),
        _ => (AWAY, dark.start_s?),
    };
    let most = dark.at_most_ms.map_or(end_s - start, |ms| ms / 1e3).max(0.0);
    let least = (dark.at_least_ms / 1e3).min(most);
    let name = match dark.by {
        "events" => "no virtual CPU".to_owned(),
        "network" => "packets lost".to_owned(),
        "answers" => "kernel silent".to_owned(),
        by => format!("no service, {by}"),
    };
    // Where in it the sure part lies is known by half of the rest on each side.
    let lead = (most - least) / 2.0;
    let sure = (least > 0.0).then_some((start + lead, start + lead + least));
    Some(Bar { name, color, sure, perhaps: (start, start + most) })
}
