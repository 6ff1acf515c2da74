//! Figures as the text of a cell, each with its unit.

use crate::units;

/// What stands where nothing was measured.
pub(crate) const NONE: &str = "–";

/// A time in µs, with the three digits that the histograms hold.
pub(crate) fn micros(us: f64) -> String {
    units::format_duration_us(us)
}

/// The same of what may not have been measured.
pub(crate) fn micros_or_none(us: Option<f64>) -> String {
    us.map_or_else(|| NONE.to_owned(), micros)
}

/// A time in ms to a tenth; in s to a thousandth from 10 s on.
pub(crate) fn millis(ms: f64) -> String {
    if ms.abs() >= 9_999.95 {
        format!("{} s", fixed(ms / 1e3, 3))
    } else {
        format!("{} ms", fixed(ms, 1))
    }
}

/// A number with so many decimals; what is rounded to nothing has no sign.
pub(crate) fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(digits) if digits.bytes().all(|b| matches!(b, b'0' | b'.')) => digits.to_owned(),
        _ => text,
    }
}

/// The same of what may not have been measured.
pub(crate) fn millis_or_none(ms: Option<f64>) -> String {
    ms.map_or_else(|| NONE.to_owned(), millis)
}

/// The same of a figure that may be known to be no less, and no more of it.
pub(crate) fn at_least(is_least: bool, cell: String) -> String {
    if is_least && cell != NONE { format!("at least {cell}") } else { cell }
}

/// The same of one that may be known to be no more.
pub(crate) fn at_most(is_most: bool, cell: String) -> String {
    if is_most && cell != NONE { format!("at most {cell}") } else { cell }
}

/// An error bound in ms.
pub(crate) fn bound(ms: Option<f64>) -> String {
    ms.map_or_else(|| NONE.to_owned(), |ms| format!("± {}", millis(ms)))
}

/// A moment or a span in s, to the ms.
pub(crate) fn seconds(s: f64) -> String {
    format!("{s:.3} s")
}

/// A setting in s, with the digits that it needs.
pub(crate) fn setting(s: f64) -> String {
    if s < 1.0 { format!("{} ms", s * 1e3) } else { format!("{s} s") }
}

/// So many of something, whose plural takes an s.
pub(crate) fn counted(n: u64, what: &str) -> String {
    format!("{} {what}{}", count(n), if n == 1 { "" } else { "s" })
}

/// A count with its thousands set apart.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A rate a second.
pub(crate) fn rate(per_s: f64) -> String {
    units::format_rate(per_s)
}

/// A rate a second, if it was measured.
pub(crate) fn rate_or_none(per_s: Option<f64>) -> String {
    per_s.map_or_else(|| NONE.to_owned(), rate)
}

/// Bytes in units of 1024.
pub(crate) fn bytes(n: u64) -> String {
    units::format_bytes(n)
}

/// Bytes a second.
pub(crate) fn throughput(bytes_per_s: f64) -> String {
    units::format_byte_rate(bytes_per_s)
}

/// A share as per cent. What is not 0 does not become 0, what is not all does
/// not become 100.
pub(crate) fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return NONE.to_owned();
    }
    let percent = part as f64 / whole as f64 * 100.0;
    if part > 0 && percent < 0.01 {
        "under 0.01 %".to_owned()
    } else if part < whole && percent > 99.99 {
        "over 99.99 %".to_owned()
    } else if percent < 10.0 && part > 0 {
        format!("{percent:.2} %")
    } else {
        format!("{percent:.1} %").replace("100.0", if part < whole { "99.9" } else { "100" })
    }
}

/// A text without what could steer a terminal or reorder the line; see
/// [`printable`](crate::printable).
pub(crate) fn clean(text: &str) -> String {
    crate::printable::printable(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_keep_their_tenths() {
        assert_eq!(millis(31.14), "31.1 ms");
        assert_eq!(millis(7645.0), "7645.0 ms");
        assert_eq!(millis(9_999.94), "9999.9 ms");
        assert_eq!(millis(9_999.96), "10.000 s");
        assert_eq!((bound(Some(0.84)), bound(None)), ("± 0.8 ms".to_owned(), NONE.to_owned()));
        assert_eq!((setting(0.25), setting(10.0)), ("250 ms".to_owned(), "10 s".to_owned()));
    }

    #[test]
    fn nothing_has_no_sign() {
        assert_eq!((fixed(-0.0004, 3), fixed(-0.0, 1)), ("0.000".to_owned(), "0.0".to_owned()));
        assert_eq!((fixed(-0.5, 3), fixed(12.34, 1)), ("-0.500".to_owned(), "12.3".to_owned()));
        assert_eq!((millis(-0.04), millis(-0.06)), ("0.0 ms".to_owned(), "-0.1 ms".to_owned()));
    }

    #[test]
    fn thousands() {
        for (n, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(n), text);
        }
    }

    #[test]
    fn shares_do_not_lie_at_the_ends() {
        assert_eq!(share(0, 0), NONE);
        assert_eq!(share(0, 10), "0.0 %");
        assert_eq!(share(1, 1_000_000), "under 0.01 %");
        assert_eq!(share(999_999, 1_000_000), "over 99.99 %");
        assert_eq!(share(9_997, 10_000), "99.9 %");
        assert_eq!(share(10, 10), "100 %");
        assert_eq!(share(13, 1000), "1.30 %");
    }
}
