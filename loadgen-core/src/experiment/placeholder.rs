//! `{name}` in the settings of a plan: the level of a factor, or what the testbed said of itself.

/// A text in which something cannot be replaced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceholderError {
    /// Nothing has this name.
    #[error("'{{{name}}}' stands for nothing: no factor has this name{}", hint(known))]
    Unknown {
        /// The name.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A brace that is not closed, or closes nothing.
    #[error(
        "'{text}' has a brace too many or too few: write {{{{ and }}}} for the braces themselves"
    )]
    Brace {
        /// The text.
        text: String,
    },
}

fn hint(known: &[String]) -> String {
    match known {
        [] => String::new(),
        known => format!("; there are {}", known.join(", ")),
    }
}

/// The text with every `{name}` replaced by what `value` gives for it; `{{` and `}}` are the
/// braces themselves.
///
/// # Errors
/// [`PlaceholderError`] for a name without a value, and for stray braces.
pub fn replaced(
    text: &str,
    known: &dyn Fn() -> Vec<String>,
    value: &dyn Fn(&str) -> Option<String>,
) -> Result<String, PlaceholderError> {
    let mut done = String::with_capacity(text.len());
    let stray = || PlaceholderError::Brace { text: text.to_owned() };
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, brace) = rest.split_at(at);
        done.push_str(before);
        if let Some(after) = ["{{", "}}"].iter().find_map(|twice| brace.strip_prefix(twice)) {
            done.push_str(&brace[..1]);
            rest = after;
            continue;
        }
        let inner = brace.strip_prefix('{').ok_or_else(stray)?;
        let (name, after) = inner.split_once('}').ok_or_else(stray)?;
        let unknown = || PlaceholderError::Unknown { name: name.to_owned(), known: known() };
        done.push_str(&value(name).ok_or_else(unknown)?);
        rest = after;
    }
    done.push_str(rest);
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<String, String> {
        let value = |name: &str| (name == "memory").then(|| "1GiB".to_owned());
        replaced(text, &|| vec!["memory".to_owned()], &value).map_err(|error| error.to_string())
    }

    #[test]
    fn names_are_replaced_and_braces_may_be_written() {
        assert_eq!(of("").unwrap(), "");
        assert_eq!(of("vm:{memory},a={memory}ü").unwrap(), "vm:1GiB,a=1GiBü");
        assert_eq!(of("{{memory}} }}").unwrap(), "{memory} }");
        assert_eq!(of("{{{memory}}}").unwrap(), "{1GiB}");
        assert!(of("{size}").unwrap_err().contains("'{size}' stands for nothing"));
        assert!(of("{size}").unwrap_err().contains("there are memory"));
        for stray in ["{", "}", "a{memory", "memory}", "{{}"] {
            assert!(of(stray).unwrap_err().contains("{{ and }}"), "{stray}");
        }
    }
}
