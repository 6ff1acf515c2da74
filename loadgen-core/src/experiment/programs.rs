//! A testbed of programs: the hooks of a plan.
//!
//! Their output goes to files in the folder of the trial, not to pipes: what a program starts
//! and leaves behind (QEMU, say) may go on writing, and is not waited for.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::design::Cell;
use super::error::PlanFileError;
use super::placeholder::replaced;
use super::plan::BUILD;
use super::plan_file::PlanFile;
use super::settings::{HookName, HookSettings};
use super::testbed::{Testbed, TestbedError, TrialContext, Values};
use crate::net::sys;
use crate::printable::printable;
use crate::shell_words;

/// How long a program is given to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(10);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// How much of its output is read for values.
const MOST_OUTPUT: u64 = 1 << 20;
/// How much of what it complained is told.
const MOST_COMPLAINT: u64 = 400;

/// The programs of a plan.
#[derive(Debug, Clone)]
pub struct Programs {
    /// Those of the plan, and those that builds have in their place.
    hooks: BTreeMap<(Option<String>, HookName), (Vec<String>, HookSettings)>,
    boot_factors: Vec<String>,
    /// What is up, if anything is, was brought up by these programs, and not by those of an
    /// experiment that was killed.
    is_own: bool,
    /// Where they run.
    directory: PathBuf,
}

impl Programs {
    /// Those of a plan; they run in the directory of its file.
    ///
    /// # Errors
    /// [`PlanFileError::Content`] for a command line that is none.
    pub fn of(file: &PlanFile) -> Result<Self, PlanFileError> {
        let of_plan = (None, String::new(), &file.plan.settings);
        let of_builds = file.plan.builds.iter().map(|build| {
            (Some(build.name.clone()), format!("builds.{}.", build.name), &build.settings)
        });
        let mut hooks = BTreeMap::new();
        for (build, within, settings) in std::iter::once(of_plan).chain(of_builds) {
            for (name, hook) in &settings.hooks {
                let setting = format!("{within}hooks.{}", name.name());
                let words = words(file, &setting, &hook.run)?;
                hooks.insert((build.clone(), *name), (words, hook.clone()));
            }
        }
        // Whoever runs the experiment may go elsewhere meanwhile.
        let directory = std::path::absolute(file.directory())
            .map_err(|error| file.wrong("", format!("its directory is not known: {error}")))?;
        let boot_factors = file.plan.boot_factors.clone();
        Ok(Self { hooks, boot_factors, is_own: false, directory })
    }

    /// That of a cell.
    fn program(&self, name: HookName, cell: &Cell) -> Option<&(Vec<String>, HookSettings)> {
        let build = cell.level(BUILD).map(ToString::to_string);
        let of_build = build.and_then(|build| self.hooks.get(&(Some(build), name)));
        of_build.or_else(|| self.hooks.get(&(None, name)))
    }

    fn has(&self, name: HookName) -> bool {
        self.hooks.keys().any(|(_, known)| *known == name)
    }

    /// Runs one of them, if there is one, to its end.
    fn run(&self, name: HookName, trial: &TrialContext<'_>) -> Result<Values, TestbedError> {
        match self.program(name, trial.cell) {
            Some(program) => self.run_program(name, program, trial),
            None => Ok(Values::new()),
        }
    }

    fn run_program(
        &self,
        name: HookName,
        (words, settings): &(Vec<String>, HookSettings),
        trial: &TrialContext<'_>,
    ) -> Result<Values, TestbedError> {
        let failed = |reason: String| TestbedError(format!("hook {}: {reason}", name.name()));
        let of_file = |what: &str| trial.folder.join(format!("{}.{what}", name.name()));
        let (out, err) = (of_file("out"), of_file("err"));
        let make = |path: &Path| {
            let cannot = |e| failed(format!("cannot write '{}': {e}", path.display()));
            File::create(path).map_err(cannot)
        };
        let level = |name: &str| trial.cell.level(name).map(ToString::to_string);
        let words: Result<Vec<String>, _> =
            words.iter().map(|word| replaced(word, &Vec::new, &level)).collect();
        let words = words.map_err(|error| failed(error.to_string()))?;
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).current_dir(&self.directory).process_group(0);
        command.envs(environment(trial)).stdin(Stdio::null());
        command.stdout(make(&out)?).stderr(make(&err)?);
        let child = command.spawn();
        let child = child.map_err(|e| failed(format!("cannot start '{}': {e}", words[0])))?;
        // What cleans up goes on when the experiment is to end.
        let cleans = matches!(name, HookName::Down | HookName::Rewind);
        let ended = wait(child, settings.limit, || !cleans && trial.interrupt.load(Relaxed));
        let status = ended.map_err(&failed)?;
        if !status.success() {
            let said = tail(&err);
            let colon = if said.is_empty() { "" } else { ": " };
            return Err(failed(format!("{}{colon}{said}", told(status))));
        }
        let values = values(&out);
        let values = values.map_err(|e| failed(format!("cannot read '{}': {e}", out.display())))?;
        match values.keys().find(|key| trial.cell.level(key).is_some()) {
            Some(key) => Err(failed(format!("it says {key}=…, and {key} is a factor"))),
            None => Ok(values),
        }
    }
}

impl Testbed for Programs {
    fn boots(&self) -> bool {
        self.has(HookName::Up) || self.has(HookName::Down)
    }

    fn up(&mut self, trial: &TrialContext<'_>) -> Result<Values, TestbedError> {
        self.is_own = true;
        self.run(HookName::Up, trial)
    }

    fn settle(&mut self, trial: &TrialContext<'_>) -> Result<(), TestbedError> {
        self.run(HookName::Settle, trial).map(drop)
    }

    fn rewinds(&self, last: &Cell, next: &Cell) -> bool {
        // A machine that another program brought up is another machine.
        let of_machine = [HookName::Up, HookName::Rewind, HookName::Down];
        if of_machine.iter().any(|name| self.program(*name, last) != self.program(*name, next)) {
            return false;
        }
        let same = |factor: &str| last.level(factor) == next.level(factor);
        let boots = if self.boot_factors.is_empty() {
            last != next
        } else {
            !self.boot_factors.iter().all(|factor| same(factor))
        };
        self.program(HookName::Rewind, last).is_some() && !boots
    }

    fn rewind(&mut self, trial: &TrialContext<'_>) -> Result<Values, TestbedError> {
        self.run(HookName::Rewind, trial)
    }

    fn down(&mut self, trial: &TrialContext<'_>) -> Result<(), TestbedError> {
        if self.is_own {
            return self.run(HookName::Down, trial).map(drop);
        }
        // Nobody knows which build an experiment that was killed has left.
        let mut run: Vec<&(Vec<String>, HookSettings)> = Vec::new();
        for ((_, name), program) in &self.hooks {
            if *name == HookName::Down && !run.contains(&program) {
                run.push(program);
            }
        }
        // All of them, also after one that failed.
        let all: Vec<_> = run
            .into_iter()
            .map(|program| self.run_program(HookName::Down, program, trial))
            .collect();
        all.into_iter().try_for_each(|one| one.map(drop))
    }
}

/// The words of a command line, in which every placeholder is a factor.
fn words(file: &PlanFile, setting: &str, run: &str) -> Result<Vec<String>, PlanFileError> {
    let wrong = |reason: &str| file.wrong(setting, format!("{setting}: {reason}"));
    let words = shell_words::split(run).map_err(|error| wrong(&error.to_string()))?;
    if words.is_empty() {
        return Err(wrong("there is no program"));
    }
    let factors = || file.plan.design.factors().iter().map(|factor| factor.name.clone());
    for word in &words {
        let known = |name: &str| factors().find(|factor| factor == name);
        replaced(word, &|| factors().collect(), &known).map_err(|e| wrong(&e.to_string()))?;
    }
    Ok(words)
}

/// What a program is told by its environment.
fn environment(trial: &TrialContext<'_>) -> Vec<(String, String)> {
    let mut all = vec![
        ("LOADGEN_TRIAL".to_owned(), trial.index.to_string()),
        ("LOADGEN_BLOCK".to_owned(), trial.block.to_string()),
        ("LOADGEN_ATTEMPT".to_owned(), trial.attempt.to_string()),
        ("LOADGEN_TRIAL_DIR".to_owned(), trial.folder.display().to_string()),
    ];
    let upper = |name: &str| name.to_ascii_uppercase();
    let factor = |(name, level): (&str, &super::Level)| {
        (format!("LOADGEN_FACTOR_{}", upper(name)), level.to_string())
    };
    all.extend(trial.cell.levels().map(factor));
    let value = |(name, value): (&String, &String)| {
        (format!("LOADGEN_VALUE_{}", upper(name)), value.clone())
    };
    all.extend(trial.values.iter().map(value));
    all
}

/// Waits for the end of a program; the whole group is ended after its limit, or when it is not
/// wanted any more.
fn wait(
    mut child: Child,
    limit: Duration,
    unwanted: impl Fn() -> bool,
) -> Result<ExitStatus, String> {
    let started = Instant::now();
    let why = loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) => {}
            Err(error) => return Err(format!("cannot be waited for: {error}")),
        }
        if started.elapsed() >= limit {
            break format!(
                "it took longer than its limit of {}",
                crate::units::format_duration(limit)
            );
        }
        if unwanted() {
            break "interrupted".to_owned();
        }
        std::thread::sleep(LOOK);
    };
    let _ = sys::signal_group(child.id(), libc::SIGTERM);
    let told = Instant::now();
    while told.elapsed() < GRACE {
        if matches!(child.try_wait(), Ok(Some(_))) {
            return Err(why);
        }
        std::thread::sleep(LOOK);
    }
    let _ = sys::signal_group(child.id(), libc::SIGKILL);
    // What hangs in the kernel cannot be ended, and is not waited for.
    let killed = Instant::now();
    while killed.elapsed() < GRACE && !matches!(child.try_wait(), Ok(Some(_))) {
        std::thread::sleep(LOOK);
    }
    Err(why)
}

fn told(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("it ended with exit code {code}"),
        (None, Some(signal)) => format!("it was ended by signal {signal}"),
        (None, None) => "it did not end well".to_owned(),
    }
}

/// The lines KEY=VALUE of a program's output; other lines are for people.
fn values(file: &Path) -> io::Result<Values> {
    let mut bytes = Vec::new();
    File::open(file)?.take(MOST_OUTPUT).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let pair = |line: &str| {
        let (key, value) = line.split_once('=')?;
        let of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let is_key = !key.is_empty() && key.chars().all(of_name);
        is_key.then(|| (key.to_owned(), value.trim_end().to_owned()))
    };
    Ok(text.lines().filter_map(pair).collect())
}

/// The end of what it complained, on one line.
fn tail(file: &Path) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(file)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(MOST_COMPLAINT)))?;
        let mut bytes = Vec::new();
        file.take(MOST_COMPLAINT).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    let lines = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = lines.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    printable(&lines.join("; ")).into_owned()
}
