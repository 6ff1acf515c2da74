//! The plug-in that starts a migration and reports what happens: [`Trigger`].

use std::io;
use std::str::FromStr;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::clock::Clock;
use crate::event::Event;
pub use crate::vm::{Ending, MovedMachine, Strategy, Truth, VmFacts};

impl FromStr for Strategy {
    type Err = TriggerError;

    fn from_str(text: &str) -> Result<Self, TriggerError> {
        Self::ALL.into_iter().find(|s| s.name() == text).ok_or_else(|| {
            TriggerError::Spec(format!(
                "unknown strategy '{text}': choose pre-copy, post-copy or stop-and-copy"
            ))
        })
    }
}

/// What a trigger knows of the run it serves.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Context {
    /// Names the run in logs and in the environment of programs.
    pub run_id: String,
    /// Which repetition this is, from 1.
    pub trial: u32,
    /// The clock of the run: every event is a time on it.
    pub clock: Clock,
}

impl Context {
    /// A context for the first trial of a run.
    #[must_use]
    pub fn new(run_id: impl Into<String>, clock: Clock) -> Self {
        Self { run_id: run_id.into(), trial: 1, clock }
    }
}

/// What a trigger says when all is over. What it did not measure is `None`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Settled {
    /// How the migration ended.
    pub ending: Ending,
    /// Why it failed; of one that completed, what was not as it was ordered.
    pub reason: Option<String>,
    /// Total migration time by the hypervisor's own account.
    pub hypervisor_total: Option<Duration>,
    /// Downtime by the hypervisor's own account (often only a part of it).
    pub hypervisor_downtime: Option<Duration>,
    /// Whether the machine was seen to run at the target.
    pub on_target: Option<bool>,
    /// Memory sent, in bytes.
    pub transferred_bytes: Option<u64>,
    /// Each of several machines that were moved, the one under load first; empty of one alone.
    pub machines: Vec<MovedMachine>,
    /// Ground truth, of simulations only.
    pub truth: Option<Truth>,
    /// Anything else worth keeping in the report.
    pub details: Map<String, Value>,
}

impl Settled {
    /// An ending of which nothing else is known.
    #[must_use]
    pub fn new(ending: Ending) -> Self {
        Self {
            ending,
            reason: None,
            hypervisor_total: None,
            hypervisor_downtime: None,
            on_target: None,
            transferred_bytes: None,
            machines: Vec::new(),
            truth: None,
            details: Map::new(),
        }
    }

    /// Says why the migration did not complete.
    #[must_use]
    pub fn with_reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Says whether the machine was seen to run at the target.
    #[must_use]
    pub fn with_on_target(mut self, on_target: bool) -> Self {
        self.on_target = Some(on_target);
        self
    }
}

/// Starts one migration and reports what happens. The load is already running
/// when [`fire`](Trigger::fire) is called.
///
/// The calls come in this order: `inspect`, `arm`, `fire`, then `next_event` until
/// it returns a final event (or `cancel`, and then `next_event` again), `settle`.
/// Everything slow belongs into `inspect` and `arm`, before the clock matters.
///
/// All are called on one thread, which is the trigger's own. `fire` returns once the migration
/// is accepted, `next_event` in its time, and `cancel` and `settle` within seconds. One that does
/// not come back is waited for until the limit of the migration has passed or the run is to end,
/// and 30 seconds more; then it is left behind, and the report says so. So is one that panics.
///
/// A trigger of your own needs `name`, `fire` and `next_event`; the rest has
/// defaults for a trigger that cannot do more.
///
/// ```
/// use std::time::Duration;
/// use loadgen_core::migration::{Context, MigrationRun, Trigger, TriggerError};
/// use loadgen_core::{Event, EventKind, Load, Plan, Schedule};
/// # use loadgen_core::target_server::{TargetOptions, TargetServer};
/// # let server = TargetServer::bind(TargetOptions::default())?.spawn()?;
/// # let url = server.url();
///
/// /// Moves nothing, in no time.
/// #[derive(Default)]
/// struct Nothing(Option<Context>);
///
/// impl Trigger for Nothing {
///     fn name(&self) -> &str {
///         "nothing"
///     }
///
///     fn arm(&mut self, context: &Context) -> Result<(), TriggerError> {
///         self.0 = Some(context.clone());
///         Ok(())
///     }
///
///     fn fire(&mut self) -> Result<(), TriggerError> {
///         Ok(())
///     }
///
///     fn next_event(&mut self, _: Duration) -> Result<Option<Event>, TriggerError> {
///         let now = self.0.as_ref().map_or(0, |context| context.clock.now());
///         Ok(Some(Event::new(EventKind::Completed, now, 0, "nothing")))
///     }
/// }
///
/// let plan = Plan::new(url.parse()?, Load::established(Schedule::constant(200.0)));
/// let run = MigrationRun::new(plan, Box::new(Nothing::default()))
///     .with_before(Duration::from_millis(200))
///     .with_after(Duration::from_millis(200));
/// let report = run.start()?.join()?;
/// assert_eq!(report.migration.map(|migration| migration.trigger).as_deref(), Some("nothing"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Trigger: Send {
    /// The kind, as in the specification: `simulated`, `command`, `qmp`, …
    fn name(&self) -> &str;

    /// How the machine is moved, when the trigger decides that.
    fn strategy(&self) -> Option<Strategy> {
        None
    }

    /// Whether the migration is simulated. The report says so in its title.
    fn is_simulated(&self) -> bool {
        false
    }

    /// Looks at the machine without changing anything: reachable, running, how big.
    ///
    /// # Errors
    /// [`TriggerError`] if the migration could not be started as things stand.
    fn inspect(&mut self) -> Result<VmFacts, TriggerError> {
        Ok(VmFacts::default())
    }

    /// Whether the hypervisor can do what the migration needs, found out by trying what can be
    /// tried; all is as it was before then. Not whether the machine runs just now. An experiment
    /// asks this of all its cells before its first trial.
    ///
    /// # Errors
    /// [`TriggerError`] if not.
    fn check(&mut self) -> Result<(), TriggerError> {
        Ok(())
    }

    /// Prepares everything that takes time: capabilities, limits, the target.
    ///
    /// # Errors
    /// [`TriggerError`] if the migration cannot be prepared.
    fn arm(&mut self, context: &Context) -> Result<(), TriggerError> {
        let _ = context;
        Ok(())
    }

    /// Starts the migration and returns as soon as it is accepted.
    ///
    /// # Errors
    /// [`TriggerError`] if it was not accepted.
    fn fire(&mut self) -> Result<(), TriggerError>;

    /// The next event, or `None` when none came within `timeout`. After a final
    /// event it is not called again.
    ///
    /// # Errors
    /// [`TriggerError`] if nothing more can be learnt of the migration.
    fn next_event(&mut self, timeout: Duration) -> Result<Option<Event>, TriggerError>;

    /// Asks for the migration to be given up. The outcome comes as an event.
    ///
    /// # Errors
    /// [`TriggerError::Unsupported`] if it cannot be cancelled, and
    /// [`TriggerError::NotCancelled`] if that was refused: then its end is looked for. After any other
    /// error it is not.
    fn cancel(&mut self) -> Result<(), TriggerError> {
        Err(TriggerError::Unsupported("this trigger cannot cancel a migration"))
    }

    /// Asks for the final figures and whether the machine runs at the target.
    /// `last` is the final event.
    ///
    /// # Errors
    /// [`TriggerError`] if the figures cannot be had any more.
    fn settle(&mut self, last: &Event) -> Result<Settled, TriggerError> {
        Ok(Settled::of(last))
    }
}

impl Settled {
    /// The ending that a final event tells, with its `reason` attribute.
    #[must_use]
    pub fn of(last: &Event) -> Self {
        let ending = match last.kind {
            crate::event::EventKind::Completed => Ending::Completed,
            crate::event::EventKind::Cancelled => Ending::Cancelled,
            _ => Ending::Failed,
        };
        let mut settled = Self::new(ending);
        // What a program says beside a success is no doubt of it.
        if ending != Ending::Completed {
            let reason = last.attributes.get("reason");
            settled.reason = reason.and_then(Value::as_str).map(str::to_owned);
        }
        settled
    }
}

/// A trigger that cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TriggerError {
    /// The specification is wrong.
    #[error("trigger specification: {0}")]
    Spec(String),
    /// The other side (program, socket, API) cannot be reached or went away.
    #[error("{what}: {cause}")]
    Io {
        /// What was being done with what.
        what: String,
        /// The error of the system.
        cause: io::Error,
    },
    /// The other side answered with an error.
    #[error("{what} was refused: {reason}")]
    Refused {
        /// What was asked.
        what: String,
        /// Its answer.
        reason: String,
    },
    /// The other side said something that makes no sense.
    #[error("{what}: {reason}")]
    Protocol {
        /// What was being read.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The other side did not answer in time.
    #[error("{what}: no answer within {} s", waited.as_secs_f64())]
    Silent {
        /// What was asked.
        what: String,
        /// How long we waited.
        waited: Duration,
    },
    /// A trigger of the embedding program panicked.
    #[error("the program's trigger panicked: {said}")]
    Panicked {
        /// What it said.
        said: String,
    },
    /// A trigger of the embedding program did not come back from a question.
    #[error("it did not come back from '{asked}' within {:.1} s", waited.as_secs_f64())]
    Unanswered {
        /// The method of [`Trigger`] that was called.
        asked: &'static str,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The trigger has no such ability.
    #[error("{0}")]
    Unsupported(&'static str),
    /// The other side did not take the order to cancel the migration, of which it is still to be
    /// learnt how it ends: it may be over already.
    #[error("{0}")]
    NotCancelled(String),
}

impl TriggerError {
    /// An error of the system while doing `what`.
    pub fn io(what: impl Into<String>, cause: io::Error) -> Self {
        Self::Io { what: what.into(), cause }
    }

    /// A refusal of `what`.
    pub fn refused(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Refused { what: what.into(), reason: reason.into() }
    }

    /// Nonsense in `what`.
    pub fn protocol(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Protocol { what: what.into(), reason: reason.into() }
    }
}
