//! Cuts the field lines of a head, or of trailers, out of the bytes at hand.
//!
//! A line ends at a line feed, with or without a carriage return before it. A
//! field whose next line starts with a space or tab goes on there (obsolete line
//! folding, RFC 9112 §5.2: a user agent reads the fold as spaces), so a field
//! is complete only when the byte after its line is known.

use super::scan;

/// What stands at the start of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// More bytes are needed to tell.
    Unfinished,
    /// Neither a field nor the empty line. Space before the colon or at the
    /// start of the first line is also refused (RFC 9112 §2.2, §5.1).
    Bad,
    /// The empty line of this many bytes.
    Empty(usize),
    /// A field of `length` bytes, with line ends; its name ends at `colon`.
    Field { length: usize, colon: usize },
}

/// How far an unfinished line was looked at, so that bytes that come one by one
/// are looked at only once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Looked {
    /// The search goes on here.
    pub(super) until: u32,
    /// Where the name ended; 0 if not yet known (a name is never empty).
    colon: u32,
}

impl Looked {
    /// Looks at the start of `bytes`, which begin where the last complete line
    /// ended. After [`Line::Unfinished`] the same bytes must come again with
    /// more behind them. At most `u32::MAX` bytes.
    #[inline]
    pub(super) fn field_line(&mut self, bytes: &[u8]) -> Line {
        let mut colon = self.colon as usize;
        let mut until = self.until as usize;
        if colon == 0 {
            let Some(end) = scan::name_end(bytes, until) else {
                return self.unfinished(bytes.len(), 0);
            };
            match bytes.get(end..) {
                Some([b':', ..]) if end > 0 => colon = end,
                Some([b'\n', ..]) if end == 0 => return self.finished(Line::Empty(1)),
                Some([b'\r', b'\n', ..]) if end == 0 => return self.finished(Line::Empty(2)),
                Some([b'\r']) if end == 0 => return self.unfinished(0, 0),
                _ => return Line::Bad,
            }
            until = end;
        }
        loop {
            let Some(feed) = scan::line_feed(bytes, until) else {
                return self.unfinished(bytes.len(), colon);
            };
            match bytes.get(feed + 1) {
                None => return self.unfinished(feed, colon),
                Some(b' ' | b'\t') => until = feed + 1,
                Some(_) => return self.finished(Line::Field { length: feed + 1, colon }),
            }
        }
    }

    fn unfinished(&mut self, until: usize, colon: usize) -> Line {
        // No more bytes than a head may have ever come here, so nothing is cut.
        *self = Self { until: until as u32, colon: colon as u32 };
        Line::Unfinished
    }

    #[inline]
    fn finished(&mut self, line: Line) -> Line {
        *self = Self::default();
        line
    }
}
