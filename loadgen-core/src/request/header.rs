//! One header of a request. In JSON it is its name and its value; in place of a secret
//! value stands what [`Secret::shown`] says.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::error::PlanError;
use crate::secret::{Secret, is_credential};

/// A header, whose value may be secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(String, String)", into = "(String, String)")]
pub(crate) struct Header {
    name: String,
    value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Plain(String),
    Secret(Secret),
}

impl Header {
    /// A header that is secret if its name says so.
    pub(crate) fn new(name: &str, value: &str) -> Self {
        if is_credential(name) {
            return Self::secret(name, Secret::new(value));
        }
        Self { name: name.to_owned(), value: Value::Plain(value.to_owned()) }
    }

    /// A header to be written to the wire at once, which is secret to nobody.
    pub(crate) fn plain(name: &str, value: &str) -> Self {
        Self { name: name.to_owned(), value: Value::Plain(value.to_owned()) }
    }

    /// A header that is secret whatever its name.
    pub(crate) fn secret(name: &str, value: Secret) -> Self {
        Self { name: name.to_owned(), value: Value::Secret(value) }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn is_named(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The value for the wire; `None` if it is missing.
    pub(crate) fn sent(&self) -> Option<&str> {
        match &self.value {
            Value::Plain(value) => Some(value),
            Value::Secret(secret) => secret.reveal(),
        }
    }

    /// The value for reports and messages.
    pub(crate) fn shown(&self) -> Cow<'_, str> {
        match &self.value {
            Value::Plain(value) => Cow::Borrowed(value),
            Value::Secret(secret) => Cow::Owned(secret.shown()),
        }
    }

    pub(crate) fn is_missing(&self) -> bool {
        self.sent().is_none()
    }

    pub(crate) fn keep_secret(&mut self) {
        if let Value::Plain(value) = &mut self.value {
            self.value = Value::Secret(Secret::new(std::mem::take(value)));
        }
    }

    /// Puts the value in its place; what stood there, if the value was secret.
    pub(crate) fn supply(&mut self, value: &str) -> Option<Secret> {
        match std::mem::replace(&mut self.value, Value::Secret(Secret::new(value))) {
            Value::Secret(stood) => Some(stood),
            Value::Plain(_) => None,
        }
    }

    /// Checks that it is one line, and its name a name.
    pub(crate) fn validate(&self) -> Result<(), PlanError> {
        let bad = |what: &'static str, value: &str| PlanError::Request {
            what,
            value: value.escape_debug().to_string(),
        };
        if !is_token(&self.name) {
            return Err(bad("header name", &self.name));
        }
        // A missing one is asked for by the plan.
        let value = self.sent().unwrap_or_default();
        if !is_one_line(value) {
            return Err(bad("header value", &self.shown()));
        }
        Ok(())
    }

    /// Writes its line.
    pub(crate) fn write(&self, head: &mut Vec<u8>) {
        // A plan is not run while a value is missing.
        for part in [&self.name, ": ", self.sent().unwrap_or_default(), "\r\n"] {
            head.extend_from_slice(part.as_bytes());
        }
    }

    /// Replaces the value, which stays secret if it was.
    pub(crate) fn fill(
        &mut self,
        filled: &mut dyn FnMut(&str) -> Result<String, String>,
    ) -> Result<(), String> {
        match &mut self.value {
            Value::Plain(value) => *value = filled(value)?,
            Value::Secret(secret) => {
                if let Some(value) = secret.reveal() {
                    *secret = Secret::new(filled(value)?);
                }
            }
        }
        Ok(())
    }

    /// Leaves nothing of a secret value.
    pub(crate) fn forget(&mut self) {
        if let Value::Secret(secret) = &mut self.value {
            *secret = Secret::new("");
        }
    }
}

/// Whether a text is an HTTP token (RFC 9110 §5.6.2), as methods and names of headers are.
pub(crate) fn is_token(text: &str) -> bool {
    let of_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(of_token)
}

/// Whether a text can be the value of a header (RFC 9110 §5.5).
pub(crate) fn is_one_line(value: &str) -> bool {
    !value.bytes().any(|b| matches!(b, b'\r' | b'\n' | 0))
}

impl From<(String, String)> for Header {
    fn from((name, value): (String, String)) -> Self {
        match Secret::missing(&value) {
            Some(secret) => Self { name, value: Value::Secret(secret) },
            None => Self::new(&name, &value),
        }
    }
}

impl From<Header> for (String, String) {
    fn from(header: Header) -> Self {
        let shown = header.shown().into_owned();
        (header.name, shown)
    }
}
