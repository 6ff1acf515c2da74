//! Clouds that list all their events in each answer: what changed from one list to the next.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::bounded::{attributes, kebab};
use super::cloud::Change;

/// Events of one answer that are looked at.
const MOST_EVENTS: usize = 1000;
/// Bytes of what tells events apart.
const LONGEST_ID: usize = 256;

/// How a cloud calls things.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) id: &'static str,
    /// What kind of event it is.
    pub(super) kind: &'static str,
    /// Whether it is to come, lasts, or is over.
    pub(super) state: &'static str,
}

/// An event of the list.
#[derive(Debug)]
struct Listed {
    kind: String,
    state: String,
    /// When it is to begin, as the cloud writes it.
    not_before: String,
    attributes: Map<String, Value>,
}

/// The last list.
#[derive(Debug)]
pub(super) struct List {
    words: Words,
    known: Option<BTreeMap<String, Listed>>,
}

impl List {
    pub(super) fn new(words: Words) -> Self {
        Self { words, known: None }
    }

    /// What is another than in the list before, with what could not be read. In the first list all
    /// is told that is not over.
    pub(super) fn changes(&mut self, events: Vec<Value>) -> (Vec<Change>, Option<String>) {
        let mut odd = (events.len() > MOST_EVENTS).then(|| {
            format!("it lists more than {MOST_EVENTS} events: the others are passed over")
        });
        let mut now = BTreeMap::new();
        for event in events.into_iter().take(MOST_EVENTS) {
            match self.listed(event) {
                // Which of two with the same name counts is as good as the other; the first stays.
                Some((id, listed)) => drop(now.entry(id).or_insert(listed)),
                None => odd = Some(format!("an event without '{}' is passed over", self.words.id)),
            }
        }
        let is_first = self.known.is_none();
        let mut before = self.known.take().unwrap_or_default();
        let mut changes = Vec::new();
        for (id, listed) in &now {
            let what = match before.remove(id) {
                None if is_first && listed.is_over() => continue,
                Some(old) if old.kind == listed.kind && old.state == listed.state => {
                    let moved = !listed.not_before.is_empty()
                        && !old.not_before.is_empty()
                        && listed.not_before != old.not_before;
                    if !moved || listed.is_over() {
                        continue;
                    }
                    "rescheduled"
                }
                _ => listed.state.as_str(),
            };
            changes.push(listed.change(what));
        }
        // What is not listed any more is over, unless that was told before it went.
        let gone = before.values().filter(|old| !old.is_over());
        changes.extend(gone.map(|old| old.change("over")));
        self.known = Some(now);
        (changes, odd)
    }

    fn listed(&self, event: Value) -> Option<(String, Listed)> {
        let Value::Object(event) = event else { return None };
        let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
        let id = text(self.words.id);
        if id.is_empty() || id.len() > LONGEST_ID {
            return None;
        }
        let (id, kind, state) = (
            id.to_owned(),
            kebab(text(self.words.kind)),
            match text(self.words.state) {
                "Scheduled" | "active" => "scheduled".to_owned(),
                "Completed" | "completed" => "over".to_owned(),
                "Canceled" | "canceled" | "Cancelled" | "cancelled" => "canceled".to_owned(),
                other => kebab(other),
            },
        );
        let attributes = attributes(event);
        let not_before = attributes.get("NotBefore").and_then(Value::as_str).unwrap_or_default();
        let not_before = not_before.to_owned();
        Some((id, Listed { kind, state, not_before, attributes }))
    }
}

impl Listed {
    fn is_over(&self) -> bool {
        self.state == "over" || self.state == "canceled"
    }

    fn change(&self, what: &str) -> Change {
        Change { name: format!("{}-{what}", self.kind), attributes: self.attributes.clone() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn list() -> List {
        List::new(Words { id: "EventId", kind: "EventType", state: "EventStatus" })
    }

    fn event(id: &str, state: &str, not_before: &str) -> Value {
        json!({"EventId": id, "EventType": "Freeze", "EventStatus": state, "NotBefore": not_before})
    }

    fn names(list: &mut List, events: &[Value]) -> Vec<String> {
        let (changes, odd) = list.changes(events.to_vec());
        assert_eq!(odd, None);
        changes
            .into_iter()
            .map(|change| format!("{} {}", change.attributes["EventId"], change.name))
            .collect()
    }

    #[test]
    fn each_change_is_told_once() {
        let mut list = list();
        assert!(names(&mut list, &[event("old", "Completed", "")]).is_empty());
        let (a, b) = (event("a", "Scheduled", "1"), event("b", "Scheduled", "1"));
        let both = ["\"a\" freeze-scheduled", "\"b\" freeze-scheduled"];
        assert_eq!(names(&mut list, &[a.clone(), b.clone()]), both);
        assert!(names(&mut list, &[b.clone(), a]).is_empty());
        let moved = [event("a", "Scheduled", "2"), b.clone()];
        assert_eq!(names(&mut list, &moved), ["\"a\" freeze-rescheduled"]);
        let begun = [event("a", "Started", ""), b];
        assert_eq!(names(&mut list, &begun), ["\"a\" freeze-started"]);
        let other = [event("a", "Started", ""), event("b", "Canceled", "1")];
        assert_eq!(names(&mut list, &other), ["\"b\" freeze-canceled"]);
        assert_eq!(names(&mut list, &[]), ["\"a\" freeze-over"]);
        assert!(names(&mut list, &[]).is_empty());
        // It comes and is over between two looks.
        assert_eq!(names(&mut list, &[event("c", "Completed", "")]), ["\"c\" freeze-over"]);
    }

    #[test]
    fn what_cannot_be_read_is_said_and_the_rest_is_read() {
        let mut list = list();
        let odd =
            json!([1, null, {}, {"EventId": 7}, {"EventId": "x".repeat(1000)}, {"EventId": "y"}]);
        let (changes, said) = list.changes(odd.as_array().unwrap().clone());
        assert_eq!(changes[0].name, "unnamed-unnamed");
        assert_eq!((changes.len(), said.unwrap().contains("without 'EventId'")), (1, true));
        let many = (0..2000).map(|i| event(&i.to_string(), "Scheduled", "")).collect();
        let (changes, said) = list.changes(many);
        // One of them is that which is gone.
        assert_eq!((changes.len(), said.unwrap().contains("more than 1000")), (1001, true));
    }
}
