//! Watches a target for hours: finds the times in which it freezes, tells each when it is over, how
//! long it was, and whether the service, its machine or the network stood still. For migrations
//! that somebody else starts, and for all else that stops a service for a moment.
//!
//! Data flows one way: workers → `feed` → `watcher` (→ `silences` → `judging`) → `run`. The
//! judging is that of migrations ([`migration::impact`](crate::migration::impact())): each freeze is
//! looked at as if a migration had been fired at its begin.
//!
//! Invariants: memory does not grow with time; what the generator's own pauses explain is no freeze;
//! a freeze is told only if calls prove that nobody answered; its length is an interval that holds
//! the truth.

mod asked;
#[cfg(feature = "clouds")]
mod beside;
mod error;
mod feed;
mod freeze;
mod handle;
mod history;
mod judging;
mod kind;
mod line;
mod news;
mod notice;
#[cfg(feature = "clouds")]
mod notices;
mod run;
#[cfg(test)]
mod samples;
mod silences;
mod summary;
mod text;
mod watcher;

pub use error::WatchError;
pub use freeze::{Freeze, FreezeKind, FrozenPopulation, KernelSeen, LengthMs};
pub use handle::WatchHandle;
pub use line::WatchLine;
pub use news::{WatchNews, WatchProgress};
pub use notice::Notice;
#[cfg(feature = "clouds")]
pub use notices::NoticeSource;
pub use run::Watch;
pub use summary::{Calls, FreezeLengths, OwnPauses, PerHour, Share, WatchSummary};
pub use text::{render_freeze, render_summary};
