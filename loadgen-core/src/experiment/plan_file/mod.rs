//! The plan of an experiment as TOML, read and written.
//!
//! ```toml
//! name = "sizes and strategies"
//! trials = 7
//! [factors]
//! memory = ["512MiB", "1GiB"]
//! [load]
//! rate = 100
//! [trigger]
//! spec = "simulated:memory={memory}"
//! [hooks]
//! up = { run = "./up.sh", limit = "60s" }
//! ```

mod document;
mod written;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::PlanFileError;
use super::plan::ExperimentPlan;
use crate::secret::{is_credential, without_passwords};
use document::Document;
pub(super) use written::to_toml;

/// A plan that was read from a file, with the lines of what is in it.
#[derive(Debug, Clone)]
pub struct PlanFile {
    /// The plan.
    pub plan: ExperimentPlan,
    file: PathBuf,
    /// Line of each setting, such as `load.rate`.
    lines: BTreeMap<String, u64>,
}

impl PlanFile {
    /// Reads a file.
    ///
    /// # Errors
    /// [`PlanFileError`] with the line, if it cannot be read, or is no plan.
    pub fn read(file: &Path) -> Result<Self, PlanFileError> {
        let read = |cause| PlanFileError::Read { file: file.to_owned(), cause };
        Self::parse(&std::fs::read_to_string(file).map_err(read)?, file)
    }

    /// Reads the text of a plan; messages name `file`.
    ///
    /// # Errors
    /// [`PlanFileError::Content`] with the line, if it is no plan.
    pub fn parse(text: &str, file: &Path) -> Result<Self, PlanFileError> {
        let document: Document = toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| line_at(text, span.start));
            let reason = with_nearest(error.message());
            PlanFileError::Content { file: file.to_owned(), line, reason }
        })?;
        let mut lines = BTreeMap::new();
        for (group, settings) in [("load", &document.load), ("trigger", &document.trigger)] {
            for (key, given) in settings {
                lines.insert(format!("{group}.{key}"), line_at(text, given.span().start));
            }
        }
        for (name, levels) in &document.factors.0 {
            lines.insert(format!("factors.{name}"), line_at(text, levels.span().start));
        }
        for (name, hook) in document.hooks.all() {
            lines.insert(format!("hooks.{}", name.name()), line_at(text, hook.span().start));
        }
        let plan = document.into_plan();
        let read = Self { plan, file: file.to_owned(), lines };
        read.without_secrets()?;
        read.plan.validate().map_err(|error| {
            let factor = error.factor().map(|name| format!("factors.{name}"));
            read.wrong(factor.as_deref().unwrap_or_default(), error.to_string())
        })?;
        Ok(read)
    }

    /// The file, as it was named.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The error that a setting, such as `load.rate`, is wrong, with its line.
    #[must_use]
    pub fn wrong(&self, setting: &str, reason: impl Into<String>) -> PlanFileError {
        let line = self.lines.get(setting).copied();
        PlanFileError::Content { file: self.file.clone(), line, reason: reason.into() }
    }

    /// The directory of the file: paths in the plan, and the programs of the testbed, begin there.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        match self.file.parent() {
            Some(parent) if parent != Path::new("") => parent.to_owned(),
            _ => PathBuf::from("."),
        }
    }

    /// Refuses credentials: the plan is kept with the results, and shown with them.
    fn without_secrets(&self) -> Result<(), PlanFileError> {
        let plan = &self.plan;
        let settings = [("load", &plan.load), ("trigger", &plan.trigger)];
        let all = settings.into_iter().flat_map(|(group, all)| {
            all.iter().flat_map(move |(key, given)| {
                given.texts().map(move |text| (format!("{group}.{key}"), text))
            })
        });
        let hooks = plan.hooks.iter();
        let hooks = hooks.map(|(name, hook)| (format!("hooks.{}", name.name()), &*hook.run));
        for (setting, text) in all.chain(hooks) {
            if without_passwords(text) != text {
                let reason = format!(
                    "the user and password in the URL of {setting} would be kept and shown with the \
                     results: give them as a header, 'Authorization: Basic env:NAME'"
                );
                return Err(self.wrong(&setting, reason));
            }
            let header = text.split_once(':').filter(|_| setting == "load.header");
            let open = header.filter(|(name, value)| {
                !text.starts_with('@') && is_credential(name) && !value.contains("env:")
            });
            if let Some((name, _)) = open {
                let reason = format!(
                    "the value of the header {name} would be kept and shown with the results: write \
                     '{name}: env:NAME' to take it from the environment, or '@FILE'"
                );
                return Err(self.wrong(&setting, reason));
            }
        }
        Ok(())
    }

    /// Refuses a setting of the load that whoever makes the trials does not know.
    ///
    /// # Errors
    /// [`PlanFileError::Content`] with its line, and the known name that is nearest.
    pub fn only_known(&self, known: &[&str]) -> Result<(), PlanFileError> {
        match self.plan.load.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => {
                let hint = nearest(key, known).map_or_else(
                    || format!("known are {}", known.join(", ")),
                    |name| format!("did you mean '{name}'?"),
                );
                let reason = format!("there is no setting '{key}' of the load: {hint}");
                Err(self.wrong(&format!("load.{key}"), reason))
            }
        }
    }
}

/// The line of a place in a text, from 1.
fn line_at(text: &str, at: usize) -> u64 {
    let before = text.as_bytes().iter().take(at);
    1 + before.filter(|byte| **byte == b'\n').count() as u64
}

/// The name that someone meant who wrote another one.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let distance = |known: &&str| strsim::damerau_levenshtein(name, known);
    let nearest = known.iter().min_by_key(|known| distance(known))?;
    (distance(nearest) <= 1 + name.chars().count() / 4).then_some(nearest)
}

/// What serde says of a field that it does not know, with the one that is nearest.
fn with_nearest(message: &str) -> String {
    let Some((unknown, expected)) =
        message.strip_prefix("unknown field ").and_then(|rest| rest.split_once(", expected "))
    else {
        return message.to_owned();
    };
    let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    match nearest(unknown.trim_matches('`'), &known) {
        Some(name) => format!("there is no setting {unknown} here: did you mean `{name}`?"),
        None => format!("there is no setting {unknown} here: known are {}", known.join(", ")),
    }
}
