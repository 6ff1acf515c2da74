//! The `command` trigger: any program can start a migration.
//!
//! **Contract.** The program is started when the migration is to begin, in a
//! process group of its own, with an empty standard input and in its environment
//! `LOADGEN_RUN_ID`, `LOADGEN_TRIAL` (from 1) and, if a strategy was chosen,
//! `LOADGEN_STRATEGY`.
//!
//! * Each line of its standard output is a JSON object (of up to 64 KiB):
//!   `{"event": NAME, "t": UNIX_SECONDS, …}`. Names: `accepted`, `setup`, `round`
//!   (with `round`, else counted), `pre-switchover`, `post-copy`, `paused` (with
//!   `reason`; the next `post-copy` ends it), `recovering`, `stop`, `resume`,
//!   `progress`, `completed`, `failed` (with `reason`), `cancelled`, `mark` (with
//!   `name`). `t` is the wall clock of this host; without it, and
//!   when it cannot be, the time of receipt stands. The digits after the point
//!   of `t` say how exact it is; `uncertainty_s` may add to that. Everything
//!   else is kept as attributes. A final event may carry
//!   `total_migration_time_ms`, `downtime_ms`, `transferred_bytes` and
//!   `on_target`. Empty lines are skipped. Print lines unbuffered.
//! * **Garbage**, which is any other line, ends the migration as failed, with the
//!   line in the reason, and the program is asked to end.
//! * Exit 0 without a final event: completed. Any other exit: failed, with the
//!   last lines of standard error as the reason.
//! * **A contradiction is a failure** that tells both: `completed` and then an exit
//!   other than 0, an end by a signal that was not ours, `failed` or `cancelled`, or
//!   with `"on_target": false`. `failed` and `cancelled` stand, whatever the exit.
//! * **Cancelling** sends SIGTERM to the whole group. A program that then exits
//!   with anything but 0 has cancelled; one that exits with 0 has completed. One
//!   that does not end within the grace time is killed with its group.
//! * A program that still runs a while after its final event is ended the same
//!   way. What it left running when it ended by itself is let live.

#[cfg(test)]
mod chatty;
mod line;
#[cfg(test)]
mod tests;

use std::env;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use serde_json::Value;

#[cfg(feature = "clouds")]
pub(crate) use self::line::unix_time;
use self::line::{RECEIPT_UNCERTAINTY, Reading, SOURCE};
use super::patience::{Patience, Turn};
use super::process::{Message, Process};
use super::trigger::{Context, Ending, Settled, Strategy, Trigger, TriggerError, VmFacts};
use crate::clock::{Clock, Nanos};
use crate::event::{Event, EventKind};

/// How long the outputs of an ended program may stay open (in the hands of its
/// children) before the rest of them is given up.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A trigger that runs a program; the module tells the contract.
#[derive(Debug)]
pub struct CommandTrigger {
    argv: Vec<String>,
    environment: Vec<(String, String)>,
    strategy: Option<Strategy>,
    grace: Duration,
    context: Option<Context>,
    run: Option<Run>,
}

/// One start of the program.
#[derive(Debug)]
struct Run {
    process: Process,
    grace: Duration,
    clock: Clock,
    fired_at: Nanos,
    /// An event to be told before anything is read.
    pending: Option<Event>,
    rounds: u32,
    /// Since it was asked to end: how long it may still take.
    cancelled: Option<Patience>,
    killed: bool,
    /// Since it ended: how long what it printed may still be read.
    last_words: Option<Patience>,
}

impl CommandTrigger {
    /// A trigger that runs the program `argv[0]` with the rest as its arguments.
    /// Cancelled programs get 5 s to end.
    ///
    /// # Errors
    /// [`TriggerError::Spec`] if `argv` is empty.
    pub fn new(argv: Vec<String>) -> Result<Self, TriggerError> {
        if argv.first().is_none_or(String::is_empty) {
            return Err(TriggerError::Spec("command: needs a program".to_owned()));
        }
        let grace = Duration::from_secs(5);
        Ok(Self { argv, environment: Vec::new(), strategy: None, grace, context: None, run: None })
    }

    /// Tells the program (and the report) which strategy is wanted.
    #[must_use]
    pub fn with_strategy(mut self, strategy: Strategy) -> Self {
        self.strategy = Some(strategy);
        self
    }

    /// Adds a variable to the environment of the program.
    #[must_use]
    pub fn with_variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// How long a cancelled program may take to end before it is killed.
    #[must_use]
    pub fn with_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    fn program(&self) -> &str {
        self.argv.first().map_or("", String::as_str)
    }

    fn run(&mut self) -> Result<&mut Run, TriggerError> {
        self.run.as_mut().ok_or(TriggerError::Unsupported("the program was not started yet"))
    }
}

impl Trigger for CommandTrigger {
    fn name(&self) -> &str {
        "command"
    }

    fn strategy(&self) -> Option<Strategy> {
        self.strategy
    }

    fn inspect(&mut self) -> Result<VmFacts, TriggerError> {
        if !is_executable(self.program()) {
            return Err(TriggerError::refused(
                format!("running '{}'", self.program()),
                "there is no such program, or it may not be executed (chmod +x)",
            ));
        }
        let mut facts = VmFacts::default();
        facts.details.insert("argv".to_owned(), self.argv.clone().into());
        Ok(facts)
    }

    fn arm(&mut self, context: &Context) -> Result<(), TriggerError> {
        self.context = Some(context.clone());
        Ok(())
    }

    fn fire(&mut self) -> Result<(), TriggerError> {
        let context = self
            .context
            .as_ref()
            .ok_or(TriggerError::Unsupported("the trigger must be armed before it is fired"))?;
        let mut command = Command::new(self.program());
        command.args(&self.argv[1..]);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.env("LOADGEN_RUN_ID", &context.run_id);
        command.env("LOADGEN_TRIAL", context.trial.to_string());
        match self.strategy {
            Some(strategy) => command.env("LOADGEN_STRATEGY", strategy.name()),
            None => command.env_remove("LOADGEN_STRATEGY"),
        };
        let clock = context.clock;
        let fired_at = clock.now();
        let process = Process::spawn(command, clock)
            .map_err(|error| TriggerError::io(format!("running '{}'", self.program()), error))?;
        let started = clock.now();
        // It began somewhere between the call of fork and the return of exec.
        let fired = Event::new(EventKind::Fired, fired_at, started - fired_at, SOURCE);
        self.run = Some(Run {
            process,
            grace: self.grace,
            clock,
            fired_at,
            pending: Some(fired),
            rounds: 0,
            cancelled: None,
            killed: false,
            last_words: None,
        });
        Ok(())
    }

    fn next_event(&mut self, timeout: Duration) -> Result<Option<Event>, TriggerError> {
        self.run()?.next_event(timeout)
    }

    fn cancel(&mut self) -> Result<(), TriggerError> {
        let what = format!("ending '{}'", self.program());
        let grace = self.grace;
        let run = self.run()?;
        if run.cancelled.is_none() {
            run.cancelled = Some(Patience::new(grace));
            run.process.signal(libc::SIGTERM).map_err(|error| TriggerError::io(what, error))?;
        }
        Ok(())
    }

    fn settle(&mut self, last: &Event) -> Result<Settled, TriggerError> {
        let grace = self.grace;
        let what = format!("waiting for '{}'", self.program());
        let run = self.run()?;
        let mut settled = Settled::of(last);
        let figure = |name: &str| last.attributes.get(name).and_then(Value::as_f64);
        let milliseconds =
            |name| figure(name).and_then(|ms| Duration::try_from_secs_f64(ms / 1e3).ok());
        settled.hypervisor_total = milliseconds("total_migration_time_ms");
        settled.hypervisor_downtime = milliseconds("downtime_ms");
        settled.transferred_bytes = figure("transferred_bytes").map(|bytes| bytes as u64);
        settled.on_target = last.attributes.get("on_target").and_then(Value::as_bool);
        let (status, own) = run.finish(grace).map_err(|error| TriggerError::io(what, error))?;
        settled.details.insert("exit".to_owned(), describe(status).into());
        let stderr = run.process.stderr_tail();
        run.contradict(&mut settled, status, own);
        if !stderr.is_empty() {
            settled.details.insert("stderr".to_owned(), stderr.into());
        }
        Ok(settled)
    }
}

impl Run {
    fn next_event(&mut self, timeout: Duration) -> Result<Option<Event>, TriggerError> {
        if let Some(event) = self.pending.take() {
            return Ok(Some(event));
        }
        let mut patience = Patience::new(timeout);
        loop {
            if self.process.ended_at().is_some() {
                return self.after_end().map(Some);
            }
            // What lies in the pipe comes first, also where a limit has passed.
            let turn = patience.wait(|turn| self.process.next_line(turn));
            self.kill_if_it_does_not_obey()?;
            match turn {
                Turn::Brought((received, message)) => {
                    if let Some(event) = self.read(received, &message) {
                        return Ok(Some(event));
                    }
                }
                Turn::Over if self.process.ended_at().is_none() => return Ok(None),
                Turn::Nothing | Turn::Over => {}
            }
        }
    }

    /// One that was asked to end, and still runs after its time.
    fn kill_if_it_does_not_obey(&mut self) -> Result<(), TriggerError> {
        let late = self.cancelled.as_mut().is_some_and(Patience::tick);
        if late && !self.killed && self.process.ended_at().is_none() {
            self.killed = true;
            let killed = self.process.signal(libc::SIGKILL);
            killed.map_err(|error| TriggerError::io("killing the program", error))?;
        }
        Ok(())
    }

    /// The event of a line; `None` for an empty one.
    fn read(&mut self, received: Nanos, message: &Message) -> Option<Event> {
        let (line, parsed) = match message {
            Message::Line(line) if line.trim_ascii().is_empty() => return None,
            Message::Line(line) => {
                let next_round = self.rounds.saturating_add(1);
                let (clock, fired_at) = (self.clock, self.fired_at);
                let reading = Reading { clock, fired_at, received, next_round };
                (line, line::parse(line.trim_ascii(), &reading))
            }
            Message::TooLong(line) => (line, Err("it is longer than 64 KiB".to_owned())),
            _ => return None,
        };
        match parsed {
            Ok(event) => {
                if let EventKind::Round(round) = event.kind {
                    self.rounds = round;
                }
                Some(event)
            }
            Err(why) => {
                // It may be in the middle of a migration: let it clean up.
                self.cancelled.get_or_insert_with(|| Patience::new(self.grace));
                let _ = self.process.signal(libc::SIGTERM);
                let shown: String =
                    String::from_utf8_lossy(line).escape_debug().take(120).collect();
                let reason = format!(
                    "the program printed a line that is no event: {why}: {shown} (stdout is for events; \
                             send other output to stderr, >&2)"
                );
                let failed = Event::new(EventKind::Failed, received, RECEIPT_UNCERTAINTY, SOURCE);
                Some(failed.with("reason", reason))
            }
        }
    }

    /// What a program that has ended still had to say, and then its end itself.
    fn after_end(&mut self) -> Result<Event, TriggerError> {
        // Once for all that comes: what outlives it may hold its output, and go on.
        let mut patience = self.last_words.take().unwrap_or_else(|| Patience::new(LAST_WORDS));
        while !self.process.is_drained() {
            match patience.wait(|turn| self.process.next_line(turn)) {
                Turn::Brought((received, message)) => {
                    if let Some(event) = self.read(received, &message) {
                        self.last_words = Some(patience);
                        return Ok(event);
                    }
                }
                Turn::Nothing => {}
                Turn::Over => break,
            }
        }
        let status = self.process.reap();
        let status = status.map_err(|e| TriggerError::io("waiting for the program", e))?;
        let at = self.process.ended_at().unwrap_or_else(|| self.clock.now());
        let end = |kind| Event::new(kind, at, RECEIPT_UNCERTAINTY, SOURCE);
        if status.success() {
            return Ok(end(EventKind::Completed));
        }
        let mut reason = describe(status);
        if self.killed && status.signal() == Some(libc::SIGKILL) {
            reason.push_str(", since it did not end when asked to (SIGTERM)");
        }
        let stderr = self.process.stderr_tail();
        if !stderr.is_empty() {
            reason = format!("{reason}: {stderr}");
        }
        let kind = if self.cancelled.is_some() { EventKind::Cancelled } else { EventKind::Failed };
        Ok(end(kind).with("reason", reason))
    }

    /// Lets the program end by itself for a while, else ends it, and reaps it. Also
    /// whether it ended by itself, so that its exit is its own word.
    fn finish(&mut self, grace: Duration) -> std::io::Result<(ExitStatus, bool)> {
        if !self.process.ended_within(grace) {
            self.process.signal(libc::SIGTERM)?;
            if !self.process.ended_within(grace) {
                self.process.signal(libc::SIGKILL)?;
            }
        }
        self.process.drain_within(LAST_WORDS);
        let own = !self.process.was_signalled();
        Ok((self.process.reap()?, own))
    }

    /// Holds what the program said at its end against what it said and did afterwards.
    /// A `completed` that is contradicted is a failure that tells both.
    fn contradict(&self, settled: &mut Settled, status: ExitStatus, own: bool) {
        let reading = Reading {
            clock: self.clock,
            fired_at: self.fired_at,
            received: self.clock.now(),
            next_round: self.rounds.saturating_add(1),
        };
        let later: Vec<Event> = self
            .process
            .said_last()
            .filter_map(|message| match message {
                Message::Line(line) => line::parse(line.trim_ascii(), &reading).ok(),
                _ => None,
            })
            .collect();
        if !later.is_empty() {
            let names: Vec<String> = later.iter().map(|event| event.kind.to_string()).collect();
            settled.details.insert("said_after_the_end".to_owned(), names.into());
        }
        let unlike =
            |event: &&Event| event.kind.is_final() && Settled::of(event).ending != settled.ending;
        let mut against: Vec<String> = Vec::new();
        if let Some(other) = later.iter().find(unlike) {
            let why = Settled::of(other).reason.map(|why| format!(" ({why})")).unwrap_or_default();
            against.push(format!("then told '{}'{why}", other.kind));
        }
        if settled.ending != Ending::Completed {
            if let Some(other) = against.first() {
                let reason = settled.reason.take().map(|r| format!("{r}; ")).unwrap_or_default();
                settled.reason = Some(format!("{reason}the program {other}"));
            }
            return;
        }
        if settled.on_target == Some(false) {
            against.push("said with it that the machine does not run at the target".to_owned());
        }
        if own && !status.success() {
            let stderr = self.process.stderr_tail();
            let why = if stderr.is_empty() { stderr } else { format!(": {stderr}") };
            against.push(format!("{}{why}", describe(status).trim_start_matches("the program ")));
        }
        if !against.is_empty() {
            let reason = format!("the program told 'completed', but {}", against.join(", and "));
            settled.ending = Ending::Failed;
            settled.reason = Some(reason);
        }
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("the program exited with code {code}"),
        (None, Some(signal)) => format!("the program was ended by signal {signal}"),
        (None, None) => "the program ended".to_owned(),
    }
}

/// Whether the system would find and run a program of this name.
fn is_executable(program: &str) -> bool {
    let runs = |path: &Path| {
        path.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        return runs(Path::new(program));
    }
    env::var_os("PATH")
        .is_some_and(|path| env::split_paths(&path).any(|dir| runs(&dir.join(program))))
}
