//! Feeds the reader as the engine does, and checks what must hold for any bytes.
//! Shared by the property tests and the fuzz target; a broken promise panics.

use super::{Broken, LINE_KEPT, TolerantReader};
use crate::protocol::{Notice, Progress, ReplySizes, Sink, Truncated};

/// How a reply ended, and all that the engine can know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) end: End,
    /// Bytes consumed or dropped; 0 after an error.
    pub(crate) consumed: usize,
    pub(crate) status: u32,
    pub(crate) begun: bool,
    pub(crate) sizes: ReplySizes,
    pub(crate) heard: Heard,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// By its own bytes.
    Complete,
    /// Because the server closed.
    Closed,
    Cut(Truncated),
    Broken(Broken),
}

/// What the reader handed out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Heard {
    /// Lines are taken as long as they are.
    pub(crate) whole_lines: bool,
    pub(crate) lines: Vec<Vec<u8>>,
    pub(crate) body: Vec<u8>,
    pub(crate) notices: Vec<String>,
}

impl Sink for Heard {
    fn takes_whole_lines(&self) -> bool {
        self.whole_lines
    }

    fn line(&mut self, line: &[u8]) {
        assert!((self.whole_lines || line.len() <= LINE_KEPT) && !line.contains(&b'\n'));
        self.lines.push(line.to_vec());
    }

    fn body(&mut self, bytes: &[u8]) {
        assert!(!bytes.is_empty());
        self.body.extend_from_slice(bytes);
    }

    fn notice(&mut self, notice: Notice<'_>) {
        self.notices.push(match notice {
            Notice::BadStatusLine(line) => format!("status line {}", line.escape_ascii()),
            Notice::BadChunkLine(line) => format!("chunk line {}", line.escape_ascii()),
            Notice::UnknownTransferEncoding(value) => format!("coding {}", value.escape_ascii()),
            other => format!("{other:?}"),
        });
    }
}

/// Plays `bytes`, then the close of the connection, in pieces. `next` gives the
/// length of the next piece (0 counts as 1) and whether to drop body bytes unread
/// where that is allowed.
pub(crate) fn replay(
    bytes: &[u8],
    head_request: bool,
    next: impl FnMut() -> (usize, bool),
) -> Outcome {
    replay_to(Heard::default(), bytes, head_request, next)
}

fn replay_to(
    mut heard: Heard,
    bytes: &[u8],
    head_request: bool,
    mut next: impl FnMut() -> (usize, bool),
) -> Outcome {
    let mut reader = TolerantReader::new(head_request);
    let mut unread = bytes;
    let mut dropped = 0;
    let end = loop {
        if unread.is_empty() {
            break match reader.end_of_stream() {
                Ok(()) => End::Closed,
                Err(cut) => End::Cut(cut),
            };
        }
        let (length, drop) = next();
        let (piece, after) = unread.split_at(length.clamp(1, unread.len()));
        if drop && reader.discardable() > 0 {
            let length = reader.discardable().min(piece.len() as u64);
            // Heard by the harness alone, so that outcomes can be compared.
            heard.body.extend_from_slice(&piece[..length as usize]);
            unread = &unread[length as usize..];
            dropped += length;
            if reader.discarded(length) == Progress::Done {
                break End::Complete;
            }
            continue;
        }
        match reader.advance(piece, &mut heard) {
            Ok((taken, Progress::Done)) => {
                unread = &unread[taken..];
                break End::Complete;
            }
            Ok((taken, Progress::More)) => {
                assert_eq!(taken, piece.len(), "bytes were left with the caller");
                let kept = reader.unfinished.kept.len();
                assert!(heard.whole_lines || kept <= LINE_KEPT, "too much is kept");
                assert_eq!(reader.advance(b"", &mut heard), Ok((0, Progress::More)));
                unread = after;
            }
            Err(broken) => {
                assert_eq!(reader.advance(b"0\r\n\r\n", &mut heard), Err(broken));
                break End::Broken(broken);
            }
        }
    };
    let mut consumed = bytes.len() - unread.len();
    match end {
        End::Broken(_) => consumed = 0,
        End::Complete | End::Closed => {
            assert_eq!(reader.discardable(), 0);
            assert_eq!(reader.advance(b"HTTP/1.1 200 OK\r\n", &mut heard), Ok((0, Progress::Done)));
            assert_eq!(reader.end_of_stream(), Ok(()));
            assert!(reader.begun);
        }
        End::Cut(_) => {}
    }
    let sizes = reader.sizes;
    assert_eq!(sizes.content, heard.body.len() as u64, "content is what was handed out");
    assert!(dropped <= sizes.content && sizes.header + sizes.footer <= bytes.len() as u64);
    Outcome { end, consumed, status: reader.status(), begun: reader.begun, sizes, heard }
}

/// Plays `bytes` in one piece.
pub(crate) fn whole(bytes: &[u8], head_request: bool) -> Outcome {
    replay(bytes, head_request, || (usize::MAX, false))
}

/// Checks that all ways to play `bytes` agree: in one piece, byte by byte, and in
/// pieces of `lengths` (over and over), with and without dropping.
pub(crate) fn check_splits(bytes: &[u8], head_request: bool, lengths: &[usize]) -> Outcome {
    let expected = whole(bytes, head_request);
    let mut turn = 0;
    let mut cycle = |drop: fn(usize) -> bool| {
        turn += 1;
        (lengths.get(turn % lengths.len().max(1)).copied().unwrap_or(1), drop(turn))
    };
    assert_eq!(replay(bytes, head_request, || cycle(|_| false)), expected);
    assert_eq!(replay(bytes, head_request, || cycle(|_| true)), expected);
    assert_eq!(replay(bytes, head_request, || cycle(|turn| turn % 3 == 1)), expected);
    if bytes.len() <= 4096 {
        assert_eq!(replay(bytes, head_request, || (1, false)), expected);
        assert_eq!(replay(bytes, head_request, || (1, true)), expected);
    }
    check_whole_lines(bytes, head_request, &expected, || cycle(|_| false));
    assert_eq!(expected.begun, expected.sizes.header > 0 && !expected.heard.lines.is_empty());
    if expected.end == End::Complete {
        check_end(bytes, head_request, &expected);
    }
    expected
}

/// Checks that who takes lines as long as they are hears the same otherwise, and every
/// byte of the head, however it is split.
fn check_whole_lines(
    bytes: &[u8],
    head_request: bool,
    expected: &Outcome,
    next: impl FnMut() -> (usize, bool),
) {
    let taker = || Heard { whole_lines: true, ..Heard::default() };
    let mut outcome = replay_to(taker(), bytes, head_request, || (usize::MAX, false));
    assert_eq!(replay_to(taker(), bytes, head_request, next), outcome);
    let length: usize = outcome.heard.lines.iter().map(|line| line.len() + 1).sum();
    if outcome.begun {
        assert_eq!(length as u64, outcome.sizes.header, "a byte of the head is missing");
    }
    for line in &mut outcome.heard.lines {
        line.truncate(LINE_KEPT);
    }
    outcome.heard.whole_lines = false;
    assert_eq!(outcome, *expected);
}

/// Checks that the end of a complete reply does not depend on what follows it, and
/// that no shorter prefix is complete.
fn check_end(bytes: &[u8], head_request: bool, expected: &Outcome) {
    let reply = &bytes[..expected.consumed];
    assert_eq!(whole(reply, head_request), *expected);
    for tail in [b"\r\n\r\n".as_slice(), b" fold\r\n", b"HTTP/1.1 404 Not Found\r\n\r\n", b"0"] {
        assert_eq!(whole(&[reply, tail].concat(), head_request), *expected);
    }
    let shorter = whole(&reply[..reply.len() - 1], head_request);
    assert!(matches!(shorter.end, End::Cut(_)), "complete one byte early: {shorter:?}");
}
