//! A recipe as it is written, in TOML. Whether it can be followed is for [`super::check`] to say.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value as Json;

use super::condition::{Pointer, Predicate, Saved};
use super::template::Template;
use crate::units::parse_duration;

/// See the module.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RecipeFile {
    pub(super) recipe: u32,
    /// Who is asked, such as `kubevirt`.
    pub(super) name: String,
    #[serde(default)]
    pub(super) parameters: BTreeMap<String, Parameter>,
    #[serde(default)]
    pub(super) secrets: BTreeMap<String, SecretSource>,
    pub(super) servers: BTreeMap<String, Server>,
    /// What is looked at before the load.
    #[serde(default)]
    pub(super) inspect: Vec<Step>,
    /// What is prepared before the load.
    #[serde(default)]
    pub(super) prepare: Vec<Step>,
    pub(super) start: Start,
    pub(super) poll: Option<Poll>,
    pub(super) confirm: Option<Confirm>,
    pub(super) figures: Option<Figures>,
    pub(super) cancel: Option<Cancel>,
}

/// What the user of a recipe says.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameter {
    pub(super) about: String,
    pub(super) default: Option<String>,
}

/// Where a secret is read from: the variable, or else the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretSource {
    pub(super) env: Option<String>,
    pub(super) file: Option<Template>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Server {
    pub(super) url: Template,
    /// File with the certificates to trust; empty: those of the system.
    pub(super) ca: Option<Template>,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, Template>,
}

/// A request: one of the methods, with the path.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    server: Option<String>,
    get: Option<Template>,
    post: Option<Template>,
    put: Option<Template>,
    patch: Option<Template>,
    delete: Option<Template>,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, Template>,
    pub(super) json: Option<Json>,
    pub(super) form: Option<BTreeMap<String, Template>>,
    /// Statuses of success; all of 2xx unless told otherwise.
    accept: Option<BTreeSet<u16>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Step {
    /// What it is for, in errors.
    pub(super) what: String,
    pub(super) request: Request,
    pub(super) expect: Option<Predicate>,
    /// What to do if that does not hold.
    pub(super) mend: Option<String>,
    /// Why it was refused, the first that is there.
    #[serde(default)]
    pub(super) reason: Vec<Pointer>,
    #[serde(default)]
    pub(super) save: BTreeMap<String, Saved>,
    #[serde(default)]
    pub(super) save_secret: BTreeMap<String, Saved>,
    /// The machine's memory, such as 512Mi, and the unit of a plain number.
    pub(super) memory: Option<Pointer>,
    pub(super) memory_unit: Option<String>,
    /// Its answer is not waited for, as it comes at the end of the migration.
    #[serde(default)]
    pub(super) in_background: bool,
    #[serde(default, deserialize_with = "duration")]
    pub(super) pause: Option<Duration>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Start {
    pub(super) request: Request,
    #[serde(default)]
    pub(super) save: BTreeMap<String, Saved>,
    /// Why it was refused, the first that is there.
    #[serde(default)]
    pub(super) reason: Vec<Pointer>,
    /// It is answered at the end of the migration: a success is the success.
    #[serde(default)]
    pub(super) answers_at_the_end: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Poll {
    pub(super) request: Request,
    #[serde(default, deserialize_with = "duration")]
    pub(super) every: Option<Duration>,
    /// Statuses that say nothing: it is asked again.
    #[serde(default)]
    pub(super) tolerate: BTreeSet<u16>,
    /// Statuses that say that it is over, and not how: the confirmation tells.
    #[serde(default)]
    pub(super) over: BTreeSet<u16>,
    /// An answer that is not of this migration yet, but of an earlier one.
    pub(super) ignore: Option<Predicate>,
    pub(super) success: Predicate,
    pub(super) failure: Option<Predicate>,
    pub(super) cancelled: Option<Predicate>,
    #[serde(default)]
    pub(super) reason: Vec<Pointer>,
    /// A state by name, told whenever it changes.
    pub(super) state: Option<Pointer>,
    /// Numbers that are told whenever they change.
    #[serde(default)]
    pub(super) progress: BTreeMap<String, Pointer>,
    /// What is kept for the report, as it was in the last answer.
    #[serde(default)]
    pub(super) details: BTreeMap<String, Pointer>,
}

/// Whether the machine really is elsewhere.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Confirm {
    pub(super) request: Request,
    #[serde(default)]
    pub(super) tolerate: BTreeSet<u16>,
    pub(super) success: Predicate,
    #[serde(default, deserialize_with = "duration")]
    pub(super) within: Option<Duration>,
}

/// What the manager knows of the migration afterwards.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Figures {
    pub(super) request: Request,
    pub(super) downtime_ms: Option<Figure>,
    pub(super) total_ms: Option<Figure>,
    pub(super) transferred_bytes: Option<Figure>,
}

/// A number that an answer has somewhere, alone or between two texts.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "WrittenFigure")]
pub(super) struct Figure {
    pub(super) within: Pointer,
    pub(super) after: Option<String>,
    /// What follows it, such as ` ms`.
    pub(super) before: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a pointer, or { within = POINTER, after = TEXT, before = TEXT }")]
enum WrittenFigure {
    Alone(Pointer),
    Between(Between),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Between {
    within: Pointer,
    after: String,
    before: String,
}

impl From<WrittenFigure> for Figure {
    fn from(written: WrittenFigure) -> Self {
        match written {
            WrittenFigure::Alone(within) => Self { within, after: None, before: None },
            WrittenFigure::Between(Between { within, after, before }) => {
                Self { within, after: Some(after), before: Some(before) }
            }
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cancel {
    /// What has to be found out before.
    #[serde(default)]
    pub(super) first: Vec<Step>,
    pub(super) request: Request,
    /// Statuses of the poll that say, after this order, that there is nothing any more.
    #[serde(default)]
    pub(super) gone: BTreeSet<u16>,
}

/// A duration, as `500ms`.
fn duration<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(from)?;
    parse_duration(&text).map(Some).map_err(serde::de::Error::custom)
}

impl Request {
    /// The method, and the path.
    pub(super) fn line(&self) -> Option<(http::Method, &Template)> {
        use http::Method;
        let all = [
            (Method::GET, &self.get),
            (Method::POST, &self.post),
            (Method::PUT, &self.put),
            (Method::PATCH, &self.patch),
            (Method::DELETE, &self.delete),
        ];
        let mut given = all.into_iter().filter_map(|(method, path)| Some((method, path.as_ref()?)));
        given.next().filter(|_| given.next().is_none())
    }

    /// The server's name.
    pub(super) fn server(&self) -> &str {
        self.server.as_deref().unwrap_or("main")
    }

    pub(super) fn accepts(&self, status: u16) -> bool {
        match &self.accept {
            Some(accept) => accept.contains(&status),
            None => (200..300).contains(&status),
        }
    }

    /// All of its texts, and whether a secret may stand there.
    pub(super) fn templates(&self) -> Result<Vec<(Template, bool)>, String> {
        let mut all: Vec<(Template, bool)> =
            self.line().into_iter().map(|(_, path)| (path.clone(), false)).collect();
        all.extend(self.headers.values().map(|value| (value.clone(), true)));
        all.extend(self.form.iter().flatten().map(|(_, value)| (value.clone(), true)));
        if let Some(json) = &self.json {
            let mut texts = Vec::new();
            texts_of(json, &mut texts);
            for text in texts {
                all.push((Template::try_from(text.to_owned())?, true));
            }
        }
        Ok(all)
    }
}

fn texts_of<'a>(json: &'a Json, into: &mut Vec<&'a str>) {
    match json {
        Json::String(text) => into.push(text),
        Json::Array(list) => list.iter().for_each(|item| texts_of(item, into)),
        Json::Object(object) => object.values().for_each(|item| texts_of(item, into)),
        _ => {}
    }
}
