//! Whether shards carry out the same plan.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::plan::{Plan, Shard};

/// The first field in which plans differ, but for what each process has its own of.
pub(super) fn difference(one: &Plan, other: &Plan) -> Option<String> {
    differing(&shared(one), &shared(other))
}

/// A hash of what all shards of a plan have alike, by which they know that it is one.
pub(super) fn hash(plan: &Plan) -> String {
    let digest = Sha256::digest(shared(plan).to_string());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What all shards of a plan have alike.
fn shared(plan: &Plan) -> Value {
    let mut plan = plan.clone();
    plan.shard = plan.shard.map(|shard| Shard::new(0, shard.of()).unwrap_or(shard));
    (plan.threads, plan.call_log) = (1, 0);
    serde_json::to_value(plan).unwrap_or_default()
}

fn differing(one: &Value, other: &Value) -> Option<String> {
    if let (Value::Object(mine), Value::Object(theirs)) = (one, other) {
        let keys = mine.keys().chain(theirs.keys().filter(|key| !mine.contains_key(*key)));
        return keys
            .filter_map(|key| {
                let null = Value::Null;
                let [mine, theirs] = [mine, theirs].map(|map| map.get(key).unwrap_or(&null));
                let inner = differing(mine, theirs)?;
                Some(if inner.is_empty() { key.clone() } else { format!("{key}.{inner}") })
            })
            .next();
    }
    (one != other).then(String::new)
}
