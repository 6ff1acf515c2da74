//! What can be wrong with the bytes of a reply.

/// Why bytes are not an HTTP/1.x reply. The connection is of no further use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub(crate) enum ProtocolError {
    /// Not `HTTP/1.0` or `HTTP/1.1`, or no status of three digits.
    #[error("the reply does not start with an HTTP/1.0 or HTTP/1.1 status line")]
    BadStatusLine,
    /// A line of the head without a name and colon.
    #[error("a line of the reply's head is not a field")]
    BadHeader,
    /// The head does not end within 64 KiB.
    #[error("the reply's head is longer than 64 KiB")]
    HeadTooLarge,
    /// A content length that is not a number below 2^64.
    #[error("the reply's Content-Length is not a number")]
    BadContentLength,
    /// Content lengths that differ.
    #[error("the reply has two different values of Content-Length")]
    ConflictingLengths,
    /// A chunk does not start with its size in hex, or does not end with a line
    /// end.
    #[error("the reply's body is not properly chunked")]
    BadChunk,
    /// The line before a chunk is longer than 4 KiB.
    #[error("the extensions of a chunk are longer than 4 KiB")]
    ChunkLineTooLarge,
    /// A line of the trailers without a name and colon.
    #[error("a line of the reply's trailers is not a field")]
    BadTrailer,
    /// The trailers do not end within 64 KiB.
    #[error("the reply's trailers are longer than 64 KiB")]
    TrailersTooLarge,
    /// 101: the server left HTTP without being asked.
    #[error("the server switched protocols without being asked (status 101)")]
    Upgraded,
    /// More than 100 replies with a status of 1xx.
    #[error("more than 100 interim replies came before the final one")]
    TooManyInterim,
}
