//! Why calls were slow: the time of each slow call cut into parts, by what the
//! engine saw of it and what the kernel said of its connection when it ended.
//!
//! Pure: no clock and no socket is asked here. The parts of a call add up to its
//! response time. What nobody can tell is not guessed: see the comments of
//! [`SlowCause`].

use serde::{Deserialize, Serialize};

use super::CallRecord;
use crate::clock::{MILLISECOND, Nanos};
use crate::net::tcp_info::TcpInfo;

/// A call is slow when it took longer than this, to its reply or its giving up.
/// Linux waits at least so long (`TCP_RTO_MIN`) before it sends data again, and a
/// second for a SYN: what is faster was not slowed by a retransmission.
pub(crate) const SLOW_AFTER: Nanos = 200 * MILLISECOND;

/// The kernel tells ages in ticks of up to 10 ms; less is taken for nothing.
const TICK: Nanos = 10 * MILLISECOND;

/// A request that fits in the initial window is sent at once. If its data was last
/// sent so long after it had been sent first, it has been sent again.
const SENT_AGAIN_AFTER: Nanos = SLOW_AFTER / 2;

/// Segments of the initial window (RFC 6928).
const INITIAL_WINDOW: u64 = 10;

/// What a part of a slow call's time went into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub(crate) enum SlowCause {
    /// Ours: the arrival was taken up late, or what the kernel had received (a reply,
    /// the end of a handshake) was seen late.
    OwnLag,
    /// The wait for a free connection.
    Queue,
    /// The wait on a connection that the server then turned out to have closed.
    Reconnect,
    /// The name had to be resolved again, for the connection.
    Resolution,
    /// Connecting, with the SYN sent more than once: it or its answer was lost, the
    /// server's backlog was full, or its machine did not run.
    SynRetransmission,
    /// Connecting, with one SYN.
    Handshake,
    /// From the end of the connect to that of the TLS handshake: the server, and
    /// whatever the network lost meanwhile.
    TlsHandshake,
    /// From the request's first sending to its last: it was not acknowledged
    /// meanwhile, since it or the acknowledgement was lost, or the server's machine
    /// did not run.
    DataRetransmission,
    /// From the request's last sending to the receipt of the reply: the server and
    /// the transfer of the reply. A reply that is lost after its request had been
    /// acknowledged cannot be told from a server that takes its time.
    Server,
    /// After the request was sent, of calls that the kernel was not asked about.
    Unsampled,
}

impl SlowCause {
    /// All, in the order of reports.
    pub(crate) const ALL: [Self; 10] = [
        Self::SynRetransmission,
        Self::DataRetransmission,
        Self::Server,
        Self::Handshake,
        Self::TlsHandshake,
        Self::Resolution,
        Self::Reconnect,
        Self::Queue,
        Self::OwnLag,
        Self::Unsampled,
    ];

    /// The name in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OwnLag => "own-lag",
            Self::Queue => "queue",
            Self::Reconnect => "reconnect",
            Self::Resolution => "resolution",
            Self::SynRetransmission => "syn-retransmission",
            Self::Handshake => "handshake",
            Self::TlsHandshake => "tls-handshake",
            Self::DataRetransmission => "data-retransmission",
            Self::Server => "server",
            Self::Unsampled => "unsampled",
        }
    }
}

/// How the connecting of a call went; all zero on a connection that was open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Connecting {
    /// How long the TCP handshake took (at most 71 minutes).
    pub(crate) took_us: u32,
    /// How long the TLS handshake took after it, once it is through.
    pub(crate) tls_us: u32,
    /// How long its end had been known to the kernel before we saw it.
    pub(crate) seen_late_us: u32,
    /// How often the SYN was sent again.
    pub(crate) retransmits: u8,
    /// How long it waited, before that, for the name to be resolved.
    pub(crate) resolving_us: u32,
}

impl Connecting {
    /// Whether it took so long that the kernel is worth asking.
    pub(crate) fn is_slow(took: Nanos) -> bool {
        took >= SENT_AGAIN_AFTER
    }

    /// The name was resolved after so long.
    pub(crate) fn resolved(&mut self, after: Nanos) {
        self.resolving_us = micros(after);
    }

    /// How long it waited for that.
    pub(crate) fn resolving(self) -> Nanos {
        u64::from(self.resolving_us) * 1000
    }

    /// What is to be kept of a handshake that has just been found complete.
    pub(crate) fn complete(self, took: Nanos, sample: Option<TcpInfo>) -> Self {
        let late = sample.map_or(0, |info| whole_ticks(info.since_acknowledged).min(took));
        Self {
            took_us: micros(took),
            tls_us: 0,
            seen_late_us: micros(late),
            retransmits: sample.map_or(0, |info| info.total_retransmits.min(255) as u8),
            ..self
        }
    }

    /// The TLS handshake is through, too.
    pub(crate) fn secured(&mut self, took: Nanos) {
        self.tls_us = micros(took);
    }
}

fn micros(ns: Nanos) -> u32 {
    u32::try_from(ns / 1000).unwrap_or(u32::MAX)
}

fn whole_ticks(age: Nanos) -> Nanos {
    if age < TICK { 0 } else { age }
}

/// What is known of a slow call beside its record.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Evidence {
    pub(crate) connecting: Connecting,
    /// It ended before its connection was established (`sent` is the start of
    /// connecting), or never had one.
    pub(crate) unconnected: bool,
    /// It ended while it waited for the name to be resolved.
    pub(crate) resolving: bool,
    /// It ended in the TLS handshake (`sent` is the start of connecting).
    pub(crate) unsecured: bool,
    /// How late it was taken up, if it had to wait for a connection.
    pub(crate) taken_up_late: Nanos,
    pub(crate) request_bytes: u64,
    /// How long the kernel had its last bytes before we read them, where that is
    /// known more exactly than by the sample.
    pub(crate) read_late: Option<Nanos>,
    /// Its connection, as it was when the call ended.
    pub(crate) sample: Option<TcpInfo>,
}

/// The time of one call by what it went into, in ns, in the order of the enum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TimeByCause([Nanos; SlowCause::ALL.len()]);

impl TimeByCause {
    pub(crate) fn get(&self, cause: SlowCause) -> Nanos {
        self.0[cause as usize]
    }

    fn add(&mut self, cause: SlowCause, time: Nanos) {
        self.0[cause as usize] += time;
    }

    /// The longest part.
    pub(crate) fn main(&self) -> SlowCause {
        let longest = |a: &SlowCause, b: &SlowCause| self.get(*a).cmp(&self.get(*b));
        // `ALL` is not empty; of equal parts the first one in it counts.
        SlowCause::ALL.into_iter().rev().max_by(longest).unwrap_or(SlowCause::Unsampled)
    }
}

/// Cuts the time of a call into parts.
pub(crate) fn classify(call: &CallRecord, evidence: &Evidence) -> TimeByCause {
    use SlowCause::{
        DataRetransmission, Handshake, OwnLag, Queue, Reconnect, Resolution, Server,
        SynRetransmission, TlsHandshake, Unsampled,
    };
    let mut parts = TimeByCause::default();
    let connecting = evidence.connecting;
    // Until it had a connection, or began to open one.
    let before = call.sent.saturating_sub(call.intended);
    let after = call.done.saturating_sub(call.sent.max(call.intended));
    // The opening lies before the sending, if it came to that.
    let in_opening = evidence.unsecured || evidence.unconnected;
    let opening = if in_opening { after } else { before };
    let resolving = connecting.resolving().min(opening);
    let connect = (u64::from(connecting.took_us) * 1000).min(opening - resolving);
    let tls = (u64::from(connecting.tls_us) * 1000).min(opening - resolving - connect);
    let opened = resolving + connect + tls;
    let (before, after) =
        if in_opening { (before, after - opened) } else { (before - opened, after) };
    parts.add(Resolution, resolving);
    if call.retried {
        parts.add(Reconnect, before);
    } else if call.queued {
        let late = evidence.taken_up_late.min(before);
        parts.add(OwnLag, late);
        parts.add(Queue, before - late);
    } else {
        parts.add(OwnLag, before);
    }
    let late = (u64::from(connecting.seen_late_us) * 1000).min(connect);
    parts.add(OwnLag, late);
    let handshake = if connecting.retransmits > 0 { SynRetransmission } else { Handshake };
    parts.add(handshake, connect - late);
    parts.add(TlsHandshake, tls);
    if evidence.resolving {
        parts.add(Resolution, after);
        return parts;
    }
    if evidence.unsecured {
        parts.add(TlsHandshake, after);
        return parts;
    }
    let Some(info) = evidence.sample else {
        parts.add(Unsampled, after);
        return parts;
    };
    if evidence.unconnected {
        // An end of the handshake that we have not come to see is our lateness.
        let late = if info.connecting { 0 } else { info.since_acknowledged.min(after) };
        parts.add(OwnLag, late);
        let retransmitted = info.total_retransmits > 0;
        parts.add(if retransmitted { SynRetransmission } else { Handshake }, after - late);
        return parts;
    }
    let late = read_late(call, evidence, &info).min(after);
    let again = sent_again(evidence, &info, after).min(after - late);
    parts.add(OwnLag, late);
    parts.add(DataRetransmission, again);
    parts.add(Server, after - late - again);
    parts
}

/// How long received bytes lay unread.
fn read_late(call: &CallRecord, evidence: &Evidence, info: &TcpInfo) -> Nanos {
    if call.outcome.is_answered() {
        return evidence.read_late.unwrap_or_else(|| whole_ticks(info.since_received));
    }
    // Given up, although more of the reply was there.
    if info.unread { whole_ticks(info.since_received) } else { 0 }
}

/// From the first sending of the request to its last.
fn sent_again(evidence: &Evidence, info: &TcpInfo, after: Nanos) -> Nanos {
    if info.retransmits > 0 && info.unacknowledged > 0 {
        return after;
    }
    let of_data = info.total_retransmits > u32::from(evidence.connecting.retransmits);
    let window = INITIAL_WINDOW * u64::from(info.segment_bytes);
    let last = after.saturating_sub(info.since_sent);
    let again = of_data && evidence.request_bytes <= window && last >= SENT_AGAIN_AFTER;
    if again { last } else { 0 }
}

#[cfg(test)]
mod tests;
