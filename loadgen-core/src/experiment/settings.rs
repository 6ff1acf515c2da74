//! What trials are made with: the settings of the load and of the trigger, and the programs of
//! the testbed.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What trials are made with. Whoever makes the trials gives it its meaning.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// The settings of the load, which are the options of `loadgen migrate` with `_` for `-`.
    pub load: BTreeMap<String, Given>,
    /// The settings of the trigger.
    pub trigger: BTreeMap<String, Given>,
    /// The programs of the testbed.
    pub hooks: BTreeMap<HookName, HookSettings>,
}

impl Settings {
    /// Those of another in place of these, where it has any.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        let mut all = self.clone();
        all.load.extend(other.load.clone());
        all.trigger.extend(other.trigger.clone());
        all.hooks.extend(other.hooks.clone());
        all
    }

    /// What of these another has not, or has otherwise.
    #[must_use]
    pub fn beside(&self, other: &Self) -> Self {
        fn differing<K: Ord + Clone, V: PartialEq + Clone>(
            ours: &BTreeMap<K, V>,
            theirs: &BTreeMap<K, V>,
        ) -> BTreeMap<K, V> {
            let differs = |(key, value): &(&K, &V)| theirs.get(key) != Some(value);
            ours.iter().filter(differs).map(|(key, value)| (key.clone(), value.clone())).collect()
        }
        Self {
            load: differing(&self.load, &other.load),
            trigger: differing(&self.trigger, &other.trigger),
            hooks: differing(&self.hooks, &other.hooks),
        }
    }

    /// These without those of another.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let mut rest = self.clone();
        rest.load.retain(|key, _| !other.load.contains_key(key));
        rest.trigger.retain(|key, _| !other.trigger.contains_key(key));
        rest.hooks.retain(|name, _| !other.hooks.contains_key(name));
        rest
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.load.is_empty() && self.trigger.is_empty() && self.hooks.is_empty()
    }

    /// Every text in them, with the name of its setting.
    pub(super) fn texts(&self) -> impl Iterator<Item = (String, &str)> {
        let groups = [("load", &self.load), ("trigger", &self.trigger)];
        let of_groups = groups.into_iter().flat_map(|(group, all)| {
            all.iter().flat_map(move |(key, given)| {
                given.texts().map(move |text| (format!("{group}.{key}"), text))
            })
        });
        let of_hooks = self.hooks.iter();
        of_groups.chain(of_hooks.map(|(name, hook)| (format!("hooks.{}", name.name()), &*hook.run)))
    }

    /// A line each, by names such as `load.rate`.
    #[must_use]
    pub fn lines(&self) -> BTreeMap<String, String> {
        let groups = [("load", &self.load), ("trigger", &self.trigger)];
        let of_groups = groups.into_iter().flat_map(|(group, all)| {
            all.iter().map(move |(key, given)| (format!("{group}.{key}"), given.to_string()))
        });
        let of_hooks = self.hooks.iter();
        let of_hooks = of_hooks.map(|(hook, p)| (format!("hooks.{}", hook.name()), p.run.clone()));
        of_groups.chain(of_hooks).collect()
    }
}

/// The value of a setting, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Given {
    /// A switch.
    Flag(bool),
    /// One value.
    One(String),
    /// Several, each of which is given.
    Several(Vec<String>),
}

/// When a program of the testbed is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum HookName {
    /// Brings up the machine, and all that is around it.
    Up,
    /// Waits until the machine is quiet, before each load.
    Settle,
    /// Brings the machine back to where it was, after a trial; without it, it is taken down and
    /// brought up for each trial.
    Rewind,
    /// Takes it all down, also what an experiment left that was killed.
    Down,
}

impl HookName {
    /// All, in the order in which a trial has them.
    pub const ALL: [Self; 4] = [Self::Up, Self::Settle, Self::Rewind, Self::Down];

    /// Its name in plans and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Settle => "settle",
            Self::Rewind => "rewind",
            Self::Down => "down",
        }
    }
}

/// A program of the testbed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HookSettings {
    /// The program and its arguments, split into words as by a shell; no shell runs.
    pub run: String,
    /// How long it may take.
    pub limit: Duration,
}

impl HookSettings {
    /// How long a program may take unless the plan says otherwise.
    pub const LIMIT: Duration = Duration::from_secs(300);

    /// This program, with the usual limit.
    #[must_use]
    pub fn new(run: &str) -> Self {
        Self { run: run.to_owned(), limit: Self::LIMIT }
    }
}

impl Given {
    /// Its texts; none of a switch.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        let texts = match self {
            Self::Flag(_) => &[],
            Self::One(text) => std::slice::from_ref(text),
            Self::Several(texts) => texts.as_slice(),
        };
        texts.iter().map(String::as_str)
    }
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => flag.fmt(f),
            Self::One(text) => f.write_str(text),
            Self::Several(texts) => f.write_str(&texts.join(", ")),
        }
    }
}
