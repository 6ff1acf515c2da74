//! What is asked before a migration: states, the listening target, round trips. What
//! is set is in [`super::settings`]. All by name; no version is compared.

use serde_json::{Value, json};

use super::options::{QmpAddress, QmpOptions};
use super::session::Session;
use crate::clock::{Nanos, monotonic_ns};
use crate::migration::foreign_clock::{HypervisorClock, Mapping};
use crate::migration::side::Side;
use crate::migration::trigger::{TriggerError, VmFacts};

/// States of `query-migrate` in which no migration is under way. All others are busy,
/// those of newer versions too.
const IDLE: [&str; 5] = ["", "none", "completed", "failed", "cancelled"];

/// Round trips that are measured on each socket.
const ROUND_TRIPS: usize = 5;

pub(super) fn sides(session: &Session) -> &'static [Side] {
    if session.has_target() { &[Side::Source, Side::Target] } else { &[Side::Source] }
}

/// Checks that both sides can begin, and tells what is known of the machine.
pub(super) fn look(session: &mut Session) -> Result<VmFacts, TriggerError> {
    let status = session.execute(Side::Source, "query-status", Value::Null)?;
    let place = session.place(Side::Source);
    if status["running"].as_bool() != Some(true) {
        let status = status["status"].as_str().unwrap_or("unknown");
        return Err(TriggerError::refused(
            format!("migrating the machine of {place}"),
            format!("it does not run (its state is {status})"),
        ));
    }
    if let Some(busy) = busy(session, Side::Source)? {
        return Err(TriggerError::refused(
            format!("migrating the machine of {place}"),
            format!("a migration is in progress (its state is {busy})"),
        ));
    }
    if session.has_target() {
        let status = session.execute(Side::Target, "query-status", Value::Null)?;
        let status = status["status"].as_str().unwrap_or("unknown");
        if status != "inmigrate" {
            return Err(TriggerError::refused(
                format!("migrating to {}", session.place(Side::Target)),
                format!(
                    "it does not wait for a migration (its state is {status}): start it with \
                     -incoming defer"
                ),
            ));
        }
    }
    let mut facts = VmFacts {
        hypervisor: Some(session.version.clone()),
        running: Some(true),
        ..VmFacts::default()
    };
    facts.memory_bytes = memory_bytes(session)?;
    Ok(facts)
}

/// Memory of the source, in bytes. Very old versions do not tell it.
pub(in crate::migration) fn memory_bytes(
    session: &mut Session,
) -> Result<Option<u64>, TriggerError> {
    let memory = session.ask(Side::Source, "query-memory-size-summary", Value::Null)?;
    let Ok(memory) = memory else { return Ok(None) };
    let size = |name: &str| memory[name].as_u64();
    let plugged = size("plugged-memory").unwrap_or(0);
    Ok(size("base-memory").and_then(|base| base.checked_add(plugged)))
}

/// The state of a migration that is under way.
pub(in crate::migration) fn busy(
    session: &mut Session,
    side: Side,
) -> Result<Option<String>, TriggerError> {
    let state = session.execute(side, "query-migrate", Value::Null)?;
    let status = state["status"].as_str().unwrap_or_default();
    Ok((!IDLE.contains(&status)).then(|| status.to_owned()))
}

/// Makes the target listen. Returns false if it does so already (`-incoming
/// tcp:…`, or an earlier try), in which case nobody knows at which URI.
pub(super) fn listen(session: &mut Session, options: &QmpOptions) -> Result<bool, TriggerError> {
    if busy(session, Side::Target)?.is_some() {
        return Ok(false);
    }
    let uri = options.listen.as_ref().unwrap_or(&options.to);
    match session.execute(Side::Target, "migrate-incoming", json!({ "uri": uri })) {
        Ok(_) => Ok(true),
        // QEMU 7.2 shows no state of a target that listens, and has no class for
        // this error; only its text tells it from a bad URI.
        Err(TriggerError::Refused { reason, .. }) if reason.contains("already been started") => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Measures the round trips of a socket and tells how its times are mapped.
pub(super) fn mapping(
    session: &mut Session,
    side: Side,
    address: &QmpAddress,
    clock: HypervisorClock,
) -> Result<Mapping, TriggerError> {
    let mut trips: Vec<Nanos> = Vec::with_capacity(ROUND_TRIPS);
    for _ in 0..ROUND_TRIPS {
        let sent = monotonic_ns();
        session.execute(side, "query-status", Value::Null)?;
        trips.push(monotonic_ns() - sent);
    }
    Ok(match (clock, address) {
        (HypervisorClock::Local, _) | (HypervisorClock::Auto, QmpAddress::Unix(_)) => {
            Mapping::Local
        }
        (HypervisorClock::Remote, _) | (HypervisorClock::Auto, QmpAddress::Tcp(_)) => {
            Mapping::remote(&trips)
        }
    })
}
