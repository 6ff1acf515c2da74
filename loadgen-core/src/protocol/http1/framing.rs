//! What the fields of a head say about the body and the connection
//! (RFC 9112 §6 and §9.3).

use super::error::ProtocolError;
use super::scan::same_name;

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// After this many bytes.
    Length(u64),
    /// After the last chunk and its trailers.
    Chunked,
    /// Where the server closes.
    UntilClose,
}

/// What the lines of `Content-Length` said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Length {
    #[default]
    Absent,
    /// One value, however often it came.
    Known,
    Invalid,
    Conflicting,
}

/// What the lines of `Transfer-Encoding` said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Coding {
    #[default]
    Absent,
    /// The last coding so far is `chunked`.
    Chunked,
    Other,
}

/// The sum of the fields that were read. A bad length is kept as a value until
/// the head ends, because a transfer coding on a later line overrides it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Framing {
    value: u64,
    length: Length,
    coding: Coding,
    http_1_0: bool,
    close: bool,
    keep_alive: bool,
}

impl Framing {
    /// Nothing read yet; the version from the status line.
    pub(super) fn new(http_1_0: bool) -> Self {
        Self { http_1_0, ..Self::default() }
    }

    /// Takes one field. `value` may have white space and line ends around it and
    /// folds within.
    #[inline]
    pub(super) fn field(&mut self, name: &[u8], value: &[u8]) {
        // The lengths differ, so most fields cost no comparison.
        match name.len() {
            10 if same_name(name, b"connection") => self.connection(value),
            14 if same_name(name, b"content-length") => self.content_length(value),
            17 if same_name(name, b"transfer-encoding") => self.transfer_encoding(value),
            _ => {}
        }
    }

    /// How the body ends, for a reply that may have one: RFC 9112 §6.3, rules 3
    /// to 8.
    ///
    /// # Errors
    ///
    /// The lengths are not numbers or not the same, and no transfer coding
    /// overrides them.
    pub(super) fn body(&self) -> Result<Body, ProtocolError> {
        match (self.coding, self.length) {
            (Coding::Chunked, _) => Ok(Body::Chunked),
            (Coding::Other, _) | (Coding::Absent, Length::Absent) => Ok(Body::UntilClose),
            (Coding::Absent, Length::Known) => Ok(Body::Length(self.value)),
            (Coding::Absent, Length::Invalid) => Err(ProtocolError::BadContentLength),
            (Coding::Absent, Length::Conflicting) => Err(ProtocolError::ConflictingLengths),
        }
    }

    /// Whether the connection persists by version and `Connection` (§9.3).
    pub(super) fn persists(&self) -> bool {
        !self.close && (self.keep_alive || !self.http_1_0)
    }

    /// Whether a transfer coding stands beside a length or in HTTP/1.0: then the
    /// connection is not to be trusted after this reply (§6.1, §6.3).
    pub(super) fn is_suspect(&self) -> bool {
        self.coding != Coding::Absent && (self.length != Length::Absent || self.http_1_0)
    }

    fn connection(&mut self, value: &[u8]) {
        // What nearly all servers send, if anything.
        if value == b" keep-alive\r\n" {
            self.keep_alive = true;
            return;
        }
        for option in value.split(|byte| *byte == b',').map(trim) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    fn content_length(&mut self, value: &[u8]) {
        if self.length == Length::Absent
            && let Some(number) = plain_decimal(value)
        {
            self.value = number;
            self.length = Length::Known;
            return;
        }
        for number in value.split(|byte| *byte == b',').map(trim) {
            self.length = match (self.length, decimal(number)) {
                // The first defect stays: later lines do not mend it.
                (Length::Invalid | Length::Conflicting, _) => return,
                (_, None) => Length::Invalid,
                (Length::Absent, Some(number)) => {
                    self.value = number;
                    Length::Known
                }
                (Length::Known, Some(number)) if number == self.value => Length::Known,
                (Length::Known, Some(_)) => Length::Conflicting,
            };
        }
    }

    fn transfer_encoding(&mut self, value: &[u8]) {
        if value == b" chunked\r\n" {
            self.coding = Coding::Chunked;
            return;
        }
        let mut none = false;
        for coding in value.split(|byte| *byte == b',').map(trim) {
            if coding.eq_ignore_ascii_case(b"chunked") {
                self.coding = Coding::Chunked;
            } else if coding.eq_ignore_ascii_case(b"identity") {
                // The word of RFC 2616 for no coding at all. RFC 9112 knows it no more,
                // and would have such a body end with the connection; but servers that
                // write it mean the length beside it.
                none = true;
            } else if !coding.is_empty() {
                self.coding = Coding::Other;
            }
        }
        if self.coding == Coding::Absent && !none {
            self.coding = Coding::Other;
        }
    }
}

/// Without the white space at both ends. Line ends count as such, since a fold is
/// to be read as spaces; so does a lone carriage return (RFC 9112 §2.2).
fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t' | b'\r' | b'\n', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t' | b'\r' | b'\n'] = bytes {
        bytes = rest;
    }
    bytes
}

/// The number of a value as nearly all servers send it: a space, 1 to 19 digits
/// (below 10^19, so it cannot overflow), and a line end.
#[inline]
fn plain_decimal(value: &[u8]) -> Option<u64> {
    let digits = value.strip_prefix(b" ")?.strip_suffix(b"\r\n")?;
    if !matches!(digits.len(), 1..=19) {
        return None;
    }
    let mut number = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        number = number * 10 + u64::from(digit - b'0');
    }
    Some(number)
}

/// Digits only, at least one, and below 2^64.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}
