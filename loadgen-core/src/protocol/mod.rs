//! What is spoken on a connection, without input or output of its own: bytes in, progress
//! out.
//!
//! A worker is made for one [`Protocol`]. Another one is a folder beside `http1`, with a
//! type that implements the trait, and an arm where the engine chooses the worker's.

pub(crate) mod http1;
mod notice;

pub use notice::{Notice, ReplySizes};

/// Whether a reply is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// More bytes belong to it, or the server has yet to close.
    More,
    /// It is complete.
    Done,
}

/// How far a reply had come when the server closed too early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Truncated {
    /// Not one byte had come: an idle connection may just have been closed.
    BeforeHead,
    /// Within the head, or between an interim reply and the final one.
    InHead,
    /// Within a body whose end had not come.
    InBody,
}

/// The bytes are no reply of the protocol. The connection is of no further use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotAReply;

/// Takes what a reply consists of. Every method does nothing unless implemented.
#[allow(unused_variables)]
pub(crate) trait Sink {
    /// Whether the body is to be handed out, of a protocol that may leave it out.
    const TAKES_BODY: bool = false;

    /// Whether lines are handed out as long as they are: for printing. Otherwise they may
    /// be cut.
    fn takes_whole_lines(&self) -> bool {
        false
    }

    /// The status line or a header line of the final reply without its line feed, but
    /// with a carriage return before that. The empty line that ends the head is one of
    /// them.
    fn line(&mut self, line: &[u8]) {}

    /// Bytes of the body, without the framing of chunks.
    fn body(&mut self, bytes: &[u8]) {}

    /// Something that a person should know of.
    fn notice(&mut self, notice: Notice<'_>) {}
}

/// Wants nothing but the outcome.
impl Sink for () {}

/// What the connections of one worker know together of the heads that their server sends.
pub(crate) trait Heads: Default + Send {
    /// The length of the usual head, if at least `large` bytes that may be dropped follow
    /// it: reading so much of a fresh reply leaves them all to be dropped unread.
    fn before_large_body(&self, large: u64) -> Option<usize>;

    /// Whether a head was read, not only recognised, since this was last asked.
    fn is_new(&mut self) -> bool;

    /// The seconds since 1970 that the `Date` of that head names.
    fn date_s(&self) -> Option<i64>;

    /// Makes the next head a new one, though it is the same.
    fn forget(&mut self);
}

/// The state of the reply that a connection waits for. Replies come in the order of their
/// requests; each is begun with [`Protocol::reply_to`].
pub(crate) trait Protocol: Sized + Send + 'static {
    /// What the connections of a worker share.
    type Heads: Heads;

    /// Ready for a reply; `is_head` says that it answers a HEAD, and so has no body.
    fn reply_to(is_head: bool) -> Self;

    /// Takes bytes; says how many it consumed and whether the reply is complete. Bytes not
    /// consumed with [`Progress::More`] must come again, with more behind them; with
    /// [`Progress::Done`] they do not belong to this reply.
    ///
    /// # Errors
    ///
    /// What came is no such reply; no further call makes sense.
    fn advance<S: Sink>(
        &mut self,
        heads: &mut Self::Heads,
        bytes: &[u8],
        sink: &mut S,
    ) -> Result<(usize, Progress), NotAReply>;

    /// The server closed. That completes a body without another end.
    ///
    /// # Errors
    ///
    /// The reply is not complete: where it was cut.
    fn end_of_stream(&mut self) -> Result<(), Truncated>;

    /// Bytes of the body that come next whatever they are, and so may be dropped unread;
    /// `u64::MAX` for a body that ends where the server closes. Above 0 only after
    /// [`Protocol::advance`] consumed all that it was given.
    fn droppable(&self) -> u64;

    /// Takes note that `bytes`, at most [`Protocol::droppable`], were dropped.
    fn dropped(&mut self, bytes: u64) -> Progress;

    /// Whether no byte of the reply has come yet, so far as it knows.
    fn is_fresh(&self) -> bool;

    /// Whether the reply's status is known.
    fn has_status(&self) -> bool;

    /// The status of the final reply; 0 until it is known.
    fn status(&self) -> u32;

    /// Whether the connection may carry another call after this reply, as far as the reply
    /// tells; false until it is complete.
    fn keep_alive(&self) -> bool;

    /// The bytes of the reply so far, of a protocol that tells them apart.
    fn sizes(&self) -> Option<ReplySizes>;
}
