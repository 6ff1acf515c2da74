//! A published JSON Schema, held against documents: for the tests of reports and sweeps.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// A schema of `docs/`.
#[derive(Debug, Clone)]
pub(crate) struct Schema(Value);

impl Schema {
    pub(crate) fn read(name: &str) -> Self {
        let path = format!("{}/schemas/{name}", env!("CARGO_MANIFEST_DIR"));
        Self(serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
    }

    pub(crate) fn root(&self) -> &Value {
        &self.0
    }

    /// The same schema with unknown fields refused. The published one lets them
    /// pass, since later versions may add some.
    pub(crate) fn strict(&self) -> Self {
        Self(strict(self.0.clone()))
    }

    pub(crate) fn takes(&self, document: &Value) -> bool {
        jsonschema::validator_for(&self.0).unwrap().is_valid(document)
    }

    /// Fails with what is wrong with the document.
    pub(crate) fn validate(&self, document: &Value) {
        let validator = jsonschema::validator_for(&self.0).unwrap();
        let errors: Vec<_> = validator
            .iter_errors(document)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .map(|error| error.chars().take(300).collect::<String>())
            .collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }

    /// Every property path, such as `migration.phases[].name`.
    pub(crate) fn paths(&self) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        paths(&self.0, &self.0, "", &mut all);
        all
    }

    /// The paths that no document has.
    pub(crate) fn not_in(&self, documents: &[Value]) -> Vec<String> {
        let lacks = |path: &String| !documents.iter().any(|document| leads(document, path));
        self.paths().into_iter().filter(lacks).collect()
    }
}

fn strict(mut node: Value) -> Value {
    match &mut node {
        Value::Object(object) => {
            for (_, value) in object.iter_mut() {
                *value = strict(value.take());
            }
            if object.get("properties").is_some_and(Value::is_object)
                && object.get("type") == Some(&json!("object"))
            {
                object.insert("additionalProperties".to_owned(), json!(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = strict(item.take())),
        _ => {}
    }
    node
}

fn paths(root: &Value, node: &Value, at: &str, into: &mut BTreeSet<String>) {
    if let Some(name) = node.get("$ref").and_then(Value::as_str) {
        let target = root.pointer(name.trim_start_matches('#')).unwrap();
        return paths(root, target, at, into);
    }
    for part in node.get("anyOf").and_then(Value::as_array).into_iter().flatten() {
        paths(root, part, at, into);
    }
    if let Some(items) = node.get("items") {
        paths(root, items, &format!("{at}[]"), into);
    }
    if let Some(values) = node.get("additionalProperties").filter(|v| v.is_object()) {
        paths(root, values, &format!("{at}.*"), into);
    }
    for (name, value) in node.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        into.insert(path.clone());
        paths(root, value, &path, into);
    }
}

/// Whether a path of the schema leads to a field of a report.
pub(super) fn leads(value: &Value, path: &str) -> bool {
    let Some((step, rest)) = path.split_once('.').or(Some((path, ""))) else { return false };
    let (name, list) = step.strip_suffix("[]").map_or((step, false), |name| (name, true));
    let follow = |next: &Value| rest.is_empty() || leads(next, rest);
    let object: Option<&Map<String, Value>> = value.as_object();
    let nexts: Vec<&Value> = match object {
        Some(object) if name == "*" => object.values().collect(),
        Some(object) => object.get(name).into_iter().collect(),
        None => return false,
    };
    if list && !rest.is_empty() {
        return nexts.iter().filter_map(|v| v.as_array()).flatten().any(follow);
    }
    nexts.into_iter().any(follow)
}
