//! Sessions in TOML.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use crate::error::WorkloadFileError;
use crate::request::is_token;
use crate::session::{Burst, ScriptedCall, ScriptedSession};
use crate::units::parse_duration;
use crate::workload_file::{line_of, read};

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sessions {
    think: Option<Time>,
    #[serde(default)]
    session: Vec<Session>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Session {
    burst: Vec<Calls>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Calls {
    calls: Vec<Call>,
    think: Option<Time>,
}

/// A call: a path, or a table.
struct Call {
    method: Option<String>,
    path: String,
    headers: BTreeMap<String, String>,
    body: Option<String>,
    body_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CallTable {
    method: Option<String>,
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
    body_file: Option<PathBuf>,
}

/// A time with its unit.
struct Time(Duration);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_duration(&text).map(Self).map_err(Error::custom)
    }
}

impl<'de> Deserialize<'de> for Call {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AsCall;
        impl<'de> Visitor<'de> for AsCall {
            type Value = Call;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a path, or a table { path = \"/…\", method, headers, body, body_file }",
                )
            }

            fn visit_str<E: Error>(self, path: &str) -> Result<Call, E> {
                let (method, body, body_file) = (None, None, None);
                let headers = BTreeMap::new();
                Call { method, path: path.to_owned(), headers, body, body_file }.checked()
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Call, A::Error> {
                let table = CallTable::deserialize(MapAccessDeserializer::new(map))?;
                let CallTable { method, path, headers, body, body_file } = table;
                Call { method, path, headers, body, body_file }.checked()
            }
        }
        deserializer.deserialize_any(AsCall)
    }
}

impl Call {
    /// What would not be a request is refused where its line is known.
    fn checked<E: Error>(self) -> Result<Self, E> {
        let quoted = |text: &str| text.escape_debug().to_string();
        if !self.path.starts_with('/') || self.path.bytes().any(|b| b <= b' ' || b == 0x7f) {
            return Err(E::custom(format!(
                "'{}' is no path: it begins with '/' and has no blanks (write %20)",
                quoted(&self.path)
            )));
        }
        if let Some(method) = self.method.as_deref().filter(|method| !is_token(method)) {
            return Err(E::custom(format!("'{}' is no method", quoted(method))));
        }
        if let Some(name) = self.headers.keys().find(|name| !is_token(name)) {
            return Err(E::custom(format!("'{}' is no name of a header", quoted(name))));
        }
        let is_broken = |value: &&String| value.bytes().any(|b| matches!(b, b'\r' | b'\n' | 0));
        if self.headers.values().any(|value| is_broken(&value)) {
            return Err(E::custom("the value of a header is one line"));
        }
        if self.body.is_some() && self.body_file.is_some() {
            return Err(E::custom("a call has a body or a body_file, not both"));
        }
        Ok(self)
    }

    fn scripted(self, folder: &Path) -> Result<ScriptedCall, WorkloadFileError> {
        let body = match (self.body, self.body_file) {
            (Some(text), _) => text.into_bytes(),
            (None, Some(file)) => read(&folder.join(file))?,
            (None, None) => Vec::new(),
        };
        let default = if body.is_empty() { "GET" } else { "POST" };
        let method = self.method.as_deref().unwrap_or(default);
        let call = ScriptedCall::new(method, self.path.as_str()).with_body(body);
        Ok(self.headers.iter().fold(call, |call, (name, value)| call.with_header(name, value)))
    }
}

/// The sessions in these bytes of a file; `think` is the time after a burst to which the file
/// gives none.
pub(super) fn parse(
    bytes: &[u8],
    file: &Path,
    think: Duration,
) -> Result<Vec<ScriptedSession>, WorkloadFileError> {
    let wrong = |line, reason: &str| WorkloadFileError::content(file, line, reason);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = line_of(bytes, error.valid_up_to());
        wrong(Some(line), "TOML is UTF-8, and this is not")
    })?;
    let sessions: Sessions = ::toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| line_of(bytes, span.start));
        wrong(line, error.message())
    })?;
    let none = "there is no session: a session is [[session]] with one or more [[session.burst]]";
    if sessions.session.is_empty() {
        return Err(wrong(None, none));
    }
    let folder = file.parent().unwrap_or(Path::new(""));
    let think = sessions.think.map_or(think, |Time(think)| think);
    let burst = |burst: Calls| {
        if burst.calls.is_empty() {
            return Err(wrong(None, "a burst has at least one call: calls = [\"/…\"]"));
        }
        let think_s = burst.think.map_or(think, |Time(think)| think).as_secs_f64();
        let calls = burst.calls.into_iter().map(|call| call.scripted(folder));
        Ok(Burst { calls: calls.collect::<Result<_, _>>()?, think_s })
    };
    let session = |session: Session| {
        if session.burst.is_empty() {
            return Err(wrong(None, none));
        }
        let bursts = session.burst.into_iter().map(burst);
        Ok(ScriptedSession { bursts: bursts.collect::<Result<_, _>>()? })
    };
    sessions.session.into_iter().map(session).collect()
}
