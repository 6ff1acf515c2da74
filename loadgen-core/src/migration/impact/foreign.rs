//! Who answers while no virtual CPU runs? Not the machine that is migrated: the URL
//! leads elsewhere, something in front of it answers, or the times of the events are
//! wrong.

use crate::clock::{Nanos, as_millis};
use crate::migration::reach::{Check, Fate};
use crate::record::Outcome;
use crate::report::VerdictStatus::{self, Degraded, Invalid};

use super::marks::Blackout;
use super::outage::Outage;
use super::view::View;

/// So many answers are no accident.
const FOREIGN: usize = 2;

/// Whether something went both ways while surely no virtual CPU ran.
fn within(blackouts: &[Blackout], from: Nanos, to: Nanos) -> bool {
    blackouts.iter().any(|blackout| {
        from > blackout.stop.saturating_add(blackout.uncertainty)
            && to < blackout.resume.saturating_sub(blackout.uncertainty)
    })
}

/// Why checks say nothing of the machine, if others answered them.
pub(super) fn of_checks(view: &View<'_>, checks: &[Check]) -> Option<String> {
    let answered = |check: &&Check| match check.fate {
        Fate::Answered { by, .. } => within(&view.marks.blackouts, check.before, by),
        _ => false,
    };
    let count = checks.iter().filter(answered).count();
    (count >= FOREIGN).then(|| {
        format!(
            "{count} checks were sent and answered while no virtual CPU ran: something in front \
             of the machine answers in its place"
        )
    })
}

/// Why the downtime by events and what the users felt do not belong together, if so.
/// Where an outage covers most of the downtime, the times of the events may be just
/// a little off.
pub(super) fn of_calls(view: &View<'_>, outages: &[&Outage]) -> Option<(VerdictStatus, String)> {
    let blackouts = &view.marks.blackouts;
    let answered = |outcome: Outcome| outcome.is_answered();
    let count = view
        .calls
        .iter()
        .filter(|call| answered(call.outcome) && within(blackouts, call.sent, call.done))
        .count();
    if count < FOREIGN {
        return None;
    }
    let down: Nanos = blackouts.iter().map(|b| b.resume.saturating_sub(b.stop)).sum();
    let most = |outage: &&Outage| outage.gap().is_some_and(|gap| gap.length() * 2 > down);
    let status = if outages.iter().any(most) { Degraded } else { Invalid };
    let text = format!(
        "{count} calls were sent and answered while no virtual CPU ran, by the trigger's stop and \
         resume ({:.1} ms): the URL does not lead to the migrated machine, something in front of \
         it answers in its place, or the times of these events are wrong; check the URL and the \
         trigger, and repeat the run",
        as_millis(down)
    );
    Some((status, text))
}
