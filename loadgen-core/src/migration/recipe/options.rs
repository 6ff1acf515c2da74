//! What an `http:` specification says: [`RecipeOptions`].

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::migration::lists::{list_items, spec};
use crate::migration::overheard::HypervisorEvents;
use crate::migration::trigger::TriggerError;
use crate::units::parse_duration;

/// How long between two looks.
pub(super) const POLLS: RangeInclusive<Duration> =
    Duration::from_millis(10)..=Duration::from_secs(60);

/// Keys that all recipes have: no parameter may be called so.
pub(super) const OURS: [&str; 6] = ["poll", "libvirt-events", "qmp", "clock", "domain", "virsh"];

/// A migration that is ordered over HTTP: `RECIPE.toml[,KEY=VALUE…]`. What the keys are says the
/// recipe in its `[parameters]`; beside them there are
///
/// | key | meaning | default |
/// |---|---|---|
/// | `poll` | how long between two looks, 10 ms to 60 s | as the recipe says, or 500 ms |
/// | `libvirt-events` | `URI,URI`: libvirt of both hosts, to hear STOP and RESUME there | not heard |
/// | `qmp` | `SOCKET,SOCKET`: QEMU's own sockets at both hosts, for the same | not heard |
/// | `clock` | auto, local or remote: whose clock QEMU's timestamps are of | auto |
/// | `domain` | the machine's name at libvirt | none |
/// | `virsh` | the program that listens to libvirt | virsh |
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RecipeOptions {
    /// The recipe.
    pub recipe: PathBuf,
    /// Values of its parameters.
    pub parameters: BTreeMap<String, String>,
    /// How long between two looks; `None`: as the recipe says.
    pub poll: Option<Duration>,
    /// The hypervisors whose events are heard besides.
    pub events: HypervisorEvents,
}

impl RecipeOptions {
    /// What a recipe says, without parameters.
    pub fn new(recipe: impl Into<PathBuf>) -> Self {
        Self {
            recipe: recipe.into(),
            parameters: BTreeMap::new(),
            poll: None,
            events: HypervisorEvents::default(),
        }
    }

    /// Sets a parameter of the recipe.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.insert(name.into(), value.into());
        self
    }

    /// Checks that the options go together. Whether the recipe has these parameters, is checked when
    /// it is read.
    ///
    /// # Errors
    /// [`TriggerError::Spec`] that says what is missing.
    pub fn validate(&self) -> Result<(), TriggerError> {
        if self.recipe.as_os_str().is_empty() {
            return Err(spec(
                "http: needs a recipe, as in http:recipes/kubevirt.toml,vm=web1".to_owned(),
            ));
        }
        if self.poll.is_some_and(|poll| !POLLS.contains(&poll)) {
            return Err(spec("poll is from 10ms to 60s".to_owned()));
        }
        self.events.validate()
    }
}

impl FromStr for RecipeOptions {
    type Err = TriggerError;

    fn from_str(text: &str) -> Result<Self, TriggerError> {
        let mut items = list_items(text).into_iter();
        let mut options = Self::new(items.next().unwrap_or_default());
        let mut seen: Vec<String> = Vec::new();
        for item in items {
            let last = seen.last().cloned().unwrap_or_default();
            if options.events.is_second(&last, &item) {
                options.events.set(&last, &item)?;
                continue;
            }
            let Some((key, value)) = item.split_once('=').filter(|(key, _)| !key.is_empty()) else {
                return Err(spec(format!("'{}' is not KEY=VALUE", item.escape_debug())));
            };
            if seen.iter().any(|known| known == key) {
                return Err(spec(format!("{} is given twice", key.escape_debug())));
            }
            seen.push(key.to_owned());
            match key {
                "poll" => {
                    let poll = parse_duration(value).map_err(|e| spec(format!("poll: {e}")))?;
                    options.poll = Some(poll);
                }
                _ if options.events.set(key, value)? => {}
                _ => options = options.with(key, value),
            }
        }
        options.validate()?;
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_and_what_all_have() {
        let options: RecipeOptions =
            "r.toml,vm=web1,url=https://h/?a=b,,c,empty=,poll=1s,libvirt-events=a://h/,b://h/,domain=d"
                .parse()
                .unwrap();
        let mut wanted = RecipeOptions::new("r.toml")
            .with("vm", "web1")
            .with("url", "https://h/?a=b,c")
            .with("empty", "");
        wanted.poll = Some(Duration::from_secs(1));
        wanted.events = HypervisorEvents::of_libvirt("a://h/", "b://h/").with_domain("d");
        assert_eq!(options, wanted);
    }

    #[test]
    fn refusals_name_the_mend() {
        for (text, reason) in [
            ("", "needs a recipe, as in http:recipes"),
            ("r.toml,vm", "'vm' is not KEY=VALUE"),
            ("r.toml,=a", "'=a' is not KEY=VALUE"),
            ("r.toml,vm=a,vm=b", "vm is given twice"),
            ("r.toml,poll=1ms", "poll is from 10ms to 60s"),
            ("r.toml,domain=a", "without them nobody is listened to"),
        ] {
            let error = text.parse::<RecipeOptions>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
