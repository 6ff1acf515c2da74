//! One panel of a chart: a frame with a title, a legend, ticks and lines, drawn
//! with the elements of the SVG back end.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::super::sections::cell;

/// A canvas whose units are half pixels.
pub(crate) type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(crate) type Drawn = Result<(), String>;

// Page styles recolour these for dark pages by their exact values.
pub(crate) const INK: RGBColor = RGBColor(0x22, 0x24, 0x28);
pub(crate) const FAINT: RGBColor = RGBColor(0xe2, 0xe5, 0xea);
pub(crate) const FRAME: RGBColor = RGBColor(0x8d, 0x93, 0x9c);
pub(crate) const FONT: f64 = 26.0;
/// Half pixels that a character takes, on average.
const CHARACTER: f64 = 13.6;

/// How wide a text will be, about.
pub(crate) fn text_width(text: &str, size: f64) -> i32 {
    (text.chars().count() as f64 * CHARACTER * size / FONT).ceil() as i32
}

/// An error of the back end as text.
pub(crate) fn failed<E: std::fmt::Display>(error: E) -> String {
    error.to_string()
}

/// Writes a text. `at` is where its left end, middle or right end is, and its
/// vertical middle.
pub(crate) fn text(
    canvas: &Canvas<'_>,
    words: &str,
    at: (i32, i32),
    side: HPos,
    color: RGBColor,
    size: f64,
) -> Drawn {
    let style = TextStyle::from(("sans-serif", size).into_font())
        .color(&color)
        .pos(Pos::new(side, VPos::Center));
    // The back end escapes markup, but passes control characters through.
    canvas.draw(&Text::new(cell::clean(words), at, style)).map_err(failed)
}

/// One entry of a legend.
pub(crate) struct Key {
    pub(crate) words: String,
    pub(crate) color: RGBColor,
    pub(crate) shape: Shape,
}

/// How a key and its data are drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Line(u32),
    Cross,
    Bar,
}

/// Where values lie on the canvas.
pub(crate) struct Panel {
    pub(crate) left: i32,
    pub(crate) right: i32,
    pub(crate) top: i32,
    pub(crate) bottom: i32,
    pub(crate) x: Range<f64>,
    pub(crate) y: Range<f64>,
}

impl Panel {
    pub(crate) fn px(&self, x: f64) -> i32 {
        let share = (x - self.x.start) / (self.x.end - self.x.start);
        self.left + (share.clamp(0.0, 1.0) * f64::from(self.right - self.left)).round() as i32
    }

    pub(crate) fn py(&self, y: f64) -> i32 {
        let share = (y - self.y.start) / (self.y.end - self.y.start);
        self.bottom - (share.clamp(0.0, 1.0) * f64::from(self.bottom - self.top)).round() as i32
    }

    /// Title at the left and legend at the right, above the frame.
    pub(crate) fn header(&self, canvas: &Canvas<'_>, title: &str, keys: &[Key]) -> Drawn {
        let y = self.top - 22;
        text(canvas, title, (self.left, y), HPos::Left, INK, FONT + 1.0)?;
        let mut x = self.right;
        for key in keys.iter().rev() {
            x -= text_width(&key.words, FONT);
            text(canvas, &key.words, (x, y), HPos::Left, INK, FONT)?;
            x -= 14;
            match key.shape {
                Shape::Line(width) => line(canvas, &[(x - 44, y), (x, y)], key.color, width)?,
                Shape::Cross => cross(canvas, (x - 22, y), key.color)?,
                Shape::Bar => fill(canvas, (x - 30, y - 10), (x - 6, y + 10), key.color, 1.0)?,
            }
            x -= 74;
        }
        Ok(())
    }

    /// Horizontal grid lines with labels, and vertical ones without.
    pub(crate) fn grid(
        &self,
        canvas: &Canvas<'_>,
        y_ticks: &[(f64, String)],
        x_ticks: &[f64],
    ) -> Drawn {
        for x in x_ticks {
            let x = self.px(*x);
            line(canvas, &[(x, self.top), (x, self.bottom)], FAINT, 1)?;
        }
        for (y, label) in y_ticks {
            let y = self.py(*y);
            line(canvas, &[(self.left, y), (self.right, y)], FAINT, 1)?;
            text(canvas, label, (self.left - 12, y), HPos::Right, INK, FONT - 2.0)?;
        }
        Ok(())
    }

    pub(crate) fn frame(&self, canvas: &Canvas<'_>) -> Drawn {
        let corners = [
            (self.left, self.top),
            (self.right, self.top),
            (self.right, self.bottom),
            (self.left, self.bottom),
            (self.left, self.top),
        ];
        line(canvas, &corners, FRAME, 2)
    }

    /// A line through the values that there are. Where one is missing, the line
    /// has a gap; a value between two gaps is a dot.
    pub(crate) fn curve(
        &self,
        canvas: &Canvas<'_>,
        values: impl Iterator<Item = (f64, Option<f64>)>,
        color: RGBColor,
        width: u32,
    ) -> Drawn {
        let mut run: Vec<(i32, i32)> = Vec::new();
        for (x, y) in values {
            match y.filter(|y| y.is_finite()) {
                Some(y) => run.push((self.px(x), self.py(y))),
                None => stroke(canvas, &mut run, color, width)?,
            }
        }
        stroke(canvas, &mut run, color, width)
    }
}

fn stroke(canvas: &Canvas<'_>, run: &mut Vec<(i32, i32)>, color: RGBColor, width: u32) -> Drawn {
    match run.as_slice() {
        [] => {}
        [only] => canvas.draw(&Circle::new(*only, width + 1, color.filled())).map_err(failed)?,
        many => line(canvas, many, color, width)?,
    }
    run.clear();
    Ok(())
}

pub(crate) fn line(
    canvas: &Canvas<'_>,
    points: &[(i32, i32)],
    color: RGBColor,
    width: u32,
) -> Drawn {
    canvas.draw(&PathElement::new(points.to_vec(), color.stroke_width(width))).map_err(failed)
}

pub(crate) fn cross(canvas: &Canvas<'_>, at: (i32, i32), color: RGBColor) -> Drawn {
    canvas.draw(&Cross::new(at, 6, color.stroke_width(2))).map_err(failed)
}

pub(crate) fn fill(
    canvas: &Canvas<'_>,
    from: (i32, i32),
    to: (i32, i32),
    color: RGBColor,
    opacity: f64,
) -> Drawn {
    canvas.draw(&Rectangle::new([from, to], color.mix(opacity).filled())).map_err(failed)
}
