//! What a worker counts of connections and sessions, beside the record of calls
//! that it keeps for every plan. Definitions as httperf's.

use serde::{Deserialize, Serialize};

use crate::clock::{MILLISECOND, Nanos, as_millis, as_seconds};
use crate::protocol::ReplySizes;

use super::connection_failures::ConnectionFailures;
use super::joined::first;
use super::spread::Spread;

/// Bins of the lifetime histogram, 1 ms each.
const BINS: usize = 100_000;

/// Statuses counted one by one; larger ones are in no class.
const STATUSES: usize = 1000;

/// A sum of times and how many there were.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Times {
    pub(crate) count: u64,
    sum: Nanos,
}

impl Times {
    fn add(&mut self, time: Nanos) {
        self.count += 1;
        self.sum += time;
    }

    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
    }

    pub(crate) fn mean_ms(&self) -> Option<f64> {
        (self.count > 0).then(|| as_millis(self.sum) / self.count as f64)
    }

    pub(crate) fn mean_s(&self) -> Option<f64> {
        (self.count > 0).then(|| as_seconds(self.sum) / self.count as f64)
    }
}

/// What one worker counted.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct SessionRecord {
    pub(crate) attempted: u64,
    pub(crate) connect: Times,
    pub(crate) lifetime_ms: Spread,
    pub(crate) lifetimes: Vec<u32>,
    pub(crate) open: u64,
    pub(crate) concurrent: u64,
    /// Connects in the last round of the loop that had any, and the most of an
    /// earlier one.
    pub(crate) burst: (u64, u64),
    /// No connect was begun in this round yet.
    pub(crate) new_round: bool,
    pub(crate) failures: ConnectionFailures,
    pub(crate) arrivals_shed: u64,
    pub(crate) sent: u64,
    pub(crate) request_bytes: u64,
    pub(crate) response: Times,
    pub(crate) transfer: Times,
    pub(crate) sizes: ReplySizes,
    pub(crate) by_class: [u64; 5],
    pub(crate) statuses: Vec<u64>,
    pub(crate) reply_rates: Vec<f64>,
    pub(crate) session_rates: Vec<f64>,
    pub(crate) lifetime: Times,
    pub(crate) failtime: Times,
    pub(crate) connections_of_succeeded: u64,
    pub(crate) by_replies: Vec<u64>,
    /// Why TLS could not be spoken, of the first connection that failed so.
    pub(crate) tls_failure: Option<String>,
}

impl SessionRecord {
    /// The warm-up is over: what was counted so far is left out. Connections that are open
    /// stay so, and why TLS failed is told whenever it was.
    pub(crate) fn warmed_up(&mut self) {
        let tls_failure = self.tls_failure.take();
        *self = Self { open: self.open, concurrent: self.open, tls_failure, ..Self::default() };
    }

    /// A connection is going to be opened.
    pub(crate) fn opening(&mut self) {
        self.open += 1;
        self.concurrent = self.concurrent.max(self.open);
    }

    /// It got a socket to connect with.
    pub(crate) fn attempted(&mut self) {
        self.attempted += 1;
        if std::mem::take(&mut self.new_round) {
            self.burst = (0, self.burst.1.max(self.burst.0));
        }
        self.burst.0 += 1;
    }

    /// A new round of the loop begins.
    pub(crate) fn round(&mut self) {
        self.new_round = true;
    }

    /// It is connected (and TLS spoken), `time` after the start of connecting.
    pub(crate) fn connected(&mut self, time: Nanos) {
        self.connect.add(time);
    }

    /// It is no more, after `life`; `replies` came over it.
    pub(crate) fn closed(&mut self, life: Nanos, replies: u64) {
        self.open -= 1;
        if replies == 0 {
            return;
        }
        self.lifetime_ms.add(as_millis(life));
        let bin = (life / MILLISECOND) as usize;
        if bin < BINS {
            if self.lifetimes.len() <= bin {
                self.lifetimes.resize(bin + 1, 0);
            }
            self.lifetimes[bin] += 1;
        }
    }

    /// The socket took bytes of a request.
    pub(crate) fn request_bytes(&mut self, bytes: u64) {
        self.request_bytes += bytes;
    }

    /// A request is completely sent.
    pub(crate) fn request_sent(&mut self) {
        self.sent += 1;
    }

    /// The status line of a reply came, `time` after its request could be sent.
    pub(crate) fn reply_begun(&mut self, time: Nanos) {
        self.response.add(time);
    }

    /// A reply is complete, `time` after its status line. Those of a status
    /// outside 100 to 599 are no replies.
    pub(crate) fn reply_complete(&mut self, status: u32, time: Nanos, sizes: ReplySizes) {
        if let Some(class) = (status / 100).checked_sub(1).map(|class| class as usize)
            && class < self.by_class.len()
        {
            self.by_class[class] += 1;
            self.transfer.add(time);
            self.sizes.header += sizes.header;
            self.sizes.content += sizes.content;
            self.sizes.footer += sizes.footer;
        }
        let status = status as usize;
        if status < STATUSES {
            if self.statuses.len() <= status {
                self.statuses.resize(status + 1, 0);
            }
            self.statuses[status] += 1;
        }
    }

    /// Complete replies so far.
    pub(crate) fn replies(&self) -> u64 {
        self.transfer.count
    }

    /// Complete replies by status so far.
    pub(crate) fn statuses(&self) -> &[u64] {
        &self.statuses
    }

    /// Sessions that succeeded so far.
    pub(crate) fn succeeded(&self) -> u64 {
        self.lifetime.count
    }

    /// A session ended at the age of `life`, with so many replies over so many
    /// connections.
    pub(crate) fn session_ended(&mut self, success: bool, life: Nanos, replies: u64, opened: u64) {
        if success {
            self.lifetime.add(life);
            self.connections_of_succeeded += opened;
        } else {
            self.failtime.add(life);
        }
        // The longest session has as many replies as its script has calls; the
        // histogram of a script of millions of calls is cut.
        let replies = replies.min(1_000_000) as usize;
        if self.by_replies.len() <= replies {
            self.by_replies.resize(replies + 1, 0);
        }
        self.by_replies[replies] += 1;
    }

    /// Samples taken so far.
    pub(crate) fn samples(&self) -> usize {
        self.reply_rates.len()
    }

    /// A sample of the rates.
    pub(crate) fn sample(&mut self, replies_per_s: f64, sessions_per_s: f64) {
        self.reply_rates.push(replies_per_s);
        self.session_rates.push(sessions_per_s);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.attempted += other.attempted;
        self.connect.merge(&other.connect);
        self.lifetime_ms.merge(&other.lifetime_ms);
        add_each(&mut self.lifetimes, &other.lifetimes);
        self.concurrent += other.concurrent;
        self.burst.1 = self.burst.1.max(other.burst.1);
        self.failures.add(&other.failures);
        self.arrivals_shed += other.arrivals_shed;
        self.sent += other.sent;
        self.request_bytes += other.request_bytes;
        self.response.merge(&other.response);
        self.transfer.merge(&other.transfer);
        self.sizes.header += other.sizes.header;
        self.sizes.content += other.sizes.content;
        self.sizes.footer += other.sizes.footer;
        add_each(&mut self.by_class, &other.by_class);
        add_each(&mut self.statuses, &other.statuses);
        // A sample is whole if every worker has taken it.
        let whole = self.samples().min(other.samples());
        for (mine, theirs) in [
            (&mut self.reply_rates, &other.reply_rates),
            (&mut self.session_rates, &other.session_rates),
        ] {
            mine.truncate(whole);
            add_each(mine, &theirs[..whole]);
        }
        self.lifetime.merge(&other.lifetime);
        self.failtime.merge(&other.failtime);
        self.connections_of_succeeded += other.connections_of_succeeded;
        add_each(&mut self.by_replies, &other.by_replies);
        self.tls_failure = first(self.tls_failure.take(), other.tls_failure.clone());
    }
}

/// Adds element by element; the sum is as long as the longer one.
fn add_each<T: Copy + Default + std::ops::AddAssign>(
    into: &mut (impl AsMut<[T]> + Grow),
    other: &[T],
) {
    into.grow(other.len());
    for (mine, theirs) in into.as_mut().iter_mut().zip(other) {
        *mine += *theirs;
    }
}

/// What can be made longer; an array is as long as it is.
trait Grow {
    fn grow(&mut self, _len: usize) {}
}

impl<T: Copy + Default> Grow for Vec<T> {
    fn grow(&mut self, len: usize) {
        if self.len() < len {
            self.resize(len, T::default());
        }
    }
}

impl<T, const N: usize> Grow for [T; N] {}
