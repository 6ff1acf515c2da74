//! Bytes as they come, become messages: pure, and in 256 bytes of memory.

use super::message::{Garbled, Message};

/// The most bytes of a line, with its end.
pub(super) const LONGEST_LINE: usize = 256;

/// What came and was not taken yet.
#[derive(Debug)]
pub(super) struct LineBuffer {
    bytes: [u8; LONGEST_LINE],
    filled: usize,
}

impl LineBuffer {
    pub(super) fn new() -> Self {
        Self { bytes: [0; LONGEST_LINE], filled: 0 }
    }

    /// Where more bytes may be put. Not empty after [`take`](Self::take) found nothing.
    pub(super) fn room(&mut self) -> &mut [u8] {
        &mut self.bytes[self.filled..]
    }

    /// So many bytes were put there.
    pub(super) fn grow(&mut self, by: usize) {
        self.filled = (self.filled + by).min(LONGEST_LINE);
    }

    /// Whether nothing came that was not taken.
    pub(super) fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// The next line, if it is whole or too long.
    pub(super) fn take(&mut self) -> Option<Result<Message, Garbled>> {
        let there = &self.bytes[..self.filled];
        let Some(end) = there.iter().position(|byte| *byte == b'\n') else {
            return (self.filled == LONGEST_LINE).then(|| Err(Garbled::of(there)));
        };
        let line = &there[..end];
        let message = match std::str::from_utf8(line) {
            Ok(line) => line.parse(),
            Err(_) => Err(Garbled::of(line)),
        };
        self.bytes.copy_within(end + 1..self.filled, 0);
        self.filled -= end + 1;
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Feeds bytes in pieces; what came of them, up to the first that makes no sense.
    fn fed(mut bytes: &[u8], piece: usize) -> Vec<String> {
        let mut buffer = LineBuffer::new();
        let mut all = Vec::new();
        loop {
            while let Some(message) = buffer.take() {
                match message {
                    Ok(message) => all.push(message.to_string()),
                    Err(garbled) => {
                        all.push(format!("? {}", garbled.said));
                        return all;
                    }
                }
            }
            let room = buffer.room();
            assert!(!room.is_empty());
            let n = piece.min(room.len()).min(bytes.len());
            if n == 0 {
                return all;
            }
            room[..n].copy_from_slice(&bytes[..n]);
            bytes = &bytes[n..];
            buffer.grow(n);
        }
    }

    #[test]
    fn lines_come_out_whole_however_they_came_in() {
        for piece in [1, 2, 7, 256] {
            let all = fed(b"ready\nclock 7\nclock 7 8 9\ngoodbye\nhalf a li", piece);
            assert_eq!(all, ["ready", "clock 7", "clock 7 8 9", "goodbye"]);
            assert_eq!(fed(b"ready\n\xff\nready\n", piece), ["ready", "? \u{fffd}"]);
        }
    }

    #[test]
    fn a_line_without_an_end_ends_it() {
        assert_eq!(fed(&[b'x'; 100_000], 1000).len(), 1);
        let most = [&[b'x'; LONGEST_LINE - 1] as &[u8], b"\n"].concat();
        assert_eq!(fed(&most, 256).len(), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn whatever_comes(bytes: Vec<u8>, piece in 1_usize..300) {
            prop_assert_eq!(fed(&bytes, piece), fed(&bytes, 1));
        }
    }
}
