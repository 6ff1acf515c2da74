//! Marked moments on the timeline of a run.

mod kept;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::clock::Nanos;
pub(crate) use kept::KeptEvents;

/// What an event marks. The names in reports are those of [`EventKind::name`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// We asked for the migration.
    Fired,
    /// The hypervisor (or its manager) accepted it.
    Accepted,
    /// It is being set up.
    Setup,
    /// A pre-copy round began (1 is the first pass over all memory).
    Round(u32),
    /// Pre-copy has ended; the switch-over waits or is about to begin.
    PreSwitchover,
    /// The target runs and fetches memory from the source; also: it does so again,
    /// after a pause.
    PostCopy,
    /// Post-copy stands still, since the path between the two sides is cut; why is in
    /// the attribute `reason`.
    Paused,
    /// A paused post-copy is being taken up again.
    Recovering,
    /// A state of the hypervisor that has no event of its own here; its name is in the
    /// attribute `status`, too.
    State(String),
    /// No virtual CPU runs any more: the source stopped.
    Stop,
    /// A virtual CPU runs again: the target (or, after a failure, the source).
    Resume,
    /// Progress, in the attributes.
    Progress,
    /// The migration completed: target runs alone, source is free.
    Completed,
    /// The migration failed; why is in the attribute `reason`.
    Failed,
    /// The migration was cancelled.
    Cancelled,
    /// A moment marked by the user.
    Mark(String),
}

impl EventKind {
    /// The name in reports and in the JSON lines of `command:` triggers.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Fired => "fired",
            Self::Accepted => "accepted",
            Self::Setup => "setup",
            Self::Round(_) => "round",
            Self::PreSwitchover => "pre-switchover",
            Self::PostCopy => "post-copy",
            Self::Paused => "paused",
            Self::Recovering => "recovering",
            Self::State(_) => "state",
            Self::Stop => "stop",
            Self::Resume => "resume",
            Self::Progress => "progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Mark(name) => name,
        }
    }

    /// Whether the migration is over after it.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Round(round) => write!(f, "round {round}"),
            Self::State(status) => write!(f, "state {status}"),
            other => f.write_str(other.name()),
        }
    }
}

/// One marked moment.
///
/// ```
/// use loadgen_core::{Event, EventKind};
///
/// let stopped = Event::new(EventKind::Stop, 1_500_000_000, 200_000, "my-hypervisor")
///     .with("cpus", 4);
/// assert_eq!((stopped.kind.name(), stopped.kind.is_final()), ("stop", false));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// When, in ns from the start of the load.
    pub at: Nanos,
    /// How far off `at` may be, either way, in ns.
    pub uncertainty: Nanos,
    /// Who says so, such as `qmp:source`.
    pub source: String,
    /// Anything else that the source said.
    pub attributes: Map<String, Value>,
}

impl Event {
    /// An event without attributes.
    #[must_use]
    pub fn new(kind: EventKind, at: Nanos, uncertainty: Nanos, source: &str) -> Self {
        Self { kind, at, uncertainty, source: source.to_owned(), attributes: Map::new() }
    }

    /// Adds an attribute.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.attributes.insert(name.to_owned(), value.into());
        self
    }
}

/// An event as it stands in a report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EventReport {
    /// What happened; see [`EventKind::name`].
    pub name: String,
    /// When, in seconds from the start of the load.
    pub at_s: f64,
    /// How far off `at_s` may be, either way.
    pub uncertainty_s: f64,
    /// Who says so.
    pub source: String,
    /// Anything else that the source said.
    #[serde(default)]
    pub attributes: Map<String, Value>,
}

impl From<&Event> for EventReport {
    fn from(event: &Event) -> Self {
        let mut attributes = event.attributes.clone();
        if let EventKind::Round(round) = event.kind {
            attributes.insert("round".to_owned(), round.into());
        }
        if let EventKind::State(status) = &event.kind {
            attributes.insert("status".to_owned(), status.as_str().into());
        }
        Self {
            name: event.kind.name().to_owned(),
            at_s: crate::clock::as_seconds(event.at),
            uncertainty_s: crate::clock::as_seconds(event.uncertainty),
            source: event.source.clone(),
            attributes,
        }
    }
}
