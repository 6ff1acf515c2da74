//! Text from outside, made fit for a terminal: the one place that decides what may
//! reach it as it is.
//!
//! Names, reasons, addresses and files come from servers, triggers, hypervisors and
//! report files. A terminal obeys control characters (C0, DEL, and C1, of which
//! U+009B alone begins a command), and marks of direction reorder what is read. All
//! of them are written out as escapes, `\u{1b}`, so that they are seen and do nothing.
//! Everything else stays as it is, joiners of scripts and emoji among it.

use std::borrow::Cow;
use std::io::{self, Write};

/// Whether a character steers a terminal, reorders a line or hides in it.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e007f}')
}

fn escaped(text: &str, stays: impl Fn(char) -> bool) -> Cow<'_, str> {
    let acts = |c: char| steers(c) && !stays(c);
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if acts(c) {
            clean.extend(c.escape_unicode());
        } else {
            clean.push(c);
        }
    }
    Cow::Owned(clean)
}

/// The text in one line: line ends are written out, too.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, |_| false)
}

/// A text of several lines as one: what programs and hypervisors say may have many.
#[must_use]
pub fn one_line(text: &str) -> String {
    let mut joined = String::with_capacity(text.len());
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if !joined.is_empty() {
            joined.push_str(if joined.ends_with([':', ';', ',']) { " " } else { "; " });
        }
        joined.push_str(line);
    }
    joined
}

/// The text with its line ends, for messages that have several lines.
#[must_use]
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c == '\n')
}

/// The same document with such characters as `\u` escapes, which JSON reads as the
/// characters themselves: nothing is lost. Only strings can hold them.
#[must_use]
pub fn printable_json(json: String) -> String {
    let acts = |c: char| steers(c) && !matches!(c, '\n' | '\r' | '\t');
    if !json.contains(acts) {
        return json;
    }
    let mut clean = String::with_capacity(json.len() + 64);
    for c in json.chars() {
        if acts(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                clean.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            clean.push(c);
        }
    }
    clean
}

/// A stream of text that lets through line ends and tabs, and nothing that steers.
/// Bytes that are not UTF-8 are written out as `\x9b`: a terminal that does not
/// expect UTF-8 would take some of them for commands.
#[derive(Debug)]
pub struct PrintableWriter<W> {
    to: W,
    /// The beginning of a character whose rest is to come.
    begun: Vec<u8>,
}

impl<W: Write> PrintableWriter<W> {
    /// Writes to `to`.
    pub fn new(to: W) -> Self {
        Self { to, begun: Vec::new() }
    }

    fn put(&mut self, bytes: &[u8], at_end: bool) -> io::Result<()> {
        let mut text = String::with_capacity(bytes.len());
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            text.push_str(&escaped(chunk.valid(), |c| matches!(c, '\n' | '\t')));
            let invalid = chunk.invalid();
            if chunks.peek().is_none() && !at_end && is_beginning(invalid) {
                self.begun = invalid.to_vec();
                break;
            }
            invalid.iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
        }
        self.to.write_all(text.as_bytes())
    }
}

/// Whether more bytes may still make a character of these.
fn is_beginning(bytes: &[u8]) -> bool {
    !bytes.is_empty() && std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

impl<W: Write> Write for PrintableWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let begun = std::mem::take(&mut self.begun);
        if begun.is_empty() {
            self.put(bytes, false)?;
        } else {
            self.put(&[&begun, bytes].concat(), false)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let begun = std::mem::take(&mut self.begun);
        self.put(&begun, true)?;
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(printable("a\u{1b}[31m\n\u{202e}b"), "a\\u{1b}[31m\\u{a}\\u{202e}b");
        assert_eq!(printable_lines("a\n\u{9b}31m\r\u{7}"), "a\n\\u{9b}31m\\u{d}\\u{7}");
        assert_eq!(printable("µ – é ± «x» 👩\u{200d}🔬"), "µ – é ± «x» 👩\u{200d}🔬");
        for c in ['\0', '\u{8}', '\u{7f}', '\u{80}', '\u{9f}', '\u{200e}', '\u{2066}', '\u{2028}'] {
            assert!(printable(&c.to_string()).starts_with("\\u{"), "{c:?}");
        }
    }

    #[test]
    fn json_stays_the_same_document() {
        let value = serde_json::json!({"a\u{9b}": "\u{7f}\u{202e}\u{e0041}\n\u{1b}", "b": 1});
        let json = printable_json(serde_json::to_string_pretty(&value).unwrap());
        assert!(json.chars().all(|c| c == '\n' || !steers(c)), "{json}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap(), value);
    }

    #[test]
    fn streams_keep_lines_and_show_bytes() {
        let mut written = Vec::new();
        let mut writer = PrintableWriter::new(&mut written);
        // A character in two pieces, and one that never ends.
        for piece in [b"a\tb\n\xc3" as &[u8], b"\xa9\x1b[2J\xc2", b"\x9b1m", b"\x9b\xe2\x80"] {
            writer.write_all(piece).unwrap();
        }
        writer.flush().unwrap();
        let text = String::from_utf8(written).unwrap();
        assert_eq!(text, "a\tb\né\\u{1b}[2J\\u{9b}1m\\x9b\\xe2\\x80");
    }

    proptest! {
        #[test]
        fn whatever_comes_in_whatever_pieces(bytes: Vec<u8>, cut in 0_usize..64) {
            let (first, second) = bytes.split_at(cut.min(bytes.len()));
            let mut written = Vec::new();
            let mut writer = PrintableWriter::new(&mut written);
            writer.write_all(first).unwrap();
            writer.write_all(second).unwrap();
            writer.flush().unwrap();
            let text = String::from_utf8(written).unwrap();
            prop_assert!(text.chars().all(|c| matches!(c, '\n' | '\t') || !steers(c)));
            let mut whole = Vec::new();
            let mut writer = PrintableWriter::new(&mut whole);
            writer.write_all(&bytes).unwrap();
            writer.flush().unwrap();
            prop_assert_eq!(text.into_bytes(), whole);
        }
    }

    #[test]
    fn lines_become_parts_of_one() {
        assert_eq!(one_line("no route\r\n\n  to host\n"), "no route; to host");
        assert_eq!(one_line("as it is"), "as it is");
        assert_eq!(one_line("three things:\n first,\nsecond"), "three things: first, second");
    }
}
