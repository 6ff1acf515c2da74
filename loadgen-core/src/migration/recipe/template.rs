//! Texts with places for values, `{name}`, and the values. `{{` and `}}` are braces.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A text of a recipe.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Place(String),
}

/// A value, and whether it may be shown.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) text: String,
    pub(super) is_secret: bool,
}

/// The values that are known so far, by their names.
#[derive(Default, Clone)]
pub(super) struct Values(BTreeMap<String, Known>);

/// What a value becomes where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// As it is.
    Plain,
    /// A piece of a URL's path or query: what has a meaning there is encoded (RFC 3986).
    Path,
}

impl Template {
    /// Names of the values that it needs.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Place(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// A value that cannot be a piece of a path: no encoding keeps these from meaning a step in it.
    pub(super) fn step_in_path(&self, values: &Values) -> Option<&str> {
        self.names().find(|name| {
            values.get(name).is_some_and(|known| [".", ".."].contains(&known.text.as_str()))
        })
    }

    /// The text with its values. What is not known, is nothing: recipes are checked before.
    pub(super) fn fill(&self, values: &Values, place: Place) -> String {
        let mut filled = String::new();
        for (at, part) in self.0.iter().enumerate() {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Place(name) => {
                    let text = values.get(name).map_or("", |known| &known.text);
                    match place {
                        Place::Plain => filled.push_str(text),
                        // A whole path, as a server told it.
                        Place::Path if at == 0 && text.starts_with('/') => filled.push_str(text),
                        Place::Path => encode(text, &mut filled),
                    }
                }
            }
        }
        filled
    }
}

/// Percent-encodes all but the unreserved characters (RFC 3986 §2.3).
pub(super) fn encode(text: &str, into: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            into.push(char::from(byte));
        } else {
            into.push_str(&format!("%{byte:02X}"));
        }
    }
}

impl TryFrom<String> for Template {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (mut parts, mut plain) = (Vec::new(), String::new());
        let mut rest = text.as_str();
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let (brace, after) = rest[at..].split_at(1);
            if let Some(after) = after.strip_prefix(brace) {
                plain.push_str(brace);
                rest = after;
                continue;
            }
            let (name, after) = match (brace, after.split_once('}')) {
                ("{", Some((name, after))) if is_name(name) => (name, after),
                _ => {
                    return Err(format!(
                        "'{text}': a place for a value is {{name}}, and a brace is written twice"
                    ));
                }
            };
            parts.push(Part::Text(std::mem::take(&mut plain)));
            parts.push(Part::Place(name.to_owned()));
            rest = after;
        }
        plain.push_str(rest);
        parts.push(Part::Text(plain));
        parts.retain(|part| *part != Part::Text(String::new()));
        Ok(Self(parts))
    }
}

/// Whether it may name a value.
pub(super) fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

impl Values {
    pub(super) fn set(&mut self, name: &str, text: impl Into<String>) {
        self.0.insert(name.to_owned(), Known { text: text.into(), is_secret: false });
    }

    pub(super) fn set_secret(&mut self, name: &str, text: impl Into<String>) {
        self.0.insert(name.to_owned(), Known { text: text.into(), is_secret: true });
    }

    pub(super) fn get(&self, name: &str) -> Option<&Known> {
        self.0.get(name)
    }

    /// A value of a server without any secret in it; what is no number becomes a line, cut.
    pub(super) fn shown_value(&self, value: serde_json::Value) -> serde_json::Value {
        match value {
            serde_json::Value::String(text) => self.shown(&text).into(),
            list @ (serde_json::Value::Array(_) | serde_json::Value::Object(_)) => {
                self.shown(&list.to_string()).into()
            }
            plain => plain,
        }
    }

    /// A text without any secret in it.
    pub(super) fn redacted(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for known in self.0.values().filter(|known| known.is_secret && !known.text.is_empty()) {
            text = text.replace(&known.text, "«redacted»");
        }
        text
    }

    /// A text of a server in a line, cut, and without any secret in it.
    pub(super) fn shown(&self, text: &str) -> String {
        let mut line = crate::printable::one_line(&self.redacted(text));
        if let Some((end, _)) = line.char_indices().nth(300) {
            line.truncate(end);
            line.push('…');
        }
        line
    }
}

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |known: &Known| match known.is_secret {
            true => "«redacted»".to_owned(),
            false => known.text.clone(),
        };
        f.debug_map().entries(self.0.iter().map(|(name, known)| (name, shown(known)))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Template {
        text.to_owned().try_into().unwrap()
    }

    #[test]
    fn places_are_filled() {
        let mut values = Values::default();
        values.set("vm", "a/b c");
        values.set_secret("token", "hunter2");
        let path = template("/x/{vm}?{{q}}={vm}");
        assert_eq!(path.names().collect::<Vec<_>>(), ["vm", "vm"]);
        assert_eq!(path.fill(&values, Place::Path), "/x/a%2Fb%20c?{q}=a%2Fb%20c");
        assert_eq!(path.fill(&values, Place::Plain), "/x/a/b c?{q}=a/b c");
        values.set("operation", "/1.0/operations/x");
        let told = template("{operation}/wait?{vm}").fill(&values, Place::Path);
        assert_eq!(told, "/1.0/operations/x/wait?a%2Fb%20c");
        assert_eq!(template("Bearer {token}").fill(&values, Place::Plain), "Bearer hunter2");
        assert_eq!(values.shown("it is hunter2\nor so"), "it is «redacted»; or so");
        assert!(!format!("{values:?}").contains("hunter2"));
        assert!(values.shown(&"x".repeat(9_999)).chars().count() < 310);
    }

    #[test]
    fn braces_that_are_none() {
        for text in ["{", "}", "{}", "{A}", "{a b}", "a}b", "{{}", "{1}"] {
            assert!(Template::try_from(text.to_owned()).is_err(), "{text}");
        }
        assert_eq!(template("{{}}").fill(&Values::default(), Place::Plain), "{}");
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_too_odd(text in "[{}a-z ]{0,20}|\\PC*") {
            if let Ok(template) = Template::try_from(text) {
                let _ = template.fill(&Values::default(), Place::Path);
            }
        }
    }
}
