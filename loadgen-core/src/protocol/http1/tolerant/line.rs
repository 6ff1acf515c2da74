//! A line out of the reads that it came in.

use super::LINE_KEPT;

/// How much of a line that comes in several reads is kept, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room(pub(super) usize);

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
    /// The line without its line feed, as much of it as there was room for.
    pub(super) bytes: &'a [u8],
    /// The bytes of the whole line with its line feed.
    pub(super) length: u64,
}

impl Unfinished {
    /// Whether nothing of the line has come yet.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Adds bytes that hold no line feed.
    pub(super) fn keep(&mut self, bytes: &[u8], Room(most): Room) {
        self.length += bytes.len();
        let room = most.saturating_sub(self.kept.len());
        self.kept.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    /// The line, with its last bytes up to the line feed.
    #[inline]
    pub(super) fn finish<'a>(&'a mut self, end: &'a [u8], room: Room) -> Line<'a> {
        if self.length == 0 {
            let bytes = end.get(..room.0).unwrap_or(end);
            return Line { bytes, length: end.len() as u64 + 1 };
        }
        self.keep(end, room);
        Line { bytes: &self.kept, length: self.length as u64 + 1 }
    }
}

impl<'a> Line<'a> {
    /// What of the line is looked at: at most [`LINE_KEPT`] bytes, without a carriage
    /// return at their end. The same whatever there was room for.
    #[inline]
    pub(super) fn text(&self) -> &'a [u8] {
        let bytes = self.bytes.get(..LINE_KEPT).unwrap_or(self.bytes);
        bytes.strip_suffix(b"\r").unwrap_or(bytes)
    }

    /// Whether nothing stands before the line end.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        matches!(self.bytes, [] | [b'\r'])
    }
}
