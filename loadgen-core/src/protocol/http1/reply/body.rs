//! Behind the head: a body of known length, or chunks and trailers (RFC 9112 §7.1).

use super::{Line, Looked, ProtocolError, ReplyParser, State, scan};

/// Most bytes of the line before a chunk, with extensions and line end.
const CHUNK_LINE_LIMIT: usize = 4 * 1024;
impl ReplyParser {
    /// Takes a body that ends after a known number of bytes, if all of it is among
    /// the next `available` ones; says how many it takes.
    #[inline]
    pub(in crate::protocol::http1) fn take_whole_body(
        &mut self,
        available: usize,
    ) -> Option<usize> {
        if self.state != State::Fixed || (available as u64) < self.remaining {
            return None;
        }
        let length = self.remaining as usize;
        self.remaining = 0;
        self.state = State::Done;
        Some(length)
    }

    #[inline]
    pub(super) fn data(&mut self, rest: &[u8]) -> Option<usize> {
        let length = self.remaining.min(rest.len() as u64);
        if length == 0 {
            return None;
        }
        self.skip(length);
        // No more than the length of a slice.
        Some(length as usize)
    }

    #[inline]
    pub(super) fn skip(&mut self, length: u64) {
        self.remaining = self.remaining.saturating_sub(length);
        if self.remaining == 0 {
            self.state = match self.state {
                State::Fixed => State::Done,
                _ => State::ChunkEnd,
            };
        }
    }

    pub(super) fn chunk_line(&mut self, rest: &[u8]) -> Result<Option<usize>, ProtocolError> {
        let line = rest.get(..CHUNK_LINE_LIMIT).unwrap_or(rest);
        if line.first().is_some_and(|byte| !byte.is_ascii_hexdigit()) {
            return Err(ProtocolError::BadChunk);
        }
        let Some(feed) = scan::line_feed(line, self.looked.until as usize) else {
            if line.len() < rest.len() {
                return Err(ProtocolError::ChunkLineTooLarge);
            }
            self.looked.until = line.len() as u32;
            return Ok(None);
        };
        self.looked = Looked::default();
        self.remaining = chunk_size(line.get(..feed).unwrap_or_default())?;
        self.state = if self.remaining == 0 { State::Trailers } else { State::ChunkData };
        Ok(Some(feed + 1))
    }

    pub(super) fn chunk_end(&mut self, rest: &[u8]) -> Result<Option<usize>, ProtocolError> {
        let length = match rest {
            [] | [b'\r'] => return Ok(None),
            [b'\n', ..] => 1,
            [b'\r', b'\n', ..] => 2,
            _ => return Err(ProtocolError::BadChunk),
        };
        self.state = State::ChunkLine;
        Ok(Some(length))
    }

    pub(super) fn trailers(&mut self, rest: &[u8]) -> Result<Option<usize>, ProtocolError> {
        let (trailers, full) = self.within_limit(rest);
        match self.looked.field_line(trailers) {
            Line::Field { length, .. } => {
                self.consumed += length as u32;
                Ok(Some(length))
            }
            Line::Empty(length) => {
                self.state = State::Done;
                Ok(Some(length))
            }
            Line::Unfinished if full => Err(ProtocolError::TrailersTooLarge),
            Line::Unfinished => Ok(None),
            Line::Bad => Err(ProtocolError::BadTrailer),
        }
    }
}

/// The size at the start of a chunk's line (without its line feed). White space
/// and extensions may follow it (RFC 9112 §7.1.1).
fn chunk_size(line: &[u8]) -> Result<u64, ProtocolError> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut size = 0_u64;
    let mut digits = 0;
    for byte in line {
        let Some(digit) = char::from(*byte).to_digit(16) else { break };
        // Zeros may lead without an end: the value counts, not the number of digits.
        if size >> 60 != 0 {
            return Err(ProtocolError::BadChunk);
        }
        size = size << 4 | u64::from(digit);
        digits += 1;
    }
    let mut after = line.get(digits..).unwrap_or_default();
    while let [b' ' | b'\t', rest @ ..] = after {
        after = rest;
    }
    match after {
        [] | [b';', ..] if digits > 0 => Ok(size),
        _ => Err(ProtocolError::BadChunk),
    }
}
