//! The calls of each tag before, during and after.

use super::marks::Cut;
use super::phases::{histogram, is_error_reply, is_lost};
use super::view::View;
use crate::record::CallRecord;
use crate::report::latency::latency;
use crate::report::{TagImpact, TagSpan};

/// What of a run is neither before the migration nor in it nor after it.
const WARM_UP: &str = "warm-up";

/// Of each tag; empty unless requests have tags.
pub(super) fn tags(view: &View<'_>) -> Vec<TagImpact> {
    let of = |number: usize, is_in: fn(&str) -> bool| {
        let cuts = view.marks.cuts.iter().filter(|cut| is_in(&cut.name));
        let calls = cuts.flat_map(|cut: &Cut| view.intended(cut.start, cut.end));
        span(calls.filter(|call| usize::from(call.tag) == number).copied().collect())
    };
    (0..)
        .zip(view.input.tags)
        .map(|(number, tag)| TagImpact {
            tag: tag.clone(),
            before: of(number, |name| name == "before"),
            during: of(number, |name| !matches!(name, WARM_UP | "before" | "after")),
            after: of(number, |name| name == "after"),
        })
        .collect()
}

fn span(calls: Vec<CallRecord>) -> TagSpan {
    let count =
        |is_so: fn(&CallRecord) -> bool| calls.iter().filter(|call| is_so(call)).count() as u64;
    TagSpan {
        offered: calls.len() as u64,
        lost: count(is_lost),
        error_replies: count(is_error_reply),
        response_time: histogram(&calls).map(|h| latency(&h, false)).unwrap_or_default(),
    }
}
