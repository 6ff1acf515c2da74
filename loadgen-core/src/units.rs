//! Quantities as people write and read them: `10s`, `512MiB`, `32MiB/s`, `60/m`.
//!
//! Parsing is strict: an unknown unit is an error that lists the known ones,
//! since a guessed unit would make a wrong figure. Formatting is for people only
//! (3 significant digits); machines get plain numbers with the unit in the key.

use std::time::Duration;

/// A quantity that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not {what}: write {allowed}")]
#[non_exhaustive]
pub struct UnitError {
    /// The offending text.
    pub text: String,
    /// What was expected.
    pub what: &'static str,
    /// How to write it.
    pub allowed: &'static str,
}

const DURATION: (&str, &str) = (
    "a duration",
    "a number and ns, us, ms, s, m or h, such as 250ms or 1.5s (a plain number is seconds)",
);
const BYTES: (&str, &str) = (
    "a number of bytes",
    "a number and B, kB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (powers of 1024), \
     such as 512MiB (a plain number is bytes)",
);
const BYTE_RATE: (&str, &str) = (
    "a number of bytes per second",
    "a number, B, kB, MB, GB, TB, KiB, MiB, GiB, TiB, or bit, kbit, Mbit, Gbit, Tbit, and /s, such as \
     32MiB/s or 1Gbit/s",
);
const RATE: (&str, &str) = (
    "a rate",
    "a number, k or M if you like, and /s, /m or /h, such as 1000/s, 3k or 60/m (a plain number \
     is per second)",
);
const PAIR: (&str, &str) =
    ("a duration and its interval", "two durations with a slash between, such as 500ms/5s");

fn refuse(text: &str, (what, allowed): (&'static str, &'static str)) -> UnitError {
    UnitError { text: text.escape_debug().to_string(), what, allowed }
}

/// Splits `1.5s` into 1.5 and `s`. `None` if it does not begin with a number.
fn split_number(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    // `.` alone, `1.2.3` and nothing at all are refused by the parser of numbers.
    let number = number.parse::<f64>().ok()?;
    Some((number, unit.trim_start()))
}

/// Parses a duration: `10s`, `250ms`, `300us`, `2m`, `1.5s`, `1h`; a plain number
/// is seconds. Rounded to whole nanoseconds.
///
/// ```
/// use std::time::Duration;
/// use loadgen_core::units::{format_duration, parse_duration, parse_rate};
///
/// assert_eq!(parse_duration("1.5s")?, Duration::from_millis(1500));
/// assert_eq!(parse_rate("3000/s")?, parse_rate("3k")?);
/// assert_eq!(format_duration(Duration::from_micros(250)), "250 µs");
/// # Ok::<(), loadgen_core::units::UnitError>(())
/// ```
///
/// # Errors
/// [`UnitError`] for anything else, negative durations and such over 584 years.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let parsed = split_number(text.trim()).and_then(|(number, unit)| {
        let unit_ns = match unit {
            "ns" => 1.0,
            "us" | "µs" => 1e3,
            "ms" => 1e6,
            "s" | "" => 1e9,
            "m" | "min" => 60e9,
            "h" => 3600e9,
            _ => return None,
        };
        let ns = (number * unit_ns).round();
        (ns < u64::MAX as f64).then(|| Duration::from_nanos(ns as u64))
    });
    parsed.ok_or_else(|| refuse(text, DURATION))
}

/// Parses a number of bytes: `512MiB`, `64KiB`, `1GB`, `100B`; a plain number is
/// bytes. Rounded to whole bytes.
///
/// # Errors
/// [`UnitError`] for anything else, negative numbers and such over 2^64.
pub fn parse_bytes(text: &str) -> Result<u64, UnitError> {
    let bytes = bytes_as_f64(text.trim()).map(f64::round).filter(|bytes| *bytes < u64::MAX as f64);
    bytes.map(|bytes| bytes as u64).ok_or_else(|| refuse(text, BYTES))
}

/// Parses a number of bytes per second: `32MiB/s`, or of bits: `1Gbit/s`; the `/s` may be left
/// out.
///
/// # Errors
/// [`UnitError`] for anything else and for negative numbers.
pub fn parse_byte_rate(text: &str) -> Result<f64, UnitError> {
    let trimmed = text.trim();
    let amount = trimmed.strip_suffix("/s").unwrap_or(trimmed);
    let amount = amount.trim_end();
    let rate = bits_as_f64(amount).map(|bits| bits / 8.0).or_else(|| bytes_as_f64(amount));
    rate.ok_or_else(|| refuse(text, BYTE_RATE))
}

fn bits_as_f64(text: &str) -> Option<f64> {
    let (number, unit) = split_number(text)?;
    let bits = match unit {
        "bit" => 1.0,
        "kbit" => 1e3,
        "Mbit" => 1e6,
        "Gbit" => 1e9,
        "Tbit" => 1e12,
        _ => return None,
    };
    Some(number * bits)
}

fn bytes_as_f64(text: &str) -> Option<f64> {
    let (number, unit) = split_number(text)?;
    let unit: u64 = match unit {
        "B" | "" => 1,
        "kB" | "KB" => 1000,
        "MB" => 1000_u64.pow(2),
        "GB" => 1000_u64.pow(3),
        "TB" => 1000_u64.pow(4),
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return None,
    };
    Some(number * unit as f64)
}

/// Parses a rate in 1/s: `1000`, `1000/s`, `60/m` (per minute: 1 per second),
/// `3600/h`, `3k`, `1.5M/s`.
///
/// # Errors
/// [`UnitError`] for anything else and for negative numbers.
pub fn parse_rate(text: &str) -> Result<f64, UnitError> {
    let parsed = split_number(text.trim()).and_then(|(number, unit)| {
        let (factor, per) = match unit.split_once('/') {
            Some((factor, per)) => (factor.trim_end(), per.trim_start()),
            None => (unit, "s"),
        };
        let factor = match factor {
            "" => 1.0,
            "k" => 1e3,
            "M" => 1e6,
            _ => return None,
        };
        let seconds = match per {
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        Some(number * factor / seconds)
    });
    parsed.ok_or_else(|| refuse(text, RATE))
}

/// Parses a duration and the interval at which it repeats: `500ms/5s`.
///
/// # Errors
/// [`UnitError`] if either part is not a duration, or the interval is 0.
pub fn parse_interval_pair(text: &str) -> Result<(Duration, Duration), UnitError> {
    let (length, interval) = text.split_once('/').ok_or_else(|| refuse(text, PAIR))?;
    let (length, interval) = (parse_duration(length)?, parse_duration(interval)?);
    if interval.is_zero() { Err(refuse(text, PAIR)) } else { Ok((length, interval)) }
}

/// A duration given in µs, for people: `1.23 ms`, `850 ns`, `12.0 s`. 3 significant
/// digits, but never less than whole seconds. What is not a number is `-`.
#[must_use]
pub fn format_duration_us(us: f64) -> String {
    scaled(us * 1e3, &[(1.0, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s")])
}

/// A duration for people; see [`format_duration_us`].
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    format_duration_us(duration.as_secs_f64() * 1e6)
}

/// A share from 0 to 1, or a percentage: `0.5`, `50%`.
pub(crate) fn share_of(text: &str) -> Option<f64> {
    let share = match text.strip_suffix('%') {
        Some(percent) => plain_number(percent.trim_end())? / 100.0,
        None => plain_number(text)?,
    };
    (0.0..=1.0).contains(&share).then_some(share)
}

/// Digits with at most one point; no sign, exponent, `inf` or `nan`.
pub(crate) fn plain_number(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    plain.then(|| text.parse().ok()).flatten()
}

const BYTE_UNITS: [(f64, &str); 5] = [
    (1.0, "B"),
    (1024.0, "KiB"),
    (1_048_576.0, "MiB"),
    (1_073_741_824.0, "GiB"),
    (1_099_511_627_776.0, "TiB"),
];

/// A number of bytes for people: `512 MiB`, `1.50 GiB`, `100 B`. 3 significant
/// digits, powers of 1024.
#[must_use]
pub fn format_bytes(bytes: u64) -> String {
    if bytes < 1024 { format!("{bytes} B") } else { scaled(bytes as f64, &BYTE_UNITS) }
}

/// A number of bytes per second for people: `32.0 MiB/s`.
#[must_use]
pub fn format_byte_rate(bytes_per_s: f64) -> String {
    let amount = scaled(bytes_per_s, &BYTE_UNITS);
    if amount == NOT_A_NUMBER { amount } else { amount + "/s" }
}

/// A rate per second for people: `99.9/s`, `3000/s`, `12,500/s`. 3 significant
/// digits, but never less than whole ones.
#[must_use]
pub fn format_rate(per_s: f64) -> String {
    if !per_s.is_finite() {
        return NOT_A_NUMBER.to_owned();
    }
    format!("{}{}/s", sign(per_s), three_digits(per_s.abs()))
}

const NOT_A_NUMBER: &str = "-";

fn sign(value: f64) -> &'static str {
    if value < 0.0 { "-" } else { "" }
}

/// The value in the largest unit that keeps it at 1 or more after rounding.
/// `units` goes from the smallest to the largest.
fn scaled(value: f64, units: &[(f64, &str)]) -> String {
    if !value.is_finite() {
        return NOT_A_NUMBER.to_owned();
    }
    let size = value.abs();
    // 999.6 µs is 1.00 ms, not 1000 µs: half a unit of the third digit is added
    // before the unit is chosen.
    let unit = units.iter().rev().find(|(unit, _)| size >= unit * 0.9995).or(units.first());
    let Some((unit, name)) = unit else { return NOT_A_NUMBER.to_owned() };
    format!("{}{} {name}", sign(value), three_digits(size / unit))
}

/// 3 significant digits of a value that is not negative; digits before the point
/// are all kept, and grouped from 10,000 on.
fn three_digits(value: f64) -> String {
    let decimals = match value {
        v if v == 0.0 || v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        v if v >= 0.9995 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    if decimals > 0 || text.len() < 5 {
        return text;
    }
    let mut grouped = String::with_capacity(text.len() + text.len() / 3);
    for (i, digit) in text.chars().enumerate() {
        if i > 0 && (text.len() - i) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let ns = |text| parse_duration(text).unwrap().as_nanos();
        assert_eq!(ns("10s"), 10_000_000_000);
        assert_eq!(ns("250ms"), 250_000_000);
        assert_eq!(ns("300us"), 300_000);
        assert_eq!(ns("1.5s"), 1_500_000_000);
        assert_eq!(ns("2m"), 120_000_000_000);
        assert_eq!(ns("1h"), 3_600_000_000_000);
        assert_eq!(ns("0.1"), 100_000_000);
        assert_eq!(ns(" 7 ms "), 7_000_000);
        for bad in ["", "s", "-1s", "1.2.3s", ".", "1x", "1e3", "nan", "inf", "1h30m", "1e30h"] {
            let error = parse_duration(bad).unwrap_err();
            assert_eq!(error.text, bad);
            assert!(error.to_string().contains("250ms"), "{error}");
        }
        assert!(parse_duration("999999999999h").is_err(), "overflow");
    }

    #[test]
    fn bytes_and_their_rates() {
        assert_eq!(parse_bytes("512MiB"), Ok(512 << 20));
        assert_eq!(parse_bytes("64KiB"), Ok(65_536));
        assert_eq!(parse_bytes("1GB"), Ok(1_000_000_000));
        assert_eq!(parse_bytes("1.5 kB"), Ok(1500));
        assert_eq!(parse_bytes("100B"), Ok(100));
        assert_eq!(parse_bytes("100"), Ok(100));
        assert_eq!(parse_byte_rate("32MiB/s"), Ok(33_554_432.0));
        assert_eq!(parse_byte_rate("32MiB"), Ok(33_554_432.0));
        for bad in ["512M", "512Mb", "-1B", "1/s", "99999999999TiB", ""] {
            assert!(parse_bytes(bad).is_err(), "{bad}");
        }
        assert!(parse_byte_rate("32MiB/m").is_err());
        assert_eq!(parse_byte_rate("1Gbit/s"), Ok(125e6));
        assert_eq!(parse_byte_rate("100 Mbit"), Ok(12.5e6));
        // Of bytes or of bits, it does not say.
        assert!(parse_byte_rate("100Mb/s").unwrap_err().to_string().contains("Mbit"));
    }

    #[test]
    fn rates_and_pairs() {
        assert_eq!(parse_rate("1000"), Ok(1000.0));
        assert_eq!(parse_rate("1000/s"), Ok(1000.0));
        assert_eq!(parse_rate("60/m"), Ok(1.0));
        assert_eq!(parse_rate("3k"), Ok(3000.0));
        assert_eq!(parse_rate("1.5M/s"), Ok(1_500_000.0));
        for bad in ["3m", "1000/d", "-3", "k", "3k/", "1/s/s"] {
            assert!(parse_rate(bad).is_err(), "{bad}");
        }
        let pair = (Duration::from_millis(500), Duration::from_secs(5));
        assert_eq!(parse_interval_pair("500ms/5s"), Ok(pair));
        for bad in ["500ms", "500ms/0s", "/5s", "a/b"] {
            assert!(parse_interval_pair(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn formats_keep_three_digits() {
        let cases = [
            (0.0, "0 ns"),
            (0.5, "500 ns"),
            (1.234, "1.23 µs"),
            (999.4, "999 µs"),
            (999.6, "1.00 ms"),
            (12_345.0, "12.3 ms"),
            (7_645_000.0, "7.64 s"),
            (-2500.0, "-2.50 ms"),
            (3.6e9, "3600 s"),
            (f64::NAN, "-"),
        ];
        for (us, text) in cases {
            assert_eq!(format_duration_us(us), text);
        }
        assert_eq!(format_duration(Duration::from_millis(250)), "250 ms");
        assert_eq!(format_bytes(0), "0 B");
        assert_eq!(format_bytes(1023), "1023 B");
        assert_eq!(format_bytes(512 << 20), "512 MiB");
        assert_eq!(format_bytes(3 << 29), "1.50 GiB");
        assert_eq!(format_byte_rate(33_554_432.0), "32.0 MiB/s");
        assert_eq!(format_byte_rate(f64::INFINITY), "-");
        assert_eq!(format_rate(3000.0), "3000/s");
        assert_eq!(format_rate(99.94), "99.9/s");
        assert_eq!(format_rate(99.97), "100/s");
        assert_eq!(format_rate(12_500.4), "12,500/s");
        assert_eq!(format_rate(1_234_567.0), "1,234,567/s");
        assert_eq!(format_rate(0.5), "0.500/s");
    }
}
