//! What is asked and set before a migration: states, capabilities, parameters,
//! the listening target, round trips. All by name; no version is compared.

use serde_json::{Map, Value, json};

use super::client::Side;
use super::options::{QmpAddress, QmpClock, QmpOptions};
use super::session::Session;
use super::times::Mapping;
use crate::clock::{Nanos, monotonic_ns};
use crate::migration::trigger::{Strategy, TriggerError, VmFacts};

/// States of `query-migrate` in which a migration is under way.
const BUSY: [&str; 10] = [
    "setup",
    "cancelling",
    "active",
    "postcopy-active",
    "postcopy-paused",
    "postcopy-recover",
    "postcopy-recover-setup",
    "pre-switchover",
    "device",
    "wait-unplug",
];

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
    // Not known to very old versions; then the size stays unknown.
    if let Ok(memory) = session.ask(Side::Source, "query-memory-size-summary", Value::Null)? {
        let size = |name: &str| memory[name].as_u64();
        facts.memory_bytes =
            size("base-memory").map(|base| base + size("plugged-memory").unwrap_or(0));
    }
    Ok(facts)
}

fn busy(session: &mut Session, side: Side) -> Result<Option<String>, TriggerError> {
    let state = session.execute(side, "query-migrate", Value::Null)?;
    let status = state["status"].as_str().unwrap_or_default();
    Ok(BUSY.contains(&status).then(|| status.to_owned()))
}

/// Switches on what the strategy and the user need. Returns their names, of which
/// `events` is left out if this QEMU lacks it.
pub(super) fn set_capabilities(
    session: &mut Session,
    side: Side,
    options: &QmpOptions,
) -> Result<Vec<String>, TriggerError> {
    let reply = session.execute(side, "query-migrate-capabilities", Value::Null)?;
    let entries = reply.as_array().map(Vec::as_slice).unwrap_or_default();
    let known: Vec<&str> =
        entries.iter().filter_map(|entry| entry["capability"].as_str()).collect();
    let mut on: Vec<&str> = options.capabilities.iter().map(String::as_str).collect();
    let postcopy = options.strategy == Strategy::PostCopy;
    if postcopy {
        on.push("postcopy-ram");
    }
    if let Some(missing) = on.iter().find(|name| !known.contains(name)) {
        return Err(TriggerError::refused(
            format!("the capability {missing} ({})", session.place(side)),
            format!("this QEMU has only: {}", known.join(", ")),
        ));
    }
    // Wanted, but not needed: how long post-copy blocks, and the events.
    let optional = [("postcopy-blocktime", postcopy && side == Side::Target), ("events", true)];
    on.extend(optional.iter().filter(|(name, want)| *want && known.contains(name)).map(|o| o.0));
    on.sort_unstable();
    on.dedup();
    if !on.is_empty() {
        let list: Vec<Value> =
            on.iter().map(|name| json!({ "capability": name, "state": true })).collect();
        let arguments = json!({ "capabilities": list });
        session.execute(side, "migrate-set-capabilities", arguments)?;
    }
    Ok(on.into_iter().map(str::to_owned).collect())
}

/// Sets the limits and returns those in force. They count at the source, which
/// sends.
pub(super) fn set_parameters(
    session: &mut Session,
    options: &QmpOptions,
) -> Result<Map<String, Value>, TriggerError> {
    let limit_ms = options.downtime_limit.map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX));
    let wanted: Map<String, Value> = [
        ("max-bandwidth", options.max_bandwidth),
        ("max-postcopy-bandwidth", options.max_postcopy_bandwidth),
        ("downtime-limit", limit_ms),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value?.into())))
    .collect();
    let known = session.execute(Side::Source, "query-migrate-parameters", Value::Null)?;
    if let Some(missing) = wanted.keys().find(|name| known.get(name.as_str()).is_none()) {
        return Err(TriggerError::refused(
            format!("the parameter {missing} ({})", session.place(Side::Source)),
            "this QEMU has no such parameter",
        ));
    }
    if !wanted.is_empty() {
        session.execute(Side::Source, "migrate-set-parameters", wanted.into())?;
    }
    match session.execute(Side::Source, "query-migrate-parameters", Value::Null)? {
        Value::Object(in_force) => Ok(in_force),
        _ => Ok(Map::new()),
    }
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
    clock: QmpClock,
) -> Result<Mapping, TriggerError> {
    let mut trips: Vec<Nanos> = Vec::with_capacity(ROUND_TRIPS);
    for _ in 0..ROUND_TRIPS {
        let sent = monotonic_ns();
        session.execute(side, "query-status", Value::Null)?;
        trips.push(monotonic_ns() - sent);
    }
    Ok(Mapping::of(address, clock, &trips))
}
