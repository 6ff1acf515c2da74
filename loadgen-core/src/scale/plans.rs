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

/// What all shards of a plan have alike. Fingerprints of secrets are made with a key that each
/// machine has its own of.
fn shared(plan: &Plan) -> Value {
    let mut plan = plan.clone().without_secrets();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Load;
    use crate::request::Request;
    use crate::schedule::Schedule;

    fn plan(token: &str) -> Plan {
        let load = Load::established(Schedule::constant(10.0));
        let request = Request::get().with_secret_header("Authorization", token);
        Plan::new("http://127.0.0.1/".parse().unwrap(), load).with_request(request)
    }

    #[test]
    fn what_each_process_has_its_own_of_makes_no_other_plan() {
        let one = plan("as it is sent").with_shard(Shard::new(0, 4).unwrap());
        // As a machine writes it that has another key.
        let written = serde_json::to_string(&one).unwrap();
        let at = written.find("«redacted»").unwrap() + "«redacted» ".len();
        let mut other: Plan =
            serde_json::from_str(&format!("{}{}{}", &written[..at], "ffff", &written[at + 4..]))
                .unwrap();
        (other.threads, other.call_log) = (7, 9);
        let other = other.with_shard(Shard::new(3, 4).unwrap());
        assert_ne!(one, other);
        assert_eq!((difference(&one, &other), hash(&one)), (None, hash(&other)));
        let of_more = one.clone().with_shard(Shard::new(0, 5).unwrap());
        assert_eq!(difference(&one, &of_more).as_deref(), Some("shard.of"));
        let longer = one.clone().with_duration(std::time::Duration::from_secs(1));
        assert_eq!(difference(&one, &longer).as_deref(), Some("duration_s"));
        assert_ne!(hash(&one), hash(&longer));
    }
}
