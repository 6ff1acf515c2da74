//! The calls of a session, burst by burst.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::RawText;
use crate::error::PlanError;
use crate::request::{Header, check_length, check_method};

/// The calls of a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Script {
    /// One connection; `burst` calls are sent at once, the next burst when all are
    /// answered. 0 calls: the connection is opened and left alone.
    Connection {
        /// Calls in all.
        calls: u64,
        /// Calls sent together.
        burst: u64,
    },
    /// Bursts with think time between them. The first call of a burst is sent
    /// alone; its reply releases the others.
    Bursts {
        /// Calls of a session.
        calls: u64,
        /// Calls of a burst; the last may be shorter.
        burst: u64,
        /// From the end of a burst to the next one.
        think_s: f64,
    },
    /// Each session is the next one of a list, from its beginning again after the
    /// last.
    Log {
        /// At least one.
        sessions: Vec<ScriptedSession>,
    },
    /// Pages: the reply of each visit is searched for embedded objects, which are
    /// fetched as far as there is room.
    Pages {
        /// Visits of a session.
        visits: u64,
        /// From the end of a visit to the next one.
        think_s: f64,
    },
}

/// A session of a log.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ScriptedSession {
    /// In order.
    pub bursts: Vec<Burst>,
}

/// Calls that belong together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Burst {
    /// At least one.
    pub calls: Vec<ScriptedCall>,
    /// From the end of this burst to the next one.
    pub think_s: f64,
}

impl ScriptedSession {
    /// These bursts, one after the other.
    #[must_use]
    pub fn new(bursts: impl IntoIterator<Item = Burst>) -> Self {
        Self { bursts: bursts.into_iter().collect() }
    }
}

impl Burst {
    /// These calls, with the next burst right after their replies.
    #[must_use]
    pub fn new(calls: impl IntoIterator<Item = ScriptedCall>) -> Self {
        Self { calls: calls.into_iter().collect(), think_s: 0.0 }
    }

    /// Sets the time from the last reply to the next burst.
    #[must_use]
    pub fn with_think(mut self, think: Duration) -> Self {
        self.think_s = think.as_secs_f64();
        self
    }
}

/// A call of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ScriptedCall {
    /// The method: a token, as in RFC 9110.
    pub method: String,
    /// What stands in the request line: no blanks, no line ends.
    pub uri: RawText,
    /// Sent with a `Content-length` line of its own if not empty.
    #[serde(default)]
    pub body: RawText,
    /// Stand in place of those of the same name of all calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) headers: Vec<Header>,
}

impl ScriptedCall {
    /// A call without a body and without headers of its own.
    #[must_use]
    pub fn new(method: &str, uri: impl Into<RawText>) -> Self {
        Self {
            method: method.to_owned(),
            uri: uri.into(),
            body: RawText::default(),
            headers: Vec::new(),
        }
    }

    /// Sets the body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<RawText>) -> Self {
        self.body = body.into();
        self
    }

    /// Adds a header, in place of those of its name that all calls of the sessions have.
    /// The value of one that [carries credentials](crate::secret::is_credential) is sent,
    /// but never written.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push(Header::new(name, value));
        self
    }

    /// Checks that it is one request. A file of httperf has no other calls.
    fn validate(&self) -> Result<(), PlanError> {
        check_method(&self.method)?;
        let breaks_line = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
        if self.uri.is_empty() || self.uri.iter().any(breaks_line) {
            let value = String::from_utf8_lossy(&self.uri).escape_debug().to_string();
            return Err(PlanError::Request { what: "path", value });
        }
        let length = |header: &&Header| header.is_named("content-length");
        let mut given = self.headers.iter().filter(length).filter_map(Header::sent);
        given.try_for_each(|given| check_length(given, &self.body))
    }
}

impl Script {
    pub(crate) fn validate(&self) -> Result<(), PlanError> {
        let range = |what, range, value: String| Err(PlanError::Range { what, range, value });
        let think = |think_s: f64| {
            if (0.0..=1e7).contains(&think_s) {
                return Ok(());
            }
            range("the think time", "from 0 s to 10,000,000 s", format!("{think_s} s"))
        };
        match self {
            Self::Connection { burst, .. } | Self::Bursts { burst, .. } if *burst == 0 => {
                range("the calls of a burst", "at least 1", "0".to_owned())
            }
            Self::Bursts { calls: 0, .. } | Self::Pages { visits: 0, .. } => {
                range("the calls of a session", "at least 1", "0".to_owned())
            }
            Self::Connection { .. } => Ok(()),
            Self::Bursts { think_s, .. } | Self::Pages { think_s, .. } => think(*think_s),
            Self::Log { sessions } => {
                if sessions.is_empty() || sessions.iter().any(|s| s.bursts.is_empty()) {
                    return range(
                        "the sessions of a log",
                        "at least one burst each",
                        "none".into(),
                    );
                }
                for burst in sessions.iter().flat_map(|session| &session.bursts) {
                    think(burst.think_s)?;
                    if burst.calls.is_empty() {
                        return range("the calls of a burst", "at least 1", "0".to_owned());
                    }
                    burst.calls.iter().try_for_each(ScriptedCall::validate)?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of what the file of a session holds, only one request comes to be.
    #[test]
    fn a_call_is_one_request() {
        let checked = |call: ScriptedCall| {
            let burst = Burst::new([call]);
            let script = Script::Log { sessions: vec![ScriptedSession::new([burst])] };
            script.validate().map_err(|error| error.to_string())
        };
        for uri in ["/", "*", "/a?b=%20", "http://h/", "/\u{e4}"] {
            checked(ScriptedCall::new("GET", uri)).unwrap();
        }
        for uri in ["", "/a b", "/a\r\nX: y", "/a\n", "/\t", "/\u{b}"] {
            let said = checked(ScriptedCall::new("GET", uri)).unwrap_err();
            assert!(said.contains("path cannot be sent"), "{said}");
        }
        for method in ["", "GE T", "GET\r\n", "GET /x HTTP/1.1\r\n\r\nGET"] {
            let said = checked(ScriptedCall::new(method, "/")).unwrap_err();
            assert!(said.contains("method cannot be sent"), "{said}");
        }
        let put = || ScriptedCall::new("PUT", "/").with_body("abc");
        checked(put().with_header("content-length", "3")).unwrap();
        let said = checked(put().with_header("content-length", "9")).unwrap_err();
        assert!(said.contains("9 (the body has 3 bytes)"), "{said}");
    }
}
