//! Texts of others, made short enough to be kept: names, and the attributes of events.

use serde_json::{Map, Value};

/// Bytes of the value of an attribute, and of its name.
const LONGEST_VALUE: usize = 1 << 10;
const LONGEST_KEY: usize = 64;
/// Attributes of one event.
const MOST_ATTRIBUTES: usize = 32;
/// Bytes of the name of an event.
const LONGEST_NAME: usize = 256;

/// The begin of a text, with a sign that it is one.
fn cut(text: &str, longest: usize) -> String {
    const MORE: &str = "…";
    if text.len() <= longest {
        return text.to_owned();
    }
    let most = longest - MORE.len();
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}{MORE}", &text[..end])
}

/// The name of an event that is written out by somebody.
pub(super) fn name(text: &str) -> String {
    cut(text, LONGEST_NAME)
}

/// A word of a cloud as part of a name: `PreEmpt_Soon` is `pre-empt-soon`.
pub(super) fn kebab(word: &str) -> String {
    let mut name = String::new();
    let mut after_small = false;
    for c in word.chars().take(LONGEST_KEY) {
        if c.is_ascii_alphanumeric() {
            if c.is_ascii_uppercase() && after_small {
                name.push('-');
            }
            name.push(c.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
        after_small = c.is_ascii_lowercase() || c.is_ascii_digit();
    }
    let name = name.trim_end_matches('-');
    if name.is_empty() { "unnamed".to_owned() } else { name.to_owned() }
}

/// The attributes, each cut where it is too long, and the first ones of too many.
pub(super) fn attributes(all: Map<String, Value>) -> Map<String, Value> {
    let kept = all.into_iter().take(MOST_ATTRIBUTES);
    kept.map(|(name, value)| (cut(&name, LONGEST_KEY), bounded(value))).collect()
}

fn bounded(value: Value) -> Value {
    match value {
        Value::String(text) if text.len() > LONGEST_VALUE => cut(&text, LONGEST_VALUE).into(),
        Value::Array(_) | Value::Object(_) => {
            let text = value.to_string();
            if text.len() > LONGEST_VALUE { cut(&text, LONGEST_VALUE).into() } else { value }
        }
        short => short,
    }
}

/// About how many bytes attributes take.
pub(super) fn weight(attributes: &Map<String, Value>) -> usize {
    let of = |value: &Value| match value {
        Value::String(text) => text.len(),
        Value::Array(_) | Value::Object(_) => value.to_string().len() * 4,
        _ => 0,
    };
    // What a map needs of its own for each.
    attributes.iter().map(|(name, value)| name.len() + of(value) + 100).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_short_and_of_one_kind() {
        for (word, name) in [
            ("Freeze", "freeze"),
            ("system-reboot", "system-reboot"),
            ("MIGRATE_ON_HOST_MAINTENANCE", "migrate-on-host-maintenance"),
            ("PreEmpt soon!", "pre-empt-soon"),
            ("\u{1b}[2J", "2-j"),
            ("", "unnamed"),
            ("é", "unnamed"),
        ] {
            assert_eq!(kebab(word), name);
        }
        assert!(kebab(&"aB".repeat(500)).len() < 100);
        assert_eq!(name("short"), "short");
        let long = name(&"é".repeat(500));
        assert!(long.len() <= LONGEST_NAME && long.ends_with("é…"), "{long}");
    }

    #[test]
    fn attributes_are_cut() {
        let many: Map<String, Value> =
            (0..100).map(|i| (format!("{i:03}{}", "k".repeat(90)), json!(i))).collect();
        let many = attributes(many);
        assert_eq!(many.len(), MOST_ATTRIBUTES);
        assert!(many.keys().all(|key| key.len() <= LONGEST_KEY));
        let Value::Object(all) =
            json!({"n": 1, "few": ["a", "b"], "text": "x".repeat(5000), "deep": vec![[1]; 5000]})
        else {
            unreachable!()
        };
        let cut = attributes(all);
        assert_eq!((&cut["n"], &cut["few"]), (&json!(1), &json!(["a", "b"])));
        for name in ["text", "deep"] {
            assert!(cut[name].as_str().unwrap().len() <= LONGEST_VALUE);
        }
        assert!(weight(&cut) > 2000);
    }
}
