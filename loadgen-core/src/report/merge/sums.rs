//! Numbers that are added as they are.

use std::collections::BTreeMap;

use super::super::{
    AddressReport, ConnectedTo, Counts, ErrorExample, Rates, Report, SlowCalls, SlowCause,
    TlsReport,
};

/// Everything that a sum tells of a report, without distributions, sessions and the timeline.
pub(super) fn add(whole: &mut Report, part: &Report) {
    add_counts(&mut whole.counts, &part.counts);
    add_rates(&mut whole.rates, &part.rates);
    for (mine, theirs) in [
        (&mut whole.status, &part.status),
        (&mut whole.status_codes, &part.status_codes),
        (&mut whole.wrong, &part.wrong),
        (&mut whole.errors, &part.errors),
        (&mut whole.connections_lost, &part.connections_lost),
    ] {
        add_each(mine, theirs);
    }
    add_examples(&mut whole.error_examples, &part.error_examples);
    whole.bytes.sent += part.bytes.sent;
    whole.bytes.received += part.bytes.received;
    whole.cpu.user_s += part.cpu.user_s;
    whole.cpu.system_s += part.cpu.system_s;
    // What one kernel does not tell is not known of all.
    whole.cpu.run_delay_s =
        whole.cpu.run_delay_s.zip(part.cpu.run_delay_s).map(|(mine, theirs)| mine + theirs);
    for (name, theirs) in &part.populations {
        let mine = whole.populations.entry(name.clone()).or_default();
        add_counts(&mut mine.counts, &theirs.counts);
        add_each(&mut mine.errors, &theirs.errors);
        add_each(&mut mine.connections_lost, &theirs.connections_lost);
    }
    for (mine, theirs) in whole.loads.iter_mut().zip(&part.loads) {
        add_counts(&mut mine.counts, &theirs.counts);
        add_rates(&mut mine.rates, &theirs.rates);
        for (mine, theirs) in [
            (&mut mine.status_codes, &theirs.status_codes),
            (&mut mine.wrong, &theirs.wrong),
            (&mut mine.errors, &theirs.errors),
            (&mut mine.connections_lost, &theirs.connections_lost),
        ] {
            add_each(mine, theirs);
        }
    }
    for (mine, theirs) in whole.tags.iter_mut().zip(&part.tags) {
        for (mine, theirs) in [
            (&mut mine.offered, theirs.offered),
            (&mut mine.started, theirs.started),
            (&mut mine.answered, theirs.answered),
            (&mut mine.wrong, theirs.wrong),
            (&mut mine.failed, theirs.failed),
            (&mut mine.unfinished, theirs.unfinished),
            (&mut mine.shed, theirs.shed),
            (&mut mine.censored, theirs.censored),
        ] {
            *mine = mine.saturating_add(theirs);
        }
        add_each(&mut mine.status, &theirs.status);
        add_each(&mut mine.errors, &theirs.errors);
    }
    if let (Some(mine), Some(theirs)) = (&mut whole.tls, &part.tls) {
        add_tls(mine, theirs);
    }
    if let (Some(mine), Some(theirs)) = (&mut whole.slow_calls, &part.slow_calls) {
        add_slow_calls(mine, theirs);
    }
    if let (Some(mine), Some(theirs)) = (&mut whole.kernel_timestamps, &part.kernel_timestamps) {
        mine.missing += theirs.missing;
    }
    if let (Some(mine), Some(theirs)) = (&mut whole.connected_to, &part.connected_to) {
        add_addresses(mine, theirs);
    }
}

pub(super) fn add_each(mine: &mut BTreeMap<String, u64>, theirs: &BTreeMap<String, u64>) {
    for (key, n) in theirs {
        let mine = mine.entry(key.clone()).or_default();
        *mine = mine.saturating_add(*n);
    }
}

fn add_counts(mine: &mut Counts, theirs: &Counts) {
    let Counts { offered, started, answered, wrong, failed, .. } = theirs;
    let Counts { shed, unfinished, censored, reconnects, queued, connections_opened, .. } = theirs;
    for (mine, theirs) in [
        (&mut mine.offered, offered),
        (&mut mine.started, started),
        (&mut mine.answered, answered),
        (&mut mine.wrong, wrong),
        (&mut mine.failed, failed),
        (&mut mine.shed, shed),
        (&mut mine.unfinished, unfinished),
        (&mut mine.censored, censored),
        (&mut mine.reconnects, reconnects),
        (&mut mine.queued, queued),
        (&mut mine.connections_opened, connections_opened),
    ] {
        *mine = mine.saturating_add(*theirs);
    }
}

/// Rates over so many seconds as numbers of calls, which these were made of.
pub(super) fn scale(rates: &mut Rates, seconds: f64) {
    for rate in [&mut rates.offered_per_s, &mut rates.started_per_s, &mut rates.answered_per_s] {
        *rate = rate.map(|rate| (rate * seconds).round());
    }
}

/// Numbers of calls as rates.
pub(super) fn per_second(calls: &mut Rates, seconds: f64) {
    for calls in [&mut calls.offered_per_s, &mut calls.started_per_s, &mut calls.answered_per_s] {
        *calls = calls.map(|calls| calls / seconds);
    }
}

fn add_rates(mine: &mut Rates, theirs: &Rates) {
    for (mine, theirs) in [
        (&mut mine.offered_per_s, theirs.offered_per_s),
        (&mut mine.started_per_s, theirs.started_per_s),
        (&mut mine.answered_per_s, theirs.answered_per_s),
    ] {
        // Who measured nothing did nothing.
        *mine = mine.zip(theirs).map(|(mine, theirs)| mine + theirs).or(*mine).or(theirs);
    }
}

/// The first of each class.
fn add_examples(mine: &mut Vec<ErrorExample>, theirs: &[ErrorExample]) {
    for example in theirs {
        match mine.iter_mut().find(|known| known.class == example.class) {
            Some(known) if known.at_s > example.at_s => known.clone_from(example),
            Some(_) => {}
            None => mine.push(example.clone()),
        }
    }
}

/// What most agreed on stays; all that agreed on something else differ.
fn add_tls(mine: &mut TlsReport, theirs: &TlsReport) {
    let agreed = |of: &TlsReport| (of.version.clone(), of.cipher.clone(), of.alpn.clone());
    let main = |of: &TlsReport| of.handshakes - of.differing.min(of.handshakes);
    if agreed(mine) == agreed(theirs) || main(theirs) == 0 {
        mine.differing += theirs.differing;
    } else if main(mine) >= main(theirs) {
        mine.differing += theirs.handshakes;
    } else {
        mine.differing = mine.handshakes + theirs.differing;
        (mine.version, mine.cipher, mine.alpn) = agreed(theirs);
    }
    mine.handshakes += theirs.handshakes;
    mine.resumed += theirs.resumed;
    if mine.first_failure.is_none() {
        mine.first_failure.clone_from(&theirs.first_failure);
    }
}

fn add_slow_calls(mine: &mut SlowCalls, theirs: &SlowCalls) {
    mine.count += theirs.count;
    mine.sampled += theirs.sampled;
    for (cause, theirs) in &theirs.causes {
        let mine = mine.causes.entry(cause.clone()).or_default();
        mine.calls += theirs.calls;
        mine.time_s += theirs.time_s;
        let took = |of: &SlowCause| of.slowest.as_ref().map(|call| call.took_ms);
        if took(theirs) > took(mine) {
            mine.slowest.clone_from(&theirs.slowest);
        }
    }
}

fn add_addresses(mine: &mut ConnectedTo, theirs: &ConnectedTo) {
    for address in &theirs.addresses {
        match mine.addresses.iter_mut().find(|known| known.address == address.address) {
            Some(known) => add_address(known, address),
            None => mine.addresses.push(address.clone()),
        }
    }
    mine.beyond += theirs.beyond;
    for (mine, theirs) in
        [(&mut mine.lookups, theirs.lookups), (&mut mine.lookups_failed, theirs.lookups_failed)]
    {
        *mine = mine.zip(theirs).map(|(mine, theirs)| mine + theirs).or(*mine).or(theirs);
    }
    if mine.lookup_error.is_none() {
        mine.lookup_error.clone_from(&theirs.lookup_error);
    }
}

fn add_address(mine: &mut AddressReport, theirs: &AddressReport) {
    mine.connections += theirs.connections;
    mine.opened += theirs.opened;
    mine.first_s = mine.first_s.min(theirs.first_s);
    mine.last_s = mine.last_s.max(theirs.last_s);
}
