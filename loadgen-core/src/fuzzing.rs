//! Private parts for fuzz targets and benches, behind the feature `fuzzing`. Not
//! part of the API: it changes without notice.

use crate::http1::{Progress, ReplyParser, harness};

/// Checks the reply parser with bytes of a fuzzer: the lowest bit of the first says
/// whether the call was a HEAD, the next three say how many of the following
/// bytes are lengths of pieces, and the rest is the reply.
///
/// # Panics
///
/// The parser broke a promise.
pub fn check_reply(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else { return };
    let Some((lengths, reply)) = data.split_at_checked(usize::from(choice >> 1 & 7)) else {
        return;
    };
    let lengths: Vec<usize> = lengths.iter().map(|length| usize::from(*length)).collect();
    harness::check_splits(reply, choice & 1 == 1, &lengths);
    harness::check_oracle(reply);
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
