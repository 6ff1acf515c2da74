//! Private parts for fuzz targets and benches, behind the feature `fuzzing`. Not
//! part of the API: it changes without notice.

use crate::http1::{Progress, ReplyParser, harness, tolerant};

/// Checks the reply parser with bytes of a fuzzer: the lowest bit of the first says
/// whether the call was a HEAD, the next three say how many of the following
/// bytes are lengths of pieces, and the rest is the reply.
///
/// # Panics
///
/// The parser broke a promise.
pub fn check_reply(data: &[u8]) {
    let Some((reply, head_request, lengths)) = choices(data) else { return };
    harness::check_splits(reply, head_request, &lengths);
    harness::check_oracle(reply);
}

/// Checks the reply reader of sessions with the same bytes as [`check_reply`].
///
/// # Panics
///
/// The reader broke a promise.
pub fn check_tolerant(data: &[u8]) {
    let Some((reply, head_request, lengths)) = choices(data) else { return };
    tolerant::harness::check_splits(reply, head_request, &lengths);
}

/// The reply, whether it answers a HEAD, and the lengths of pieces.
fn choices(data: &[u8]) -> Option<(&[u8], bool, Vec<usize>)> {
    let (choice, data) = data.split_first()?;
    let (lengths, reply) = data.split_at_checked(usize::from(choice >> 1 & 7))?;
    let lengths = lengths.iter().map(|length| usize::from(*length)).collect();
    Some((reply, choice & 1 == 1, lengths))
}

/// Parses one reply in one piece: its length and status if it is complete.
#[must_use]
#[inline]
pub fn parse_reply(bytes: &[u8]) -> Option<(usize, u16)> {
    let mut parser = ReplyParser::new(false);
    match parser.advance(bytes) {
        Ok((length, Progress::Done)) => Some((length, parser.status())),
        _ => None,
    }
}
