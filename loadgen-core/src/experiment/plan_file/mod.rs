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
    /// Files of builds that were plans of their own, by the begin of their settings.
    files: BTreeMap<String, PathBuf>,
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
        let places = document.places().into_iter();
        let lines = places.map(|(setting, at)| (setting, line_at(text, at))).collect();
        let plan = document.into_plan();
        let read = Self { plan, file: file.to_owned(), lines, files: BTreeMap::new() };
        read.without_secrets()?;
        read.plan.validate().map_err(|error| {
            let factor = error.factor().map(|name| format!("factors.{name}"));
            read.wrong(factor.as_deref().unwrap_or_default(), error.to_string())
        })?;
        Ok(read)
    }

    /// This plan and another one as one experiment, in which each block has both: as two builds
    /// with the names of the files.
    ///
    /// # Errors
    /// [`PlanFileError::Content`] if they are not in one directory, where the paths of both begin,
    /// vary different things, or do not differ.
    pub fn against(mut self, other: &Self) -> Result<Self, PlanFileError> {
        let place = |file: &Self| std::fs::canonicalize(file.directory()).ok();
        if place(&self) != place(other) {
            let reason = format!(
                "'{}' is in another directory, and the paths of both plans begin in one: put them \
                 beside each other",
                other.file.display()
            );
            return Err(self.wrong("", reason));
        }
        let name =
            |file: &Path| file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let (own, theirs) = (name(&self.file), name(&other.file));
        let joined = self.plan.against(&own, &other.plan, &theirs);
        for (name, from) in [(&own, &self.clone()), (&theirs, other)] {
            let lines = from.lines.iter();
            let moved = lines.map(|(setting, line)| (format!("builds.{name}.{setting}"), *line));
            self.lines.extend(moved);
            self.files.insert(format!("builds.{name}."), from.file.clone());
        }
        self.plan = joined.map_err(|error| self.wrong("", error.to_string()))?;
        self.plan.validate().map_err(|error| self.wrong("", error.to_string()))?;
        Ok(self)
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
        let other = self.files.iter().find(|(within, _)| setting.starts_with(&**within));
        let file = other.map_or(&self.file, |(_, file)| file).clone();
        PlanFileError::Content { file, line, reason: reason.into() }
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
        let of_plan = (String::new(), &self.plan.settings);
        let of_builds = self.plan.builds.iter();
        let of_builds = of_builds.map(|build| (format!("builds.{}.", build.name), &build.settings));
        let texts = std::iter::once(of_plan).chain(of_builds).flat_map(|(within, settings)| {
            let texts = settings.texts();
            texts.map(move |(name, text)| (format!("{within}{name}"), text))
        });
        for (setting, text) in texts {
            if without_passwords(text) != text {
                let reason = format!(
                    "the user and password in the URL of {setting} would be kept and shown with the \
                     results: give them as a header, 'Authorization: Basic env:NAME'"
                );
                return Err(self.wrong(&setting, reason));
            }
            let header = text.split_once(':').filter(|_| setting.ends_with("load.header"));
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
        let of_builds = self
            .plan
            .builds
            .iter()
            .map(|build| (format!("builds.{}.", build.name), &build.settings));
        let all = std::iter::once((String::new(), &self.plan.settings)).chain(of_builds);
        let mut keys =
            all.flat_map(|(within, of)| of.load.keys().map(move |key| (within.clone(), key)));
        match keys.find(|(_, key)| !known.contains(&key.as_str())) {
            None => Ok(()),
            Some((within, key)) => {
                let hint = nearest(key, known).map_or_else(
                    || format!("known are {}", known.join(", ")),
                    |name| format!("did you mean '{name}'?"),
                );
                let reason = format!("there is no setting '{key}' of the load: {hint}");
                Err(self.wrong(&format!("{within}load.{key}"), reason))
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
