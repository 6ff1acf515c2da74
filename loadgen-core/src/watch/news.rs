//! What a watch tells, and where it stands.

use std::time::Duration;

use super::freeze::Freeze;
use super::notice::Notice;
use crate::engine::Snapshot;

/// What a watch tells while it goes on.
#[derive(Debug)]
#[non_exhaustive]
pub enum WatchNews<'a> {
    /// The target froze. Its end was about two seconds ago, or longer where calls are rare or the
    /// service had much to catch up with: calls had to come that show how long it was.
    Freeze(&'a Freeze),
    /// The cloud said something.
    Notice(&'a Notice),
    /// Something is not watched any more, or again.
    Trouble(&'a str),
    /// Comes about twenty times a second.
    Progress(&'a WatchProgress),
}

/// Where a watch stands.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct WatchProgress {
    /// Counters of the load.
    pub load: Snapshot,
    /// Freezes so far.
    pub freezes: u64,
    /// For how long no call of a population has been answered well, if that is longer than normal.
    pub silent_for: Option<Duration>,
}
