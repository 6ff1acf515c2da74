//! The outage of each strategy over the bandwidth of the link.

use plotters::style::text_anchor::HPos;

use super::Figure;
use super::axis::Powers;
use crate::model::Strategy;
use crate::model::strategies::Scenario;
use crate::prediction::document::CellPrediction;
use crate::report::chart::canvas::{
    BOTTOM, COLORS, Canvas, Drawn, LEFT, RIGHT, SIZE, TOP, draw, legend, small,
};
use crate::report::chart::decade;
use crate::report::chart::panel::{FAINT, FRAME, INK, line, text};
use crate::units::format_byte_rate;

/// Bandwidths that are tried, from a tenth of the given one to ten times of it.
const POINTS: u32 = 121;

/// How far to each side.
const SPAN: f64 = 10.0;

/// Bandwidths, and what each strategy has there; `None`: it does not converge.
struct Curve {
    strategy: Strategy,
    points: Vec<(f64, Option<f64>)>,
}

/// `None` if there is nothing to draw.
pub(super) fn figure(prediction: &CellPrediction, of: &str) -> Option<Figure> {
    let mut scenario = prediction.input.as_ref()?.scenario();
    let given = scenario.bandwidth;
    // Only the downtime is drawn: nobody needs to go through calls for it.
    scenario.populations.clear();
    let x = Powers::new(given / SPAN, given * SPAN, LEFT, RIGHT)?;
    let strategies = super::strategies(prediction).into_iter();
    let curves: Vec<Curve> = strategies.map(|strategy| curve(&scenario, strategy, &x)).collect();
    let values = || curves.iter().flat_map(|curve| &curve.points).filter_map(|point| point.1);
    let (least, most) =
        values().fold((f64::MAX, 0.0_f64), |(least, most), s| (least.min(s), most.max(s)));
    if most <= 0.0 {
        return None;
    }
    let low = 10f64.powf(least.max(1e-4).log10().floor());
    let high = 10f64.powf(most.max(1e-3).log10().ceil());
    let y = Powers::new(low, high, BOTTOM, TOP)?;
    let title = format!("Outage over the bandwidth of the link{of}");
    let svg = draw(&title, |canvas| draw_on(canvas, &title, &curves, (&x, &y), given));
    let caption = format!(
        "From the stop until the service answers, both axes in powers of ten; the upright line is the \
         bandwidth that was given. Where pre-copy does not converge its line ends.{}{}",
        super::of_whom(prediction),
        super::of_bounds(prediction)
    );
    Some(Figure { title: format!("Outage against bandwidth{of}"), caption, svg })
}

fn curve(scenario: &Scenario, strategy: Strategy, x: &Powers) -> Curve {
    let point = |number: u32| {
        let bandwidth = x.value(f64::from(number) / f64::from(POINTS - 1));
        let forecast = scenario.over(bandwidth).forecast(strategy).ok();
        let outage = forecast
            .filter(|of| of.prediction.converges)
            .map(|of| of.outage_s)
            .filter(|s| *s > 0.0);
        (bandwidth, outage)
    };
    Curve { strategy, points: (0..POINTS).map(point).collect() }
}

fn draw_on(
    canvas: &Canvas<'_>,
    title: &str,
    curves: &[Curve],
    (x, y): (&Powers, &Powers),
    given: f64,
) -> Drawn {
    text(canvas, title, (LEFT, 24), HPos::Left, INK, SIZE)?;
    let names: Vec<String> = curves.iter().map(|curve| curve.strategy.name().to_owned()).collect();
    legend(canvas, &names)?;
    for tick in y.ticks(10.0, &[1.0]) {
        line(canvas, &[(LEFT, y.at(tick)), (RIGHT, y.at(tick))], FAINT, 1)?;
        // In µs.
        let label = decade((tick * 1e6).log10().round() as i32);
        small(canvas, &label, (LEFT - 12, y.at(tick)), HPos::Right)?;
    }
    for tick in x.ticks(4.0, &[1.0]) {
        line(canvas, &[(x.at(tick), TOP), (x.at(tick), BOTTOM)], FAINT, 1)?;
        small(canvas, &format_byte_rate(tick), (x.at(tick), BOTTOM + 34), HPos::Center)?;
    }
    line(canvas, &[(x.at(given), TOP), (x.at(given), BOTTOM)], FRAME, 3)?;
    for (curve, color) in curves.iter().zip(COLORS) {
        let mut run = Vec::new();
        for (bandwidth, outage) in &curve.points {
            match outage {
                Some(s) => run.push((x.at(*bandwidth), y.at(*s))),
                None => {
                    line(canvas, &run, color, 4)?;
                    run.clear();
                }
            }
        }
        line(canvas, &run, color, 4)?;
    }
    line(canvas, &[(LEFT, TOP), (LEFT, BOTTOM), (RIGHT, BOTTOM)], FRAME, 2)
}
