//! One line of an access log.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::time;
use crate::request::is_token;

/// What a line tells.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Logged {
    /// When, in µs from 1970 UTC.
    pub(super) at_us: i64,
    pub(super) method: String,
    /// Path and query.
    pub(super) path: String,
}

/// Why a line is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Skip {
    NoLog,
    NoTime,
    NoRequest,
    NoPath,
    ChangesState,
}

impl Skip {
    /// The name in reports.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::NoLog => "not-a-log-line",
            Self::NoTime => "no-time",
            Self::NoRequest => "no-request",
            Self::NoPath => "no-path",
            Self::ChangesState => "changes-state",
        }
    }

    /// Behind a number of lines.
    pub(super) fn told(self) -> &'static str {
        match self {
            Self::NoLog => "are no lines of an access log",
            Self::NoTime => "have no time that can be read",
            Self::NoRequest => "have no HTTP request",
            Self::NoPath => "have no path",
            Self::ChangesState => "are of methods that change state",
        }
    }
}

/// Reads a line. `change_state`: its method may.
pub(super) fn parse(line: &[u8], change_state: bool) -> Result<Logged, Skip> {
    let line = line.trim_ascii();
    let (at_us, method, target) =
        if line.starts_with(b"{") { of_json(line)? } else { of_text(line)? };
    let path = path(&target).ok_or(Skip::NoPath)?;
    // RFC 9110 §9.2.1.
    let is_safe = matches!(method.as_str(), "GET" | "HEAD" | "OPTIONS" | "TRACE");
    if !is_safe && !change_state {
        return Err(Skip::ChangesState);
    }
    Ok(Logged { at_us, method, path })
}

/// Time, method and target.
type Told = (i64, String, Vec<u8>);

/// `… [10/Oct/2000:13:55:36 -0700] "GET /a HTTP/1.1" …`, whatever stands around.
fn of_text(line: &[u8]) -> Result<Told, Skip> {
    let mut brackets = line.iter().enumerate().filter(|(_, byte)| **byte == b'[');
    let timed = brackets.find_map(|(at, _)| {
        let end = at + line[at..].iter().position(|byte| *byte == b']')?;
        let text = std::str::from_utf8(&line[at + 1..end]).ok()?;
        Some((time::of_log(text).or_else(|| time::of_rfc3339(text))?, end + 1))
    });
    let Some((at_us, end)) = timed else {
        // A quoted request without a time is a log of some other kind.
        return Err(if line.contains(&b'"') { Skip::NoTime } else { Skip::NoLog });
    };
    let quoted = line[end..].iter().position(|byte| *byte == b'"').map(|at| &line[end + at + 1..]);
    let request = quoted.and_then(unquoted).ok_or(Skip::NoRequest)?;
    let (method, target) = request_line(&request).ok_or(Skip::NoRequest)?;
    Ok((at_us, method, target))
}

/// What stands before the next quote, without its escapes: `\"`, `\\`, and `\xHH` as Apache and
/// nginx write them. `None` without that quote.
fn unquoted(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    let mut rest = bytes.iter().copied();
    loop {
        match rest.next()? {
            b'"' => return Some(plain),
            b'\\' => match rest.next()? {
                b'x' => {
                    let digit = |byte: u8| char::from(byte).to_digit(16);
                    let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
                    plain.push((high * 16 + low) as u8);
                }
                b'n' => plain.push(b'\n'),
                b'r' => plain.push(b'\r'),
                b't' => plain.push(b'\t'),
                other => plain.push(other),
            },
            byte => plain.push(byte),
        }
    }
}

/// Method and target of a request line; HTTP/0.9 had no version.
fn request_line(line: &[u8]) -> Option<(String, Vec<u8>)> {
    let blank = line.iter().position(|byte| *byte == b' ')?;
    let method = std::str::from_utf8(&line[..blank]).ok().filter(|method| is_token(method))?;
    let rest = &line[blank + 1..];
    let end = rest.iter().rposition(|byte| *byte == b' ');
    let target = match end {
        Some(end) if rest[end + 1..].starts_with(b"HTTP/") => &rest[..end],
        _ => rest,
    };
    Some((method.to_owned(), target.to_vec()))
}

/// Names of the time, the surest first.
const TIMES: [&str; 12] = [
    "msec",
    "time_iso8601",
    "@timestamp",
    "timestamp",
    "time",
    "time_local",
    "ts",
    "datetime",
    "start_time",
    "StartUTC",
    "date",
    "t",
];

/// Names of the method.
const METHODS: [&str; 5] = ["request_method", "method", "verb", "http_method", "RequestMethod"];

/// Names of the target.
const TARGETS: [&str; 7] =
    ["request_uri", "uri", "url", "path", "request_path", "RequestPath", "uri_path"];

/// Names of the query, where it stands apart.
const QUERIES: [&str; 4] = ["args", "query_string", "query", "uri_query"];

fn of_json(line: &[u8]) -> Result<Told, Skip> {
    let read = serde_json::from_slice(line).or_else(|_| serde_json::from_slice(&mended(line)));
    let Ok(Value::Object(told)) = read else { return Err(Skip::NoLog) };
    // Some keep what belongs to the request in an object of its own.
    let within = told.get("request").and_then(Value::as_object);
    let find =
        |names: &[&str]| within.and_then(|it| said(it, names)).or_else(|| said(&told, names));
    let at = find(&TIMES).as_deref().and_then(moment).ok_or(Skip::NoTime)?;
    // nginx tells when the reply was through, and how long it took by then.
    let took = told.get("request_time").and_then(text).and_then(|s| s.parse::<f64>().ok());
    let took = took.filter(|s| (0.0..1e6).contains(s)).unwrap_or(0.0);
    let at_us = at - (took * 1e6).round() as i64;
    let whole = told.get("request").and_then(text);
    if let Some((method, target)) = whole.as_deref().and_then(|line| request_line(line.as_bytes()))
    {
        return Ok((at_us, method, target));
    }
    let method = find(&METHODS).filter(|method| is_token(method) && method != "-");
    let method = method.ok_or(Skip::NoRequest)?;
    // Apache's %U goes by the name of the request, too.
    let path = whole.filter(|text| text.starts_with('/'));
    let mut target = path.or_else(|| find(&TARGETS)).ok_or(Skip::NoRequest)?.into_owned();
    if let Some(query) = find(&QUERIES).filter(|q| !q.is_empty() && q != "-" && q != "?")
        && !target.contains('?')
    {
        target.push('?');
        target.push_str(query.trim_start_matches('?'));
    }
    Ok((at_us, method.into_owned(), target.into_bytes()))
}

/// A line whose `\xHH`, which Apache writes and nginx without `escape=json`, are no JSON: in its
/// place stands the byte, percent-encoded where a path has it so.
fn mended(line: &[u8]) -> Vec<u8> {
    let mut mended = Vec::with_capacity(line.len());
    let mut rest = line;
    while let [first, others @ ..] = rest {
        let byte = match rest {
            [b'\\', b'x', high, low, ..] => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).ok();
                digits.and_then(|digits| u8::from_str_radix(digits, 16).ok())
            }
            _ => None,
        };
        match (byte, rest) {
            (Some(byte @ (b'"' | b'\\')), _) => mended.extend([b'\\', byte]),
            (Some(byte @ 0x20..=0x7e), _) => mended.push(byte),
            (Some(byte), _) => mended.extend(format!("%{byte:02X}").bytes()),
            // What it escapes is no escape itself.
            (None, [b'\\', escaped, ..]) => mended.extend([b'\\', *escaped]),
            (None, _) => mended.push(*first),
        }
        rest = match (byte, first) {
            (Some(_), _) => &rest[4..],
            (None, b'\\') => rest.get(2..).unwrap_or_default(),
            (None, _) => others,
        };
    }
    mended
}

/// What the first of these names says.
fn said<'a>(object: &'a Map<String, Value>, names: &[&str]) -> Option<Cow<'a, str>> {
    names.iter().find_map(|name| text(object.get(*name)?))
}

/// What a name says, be it a text or a number.
fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(text.trim().into()),
        Value::Number(number) => Some(number.to_string().into()),
        _ => None,
    }
}

fn moment(text: &str) -> Option<i64> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    time::of_number(bare).or_else(|| time::of_rfc3339(bare)).or_else(|| time::of_log(bare))
}

/// Path and query of a target (RFC 9112 §3.2). Bytes that cannot stand in a request line are
/// written as %XX.
fn path(target: &[u8]) -> Option<String> {
    let path = match target.first()? {
        b'/' => target,
        b'*' if target.len() == 1 => return Some("*".to_owned()),
        _ => {
            let scheme = target.windows(3).position(|three| three == b"://")?;
            let rest = &target[scheme + 3..];
            match rest.iter().position(|byte| *byte == b'/') {
                Some(at) => &rest[at..],
                None => b"/",
            }
        }
    };
    let mut text = String::with_capacity(path.len());
    for byte in path {
        match byte {
            0x21..=0x7e => text.push(char::from(*byte)),
            other => text.push_str(&format!("%{other:02X}")),
        }
    }
    Some(text)
}
