//! Watching a run of sessions as it happens: for printing requests, replies and
//! rates. A run without an observer does not pay for one.

use crate::protocol::{Notice, ReplySizes};

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

/// Rates since the last sample, per second.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct Sample {
    /// Complete replies.
    pub replies_per_s: f64,
    /// Successful sessions.
    pub sessions_per_s: f64,
}
