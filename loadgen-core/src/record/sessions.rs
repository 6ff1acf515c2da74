//! What a worker counts of connections and sessions, beside the record of calls
//! that it keeps for every plan. Definitions as httperf's.

use crate::clock::{MILLISECOND, Nanos, as_millis, as_seconds};
use crate::report::{
    ConnectionFailures, ConnectionFigures, Moments, ReplyFigures, RequestFigures, SessionOutcomes,
    SessionsReport,
};
use crate::session::ReplySizes;

/// Bins of the lifetime histogram, 1 ms each.
const BINS: usize = 100_000;

/// Statuses counted one by one; larger ones are in no class.
const STATUSES: usize = 1000;

/// Sums from which mean and standard deviation come.
#[derive(Debug, Clone, Copy, Default)]
struct Spread {
    count: u64,
    min: f64,
    max: f64,
    mean: f64,
    /// Sum of the squared distances from the mean.
    squares: f64,
}

impl Spread {
    /// Welford (1962): no cancellation when all values are nearly equal.
    fn add(&mut self, value: f64) {
        self.min = if self.count == 0 { value } else { self.min.min(value) };
        self.max = self.max.max(value);
        self.count += 1;
        let distance = value - self.mean;
        self.mean += distance / self.count as f64;
        self.squares += distance * (value - self.mean);
    }

    /// Chan, Golub & LeVeque (1979).
    fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = *other;
            return;
        }
        let (n, m) = (self.count as f64, other.count as f64);
        let distance = other.mean - self.mean;
        self.mean += distance * m / (n + m);
        self.squares += other.squares + distance * distance * n * m / (n + m);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.count += other.count;
    }

    fn moments(&self) -> Option<Moments> {
        let stddev = || (self.squares / (self.count - 1) as f64).sqrt();
        (self.count > 0).then(|| Moments {
            count: self.count,
            min: self.min,
            mean: self.mean,
            max: self.max,
            stddev: (self.count > 1).then(stddev),
        })
    }
}

/// A sum of times and how many there were.
#[derive(Debug, Clone, Copy, Default)]
struct Times {
    count: u64,
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

    fn mean_ms(&self) -> Option<f64> {
        (self.count > 0).then(|| as_millis(self.sum) / self.count as f64)
    }

    fn mean_s(&self) -> Option<f64> {
        (self.count > 0).then(|| as_seconds(self.sum) / self.count as f64)
    }
}

/// What one worker counted.
#[derive(Debug, Default)]
pub(crate) struct SessionRecord {
    attempted: u64,
    connect: Times,
    lifetime_ms: Spread,
    lifetimes: Vec<u32>,
    open: u64,
    concurrent: u64,
    /// Connects in the last round of the loop that had any, and the most of an
    /// earlier one.
    burst: (u64, u64),
    /// No connect was begun in this round yet.
    new_round: bool,
    pub(crate) failures: ConnectionFailures,
    pub(crate) arrivals_shed: u64,
    sent: u64,
    request_bytes: u64,
    response: Times,
    transfer: Times,
    sizes: ReplySizes,
    by_class: [u64; 5],
    statuses: Vec<u64>,
    reply_rates: Vec<f64>,
    session_rates: Vec<f64>,
    lifetime: Times,
    failtime: Times,
    connections_of_succeeded: u64,
    by_replies: Vec<u64>,
    /// Why TLS could not be spoken, of the first connection that failed so.
    pub(crate) tls_failure: Option<String>,
}

impl SessionRecord {
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
        add_each(&mut self.reply_rates, &other.reply_rates);
        add_each(&mut self.session_rates, &other.session_rates);
        self.lifetime.merge(&other.lifetime);
        self.failtime.merge(&other.failtime);
        self.connections_of_succeeded += other.connections_of_succeeded;
        add_each(&mut self.by_replies, &other.by_replies);
        if self.tls_failure.is_none() {
            self.tls_failure.clone_from(&other.tls_failure);
        }
    }

    /// The figures of a run of this length. Samples taken after its end, by a
    /// worker that waited for others, are none.
    pub(crate) fn report(
        mut self,
        duration: Nanos,
        samples: usize,
        scripted: bool,
    ) -> SessionsReport {
        self.reply_rates.truncate(samples);
        self.session_rates.truncate(samples);
        let by_status = (0..).zip(&self.statuses).filter(|(_, n)| **n > 0);
        let bins = (0..).zip(&self.lifetimes).filter(|(_, n)| **n > 0);
        SessionsReport {
            test_duration_s: as_seconds(duration),
            connections: ConnectionFigures {
                attempted: self.attempted,
                connected: self.connect.count,
                connect_mean_ms: self.connect.mean_ms(),
                with_reply: self.lifetime_ms.count,
                lifetime_ms: self.lifetime_ms.moments(),
                lifetime_histogram: bins.map(|(bin, n)| (bin, u64::from(*n))).collect(),
                concurrent: self.concurrent,
                connect_burst: self.burst.1,
            },
            requests: RequestFigures { sent: self.sent, bytes: self.request_bytes },
            replies: ReplyFigures {
                completed: self.transfer.count,
                begun: self.response.count,
                response_mean_ms: self.response.mean_ms(),
                transfer_mean_ms: self.transfer.mean_ms(),
                header_bytes: self.sizes.header,
                content_bytes: self.sizes.content,
                footer_bytes: self.sizes.footer,
                by_class: self.by_class,
                by_status: by_status.map(|(status, n)| (status, *n)).collect(),
            },
            failures: self.failures,
            tls_failure: self.tls_failure,
            arrivals_shed: self.arrivals_shed,
            reply_rate_samples: self.reply_rates,
            session_rate_samples: self.session_rates,
            outcomes: scripted.then(|| SessionOutcomes {
                succeeded: self.lifetime.count,
                failed: self.failtime.count,
                connections_of_succeeded: self.connections_of_succeeded,
                lifetime_mean_s: self.lifetime.mean_s(),
                failtime_mean_s: self.failtime.mean_s(),
                by_replies: self.by_replies,
            }),
        }
    }
}

impl ConnectionFailures {
    fn add(&mut self, other: &Self) {
        self.timeout += other.timeout;
        self.kernel_timeout += other.kernel_timeout;
        self.refused += other.refused;
        self.reset += other.reset;
        self.no_descriptor += other.no_descriptor;
        self.table_full += other.table_full;
        self.no_address += other.no_address;
        self.tls += other.tls;
        self.other += other.other;
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn moments_are_those_of_the_values(values in prop::collection::vec(0.0..1e4_f64, 2..50), at in 0_usize..50) {
            let at = at.min(values.len());
            let (mut left, mut right) = (Spread::default(), Spread::default());
            values[..at].iter().for_each(|v| left.add(*v));
            values[at..].iter().for_each(|v| right.add(*v));
            left.merge(&right);
            let moments = left.moments().unwrap();
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
            prop_assert!((moments.mean - mean).abs() < 1e-6);
            prop_assert!((moments.stddev.unwrap() - variance.sqrt()).abs() < 1e-6);
            prop_assert_eq!(moments.min, values.iter().copied().fold(f64::INFINITY, f64::min));
            prop_assert_eq!(moments.max, values.iter().copied().fold(0.0, f64::max));
        }
    }

    #[test]
    fn the_last_round_is_no_burst() {
        let mut record = SessionRecord::default();
        for connects in [2, 0, 3, 1] {
            record.round();
            (0..connects).for_each(|_| record.attempted());
        }
        assert_eq!(record.report(1, 0, false).connections.connect_burst, 3);
    }

    #[test]
    fn workers_add_up() {
        let of = |status, life_ms: u64| {
            let mut record = SessionRecord::default();
            record.opening();
            record.attempted();
            record.reply_complete(status, 5, ReplySizes { header: 10, content: 1, footer: 2 });
            record.closed(life_ms * MILLISECOND, 1);
            record.sample(10.0, 0.0);
            record
        };
        let mut whole = of(200, 3);
        whole.merge(&of(404, 100));
        whole.sample(7.0, 0.0);
        let report = whole.report(1_000_000_000, 1, false);
        assert_eq!(report.connections.attempted, 2);
        assert_eq!(report.connections.lifetime_histogram, [(3, 1), (100, 1)]);
        assert_eq!(report.replies.by_class, [0, 1, 0, 1, 0]);
        assert_eq!(report.replies.by_status, [(200, 1), (404, 1)].into());
        assert_eq!(report.reply_rate_samples, [20.0]);
        assert_eq!(report.replies.footer_bytes, 4);
    }
}
