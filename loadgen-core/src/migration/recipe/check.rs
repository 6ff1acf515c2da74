//! Whether a recipe can be followed: every value is known where it stands, no secret is shown, and it
//! is found out what became of the migration.

use std::collections::{BTreeMap, BTreeSet};

use super::condition::{Predicate, Saved};
use super::file::{RecipeFile, Request, Step};
use super::options::POLLS;
use super::template::{Template, is_name};

/// The version of recipes that is read here.
const VERSION: u32 = 1;
/// Characters of an error of TOML that are shown.
const LONGEST_ERROR: usize = 600;
/// Values that are there without being asked for: the run, and its repetition.
const BUILT_IN: [&str; 2] = ["run", "trial"];

/// The names that are known at a place of a recipe.
struct Names<'a> {
    shown: BTreeSet<&'a str>,
    secret: BTreeSet<&'a str>,
    servers: BTreeSet<&'a str>,
}

impl<'a> Names<'a> {
    fn check(&self, template: &Template, may_be_secret: bool) -> Result<(), String> {
        for name in template.names() {
            if self.secret.contains(name) && !may_be_secret {
                return Err(format!(
                    "the secret {{{name}}} would stand where it is shown: secrets belong into \
                     headers and bodies"
                ));
            }
            if !self.shown.contains(name) && !self.secret.contains(name) {
                return Err(format!("{{{name}}} is not known there"));
            }
        }
        Ok(())
    }

    fn predicate(&self, predicate: &Predicate) -> Result<(), String> {
        match predicate.names().find(|name| !self.shown.contains(name)) {
            Some(name) => Err(format!("{{{name}}} is not known there, or is a secret")),
            None => Ok(()),
        }
    }

    fn request(&self, request: &Request) -> Result<(), String> {
        if request.line().is_none() {
            return Err("a request has one of get, post, put, patch and delete".to_owned());
        }
        if !self.servers.contains(request.server()) {
            return Err(format!("there is no [servers.{}]", request.server()));
        }
        if request.json.is_some() && request.form.is_some() {
            return Err("a request has json or form, not both".to_owned());
        }
        for name in request.headers.keys() {
            header_name(name)?;
        }
        let mut all = request.templates()?.into_iter();
        all.try_for_each(|(template, may_be_secret)| self.check(&template, may_be_secret))
    }

    fn steps(&mut self, list: &str, steps: &'a [Step]) -> Result<(), String> {
        for step in steps {
            let within = within(&format!("{list} '{}'", step.what));
            self.request(&step.request).map_err(&within)?;
            step.expect.iter().try_for_each(|one| self.predicate(one)).map_err(&within)?;
            self.save(&step.save, false).map_err(&within)?;
            self.save(&step.save_secret, true).map_err(&within)?;
            let has_answer = step.expect.is_some()
                || !step.save.is_empty()
                || !step.save_secret.is_empty()
                || step.memory.is_some();
            if step.memory_unit.is_some() && step.memory.is_none() {
                return Err(within("memory-unit goes with memory".to_owned()));
            }
            if step.in_background && has_answer {
                return Err(within(
                    "its answer comes at the end: expect, save and memory cannot be of it"
                        .to_owned(),
                ));
            }
        }
        Ok(())
    }

    fn save(&mut self, saved: &'a BTreeMap<String, Saved>, secret: bool) -> Result<(), String> {
        for name in saved.keys() {
            self.add(name, secret)?;
        }
        Ok(())
    }

    fn add(&mut self, name: &'a str, secret: bool) -> Result<(), String> {
        if !is_name(name) {
            return Err(format!("'{name}' names no value: a-z, 0-9 and -, and a letter first"));
        }
        let is_new = !self.shown.contains(name) && !self.secret.contains(name);
        let names = if secret { &mut self.secret } else { &mut self.shown };
        names.insert(name);
        if is_new { Ok(()) } else { Err(format!("{{{name}}} is there twice")) }
    }
}

/// Says where an error is.
fn within(place: &str) -> impl Fn(String) -> String + use<> {
    let place = place.to_owned();
    move |error| format!("{place}: {error}")
}

fn header_name(name: &str) -> Result<(), String> {
    let parsed = http::HeaderName::from_bytes(name.as_bytes());
    parsed.map(drop).map_err(|_| format!("'{name}' is no name of a header"))
}

impl RecipeFile {
    /// Reads a recipe, and checks that it can be followed.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let file: Self = toml::from_str(text).map_err(|error| {
            // It quotes the line, which may be of any length.
            error.to_string().chars().take(LONGEST_ERROR).collect::<String>()
        })?;
        if file.recipe != VERSION {
            return Err(format!(
                "recipe = {}: this loadgen reads recipes of version {VERSION}",
                file.recipe
            ));
        }
        file.check()?;
        Ok(file)
    }

    fn check(&self) -> Result<(), String> {
        let mut names = Names {
            shown: BTreeSet::new(),
            secret: BTreeSet::new(),
            servers: self.servers.keys().map(String::as_str).collect(),
        };
        for name in self.parameters.keys() {
            names.add(name, false).map_err(within("[parameters]"))?;
        }
        for (name, source) in &self.secrets {
            let within = within(&format!("[secrets.{name}]"));
            if source.env.is_none() && source.file.is_none() {
                return Err(within("say env = \"VARIABLE\", file = \"FILE\", or both".to_owned()));
            }
            source.file.iter().try_for_each(|file| names.check(file, false)).map_err(&within)?;
            names.add(name, true).map_err(within)?;
        }
        for (name, server) in &self.servers {
            let check = || -> Result<(), String> {
                names.check(&server.url, false)?;
                server.ca.iter().try_for_each(|ca| names.check(ca, false))?;
                server.headers.keys().try_for_each(|name| header_name(name))
            };
            check().map_err(within(&format!("[servers.{name}]")))?;
        }
        names.steps("[[inspect]]", &self.inspect)?;
        // Known when the run is.
        for name in BUILT_IN {
            names.add(name, false)?;
        }
        names.steps("[[prepare]]", &self.prepare)?;
        names.request(&self.start.request).map_err(within("[start]"))?;
        names.save(&self.start.save, false).map_err(within("[start]"))?;
        match &self.poll {
            None if !self.start.answers_at_the_end => {
                return Err("it has no [poll], and [start] is not answers-at-the-end: nobody \
                            would know what became of the migration"
                    .to_owned());
            }
            Some(_) if self.start.answers_at_the_end => {
                return Err("[start] is answers-at-the-end: leave [poll] out".to_owned());
            }
            None => {}
            Some(poll) => {
                let check = || -> Result<(), String> {
                    names.request(&poll.request)?;
                    let others = [&poll.ignore, &poll.failure, &poll.cancelled];
                    let all = others.map(Option::as_ref).into_iter().chain([Some(&poll.success)]);
                    all.flatten().try_for_each(|one| names.predicate(one))
                };
                check().map_err(within("[poll]"))?;
                if poll.every.is_some_and(|every| !POLLS.contains(&every)) {
                    return Err(within("[poll]")("every is from 10ms to 60s".to_owned()));
                }
                if !poll.over.is_empty() && self.confirm.is_none() {
                    return Err(within("[poll]")("over goes with a [confirm]".to_owned()));
                }
            }
        }
        if let Some(confirm) = &self.confirm {
            let check = names.request(&confirm.request);
            check.and_then(|()| names.predicate(&confirm.success)).map_err(within("[confirm]"))?;
        }
        if let Some(figures) = &self.figures {
            names.request(&figures.request).map_err(within("[figures]"))?;
        }
        if let Some(cancel) = &self.cancel {
            names.steps("[[cancel.first]]", &cancel.first)?;
            names.request(&cancel.request).map_err(within("[cancel]"))?;
        }
        // Each is sent with every request, so it has to be known from the begin.
        for (name, server) in &self.servers {
            let within = within(&format!("[servers.{name}]"));
            let mut all = server.headers.values();
            all.try_for_each(|value| names.check(value, true)).map_err(within)?;
        }
        Ok(())
    }
}
