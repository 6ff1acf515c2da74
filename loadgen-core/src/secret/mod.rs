//! Values that are sent, and never written: credentials in headers and in URLs.
//!
//! A [`Secret`] shows itself, in reports and in `Debug` alike, as `«redacted»` and a
//! short fingerprint. The fingerprint is keyed (`key.rs`): who has the report but not
//! the key cannot try out values, however short the secret is, while reports of one
//! user tell whether they were made with the same value. A report that is read back
//! has the shown text only: such a secret is *missing*, and a plan with it is not run
//! before it is given again.

mod key;
pub(crate) mod lines;
mod names;
mod url;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use key::keep_key;
pub use names::is_credential;
pub(crate) use url::shown_url;
pub use url::without_passwords;

/// What stands in place of a secret, before its fingerprint.
const MARK: &str = "«redacted»";

/// A value that is sent, and never written.
///
/// ```
/// use loadgen_core::Request;
///
/// let request = Request::get().with_secret_header("Authorization", "Bearer 81b2");
/// let kept = serde_json::to_string(&request)?;
/// assert!(!kept.contains("81b2"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Eq)]
pub struct Secret(Value);

#[derive(Clone, PartialEq, Eq)]
enum Value {
    Known(String),
    /// As it was shown.
    Missing(String),
}

impl Secret {
    /// A value to be kept secret.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(Value::Known(value.into()))
    }

    /// What a report has in its place, if `text` is that.
    pub(crate) fn missing(text: &str) -> Option<Self> {
        is_redacted(text).then(|| Self(Value::Missing(text.to_owned())))
    }

    /// The value for the wire; `None` if it is missing.
    pub(crate) fn reveal(&self) -> Option<&str> {
        match &self.0 {
            Value::Known(value) => Some(value),
            Value::Missing(_) => None,
        }
    }

    /// `«redacted»` and the fingerprint.
    #[must_use]
    pub fn shown(&self) -> String {
        match &self.0 {
            Value::Known(value) => format!("{MARK} {}", key::fingerprint(value)),
            Value::Missing(shown) => shown.clone(),
        }
    }

    /// Whether two have the same value; `None` if their fingerprints were made with
    /// different keys, which tells nothing.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> Option<bool> {
        if let (Some(one), Some(other)) = (self.reveal(), other.reveal()) {
            return Some(one == other);
        }
        let (one, other) = (self.shown(), other.shown());
        let key = |shown: &str| Some(fingerprint(shown)?.split_once(':')?.0.to_owned());
        (key(&one)? == key(&other)?).then(|| fingerprint(&one) == fingerprint(&other))
    }
}

/// Whether a text stands for a secret that is not there.
pub(crate) fn is_redacted(text: &str) -> bool {
    text.starts_with(MARK)
}

/// The fingerprint of a shown secret.
fn fingerprint(shown: &str) -> Option<&str> {
    shown.strip_prefix(MARK).map(str::trim).filter(|fingerprint| !fingerprint.is_empty())
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.is_same_as(other).unwrap_or_else(|| self.shown() == other.shown())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.shown())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Self::missing(&text).unwrap_or_else(|| Self::new(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_itself_nowhere() {
        let secret = Secret::new("hunter2");
        for shown in [
            format!("{secret:?}"),
            format!("{secret:#?}"),
            secret.shown(),
            serde_json::to_string(&secret).unwrap(),
        ] {
            assert!(!shown.contains("hunter2") && shown.contains("«redacted»"), "{shown}");
        }
    }

    #[test]
    fn reports_tell_whether_the_value_is_the_same() {
        let (one, other) = (Secret::new("a"), Secret::new("b"));
        let json = serde_json::to_string(&one).unwrap();
        let kept: Secret = serde_json::from_str(&json).unwrap();
        assert_eq!(kept.reveal(), None);
        assert_eq!(kept.is_same_as(&one), Some(true));
        assert_eq!(kept.is_same_as(&other), Some(false));
        assert_eq!(serde_json::to_string(&kept).unwrap(), json);
        assert_eq!(kept, one);
        // Of another key nothing can be told.
        let foreign = Secret::missing("«redacted» none:0123456789").unwrap();
        assert_eq!(foreign.is_same_as(&one), None);
        assert_eq!(Secret::missing("«redacted»").unwrap().is_same_as(&one), None);
        assert_eq!(Secret::missing("x"), None);
    }
}
