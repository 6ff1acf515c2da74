//! One line of a log: who asked for what, when.

use std::io::{self, Write};
use std::net::IpAddr;

use loadgen_core::httperf::SESSION_METHODS;

use super::skipped::Skip;
use super::time;

/// Methods that `--wsesslog` takes. The original httperf 0.9.0 does not know
/// `PROPFIND` and `REPORT`, and refuses the whole file for them.
pub const METHODS: [&str; 9] = SESSION_METHODS;

/// Longest line of a session file in bytes, think time and line feed included;
/// httperf cuts longer ones.
pub const LONGEST_REQUEST: usize = 9_999;
/// Room for ` think=` and a number.
const THINK: usize = 64;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    /// One of [`METHODS`].
    pub method: &'static str,
    /// Without white space.
    pub uri: &'a [u8],
}

/// A line of a log that holds a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Address or name of the client.
    pub client: &'a [u8],
    /// Seconds since 1970 UTC, if the line tells a time.
    pub at_s: Option<i64>,
    /// What was asked for.
    pub request: Request<'a>,
}

impl Request<'_> {
    /// Writes `URI method=METHOD` and a line feed.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(self.uri)?;
        writeln!(out, " method={}", self.method)
    }
}

/// Reads a line (without its end) in NCSA common or combined format, or with
/// the virtual host in front.
///
/// # Errors
///
/// Why it holds no request that `--wsesslog` takes.
pub fn parse(line: &[u8]) -> Result<Entry<'_>, Skip> {
    if line.trim_ascii().is_empty() {
        return Err(Skip::Empty);
    }
    let (head, quoted) = split_at_request(line).ok_or(Skip::NoRequest)?;
    let (text, escaped) = quoted_text(quoted).ok_or(Skip::NoRequest)?;
    let request = match request(text) {
        // A scanner's bytes are escaped, too, but they are no request at all.
        Ok(_) if escaped => return Err(Skip::Escaped),
        request => request?,
    };
    Ok(Entry { client: client(head), at_s: at(head).and_then(time::seconds), request })
}

/// What stands before the quote that opens the request, and after it. The quote
/// behind the time is preferred: user names in front may hold quotes, too.
fn split_at_request(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let quote = match line.windows(3).position(|three| three == b"] \"") {
        Some(at) => at + 2,
        None => line.iter().position(|&byte| byte == b'"')?,
    };
    Some((line.get(..quote)?, line.get(quote + 1..)?))
}

/// The text up to the closing quote, and whether it holds escapes.
fn quoted_text(text: &[u8]) -> Option<(&[u8], bool)> {
    let mut escape = false;
    let mut escaped = false;
    let end = text.iter().position(|&byte| {
        let closes = byte == b'"' && !escape;
        escape = byte == b'\\' && !escape;
        escaped |= escape;
        closes
    })?;
    Some((text.get(..end)?, escaped))
}

fn request(text: &[u8]) -> Result<Request<'_>, Skip> {
    let mut words = text.split(|&byte| byte == b' ');
    let (method, uri) = match (words.next(), words.next(), words.next(), words.next()) {
        (Some(method), Some(uri), None, None) => (method, uri),
        (Some(method), Some(uri), Some(version), None) if version.starts_with(b"HTTP/") => {
            (method, uri)
        }
        _ => return Err(Skip::NoRequest),
    };
    if !method.first().is_some_and(u8::is_ascii_alphabetic) || !is_uri(uri) {
        return Err(Skip::NoRequest);
    }
    let method =
        METHODS.into_iter().find(|known| known.as_bytes() == method).ok_or(Skip::Method)?;
    if uri.len() + " method=\n".len() + method.len() + THINK > LONGEST_REQUEST {
        return Err(Skip::TooLong);
    }
    Ok(Request { method, uri })
}

/// One word of a session file, and no comment there.
fn is_uri(uri: &[u8]) -> bool {
    let breaks = |byte: &u8| byte.is_ascii_whitespace() || byte.is_ascii_control();
    uri.first().is_some_and(|&byte| byte != b'#') && !uri.iter().any(breaks)
}

/// The client: the first field, unless another one in front of the time is an
/// address (logs with the virtual host in front).
fn client(head: &[u8]) -> &[u8] {
    let end = head.iter().position(|&byte| byte == b'[').unwrap_or(head.len());
    let fields = head.get(..end).unwrap_or_default().split(|&byte| byte == b' ');
    let is_address = |field: &&[u8]| {
        std::str::from_utf8(field).is_ok_and(|field| field.parse::<IpAddr>().is_ok())
    };
    fields.clone().find(is_address).or_else(|| fields.clone().next()).unwrap_or_default()
}

/// What stands in the last square brackets.
fn at(head: &[u8]) -> Option<&[u8]> {
    let open = head.iter().rposition(|&byte| byte == b'[')?;
    let text = head.get(open + 1..)?;
    text.get(..text.iter().position(|&byte| byte == b']')?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: &str = "[10/Oct/2000:13:55:36 -0700]";

    fn entry(line: &str) -> Result<(String, String, &'static str), Skip> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let entry = parse(line.as_bytes())?;
        Ok((text(entry.client), text(entry.request.uri), entry.request.method))
    }

    fn ok(
        client: &str,
        uri: &str,
        method: &'static str,
    ) -> Result<(String, String, &'static str), Skip> {
        Ok((client.into(), uri.into(), method))
    }

    #[test]
    fn logs_of_real_servers() {
        for (line, expected) in [
            (
                format!(r#"10.0.0.1 - - {STAMP} "GET /a HTTP/1.0" 200 1"#),
                ok("10.0.0.1", "/a", "GET"),
            ),
            (
                format!(
                    r#"2001:db8::1 - - {STAMP} "POST /f?x=1 HTTP/2.0" 302 1 "ref" "Agent \"q\"""#
                ),
                ok("2001:db8::1", "/f?x=1", "POST"),
            ),
            (
                format!(r#"h.example - - {STAMP} "HEAD /a HTTP/2" 200 -"#),
                ok("h.example", "/a", "HEAD"),
            ),
            (
                format!(r#"example.com:443 ::1 - "" {STAMP} "PUT http://x/y HTTP/1.1" 1 1"#),
                ok("::1", "http://x/y", "PUT"),
            ),
            (format!(r#"10.0.0.1 - "a [b" {STAMP} "GET /a" 200 1"#), ok("10.0.0.1", "/a", "GET")),
            (r#""OPTIONS * HTTP/1.1""#.into(), ok("", "*", "OPTIONS")),
            (r#""PROPFIND /d HTTP/1.1" 207"#.into(), ok("", "/d", "PROPFIND")),
            (r#""REPORT /d HTTP/1.1" 207"#.into(), ok("", "/d", "REPORT")),
        ] {
            assert_eq!(entry(&line), expected, "{line}");
        }
        let line = format!(r#"1.2.3.4 - [x] {STAMP} "GET / HTTP/1.1" 200 1"#);
        assert_eq!(parse(line.as_bytes()).unwrap().at_s, Some(971_211_336));
    }

    #[test]
    fn lines_that_give_no_request() {
        for (request, expected) in [
            ("-", Skip::NoRequest),
            ("", Skip::NoRequest),
            ("GET", Skip::NoRequest),
            (r"\x16\x03\x01", Skip::NoRequest),
            ("GET /a b HTTP/1.1", Skip::NoRequest),
            ("GET  HTTP/1.1", Skip::NoRequest),
            ("GET #a HTTP/1.1", Skip::NoRequest),
            ("GET /a\tb HTTP/1.1", Skip::NoRequest),
            (r#"GET /\"a\" HTTP/1.1"#, Skip::Escaped),
            (r"GET /\xc3\xa4 HTTP/1.1", Skip::Escaped),
            ("PRI * HTTP/2.0", Skip::Method),
            ("PROPPATCH / HTTP/1.1", Skip::Method),
            ("GETX / HTTP/1.1", Skip::Method),
            ("get / HTTP/1.1", Skip::Method),
        ] {
            let line = format!(r#"10.0.0.1 - - {STAMP} "{request}" 400 0"#);
            assert_eq!(entry(&line), Err(expected), "{request}");
        }
        let long =
            format!(r#"h - - {STAMP} "GET /{} HTTP/1.1" 414 0"#, "x".repeat(LONGEST_REQUEST));
        assert_eq!(entry(&long), Err(Skip::TooLong));
        assert_eq!(entry(" \t"), Err(Skip::Empty));
        assert_eq!(entry("no quotes here"), Err(Skip::NoRequest));
        assert_eq!(entry(r#"10.0.0.1 - - [d] "GET / HTTP/1.0 200"#), Err(Skip::NoRequest));
        assert_eq!(entry(r#"{"time": "x", "request": "GET / HTTP/1.1"}"#), Err(Skip::NoRequest));
    }
}
