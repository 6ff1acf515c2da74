//! The cells of a plan as command lines of `loadgen migrate`: every setting of the load is an
//! option of it, so both take the same words and give the same errors.

use std::time::Duration;

use clap::error::{ContextKind, ContextValue};
use clap::{Args as _, Command, FromArgMatches as _};
use loadgen_core::experiment::{
    BUILD, Cell, Given, PlaceholderError, PlanFile, PlanFileError, Settings, TrialContext, replaced,
};

use crate::command::migrate;
use crate::exit::Failure;

/// Options of `migrate` that an experiment has its own way for.
const NOT_OF_A_TRIAL: [&str; 10] = [
    "format",
    "output",
    "quiet",
    "trigger",
    "order",
    "strategy",
    "also",
    "also-order",
    "slo",
    "help",
];

/// Settings of the trigger.
const OF_TRIGGER: [(&str, &str); 4] =
    [("spec", "trigger"), ("strategy", "strategy"), ("also", "also"), ("also_order", "also-order")];

/// Placeholders that every trial has a value for.
const OF_TRIAL: [&str; 4] = ["trial", "block", "attempt", "dir"];

/// The command whose options the settings are.
fn command() -> Command {
    migrate::Args::augment_args(Command::new("load").no_binary_name(true))
}

/// What the settings of a load may be called: the options, with `_` for `-`, and `url`.
pub(super) fn known() -> Vec<String> {
    let command = command();
    let options = command.get_arguments().filter_map(|arg| arg.get_long());
    let of_load = options.filter(|long| !NOT_OF_A_TRIAL.contains(long));
    let mut known: Vec<String> = of_load.map(|long| long.replace('-', "_")).collect();
    known.push("url".to_owned());
    known.sort_unstable();
    known
}

/// Refuses what the trials of a plan could not be made with, as far as that can be told before
/// the testbed is up. Gives the least that the loads of all trials of a block take.
pub(super) fn check(file: &PlanFile) -> Result<Duration, Failure> {
    let known = known();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    file.only_known(&known).map_err(Failure::usage)?;
    let of_trigger = |key: &&String| OF_TRIGGER.iter().any(|(name, _)| name == key);
    let builds = file.plan.builds.iter().map(|build| &build.settings);
    let mut keys =
        std::iter::once(&file.plan.settings).chain(builds).flat_map(|of| of.trigger.keys());
    if let Some(key) = keys.find(|key| !of_trigger(key)) {
        let known = OF_TRIGGER.map(|(name, _)| name).join(", ");
        let reason = format!("there is no setting '{key}' of the trigger: known are {known}");
        let builds = file.plan.builds.iter();
        let mut of_builds = builds.filter(|build| build.settings.trigger.contains_key(key));
        let within = of_builds.next().map_or_else(String::new, |b| format!("builds.{}.", b.name));
        return Err(Failure::usage(file.wrong(&format!("{within}trigger.{key}"), reason)));
    }
    let cells = file.plan.design.cells().map_err(Failure::usage)?;
    cells.iter().map(|cell| check_cell(file, cell)).sum()
}

fn check_cell(file: &PlanFile, cell: &Cell) -> Result<Duration, Failure> {
    // What the testbed will say is not known yet: such settings are left out.
    let mut says = false;
    let own = file.plan.of_cell(cell);
    let boots = own.hooks.keys().any(|hook| matches!(hook.name(), "up" | "rewind"));
    let value = |name: &str| {
        let level = cell.level(name).map(ToString::to_string);
        level.or_else(|| OF_TRIAL.contains(&name).then(|| "1".to_owned()))
    };
    let mut words = Vec::new();
    for setting in settings(&own) {
        match setting.words(&value, &|| names(cell)) {
            Ok(of_setting) => words.extend(of_setting),
            Err(PlaceholderError::Unknown { .. }) if boots => says = true,
            Err(error) => {
                let path = in_build(file, cell, &setting.path);
                return Err(Failure::usage(file.wrong(&path, error.to_string())));
            }
        }
    }
    let args = parsed(&words).map_err(|error| of_clap(file, cell, &error))?;
    args.check_one().map_err(|failure| in_cell(file, cell, failure))?;
    if !says {
        args.check().map_err(|failure| in_cell(file, cell, failure))?;
    }
    Ok(args.shortest())
}

/// What `loadgen migrate` makes of the settings of a trial.
pub(super) fn of_trial(
    file: &PlanFile,
    trial: &TrialContext<'_>,
) -> Result<migrate::Args, Failure> {
    let value = |name: &str| match name {
        "trial" => Some(trial.index.to_string()),
        "block" => Some(trial.block.to_string()),
        "attempt" => Some(trial.attempt.to_string()),
        "dir" => Some(trial.folder.display().to_string()),
        name => {
            let level = trial.cell.level(name).map(ToString::to_string);
            level.or_else(|| trial.values.get(name).cloned())
        }
    };
    let known = || names(trial.cell).into_iter().chain(trial.values.keys().cloned()).collect();
    let mut words = Vec::new();
    let own = file.plan.of_cell(trial.cell);
    for setting in settings(&own) {
        let of_setting = setting.words(&value, &known);
        words.extend(of_setting.map_err(|error| {
            let path = in_build(file, trial.cell, &setting.path);
            Failure::usage(file.wrong(&path, error.to_string()))
        })?);
    }
    if !own.load.contains_key("seed") {
        // The trials of a block have the same random starts, those of another one others.
        let seed = file.plan.design.seed().wrapping_add(u64::from(trial.block));
        words.push(format!("--seed={seed}"));
    }
    parsed(&words).map_err(|error| of_clap(file, trial.cell, &error))
}

fn names(cell: &Cell) -> Vec<String> {
    let factors = cell.levels().map(|(name, _)| name);
    factors.chain(OF_TRIAL).map(str::to_owned).collect()
}

/// A setting, and the option that it is.
struct Setting<'a> {
    /// Such as `load.rate`.
    path: String,
    /// `None`: it is the URL, which has none.
    option: Option<String>,
    given: &'a Given,
}

fn settings(of: &Settings) -> impl Iterator<Item = Setting<'_>> {
    let of_load = of.load.iter().map(|(key, given)| Setting {
        path: format!("load.{key}"),
        option: (key != "url").then(|| key.replace('_', "-")),
        given,
    });
    let of_trigger = OF_TRIGGER.iter().filter_map(|(key, option)| {
        let given = of.trigger.get(*key)?;
        Some(Setting { path: format!("trigger.{key}"), option: Some((*option).to_owned()), given })
    });
    of_load.chain(of_trigger)
}

impl Setting<'_> {
    /// The words of a command line.
    fn words(
        &self,
        value: &dyn Fn(&str) -> Option<String>,
        known: &dyn Fn() -> Vec<String>,
    ) -> Result<Vec<String>, PlaceholderError> {
        let word = |text: &String| {
            let text = replaced(text, known, value)?;
            Ok(self.option.as_ref().map_or(text.clone(), |option| format!("--{option}={text}")))
        };
        match self.given {
            Given::Flag(true) => {
                Ok(self.option.iter().map(|option| format!("--{option}")).collect())
            }
            Given::One(text) => Ok(vec![word(text)?]),
            Given::Several(texts) => texts.iter().map(word).collect(),
            _ => Ok(Vec::new()),
        }
    }
}

fn parsed(words: &[String]) -> Result<migrate::Args, clap::Error> {
    migrate::Args::from_arg_matches(&command().try_get_matches_from(words)?)
}

/// What clap says of an option, as what is wrong with the setting of the plan.
fn of_clap(file: &PlanFile, cell: &Cell, error: &clap::Error) -> Failure {
    let option = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(shown)) => Some(shown.clone()),
        Some(ContextValue::Strings(shown)) => shown.first().cloned(),
        _ => None,
    };
    let option = option.and_then(|shown| {
        let long = shown.trim_start_matches("--").split([' ', '=', '<']).next()?;
        Some(long.to_owned()).filter(|long| !long.is_empty())
    });
    let setting = option.map_or_else(
        || "load.url".to_owned(),
        |long| match OF_TRIGGER.iter().find(|(_, option)| *option == long) {
            Some((key, _)) => format!("trigger.{key}"),
            None => format!("load.{}", long.replace('-', "_")),
        },
    );
    let setting = in_build(file, cell, &setting);
    let said = error.to_string();
    let said = said.split("\n\n").next().unwrap_or_default();
    let said = said.strip_prefix("error: ").unwrap_or(said).replace('\n', " ");
    Failure::usage(told(file.wrong(&setting, format!("{setting}: {said}")), cell))
}

/// The path of a setting of a cell: within its build, if that has it.
fn in_build(file: &PlanFile, cell: &Cell, path: &str) -> String {
    let is_it = |name: &str| cell.level(BUILD).is_some_and(|level| level.as_str() == name);
    let build = file.plan.builds.iter().find(|build| is_it(&build.name));
    match build.filter(|build| build.settings.lines().contains_key(path)) {
        Some(build) => format!("builds.{}.{path}", build.name),
        None => path.to_owned(),
    }
}

/// What is wrong with a cell.
fn in_cell(file: &PlanFile, cell: &Cell, failure: Failure) -> Failure {
    match failure {
        Failure::Usage(reason) => Failure::usage(told(file.wrong("", reason), cell)),
        other => other,
    }
}

fn told(error: PlanFileError, cell: &Cell) -> String {
    match cell.levels().next() {
        Some(_) => format!("{error} (with {cell})"),
        None => error.to_string(),
    }
}
