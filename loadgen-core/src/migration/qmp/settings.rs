//! Capabilities and parameters: set before a migration, and put back after it.
//!
//! What an earlier migration left switched on makes this one another: a source with
//! `postcopy-ram` on, and a target without, break in the middle of a pre-copy. So all
//! that is known and not wanted is switched off on both sides. A capability that this
//! QEMU does not let us switch off is left, and named. What was changed is put back at
//! the end, wherever there is still somebody who answers.

use serde_json::{Map, Value, json};

use super::options::QmpOptions;
use super::session::Session;
use crate::migration::side::Side;
use crate::migration::trigger::{Strategy, TriggerError};

/// What was changed on one side, and how it was before.
#[derive(Debug, Default)]
pub(super) struct Changed {
    capabilities: Map<String, Value>,
    parameters: Map<String, Value>,
}

/// The capabilities of a side for this migration.
#[derive(Debug, Default)]
pub(super) struct Capabilities {
    /// On, as wanted.
    pub(super) on: Vec<String>,
    /// They were on before, and were switched off.
    pub(super) switched_off: Vec<String>,
    /// They are on, unwanted, and QEMU does not let us switch them off: why.
    pub(super) left_on: Map<String, Value>,
}

/// Switches on what the strategy and the user need, of which `events` is left out if
/// this QEMU lacks it, and everything else off.
pub(super) fn set_capabilities(
    session: &mut Session,
    side: Side,
    options: &QmpOptions,
    changed: &mut Changed,
) -> Result<Capabilities, TriggerError> {
    let reply = session.execute(side, "query-migrate-capabilities", Value::Null)?;
    let known: Vec<(&str, bool)> = reply
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|entry| Some((entry["capability"].as_str()?, entry["state"] == true)))
        .collect();
    let on = wanted(session, side, options, &known)?;
    let change = |name: &str, state: bool| json!({ "capability": name, "state": state });
    let switch_on: Vec<&str> =
        known.iter().filter(|(name, is)| !is && on.contains(name)).map(|c| c.0).collect();
    let switch_off: Vec<&str> =
        known.iter().filter(|(name, is)| *is && !on.contains(name)).map(|c| c.0).collect();
    let mut result = Capabilities {
        on: on.iter().map(|name| (*name).to_owned()).collect(),
        ..Capabilities::default()
    };
    let ons: Vec<Value> = switch_on.iter().map(|name| change(name, true)).collect();
    let offs: Vec<Value> = switch_off.iter().map(|name| change(name, false)).collect();
    // All at once, since some need others: QEMU judges the set that comes out.
    let all: Vec<Value> = ons.iter().chain(&offs).cloned().collect();
    if !all.is_empty() {
        match session.ask(side, "migrate-set-capabilities", json!({ "capabilities": all }))? {
            Ok(_) => result.switched_off = switch_off.iter().map(|s| (*s).to_owned()).collect(),
            Err(error) if offs.is_empty() => {
                return Err(refused(session, side, &ons, &error.desc));
            }
            Err(_) => {
                // Something must stay as it is: find out what, one by one.
                for (name, off) in switch_off.iter().zip(offs) {
                    let arguments = json!({ "capabilities": [off] });
                    match session.ask(side, "migrate-set-capabilities", arguments)? {
                        Ok(_) => result.switched_off.push((*name).to_owned()),
                        Err(error) => {
                            result.left_on.insert((*name).to_owned(), error.desc.into());
                        }
                    }
                }
                if !ons.is_empty() {
                    let arguments = json!({ "capabilities": ons });
                    let reply = session.ask(side, "migrate-set-capabilities", arguments)?;
                    if let Err(error) = reply {
                        for name in &result.switched_off {
                            changed.capabilities.insert(name.clone(), true.into());
                        }
                        return Err(refused(session, side, &ons, &error.desc));
                    }
                }
            }
        }
    }
    for name in switch_on {
        changed.capabilities.insert(name.to_owned(), false.into());
    }
    for name in &result.switched_off {
        changed.capabilities.insert(name.clone(), true.into());
    }
    Ok(result)
}

/// The names of what is to be on.
fn wanted<'a>(
    session: &Session,
    side: Side,
    options: &'a QmpOptions,
    known: &[(&'a str, bool)],
) -> Result<Vec<&'a str>, TriggerError> {
    let is_known = |name: &str| known.iter().any(|(known, _)| *known == name);
    let mut on: Vec<&str> = options.capabilities.iter().map(String::as_str).collect();
    let postcopy = options.strategy == Strategy::PostCopy;
    if postcopy {
        on.push("postcopy-ram");
    }
    if let Some(missing) = on.iter().find(|name| !is_known(name)) {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        return Err(TriggerError::refused(
            format!("the capability {missing} ({})", session.place(side)),
            format!("this QEMU has only: {}", names.join(", ")),
        ));
    }
    // Wanted, but not needed: how long post-copy blocks, and the events.
    let optional = [("postcopy-blocktime", postcopy && side == Side::Target), ("events", true)];
    on.extend(optional.iter().filter(|(name, want)| *want && is_known(name)).map(|o| o.0));
    on.sort_unstable();
    on.dedup();
    Ok(on)
}

fn refused(session: &Session, side: Side, ons: &[Value], desc: &str) -> TriggerError {
    let names: Vec<&str> = ons.iter().filter_map(|on| on["capability"].as_str()).collect();
    let what = format!("switching on {} ({})", names.join(", "), session.place(side));
    TriggerError::refused(what, desc)
}

/// Sets the parameters of a side and returns those in force. The limits count at the
/// source, which sends; what the user names may have to be the same on both sides.
pub(super) fn set_parameters(
    session: &mut Session,
    side: Side,
    options: &QmpOptions,
    changed: &mut Changed,
) -> Result<Map<String, Value>, TriggerError> {
    let limit_ms = options.downtime_limit.map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX));
    let limits = [
        ("max-bandwidth", options.max_bandwidth),
        ("max-postcopy-bandwidth", options.max_postcopy_bandwidth),
        ("downtime-limit", limit_ms),
    ];
    let known = session.execute(side, "query-migrate-parameters", Value::Null)?;
    let mut wanted: Map<String, Value> = limits
        .into_iter()
        .filter(|_| side == Side::Source)
        .filter_map(|(name, value)| Some((name.to_owned(), value?.into())))
        .collect();
    for (name, value) in &options.parameters {
        wanted.insert(name.clone(), like(known.get(name), value));
    }
    if let Some(missing) = wanted.keys().find(|name| known.get(name.as_str()).is_none()) {
        return Err(TriggerError::refused(
            format!("the parameter {missing} ({})", session.place(side)),
            "this QEMU has no such parameter",
        ));
    }
    if !wanted.is_empty() {
        let set = session.ask(side, "migrate-set-parameters", wanted.clone().into())?;
        set.map_err(|error| {
            let names: Vec<&str> = wanted.keys().map(String::as_str).collect();
            let what = format!("setting {} ({})", names.join(", "), session.place(side));
            TriggerError::refused(what, error.desc)
        })?;
        for (name, value) in wanted {
            let before = &known[&name];
            if *before != value {
                changed.parameters.insert(name, before.clone());
            }
        }
    }
    match session.execute(side, "query-migrate-parameters", Value::Null)? {
        Value::Object(in_force) => Ok(in_force),
        _ => Ok(Map::new()),
    }
}

/// A value as QEMU wants it: of the type that it has now.
fn like(now: Option<&Value>, text: &str) -> Value {
    let is_text = now.is_none_or(Value::is_string);
    // What is no number is left to QEMU to refuse, which knows why.
    let read = (!is_text).then(|| serde_json::from_str(text).ok()).flatten();
    read.unwrap_or_else(|| text.into())
}

/// Puts back what was changed on a side, as far as that is possible there. Returns what
/// it was set to, and why the rest could not be; that stays in `changed`.
pub(super) fn put_back(
    session: &mut Session,
    side: Side,
    changed: &mut Changed,
) -> (Map<String, Value>, Option<String>) {
    let mut done = Map::new();
    let mut refused: Vec<String> = Vec::new();
    if session.closed(side).is_some() {
        return (done, None);
    }
    let mut set = |command: &str, arguments: Value| {
        let why = match session.ask(side, command, arguments) {
            Ok(Ok(_)) => return true,
            Ok(Err(error)) => format!("{command}: {}", error.desc),
            Err(error) => error.to_string(),
        };
        refused.push(why);
        false
    };
    if !changed.capabilities.is_empty() {
        let list: Vec<Value> = changed
            .capabilities
            .iter()
            .map(|(name, state)| json!({ "capability": name, "state": state }))
            .collect();
        if set("migrate-set-capabilities", json!({ "capabilities": list })) {
            let set = std::mem::take(&mut changed.capabilities);
            done.insert("capabilities".to_owned(), set.into());
        }
    }
    if !changed.parameters.is_empty()
        && set("migrate-set-parameters", changed.parameters.clone().into())
    {
        let set = std::mem::take(&mut changed.parameters);
        done.insert("parameters".to_owned(), set.into());
    }
    (done, (!refused.is_empty()).then(|| refused.join("; ")))
}
