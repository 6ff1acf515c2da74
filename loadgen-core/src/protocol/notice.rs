//! What is told of a reply beside its outcome: its sizes, and what is odd about it.

use serde::{Deserialize, Serialize};

/// The bytes of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReplySizes {
    /// Status line and header lines with their line ends and the empty line.
    pub header: u64,
    /// The body without the framing of chunks.
    pub content: u64,
    /// Trailer lines of a chunked reply with the empty line.
    pub footer: u64,
}

/// Something that a person should know of, of a reply or of what is done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice<'a> {
    /// A reply does not begin like one of HTTP; it is taken for one of status 599.
    BadStatusLine(&'a [u8]),
    /// A status below 100 or above 599.
    BadStatus(u32),
    /// A transfer coding other than chunked, which is ignored.
    UnknownTransferEncoding(&'a [u8]),
    /// A line in place of a chunk's size, which is skipped.
    BadChunkLine(&'a [u8]),
    /// A line of a head was cut: its length and what was kept of it, in bytes.
    LongLine(u64, u64),
    /// A cookie was cut to this many bytes.
    LongCookie(usize),
    /// A page refers to an object on another server.
    ForeignUri(&'a [u8]),
    /// A connection failed with an error of the kernel that has no class of its
    /// own: its number. Told once a run.
    UnexpectedError(i32),
}
