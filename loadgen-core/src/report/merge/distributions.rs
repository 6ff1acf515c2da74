//! Distributions of times: their histograms are added, and all else is told of the sum.

use super::super::{Latency, Report, latency};

/// A distribution has no histogram, or one of other calls or bounds.
#[derive(Debug)]
pub(super) struct NoHistogram {
    pub(super) field: &'static str,
    /// It is that of the part; else that of the whole, to which it is to be added.
    pub(super) is_of_part: bool,
}

/// All distributions of a report but those of the generator.
pub(super) fn add(whole: &mut Report, part: &Report) -> Result<(), NoHistogram> {
    merge(&mut whole.response_time, &part.response_time, "response_time")?;
    merge(&mut whole.service_time, &part.service_time, "service_time")?;
    merge(&mut whole.lag, &part.lag, "lag")?;
    either(&mut whole.connect_time, part.connect_time.as_ref(), "connect_time")?;
    either(
        &mut whole.response_time_wrong,
        part.response_time_wrong.as_ref(),
        "response_time_wrong",
    )?;
    if let (Some(mine), Some(theirs)) = (&mut whole.tls, &part.tls) {
        merge(&mut mine.handshake_time, &theirs.handshake_time, "handshake_time")?;
    }
    if let (Some(mine), Some(theirs)) = (&mut whole.kernel_timestamps, &part.kernel_timestamps) {
        merge(&mut mine.receive_delay, &theirs.receive_delay, "receive_delay")?;
        let service = "service_time_to_receipt";
        merge(&mut mine.service_time_to_receipt, &theirs.service_time_to_receipt, service)?;
    }
    for (name, theirs) in &part.populations {
        let mine = whole.populations.entry(name.clone()).or_default();
        for (mine, theirs) in [
            (&mut mine.response_time, &theirs.response_time),
            (&mut mine.service_time, &theirs.service_time),
            (&mut mine.response_time_error_status, &theirs.response_time_error_status),
            (&mut mine.time_to_failure, &theirs.time_to_failure),
            (&mut mine.lag, &theirs.lag),
        ] {
            merge(mine, theirs, "populations")?;
        }
        either(&mut mine.connect_time, theirs.connect_time.as_ref(), "populations")?;
        either(&mut mine.tls_handshake_time, theirs.tls_handshake_time.as_ref(), "populations")?;
    }
    // Of one plan they have the same loads, and the same tags in the same order.
    for (mine, theirs) in whole.loads.iter_mut().zip(&part.loads) {
        for (mine, theirs) in [
            (&mut mine.response_time, &theirs.response_time),
            (&mut mine.service_time, &theirs.service_time),
            (&mut mine.response_time_error_status, &theirs.response_time_error_status),
            (&mut mine.time_to_failure, &theirs.time_to_failure),
            (&mut mine.lag, &theirs.lag),
        ] {
            merge(mine, theirs, "loads")?;
        }
        either(&mut mine.response_time_wrong, theirs.response_time_wrong.as_ref(), "loads")?;
    }
    for (mine, theirs) in whole.tags.iter_mut().zip(&part.tags) {
        merge(&mut mine.response_time, &theirs.response_time, "tags")?;
    }
    Ok(())
}

/// Where `None` stands for no times.
fn either(
    mine: &mut Option<Latency>,
    theirs: Option<&Latency>,
    field: &'static str,
) -> Result<(), NoHistogram> {
    match (mine.as_mut(), theirs) {
        (Some(mine), Some(theirs)) => merge(mine, theirs, field),
        (None, Some(theirs)) => merge(mine.insert(Latency::default()), theirs, field),
        (_, None) => Ok(()),
    }
}

pub(super) fn merge(
    mine: &mut Latency,
    theirs: &Latency,
    field: &'static str,
) -> Result<(), NoHistogram> {
    let whole = |times: &Latency, is_of_part| {
        let histogram = times.histogram().filter(|histogram| histogram.len() == times.count);
        histogram.ok_or(NoHistogram { field, is_of_part })
    };
    if theirs.count == 0 {
        return Ok(());
    }
    let added = whole(theirs, true)?;
    if mine.count == 0 {
        mine.clone_from(theirs);
        return Ok(());
    }
    let mut sum = whole(mine, false)?;
    sum.add(&added).map_err(|_| NoHistogram { field, is_of_part: true })?;
    let ends = |pick: fn(f64, f64) -> f64, one: Option<f64>, other: Option<f64>| {
        one.zip(other).map(|(one, other)| pick(one, other))
    };
    *mine = Latency {
        // A histogram that was written down knows its ends no better than its buckets.
        min_us: ends(f64::min, mine.min_us, theirs.min_us),
        max_us: ends(f64::max, mine.max_us, theirs.max_us),
        ..latency(&sum, true)
    };
    Ok(())
}
