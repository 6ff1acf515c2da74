//! Which strategy is best, by dirty rate and bandwidth: a map of small fields.

use std::cell::RefCell;
use std::collections::HashMap;

use plotters::prelude::RGBColor;
use plotters::style::text_anchor::HPos;

use super::Figure;
use super::axis::Powers;
use crate::model::Strategy;
use crate::model::strategies::{FeltBy, Forecast, Limits, Scenario, choose};
use crate::prediction::document::CellPrediction;
use crate::report::chart::canvas::{
    BOTTOM, COLORS, Canvas, Drawn, LEFT, RIGHT, SIZE, TOP, dot, draw, legend, small,
};
use crate::report::chart::panel::{FRAME, INK, fill, line, text};
use crate::units::format_byte_rate;

/// Fields in each direction.
const FIELDS: u32 = 32;

/// From one outage of which it is told what users feel to the next: closer together than models
/// can tell.
const STEP: f64 = 1.1;

/// How far to each side of what was given.
const SPAN: f64 = 16.0;

/// `None` if nobody would see anything on it.
pub(super) fn figure(prediction: &CellPrediction, limits: Limits, of: &str) -> Option<Figure> {
    let scenario = prediction.input.as_ref()?.scenario();
    let strategies = super::strategies(prediction);
    if strategies.len() < 2 || scenario.populations.len() > super::MOST_POPULATIONS {
        return None;
    }
    let rate = match scenario.dirtying.rate {
        rate if rate > 0.0 => rate,
        _ => scenario.bandwidth / SPAN,
    };
    let x = Powers::new(scenario.bandwidth / SPAN, scenario.bandwidth * SPAN, LEFT, RIGHT)?;
    let y = Powers::new(rate / SPAN, rate * SPAN, BOTTOM, TOP)?;
    let title = format!("The best strategy{of}");
    let map = Map { scenario, strategies, limits, x, y, felt: RefCell::default() };
    let svg = draw(&title, |canvas| map.draw_on(canvas, &title));
    let caption = format!(
        "By bandwidth (from left to right) and dirty rate (from below), in powers of ten; all else, and the \
         limits, as given. Colours as in the names above; empty: no strategy is known to hold the limits, \
         or there are more calls in an outage than can be gone through. What users feel is that of an outage that \
         is up to 5 % longer or shorter. The dot is what was given.{}{}",
        super::of_whom(prediction),
        super::of_bounds(prediction)
    );
    Some(Figure { title: format!("Map of strategies{of}"), caption, svg })
}

struct Map {
    scenario: Scenario,
    strategies: Vec<Strategy>,
    limits: Limits,
    x: Powers,
    y: Powers,
    /// What users feel of outages, by their lengths in [steps](STEP) from a second: many fields
    /// share them, and to go through all calls takes time.
    felt: RefCell<HashMap<i32, Vec<FeltBy>>>,
}

impl Map {
    fn best(&self, bandwidth: f64, rate: f64) -> Option<Strategy> {
        let scenario = self.scenario.over(bandwidth).dirtied_at(rate);
        let forecast = |strategy: &Strategy| {
            let mut forecast = scenario.of_machine(*strategy).ok()?;
            if forecast.prediction.converges {
                forecast.felt = self.feel(forecast.outage_s)?;
            }
            Some(forecast)
        };
        let forecasts: Vec<Forecast> =
            self.strategies.iter().map(forecast).collect::<Option<_>>()?;
        choose(&forecasts, &self.limits).best
    }

    fn feel(&self, outage_s: f64) -> Option<Vec<FeltBy>> {
        // None is too short to be told of.
        let steps = outage_s.max(1e-6).log(STEP).round() as i32;
        let mut known = self.felt.borrow_mut();
        if let Some(felt) = known.get(&steps) {
            return Some(felt.clone());
        }
        let felt = self.scenario.feel(STEP.powi(steps)).ok()?;
        known.insert(steps, felt.clone());
        Some(felt)
    }

    fn color(&self, strategy: Strategy) -> RGBColor {
        let place = self.strategies.iter().position(|of| *of == strategy).unwrap_or_default();
        COLORS[place % COLORS.len()]
    }

    fn draw_on(&self, canvas: &Canvas<'_>, title: &str) -> Drawn {
        text(canvas, title, (LEFT, 24), HPos::Left, INK, SIZE)?;
        let names: Vec<String> = self.strategies.iter().map(|of| of.name().to_owned()).collect();
        legend(canvas, &names)?;
        let at = |axis: &Powers, place: f64| axis.value(place / f64::from(FIELDS));
        for column in 0..FIELDS {
            for row in 0..FIELDS {
                let (column, row) = (f64::from(column), f64::from(row));
                let best = self.best(at(&self.x, column + 0.5), at(&self.y, row + 0.5));
                let Some(best) = best else { continue };
                let from = (self.x.at(at(&self.x, column)), self.y.at(at(&self.y, row)));
                let to = (self.x.at(at(&self.x, column + 1.0)), self.y.at(at(&self.y, row + 1.0)));
                fill(canvas, from, to, self.color(best), 0.55)?;
            }
        }
        for tick in self.x.ticks(4.0, &[1.0]) {
            small(canvas, &format_byte_rate(tick), (self.x.at(tick), BOTTOM + 34), HPos::Center)?;
        }
        for tick in self.y.ticks(4.0, &[1.0]) {
            small(canvas, &format_byte_rate(tick), (LEFT - 12, self.y.at(tick)), HPos::Right)?;
        }
        let given = (
            self.x.at(self.scenario.bandwidth),
            self.y.at(self.scenario.dirtying.rate.max(f64::MIN_POSITIVE)),
        );
        dot(canvas, given, INK)?;
        line(canvas, &[(LEFT, TOP), (LEFT, BOTTOM), (RIGHT, BOTTOM)], FRAME, 2)
    }
}
