//! Stops and resumes whose time a trigger's program did not tell, or told by another
//! clock, and those that a manager told in place of its hypervisor. Only when the line was received
//! is known then, and how late it was printed is not: the receipt is no earlier than the event, and
//! no bound of it.

use crate::event::{Event, EventKind};
use crate::report::VerdictStatus::{self, Degraded};

/// Whether the program told a time that cannot be.
pub(super) fn is_refused(event: &Event) -> bool {
    event.attributes.contains_key("t_refused")
}

/// Whether stop and resume of a program are no better known than by the receipt of
/// their lines, without those that are refused.
pub(super) fn by_receipt(events: &[&Event]) -> bool {
    let cpu = |event: &&&Event| matches!(event.kind, EventKind::Stop | EventKind::Resume);
    let untold = |event: &Event| {
        let is_program = event.source == "command";
        (is_program && !event.attributes.contains_key("received_after_s"))
            || event.attributes.contains_key("by_receipt")
    };
    events.iter().filter(cpu).any(|event| untold(event) && !is_refused(event))
}

/// What is told of times that were refused.
pub(super) fn reason(events: &[Event]) -> Option<(VerdictStatus, String)> {
    let refused: Vec<&Event> = events.iter().filter(|event| is_refused(event)).collect();
    let first = refused.first()?;
    let mut names: Vec<&str> = refused.iter().map(|event| event.kind.name()).collect();
    names.sort_unstable();
    names.dedup();
    let cpu = names.iter().any(|name| ["stop", "resume"].contains(name));
    let left_out = if cpu {
        "; stop and resume are not used, and the downtime by events is not known"
    } else {
        ""
    };
    let text = format!(
        "the trigger told {} by another clock ({}; first: {} at t = {}), before it began or after \
         the line was received: the time of receipt stands instead{left_out}; print Unix time of \
         this host, or synchronise the clocks of both hosts",
        match refused.len() {
            1 => "1 time".to_owned(),
            n => format!("{n} times"),
        },
        names.join(", "),
        first.kind.name(),
        first.attributes["t_refused"],
    );
    Some((Degraded, text))
}
