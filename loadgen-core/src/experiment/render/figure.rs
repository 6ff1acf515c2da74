//! Values of metrics as people read them: each with its unit.

use crate::experiment::analysis::{Comparison, Spread};
use crate::experiment::metric::Unit;
use crate::report::sections::cell;

/// One value with its unit, as people read it.
#[must_use]
pub fn render_value(unit: Unit, value: f64) -> String {
    match unit {
        _ if value < 0.0 => {
            let size = render_value(unit, -value);
            // What is rounded to nothing has no sign.
            let is_some = size.bytes().any(|byte| matches!(byte, b'1'..=b'9'));
            format!("{}{size}", if is_some { "−" } else { "" })
        }
        Unit::Ms => cell::millis(value),
        // Medians of two lie between.
        Unit::Count if value.fract() != 0.0 => cell::fixed(value, 1),
        Unit::Count => cell::count(value as u64),
        Unit::Share => format!("{} %", cell::fixed(value * 100.0, 2)),
        Unit::Bytes => cell::bytes(value as u64),
        Unit::BytesPerS => cell::throughput(value),
        Unit::PerS => cell::rate(value),
    }
}

/// Two values and what lies between: `290.1–330.2 ms`, the unit once where both have the same.
pub(super) fn range(unit: Unit, low: f64, high: f64) -> String {
    let (low, high) = (render_value(unit, low), render_value(unit, high));
    let of = |text: &str| text.split_once(' ').map(|(_, unit)| unit.to_owned());
    match low.split_once(' ') {
        Some((number, unit)) if of(&high).as_deref() == Some(unit) => format!("{number}–{high}"),
        _ => format!("{low}–{high}"),
    }
}

/// The median and where it lies: `312 ms (290–330 ms)`.
pub(super) fn median(spread: &Spread) -> String {
    let at_least = if spread.lower_bounds > 0 { "≥ " } else { "" };
    let median = render_value(spread.unit, spread.median);
    match spread.median_low.zip(spread.median_high) {
        Some((low, high)) => {
            format!("{at_least}{median} ({})", range(spread.unit, low, high))
        }
        None => format!("{at_least}{median}"),
    }
}

/// By how much the second side differs: `1.31× (1.12–1.50)`, or `+3 (1–5)`.
pub(super) fn change(unit: Unit, comparison: &Comparison) -> String {
    match comparison.ratio {
        Some(times) => {
            let interval = comparison.ratio_low.zip(comparison.ratio_high);
            let interval = interval.map(|(low, high)| format!(" ({}–{})", ratio(low), ratio(high)));
            format!("{}×{}", ratio(times), interval.unwrap_or_default())
        }
        None => {
            let interval = comparison.difference_low.zip(comparison.difference_high);
            let interval = interval.map(|(low, high)| {
                format!(" ({} to {})", difference(unit, low), difference(unit, high))
            });
            format!("{}{}", difference(unit, comparison.difference), interval.unwrap_or_default())
        }
    }
}

/// A ratio, with two digits of it at the least: `0.0024`, `0.15`, `1.31`, `12.4`.
pub(super) fn ratio(ratio: f64) -> String {
    match ratio {
        r if r >= 10.0 => cell::fixed(r, 1),
        r if (0.01..0.1).contains(&r) => cell::fixed(r, 3),
        r if (0.0001..0.01).contains(&r) => cell::fixed(r, 4),
        r if r > 0.0 && r < 0.0001 => "< 0.0001".to_owned(),
        r => cell::fixed(r, 2),
    }
}

/// A difference. That of two shares is in percentage points: 3 % more than 10 % might be 10.3 %.
fn difference(unit: Unit, difference: f64) -> String {
    let value = match unit {
        Unit::Share => render_value(unit, difference).replace('%', "points"),
        _ => render_value(unit, difference),
    };
    format!("{}{value}", if difference > 0.0 { "+" } else { "" })
}

/// A probability.
pub(super) fn p(p: f64) -> String {
    match p {
        p if p < 0.0001 => "< 0.0001".to_owned(),
        p => cell::fixed(p, if p < 0.1 { 4 } else { 2 }),
    }
}

/// One metric of a cell in a line: `median 312 ms (95 %: 290–330), n = 7; mean ± 7.9 %, ± 5 %
/// after about 12 more`.
#[must_use]
pub fn render_spread(spread: &Spread) -> String {
    let unit = spread.unit;
    let at_least = if spread.lower_bounds > 0 { "≥ " } else { "" };
    let mut text = format!("median {at_least}{}", render_value(unit, spread.median));
    let (what, low, high) = match spread.median_low.zip(spread.median_high) {
        Some((low, high)) => ("95 %", low, high),
        None => ("all", spread.min, spread.max),
    };
    text.push_str(&format!(" ({what}: {}), n = {}", range(unit, low, high), spread.n));
    if let Some(precision) = spread.precision {
        text.push_str(&format!("; mean ± {} %", cell::fixed(precision * 100.0, 1)));
        let more = spread.trials_for_5_percent.and_then(|needed| needed.checked_sub(spread.n));
        if let Some(more) = more.filter(|more| *more > 0) {
            text.push_str(&format!(", ± 5 % after about {} more", cell::count(more)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_keep_their_digits() {
        let cases = [
            (0.0, "0.00"),
            (0.000_02, "< 0.0001"),
            (0.002_41, "0.0024"),
            (0.0154, "0.015"),
            (0.1543, "0.15"),
            (1.0, "1.00"),
            (9.994, "9.99"),
            (12.43, "12.4"),
        ];
        for (value, text) in cases {
            assert_eq!(ratio(value), text);
        }
    }

    #[test]
    fn shares_differ_by_points() {
        let cases = [
            (Unit::Share, 0.0325, "+3.25 points"),
            (Unit::Share, -0.1913, "−19.13 points"),
            (Unit::Share, 0.0, "0.00 points"),
            (Unit::Count, 3.0, "+3"),
            (Unit::Ms, -1.5, "−1.5 ms"),
        ];
        for (unit, value, text) in cases {
            assert_eq!(difference(unit, value), text);
        }
    }
}
