//! The life of a worker thread: preparation, the common start, the load, and what
//! the others are told when it breaks.

use std::thread;

use super::harvest::Harvest;
use super::shared::{Shared, Stop};
use super::starting_line::StartingLine;
use super::worker::Worker;
use crate::net::cores;
use crate::protocol::Protocol;

/// Lives it, beginning on the `core`-th core if it matters. `None`: the start was
/// abandoned.
pub(super) fn carry_out<P: Protocol>(
    core: Option<usize>,
    mut worker: Worker<P>,
    line: &StartingLine,
    shared: &Shared,
) -> std::io::Result<Option<Harvest>> {
    /// Lets nobody wait for a worker that panicked, nor go on without it.
    struct Guard<'a>(&'a StartingLine, &'a Shared);
    impl Drop for Guard<'_> {
        fn drop(&mut self) {
            if thread::panicking() {
                self.0.abandon();
                self.1.cut();
            }
        }
    }
    let _guard = Guard(line, shared);
    if let Some(core) = core {
        cores::begin_on(core);
    }
    let warmed = worker.warm_up();
    if warmed.is_err() {
        line.abandon();
        shared.cut();
    }
    warmed?;
    let is_given_up = || shared.stop() != Stop::No;
    let harvest = line.ready(&is_given_up).map(|origin| worker.run(origin));
    if harvest.as_ref().is_some_and(|harvest| !harvest.broken.is_empty()) {
        shared.cut();
    }
    Ok(harvest)
}
