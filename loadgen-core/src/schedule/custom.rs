//! Starts that the embedding program says.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::{Nanos, as_nanos, as_seconds};
use crate::error::PlanError;
use crate::panicked::said;

type StartOf = dyn Fn(u64) -> Duration + Send + Sync;

/// Most calls in a row of one worker at one time. A schedule that stands still would have a load
/// without an end.
pub(super) const MOST_AT_ONCE: u32 = 100_000;

/// That of a call that there is not.
pub(super) const NEVER: Nanos = Nanos::MAX;

/// When calls start, by a function of the embedding program: see [`Schedule::custom`]. A plan
/// that was read has but its name.
///
/// [`Schedule::custom`]: super::Schedule::custom
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomSchedule {
    name: String,
    #[serde(skip)]
    start: Option<Arc<StartOf>>,
}

impl CustomSchedule {
    pub(super) fn new(name: &str, start: impl Fn(u64) -> Duration + Send + Sync + 'static) -> Self {
        Self { name: name.to_owned(), start: Some(Arc::new(start)) }
    }

    /// What reports call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When call `k` starts; `None` if nobody knows any more. `Err`: the function panicked, and
    /// how in words.
    pub(super) fn start(&self, k: u64) -> Result<Option<Nanos>, String> {
        let Some(start) = &self.start else { return Ok(None) };
        // It is not asked again.
        match catch_unwind(AssertUnwindSafe(|| start(k))) {
            Ok(at) => Ok(Some(as_nanos(at))),
            Err(panic) => {
                Err(format!("the program's schedule '{}' panicked: {}", self.name, said(&*panic)))
            }
        }
    }

    /// Why it has no more, when it says one time again and again.
    pub(super) fn stands_still(&self, at: Nanos) -> String {
        format!(
            "the program's schedule '{}' says the same time, {} s, for more than {MOST_AT_ONCE} calls \
             in a row, or earlier ones: let it say later times, or Duration::MAX when there are no \
             more calls",
            self.name,
            as_seconds(at)
        )
    }

    pub(super) fn validate(&self) -> Result<(), PlanError> {
        if self.start.is_some() {
            return Ok(());
        }
        Err(PlanError::Conflict(
            "the calls of this plan started when the program that it was run by said: give it \
             that schedule again (Schedule::custom)",
        ))
    }
}

impl PartialEq for CustomSchedule {
    /// One that was read back is that of its name.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl fmt::Debug for CustomSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CustomSchedule({:?})", self.name)
    }
}
