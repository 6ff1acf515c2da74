//! Values as Perl sees them: what is true, what number a text holds, how a number
//! is written. The files and columns of autobench follow these rules.

use loadgen_core::httperf;

/// Whether a setting is true: everything but the empty text and `0` is, `no` too.
#[must_use]
pub fn is_true(text: &str) -> bool {
    !text.is_empty() && text != "0"
}

/// The number a text begins with, after blanks; 0 if it begins with none.
/// `inf` and `nan` are no numbers here.
#[must_use]
pub fn number(text: &str) -> f64 {
    let text = text.trim_start();
    let mantissa = prefix_of_number(text);
    text.get(..mantissa).and_then(|text| text.parse().ok()).unwrap_or(0.0)
}

/// Length of the longest prefix that is a decimal number.
fn prefix_of_number(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes.iter().skip(from).take_while(|b| b.is_ascii_digit()).count();
    let sign = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    let whole = digits(sign);
    let mut end = sign + whole;
    let mut fraction = 0;
    if bytes.get(end) == Some(&b'.') {
        fraction = digits(end + 1);
        end += 1 + fraction;
    }
    if whole + fraction == 0 {
        return 0;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end + 1 + sign);
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    end
}

/// Significant digits of a printed number.
const DIGITS: usize = 15;

/// A number as Perl prints it, which is C's `%.15g`.
#[must_use]
pub fn text(number: f64) -> String {
    if !number.is_finite() {
        return if number.is_nan() { "NaN".to_owned() } else { infinity(number) };
    }
    if number == 0.0 {
        return "0".to_owned();
    }
    httperf::general(number, DIGITS)
}

fn infinity(number: f64) -> String {
    if number > 0.0 { "Inf".to_owned() } else { "-Inf".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_print_as_perl_prints_them() {
        for (number, printed) in [
            (0.0, "0"),
            (-0.0, "0"),
            (40.0, "40"),
            (1200.0, "1200"),
            (0.65, "0.65"),
            (20.4 + 20.5, "40.9"),
            (0.1 + 0.2, "0.3"),
            (300.0 / 17.0, "17.6470588235294"),
            (12.5, "12.5"),
            (1e23, "1e+23"),
            (1e15, "1e+15"),
            (123_456_789_012_345.0, "123456789012345"),
            (0.0001, "0.0001"),
            (0.000_012_5, "1.25e-05"),
            (-2.5, "-2.5"),
            (999_999_999_999_999.9, "1e+15"),
            (f64::INFINITY, "Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(text(number), printed);
        }
    }

    #[test]
    fn a_text_is_worth_the_number_it_begins_with() {
        for (text, worth) in [
            ("", 0.0),
            ("abc", 0.0),
            (" 12", 12.0),
            ("12abc", 12.0),
            ("2.5", 2.5),
            (".5x", 0.5),
            ("5.", 5.0),
            ("-3", -3.0),
            ("1e3", 1000.0),
            ("1e", 1.0),
            ("1e+", 1.0),
            ("0x10", 0.0),
            ("inf", 0.0),
            ("-", 0.0),
            (".", 0.0),
            ("30.0 ", 30.0),
        ] {
            assert_eq!(number(text), worth, "{text:?}");
        }
    }

    #[test]
    fn only_nothing_and_zero_are_false() {
        assert!(!is_true("") && !is_true("0"));
        assert!(is_true("no") && is_true("00") && is_true("0.0") && is_true(" "));
    }

    proptest::proptest! {
        #[test]
        fn what_is_printed_reads_back(number in -1e12..1e12f64) {
            let back = super::number(&text(number));
            proptest::prop_assert!((back - number).abs() <= number.abs() * 1e-14);
        }

        #[test]
        fn no_text_breaks_the_reader(text in ".{0,40}") {
            proptest::prop_assert!(number(&text).is_finite() || text.contains(['e', 'E']));
        }
    }
}
