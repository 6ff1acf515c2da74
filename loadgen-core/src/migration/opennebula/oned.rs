//! OpenNebula's daemon, asked by XML-RPC: what is sent, and what its answers mean.
//!
//! Every answer is an array: whether it went well, then the result, or a message and a code; newer
//! releases add elements, which are passed over. Arguments that older releases do not know are sent
//! only if they are asked for: the order to move a machine with three of them is understood by all.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs};

use dxr::{FaultResponse, MethodCall, MethodResponse, Value};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use quick_xml::events::Event as XmlEvent;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::machine::Machine;
use super::options::{OpenNebulaOptions, without_credentials};
use crate::migration::api_client::{ApiAnswer, ApiClient, ApiRequest};
use crate::migration::trigger::TriggerError;
use crate::net::tls::Tls;
use crate::printable::one_line;
use crate::secret::Secret;

/// How long an answer may take. A daemon under load was seen to need seconds.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// How deep what is answered may be nested: that of a machine is 5 deep, in an array of 6.
const DEEPEST: usize = 32;
/// Where OpenNebula's own programs look for the daemon at last.
const DEFAULT_ENDPOINT: &str = "http://localhost:2633/RPC2";

const AUTHENTICATION: i32 = 0x100;
const AUTHORIZATION: i32 = 0x200;
const INTERNAL: i32 = 0x2000;
/// What a daemon of several says while it cannot do anything, in lower case.
const PASSING: [&str; 3] = ["no leader found", "election mode", "replicating log"];

/// See the module.
#[derive(Debug)]
pub(super) struct Oned {
    client: ApiClient,
    session: Secret,
    /// Where the session was read from, for messages.
    auth: PathBuf,
}

/// A question without a result.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) error: TriggerError,
    /// Whether the daemon may have done what it was told nevertheless.
    pub(super) may_be_done: bool,
    /// Whether it may go well if it is asked again: a cluster of daemons elects a leader.
    pub(super) is_passing: bool,
}

impl From<Refusal> for TriggerError {
    fn from(refusal: Refusal) -> Self {
        refusal.error
    }
}

/// A result, and when it was true.
#[derive(Debug)]
pub(super) struct Told<T> {
    pub(super) result: T,
    /// `CLOCK_MONOTONIC` when it was begun to be asked.
    pub(super) asked_ns: u64,
    /// `CLOCK_MONOTONIC` when the answer was whole.
    pub(super) answered_ns: u64,
}

impl Oned {
    /// # Errors
    /// [`TriggerError`] if it is not known where the daemon is, or who asks.
    pub(super) fn new(options: &OpenNebulaOptions) -> Result<Self, TriggerError> {
        let in_home =
            |name: &str| env::var_os("HOME").map(|home| Path::new(&home).join(".one").join(name));
        let endpoint = match (&options.endpoint, env::var("ONE_XMLRPC")) {
            (Some(given), _) => given.clone(),
            (None, Ok(given)) if !given.is_empty() => given,
            _ => in_home("one_endpoint")
                .and_then(|path| fs::read_to_string(path).ok())
                .map(|text| text.trim().to_owned())
                .filter(|text| !text.is_empty())
                .unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned()),
        };
        let target = without_credentials(&endpoint)?;
        let auth = options.auth.clone().or_else(|| {
            let given = env::var_os("ONE_AUTH").filter(|given| !given.is_empty());
            given.map(PathBuf::from).or_else(|| in_home("one_auth"))
        });
        let Some(auth) = auth else {
            return Err(TriggerError::protocol(
                "looking for OpenNebula's user and password",
                "neither auth=FILE, nor ONE_AUTH, nor HOME is set",
            ));
        };
        let what =
            format!("reading {} (auth=FILE, or ONE_AUTH, names another file)", auth.display());
        let session = fs::read_to_string(&auth).map_err(|error| TriggerError::io(&*what, error))?;
        let session = session.lines().next().unwrap_or_default().trim();
        if !session.contains(':') {
            return Err(TriggerError::protocol(what, "its first line is not USER:PASSWORD"));
        }
        let tls = Tls { ca_file: options.ca.clone(), ..Tls::default() };
        let client = ApiClient::new(target, &tls, ANSWER_LIMIT)?;
        Ok(Self { client, session: Secret::new(session), auth })
    }

    /// Where the daemon is.
    pub(super) fn url(&self) -> &str {
        self.client.url()
    }

    /// The daemon's version, such as `6.6.0`.
    pub(super) fn version(&mut self) -> Result<String, Refusal> {
        Ok(self.ask("one.system.version", &[])?.result)
    }

    /// The machine of this number.
    pub(super) fn machine(&mut self, id: i32) -> Result<Told<Machine>, Refusal> {
        let told: Told<String> = self.ask(INFO, &[Value::Integer(id)])?;
        let result = self.read(INFO, &told.result)?;
        Ok(Told { result, asked_ns: told.asked_ns, answered_ns: told.answered_ns })
    }

    /// Begins to ask for the machine of this number.
    pub(super) fn look(&mut self, id: i32) {
        let request = self.request(INFO, &[Value::Integer(id)]);
        self.client.start(INFO, request);
    }

    /// Whether a look was begun, and has no answer yet.
    pub(super) fn is_looking(&self) -> bool {
        self.client.is_asking()
    }

    /// What a look that was begun brought, if that comes within `timeout`.
    pub(super) fn looked(&mut self, timeout: Duration) -> Option<Result<Told<Machine>, Refusal>> {
        let answer = self.client.wait(timeout)?;
        Some(answer.map_err(lost).and_then(|answer| {
            let (asked_ns, answered_ns) = (answer.asked_ns, answer.answered_ns);
            let text: String = self.result(INFO, answer)?;
            Ok(Told { result: self.read(INFO, &text)?, asked_ns, answered_ns })
        }))
    }

    /// Numbers of the machines of this name that the session may see, of those that are not done.
    pub(super) fn machines_named(&mut self, name: &str) -> Result<Vec<i32>, Refusal> {
        // All that may be seen, of all numbers, in every state but DONE.
        let which = [-2, -1, -1, -1].map(Value::Integer);
        let told: Told<String> = self.ask("one.vmpool.info", &which)?;
        let pool: MachinePool = self.read("one.vmpool.info", &told.result)?;
        Ok(pool.machines.into_iter().filter(|named| named.name == name).map(|n| n.id).collect())
    }

    /// The numbers of the hosts of this name.
    pub(super) fn hosts_named(&mut self, name: &str) -> Result<Vec<i32>, Refusal> {
        let told: Told<String> = self.ask("one.hostpool.info", &[])?;
        let pool: HostPool = self.read("one.hostpool.info", &told.result)?;
        Ok(pool.hosts.into_iter().filter(|named| named.name == name).map(|n| n.id).collect())
    }

    /// Orders the machine to be moved.
    pub(super) fn migrate(
        &mut self,
        id: i32,
        host: i32,
        live: bool,
        enforce: bool,
    ) -> Result<Told<i32>, Refusal> {
        let mut arguments = vec![Value::Integer(id), Value::Integer(host), Value::Boolean(live)];
        if enforce {
            arguments.push(Value::Boolean(true));
        }
        self.ask("one.vm.migrate", &arguments)
    }

    fn ask<T: Element>(&mut self, method: &str, arguments: &[Value]) -> Result<Told<T>, Refusal> {
        let request = self.request(method, arguments);
        let answer = self.client.ask(method, request).map_err(lost)?;
        let (asked_ns, answered_ns) = (answer.asked_ns, answer.answered_ns);
        Ok(Told { result: self.result(method, answer)?, asked_ns, answered_ns })
    }

    fn request(&self, method: &str, arguments: &[Value]) -> ApiRequest {
        let session = self.session.reveal().unwrap_or_default().to_owned();
        let arguments = [Value::String(session)].into_iter().chain(arguments.iter().cloned());
        let call = MethodCall { name: method.into(), params: arguments.collect() };
        // Values of these types can always be written.
        let body = call.to_xml().unwrap_or_default();
        let mut headers = HeaderMap::new();
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
        let path = self.client.path().to_owned();
        ApiRequest { method: Method::POST, path, headers, body: body.into() }
    }

    /// The result in an answer.
    fn result<T: Element>(&self, method: &str, answer: ApiAnswer) -> Result<T, Refusal> {
        let what = format!("{method} ({})", self.url());
        let nonsense = |reason: String| Refusal {
            error: TriggerError::protocol(&*what, reason),
            may_be_done: true,
            is_passing: false,
        };
        if answer.status != StatusCode::OK {
            // A proxy says so that stands before the daemon, or a daemon that is starting.
            let is_passing = answer.status.is_server_error();
            return Err(Refusal { is_passing, ..nonsense(format!("HTTP {}", answer.status)) });
        }
        let text = String::from_utf8_lossy(&answer.body);
        let no_xml = || nonsense(format!("its answer is no XML-RPC: '{}'", self.shown(&text)));
        if !is_sane(&text) {
            return Err(no_xml());
        }
        let Ok(MethodResponse { value: Value::Array(elements) }) = MethodResponse::from_xml(&text)
        else {
            let fault = FaultResponse::from_xml(&text).map_err(|_| no_xml())?.fault;
            let said = self.shown(fault.string());
            return Err(Refusal {
                error: TriggerError::refused(what, format!("{said} (fault {})", fault.code())),
                may_be_done: false,
                is_passing: false,
            });
        };
        match elements.as_slice() {
            [Value::Boolean(true), result, ..] => T::of(result).ok_or_else(|| {
                nonsense(format!("its result is of another type: '{}'", self.shown(&text)))
            }),
            [Value::Boolean(false), Value::String(message), code, ..] => {
                Err(self.refusal(&what, message, i32::of(code).unwrap_or(0)))
            }
            _ => Err(no_xml()),
        }
    }

    fn refusal(&self, what: &str, message: &str, code: i32) -> Refusal {
        let lower = message.to_lowercase();
        let elects = PASSING.iter().any(|words| lower.contains(words));
        let mend = match code {
            AUTHENTICATION => format!(
                "; the user and password in {} are not those of this OpenNebula (onevm list tries \
                 them)",
                self.auth.display()
            ),
            AUTHORIZATION => {
                "; the user needs the right to do that (ADMIN of the machine and of the \
                              host)"
                    .to_owned()
            }
            INTERNAL if elects => "; the daemons elect a leader: try again soon".to_owned(),
            _ => String::new(),
        };
        Refusal {
            error: TriggerError::refused(what, format!("{}{mend}", self.shown(message))),
            // A daemon that passes the call on to its leader says so of a call that the leader may
            // have done: "RPC call timed out and aborted".
            may_be_done: code == INTERNAL && !elects,
            is_passing: code == INTERNAL && elects,
        }
    }

    /// A description of the machine, a pool, …, as it stands in a result.
    fn read<T: DeserializeOwned>(&self, method: &str, text: &str) -> Result<T, Refusal> {
        let nonsense = |why: String| Refusal {
            error: TriggerError::protocol(
                format!("{method} ({})", self.url()),
                format!("{why}: '{}'", self.shown(text)),
            ),
            may_be_done: true,
            is_passing: false,
        };
        if !is_sane(text) {
            return Err(nonsense("its result is no XML".to_owned()));
        }
        quick_xml::de::from_str(text).map_err(|error| {
            nonsense(self.shown(&format!("its result is not understood: {error}")))
        })
    }

    /// The begin of a text of the other side, without the session in it.
    fn shown(&self, text: &str) -> String {
        let session = self.session.reveal().unwrap_or_default();
        let password = session.split_once(':').map_or("", |(_, password)| password);
        let mut text = text.to_owned();
        for secret in [session, password].into_iter().filter(|secret| !secret.is_empty()) {
            for written in [quick_xml::escape::escape(secret).into_owned(), secret.to_owned()] {
                text = text.replace(&written, "«redacted»");
            }
        }
        let mut line = one_line(&text);
        if let Some((end, _)) = line.char_indices().nth(300) {
            line.truncate(end);
            line.push('…');
        }
        line
    }
}

const INFO: &str = "one.vm.info";

/// No answer came.
fn lost(failure: crate::migration::api_client::Failure) -> Refusal {
    // Whoever is restarted, or cut off, may come back.
    Refusal { error: failure.error, may_be_done: failure.may_be_done, is_passing: true }
}

/// Whether it is XML, and not nested deeper than the stack of who reads it allows.
fn is_sane(text: &str) -> bool {
    let mut reader = quick_xml::Reader::from_str(text);
    let mut depth = 0_usize;
    loop {
        match reader.read_event() {
            Ok(XmlEvent::Start(_)) => depth += 1,
            Ok(XmlEvent::End(_)) => depth = depth.saturating_sub(1),
            Ok(XmlEvent::Eof) => return depth == 0,
            Ok(_) => {}
            Err(_) => return false,
        }
        if depth > DEEPEST {
            return false;
        }
    }
}

/// A value of a type that results are of.
trait Element: Sized {
    fn of(value: &Value) -> Option<Self>;
}

impl Element for String {
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(text.clone()),
            _ => None,
        }
    }
}

impl Element for i32 {
    /// Newer releases have some numbers in 64 bits.
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Integer(number) => Some(*number),
            Value::Long(number) => Self::try_from(*number).ok(),
            _ => None,
        }
    }
}

#[derive(Deserialize)]
struct Named {
    #[serde(rename = "ID")]
    id: i32,
    #[serde(rename = "NAME", default)]
    name: String,
}

#[derive(Deserialize)]
struct MachinePool {
    #[serde(rename = "VM", default)]
    machines: Vec<Named>,
}

#[derive(Deserialize)]
struct HostPool {
    #[serde(rename = "HOST", default)]
    hosts: Vec<Named>,
}

#[cfg(test)]
mod tests;
