//! How long the users felt the migration beyond the outage: recovery, brownout,
//! calls lost and late, and the two degradation areas.
//!
//! All of it is by intended start. The band of normal response times is that of
//! the baseline, for each population by itself: newcomers always wait longer
//! than kept-alive clients, and are no brownout. Our own pauses are left out of response
//! times, and calls that one touched out of those outstanding.

use crate::clock::{MILLISECOND, Nanos, as_seconds};
use crate::record::{CallRecord, Population};

use super::calls::is_censored;
use super::gap::Gap;
use super::outage::Outage;
use super::phases::{is_error_reply, is_lost};
use super::view::{View, rank};

/// Width of a window whose percentile must be back in the band.
const RECOVERY_WINDOW: Nanos = 500 * MILLISECOND;
/// Width of the windows of brownout and response area, and the step between two
/// attempts at recovery.
const STEP: Nanos = 100 * MILLISECOND;

/// Silences that are no further apart are parts of one outage.
const SPLIT: Nanos = 200 * MILLISECOND;

/// What the users felt beyond the outage.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    pub(super) time: Option<Nanos>,
    /// When they had recovered, or else the end of the load.
    pub(super) end: Nanos,
    pub(super) brownout: Option<Nanos>,
    pub(super) brownout_share_before: Option<f64>,
    pub(super) lost: Option<u64>,
    pub(super) late: Option<u64>,
    pub(super) error_replies: Option<u64>,
    pub(super) degradation_calls: Option<f64>,
    pub(super) degradation_response_s2: Option<f64>,
}

/// Computes it, given the outages of all populations.
pub(super) fn recovery(view: &View<'_>, outages: &[Option<&Outage>]) -> Recovery {
    let load_end = view.input.load_end;
    let Some(fired) = view.marks.fired.filter(|fired| *fired < load_end) else {
        return Recovery { end: load_end, ..Recovery::default() };
    };
    let dark = union(outages.iter().flatten().flat_map(|outage| outage.above.clone()).collect());
    let origin = view
        .marks
        .resumed()
        .or(end_of_outage(outages))
        .or(view.marks.last.map(|(at, _)| at))
        .map(|at| at.max(fired));
    let time = origin.and_then(|origin| first_normal(view, origin));
    // What waits for us to go on is read first.
    let end = origin.zip(time).map_or(load_end, |(at, time)| view.own.after(at + time));
    let span = view.intended(fired, end);
    let normal = Population::ALL.iter().any(|p| view.baseline(*p).is_some());
    let count =
        |is: &dyn Fn(&CallRecord) -> bool| Some(span.iter().filter(|call| is(call)).count() as u64);
    let theirs = |calls: &[CallRecord]| calls.iter().filter(|c| !view.own.touches(c)).count();
    let replies: usize =
        Population::ALL.iter().map(|p| theirs(view.completed(*p, fired, end))).sum();
    Recovery {
        time,
        end,
        brownout: normal
            .then(|| brownout(view, fired, end, &dark))
            .filter(|(_, seen)| *seen > 0 || !dark.is_empty())
            .map(|(brown, _)| brown),
        brownout_share_before: view.before().filter(|_| normal).and_then(|(start, end)| {
            let (brown, seen) = brownout(view, start, end, &[]);
            (seen > 0).then(|| brown as f64 / seen as f64)
        }),
        lost: count(&is_lost),
        late: count(&|call| call.outcome.is_good() && is_slow(view, call)),
        error_replies: count(&is_error_reply),
        degradation_calls: Some(theirs(span) as f64 - replies as f64),
        degradation_response_s2: response_area(view, fired, end),
    }
}

/// Where the resume is not known: the end of the migration's outage, of the
/// population that saw it for longest, if it stands out; with those silences that
/// follow at once, since a stray reply splits an outage.
fn end_of_outage(outages: &[Option<&Outage>]) -> Option<Nanos> {
    let end = |outage: &&Outage| {
        let gap = outage.gap().filter(|gap| gap.length() > outage.threshold)?;
        Some(
            outage
                .above
                .iter()
                .filter(|next| next.start >= gap.end)
                .fold(gap.end, |end, next| if next.start <= end + SPLIT { next.end } else { end }),
        )
    };
    outages.iter().flatten().filter_map(end).max()
}

/// Time from `origin` to the begin of the first window in which every population
/// is back in its band. A call without a good reply is slower than any band.
fn first_normal(view: &View<'_>, origin: Nanos) -> Option<Nanos> {
    let last = view.input.load_end.checked_sub(RECOVERY_WINDOW)?;
    (0..).map(|k| origin + k * STEP).take_while(|start| *start <= last).find_map(|start| {
        let calls = view.intended(start, start + RECOVERY_WINDOW);
        let mut seen = false;
        for p in Population::ALL {
            let Some(baseline) = view.baseline(p) else { continue };
            let of = calls.iter().filter(|call| call.population == p);
            let times =
                of.map(|c| if c.outcome.is_good() { view.own.response(c) } else { Nanos::MAX });
            let Some(p95) = rank(times.collect(), 95, 100) else { continue };
            if p95 > baseline.band() {
                return None;
            }
            seen = true;
        }
        seen.then(|| start - origin)
    })
}

/// Time in `[start, end)`, outside of the outages, in windows in which a
/// population was above its band; and the time in windows with any reply.
///
/// Calls that an outage touched are left out: their wait is the outage's.
fn brownout(view: &View<'_>, start: Nanos, end: Nanos, dark: &[Gap]) -> (Nanos, Nanos) {
    let (mut brown, mut seen) = (0, 0);
    for (from, to) in windows(start, end) {
        let mut above = None;
        for p in Population::ALL {
            let Some(baseline) = view.baseline(p) else { continue };
            let of = view.intended(from, to).iter().filter(|call| {
                call.population == p && call.outcome.is_good() && !touches(dark, call)
            });
            if let Some(p95) = rank(of.map(|c| view.own.response(c)).collect(), 95, 100) {
                above = Some(above.unwrap_or(false) || p95 > baseline.band());
            }
        }
        let light = (to - from) - overlap(dark, from, to);
        seen += if above.is_some() { light } else { 0 };
        brown += if above == Some(true) { light } else { 0 };
    }
    (brown, seen)
}

/// ∫ (response time − mean before) dt in s², by the mean of each window. A window
/// without calls is as the one before it.
fn response_area(view: &View<'_>, fired: Nanos, end: Nanos) -> Option<f64> {
    let (start, before) = view.before()?;
    let usual = mean(view, view.intended(start, before).iter().filter(|call| call.done < before))?;
    let (mut area, mut last) = (0.0, usual);
    for (from, to) in windows(fired, end) {
        last = mean(view, view.intended(from, to).iter()).unwrap_or(last);
        area += (last - usual) * as_seconds(to - from);
    }
    Some(area)
}

/// Mean response time in seconds of good replies and, as lower bounds, of calls
/// that were waited for in vain.
fn mean<'a>(view: &View<'_>, calls: impl Iterator<Item = &'a CallRecord>) -> Option<f64> {
    let (sum, count) = calls
        .filter(|call| call.outcome.is_good() || is_censored(call))
        .fold((0.0, 0_u64), |(sum, count), call| {
            (sum + as_seconds(view.own.response(call)), count + 1)
        });
    (count > 0).then(|| sum / count as f64)
}

fn is_slow(view: &View<'_>, call: &CallRecord) -> bool {
    view.baseline(call.population).is_some_and(|baseline| view.own.response(call) > baseline.band())
}

fn windows(start: Nanos, end: Nanos) -> impl Iterator<Item = (Nanos, Nanos)> {
    (0..)
        .map(move |k| start + k * STEP)
        .take_while(move |from| *from < end)
        .map(move |from| (from, (from + STEP).min(end)))
}

/// The same time in gaps that do not overlap, in order.
fn union(mut gaps: Vec<Gap>) -> Vec<Gap> {
    gaps.sort_unstable_by_key(|gap| gap.start);
    let mut joined: Vec<Gap> = Vec::new();
    for gap in gaps {
        match joined.last_mut() {
            Some(last) if gap.start <= last.end => {
                last.cut |= gap.cut && gap.end >= last.end;
                last.end = last.end.max(gap.end);
            }
            _ => joined.push(gap),
        }
    }
    joined
}

fn touches(dark: &[Gap], call: &CallRecord) -> bool {
    let next = dark.partition_point(|gap| gap.end <= call.intended);
    dark.get(next).is_some_and(|gap| gap.start < call.done)
}

fn overlap(dark: &[Gap], from: Nanos, to: Nanos) -> Nanos {
    dark.iter().map(|gap| gap.end.min(to).saturating_sub(gap.start.max(from))).sum()
}
