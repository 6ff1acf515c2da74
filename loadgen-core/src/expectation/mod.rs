//! What a reply has to be like, beside being one.

mod scan;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub(crate) use scan::{BodyScan, Scanning};

use crate::raw_text::RawText;
use scan::Text;

/// Something that is expected of replies. Text form, as `--expect` has it: `status=200-299,404`,
/// `size=100` or `size=100-2000` (bytes of the body), `body~TEXT` (the body has this text),
/// `body!~TEXT` (it does not).
///
/// ```
/// use loadgen_core::Expectation;
///
/// let redirected: Expectation = "status=200,300-399".parse()?;
/// assert_eq!(redirected, Expectation::Status(vec![(200, 200), (300, 399)]));
/// assert_eq!("size=1-2000".parse::<Expectation>()?, Expectation::Size(1, 2000));
/// assert!("status=abc".parse::<Expectation>().is_err());
/// # Ok::<(), loadgen_core::ExpectationError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum Expectation {
    /// The status is in one of these ranges, both ends included. Without an expectation of
    /// the status it is one below 400.
    Status(Vec<(u16, u16)>),
    /// The body has so many bytes, both ends included, without the framing of chunks. Replies
    /// to HEAD are not looked at.
    Size(u64, u64),
    /// The body has this text, in whatever pieces it comes. Replies to HEAD are not looked at.
    BodyHas(RawText),
    /// The body does not have it.
    BodyLacks(RawText),
}

/// A text that is no expectation.
#[derive(Debug, thiserror::Error)]
#[error(
    "'{}' is no expectation: write status=200-299,404, size=100 or size=100-2000 (bytes), \
     body~TEXT or body!~TEXT",
    .0.escape_debug()
)]
pub struct ExpectationError(String);

/// Longest text that is looked for, in bytes.
const LONGEST_TEXT: usize = 4096;

impl FromStr for Expectation {
    type Err = ExpectationError;

    fn from_str(text: &str) -> Result<Self, ExpectationError> {
        let wrong = || ExpectationError(text.to_owned());
        let wanted = |text: &str| -> Result<RawText, ExpectationError> {
            let fits = (1..=LONGEST_TEXT).contains(&text.len());
            fits.then(|| text.into()).ok_or_else(wrong)
        };
        if let Some(text) = text.strip_prefix("body!~") {
            return wanted(text).map(Self::BodyLacks);
        }
        if let Some(text) = text.strip_prefix("body~") {
            return wanted(text).map(Self::BodyHas);
        }
        if let Some(ranges) = text.strip_prefix("status=") {
            let ranges = ranges.split(',').map(|range| {
                let (least, most) = span::<u16>(range)?;
                (least >= 100 && most <= 999).then_some((least, most))
            });
            return ranges.collect::<Option<_>>().map(Self::Status).ok_or_else(wrong);
        }
        let size = text.strip_prefix("size=").and_then(span::<u64>);
        size.map(|(least, most)| Self::Size(least, most)).ok_or_else(wrong)
    }
}

/// `N`, or `N-M` with N no more than M.
fn span<T: FromStr + PartialOrd + Copy>(text: &str) -> Option<(T, T)> {
    let number = |text: &str| {
        let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| text.parse().ok()).flatten()
    };
    let (least, most) = text.split_once('-').unwrap_or((text, text));
    let (least, most): (T, T) = (number(least.trim())?, number(most.trim())?);
    (least <= most).then_some((least, most))
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |text: &RawText| String::from_utf8_lossy(text).into_owned();
        match self {
            Self::Status(ranges) => {
                let range = |(least, most): &(u16, u16)| match least == most {
                    true => least.to_string(),
                    false => format!("{least}-{most}"),
                };
                write!(f, "status={}", ranges.iter().map(range).collect::<Vec<_>>().join(","))
            }
            Self::Size(least, most) if least == most => write!(f, "size={least}"),
            Self::Size(least, most) => write!(f, "size={least}-{most}"),
            Self::BodyHas(wanted) => write!(f, "body~{}", text(wanted)),
            Self::BodyLacks(unwanted) => write!(f, "body!~{}", text(unwanted)),
        }
    }
}

impl TryFrom<String> for Expectation {
    type Error = ExpectationError;

    fn try_from(text: String) -> Result<Self, ExpectationError> {
        text.parse()
    }
}

impl From<Expectation> for String {
    fn from(expectation: Expectation) -> Self {
        expectation.to_string()
    }
}

/// What was not as expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
#[non_exhaustive]
pub enum Miss {
    /// The status.
    Status,
    /// The number of bytes of the body.
    Size,
    /// A text that the body should have, or should not.
    Body,
    /// The check of the embedding program rejected it.
    Check,
}

impl Miss {
    /// All, in the order in which a reply is looked at.
    pub const ALL: [Self; 4] = [Self::Status, Self::Size, Self::Body, Self::Check];

    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Size => "size",
            Self::Body => "body",
            Self::Check => "check",
        }
    }
}

/// All that is expected of the reply to a request, worked out.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    statuses: Vec<(u16, u16)>,
    sizes: Vec<(u64, u64)>,
    texts: Vec<Text>,
}

impl Expected {
    pub(crate) fn new<'a>(expectations: impl IntoIterator<Item = &'a Expectation>) -> Self {
        let mut all = Self::default();
        for expectation in expectations {
            match expectation {
                Expectation::Status(ranges) => all.statuses.extend(ranges),
                Expectation::Size(least, most) => all.sizes.push((*least, *most)),
                Expectation::BodyHas(text) => all.texts.push(Text::new(text, true)),
                Expectation::BodyLacks(text) => all.texts.push(Text::new(text, false)),
            }
        }
        all
    }

    /// Whether the body is looked at.
    pub(crate) fn scans(&self) -> bool {
        !self.sizes.is_empty() || !self.texts.is_empty()
    }

    /// What is wrong with a complete reply, if anything. `scan`: of its body, unless it has
    /// none by its request.
    pub(crate) fn miss(&self, status: u16, scan: Option<&BodyScan>) -> Option<Miss> {
        let is_in = |(least, most): &(u16, u16)| (*least..=*most).contains(&status);
        let fits = match self.statuses.is_empty() {
            true => status < 400,
            false => self.statuses.iter().any(is_in),
        };
        if !fits {
            return Some(Miss::Status);
        }
        let scan = scan?;
        if self.sizes.iter().any(|(least, most)| !(*least..=*most).contains(&scan.size())) {
            return Some(Miss::Size);
        }
        let held = |(number, text): (usize, &Text)| scan.has(number, text) == text.is_wanted();
        (!self.texts.iter().enumerate().all(held)).then_some(Miss::Body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for text in
            ["status=200", "status=200-299,404", "size=0", "size=1-20", "body~a=b, c", "body!~Oops"]
        {
            let expectation: Expectation = text.parse().unwrap();
            assert_eq!(expectation.to_string(), text);
        }
        for text in [
            "",
            "status",
            "status=",
            "status=20",
            "status=1000",
            "status=300-200",
            "status=2xx",
            "size=",
            "size=-1",
            "size=a",
            "size=5-4",
            "body~",
            "body=a",
            "time<3s",
        ] {
            let error = text.parse::<Expectation>().unwrap_err().to_string();
            assert!(error.contains("is no expectation: write status="), "{text}: {error}");
        }
    }

    #[test]
    fn the_first_thing_that_is_wrong_is_told() {
        let all = |texts: &[&str]| {
            let all: Vec<Expectation> = texts.iter().map(|text| text.parse().unwrap()).collect();
            Expected::new(&all)
        };
        let plain = all(&[]);
        assert!(!plain.scans());
        assert_eq!([399, 400].map(|status| plain.miss(status, None)), [None, Some(Miss::Status)]);
        let listed = all(&["status=404,500-599"]);
        assert_eq!([200, 404, 503].map(|s| listed.miss(s, None)), [Some(Miss::Status), None, None]);
        let whole = all(&["size=3-5", "body~ok", "body!~no"]);
        let told = |status, body: &[u8]| {
            let mut scan = BodyScan::default();
            scan.begin(&whole);
            scan.add(&whole, body);
            whole.miss(status, Some(&scan))
        };
        assert_eq!(told(200, b"okay"), None);
        assert_eq!(told(500, b"okay"), Some(Miss::Status));
        assert_eq!(told(200, b"ok"), Some(Miss::Size));
        assert_eq!(told(200, b"fine"), Some(Miss::Body));
        assert_eq!(told(200, b"ok no"), Some(Miss::Body));
        // Of a reply to HEAD only the status is looked at.
        assert_eq!(whole.miss(200, None), None);
    }
}
