//! A step of the guest's clock across the move, by the `Date` of its replies.
//!
//! A reply that was asked for at *s* and read by *r* (our clock) and that names the
//! second *D* was made at some *g* in `[s, r]`, when the guest's clock showed a time
//! in `[D, D + 1 s)`. So guest − ours lies in `[D − r, D + 1 s − s)`; many replies
//! narrow this to their distance. The difference between the intervals of before
//! and after is the step. Our clock is monotonic: steps of its wall clock are not
//! in it.
//!
//! A server that renews its `Date` late (some do so once a second) contradicts
//! itself by that much: the two ends of its interval cross, and the bound is as wide
//! as they are apart.

use crate::clock::{Nanos, SECOND};
use crate::event::EventKind;
use crate::record::DateSample;

use super::view::View;

/// How far the guest's clock went wrong, and the bound, in seconds.
pub(super) fn step(view: &View<'_>) -> Option<(f64, f64)> {
    let marks = &view.marks;
    let fired = marks.fired?;
    let left = marks.stopped().unwrap_or(fired);
    let completed = || match marks.last {
        Some((at, EventKind::Completed)) => Some(at),
        _ => None,
    };
    let arrived = marks.resumed().or_else(completed)?;
    let dates = view.input.dates;
    let (low, high) = offset(dates.iter().filter(|sample| sample.received < left))?;
    let (low_after, high_after) = offset(dates.iter().filter(|sample| sample.sent > arrived))?;
    let (least, most) = (low_after - high, high_after - low);
    let seconds = |nanos: i128| nanos as f64 / 1e9;
    Some((seconds(least + (most - least) / 2), seconds(most - least) / 2.0))
}

/// The interval in which guest − ours lies, in ns.
fn offset<'a>(samples: impl Iterator<Item = &'a DateSample>) -> Option<(i128, i128)> {
    let (mut low, mut high) = (None, None);
    for sample in samples {
        // Nanoseconds of a date of any year do not fit into 64 bits.
        let date = i128::from(sample.date_s) * i128::from(SECOND);
        let since = |at: Nanos| date - i128::from(at);
        low = low.max(Some(since(sample.received)));
        let latest = since(sample.sent) + i128::from(SECOND);
        high = Some(high.map_or(latest, |high: i128| high.min(latest)));
    }
    let (low, high) = low.zip(high)?;
    Some((low.min(high), low.max(high)))
}
