//! Watching a run of sessions as it happens: for printing requests, replies and
//! rates. A run without an observer does not pay for one.

/// Told by a worker what happens, from the worker's own thread: whatever time it
/// takes is missing to the load. Every method does nothing unless implemented.
///
/// `call` is the serial number of a call in its run, from 0, in order of creation.
#[allow(unused_variables)]
pub trait Observer: Send {
    /// Whether requests and replies are wanted, not only the rest.
    fn wants_messages(&self) -> bool {
        false
    }

    /// An arrival was taken off the schedule; the next one is `gap_s` seconds later.
    /// Told of every arrival but the first.
    fn gap(&mut self, gap_s: f64) {}

    /// A call takes this URI from a list or a set.
    fn uri(&mut self, uri: &[u8]) {}

    /// A page's object is going to be fetched.
    fn fetching(&mut self, uri: &[u8]) {}

    /// A request is completely sent.
    fn request(&mut self, call: u64, head: &[u8], body: &[u8]) {}

    /// A line of a reply's head, with its line end removed except for a CR; the empty
    /// line that ends the head is one of them.
    fn reply_line(&mut self, call: u64, line: &[u8]) {}

    /// Bytes of a reply's body, without the framing of chunks.
    fn reply_body(&mut self, call: u64, bytes: &[u8]) {}

    /// A reply is complete.
    fn reply_end(&mut self, call: u64, sizes: ReplySizes) {}

    /// A call ends without a complete reply, or is going to be sent again: what was
    /// told of its reply is all of it.
    fn dropped(&mut self, call: u64) {}

    /// A sample of the rates, over all workers.
    fn sample(&mut self, sample: Sample) {}

    /// How often [`Self::statuses`] is wanted, in seconds; `None`: never.
    fn statuses_every_s(&self) -> Option<f64> {
        None
    }

    /// Complete replies by status since the last time, over all workers, without
    /// statuses that had none; `at_s` is the time from the start of the run.
    fn statuses(&mut self, at_s: f64, counts: &[(u32, u64)]) {}

    /// Something that a person should know of, but that is no failure of a call by
    /// itself.
    fn notice(&mut self, notice: Notice<'_>) {}

    /// The run is over.
    fn end(&mut self) {}
}

/// The bytes of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReplySizes {
    /// Status line and header lines with their line ends and the empty line.
    pub header: u64,
    /// The body without the framing of chunks.
    pub content: u64,
    /// Trailer lines of a chunked reply with the empty line.
    pub footer: u64,
}

/// Rates since the last sample, per second.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct Sample {
    /// Complete replies.
    pub replies_per_s: f64,
    /// Successful sessions.
    pub sessions_per_s: f64,
}

/// Something that a person should know of.
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
