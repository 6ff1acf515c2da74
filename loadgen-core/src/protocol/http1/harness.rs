//! Feeds the parser as the engine does, and checks what must hold for any bytes.
//! Shared by the property tests and the fuzz target; a broken promise panics.

use super::error::ProtocolError;
use super::{KnownHead, ReplyParser};
use crate::protocol::{Progress, Truncated};

/// How a reply ended, and all that the engine can know of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) end: End,
    /// Bytes consumed or dropped; not compared after an error.
    pub(crate) consumed: usize,
    pub(crate) status: u16,
    pub(crate) in_head: bool,
    pub(crate) keep_alive: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// By its own bytes.
    Complete,
    /// Because the server closed.
    Closed,
    Failed(ProtocolError),
    Cut(Truncated),
}

/// Plays `bytes`, then the close of the connection, in pieces. `next` gives the
/// length of the next piece (0 counts as 1) and whether to drop body bytes unread
/// where that is allowed.
pub(crate) fn replay(
    bytes: &[u8],
    head_request: bool,
    mut next: impl FnMut() -> (usize, bool),
) -> Outcome {
    let mut parser = ReplyParser::new(head_request);
    let mut kept = Vec::new();
    let mut unread = bytes;
    let mut consumed = 0;
    let end = loop {
        if unread.is_empty() {
            break match parser.end_of_stream() {
                Ok(()) => End::Closed,
                Err(cut) => End::Cut(cut),
            };
        }
        let (length, drop) = next();
        let (piece, after) = unread.split_at(length.clamp(1, unread.len()));
        if drop && parser.discardable() > 0 {
            assert!(kept.is_empty(), "bytes of the body were left with the caller");
            let length = parser.discardable().min(piece.len() as u64);
            consumed += length as usize;
            unread = &unread[length as usize..];
            if parser.discarded(length) == Progress::Done {
                break End::Complete;
            }
            continue;
        }
        unread = after;
        kept.extend_from_slice(piece);
        match parser.advance(&kept) {
            Ok((taken, progress)) => {
                assert!(taken <= kept.len(), "consumed more than there was");
                consumed += taken;
                kept.drain(..taken);
                if progress == Progress::Done {
                    break End::Complete;
                }
                assert!(kept.len() < 64 * 1024, "too much is left with the caller");
                assert!(parser.discardable() == 0 || kept.is_empty(), "unused bytes of the body");
                // Nothing changes until there are more bytes.
                assert_eq!(parser.advance(&kept), Ok((0, Progress::More)));
            }
            Err(error) => {
                consumed = 0;
                break End::Failed(error);
            }
        }
    };
    if end == End::Complete {
        assert_eq!(parser.discardable(), 0);
        assert_eq!(parser.advance(b"HTTP/1.1 200 OK\r\n"), Ok((0, Progress::Done)));
        assert_eq!(parser.end_of_stream(), Ok(()));
    }
    Outcome {
        end,
        consumed,
        status: parser.status(),
        in_head: parser.in_head(),
        keep_alive: parser.keep_alive(),
    }
}

/// Plays `bytes` in one piece.
pub(crate) fn whole(bytes: &[u8], head_request: bool) -> Outcome {
    replay(bytes, head_request, || (usize::MAX, false))
}

/// A known head changes nothing: not the first time, not when the same bytes or
/// fewer of them come again.
fn check_known_head(bytes: &[u8], head_request: bool) {
    let mut known = KnownHead::default();
    for end in [bytes.len(), bytes.len(), bytes.len() / 2, bytes.len().saturating_sub(1)] {
        let (mut plain, mut quick) =
            (ReplyParser::new(head_request), ReplyParser::new(head_request));
        let piece = &bytes[..end];
        let outcome = plain.advance(piece);
        assert_eq!(known.advance(&mut quick, piece), outcome, "a known head changes the outcome");
        assert!(outcome.is_err() || quick == plain, "a known head leaves another state");
    }
}

/// Checks that all ways to play `bytes` agree: in one piece, byte by byte, and in
/// pieces of `lengths` (over and over), with and without dropping.
pub(crate) fn check_splits(bytes: &[u8], head_request: bool, lengths: &[usize]) -> Outcome {
    check_known_head(bytes, head_request);
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
    assert!(expected.status == 0 || (100..=999).contains(&expected.status));
    if expected.end == End::Complete {
        check_end(bytes, head_request, expected);
    }
    expected
}

/// Checks that the end of a complete reply does not depend on what follows it, and
/// that no shorter prefix is complete.
fn check_end(bytes: &[u8], head_request: bool, expected: Outcome) {
    let reply = &bytes[..expected.consumed];
    assert_eq!(whole(reply, head_request), expected);
    for tail in [b"\r\n\r\n".as_slice(), b" fold\r\n", b"HTTP/1.1 404 Not Found\r\n\r\n", b"0"] {
        assert_eq!(whole(&[reply, tail].concat(), head_request), expected);
    }
    let shorter = whole(&reply[..reply.len() - 1], head_request);
    assert!(matches!(shorter.end, End::Cut(_)), "complete one byte early: {shorter:?}");
    assert!(!shorter.keep_alive);
}

/// Checks against httparse: a head that it takes, we take too, with the same
/// length and status.
pub(crate) fn check_oracle(bytes: &[u8]) {
    let mut fields = [httparse::EMPTY_HEADER; 256];
    let mut reply = httparse::Response::new(&mut fields);
    let Ok(httparse::Status::Complete(length)) = reply.parse(bytes) else { return };
    let Some(status) = reply.code else { return };
    // httparse takes statuses from 000 on, and heads of any length; interim heads
    // do not end a reply.
    if status < 200 || length > 64 * 1024 {
        return;
    }
    // Without a body the reply ends with the head.
    let ours = whole(bytes, true);
    assert_eq!((ours.end, ours.consumed, ours.status), (End::Complete, length, status));
}
