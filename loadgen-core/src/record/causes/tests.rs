use super::*;
use crate::Outcome;
use crate::clock::SECOND;
use crate::record::{Cause, Failure, Phase, Population};
use SlowCause::{
    DataRetransmission, Handshake, OwnLag, Queue, Reconnect, Server, SynRetransmission,
    TlsHandshake, Unsampled,
};

const MS: Nanos = MILLISECOND;

fn call(intended: Nanos, sent: Nanos, done: Nanos) -> CallRecord {
    CallRecord {
        intended,
        sent,
        done,
        bytes: 100,
        outcome: Outcome::Answered(200),
        load: 0,
        population: Population::Established,
        tag: 0,
        reused: true,
        retried: false,
        queued: false,
    }
}

/// A connection on which the request went out at once and was answered just now.
fn sample(call: &CallRecord) -> TcpInfo {
    TcpInfo { segment_bytes: 1448, since_sent: call.done - call.sent, ..TcpInfo::default() }
}

fn evidence(sample: TcpInfo) -> Evidence {
    Evidence { request_bytes: 80, sample: Some(sample), ..Evidence::default() }
}

fn timed_out(call: CallRecord, phase: Phase) -> CallRecord {
    let outcome = Outcome::Failed(Failure::new(phase, Cause::Timeout));
    CallRecord { outcome, bytes: 0, ..call }
}

/// The parts that are not zero; they have to add up to the time of the call.
fn parts(call: &CallRecord, evidence: &Evidence) -> Vec<(SlowCause, Nanos)> {
    let parts = classify(call, evidence);
    let sum: Nanos = SlowCause::ALL.iter().map(|cause| parts.get(*cause)).sum();
    assert_eq!(sum, call.done - call.intended, "{parts:?}");
    let all = SlowCause::ALL.into_iter().map(|cause| (cause, parts.get(cause)));
    all.filter(|(_, time)| *time > 0).collect()
}

#[test]
fn a_slow_server_is_the_server() {
    let call = call(0, MS, 501 * MS);
    assert_eq!(parts(&call, &evidence(sample(&call))), [(Server, 500 * MS), (OwnLag, MS)]);
    // Segments sent again in an earlier call are no matter of this one.
    let old = TcpInfo { total_retransmits: 7, ..sample(&call) };
    assert_eq!(classify(&call, &evidence(old)).main(), Server);
}

#[test]
fn time_up_to_the_last_sending_is_retransmission() {
    let call = call(0, 0, 650 * MS);
    let again = TcpInfo { total_retransmits: 2, since_sent: 44 * MS, ..sample(&call) };
    assert_eq!(parts(&call, &evidence(again)), [(DataRetransmission, 606 * MS), (Server, 44 * MS)]);
    // A long upload is sent for a long time without any retransmission.
    let long = Evidence { request_bytes: 1 << 20, ..evidence(again) };
    assert_eq!(parts(&call, &long), [(Server, 650 * MS)]);
}

#[test]
fn a_request_that_was_never_acknowledged() {
    let call = timed_out(call(0, 0, 5 * SECOND), Phase::Head);
    let again = TcpInfo {
        total_retransmits: 4,
        retransmits: 4,
        unacknowledged: 1,
        since_sent: 2 * SECOND,
        since_received: 8 * SECOND,
        ..sample(&call)
    };
    assert_eq!(parts(&call, &evidence(again)), [(DataRetransmission, 5 * SECOND)]);
    // Acknowledged, not answered: the kernel there runs, its server does not.
    let frozen = TcpInfo { since_received: 8 * SECOND, ..sample(&call) };
    assert_eq!(parts(&call, &evidence(frozen)), [(Server, 5 * SECOND)]);
}

#[test]
fn a_syn_sent_again() {
    let connecting =
        Connecting { took_us: 1_020_000, seen_late_us: 0, retransmits: 1, ..<_>::default() };
    let connected = call(0, 1_021 * MS, 1_025 * MS);
    let info = TcpInfo { total_retransmits: 1, ..sample(&connected) };
    let known = Evidence { connecting, ..evidence(info) };
    assert_eq!(
        parts(&connected, &known),
        [(SynRetransmission, 1_020 * MS), (Server, 4 * MS), (OwnLag, MS)]
    );
    let never = timed_out(call(0, 0, 3 * SECOND), Phase::Connect);
    let info = TcpInfo { connecting: true, total_retransmits: 1, ..TcpInfo::default() };
    let known = Evidence { unconnected: true, ..evidence(info) };
    assert_eq!(parts(&never, &known), [(SynRetransmission, 3 * SECOND)]);
    let first = TcpInfo { connecting: true, ..TcpInfo::default() };
    let known = Evidence { unconnected: true, ..evidence(first) };
    assert_eq!(parts(&never, &known), [(Handshake, 3 * SECOND)]);
}

#[test]
fn a_slow_tls_handshake() {
    let mut connecting = Connecting::default().complete(2 * MS, None);
    let stuck = timed_out(call(MS, 2 * MS, 3 * SECOND), Phase::Connect);
    let known = Evidence { connecting, unsecured: true, ..evidence(sample(&stuck)) };
    let rest = 3 * SECOND - 4 * MS;
    assert_eq!(parts(&stuck, &known), [(Handshake, 2 * MS), (TlsHandshake, rest), (OwnLag, MS)]);
    connecting.secured(400 * MS);
    let through = call(0, 403 * MS, 410 * MS);
    let known = Evidence { connecting, ..evidence(sample(&through)) };
    assert_eq!(
        parts(&through, &known),
        [(Server, 7 * MS), (Handshake, 2 * MS), (TlsHandshake, 400 * MS), (OwnLag, MS)]
    );
}

#[test]
fn our_own_lateness_is_ours() {
    // Taken up late, sent late.
    let late = call(0, 300 * MS, 301 * MS);
    assert_eq!(classify(&late, &evidence(sample(&late))).main(), OwnLag);
    // The reply lay unread.
    let stalled = call(0, 0, 900 * MS);
    let unread = TcpInfo { since_received: 880 * MS, ..sample(&stalled) };
    assert_eq!(parts(&stalled, &evidence(unread)), [(Server, 20 * MS), (OwnLag, 880 * MS)]);
    let exact = Evidence { read_late: Some(885 * MS), ..evidence(unread) };
    assert_eq!(classify(&stalled, &exact).get(OwnLag), 885 * MS);
    // It was even given up unread.
    let given_up = timed_out(call(0, 0, 2 * SECOND), Phase::Head);
    let read = TcpInfo { since_received: 1_990 * MS, ..sample(&given_up) };
    assert_eq!(parts(&given_up, &evidence(read)), [(Server, 2 * SECOND)]);
    let unread = TcpInfo { unread: true, ..read };
    assert_eq!(parts(&given_up, &evidence(unread)), [(Server, 10 * MS), (OwnLag, 1_990 * MS)]);
    // The handshake had ended long before we saw it.
    let info = TcpInfo { since_acknowledged: 700 * MS, ..TcpInfo::default() };
    let connecting = Connecting::default().complete(701 * MS, Some(info));
    let seen_late = call(0, 701 * MS, 702 * MS);
    let known = Evidence { connecting, ..evidence(sample(&seen_late)) };
    assert_eq!(parts(&seen_late, &known), [(Server, MS), (Handshake, MS), (OwnLag, 700 * MS)]);
}

#[test]
fn waiting_for_a_connection() {
    let queued = CallRecord { queued: true, ..call(0, 400 * MS, 401 * MS) };
    let known = Evidence { taken_up_late: 30 * MS, ..evidence(sample(&queued)) };
    assert_eq!(parts(&queued, &known), [(Server, MS), (Queue, 370 * MS), (OwnLag, 30 * MS)]);
    let shed = CallRecord { outcome: Outcome::Shed, ..queued };
    let shed = CallRecord { sent: shed.done, ..shed };
    assert_eq!(parts(&shed, &Evidence::default()), [(Queue, 401 * MS)]);
    let again = CallRecord { retried: true, ..call(0, 240 * MS, 241 * MS) };
    assert_eq!(classify(&again, &evidence(sample(&again))).main(), Reconnect);
}

#[test]
fn what_was_not_sampled_is_not_guessed() {
    let call = call(0, MS, 501 * MS);
    let parts = parts(&call, &Evidence::default());
    assert_eq!(parts, [(OwnLag, MS), (Unsampled, 500 * MS)]);
}
