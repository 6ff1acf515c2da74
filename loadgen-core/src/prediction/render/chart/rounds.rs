//! What is left to be sent over the time of a pre-copy: falling while a pass sends, rising where
//! the bitmap is read again.

use plotters::style::text_anchor::HPos;

use super::Figure;
use crate::prediction::document::CellPrediction;
use crate::prediction::input::PredictionInput;
use crate::prediction::strategy::PredictedStrategy;
use crate::report::chart::canvas::{
    BOTTOM, COLORS, Canvas, Drawn, LEFT, RIGHT, SIZE, TOP, draw, small,
};
use crate::report::chart::panel::{FAINT, FRAME, INK, line, text};
use crate::report::chart::ticks;

const MIB: f64 = 1_048_576.0;

/// `None` without a pre-copy that has passes.
pub(super) fn figure(prediction: &CellPrediction, of: &str) -> Option<Figure> {
    let strategy = prediction.strategies.iter().find(|of| of.strategy == "pre-copy")?;
    let input = prediction.input.as_ref()?;
    let points = points(input, strategy);
    let is_fine = points.iter().all(|(s, bytes)| s.is_finite() && bytes.is_finite());
    let &(end_s, _) = points.last().filter(|(end_s, _)| is_fine && *end_s > 0.0)?;
    let threshold = input.bandwidth_bytes_per_s * input.downtime_limit_s;
    let title = format!("Memory left to send in a pre-copy{of}");
    let svg = draw(&title, |canvas| draw_on(canvas, &title, &points, end_s, threshold));
    let caption = format!(
        "In MiB over seconds from the first byte. The line across: what may be left for the machine to \
         be stopped (bandwidth times downtime limit).{}",
        if strategy.converges { "" } else { " It does not converge; its first passes are drawn." }
    );
    Some(Figure { title: format!("Passes over time{of}"), caption, svg })
}

/// Times in s and what is left in bytes.
fn points(input: &PredictionInput, strategy: &PredictedStrategy) -> Vec<(f64, f64)> {
    let (mut at, mut left) = (0.0, input.memory_bytes);
    let mut points = vec![(at, left)];
    let ratios = [input.first_ratio, input.later_ratio];
    for (number, pass) in strategy.rounds.iter().enumerate() {
        at += pass.length_s;
        // On the wire it was less than it is in memory.
        left = (left - pass.sent_bytes / ratios[number.min(1)]).max(0.0);
        points.push((at, left));
        left = pass.left_bytes;
        points.push((at, left));
    }
    if let Some(downtime_s) = strategy.downtime_s {
        points.push((at + downtime_s, 0.0));
    }
    points
}

fn draw_on(
    canvas: &Canvas<'_>,
    title: &str,
    points: &[(f64, f64)],
    end_s: f64,
    threshold: f64,
) -> Drawn {
    text(canvas, title, (LEFT, 24), HPos::Left, INK, SIZE)?;
    let most = points.iter().map(|point| point.1).fold(threshold, f64::max) / MIB * 1.05;
    let x = |s: f64| LEFT + (s / end_s * f64::from(RIGHT - LEFT)).round() as i32;
    let y = |bytes: f64| BOTTOM - (bytes / MIB / most * f64::from(BOTTOM - TOP)).round() as i32;
    for tick in ticks(&(0.0..most), 5) {
        line(canvas, &[(LEFT, y(tick * MIB)), (RIGHT, y(tick * MIB))], FAINT, 1)?;
        small(canvas, &format!("{tick} MiB"), (LEFT - 12, y(tick * MIB)), HPos::Right)?;
    }
    for tick in ticks(&(0.0..end_s), 6) {
        small(canvas, &format!("{tick} s"), (x(tick), BOTTOM + 34), HPos::Center)?;
    }
    line(canvas, &[(LEFT, y(threshold)), (RIGHT, y(threshold))], COLORS[1], 2)?;
    let points: Vec<(i32, i32)> = points.iter().map(|(s, bytes)| (x(*s), y(*bytes))).collect();
    line(canvas, &points, COLORS[0], 4)?;
    line(canvas, &[(LEFT, TOP), (LEFT, BOTTOM), (RIGHT, BOTTOM)], FRAME, 2)
}
