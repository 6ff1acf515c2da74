//! Documents that a later version wrote: fields that this one does not know are passed over, and
//! named to whoever must know that they were there.
//!
//! The types of a plan are strict, since people write some of them, and a misspelt setting must not
//! become the default. They stay so: a field that they refuse is taken out, and they are asked
//! again.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer};
use serde_json::{Map, Value};
use serde_path_to_error::Segment;

/// How often a document is read to find what is not known in it. A hostile one costs so much, and
/// no more.
const MOST_READS: u32 = 200;

/// Most shapes of places that a field is looked for in.
const MOST_PLACES: usize = 32;

/// A document that cannot be read, even without the fields that are not known.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// Where, such as `migration.phases[2].name`; `.` is the document itself.
    pub(crate) path: String,
    /// What is wrong there.
    pub(crate) reason: String,
}

/// What the document says, and the paths of the fields that were passed over, such as
/// `load.pool.shape`, or `stages[].colour` for those of all elements. They are taken out of the
/// document.
///
/// # Errors
/// [`Unreadable`] for anything but an unknown field.
pub(crate) fn read<T: DeserializeOwned>(
    document: &mut Value,
) -> Result<(T, Vec<String>), Unreadable> {
    let mut passed_over = Vec::new();
    let mut reads = MOST_READS;
    loop {
        let complaint = match read_once::<T>(document) {
            Ok(read) => return Ok((read, passed_over)),
            Err(complaint) => complaint,
        };
        let taken = match &complaint.unknown {
            Some(name) => take_out::<T>(document, &complaint, name, &mut reads),
            None => None,
        };
        match taken {
            Some(paths) => passed_over.extend(paths),
            None => return Err(Unreadable { path: complaint.told, reason: complaint.reason }),
        }
    }
}

/// For variants without fields of types that are told by a tag: serde takes such a variant with
/// whatever stands beside its tag.
///
/// # Errors
/// That of serde for an unknown field.
pub(crate) fn nothing_beside<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}
    Nothing::deserialize(deserializer).map(|Nothing {}| ())
}

/// Why a type does not take a document.
#[derive(Debug, PartialEq, Eq)]
struct Complaint {
    /// The field that it does not know, if that is why.
    unknown: Option<String>,
    /// Where that is, as far as the type says it.
    at: Vec<Step>,
    told: String,
    reason: String,
}

fn read_once<T: DeserializeOwned>(document: &Value) -> Result<T, Complaint> {
    serde_path_to_error::deserialize(document).map_err(|error| {
        let at = error.path().iter().map_while(|segment| match segment {
            Segment::Map { key } => Some(Step::Field(key.clone())),
            Segment::Seq { index } => Some(Step::Element(*index)),
            Segment::Enum { .. } | Segment::Unknown => None,
        });
        let reason = error.inner().to_string();
        let unknown = quoted(&reason, "unknown field `").map(str::to_owned);
        Complaint { unknown, at: at.collect(), told: error.path().to_string(), reason }
    })
}

/// The field that an error of serde names ([`serde::de::Error::unknown_field`], `missing_field`).
fn quoted<'a>(error: &'a str, begin: &str) -> Option<&'a str> {
    let name = error.strip_prefix(begin)?;
    // A name may have the mark in it; what is expected is told behind it.
    let end = name.rfind("`, expected").or_else(|| name.rfind("`, there are no"));
    Some(&name[..end.unwrap_or_else(|| name.rfind('`').unwrap_or(name.len()))])
}

/// A step down in a document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Field(String),
    Element(usize),
    /// Any element.
    Each,
}

/// Takes out what the type complains of, and gives its paths; `None`: it cannot be found.
///
/// A plain type says where the field is. One that is told by a tag says only where it is itself,
/// so that the field is looked for there and below, in all elements of lists at once. It is found
/// where the complaint ends without it, and no other comes that it is missing.
fn take_out<T: DeserializeOwned>(
    document: &mut Value,
    complaint: &Complaint,
    name: &str,
    reads: &mut u32,
) -> Option<Vec<String>> {
    let mut places = Vec::new();
    if let Some(here) = follow(document, &complaint.at) {
        let mut below = BTreeSet::new();
        having(here, name, &mut Vec::new(), &mut below);
        let at = |below: Vec<Step>| [complaint.at.clone(), below].concat();
        places.extend(below.into_iter().map(at));
    }
    places.sort_by_key(Vec::len);
    // The path of a plain type ends in the field.
    if let Some((Step::Field(last), holder)) = complaint.at.split_last()
        && last == name
    {
        places.push(holder.to_vec());
    }
    let mut ends = |document: &Value| {
        *reads = reads.checked_sub(1)?;
        Some(match read_once::<T>(document) {
            Ok(_) => true,
            Err(other) => {
                let same = other.unknown.as_deref() == Some(name) && other.at == complaint.at;
                !same && quoted(&other.reason, "missing field `") != Some(name)
            }
        })
    };
    for place in &places {
        let values = taken(document, place, name);
        if ends(document)? {
            return Some(vec![told(place, name)]);
        }
        put_back(document, place, name, values);
    }
    // It is not known in several places.
    for (index, place) in places.iter().enumerate() {
        taken(document, place, name);
        if ends(document)? {
            return Some(places[..=index].iter().map(|place| told(place, name)).collect());
        }
    }
    None
}

/// What stands at a place without [`Step::Each`], as far down as there is something.
fn follow<'a>(document: &'a Value, place: &[Step]) -> Option<&'a Value> {
    place.iter().try_fold(document, |here, step| match step {
        Step::Field(key) => here.get(key),
        Step::Element(index) => here.get(index),
        Step::Each => None,
    })
}

/// The places below of the objects that have a field of this name, the elements of lists as one.
fn having(here: &Value, name: &str, place: &mut Vec<Step>, found: &mut BTreeSet<Vec<Step>>) {
    if found.len() >= MOST_PLACES {
        return;
    }
    match here {
        Value::Object(fields) => {
            if fields.contains_key(name) && !found.contains(place.as_slice()) {
                found.insert(place.clone());
            }
            for (key, value) in fields {
                place.push(Step::Field(key.clone()));
                having(value, name, place, found);
                place.pop();
            }
        }
        Value::Array(elements) => {
            place.push(Step::Each);
            elements.iter().for_each(|value| having(value, name, place, found));
            place.pop();
        }
        _ => {}
    }
}

/// All objects at a place, in their order.
fn holders(here: &mut Value, place: &[Step], each: &mut impl FnMut(&mut Map<String, Value>)) {
    let Some((step, rest)) = place.split_first() else {
        if let Value::Object(fields) = here {
            each(fields);
        }
        return;
    };
    match (step, here) {
        (Step::Field(key), Value::Object(fields)) => {
            if let Some(value) = fields.get_mut(key) {
                holders(value, rest, each);
            }
        }
        (Step::Element(index), Value::Array(elements)) => {
            if let Some(value) = elements.get_mut(*index) {
                holders(value, rest, each);
            }
        }
        (Step::Each, Value::Array(elements)) => {
            elements.iter_mut().for_each(|value| holders(value, rest, each));
        }
        _ => {}
    }
}

/// Takes the field of this name out of all objects at a place, and gives what it was in each.
fn taken(document: &mut Value, place: &[Step], name: &str) -> Vec<Option<Value>> {
    let mut values = Vec::new();
    holders(document, place, &mut |fields| values.push(fields.remove(name)));
    values
}

fn put_back(document: &mut Value, place: &[Step], name: &str, values: Vec<Option<Value>>) {
    let mut values = values.into_iter();
    holders(document, place, &mut |fields| {
        if let Some(value) = values.next().flatten() {
            fields.insert(name.to_owned(), value);
        }
    });
}

fn told(place: &[Step], name: &str) -> String {
    let mut path = String::new();
    for step in place {
        path += &match step {
            Step::Field(key) if path.is_empty() => key.clone(),
            Step::Field(key) => format!(".{key}"),
            Step::Element(index) => format!("[{index}]"),
            Step::Each => "[]".to_owned(),
        };
    }
    if !path.is_empty() {
        path.push('.');
    }
    path + name
}

#[cfg(test)]
mod tests {
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
        One {
            name: String,
            #[serde(default)]
            size: u32,
        },
        Many {
            all: Vec<Outer>,
        },
        #[serde(deserialize_with = "nothing_beside")]
        Nothing,
    }

    fn passed_over(mut document: Value) -> Vec<String> {
        read::<Outer>(&mut document).unwrap().1
    }

    fn error(mut document: Value) -> String {
        let Unreadable { path, reason } = read::<Outer>(&mut document).unwrap_err();
        format!("{path}: {reason}")
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
        let strange = json!({"name": "a", "a`, expected ~/\"": 1, "`": 2});
        let mut all = passed_over(strange);
        all.sort();
        assert_eq!(all, ["`", "a`, expected ~/\""]);
    }

    #[test]
    fn within_what_a_tag_tells_too() {
        let known = json!({"kind": "One", "name": "a", "size": 7});
        let unknown = json!({"kind": "One", "name": "a", "new": 1});
        let many = json!({"kind": "Many", "all": [{"name": "a", "new": 1}, {"name": "b"}]});
        let mut document = json!({"name": "a", "kinds": [known, unknown, many]});
        let (read, passed_over) = read::<Outer>(&mut document).unwrap();
        assert_eq!(passed_over, ["kinds[1].new", "kinds[2].all[].new"]);
        assert_eq!(read.kinds[0], Kind::One { name: "a".to_owned(), size: 7 });
        assert_eq!(
            document["kinds"][2],
            json!({"kind": "Many", "all": [{"name": "a"}, {"name": "b"}]})
        );
    }

    /// A field that one kind knows, and needs, may be unknown to its neighbour, its holder, or what
    /// it holds.
    #[test]
    fn a_namesake_that_is_known_stays() {
        let one = json!({"kind": "One", "name": "a", "size": 7});
        let cases = [
            // In another element, of another kind.
            (json!([one, {"kind": "Nothing", "size": 1}]), "kinds[1].size"),
            (json!([one, {"kind": "Many", "all": [], "name": "b"}]), "kinds[1].name"),
            // Above those that need it.
            (json!([{"kind": "Many", "name": "b", "all": [{"name": "c"}]}]), "kinds[0].name"),
            // Below, in a list of its own name.
            (
                json!([{"kind": "Many", "all": [{"name": "c", "all": 1}, {"name": "d"}]}]),
                "kinds[0].all[].all",
            ),
            (json!([{"kind": "Many", "all": [{"name": "c", "kind": 1}]}]), "kinds[0].all[].kind"),
        ];
        for (kinds, path) in cases {
            assert_eq!(passed_over(json!({"name": "a", "kinds": kinds})), [path]);
        }
        let holder = json!({"name": "a", "inner": {"name": "b", "kinds": [one, {"kind": "One",
            "name": "c", "kinds": []}]}});
        assert_eq!(passed_over(holder), ["inner.kinds[1].kinds"]);
    }

    #[test]
    fn one_that_is_unknown_at_two_depths_goes_at_both() {
        let inner = json!({"name": "b", "new": 1, "kinds": [{"kind": "Nothing", "new": 2}]});
        let kinds = json!([{"kind": "Many", "new": 3, "all": [inner]}]);
        let mut all = passed_over(json!({"name": "a", "kinds": kinds}));
        all.sort();
        assert_eq!(all, ["kinds[0].all[].kinds[].new", "kinds[0].all[].new", "kinds[0].new"]);
    }

    #[test]
    fn a_list_of_them_costs_one_search() {
        let all: Vec<_> = (0..5_000).map(|k| json!({"name": k.to_string(), "new": k})).collect();
        let document = json!({"name": "a", "kinds": [{"kind": "Many", "all": all}]});
        assert_eq!(passed_over(document), ["kinds[0].all[].new"]);
    }

    #[test]
    fn anything_else_is_told_where_it_is() {
        assert_eq!(error(json!({"new": 1})), ".: missing field `name`");
        let wrong = json!({"name": "a", "new": 1, "inner": {"name": 1}});
        assert_eq!(error(wrong), "inner.name: invalid type: integer `1`, expected a string");
        let other = json!({"name": "a", "kinds": [{"kind": "New"}]});
        let expected = "unknown variant `New`, expected one of `One`, `Many`, `Nothing`";
        assert_eq!(error(other), format!("kinds[0].kind: {expected}"));
    }

    /// What would take for ever is refused soon: so many unknown fields, or so many places where
    /// one could be.
    #[test]
    fn the_search_is_bounded() {
        let mut many = json!({"name": "a"});
        (0..2 * MOST_READS).for_each(|k| many[format!("new{k}")] = json!(k));
        assert!(error(many).contains("unknown field `new"));
        let places: Map<_, _> = (0..100_000).map(|k| (k.to_string(), json!({"x": 1}))).collect();
        let kinds = json!([{"kind": "One", "name": "a", "elsewhere": places, "x": 1}]);
        assert_eq!(passed_over(json!({"name": "a", "kinds": kinds})).len(), 2);
        let mut deep = json!({"x": 1});
        (0..60).for_each(|_| deep = json!({"x": deep}));
        let kinds = json!([{"kind": "One", "name": "a", "x": deep}]);
        assert_eq!(passed_over(json!({"name": "a", "kinds": kinds})), ["kinds[0].x"]);
        let unnamed = json!([{"kind": "Many", "all": [places]}]);
        assert!(error(json!({"name": "a", "kinds": unnamed})).contains("unknown field"));
    }
}
