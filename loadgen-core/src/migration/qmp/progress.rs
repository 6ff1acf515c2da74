//! What a reply to `query-migrate` tells of a migration: progress on the way and
//! the totals at the end. Fields that a version lacks are left out.

use serde_json::{Map, Value};

use crate::event::Event;

/// Of the reply itself.
const FIELDS: [(&str, &str); 3] = [
    ("expected-downtime", "expected_downtime_ms"),
    ("total-time", "total_time_ms"),
    ("cpu-throttle-percentage", "cpu_throttle_percent"),
];

/// Of its `ram`.
const RAM: [(&str, &str); 7] = [
    ("transferred", "transferred_bytes"),
    ("remaining", "remaining_bytes"),
    ("total", "total_bytes"),
    ("dirty-pages-rate", "dirty_pages_per_s"),
    ("dirty-sync-count", "dirty_sync_count"),
    ("page-size", "page_size_bytes"),
    ("mbps", "mbit_per_s"),
];

/// Adds the progress to an event.
pub(crate) fn progress(mut event: Event, status: &str, state: &Value) -> Event {
    event.attributes.insert("status".to_owned(), status.into());
    rename(state, &FIELDS, &mut event.attributes);
    rename(&state["ram"], &RAM, &mut event.attributes);
    event
}

/// Which pass over the memory is under way, from 1.
pub(crate) fn sync_count(state: &Value) -> Option<u32> {
    let count = state["ram"]["dirty-sync-count"].as_u64()?;
    u32::try_from(count).ok().filter(|count| *count > 0)
}

fn rename(from: &Value, names: &[(&str, &str)], to: &mut Map<String, Value>) {
    for (theirs, ours) in names {
        if let Some(value) = from.get(theirs) {
            to.insert((*ours).to_owned(), value.clone());
        }
    }
}

/// What of a final reply of the source is kept as it is.
pub(crate) fn totals(state: &Value) -> Map<String, Value> {
    let mut kept = Map::new();
    for (name, value) in state.as_object().into_iter().flatten() {
        match value {
            Value::Object(fields) if name == "ram" => {
                kept.insert("ram".to_owned(), Value::Object(fields.clone()));
            }
            Value::Object(_) => {}
            other => {
                kept.insert(name.clone(), other.clone());
            }
        }
    }
    kept
}
