//! A slow consumer (`--read-rate`): reads of a connection are spread over time, and
//! what it has not read fills its receive buffer, then the server's send buffer.
//!
//! After a read a connection rests until the bytes read are paid for, whatever
//! events come meanwhile; then it is read from again without an event. Only when
//! nothing is there does it wait for one.

use crate::clock::{MILLISECOND, Nanos, SECOND};

/// Time from one read to the next, unless that were less than a byte.
const TICK: Nanos = 20 * MILLISECOND;

/// Most bytes of one read.
const MOST: f64 = 64.0 * 1024.0;

/// The receive buffer holds what is read in this time.
const BUFFERED: Nanos = 250 * MILLISECOND;

/// Limits of the receive buffer. A smaller one would hold less than a segment of
/// loopback, and the server would send in the rhythm of its probes.
const BUFFERS: (f64, f64) = (32.0 * 1024.0, 1024.0 * 1024.0);

/// How slowly the connections of a load are read from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    ns_per_byte: f64,
    /// Bytes of one read.
    pub(crate) at_once: usize,
    pub(crate) receive_buffer: u32,
}

impl Pace {
    pub(crate) fn new(bytes_per_s: f64) -> Self {
        let in_time = |ns: Nanos| bytes_per_s * ns as f64 / SECOND as f64;
        Self {
            ns_per_byte: SECOND as f64 / bytes_per_s,
            at_once: in_time(TICK).clamp(1.0, MOST) as usize,
            receive_buffer: in_time(BUFFERED).clamp(BUFFERS.0, BUFFERS.1) as u32,
        }
    }

    /// When a connection may be read from again, of which `bytes` were read at
    /// `now`, and which might have been read from since `since`. Lateness of one
    /// tick is made up for.
    pub(super) fn next(&self, since: Nanos, now: Nanos, bytes: u64) -> Nanos {
        let paid = (bytes as f64 * self.ns_per_byte) as Nanos;
        since.max(now.saturating_sub(TICK)) + paid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_holds_in_an_invented_time() {
        for rate in [1.0, 700.0, 65_536.0, 1e7, 1e9] {
            let pace = Pace::new(rate);
            let (mut now, mut bytes) = (0, 0);
            let mut at = 0;
            while bytes < 200 * pace.at_once as u64 {
                now = at + 100_000;
                bytes += pace.at_once as u64;
                at = pace.next(at, now, pace.at_once as u64);
            }
            let measured = bytes as f64 / (now as f64 / 1e9);
            assert!((0.9..1.1).contains(&(measured / rate)), "{measured} of {rate}");
        }
    }

    #[test]
    fn a_pause_is_not_made_up_for() {
        let pace = Pace::new(1000.0);
        assert_eq!(pace.next(0, 10 * SECOND, 1000), 11 * SECOND - TICK);
    }
}
