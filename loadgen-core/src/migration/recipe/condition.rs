//! What answers are judged by: conditions such as `/status/phase == Succeeded`.
//!
//! A condition on something that is not there does not hold, but for `missing`: an answer that says
//! nothing yet must not be taken for one that says what is waited for.

use serde::Deserialize;
use serde_json::Value;

use super::template::{Place, Template, Values};

/// A part of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) enum Pointer {
    /// A value in its JSON (RFC 6901).
    Json(String),
    /// One of its headers.
    Header(String),
    /// Its HTTP status.
    Status,
}

/// A part of an answer that is kept; `?` before it: nothing, if it is not there.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Saved {
    pub(super) pointer: Pointer,
    pub(super) is_optional: bool,
}

impl TryFrom<String> for Saved {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let optional = text.strip_prefix('?').map(str::to_owned);
        let is_optional = optional.is_some();
        Ok(Self { pointer: optional.unwrap_or(text).try_into()?, is_optional })
    }
}

/// What an answer said.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: http::HeaderMap,
    /// `Null` if it is no JSON.
    pub(super) json: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    pointer: Pointer,
    holds: Holds,
    text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Holds {
    Is(Template),
    IsNot(Template),
    Contains(Template),
    Lacks(Template),
    Exists,
    Missing,
}

/// Conditions: all of a list, or of one of several lists.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub(super) struct Predicate(Vec<Vec<Condition>>);

#[derive(Deserialize)]
#[serde(untagged, expecting = "a condition, a list of them, or a list of lists")]
enum Written {
    One(String),
    All(Vec<String>),
    AnyOf(Vec<Vec<String>>),
}

impl TryFrom<Written> for Predicate {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let lists = match written {
            Written::One(one) => vec![vec![one]],
            Written::All(all) => vec![all],
            Written::AnyOf(lists) => lists,
        };
        if lists.is_empty() || lists.iter().any(Vec::is_empty) {
            return Err("a list of conditions is empty, and would always hold".to_owned());
        }
        let parsed = lists.iter().map(|list| list.iter().map(|text| parse(text)).collect());
        parsed.collect::<Result<_, _>>().map(Self)
    }
}

fn parse(text: &str) -> Result<Condition, String> {
    let wrong = || {
        format!(
            "'{text}' is no condition: write POINTER == VALUE, != VALUE, contains VALUE, lacks VALUE, exists or \
             missing; POINTER is /a/b in the JSON of the answer, header:NAME, or status"
        )
    };
    let (pointer, rest) = text.trim().split_once(' ').ok_or_else(wrong)?;
    let (operator, value) = match rest.trim().split_once(' ') {
        Some((operator, value)) => (operator, Some(value.trim())),
        None => (rest.trim(), None),
    };
    let value = value.map(|value| Template::try_from(value.to_owned())).transpose()?;
    let holds = match (operator, value) {
        ("==", Some(value)) => Holds::Is(value),
        ("!=", Some(value)) => Holds::IsNot(value),
        ("contains", Some(value)) => Holds::Contains(value),
        ("lacks", Some(value)) => Holds::Lacks(value),
        ("exists", None) => Holds::Exists,
        ("missing", None) => Holds::Missing,
        _ => return Err(wrong()),
    };
    let pointer = Pointer::try_from(pointer.to_owned())?;
    Ok(Condition { pointer, holds, text: text.trim().to_owned() })
}

impl TryFrom<String> for Pointer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match (text.as_str(), text.strip_prefix("header:")) {
            ("status", _) => Ok(Self::Status),
            (_, Some(name)) if !name.is_empty() => Ok(Self::Header(name.to_owned())),
            (json, _) if json.starts_with('/') || json.is_empty() => Ok(Self::Json(text)),
            _ => Err(format!(
                "'{text}' points nowhere: write /a/b (a value in the JSON of the answer), \
                 header:NAME, or status"
            )),
        }
    }
}

impl Pointer {
    /// What it points at. An empty value is nothing, and so is null.
    pub(super) fn of(&self, answer: &Answer) -> Option<Value> {
        match self {
            Self::Status => Some(answer.status.into()),
            Self::Header(name) => Some(answer.headers.get(name)?.to_str().ok()?.to_owned().into()),
            Self::Json(pointer) => {
                let value = answer.json.pointer(pointer)?;
                let is_nothing = value.is_null() || value.as_str().is_some_and(str::is_empty);
                (!is_nothing).then(|| value.clone())
            }
        }
    }

    /// The same as a text.
    pub(super) fn text_of(&self, answer: &Answer) -> Option<String> {
        self.of(answer).map(|value| text(&value))
    }
}

/// A value as it would be written in a condition.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Predicate {
    /// Names of the values that it needs.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flatten().flat_map(|condition| match &condition.holds {
            Holds::Is(value)
            | Holds::IsNot(value)
            | Holds::Contains(value)
            | Holds::Lacks(value) => value.names().collect::<Vec<_>>(),
            Holds::Exists | Holds::Missing => Vec::new(),
        })
    }

    /// Whether it holds.
    pub(super) fn holds(&self, answer: &Answer, values: &Values) -> bool {
        self.0.iter().any(|all| all.iter().all(|condition| condition.holds(answer, values)))
    }

    /// The first condition that does not hold, and what was found instead.
    pub(super) fn unmet(&self, answer: &Answer, values: &Values) -> Option<String> {
        let lists = self.0.iter();
        let mut unmet = lists.map(|all| all.iter().find(|one| !one.holds(answer, values)));
        let condition = unmet.next().flatten()?;
        let found = condition.pointer.text_of(answer);
        let found = found.map_or_else(|| "there is none".to_owned(), |f| format!("it is '{f}'"));
        Some(format!("'{}' does not hold: {}", condition.text, values.shown(&found)))
    }
}

impl Condition {
    fn holds(&self, answer: &Answer, values: &Values) -> bool {
        let found = self.pointer.text_of(answer);
        let wanted = |value: &Template| value.fill(values, Place::Plain);
        match (&self.holds, found) {
            (Holds::Exists, found) => found.is_some(),
            (Holds::Missing, found) => found.is_none(),
            (Holds::Is(value), Some(found)) => found == wanted(value),
            (Holds::IsNot(value), Some(found)) => found != wanted(value),
            (Holds::Contains(value), Some(found)) => found.contains(&wanted(value)),
            (Holds::Lacks(value), Some(found)) => !found.contains(&wanted(value)),
            (_, None) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(json: Value) -> Answer {
        let mut headers = http::HeaderMap::new();
        headers.insert("x-state", http::HeaderValue::from_static("done"));
        Answer { status: 200, headers, json }
    }

    fn holds(written: Value, json: Value) -> bool {
        let mut values = Values::default();
        values.set("source", "node1");
        let predicate: Predicate = serde_json::from_value(written).unwrap();
        predicate.holds(&answer(json), &values)
    }

    #[test]
    fn conditions_on_what_is_there() {
        let vm = || json!({ "a": { "b": "x y", "n": 3, "t": true, "l": [{ "z": "q" }] } });
        for held in [
            "/a/b == x y",
            "/a/b != x",
            "/a/b contains y",
            "/a/b lacks z",
            "/a/n == 3",
            "/a/t == true",
            "/a/l/0/z == q",
            "/a/b exists",
            "/a/c missing",
            "status == 200",
            "header:X-State == done",
        ] {
            assert!(holds(json!(held), vm()), "{held}");
        }
        for not in [
            "/a/b == x",
            "/a/n != 3",
            "/a/b missing",
            "/a/b lacks y",
            "/a/c lacks y",
            "/a/l/1/z exists",
            "status == 404",
        ] {
            assert!(!holds(json!(not), vm()), "{not}");
        }
    }

    #[test]
    fn what_is_not_there_is_neither_this_nor_another() {
        for empty in [json!({}), json!({ "node": null }), json!({ "node": "" }), Value::Null] {
            assert!(!holds(json!("/node != {source}"), empty.clone()));
            assert!(!holds(json!("/node == {source}"), empty.clone()));
            assert!(!holds(json!("/node exists"), empty.clone()));
            assert!(holds(json!("/node missing"), empty));
        }
        assert!(holds(json!("/node != {source}"), json!({ "node": "node2" })));
    }

    #[test]
    fn lists_of_them() {
        let both = json!({ "a": "1", "b": "2" });
        assert!(holds(json!(["/a == 1", "/b == 2"]), both.clone()));
        assert!(!holds(json!(["/a == 1", "/b == 3"]), both.clone()));
        assert!(holds(json!([["/a == 2"], ["/a == 1", "/b == 2"]]), both));
    }

    #[test]
    fn what_does_not_hold_is_told() {
        let predicate: Predicate = serde_json::from_value(json!("/a == 1")).unwrap();
        let unmet = |json: Value| predicate.unmet(&answer(json), &Values::default());
        assert_eq!(unmet(json!({ "a": 1 })), None);
        assert_eq!(unmet(json!({ "a": 2 })).unwrap(), "'/a == 1' does not hold: it is '2'");
        assert_eq!(unmet(json!({})).unwrap(), "'/a == 1' does not hold: there is none");
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in ["", "/a", "/a =", "/a == ", "/a is 3", "a == 3", "/a exists now", "/a == {B}"]
        {
            let parsed = serde_json::from_value::<Predicate>(json!(text));
            assert!(parsed.is_err(), "{text} {parsed:?}");
        }
        for lists in [json!([]), json!([[]]), json!([["/a == 1"], []])] {
            assert!(serde_json::from_value::<Predicate>(lists).is_err());
        }
    }
}
