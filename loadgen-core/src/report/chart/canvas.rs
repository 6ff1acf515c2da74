//! What charts of experiments and predictions have in common: small ones, to stand beside each
//! other, whose words can be read on a phone.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

pub(crate) use super::panel::{Canvas, Drawn};
use super::panel::{INK, failed, fill, text, text_width};

pub(crate) const WIDTH: i32 = 1320;
pub(crate) const HEIGHT: i32 = 720;
pub(crate) const LEFT: i32 = 150;
pub(crate) const RIGHT: i32 = WIDTH - 20;
pub(crate) const TOP: i32 = 112;
pub(crate) const BOTTOM: i32 = HEIGHT - 70;
/// Half pixels of a character's height.
pub(crate) const SIZE: f64 = 32.0;

// The page recolours some of these for dark screens by their exact values.
pub(crate) const COLORS: [RGBColor; 6] = [
    RGBColor(0x09, 0x4a, 0xb2),
    RGBColor(0xa0, 0x41, 0x00),
    RGBColor(0x1a, 0x7f, 0x37),
    RGBColor(0x82, 0x50, 0xdf),
    RGBColor(0xa4, 0x0e, 0x26),
    RGBColor(0x8a, 0x90, 0x99),
];

/// A chart as SVG that scales with the page, and says what it is to whoever cannot see it.
pub(crate) fn draw(title: &str, on: impl FnOnce(&Canvas<'_>) -> Drawn) -> Result<String, String> {
    let mut svg = String::new();
    {
        let size = (WIDTH as u32, HEIGHT as u32);
        let canvas = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        on(&canvas)?;
        canvas.present().map_err(failed)?;
    }
    let size = format!("width=\"{WIDTH}\" height=\"{HEIGHT}\" ");
    let title = crate::report::html::escape(title);
    Ok(svg.replacen(&size, &format!("role=\"img\" aria-label=\"{title}\" "), 1))
}

/// The names of series, below the title.
pub(crate) fn legend(canvas: &Canvas<'_>, series: &[String]) -> Drawn {
    let mut x = LEFT;
    for (name, color) in series.iter().zip(COLORS.iter().cycle()) {
        let width = text_width(name, SIZE - 4.0);
        if x + width + 40 > RIGHT {
            return small(canvas, "…", (x, 70), HPos::Left);
        }
        fill(canvas, (x, 60), (x + 22, 82), *color, 1.0)?;
        small(canvas, name, (x + 32, 70), HPos::Left)?;
        x += width + 70;
    }
    Ok(())
}

pub(crate) fn small(canvas: &Canvas<'_>, words: &str, at: (i32, i32), side: HPos) -> Drawn {
    text(canvas, words, at, side, INK, SIZE - 4.0)
}

pub(crate) fn dot(canvas: &Canvas<'_>, at: (i32, i32), color: RGBColor) -> Drawn {
    canvas.draw(&Circle::new(at, 6, color.filled())).map_err(failed)
}
