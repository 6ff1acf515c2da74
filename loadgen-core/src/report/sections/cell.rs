//! Figures as the text of a cell, each with its unit.

/// What stands where nothing was measured.
pub(crate) const NONE: &str = "–";

/// A number with three significant digits, or all digits before the point.
fn three_digits(value: f64) -> String {
    let size = value.abs();
    let decimals = if size >= 99.95 {
        0
    } else if size >= 9.995 {
        1
    } else {
        2
    };
    format!("{value:.decimals$}")
}

/// A time in µs, as µs, ms or s, with the three digits that the histograms hold.
pub(crate) fn micros(us: f64) -> String {
    let size = us.abs();
    if size >= 999_500.0 {
        format!("{} s", three_digits(us / 1e6))
    } else if size >= 999.5 {
        format!("{} ms", three_digits(us / 1e3))
    } else {
        format!("{} µs", three_digits(us))
    }
}

/// The same of what may not have been measured.
pub(crate) fn micros_or_none(us: Option<f64>) -> String {
    us.map_or_else(|| NONE.to_owned(), micros)
}

/// A time in ms to a tenth; in s to a thousandth from 10 s on.
pub(crate) fn millis(ms: f64) -> String {
    if ms.abs() >= 9_999.95 { format!("{:.3} s", ms / 1e3) } else { format!("{ms:.1} ms") }
}

/// The same of what may not have been measured.
pub(crate) fn millis_or_none(ms: Option<f64>) -> String {
    ms.map_or_else(|| NONE.to_owned(), millis)
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

/// A count with its thousands set apart.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A rate a second.
pub(crate) fn rate(per_s: f64) -> String {
    if per_s.abs() >= 999.5 {
        let sign = if per_s < 0.0 { "-" } else { "" };
        format!("{sign}{}/s", count(per_s.abs().round() as u64))
    } else {
        format!("{}/s", three_digits(per_s))
    }
}

/// Bytes in units of 1024.
pub(crate) fn bytes(n: f64) -> String {
    let mut value = n;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value.abs() < 1023.5 {
            return match unit {
                "B" => format!("{value:.0} B"),
                _ => format!("{} {unit}", three_digits(value)),
            };
        }
        value /= 1024.0;
    }
    format!("{} TiB", three_digits(value))
}

/// Bytes a second.
pub(crate) fn throughput(bytes_per_s: f64) -> String {
    format!("{}/s", bytes(bytes_per_s))
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

/// A text without what could steer a terminal or reorder the line (control
/// characters, direction overrides): those are written out as escapes.
pub(crate) fn clean(text: &str) -> String {
    let steers = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}')
    };
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) {
            clean.extend(c.escape_unicode());
        } else {
            clean.push(c);
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_carries_into_the_next_unit() {
        for (us, text) in [
            (0.0, "0.00 µs"),
            (0.412, "0.41 µs"),
            (9.996, "10.0 µs"),
            (99.96, "100 µs"),
            (412.0, "412 µs"),
            (999.4, "999 µs"),
            (999.6, "1.00 ms"),
            (31_100.0, "31.1 ms"),
            (999_600.0, "1.00 s"),
            (3_176_500.0, "3.18 s"),
            (123_000_000.0, "123 s"),
        ] {
            assert_eq!(micros(us), text);
        }
        assert_eq!(millis(9_999.94), "9999.9 ms");
        assert_eq!(millis(9_999.96), "10.000 s");
        assert_eq!(bytes(1023.0), "1023 B");
        assert_eq!(bytes(1023.9), "1.00 KiB");
        assert_eq!(bytes((512_u64 << 20) as f64), "512 MiB");
        assert_eq!(bytes(2f64.powi(50)), "1024 TiB");
        assert_eq!(rate(999.6), "1,000/s");
        assert_eq!(rate(12.34), "12.3/s");
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

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(clean("a\u{1b}[31m\n\u{202e}b"), "a\\u{1b}[31m\\u{a}\\u{202e}b");
        assert_eq!(clean("µ – é ±"), "µ – é ±");
    }
}
