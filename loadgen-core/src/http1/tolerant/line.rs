//! A line out of the reads that it came in.

use super::LINE_KEPT;

/// The start of a line whose end has not come. Holds no memory between lines.
#[derive(Debug, Default)]
pub(super) struct Unfinished {
    pub(super) kept: Vec<u8>,
    /// Bytes of the line so far, kept or not.
    length: usize,
}

/// A complete line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    /// The line without its line feed, at most [`LINE_KEPT`] bytes of it.
    pub(super) bytes: &'a [u8],
    /// The bytes of the whole line with its line feed.
    pub(super) length: u64,
}

impl Unfinished {
    /// Adds bytes that hold no line feed.
    pub(super) fn keep(&mut self, bytes: &[u8]) {
        self.length += bytes.len();
        let room = LINE_KEPT.saturating_sub(self.kept.len());
        self.kept.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    /// The line, with its last bytes up to the line feed.
    #[inline]
    pub(super) fn finish<'a>(&'a mut self, end: &'a [u8]) -> Line<'a> {
        if self.length == 0 {
            let bytes = end.get(..LINE_KEPT).unwrap_or(end);
            return Line { bytes, length: end.len() as u64 + 1 };
        }
        self.keep(end);
        Line { bytes: &self.kept, length: self.length as u64 + 1 }
    }
}

impl<'a> Line<'a> {
    /// The line without a carriage return at its end.
    #[inline]
    pub(super) fn text(&self) -> &'a [u8] {
        self.bytes.strip_suffix(b"\r").unwrap_or(self.bytes)
    }

    /// Whether nothing stands before the line end.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        matches!(self.bytes, [] | [b'\r'])
    }
}
