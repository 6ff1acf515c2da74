//! What the machine itself showed in its migration: its clock, and how far its CPUs
//! were held back.

use super::super::Migration;
use super::cell;

/// What was seen of the guest: its clock, and whether it was slowed down.
pub(super) fn guest_rows(migration: &Migration) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    if let Some(step) = migration.guest_clock_step_s {
        let bound = migration.guest_clock_step_bound_s;
        rows.push(vec![
            "guest clock step".to_owned(),
            format!("{step:+.2} s"),
            bound.map_or_else(|| cell::NONE.to_owned(), |bound| format!("± {bound:.2} s")),
            match step {
                _ if bound.is_some_and(|bound| step.abs() <= bound) => {
                    "no step in the Date headers of its replies"
                }
                step if step < 0.0 => {
                    "its clock is behind after the move, by the Date headers of its replies; a \
                     server that renews its Date late may add up to 1 s"
                }
                _ => {
                    "its clock is ahead after the move, by the Date headers of its replies; a \
                     server that renews its Date late may add up to 1 s"
                }
            }
            .to_owned(),
        ]);
    }
    if let Some(throttle) = &migration.throttle {
        rows.push(vec![
            "CPU throttled".to_owned(),
            format!("≤ {} %", throttle.most_percent),
            cell::NONE.to_owned(),
            format!(
                "of the virtual CPUs' time at the most, by the hypervisor (auto-converge), seen \
                 from {} to {}",
                cell::seconds(throttle.from_s),
                cell::seconds(throttle.to_s)
            ),
        ]);
    }
    rows
}
