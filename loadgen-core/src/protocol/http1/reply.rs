//! The reply parser: the state of one reply between reads.
//!
//! It holds no bytes. What it cannot use yet (an unfinished line) stays with the
//! caller and comes again with what follows. Invariants:
//!
//! - The outcome does not depend on how the bytes are split.
//! - No byte behind the end of the reply is consumed.
//! - Every byte is looked at a bounded number of times, and fewer than
//!   [`HEAD_LIMIT`] bytes are ever left with the caller, so that a buffer of this
//!   size always has room for more.
//!
//! Where RFC 9112 leaves a choice: line ends may be bare line feeds, empty lines
//! before the status line are skipped (as httparse and llhttp do), folded fields
//! are read as one line, space before a colon is refused, a status below 100 is
//! refused and one above 599 is reported as it is. The content of fields that do
//! not concern framing is not looked at. Replies to CONNECT and upgrades are not
//! supported: no call asks for them.

mod body;

use super::error::ProtocolError;
use super::framing::{Body, Framing};
use super::lines::{Line, Looked};
use super::scan;
use crate::protocol::{Progress, Sink, Truncated};

/// Most bytes of one head, from the status line to the empty line; also of all
/// trailers of one reply.
const HEAD_LIMIT: usize = 64 * 1024;
/// Most 1xx replies before the final one.
const INTERIM_LIMIT: u8 = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    StatusLine,
    Fields,
    /// `remaining` bytes to come, at least 1.
    Fixed,
    UntilClose,
    ChunkLine,
    /// `remaining` bytes of the chunk to come, at least 1.
    ChunkData,
    /// The line end after the data of a chunk.
    ChunkEnd,
    Trailers,
    Done,
}

/// The state of one reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReplyParser {
    framing: Framing,
    /// Bytes of the body, or of the chunk, to come.
    remaining: u64,
    looked: Looked,
    /// Bytes of this head, or of the trailers, that are consumed.
    consumed: u32,
    status: u16,
    /// 1xx replies before this one.
    interim: u8,
    state: State,
    head_request: bool,
}

// Every connection holds one, and 10,000 idle ones are to be cheap.
const _: () = assert!(size_of::<ReplyParser>() <= 48);

impl ReplyParser {
    /// Ready for a reply; `head_request` says that it answers a HEAD, and so has
    /// no body.
    #[inline]
    pub(crate) fn new(head_request: bool) -> Self {
        Self {
            framing: Framing::default(),
            remaining: 0,
            looked: Looked::default(),
            consumed: 0,
            status: 0,
            interim: 0,
            state: State::StatusLine,
            head_request,
        }
    }

    /// Takes bytes; says how many it consumed and whether the reply is complete.
    /// Bytes not consumed with [`Progress::More`] are an unfinished line and must
    /// come again, with more behind them. Bytes not consumed with
    /// [`Progress::Done`] do not belong to this reply.
    ///
    /// # Errors
    ///
    /// The bytes are no HTTP/1.x reply; no further call makes sense.
    #[inline]
    pub(crate) fn advance(&mut self, buffer: &[u8]) -> Result<(usize, Progress), ProtocolError> {
        self.advance_telling(buffer, &mut ())
    }

    /// The same, and hands out the bytes of the body, without the framing of chunks.
    ///
    /// # Errors
    ///
    /// As [`advance`](Self::advance).
    #[inline]
    pub(super) fn advance_telling<S: Sink>(
        &mut self,
        buffer: &[u8],
        sink: &mut S,
    ) -> Result<(usize, Progress), ProtocolError> {
        let mut taken = if self.in_head() { self.advance_head(buffer)? } else { 0 };
        loop {
            let rest = buffer.get(taken..).unwrap_or_default();
            let step = match self.state {
                // The head takes what it can use.
                State::StatusLine | State::Fields => None,
                State::Fixed | State::ChunkData => {
                    let length = self.data(rest);
                    sink.body(&rest[..length.unwrap_or(0)]);
                    length
                }
                State::UntilClose => {
                    sink.body(rest);
                    return Ok((buffer.len(), Progress::More));
                }
                State::ChunkLine => self.chunk_line(rest)?,
                State::ChunkEnd => self.chunk_end(rest)?,
                State::Trailers => self.trailers(rest)?,
                State::Done => return Ok((taken, Progress::Done)),
            };
            match step {
                Some(length) => taken += length,
                None => return Ok((taken, Progress::More)),
            }
        }
    }

    /// Takes the bytes that belong to the head (and to interim replies before it),
    /// as far as they are there; says how many. Whether it is complete tells
    /// [`in_head`](Self::in_head).
    ///
    /// # Errors
    ///
    /// As [`advance`](Self::advance).
    #[inline]
    pub(super) fn advance_head(&mut self, buffer: &[u8]) -> Result<usize, ProtocolError> {
        let mut taken = 0;
        loop {
            let rest = buffer.get(taken..).unwrap_or_default();
            let step = match self.state {
                State::StatusLine => self.status_line(rest)?,
                State::Fields => self.fields(rest)?,
                _ => None,
            };
            match step {
                Some(length) => taken += length,
                None => return Ok(taken),
            }
        }
    }

    /// Whether no byte of a reply has come yet.
    #[inline]
    pub(crate) fn is_fresh(&self) -> bool {
        self.state == State::StatusLine
            && self.consumed == 0
            && self.interim == 0
            && self.looked == Looked::default()
    }

    /// Whether both read the reply to the same kind of request.
    #[inline]
    pub(super) fn answers_alike(&self, other: &Self) -> bool {
        self.head_request == other.head_request
    }

    /// The server closed. That completes a body without another end.
    ///
    /// # Errors
    ///
    /// The reply is not complete: where it was cut.
    pub(crate) fn end_of_stream(&mut self) -> Result<(), Truncated> {
        match self.state {
            State::Done => Ok(()),
            State::UntilClose => {
                self.state = State::Done;
                Ok(())
            }
            State::StatusLine
                if self.interim == 0 && self.consumed == 0 && self.looked.until == 0 =>
            {
                Err(Truncated::BeforeHead)
            }
            State::StatusLine | State::Fields => Err(Truncated::InHead),
            _ => Err(Truncated::InBody),
        }
    }

    /// Bytes of the body that come next whatever they are, and so may be dropped
    /// unread; `u64::MAX` for a body that ends where the server closes. Above 0
    /// only after [`advance`](Self::advance) consumed all that it was given.
    #[inline]
    pub(crate) fn discardable(&self) -> u64 {
        match self.state {
            State::Fixed | State::ChunkData => self.remaining,
            State::UntilClose => u64::MAX,
            _ => 0,
        }
    }

    /// Takes note that `length` bytes, at most [`discardable`](Self::discardable),
    /// were dropped.
    pub(crate) fn discarded(&mut self, length: u64) -> Progress {
        debug_assert!(length <= self.discardable(), "dropped bytes that are not of the body");
        if matches!(self.state, State::Fixed | State::ChunkData) {
            self.skip(length);
        }
        if self.state == State::Done { Progress::Done } else { Progress::More }
    }

    /// The status of the final reply; 0 until its head is complete.
    #[inline]
    pub(crate) fn status(&self) -> u16 {
        if self.in_head() { 0 } else { self.status }
    }

    /// Whether the head of the final reply is not yet complete.
    #[inline]
    pub(crate) fn in_head(&self) -> bool {
        matches!(self.state, State::StatusLine | State::Fields)
    }

    /// Whether the connection may carry another call after this reply; false
    /// until the reply is complete.
    #[inline]
    pub(crate) fn keep_alive(&self) -> bool {
        let body_needs_close =
            || !self.is_bodyless() && matches!(self.framing.body(), Ok(Body::UntilClose) | Err(_));
        self.state == State::Done
            && self.framing.persists()
            && !self.framing.is_suspect()
            && !body_needs_close()
    }

    /// Whether the reply ends with its head, whatever its fields say
    /// (RFC 9112 §6.3, rule 1).
    fn is_bodyless(&self) -> bool {
        self.head_request || matches!(self.status, 100..=199 | 204 | 304)
    }

    /// What of `rest` is within the limit of this head or these trailers, and
    /// whether the limit is reached: then a line that is not finished is too long.
    /// What lies behind is not looked at, so that the outcome is the same for all
    /// splits.
    #[inline]
    fn within_limit<'a>(&self, rest: &'a [u8]) -> (&'a [u8], bool) {
        match rest.get(..HEAD_LIMIT - self.consumed as usize) {
            Some(within) => (within, true),
            None => (rest, false),
        }
    }

    #[inline]
    fn status_line(&mut self, rest: &[u8]) -> Result<Option<usize>, ProtocolError> {
        let (line, full) = self.within_limit(rest);
        let empty = match line {
            [b'\n', ..] => 1,
            [b'\r', b'\n', ..] => 2,
            _ => 0,
        };
        if empty > 0 {
            self.looked = Looked::default();
            self.consumed += empty;
            return Ok(Some(empty as usize));
        }
        check_status_line(line)?;
        // Nothing before place 12 can be a line feed now.
        let Some(feed) = scan::line_feed(line, 12.max(self.looked.until as usize)) else {
            if full {
                return Err(ProtocolError::HeadTooLarge);
            }
            self.looked.until = line.len() as u32;
            return Ok(None);
        };
        if let Some([version, _, hundreds, tens, ones]) = line.get(7..12) {
            let digit = |byte: &u8| u16::from(byte - b'0');
            self.framing = Framing::new(*version == b'0');
            self.status = 100 * digit(hundreds) + 10 * digit(tens) + digit(ones);
        }
        self.looked = Looked::default();
        self.consumed += feed as u32 + 1;
        self.state = State::Fields;
        Ok(Some(feed + 1))
    }

    #[inline]
    fn fields(&mut self, rest: &[u8]) -> Result<Option<usize>, ProtocolError> {
        let (head, full) = self.within_limit(rest);
        let mut at = 0;
        loop {
            let line = head.get(at..).unwrap_or_default();
            match self.looked.field_line(line) {
                Line::Field { length, colon } => {
                    if let (Some(name), Some(value)) =
                        (line.get(..colon), line.get(colon + 1..length))
                    {
                        self.framing.field(name, value);
                    }
                    at += length;
                }
                Line::Empty(length) => {
                    self.head_complete()?;
                    return Ok(Some(at + length));
                }
                Line::Unfinished if full => return Err(ProtocolError::HeadTooLarge),
                Line::Unfinished => {
                    self.consumed += at as u32;
                    return Ok((at > 0).then_some(at));
                }
                Line::Bad => return Err(ProtocolError::BadHeader),
            }
        }
    }

    /// The empty line came: the reply is interim, complete, or has a body.
    #[inline]
    fn head_complete(&mut self) -> Result<(), ProtocolError> {
        self.consumed = 0;
        self.state = match self.status {
            101 => return Err(ProtocolError::Upgraded),
            100..=199 if self.interim == INTERIM_LIMIT => {
                return Err(ProtocolError::TooManyInterim);
            }
            100..=199 => {
                self.interim += 1;
                State::StatusLine
            }
            _ if self.is_bodyless() => State::Done,
            _ => match self.framing.body()? {
                Body::Length(0) => State::Done,
                Body::Length(length) => {
                    self.remaining = length;
                    State::Fixed
                }
                Body::Chunked => State::ChunkLine,
                Body::UntilClose => State::UntilClose,
            },
        };
        Ok(())
    }
}

/// Whether the bytes may be the start of a status line. Each byte is judged as
/// soon as it is there, so that a server that speaks something else is found out
/// at once, not when the time limit ends.
#[inline]
fn check_status_line(line: &[u8]) -> Result<(), ProtocolError> {
    if let Some(start) = line.first_chunk::<13>() {
        let known = start.starts_with(b"HTTP/1.")
            && matches!(start[7], b'0' | b'1')
            && start[8] == b' '
            && matches!(start[9], b'1'..=b'9')
            && start[10].is_ascii_digit()
            && start[11].is_ascii_digit();
        let reason_or_end = match start[12] {
            b' ' | b'\n' => true,
            b'\r' => line.get(13).is_none_or(|byte| *byte == b'\n'),
            _ => false,
        };
        return if known && reason_or_end { Ok(()) } else { Err(ProtocolError::BadStatusLine) };
    }
    let fits = |(place, byte): (usize, &u8)| match place {
        0..=6 => b"HTTP/1."[place] == *byte,
        7 => matches!(byte, b'0' | b'1'),
        8 => *byte == b' ',
        9 => matches!(byte, b'1'..=b'9'),
        _ => byte.is_ascii_digit(),
    };
    // A lone carriage return may be half of an empty line.
    if line == b"\r" || line.iter().enumerate().all(fits) {
        Ok(())
    } else {
        Err(ProtocolError::BadStatusLine)
    }
}
