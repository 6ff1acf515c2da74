//! Numbers and values out of a line, read as C's `sscanf` and `strtoul` read them:
//! from the start as far as they go, whatever follows.

/// The status of a line `HTTP/<number>.<number> <number>`. One that does not fit
/// is `u32::MAX`.
pub(super) fn status(line: &[u8]) -> Option<u32> {
    // What nearly all servers send.
    if let [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0'..=b'9', b' ', status @ ..] = line
        && let [a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', b' ', ..] = status
    {
        return Some(
            [a, b, c].iter().fold(0, |number, byte| 10 * number + u32::from(*byte - b'0')),
        );
    }
    status_of_any(line)
}

fn status_of_any(line: &[u8]) -> Option<u32> {
    let line = line.strip_prefix(b"HTTP/")?;
    let line = past_digits(line)?.strip_prefix(b".")?;
    let line = past_digits(line)?;
    let digits = past_blanks(line);
    if digits.len() == line.len() {
        return None;
    }
    past_digits(digits)?;
    Some(
        digits
            .iter()
            .map_while(|byte| digit(*byte))
            .fold(0_u32, |number, digit| number.saturating_mul(10).saturating_add(digit)),
    )
}

/// The value of a header line if `name` is its name, in any case, without blanks
/// around it.
#[inline]
pub(super) fn value<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = line.split_at_checked(name.len())?;
    let value = rest.strip_prefix(b":")?;
    start.eq_ignore_ascii_case(name).then(|| past_blanks(value).trim_ascii_end())
}

/// The decimal number at the start; `None` without a digit and from 2^64 on.
pub(super) fn decimal(value: &[u8]) -> Option<u64> {
    let digits = value.strip_prefix(b"+").unwrap_or(value);
    past_digits(digits)?;
    digits
        .iter()
        .map_while(|byte| digit(*byte))
        .try_fold(0_u64, |number, digit| number.checked_mul(10)?.checked_add(u64::from(digit)))
}

/// The hexadecimal number at the start, after blanks and perhaps `0x`; `None` without
/// a digit and from 2^64 on.
pub(super) fn hexadecimal(line: &[u8]) -> Option<u64> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let digits = match past_blanks(line) {
        [b'0', b'x' | b'X', digits @ ..] if digits.first().and_then(digit).is_some() => digits,
        digits => digits,
    };
    digits.first().and_then(digit)?;
    digits
        .iter()
        .map_while(digit)
        .try_fold(0_u64, |number, digit| Some(number.checked_mul(16)? | u64::from(digit)))
}

fn digit(byte: u8) -> Option<u32> {
    char::from(byte).to_digit(10)
}

/// What follows the digits at the start; `None` without a digit.
fn past_digits(bytes: &[u8]) -> Option<&[u8]> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    bytes.get(digits..).filter(|_| digits > 0)
}

fn past_blanks(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}
