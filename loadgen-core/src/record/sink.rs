//! Calls handed out one by one as they end, to whoever wants each of them.

use std::fmt;

use super::{CallRecord, ConnectionEnd};
use crate::clock::Nanos;

/// One call that has ended, with what is known of it beside its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndedCall {
    /// Times and outcome.
    pub record: CallRecord,
    /// When it was begun, in ns from the start of the load: the start of connecting, of a call
    /// that a connection was opened for, else the first byte sent. Before
    /// [`sent`](CallRecord::sent) by the time that connecting took.
    pub started: Nanos,
    /// The connection that it was on; `None` if it had none when it ended.
    pub connection: Option<ConnectionId>,
    /// Of a list of requests, the place of the one that it made, from 0; of a plan with one
    /// request, 0; of a source of requests, the [number](crate::Arrival::number) of the arrival
    /// that it made the request for. `None` where calls belong to sessions, or have none.
    pub request: Option<u64>,
}

/// Names a connection within a run. Text form: `THREAD:PLACE:USE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ConnectionId {
    /// The worker, from 0.
    pub thread: u32,
    /// Its place among the connections of that worker.
    pub place: u32,
    /// Connections that had the place before.
    pub used: u32,
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.thread, self.place, self.used)
    }
}

/// Whose calls a [`CallSink`] is to take, and what their numbers stand for.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct SinkContext<'a> {
    /// The worker, from 0.
    pub worker: u32,
    /// The names of the requests' tags, by [`CallRecord::tag`]; empty if they have none.
    pub tags: &'a [String],
    /// The names of the loads, by [`CallRecord::load`].
    pub loads: &'a [String],
}

/// Takes calls as they end, warm-up included. Each worker has one of its own and calls it on
/// its thread, between two calls: what it does there delays what comes next, so it hands on
/// what takes long. Lateness that it makes is told as the generator's own.
///
/// ```
/// use std::sync::mpsc::{Sender, channel};
/// use std::time::Duration;
/// use loadgen_core::{CallSink, EndedCall, Engine, Load, Plan, Schedule};
/// # use loadgen_core::target_server::{TargetOptions, TargetServer};
/// # let server = TargetServer::bind(TargetOptions::default())?.spawn()?;
/// # let url = server.url();
///
/// struct Times(Sender<u64>);
///
/// impl CallSink for Times {
///     fn call(&mut self, call: &EndedCall) {
///         // Nobody may be there to take it any more.
///         let _ = self.0.send(call.record.done - call.record.intended);
///     }
/// }
///
/// let (sender, times_ns) = channel();
/// let plan = Plan::new(url.parse()?, Load::established(Schedule::constant(500.0)))
///     .with_duration(Duration::from_millis(200));
/// Engine::new(plan)?.with_call_sinks(|_worker| Box::new(Times(sender.clone()))).run()?;
/// drop(sender);
/// assert_eq!(times_ns.iter().count(), 100);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait CallSink: Send {
    /// Takes a call, in the order of their ends.
    fn call(&mut self, call: &EndedCall);

    /// A connection that had been open was lost.
    fn connection_lost(&mut self, _end: &ConnectionEnd) {}

    /// The worker stood still for 5 ms or more: what became ready from `from` on was handled by
    /// `to`, in ns from the start of the load. Comes before [`Self::looked`]; one that went on is
    /// told again, with the same `from`. A pause that has not ended is not told.
    fn paused(&mut self, _from: Nanos, _to: Nanos) {}

    /// Whatever the kernel had received by `until` has been handed over, in ns from the start of
    /// the load: until then, silence means that nobody answered. Comes before each [`Self::flush`].
    fn looked(&mut self, _until: Nanos) {}

    /// Comes ten times a second, and when the worker's part of the run is over.
    fn flush(&mut self) {}
}
