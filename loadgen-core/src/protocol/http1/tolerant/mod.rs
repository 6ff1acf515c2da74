//! The reply reader of sessions: it takes replies as httperf does, counts their
//! bytes by kind and hands out their lines and body.
//!
//! Where the strict parser ([`ReplyParser`](super::ReplyParser)) refuses a reply,
//! this one reads on: a person who compares figures of two tools wants the same
//! replies counted by both. It differs from httperf where that would make the
//! figures wrong: interim replies are skipped, a body that is shorter than its
//! length is no success, and no bytes of a reply abort the run. Invariants:
//!
//! - The outcome does not depend on how the bytes are split.
//! - No byte behind the end of the reply is consumed.
//! - At most [`LINE_KEPT`] bytes are kept, and only while a line is split across
//!   reads; 1 MiB where a [`Sink`] takes whole lines.
//!
//! Sessions do not look at `Connection` lines, as httperf does not: they find out a
//! server that closes by its closing. Folded lines are separate lines.

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod harness;
mod line;
#[cfg(test)]
mod properties;
mod spoken;
mod sscanf;
#[cfg(test)]
mod tests;

use std::mem;

use super::scan;
use crate::protocol::{Notice, Progress, ReplySizes, Sink, Truncated};
use line::{Line, Room, Unfinished};

/// Most bytes of a line that are looked at.
pub(crate) const LINE_KEPT: usize = 1023;
/// What a person is told that is kept of a line, and from which length with its
/// line end on: what httperf says.
const LINE_SAID: u64 = LINE_KEPT as u64 + 1;
/// Most bytes of lines in a row: of a head, between two chunks, of trailers.
const LINES_LIMIT: usize = 1 << 20;
/// Most lines of one reply that stand in place of a chunk's size.
const BAD_CHUNK_LINES: u8 = 100;
/// Most 1xx replies before the final one.
const INTERIM_LIMIT: u8 = 100;
/// The status of a reply that does not begin with a status line.
const ASSUMED_STATUS: u32 = 599;

/// Why a reply is given up although nearly all is tolerated: reading on would be
/// work without end. The connection is of no further use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub(crate) enum Broken {
    /// A head, the lines between two chunks, or trailers do not end.
    #[error("more than 1 MiB of lines came where the reply's head, chunk or trailers should end")]
    EndlessLines,
    /// More than 100 lines in place of a chunk's size.
    #[error("more than 100 lines of the reply's body are not the size of a chunk")]
    BadChunkLines,
    /// More than 100 replies with a status of 1xx.
    #[error("more than 100 interim replies came before the final one")]
    TooManyInterim,
}

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
    Trailers,
    Done,
    Broken(Broken),
}

/// The state of one reply.
#[derive(Debug)]
pub(crate) struct TolerantReader {
    unfinished: Unfinished,
    sizes: ReplySizes,
    /// Bytes of the body, or of the chunk, to come.
    remaining: u64,
    /// What `Content-Length` said.
    length: Option<u64>,
    /// Bytes of lines since the head, a chunk or the trailers began.
    lines: u32,
    status: u32,
    bad_chunk_lines: u8,
    /// 1xx replies before this one.
    interim: u8,
    state: State,
    chunked: bool,
    begun: bool,
    head_request: bool,
    /// The server closes after it.
    closes: bool,
}

// Every call in flight holds one.
const _: () = assert!(size_of::<TolerantReader>() <= 104);

impl TolerantReader {
    /// Ready for a reply; `head_request` says that it answers a HEAD, and so has
    /// no body.
    pub(crate) fn new(head_request: bool) -> Self {
        Self {
            unfinished: Unfinished::default(),
            sizes: ReplySizes::default(),
            remaining: 0,
            length: None,
            lines: 0,
            status: 0,
            bad_chunk_lines: 0,
            interim: 0,
            state: State::StatusLine,
            chunked: false,
            begun: false,
            head_request,
            closes: false,
        }
    }

    /// Takes bytes; says how many it consumed and whether the reply is complete.
    /// With [`Progress::More`] that is all of them. With [`Progress::Done`] the
    /// rest does not belong to this reply.
    ///
    /// # Errors
    ///
    /// The reply is given up; every further call says the same.
    pub(crate) fn advance<S: Sink + ?Sized>(
        &mut self,
        buffer: &[u8],
        sink: &mut S,
    ) -> Result<(usize, Progress), Broken> {
        let mut taken = 0;
        loop {
            let rest = buffer.get(taken..).unwrap_or_default();
            let step = match self.state {
                State::Done => return Ok((taken, Progress::Done)),
                State::Broken(why) => return Err(why),
                State::Fixed | State::ChunkData | State::UntilClose => self.data(rest, sink),
                _ => self.line(rest, sink),
            };
            match step {
                Some(length) => taken += length,
                None => return Ok((buffer.len(), Progress::More)),
            }
        }
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
                self.closes = true;
                Ok(())
            }
            State::StatusLine if self.interim == 0 && self.lines == 0 => Err(Truncated::BeforeHead),
            State::StatusLine | State::Fields => Err(Truncated::InHead),
            // A reply that was given up, too: nobody asks after that.
            _ => Err(Truncated::InBody),
        }
    }

    /// Bytes of the body that come next whatever they are, and so may be dropped
    /// unread; `u64::MAX` for a body that ends where the server closes. Above 0
    /// only after [`advance`](Self::advance) consumed all that it was given.
    pub(crate) fn discardable(&self) -> u64 {
        match self.state {
            State::Fixed | State::ChunkData => self.remaining,
            State::UntilClose => u64::MAX,
            _ => 0,
        }
    }

    /// Takes note that `length` bytes, at most [`discardable`](Self::discardable),
    /// were dropped. They count as content.
    pub(crate) fn discarded(&mut self, length: u64) -> Progress {
        debug_assert!(length <= self.discardable(), "dropped bytes that are not of the body");
        self.pass(length.min(self.discardable()));
        if self.state == State::Done { Progress::Done } else { Progress::More }
    }

    /// The status of the final reply, of any value; 0 until it is
    /// known.
    pub(crate) fn status(&self) -> u32 {
        if self.begun { self.status } else { 0 }
    }

    /// Takes what of `rest` belongs to the body; `None` if there is nothing left.
    fn data<S: Sink + ?Sized>(&mut self, rest: &[u8], sink: &mut S) -> Option<usize> {
        let length = self.discardable().min(rest.len() as u64);
        if length == 0 {
            return None;
        }
        // No more than the length of a slice.
        let bytes = rest.get(..length as usize)?;
        sink.body(bytes);
        self.pass(length);
        Some(bytes.len())
    }

    /// Counts bytes of the body.
    fn pass(&mut self, length: u64) {
        self.sizes.content = self.sizes.content.saturating_add(length);
        if self.state == State::UntilClose || length == 0 {
            return;
        }
        self.remaining = self.remaining.saturating_sub(length);
        if self.remaining == 0 {
            self.state = match self.state {
                State::Fixed => State::Done,
                _ => State::ChunkLine,
            };
        }
    }

    /// Takes one line, or keeps what there is of it; `None` if more is needed.
    fn line<S: Sink + ?Sized>(&mut self, rest: &[u8], sink: &mut S) -> Option<usize> {
        // What lies behind the limit is not looked at, so that the outcome is the
        // same for all splits.
        let within = rest.get(..LINES_LIMIT - self.lines as usize).unwrap_or(rest);
        let Some(end) = scan::line_feed(within, 0) else {
            if within.len() < rest.len() {
                self.state = State::Broken(Broken::EndlessLines);
                return Some(0);
            }
            self.lines += within.len() as u32;
            self.unfinished.keep(within, self.room(sink));
            return None;
        };
        self.lines += end as u32 + 1;
        let bytes = within.get(..end).unwrap_or_default();
        if self.unfinished.is_empty() && end < LINE_KEPT {
            // As nearly all are: in one piece, and not too long.
            self.whole_line(Line { bytes, length: end as u64 + 1 }, sink);
        } else {
            self.pieced_line(bytes, sink);
        }
        Some(end + 1)
    }

    /// Takes a line whose last bytes are these.
    #[inline(never)]
    fn pieced_line<S: Sink + ?Sized>(&mut self, end: &[u8], sink: &mut S) {
        let mut unfinished = mem::take(&mut self.unfinished);
        let line = unfinished.finish(end, self.room(sink));
        if line.length >= LINE_SAID {
            sink.notice(Notice::LongLine(line.length, LINE_SAID));
        }
        self.whole_line(line, sink);
    }

    #[inline]
    fn whole_line<S: Sink + ?Sized>(&mut self, line: Line<'_>, sink: &mut S) {
        match self.state {
            State::StatusLine => self.status_line(line, sink),
            State::Fields => self.field_line(line, sink),
            State::ChunkLine => self.chunk_line(line, sink),
            _ => self.trailer_line(line),
        }
    }

    /// How much of a line is kept: all of it if it is handed out and wanted.
    fn room<S: Sink + ?Sized>(&self, sink: &S) -> Room {
        let handed_out = matches!(self.state, State::StatusLine | State::Fields);
        Room(if handed_out && sink.takes_whole_lines() { LINES_LIMIT } else { LINE_KEPT })
    }

    fn status_line<S: Sink + ?Sized>(&mut self, line: Line<'_>, sink: &mut S) {
        let text = line.text();
        self.status = sscanf::status(text).unwrap_or_else(|| {
            sink.notice(Notice::BadStatusLine(text));
            ASSUMED_STATUS
        });
        if !matches!(self.status, 100..=599) {
            sink.notice(Notice::BadStatus(self.status));
        }
        self.closes = text.starts_with(b"HTTP/1.0");
        self.begun = !self.is_interim();
        self.state = State::Fields;
        self.head_line(line, sink);
    }

    fn field_line<S: Sink + ?Sized>(&mut self, line: Line<'_>, sink: &mut S) {
        if line.is_empty() {
            self.head_line(line, sink);
            self.head_complete();
            return;
        }
        if self.begun {
            self.field(line.text(), sink);
        }
        self.head_line(line, sink);
    }

    /// Counts a line of the head and hands it out.
    fn head_line<S: Sink + ?Sized>(&mut self, line: Line<'_>, sink: &mut S) {
        self.sizes.header += line.length;
        if self.begun {
            sink.line(line.bytes);
        }
    }

    fn field<S: Sink + ?Sized>(&mut self, text: &[u8], sink: &mut S) {
        match text.first() {
            Some(b'C' | b'c') => {
                if let Some(value) = sscanf::value(text, b"content-length") {
                    self.length = sscanf::decimal(value).or(self.length);
                } else if let Some(value) = sscanf::value(text, b"connection") {
                    let says = |word: &[u8]| value.eq_ignore_ascii_case(word);
                    self.closes = says(b"close") || (self.closes && !says(b"keep-alive"));
                }
            }
            Some(b'T' | b't') => {
                if let Some(value) = sscanf::value(text, b"transfer-encoding") {
                    if value.eq_ignore_ascii_case(b"chunked") {
                        self.chunked = true;
                    } else {
                        sink.notice(Notice::UnknownTransferEncoding(value));
                    }
                }
            }
            _ => {}
        }
    }

    /// The empty line came: the reply is interim, complete, or has a body.
    fn head_complete(&mut self) {
        self.lines = 0;
        self.state = if !self.begun {
            self.sizes = ReplySizes::default();
            if self.interim == INTERIM_LIMIT {
                State::Broken(Broken::TooManyInterim)
            } else {
                self.interim += 1;
                State::StatusLine
            }
        } else if self.head_request || matches!(self.status, 101 | 204 | 205 | 304) {
            State::Done
        } else {
            match self.length {
                Some(0) => State::Done,
                _ if self.chunked => State::ChunkLine,
                Some(length) => {
                    self.remaining = length;
                    State::Fixed
                }
                None => State::UntilClose,
            }
        };
    }

    fn chunk_line<S: Sink + ?Sized>(&mut self, line: Line<'_>, sink: &mut S) {
        if line.is_empty() {
            return;
        }
        match sscanf::hexadecimal(line.text()) {
            Some(0) => {
                self.lines = 0;
                self.state = State::Trailers;
            }
            Some(size) => {
                self.lines = 0;
                self.remaining = size;
                self.state = State::ChunkData;
            }
            None if self.bad_chunk_lines == BAD_CHUNK_LINES => {
                self.state = State::Broken(Broken::BadChunkLines);
            }
            None => {
                self.bad_chunk_lines += 1;
                sink.notice(Notice::BadChunkLine(line.text()));
            }
        }
    }

    fn trailer_line(&mut self, line: Line<'_>) {
        self.sizes.footer += line.length;
        if line.is_empty() {
            self.state = State::Done;
        }
    }

    /// Whether another reply follows this one. 101 is the last: what follows it is
    /// not HTTP.
    fn is_interim(&self) -> bool {
        matches!(self.status, 100 | 102..=199)
    }
}
