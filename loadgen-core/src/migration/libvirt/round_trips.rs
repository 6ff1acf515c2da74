//! How the times of a host are mapped that is asked by virsh.

use super::options::is_local;
use super::virsh::Virsh;
use crate::clock::{Nanos, monotonic_ns};
use crate::migration::foreign_clock::{HypervisorClock, Mapping};
use crate::migration::trigger::TriggerError;

/// Questions in a virsh whose time is divided among them: a round trip each.
const ROUND_TRIPS: u64 = 8;
/// How often that is measured.
const MEASURED: usize = 3;

/// The mapping for the libvirt at this URI, whose clock is that of `whose`.
///
/// # Errors
/// [`TriggerError`] if it does not answer.
pub(in crate::migration) fn mapping(
    virsh: &Virsh,
    uri: &str,
    whose: HypervisorClock,
) -> Result<Mapping, TriggerError> {
    match whose {
        HypervisorClock::Local => return Ok(Mapping::Local),
        HypervisorClock::Auto if is_local(uri) => return Ok(Mapping::Local),
        _ => {}
    }
    let took = |questions: u64| -> Result<Nanos, TriggerError> {
        let began = monotonic_ns();
        let all = vec!["hostname"; questions as usize].join("; ");
        virsh.ask(Some(uri), &[all])?;
        Ok(monotonic_ns() - began)
    };
    // Each virsh takes its own time to start: a difference that is none says nothing.
    let (mut trips, mut whole) = (Vec::with_capacity(MEASURED), 0);
    for _ in 0..MEASURED {
        let one = took(1)?;
        whole = whole.max(one);
        let more = took(1 + ROUND_TRIPS)?.checked_sub(one).filter(|more| *more > 0);
        trips.extend(more.map(|more| more / ROUND_TRIPS));
    }
    if trips.len() < MEASURED {
        // Not longer than a whole virsh; that it took any time at all is not known.
        trips.extend([0, whole]);
    }
    Ok(Mapping::remote(&trips))
}
