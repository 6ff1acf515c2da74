//! The servers of a recipe, asked as it says: requests with their values, and answers.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value as Json;

use super::condition::{Answer, Pointer, Predicate, Saved};
use super::file::{RecipeFile, Request, Server, Step};
use super::options::{OURS, RecipeOptions};
use super::template::{Place, Template, Values, encode};
use crate::migration::api_client::{ApiAnswer, ApiClient, ApiRequest, Failure};
use crate::migration::trigger::TriggerError;
use crate::net::tls::Tls;
use crate::target::Target;

/// How long an answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// How long one may take that comes at the end of a migration: the migration has a limit of its own.
const AT_THE_END: Duration = Duration::from_secs(7 * 24 * 3600);

/// See the module.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) values: Values,
    servers: BTreeMap<String, Server>,
    /// How long an answer may take.
    limit: Duration,
    clients: BTreeMap<String, ApiClient>,
    /// Steps whose answers come at the end.
    background: Vec<(Step, ApiClient)>,
}

/// An answer, and when it was true.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) answer: Answer,
    /// The begin of its text, for messages.
    pub(super) text: String,
    pub(super) asked_ns: u64,
    pub(super) answered_ns: u64,
}

impl Session {
    /// Reads the recipe and what it needs.
    ///
    /// # Errors
    /// [`TriggerError`] if it cannot be read or followed, or parameters or secrets are missing.
    pub(super) fn read(options: &RecipeOptions) -> Result<(RecipeFile, Self), TriggerError> {
        let what = format!("the recipe {}", options.recipe.display());
        let text = fs::read_to_string(&options.recipe)
            .map_err(|error| TriggerError::io(format!("reading {what}"), error))?;
        let refused = |reason: String| TriggerError::protocol(what.as_str(), reason);
        let file = RecipeFile::read(&text).map_err(&refused)?;
        if let Some(name) = file.parameters.keys().find(|name| OURS.contains(&name.as_str())) {
            return Err(refused(format!("no parameter may be called {name}: all recipes have it")));
        }
        let known: Vec<&str> = file.parameters.keys().map(String::as_str).collect();
        if let Some(unknown) =
            options.parameters.keys().find(|name| !known.contains(&name.as_str()))
        {
            return Err(refused(format!(
                "it has no parameter '{}'; it has {}",
                unknown.escape_debug(),
                known.join(", ")
            )));
        }
        let mut values = Values::default();
        for (name, parameter) in &file.parameters {
            match options.parameters.get(name).or(parameter.default.as_ref()) {
                Some(value) => values.set(name, value.as_str()),
                None => {
                    return Err(refused(format!("it needs {name}= ({})", parameter.about)));
                }
            }
        }
        for (name, source) in &file.secrets {
            let path = source.file.as_ref().map(|file| file.fill(&values, Place::Plain));
            let path = path.filter(|path| !path.is_empty());
            let set = source.env.as_ref().and_then(|name| std::env::var(name).ok());
            let secret = match (set.filter(|set| !set.is_empty()), &path) {
                (Some(set), _) => set,
                (None, Some(path)) => fs::read_to_string(path).map_err(|error| {
                    TriggerError::io(format!("reading the secret '{name}' from {path}"), error)
                })?,
                (None, None) => {
                    let env = source.env.as_deref().map(|env| format!("set {env}"));
                    let file = source.file.as_ref().and_then(|file| {
                        file.names().next().map(|name| format!("give {name}=FILE"))
                    });
                    let mends: Vec<String> = env.into_iter().chain(file).collect();
                    return Err(refused(format!(
                        "it needs the secret '{name}': {}",
                        mends.join(", or ")
                    )));
                }
            };
            values.set_secret(name, secret.trim());
        }
        let servers = file.servers.clone();
        let (clients, background) = (BTreeMap::new(), Vec::new());
        Ok((file, Self { values, servers, limit: ANSWER_LIMIT, clients, background }))
    }

    /// A new client of a server.
    fn client(&self, name: &str, limit: Duration) -> Result<ApiClient, TriggerError> {
        let Some(server) = self.servers.get(name) else {
            return Err(TriggerError::Unsupported("the recipe does not name this server"));
        };
        let url = server.url.fill(&self.values, Place::Plain);
        let what = format!("the recipe's server '{name}'");
        let target = Target::parse(&url)
            .map_err(|error| TriggerError::protocol(what.as_str(), error.to_string()))?;
        if target.authorization().is_some() {
            return Err(TriggerError::protocol(
                what,
                "user and password do not belong into a URL: let the recipe send them in a header, \
                 from [secrets]",
            ));
        }
        let ca = server.ca.as_ref().map(|ca| ca.fill(&self.values, Place::Plain));
        let ca_file = ca.filter(|ca| !ca.is_empty()).map(Into::into);
        ApiClient::new(target, &Tls { ca_file, ..Tls::default() }, limit)
    }

    /// The client of a server for requests that are answered at once.
    fn usual(&mut self, name: &str) -> Result<&mut ApiClient, TriggerError> {
        if !self.clients.contains_key(name) {
            let client = self.client(name, self.limit)?;
            self.clients.insert(name.to_owned(), client);
        }
        self.clients.get_mut(name).ok_or(TriggerError::Unsupported("there is no such server"))
    }

    /// Asks, and no answer may take longer than that.
    pub(super) fn hurried<T>(&mut self, limit: Duration, ask: impl FnOnce(&mut Self) -> T) -> T {
        let set = |session: &mut Self, limit: Duration| {
            session.limit = limit;
            session.clients.values_mut().for_each(|client| client.set_limit(limit));
        };
        set(self, limit);
        let asked = ask(self);
        set(self, ANSWER_LIMIT);
        asked
    }

    /// Asks, and waits for the answer.
    pub(super) fn ask(&mut self, what: &str, request: &Request) -> Result<Told, Failure> {
        let sure = |error| Failure { error, may_be_done: false };
        let base = self.usual(request.server()).map_err(sure)?.path().to_owned();
        let whole = self.whole(request, &base).map_err(sure)?;
        let answer = self.usual(request.server()).map_err(sure)?.ask(what, whole)?;
        Ok(self.told(answer))
    }

    /// Begins to ask.
    pub(super) fn start(&mut self, what: &str, request: &Request) -> Result<(), TriggerError> {
        let base = self.usual(request.server())?.path().to_owned();
        let whole = self.whole(request, &base)?;
        self.usual(request.server())?.start(what, whole);
        Ok(())
    }

    /// Whether an answer is still to come of what was begun there.
    pub(super) fn is_asking(&self, request: &Request) -> bool {
        self.clients.get(request.server()).is_some_and(ApiClient::is_asking)
    }

    /// The answer, if it comes within `timeout`.
    pub(super) fn wait(
        &mut self,
        request: &Request,
        timeout: Duration,
    ) -> Option<Result<Told, Failure>> {
        let client = self.clients.get_mut(request.server())?;
        let answer = client.wait(timeout)?;
        Some(answer.map(|answer| self.told(answer)))
    }

    /// Begins to ask on a client of its own, whose answer comes at the end of the migration.
    pub(super) fn start_long(
        &mut self,
        what: &str,
        request: &Request,
    ) -> Result<ApiClient, TriggerError> {
        let mut client = self.client(request.server(), AT_THE_END)?;
        let whole = self.whole(request, client.path())?;
        client.start(what, whole);
        Ok(client)
    }

    /// Why a step in the background was refused, of those that were answered.
    pub(super) fn background_trouble(&mut self, timeout: Duration) -> Option<TriggerError> {
        let mut background = std::mem::take(&mut self.background);
        let trouble =
            background.iter_mut().find_map(|(step, client)| match client.wait(timeout)? {
                Ok(answer) if step.request.accepts(answer.status.as_u16()) => None,
                Ok(answer) => {
                    let reason = self.refusal(&self.told(answer), &step.reason);
                    Some(step.refused(&reason))
                }
                Err(failure) => Some(failure.error),
            });
        self.background = background;
        trouble
    }

    /// Follows a step; what it found of the machine's memory, in bytes.
    pub(super) fn follow(&mut self, step: &Step) -> Result<Option<u64>, TriggerError> {
        let mut memory = None;
        if step.in_background {
            let client = self.start_long(&step.what, &step.request)?;
            self.background.push((step.clone(), client));
        } else {
            let told = self.ask(&step.what, &step.request).map_err(|failure| failure.error)?;
            let refused = |reason: String| step.refused(&reason);
            if !step.request.accepts(told.answer.status) {
                return Err(refused(self.refusal(&told, &step.reason)));
            }
            if let Some(expect) = &step.expect
                && !expect.holds(&told.answer, &self.values)
            {
                let unmet = expect.unmet(&told.answer, &self.values);
                return Err(refused(unmet.unwrap_or_default()));
            }
            for (saved, is_secret) in [(&step.save, false), (&step.save_secret, true)] {
                self.save(saved, &told.answer, is_secret).map_err(refused)?;
            }
            memory = step.memory.as_ref().and_then(|pointer| {
                memory_bytes(&pointer.text_of(&told.answer)?, step.memory_unit.as_deref())
            });
        }
        if let Some(pause) = step.pause {
            std::thread::sleep(pause);
        }
        self.background_trouble(Duration::ZERO).map_or(Ok(memory), Err)
    }

    /// Keeps what an answer says.
    pub(super) fn save(
        &mut self,
        saved: &BTreeMap<String, Saved>,
        answer: &Answer,
        is_secret: bool,
    ) -> Result<(), String> {
        for (name, Saved { pointer, is_optional }) in saved {
            let text = match pointer.text_of(answer) {
                Some(text) => text,
                None if *is_optional => String::new(),
                None => return Err(format!("the answer has no {{{name}}}")),
            };
            match is_secret {
                true => self.values.set_secret(name, text),
                false => self.values.set(name, text),
            }
        }
        Ok(())
    }

    /// Whether conditions hold.
    pub(super) fn values_hold(&self, predicate: &Predicate, answer: &Answer) -> bool {
        predicate.holds(answer, &self.values)
    }

    /// Why a request was refused: what the recipe points at, or else the begin of the answer.
    pub(super) fn refusal(&self, told: &Told, reasons: &[Pointer]) -> String {
        let status = http::StatusCode::from_u16(told.answer.status);
        let status = status.map_or_else(|_| told.answer.status.to_string(), |s| s.to_string());
        let said = reasons.iter().find_map(|pointer| pointer.text_of(&told.answer));
        let said = self.values.shown(&said.unwrap_or_else(|| told.text.clone()));
        let mend = match told.answer.status {
            401 => "; the credentials are wrong, or have expired",
            403 => "; the credentials are not allowed to do that",
            _ => "",
        };
        if said.is_empty() {
            format!("HTTP {status}{mend}")
        } else {
            format!("HTTP {status}: {said}{mend}")
        }
    }

    /// An answer, understood.
    pub(super) fn told(&self, answer: ApiAnswer) -> Told {
        let body = String::from_utf8_lossy(&answer.body);
        Told {
            answer: Answer {
                status: answer.status.as_u16(),
                headers: answer.headers,
                json: serde_json::from_slice(&answer.body).unwrap_or(Json::Null),
            },
            // A secret that is cut would not be known any more.
            text: self.values.redacted(&body).chars().take(2_000).collect(),
            asked_ns: answer.asked_ns,
            answered_ns: answer.answered_ns,
        }
    }

    /// The request with its values.
    fn whole(&self, request: &Request, base: &str) -> Result<ApiRequest, TriggerError> {
        let values = &self.values;
        let Some((method, path)) = request.line() else {
            return Err(TriggerError::Unsupported("the recipe's request has no method"));
        };
        if let Some(name) = path.step_in_path(values) {
            return Err(TriggerError::protocol(
                format!("the path of a request, with {name}="),
                "a value of '.' or '..' is a step in a path, and no name",
            ));
        }
        let path = format!("{}{}", base.trim_end_matches('/'), path.fill(values, Place::Path));
        let mut headers = HeaderMap::new();
        let of_server = self.servers.get(request.server()).map(|server| &server.headers);
        for (name, value) in of_server.into_iter().flatten().chain(&request.headers) {
            // One of a login is not known before it.
            if value.names().any(|name| values.get(name).is_none()) {
                continue;
            }
            let text = value.fill(values, Place::Plain);
            let parsed = (HeaderName::try_from(name.as_str()), HeaderValue::from_str(&text));
            let (Ok(name), Ok(mut value)) = parsed else {
                return Err(TriggerError::protocol(
                    format!("the header {name}"),
                    "its value cannot stand in a header",
                ));
            };
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let mut typed = |body: &'static str| {
            let of_type = HeaderValue::from_static(body);
            headers.entry(http::header::CONTENT_TYPE).or_insert(of_type);
        };
        let body = match (&request.json, &request.form) {
            (Some(json), _) => {
                typed("application/json");
                filled(json, values).to_string()
            }
            (None, Some(form)) => {
                typed("application/x-www-form-urlencoded");
                form_of(form, values)
            }
            (None, None) => String::new(),
        };
        Ok(ApiRequest { method, path, headers, body: body.into() })
    }
}

impl Step {
    /// That it was refused, and what mends it.
    fn refused(&self, reason: &str) -> TriggerError {
        let mend = self.mend.as_ref().map(|mend| format!("; {mend}")).unwrap_or_default();
        TriggerError::protocol(self.what.as_str(), format!("{reason}{mend}"))
    }
}

/// A body with its values: a text that is one empty value, and nothing else, becomes null.
fn filled(json: &Json, values: &Values) -> Json {
    match json {
        Json::String(text) => match Template::try_from(text.clone()) {
            Ok(template) => {
                let has_value = template.names().next().is_some();
                let text = template.fill(values, Place::Plain);
                if has_value && text.is_empty() { Json::Null } else { Json::String(text) }
            }
            // Recipes are checked before.
            Err(_) => json.clone(),
        },
        Json::Array(list) => list.iter().map(|item| filled(item, values)).collect(),
        Json::Object(object) => {
            object.iter().map(|(name, item)| (name.clone(), filled(item, values))).collect()
        }
        other => other.clone(),
    }
}

/// A form with its values, without those that are empty.
fn form_of(form: &BTreeMap<String, Template>, values: &Values) -> String {
    let mut body = String::new();
    for (name, value) in form {
        let value = value.fill(values, Place::Plain);
        if value.is_empty() {
            continue;
        }
        if !body.is_empty() {
            body.push('&');
        }
        encode(name, &mut body);
        body.push('=');
        encode(&value, &mut body);
    }
    body
}

/// Bytes of a memory, such as `512Mi`, or `512` with its unit.
fn memory_bytes(text: &str, unit: Option<&str>) -> Option<u64> {
    let is_number = text.chars().all(|c| c.is_ascii_digit());
    let text = match (is_number, unit) {
        (true, Some(unit)) => format!("{text}{unit}"),
        (true, None) => format!("{text}B"),
        (false, _) if text.ends_with('B') => text.to_owned(),
        (false, _) => format!("{text}B"),
    };
    crate::units::parse_bytes(&text).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bodies() {
        let mut values = Values::default();
        values.set("host", "");
        values.set("vm", "a\"b&c");
        let json = json!({ "host": "{host}", "l": ["{vm}", 3, true, null], "x": "" });
        let wanted = json!({ "host": null, "l": ["a\"b&c", 3, true, null], "x": "" });
        assert_eq!(filled(&json, &values), wanted);
        let template = |text: &str| Template::try_from(text.to_owned()).unwrap();
        let form = [("host", "{host}"), ("vm", "{vm}"), ("online", "1")];
        let form = form.into_iter().map(|(name, text)| (name.to_owned(), template(text))).collect();
        assert_eq!(form_of(&form, &values), "online=1&vm=a%22b%26c");
    }

    #[test]
    fn memories() {
        assert_eq!(memory_bytes("512Mi", None), Some(512 << 20));
        assert_eq!(memory_bytes("2Gi", Some("MiB")), Some(2 << 30));
        assert_eq!(memory_bytes("512", Some("MiB")), Some(512 << 20));
        assert_eq!(memory_bytes("1048576", None), Some(1 << 20));
        assert_eq!(memory_bytes("1GiB", None), Some(1 << 30));
        assert_eq!(memory_bytes("lots", None), None);
    }
}
