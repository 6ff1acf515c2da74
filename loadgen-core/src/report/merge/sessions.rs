//! The figures of sessions, as the workers of one process add theirs: a mean counts as often
//! as it has values.

use std::ops::AddAssign;

use super::super::{Moments, SessionOutcomes, SessionsReport};

pub(super) fn add(mine: &mut SessionsReport, theirs: &SessionsReport) {
    mine.test_duration_s = mine.test_duration_s.max(theirs.test_duration_s);
    let (c, their_c) = (&mut mine.connections, &theirs.connections);
    c.connect_mean_ms =
        mean((c.connect_mean_ms, c.connected), (their_c.connect_mean_ms, their_c.connected));
    c.attempted += their_c.attempted;
    c.connected += their_c.connected;
    c.with_reply += their_c.with_reply;
    c.lifetime_ms = match (c.lifetime_ms, their_c.lifetime_ms) {
        (Some(mine), Some(theirs)) => Some(Moments::both(mine, theirs)),
        (mine, theirs) => mine.or(theirs),
    };
    for &(ms, n) in &their_c.lifetime_histogram {
        match c.lifetime_histogram.binary_search_by_key(&ms, |&(ms, _)| ms) {
            Ok(i) => c.lifetime_histogram[i].1 += n,
            Err(i) => c.lifetime_histogram.insert(i, (ms, n)),
        }
    }
    c.concurrent += their_c.concurrent;
    c.connect_burst = c.connect_burst.max(their_c.connect_burst);
    mine.requests.sent += theirs.requests.sent;
    mine.requests.bytes += theirs.requests.bytes;
    let (r, their_r) = (&mut mine.replies, &theirs.replies);
    r.response_mean_ms =
        mean((r.response_mean_ms, r.begun), (their_r.response_mean_ms, their_r.begun));
    r.transfer_mean_ms =
        mean((r.transfer_mean_ms, r.completed), (their_r.transfer_mean_ms, their_r.completed));
    r.completed += their_r.completed;
    r.begun += their_r.begun;
    r.header_bytes += their_r.header_bytes;
    r.content_bytes += their_r.content_bytes;
    r.footer_bytes += their_r.footer_bytes;
    add_each(&mut r.by_class, &their_r.by_class);
    for (status, n) in &their_r.by_status {
        *r.by_status.entry(*status).or_default() += n;
    }
    mine.failures.add(&theirs.failures);
    if mine.tls_failure.is_none() {
        mine.tls_failure.clone_from(&theirs.tls_failure);
    }
    mine.arrivals_shed += theirs.arrivals_shed;
    add_samples(&mut mine.reply_rate_samples, &theirs.reply_rate_samples);
    add_samples(&mut mine.session_rate_samples, &theirs.session_rate_samples);
    if let (Some(mine), Some(theirs)) = (&mut mine.outcomes, &theirs.outcomes) {
        add_outcomes(mine, theirs);
    }
}

fn add_outcomes(mine: &mut SessionOutcomes, theirs: &SessionOutcomes) {
    mine.lifetime_mean_s =
        mean((mine.lifetime_mean_s, mine.succeeded), (theirs.lifetime_mean_s, theirs.succeeded));
    mine.failtime_mean_s =
        mean((mine.failtime_mean_s, mine.failed), (theirs.failtime_mean_s, theirs.failed));
    mine.succeeded += theirs.succeeded;
    mine.failed += theirs.failed;
    mine.connections_of_succeeded += theirs.connections_of_succeeded;
    if mine.by_replies.len() < theirs.by_replies.len() {
        mine.by_replies.resize(theirs.by_replies.len(), 0);
    }
    add_each(&mut mine.by_replies, &theirs.by_replies);
}

/// The mean of both, each of so many values.
fn mean(mine: (Option<f64>, u64), theirs: (Option<f64>, u64)) -> Option<f64> {
    let sum = |(mean, n): (Option<f64>, u64)| mean.map_or(0.0, |mean| mean * n as f64);
    let n = mine.1 + theirs.1;
    (n > 0).then(|| (sum(mine) + sum(theirs)) / n as f64)
}

/// A sample is whole if every shard has taken it.
fn add_samples(mine: &mut Vec<f64>, theirs: &[f64]) {
    mine.truncate(theirs.len());
    add_each(mine, theirs);
}

fn add_each<T: Copy + AddAssign>(mine: &mut [T], theirs: &[T]) {
    mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| *mine += *theirs);
}
