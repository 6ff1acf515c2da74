//! Credentials in lines of a head that are sent as they are (httperf's
//! `--add-header`): they stay bytes in the plan, and are redacted where it is written.

use serde::{Serialize, Serializer};

use super::{Secret, is_credential, is_redacted};
use crate::raw_text::RawText;

/// The parts of a line `NAME: VALUE`, with the blanks before the value and its end.
struct Line<'a> {
    before: &'a [u8],
    name: String,
    value: String,
    end: &'a [u8],
}

impl<'a> Line<'a> {
    fn of(line: &'a [u8]) -> Option<Self> {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let text_end = line.len() - line.iter().rev().take_while(|b| b"\r\n".contains(b)).count();
        let value = line.get(colon + 1..text_end)?;
        let start = text_end - value.trim_ascii_start().len();
        Some(Self {
            before: &line[..start],
            name: String::from_utf8_lossy(&line[..colon]).trim().to_owned(),
            value: String::from_utf8_lossy(&line[start..text_end]).trim_end().to_owned(),
            end: &line[text_end..],
        })
    }
}

/// The bytes with the values of credentials redacted.
pub(crate) fn redact(bytes: &[u8]) -> Vec<u8> {
    rewrite(bytes, |line| {
        let shows = is_credential(&line.name) && !line.value.is_empty();
        (shows && !is_redacted(&line.value)).then(|| Secret::new(&*line.value).shown())
    })
}

/// The bytes without the values of credentials, whatever these are.
pub(crate) fn without_values(bytes: &[u8]) -> Vec<u8> {
    rewrite(bytes, |line| is_credential(&line.name).then(String::new))
}

/// Headers whose values are missing, in order.
pub(crate) fn missing(bytes: &[u8]) -> Vec<String> {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').filter_map(Line::of);
    lines.filter(|line| is_redacted(&line.value)).map(|line| line.name).collect()
}

/// Puts a value in place of the first missing one of this header; what stood there.
pub(crate) fn supply(bytes: &mut Vec<u8>, name: &str, value: &str) -> Option<Secret> {
    let mut found = None;
    let supplied = rewrite(bytes, |line| {
        if found.is_some() || !line.name.eq_ignore_ascii_case(name) {
            return None;
        }
        found = Secret::missing(&line.value);
        found.is_some().then(|| value.to_owned())
    });
    *bytes = supplied;
    found
}

fn rewrite(bytes: &[u8], mut value: impl FnMut(&Line<'_>) -> Option<String>) -> Vec<u8> {
    let mut whole = Vec::with_capacity(bytes.len());
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        match Line::of(line).and_then(|parts| Some((value(&parts)?, parts))) {
            Some((value, parts)) => {
                whole.extend_from_slice(parts.before);
                whole.extend_from_slice(value.as_bytes());
                whole.extend_from_slice(parts.end);
            }
            None => whole.extend_from_slice(line),
        }
    }
    whole
}

/// For serde: the lines as a report has them.
pub(crate) fn serialize<S: Serializer>(lines: &RawText, to: S) -> Result<S::Ok, S::Error> {
    RawText(redact(lines)).serialize(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_credentials_are_redacted_and_come_back_when_supplied() {
        let given = b"X-A: 1\r\nauthorization:  Bearer abc \r\nCookie: a=b\nno line\r\nCookie:\r\n";
        let redacted = redact(given);
        let text = String::from_utf8(redacted.clone()).unwrap();
        assert!(!text.contains("abc") && !text.contains("a=b"), "{text}");
        assert!(text.starts_with("X-A: 1\r\nauthorization:  «redacted» "), "{text}");
        assert!(text.ends_with("\nno line\r\nCookie:\r\n"), "{text}");
        assert_eq!(missing(&redacted), ["authorization", "Cookie"]);
        assert_eq!(redact(&redacted), redacted);
        let mut again = redacted;
        let stood = supply(&mut again, "Authorization", "Bearer abc").unwrap();
        assert_eq!(stood.is_same_as(&Secret::new("Bearer abc")), Some(true));
        assert!(supply(&mut again, "COOKIE", "a=b").is_some());
        assert_eq!(supply(&mut again, "Cookie", "x"), None);
        assert_eq!(
            again,
            b"X-A: 1\r\nauthorization:  Bearer abc\r\nCookie: a=b\nno line\r\nCookie:\r\n"
        );
        assert_eq!(missing(&again), [""; 0]);
    }

    #[test]
    fn bytes_without_credentials_stay_as_they_are() {
        for bytes in [b"" as &[u8], b"\xff: \xfe\r\n", b":\n\n:", b"X: y"] {
            assert_eq!(redact(bytes), bytes);
        }
    }
}
