//! Numbers as C reads and writes them: `strtoul`, `strtod`, `%g`.
//!
//! One difference: the original keeps 32 bits of most numbers without a word
//! (4294967297 connections are 1); here what does not fit is refused.

/// What was read at the start of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scan<'a, T> {
    pub(super) value: T,
    /// C's ERANGE.
    pub(super) out_of_range: bool,
    pub(super) rest: &'a [u8],
}

/// How the digits of an integer are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    Ten,
    /// 16 after `0x`, 8 after `0`.
    Automatic,
}

/// The integer at the start of `text`; `None` if there is none.
pub(super) fn integer(text: &[u8], base: Base) -> Option<Scan<'_, i128>> {
    let (negative, text) = sign(skip_blanks(text));
    let (radix, digits) = match (base, text) {
        (Base::Automatic, [b'0', b'x' | b'X', digit, ..]) if digit.is_ascii_hexdigit() => {
            (16, text.get(2..)?)
        }
        (Base::Automatic, [b'0', ..]) => (8, text),
        _ => (10, text),
    };
    let count = digits.iter().take_while(|b| char::from(**b).is_digit(radix)).count();
    let (digits, rest) = digits.split_at_checked(count).filter(|(digits, _)| !digits.is_empty())?;
    let magnitude = u64::from_str_radix(str::from_utf8(digits).ok()?, radix);
    let value = i128::from(magnitude.clone().unwrap_or(u64::MAX));
    let value = if negative { -value } else { value };
    Some(Scan { value, out_of_range: magnitude.is_err(), rest })
}

/// The real number at the start of `text`; `None` if there is none.
pub(super) fn real(text: &[u8]) -> Option<Scan<'_, f64>> {
    let (negative, text) = sign(skip_blanks(text));
    let mut scan = word(text).or_else(|| hexadecimal(text)).or_else(|| decimal(text))?;
    if negative {
        scan.value = -scan.value;
    }
    Some(scan)
}

/// All of `text` as a decimal integer that fits.
pub(super) fn whole_integer<T: TryFrom<i128>>(text: &[u8]) -> Option<T> {
    let scan = integer(text, Base::Ten)?;
    (scan.rest.is_empty() && !scan.out_of_range).then(|| T::try_from(scan.value).ok())?
}

/// All of `text` as a real number.
pub(super) fn whole_real(text: &[u8]) -> Option<f64> {
    let scan = real(text)?;
    (scan.rest.is_empty() && !scan.out_of_range).then_some(scan.value)
}

/// C's `%.*g`.
#[must_use]
pub fn general(value: f64, precision: usize) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let digits = precision.max(1) - 1;
    let scientific = format!("{value:.digits$e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trim = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    match usize::try_from(i64::try_from(digits).unwrap_or(0) - i64::from(exponent)) {
        Ok(places) if exponent >= -4 => trim(&format!("{value:.places$}")),
        _ => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{}e{sign}{:02}", trim(mantissa), exponent.abs())
        }
    }
}

fn skip_blanks(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|b| matches!(b, b' ' | b'\t'..=b'\r')).count();
    text.get(blanks..).unwrap_or_default()
}

fn sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|b| b.is_ascii_digit()).count()
}

fn strip_word<'a>(text: &'a [u8], word: &str) -> Option<&'a [u8]> {
    let (head, rest) = text.split_at_checked(word.len())?;
    head.eq_ignore_ascii_case(word.as_bytes()).then_some(rest)
}

/// `inf`, `infinity`, `nan`.
fn word(text: &[u8]) -> Option<Scan<'_, f64>> {
    let found = |value, rest| Some(Scan { value, out_of_range: false, rest });
    if let Some(rest) = strip_word(text, "infinity").or_else(|| strip_word(text, "inf")) {
        return found(f64::INFINITY, rest);
    }
    found(f64::NAN, strip_word(text, "nan")?)
}

fn decimal(text: &[u8]) -> Option<Scan<'_, f64>> {
    let from = |at: usize| text.get(at..).unwrap_or_default();
    let whole = digits(text);
    let mut end = whole;
    let mut count = whole;
    if from(end).first() == Some(&b'.') {
        let places = digits(from(end + 1));
        count += places;
        end += 1 + places;
    }
    if count == 0 {
        return None;
    }
    let mantissa = text.get(..end)?;
    if let [b'e' | b'E', exponent @ ..] = from(end) {
        let unsigned = sign(exponent).1;
        if digits(unsigned) > 0 {
            end += 1 + (exponent.len() - unsigned.len()) + digits(unsigned);
        }
    }
    let value: f64 = str::from_utf8(text.get(..end)?).ok()?.parse().ok()?;
    let is_zero = !mantissa.iter().any(|b| matches!(b, b'1'..=b'9'));
    Some(Scan { value, out_of_range: out_of_range(value, is_zero), rest: from(end) })
}

/// `0x1.8p3`.
fn hexadecimal(text: &[u8]) -> Option<Scan<'_, f64>> {
    let mut rest = strip_word(text, "0x")?;
    let (mut mantissa, mut exponent) = (0_u64, 0_i64);
    let (mut any, mut after_point) = (false, false);
    while let Some((byte, next)) = rest.split_first() {
        match char::from(*byte).to_digit(16) {
            Some(digit) => {
                any = true;
                // Digits beyond what a double holds only count as places.
                let room = mantissa >> 59 == 0;
                if room {
                    mantissa = mantissa << 4 | u64::from(digit);
                }
                exponent += 4 * (i64::from(!room) - i64::from(after_point));
            }
            None if *byte == b'.' && !after_point => after_point = true,
            None => break,
        }
        rest = next;
    }
    if !any {
        return None;
    }
    if let [b'p' | b'P', tail @ ..] = rest
        && let (negative, tail) = sign(tail)
        && let count @ 1.. = digits(tail)
    {
        let (power, after) = tail.split_at_checked(count)?;
        let power = str::from_utf8(power).ok()?.parse().unwrap_or(i64::from(i32::MAX));
        exponent = exponent.saturating_add(if negative { -power } else { power });
        rest = after;
    }
    // In two steps, so that a power alone does not leave the range.
    let exponent = exponent.clamp(-5000, 5000) as i32;
    let value = mantissa as f64 * 2_f64.powi(exponent / 2) * 2_f64.powi(exponent - exponent / 2);
    Some(Scan { value, out_of_range: out_of_range(value, mantissa == 0), rest })
}

fn out_of_range(value: f64, is_zero: bool) -> bool {
    value.is_infinite() || (!is_zero && value < f64::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn integers() {
        let read = |text: &'static str, base| {
            integer(text.as_bytes(), base).map(|s| (s.value, str::from_utf8(s.rest).unwrap()))
        };
        assert_eq!(read(" +7x", Base::Ten), Some((7, "x")));
        assert_eq!(read("-5", Base::Ten), Some((-5, "")));
        assert_eq!(read("010", Base::Ten), Some((10, "")));
        assert_eq!(read("0x10", Base::Ten), Some((0, "x10")));
        assert_eq!(read("0x10/3", Base::Automatic), Some((16, "/3")));
        assert_eq!(read("0x/3", Base::Automatic), Some((0, "x/3")));
        assert_eq!(read("09/3", Base::Automatic), Some((0, "9/3")));
        assert_eq!(read("", Base::Ten), None);
        assert_eq!(read("-", Base::Ten), None);
        assert_eq!(whole_integer::<u16>(b"65536"), None);
        assert_eq!(whole_integer::<i64>(b"99999999999999999999"), None);
        assert_eq!(whole_integer::<i64>(b"3 "), None);
    }

    #[test]
    fn reals() {
        for (text, value) in [
            ("1e2", 100.0),
            (".5", 0.5),
            ("5.", 5.0),
            (" 5", 5.0),
            ("-1.5E-1", -0.15),
            ("0x1p3", 8.0),
            ("0x10", 16.0),
            ("0x.8", 0.5),
            ("0x1.8p-1", 0.75),
            ("0x00000000000000000000000001", 1.0),
            ("0x10000000000000000000000000", 2_f64.powi(100)),
            ("inf", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
        ] {
            assert_eq!(whole_real(text.as_bytes()), Some(value), "{text}");
        }
        assert!(whole_real(b"NaN").unwrap().is_nan());
        for text in ["", ".", "e5", "5s", "1e", "1e+", "1e400", "1e-320", "0x", "0x1p", "infx"] {
            assert_eq!(whole_real(text.as_bytes()), None, "{text}");
        }
        assert_eq!(real(b"0xg").unwrap().rest, b"xg");
        assert_eq!(real(b"1ex").unwrap().rest, b"ex");
    }

    #[test]
    fn printed_as_by_c() {
        for (value, text) in [
            (0.0, "0"),
            (5.0, "5"),
            (1.0 / (1.0 / 7.0), "7"),
            (100_000.0, "100000"),
            (123_456_789.0, "1.23457e+08"),
            (999_999.5, "1e+06"),
            (0.0001, "0.0001"),
            (0.000_012_5, "1.25e-05"),
            (1.0 / 3.0, "0.333333"),
            (1e100, "1e+100"),
            (-2.5, "-2.5"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(general(value, 6), text);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(text: Vec<u8>) {
            let _ = (integer(&text, Base::Automatic), real(&text));
        }

        #[test]
        fn what_looks_like_a_number_is_read_without_a_panic(text in "[-+0-9a-fxpin.]{0,60}") {
            let _ = (integer(text.as_bytes(), Base::Ten), real(text.as_bytes()));
        }

        #[test]
        fn what_is_written_is_read_back(value: f64) {
            prop_assume!(value.is_normal());
            prop_assert_eq!(whole_real(general(value, 17).as_bytes()), Some(value));
        }
    }
}
