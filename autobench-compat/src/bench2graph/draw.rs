//! Drawing without gnuplot: the same picture, as SVG.

use std::fmt::Display;
use std::ops::Range;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::results::{Column, Results, number};
use super::{Error, labels};

/// Pixels.
const WIDTH: u32 = 1200;
const PLOT_HEIGHT: u32 = 620;
const MARGIN: i32 = 20;
const FONT: i32 = 14;
/// Height of a line of the key.
const LINE: i32 = 22;
/// What a character takes of a line, about.
const CHARACTER: i32 = 8;
/// Length of the piece of curve in front of a name.
const SAMPLE: i32 = 34;

/// Colours that differ also for the colour-blind: one a column of a host. The
/// second host has the same ones and hollow dots.
const COLORS: [RGBColor; 9] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0x33, 0x33, 0x33),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x56, 0xb4, 0xe9),
    RGBColor(0x7a, 0x52, 0x30),
    RGBColor(0x88, 0x88, 0x88),
];

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Error>;

/// Draws the columns over the first one.
pub(super) fn svg(results: &Results, title: &str) -> Result<String, Error> {
    let curves: Vec<Curve> = results.columns.iter().enumerate().map(curve).collect();
    let key = Key::of(&curves);
    let mut svg = String::new();
    {
        let height = PLOT_HEIGHT + key.height();
        let canvas = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        canvas.fill(&WHITE).map_err(failed)?;
        let (above, below) = canvas.split_vertically(PLOT_HEIGHT);
        plot(&above, results, &curves, title)?;
        key.draw(&below, &curves)?;
        canvas.present().map_err(failed)?;
    }
    Ok(svg)
}

struct Curve {
    name: String,
    color: RGBColor,
    hollow: bool,
    points: Vec<(f64, f64)>,
}

fn curve((at, column): (usize, &Column)) -> Curve {
    let points = column.points.iter().filter_map(|(x, y)| Some((number(x)?, number(y)?)));
    let points = points.filter(|(x, y)| x.abs() <= LARGEST && y.abs() <= LARGEST);
    Curve {
        name: clean(&column.name),
        color: COLORS.get(at % COLORS.len()).copied().unwrap_or(BLACK),
        hollow: at / COLORS.len() % 2 == 1,
        points: points.collect(),
    }
}

impl Curve {
    fn line(&self) -> ShapeStyle {
        self.color.stroke_width(2)
    }

    fn dot<Coordinate>(&self, at: Coordinate) -> Circle<Coordinate, i32> {
        if self.hollow {
            Circle::new(at, 5, self.line())
        } else {
            Circle::new(at, 3, self.color.filled())
        }
    }
}

fn plot(canvas: &Canvas<'_>, results: &Results, curves: &[Curve], title: &str) -> Drawn {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let x = range(points().map(|(x, _)| *x), None);
    // From 0, so that heights can be compared.
    let y = range(points().map(|(_, y)| *y), Some(0.0));
    let mut chart = ChartBuilder::on(canvas)
        .caption(clean(title), ("sans-serif", 20))
        .margin(MARGIN)
        .x_label_area_size(48)
        .y_label_area_size(80)
        .build_cartesian_2d(x, y)
        .map_err(failed)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(RGBColor(0xdd, 0xdd, 0xdd))
        .label_style(("sans-serif", FONT))
        .x_desc(clean(labels::x(results)))
        .y_desc(labels::y(results))
        .x_label_formatter(&|value| tick(*value))
        .y_label_formatter(&|value| tick(*value))
        .draw()
        .map_err(failed)?;
    for curve in curves {
        let line = LineSeries::new(curve.points.iter().copied(), curve.line());
        chart.draw_series(line).map_err(failed)?;
        chart.draw_series(curve.points.iter().map(|at| curve.dot(*at))).map_err(failed)?;
    }
    Ok(())
}

/// The largest figure that is drawn: plotters counts pixels in 32 bits.
const LARGEST: f64 = 1e15;

/// What an axis spans: the values, `also` if given, and a little more.
fn range(values: impl Iterator<Item = f64>, also: Option<f64>) -> Range<f64> {
    let (low, high) = values
        .chain(also)
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    let (span, largest) = (high - low, low.abs().max(high.abs()));
    if !span.is_finite() {
        // No values.
        return 0.0..1.0;
    }
    // Values that differ by less count as equal: plotters looks for ticks for ever
    // where they would be closer than a number can tell.
    let differ = span > 1e-6 * largest.max(1e-3);
    let room = if differ { span * 0.05 } else { largest.max(1.0) };
    let low = if also == Some(low) { low } else { low - room };
    low..high + room
}

/// The number at a tick, without trailing zeros.
fn tick(value: f64) -> String {
    let text = format!("{value:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".into() } else { text.into() }
}

/// The key below the plot: names in columns, in a box.
struct Key {
    /// Names side by side.
    across: usize,
    rows: usize,
    /// Pixels from one name to the next.
    step: i32,
}

impl Key {
    fn of(curves: &[Curve]) -> Key {
        let longest = curves.iter().map(|curve| curve.name.chars().count()).max().unwrap_or(0);
        let room = WIDTH as i32 - 4 * MARGIN;
        let longest = i32::try_from(longest).unwrap_or(room).min(room);
        let step = longest.saturating_mul(CHARACTER) + SAMPLE + 2 * MARGIN;
        let across = usize::try_from(room / step).unwrap_or(1).clamp(1, curves.len().max(1));
        Key { across, rows: curves.len().div_ceil(across), step }
    }

    fn height(&self) -> u32 {
        let rows = u32::try_from(self.rows).unwrap_or(0);
        rows.saturating_mul(LINE as u32) + 2 * MARGIN as u32
    }

    fn draw(&self, canvas: &Canvas<'_>, curves: &[Curve]) -> Drawn {
        let width = self.across as i32 * self.step;
        let left = (WIDTH as i32 - width).max(0) / 2;
        let bottom = self.rows as i32 * LINE + 8;
        let outline = Rectangle::new([(left - 10, 0), (left + width, bottom)], BLACK);
        canvas.draw(&outline).map_err(failed)?;
        for (at, curve) in curves.iter().enumerate() {
            let x = left + (at % self.across) as i32 * self.step;
            let y = (at / self.across) as i32 * LINE + LINE / 2 + 4;
            let sample = vec![(x, y), (x + SAMPLE, y)];
            canvas.draw(&PathElement::new(sample, curve.line())).map_err(failed)?;
            canvas.draw(&curve.dot((x + SAMPLE / 2, y))).map_err(failed)?;
            let name = Text::new(
                curve.name.as_str(),
                (x + SAMPLE + 8, y - FONT / 2),
                ("sans-serif", FONT).into_font(),
            );
            canvas.draw(&name).map_err(failed)?;
        }
        Ok(())
    }
}

/// XML has no control characters; plotters escapes the rest.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn failed<E: Display>(error: E) -> Error {
    Error::Draw(error.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn drawn(text: &str, title: &str) -> String {
        svg(&Results::parse(text), title).unwrap()
    }

    #[test]
    fn title_axes_names_and_points() {
        let picture =
            drawn("dem_req_rate\treq_rate_h\terrors_h\n40\t41.0\t0\n80\t81\t2\n", "<T> & \"t\"");
        let page = roxmltree::Document::parse(&picture).unwrap();
        let texts: Vec<&str> = page
            .descendants()
            .filter(|node| node.has_tag_name("text"))
            .filter_map(|node| node.text().map(str::trim))
            .collect();
        for text in [
            "<T> & \"t\"",
            "demanded request rate [requests/s]",
            "requests/s, errors %",
            "req_rate_h",
            "errors_h",
        ] {
            assert!(texts.contains(&text), "{text:?} in {texts:?}");
        }
        let dots = page.descendants().filter(|node| node.has_tag_name("circle")).count();
        assert_eq!(dots, 4 + 2, "points and samples of the key");
    }

    #[test]
    fn spans_of_axes() {
        assert_eq!(range([10.0, 30.0].into_iter(), Some(0.0)), 0.0..31.5);
        assert_eq!(range([5.0].into_iter(), None), 0.0..10.0);
        assert_eq!(range([0.0].into_iter(), Some(0.0)), 0.0..1.0);
        assert_eq!(range([].into_iter(), None), 0.0..1.0);
        assert_eq!(range([1e-300, 2e-300].into_iter(), None), 1e-300 - 1.0..2e-300 + 1.0);
        assert_eq!(range([1e14, 1e14 + 1.0].into_iter(), None), -1.0..2e14 + 2.0);
        assert_eq!([tick(0.1 + 0.2), tick(40.0), tick(-0.0)], ["0.3", "40", "0"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn whatever_the_figures_it_is_xml(
            columns in prop::collection::vec("[a-z<&\"\u{1}\u{85}]{1,30}", 1..12),
            rows in prop::collection::vec((any::<f64>(), any::<f64>()), 0..6),
            title in "\\PC{0,20}",
        ) {
            let mut text = format!("x\t{}", columns.join("\t"));
            for (x, y) in rows {
                text.push_str(&format!("\n{x}{}", format!("\t{y}").repeat(columns.len())));
            }
            let picture = drawn(&text, &title);
            prop_assert!(roxmltree::Document::parse(&picture).is_ok());
        }
    }
}
