//! The parent's side: [`SimulatedTrigger`].

use std::collections::VecDeque;
use std::io::{self, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::super::patience::{Patience, Turn};
use super::super::trigger::{Context, Settled, Strategy, Trigger, TriggerError, Truth, VmFacts};
use super::protocol::{ToChild, ToParent, TruthLine, read_message, to_line};
use super::vm::SimulatedVm;
use crate::clock::{Clock, Nanos};
use crate::event::{Event, EventKind};

/// How long the child may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// How long a child that has closed its output may take to end.
const END: Duration = Duration::from_secs(2);

/// How long what a child wrote to its standard error may take to be read, once it ended.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Reading a clock and noting it: what the child's times may be wrong by.
const UNCERTAINTY: Nanos = 1_000;

/// What is kept of the child's standard error.
const STDERR_TAIL: usize = 2048;

const SOURCE: &str = "simulated";

/// A simulated machine in a process of its own, and its one migration. The process
/// ends with this value, and also when this process ends in any way.
#[derive(Debug)]
pub struct SimulatedTrigger {
    vm: SimulatedVm,
    url: String,
    child: Child,
    stdin: ChildStdin,
    inbox: Receiver<io::Result<ToParent>>,
    /// Set as soon as the child has told that the machine stopped.
    switched_over: Arc<AtomicBool>,
    stderr: Arc<Mutex<Vec<u8>>>,
    clock: Option<Clock>,
    events: VecDeque<Event>,
    truth: Option<TruthLine>,
}

impl SimulatedTrigger {
    /// Starts the machine: runs `program` (whose `main` calls
    /// [`serve_child`](super::serve_child)) in a process group of its own, so that
    /// Ctrl-C does not end the machine before the report is made. Returns when the
    /// machine answers at [`url`](Self::url).
    ///
    /// # Errors
    /// [`TriggerError`] if the program cannot be started, ends, or says anything
    /// else than a simulated machine would.
    pub fn start(mut program: Command, vm: SimulatedVm) -> Result<Self, TriggerError> {
        let name = program.get_program().to_string_lossy().into_owned();
        program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = program.process_group(0).spawn().map_err(|error| {
            TriggerError::io(format!("starting the simulated machine ('{name}')"), error)
        })?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            let _ = (child.kill(), child.wait());
            return Err(TriggerError::protocol("starting the simulated machine", "no pipes"));
        };
        let (sender, inbox) = mpsc::channel();
        let switched_over = Arc::new(AtomicBool::new(false));
        let tail = Arc::new(Mutex::new(Vec::new()));
        // From here on dropping `trigger` ends the child.
        let mut trigger = Self {
            vm,
            url: String::new(),
            child,
            stdin,
            inbox,
            switched_over: Arc::clone(&switched_over),
            stderr: Arc::clone(&tail),
            clock: None,
            events: VecDeque::new(),
            truth: None,
        };
        // Both end with the child's pipes; there is nothing to join for.
        spawn("loadgen-vm-events", move || listen(stdout, &sender, &switched_over))?;
        spawn("loadgen-vm-errors", move || keep_tail(stderr, &tail))?;
        trigger.say(&ToChild::Be { vm: trigger.vm.clone() })?;
        match trigger.hear(ANSWER)? {
            Some(ToParent::Ready { url }) => trigger.url = url,
            Some(ToParent::Unfit { reason }) => {
                return Err(TriggerError::refused("the simulated machine", reason));
            }
            Some(other) => {
                return Err(TriggerError::protocol(
                    "the first line of the simulated machine",
                    format!("it must say that it is ready, not {other:?}"),
                ));
            }
            None => return Err(silent("the simulated machine to be ready", ANSWER)),
        }
        Ok(trigger)
    }

    /// Where the machine answers, such as `http://127.0.0.1:41234/`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The machine that is simulated.
    #[must_use]
    pub fn vm(&self) -> &SimulatedVm {
        &self.vm
    }

    /// The process id of the machine.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn say(&mut self, message: &ToChild) -> Result<(), TriggerError> {
        let sent = to_line(message).and_then(|line| {
            self.stdin.write_all(&line)?;
            self.stdin.flush()
        });
        sent.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => self.ended(),
            _ => TriggerError::io("talking to the simulated machine", error),
        })
    }

    /// The next message, or `None` when none came in time.
    fn hear(&mut self, timeout: Duration) -> Result<Option<ToParent>, TriggerError> {
        match self.inbox.recv_timeout(timeout) {
            Ok(Ok(message)) => Ok(Some(message)),
            Ok(Err(error)) => {
                Err(TriggerError::protocol("the simulated machine's output", error.to_string()))
            }
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(self.ended()),
        }
    }

    /// Notes a message; returns the reason if it was a refusal.
    fn note(&mut self, message: ToParent) -> Result<Option<String>, TriggerError> {
        match message {
            ToParent::Event { name, at_monotonic_ns, attributes } => {
                let event = self.event(&name, at_monotonic_ns, attributes)?;
                self.events.push_back(event);
                Ok(None)
            }
            ToParent::Truth(truth) => {
                self.truth = Some(truth);
                Ok(None)
            }
            ToParent::Refused { reason } => Ok(Some(reason)),
            other @ (ToParent::Ready { .. } | ToParent::Unfit { .. }) => {
                Err(TriggerError::protocol("the simulated machine's output", format!("{other:?}")))
            }
        }
    }

    fn event(
        &self,
        name: &str,
        at_monotonic_ns: Nanos,
        mut attributes: Map<String, Value>,
    ) -> Result<Event, TriggerError> {
        let kind = match name {
            "accepted" => EventKind::Accepted,
            "setup" => EventKind::Setup,
            "round" => {
                let round = attributes.remove("round").and_then(|round| round.as_u64());
                EventKind::Round(round.and_then(|round| u32::try_from(round).ok()).unwrap_or(0))
            }
            "pre-switchover" => EventKind::PreSwitchover,
            "stop" => EventKind::Stop,
            "resume" => EventKind::Resume,
            "post-copy" => EventKind::PostCopy,
            "progress" => EventKind::Progress,
            "completed" => EventKind::Completed,
            "cancelled" => EventKind::Cancelled,
            _ => {
                return Err(TriggerError::protocol(
                    "the simulated machine's output",
                    format!("unknown event '{}'", name.escape_debug()),
                ));
            }
        };
        let at = self.clock()?.from_monotonic(at_monotonic_ns);
        Ok(Event { kind, at, uncertainty: UNCERTAINTY, source: SOURCE.to_owned(), attributes })
    }

    fn clock(&self) -> Result<Clock, TriggerError> {
        self.clock.ok_or(TriggerError::Unsupported("arm() has to come before fire()"))
    }

    /// The error for a child that is gone, with all that is known of its end.
    fn ended(&mut self) -> TriggerError {
        let deadline = Instant::now() + END;
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break Some(status),
                Ok(None) if Instant::now() < deadline => {
                    thread::sleep(Duration::from_millis(5));
                }
                _ => break None,
            }
        };
        // The thread that reads standard error holds the other reference until it has seen
        // its end, which somebody that the child started may put off.
        let deadline = Instant::now() + LAST_WORDS;
        while Arc::strong_count(&self.stderr) > 1 && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
        let tail = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        let tail = String::from_utf8_lossy(&tail).trim().to_owned();
        let status =
            status.map_or("output closed".to_owned(), |status: ExitStatus| status.to_string());
        let said = if tail.is_empty() { String::new() } else { format!("; it said: {tail}") };
        TriggerError::protocol("the simulated machine ended", format!("{status}{said}"))
    }
}

impl Trigger for SimulatedTrigger {
    fn name(&self) -> &str {
        SOURCE
    }

    fn strategy(&self) -> Option<Strategy> {
        Some(self.vm.strategy)
    }

    fn is_simulated(&self) -> bool {
        true
    }

    fn inspect(&mut self) -> Result<VmFacts, TriggerError> {
        if let Ok(Some(_)) = self.child.try_wait() {
            return Err(self.ended());
        }
        let details = match serde_json::to_value(&self.vm) {
            Ok(Value::Object(details)) => details,
            _ => Map::new(),
        };
        Ok(VmFacts {
            hypervisor: Some(format!("simulated (loadgen {})", env!("CARGO_PKG_VERSION"))),
            memory_bytes: Some(self.vm.memory_bytes),
            running: Some(true),
            details,
        })
    }

    fn arm(&mut self, context: &Context) -> Result<(), TriggerError> {
        self.clock = Some(context.clock);
        Ok(())
    }

    fn fire(&mut self) -> Result<(), TriggerError> {
        let fired = Event::new(EventKind::Fired, self.clock()?.now(), UNCERTAINTY, SOURCE);
        self.say(&ToChild::Fire)?;
        self.events.push_back(fired);
        let mut patience = Patience::new(ANSWER);
        while !self.events.iter().any(|event| event.kind == EventKind::Accepted) {
            let message = match patience.wait(|turn| self.hear(turn).transpose()) {
                Turn::Brought(message) => message?,
                Turn::Nothing => continue,
                Turn::Over => return Err(silent("the simulated machine to be migrated", ANSWER)),
            };
            if let Some(reason) = self.note(message)? {
                self.events.pop_back();
                return Err(TriggerError::refused("the migration", reason));
            }
        }
        Ok(())
    }

    fn next_event(&mut self, timeout: Duration) -> Result<Option<Event>, TriggerError> {
        let mut patience = Patience::new(timeout);
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            match patience.wait(|turn| self.hear(turn).transpose()) {
                // A refusal here answers a cancel() that did not wait for it.
                Turn::Brought(message) => drop(self.note(message?)?),
                Turn::Nothing => {}
                Turn::Over => return Ok(None),
            }
        }
    }

    fn cancel(&mut self) -> Result<(), TriggerError> {
        const TOO_LATE: TriggerError = TriggerError::Unsupported(
            "the simulated machine has been switched over: the migration cannot be cancelled",
        );
        if self.switched_over.load(Ordering::Acquire) {
            return Err(TOO_LATE);
        }
        self.say(&ToChild::Cancel)?;
        let mut patience = Patience::new(ANSWER);
        loop {
            if self.events.iter().any(|event| event.kind == EventKind::Cancelled) {
                return Ok(());
            }
            // A stopped machine does not answer; it will refuse when it runs again.
            if self.switched_over.load(Ordering::Acquire) {
                return Err(TOO_LATE);
            }
            let look = Duration::from_millis(20);
            match patience.wait(|turn| self.hear(turn.min(look)).transpose()) {
                Turn::Brought(message) => {
                    if let Some(reason) = self.note(message?)? {
                        return Err(TriggerError::refused("cancelling the migration", reason));
                    }
                }
                Turn::Nothing => {}
                Turn::Over => {
                    return Err(silent("the simulated migration to be cancelled", ANSWER));
                }
            }
        }
    }

    fn settle(&mut self, last: &Event) -> Result<Settled, TriggerError> {
        let mut settled = Settled::of(last);
        settled.on_target = Some(last.kind == EventKind::Completed);
        let Some(truth) = self.truth else { return Ok(settled) };
        let clock = self.clock()?;
        let total = truth.completed_monotonic_ns.saturating_sub(truth.accepted_monotonic_ns);
        settled.hypervisor_total = Some(Duration::from_nanos(total));
        settled.hypervisor_downtime = Some(Duration::from_nanos(truth.hypervisor_downtime_ns));
        settled.transferred_bytes = Some(truth.transferred_bytes);
        settled.truth = Some(Truth::new(
            clock.from_monotonic(truth.stop_monotonic_ns),
            clock.from_monotonic(truth.resume_monotonic_ns),
            total,
            truth.transferred_bytes,
            truth.rounds,
        ));
        settled.details.insert("seed".to_owned(), self.vm.seed.into());
        settled
            .details
            .insert("drawn_dirty_bytes_per_s".to_owned(), truth.dirty_bytes_per_s.into());
        Ok(settled)
    }
}

impl Drop for SimulatedTrigger {
    fn drop(&mut self) {
        // By its own handle: the id of a child that was not waited for is not reused.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Hands on what the child says, until it ends or makes no sense.
fn listen(stdout: impl Read, sender: &Sender<io::Result<ToParent>>, switched_over: &AtomicBool) {
    let mut stdout = BufReader::new(stdout);
    while let Some(message) = read_message(&mut stdout).transpose() {
        if matches!(&message, Ok(ToParent::Event { name, .. }) if name == "stop") {
            switched_over.store(true, Ordering::Release);
        }
        let broken = message.is_err();
        if sender.send(message).is_err() || broken {
            return;
        }
    }
}

/// Keeps the end of what the child writes to its standard error.
fn keep_tail(mut stderr: impl Read, tail: &Mutex<Vec<u8>>) {
    let mut piece = [0; 1024];
    while let Ok(n @ 1..) = stderr.read(&mut piece) {
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.extend_from_slice(&piece[..n]);
        let surplus = tail.len().saturating_sub(STDERR_TAIL);
        tail.drain(..surplus);
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), TriggerError> {
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(work);
    spawned
        .map(drop)
        .map_err(|error| TriggerError::io("starting a thread for the simulated machine", error))
}

fn silent(what: &str, waited: Duration) -> TriggerError {
    TriggerError::Silent { what: format!("waiting for {what}"), waited }
}
