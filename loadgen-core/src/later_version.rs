//! Documents that a later version wrote: fields that this one does not know are passed over, and
//! named to whoever must know that they were there.
//!
//! The types of a plan are strict, since people write some of them, and a misspelt setting must not
//! become the default. They stay so: a field that they refuse is taken out, and they are asked
//! again.

use std::collections::BTreeMap;
use std::error::Error;

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

/// Most fields that are passed over: finding one takes reading the document a few times.
const MOST: usize = 100;

/// A document that cannot be read, even without the fields that are not known.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// Where, such as `migration.phases[2].name`; `.` is the document itself.
    pub(crate) path: String,
    /// What is wrong there.
    pub(crate) reason: String,
}

/// What the document says, and the paths of the fields that were passed over, such as
/// `load.pool.shape` or `stages[].colour`, of all elements.
///
/// # Errors
/// [`Unreadable`] for anything but an unknown field.
pub(crate) fn read<T: DeserializeOwned>(
    mut document: Value,
) -> Result<(T, Vec<String>), Unreadable> {
    let mut passed_over = Vec::new();
    loop {
        let refused = match serde_path_to_error::deserialize::<_, T>(&document) {
            Ok(read) => return Ok((read, passed_over)),
            Err(refused) => refused,
        };
        let unknown = match unknown_field(refused.inner()) {
            Some(name) if passed_over.len() < MOST => {
                take_out::<T>(&mut document, &shape(refused.path(), &name), &name)
            }
            _ => Vec::new(),
        };
        if unknown.is_empty() {
            let (path, reason) = (refused.path().to_string(), refused.inner().to_string());
            return Err(Unreadable { path, reason });
        }
        passed_over.extend(unknown);
    }
}

/// The field that an error of serde ([`serde::de::Error::unknown_field`]) complains of.
fn unknown_field(error: &impl Error) -> Option<String> {
    let error = error.to_string();
    let (name, _) = error.strip_prefix("unknown field `")?.split_once("`, ")?;
    Some(name.to_owned())
}

/// The way to a field from the document down, [`ELEMENT`] for any element of an array.
type Shape = Vec<String>;

const ELEMENT: &str = "[]";

/// Where an error is, above the field of this name.
fn shape(path: &Path, name: &str) -> Shape {
    let mut shape = Vec::new();
    for segment in path {
        match segment {
            Segment::Map { key } => shape.push(key.clone()),
            Segment::Seq { .. } => shape.push(ELEMENT.to_owned()),
            Segment::Enum { .. } | Segment::Unknown => break,
        }
    }
    if shape.last().is_some_and(|last| last == name) {
        shape.pop();
    }
    shape
}

/// Takes out what is refused of the fields of this name at or below this place, and gives its
/// paths. A type that is told by a tag says that it refuses a field, but not where within it, so
/// that each is tried: whichever brings the complaint back is not known.
fn take_out<T: DeserializeOwned>(document: &mut Value, at: &[String], name: &str) -> Vec<String> {
    let is_refused = |document: &Value| {
        let error = serde_path_to_error::deserialize::<_, T>(document).err();
        error.is_some_and(|error| {
            unknown_field(error.inner()).is_some_and(|of| of == name)
                && shape(error.path(), name) == at
        })
    };
    let mut taken = BTreeMap::new();
    take_all(document, name, (&mut String::new(), &mut Vec::new()), at, &mut taken);
    let mut unknown = Vec::new();
    for (shape, fields) in taken {
        for (holder, value) in &fields {
            set(document, holder, name, Some(value.clone()));
        }
        if is_refused(document) {
            for (holder, _) in &fields {
                set(document, holder, name, None);
            }
            unknown.push(told(&shape, name));
        }
    }
    unknown
}

/// Fields that were taken out: by shape, the JSON pointers of the objects and the values.
type Taken = BTreeMap<Shape, Vec<(String, Value)>>;

/// Takes all fields of this name out of the objects at or below a place.
fn take_all(
    here: &mut Value,
    name: &str,
    (pointer, shape): (&mut String, &mut Shape),
    at: &[String],
    taken: &mut Taken,
) {
    if let Value::Object(fields) = here
        && shape.starts_with(at)
        && let Some(value) = fields.remove(name)
    {
        taken.entry(shape.clone()).or_default().push((pointer.clone(), value));
    }
    let mut below = |step: &str, shown: &str, value: &mut Value| {
        let length = pointer.len();
        *pointer += "/";
        *pointer += &step.replace('~', "~0").replace('/', "~1");
        shape.push(shown.to_owned());
        take_all(value, name, (pointer, shape), at, taken);
        shape.pop();
        pointer.truncate(length);
    };
    match here {
        Value::Object(fields) => fields.iter_mut().for_each(|(key, value)| below(key, key, value)),
        Value::Array(elements) => {
            let elements = elements.iter_mut().enumerate();
            elements.for_each(|(index, value)| below(&index.to_string(), ELEMENT, value));
        }
        _ => {}
    }
}

fn set(document: &mut Value, holder: &str, name: &str, value: Option<Value>) {
    let Some(Value::Object(fields)) = document.pointer_mut(holder) else { return };
    match value {
        Some(value) => fields.insert(name.to_owned(), value),
        None => fields.remove(name),
    };
}

fn told(shape: &[String], name: &str) -> String {
    let mut path = String::new();
    for step in shape.iter().map(String::as_str).chain([name]) {
        if !path.is_empty() && step != ELEMENT {
            path.push('.');
        }
        path += step;
    }
    path
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        name: String,
        #[serde(default)]
        inner: Option<Box<Outer>>,
        #[serde(default)]
        kinds: Vec<Kind>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(tag = "kind", deny_unknown_fields)]
    enum Kind {
        One { name: String },
        Many { all: Vec<Outer> },
    }

    fn passed_over(document: Value) -> Vec<String> {
        read::<Outer>(document).unwrap().1
    }

    #[test]
    fn unknown_fields_are_named_wherever_they_are() {
        let outer = |name: &str| json!({"name": name});
        assert_eq!(passed_over(outer("a")), [""; 0]);
        assert_eq!(passed_over(json!({"name": "a", "new": {"name": 1}})), ["new"]);
        let nested = json!({"name": "a", "inner": {"name": "b", "new": 1, "newer": [1]}});
        assert_eq!(passed_over(nested), ["inner.new", "inner.newer"]);
        // The same name above and below, and one that goes by the name of its holder.
        let inner = json!({"name": "b", "new": 1, "inner": {"name": "c", "new": 2}});
        let both = json!({"name": "a", "inner": inner, "new": {"new": 1}});
        let mut all = passed_over(both);
        all.sort();
        assert_eq!(all, ["inner.inner.new", "inner.new", "new"]);
    }

    #[test]
    fn within_what_a_tag_tells_too() {
        let known = json!({"kind": "One", "name": "a"});
        let unknown = json!({"kind": "One", "name": "a", "new": 1});
        let many = json!({"kind": "Many", "all": [{"name": "a", "new": 1}, {"name": "b"}]});
        let document = json!({"name": "a", "kinds": [known, unknown, many]});
        let (read, passed_over) = read::<Outer>(document).unwrap();
        assert_eq!(passed_over, ["kinds[].new", "kinds[].all[].new"]);
        assert_eq!(read.kinds.len(), 3);
        // A name that is known where the tag says so, and not within.
        let within = json!({"kind": "Many", "all": [{"name": "a", "kind": "new"}]});
        let document = json!({"name": "a", "kinds": [within]});
        assert_eq!(super::read::<Outer>(document).unwrap().1, ["kinds[].all[].kind"]);
    }

    #[test]
    fn all_elements_are_one() {
        let kinds: Vec<_> =
            (0..5_000).map(|k| json!({"kind": "One", "name": k.to_string(), "~/": k})).collect();
        let document = json!({"name": "a", "kinds": kinds});
        let (read, passed_over) = read::<Outer>(document).unwrap();
        assert_eq!((read.kinds.len(), passed_over), (5_000, vec!["kinds[].~/".to_owned()]));
    }

    #[test]
    fn anything_else_is_told_where_it_is() {
        let error = |document: Value| {
            let Unreadable { path, reason } = read::<Outer>(document).unwrap_err();
            format!("{path}: {reason}")
        };
        assert_eq!(error(json!({"new": 1})), ".: missing field `name`");
        let wrong = json!({"name": "a", "new": 1, "inner": {"name": 1}});
        assert_eq!(error(wrong), "inner.name: invalid type: integer `1`, expected a string");
        let other = json!({"name": "a", "kinds": [{"kind": "New"}]});
        assert_eq!(error(other), "kinds[0].kind: unknown variant `New`, expected `One` or `Many`");
        let mut many = json!({"name": "a"});
        (0..2 * MOST).for_each(|k| many[format!("new{k}")] = json!(k));
        assert!(error(many).contains("unknown field `new"));
    }
}
