//! The sessions of `--wsesslog`. A line is a call: its URI, and arguments after
//! it. A line without indentation begins a burst, an indented one belongs to the
//! burst before it; a blank line ends the session, and one that begins with `#`
//! is a comment.

use std::path::Path;

use super::FileError;
use super::file_error::read;
use super::values::real;
use crate::session::{Burst, RawText, ScriptedCall, ScriptedSession};

/// Most bytes of a line; what is beyond them is taken as a further line.
const LONGEST_LINE: usize = 9_999;

/// Most sessions of a file.
const MOST_SESSIONS: usize = 1_000;

/// The longest think time that a plan takes, in seconds.
const LONGEST_THINK_S: f64 = 1e7;

/// The methods that a session may name; a word is taken for the first one that it
/// begins with.
pub const SESSION_METHODS: [&str; 9] =
    ["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT", "PROPFIND", "REPORT", "TRACE"];

/// Reads the sessions of a file. `think_s` stands in for the think times that it
/// does not give.
///
/// # Errors
/// [`FileError`] if the file cannot be read, has no session, more than 1000 of
/// them, or an argument that means nothing.
pub fn read_sessions(file: &Path, think_s: f64) -> Result<Vec<ScriptedSession>, FileError> {
    parse(&read(file)?, file, think_s, MOST_SESSIONS)
}

/// The sessions in these bytes of a file, which may have `most` of them.
pub(crate) fn parse(
    bytes: &[u8],
    file: &Path,
    think_s: f64,
    most: usize,
) -> Result<Vec<ScriptedSession>, FileError> {
    let mut lines = Lines { whole: bytes, rest: bytes };
    let mut sessions: Vec<ScriptedSession> = Vec::new();
    // Whether the next call belongs to the last session of the list.
    let mut within = false;
    while let Some(line) = lines.next() {
        if line.starts_with(b"#") {
            continue;
        }
        let (uri, rest) = word(line);
        if uri.is_empty() {
            within = false;
            continue;
        }
        if !within {
            sessions.push(ScriptedSession::default());
            within = true;
        }
        let count = sessions.len();
        if count > most {
            return Err(FileError::TooManySessions { file: file.to_owned(), count });
        }
        let Some(session) = sessions.last_mut() else { continue };
        if session.bursts.is_empty() || !line.first().is_some_and(is_space) {
            session.bursts.push(Burst { calls: Vec::new(), think_s });
        }
        let Some(burst) = session.bursts.last_mut() else { continue };
        let call = arguments(uri, rest, &mut lines, burst, file)?;
        burst.calls.push(call);
    }
    if sessions.is_empty() { Err(FileError::NoSessions(file.to_owned())) } else { Ok(sessions) }
}

/// A call with this URI and the arguments in `rest`; a think time is set in its
/// burst.
fn arguments<'a>(
    uri: &[u8],
    mut rest: &'a [u8],
    lines: &mut Lines<'a>,
    burst: &mut Burst,
    file: &Path,
) -> Result<ScriptedCall, FileError> {
    let begin = lines.taken();
    let mut call = ScriptedCall::new("GET", RawText(uri.to_vec()));
    loop {
        let (arg, after) = word(rest);
        if arg.is_empty() {
            return Ok(call);
        }
        if let Some(name) = value(arg, "method=") {
            let known = SESSION_METHODS.iter().find(|method| name.starts_with(method.as_bytes()));
            let Some(known) = known else {
                return Err(FileError::Method {
                    file: file.to_owned(),
                    line: lines.number(lines.taken()),
                    method: text(name),
                });
            };
            call.method = (*known).to_owned();
            rest = after;
        } else if let Some(seconds) = value(arg, "think=").and_then(real) {
            // Less than nothing and no number at all are no wait.
            let seconds = seconds.value;
            burst.think_s = if seconds > 0.0 { seconds.min(LONGEST_THINK_S) } else { 0.0 };
            rest = after;
        } else if let Some(start) = value(arg, "contents=") {
            // The body may go on beyond this word and this line.
            let offset = rest.len() - after.len() - start.len();
            let body = rest.get(offset..).unwrap_or_default();
            let Some(found) = contents(body, lines) else {
                let (file, line) = (file.to_owned(), lines.number(begin));
                return Err(FileError::EndOfFile { file, line });
            };
            (call.body.0, rest) = found;
        } else {
            let line = lines.number(lines.taken());
            return Err(FileError::Argument { file: file.to_owned(), line, arg: text(arg) });
        }
    }
}

/// A body and what follows it on its last line; `None` if the file ends first.
fn contents<'a>(mut rest: &'a [u8], lines: &mut Lines<'a>) -> Option<(Vec<u8>, &'a [u8])> {
    let mut body = Vec::new();
    let mut quote = None;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'\\' => {
                let Some((&escaped, after)) = rest.split_first() else { break };
                rest = after;
                match escaped {
                    b'n' => body.push(b'\n'),
                    b'r' => body.push(b'\r'),
                    b't' => body.push(b'\t'),
                    b'\n' => {
                        body.push(b'\n');
                        rest = lines.next()?;
                    }
                    other => body.push(other),
                }
            }
            b' ' | b'\t' | b'\n' if quote.is_none() => break,
            b'"' | b'\'' if quote.is_none() => quote = Some(byte),
            _ if quote == Some(byte) => quote = None,
            _ => body.push(byte),
        }
    }
    Some((body, rest))
}

/// The lines with their line ends, cut where they are too long. A line ends for
/// its reader at a NUL byte.
struct Lines<'a> {
    whole: &'a [u8],
    rest: &'a [u8],
}

impl Lines<'_> {
    /// How many bytes were given.
    fn taken(&self) -> usize {
        self.whole.len() - self.rest.len()
    }

    /// The number of the line, from 1, that ends after so many bytes.
    fn number(&self, end: usize) -> u64 {
        let before = self.whole[..end].strip_suffix(b"\n").unwrap_or(&self.whole[..end]);
        before.iter().filter(|byte| **byte == b'\n').count() as u64 + 1
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let most = &self.rest[..self.rest.len().min(LONGEST_LINE)];
        let end = most.iter().position(|&byte| byte == b'\n').map_or(most.len(), |at| at + 1);
        let (line, rest) = self.rest.split_at(end);
        self.rest = rest;
        line.split(|&byte| byte == 0).next()
    }
}

/// The first word and what follows it; empty if there is none.
fn word(line: &[u8]) -> (&[u8], &[u8]) {
    let start = line.iter().position(|byte| !is_space(byte)).unwrap_or(line.len());
    let line = &line[start..];
    line.split_at(line.iter().position(is_space).unwrap_or(line.len()))
}

/// White space as C has it.
fn is_space(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// What follows `name` in a word, if anything does.
fn value<'a>(word: &'a [u8], name: &str) -> Option<&'a [u8]> {
    word.strip_prefix(name.as_bytes()).filter(|value| !value.is_empty())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests;
