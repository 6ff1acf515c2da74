//! Calls are handed out as they end, to a sink of the embedding program.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Worker;
use crate::clock::Nanos;
use crate::engine::looks::Looks;
use crate::engine::workload::requests::RequestId;
use crate::panicked::said;
use crate::protocol::Protocol;
use crate::record::{CallRecord, CallSink, ConnectionEnd, ConnectionId, EndedCall};

/// The sink of one worker, if there is one.
#[derive(Default)]
pub(in crate::engine) struct Outlet {
    sink: Option<Box<dyn CallSink>>,
    /// What the sink said when it panicked; it is not told of any further call.
    failure: Option<String>,
}

impl Outlet {
    pub(super) fn to(sink: Option<Box<dyn CallSink>>) -> Self {
        Self { sink, failure: None }
    }

    /// Whether calls are handed out to somebody.
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        self.sink.is_some()
    }

    /// Why calls are not handed out any more.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    pub(super) fn connection_lost(&mut self, end: &ConnectionEnd) {
        self.tell(|sink| sink.connection_lost(end));
    }

    /// All that was there by the last look has been handed out.
    pub(super) fn flush(&mut self, looks: &mut Looks) {
        if self.is_open() {
            if let Some(news) = &mut looks.news {
                news.take_news(|from, to| self.tell(|sink| sink.paused(from, to)));
            }
            self.tell(|sink| sink.looked(looks.looked()));
            self.tell(|sink| sink.flush());
        }
    }

    /// There will be no more calls.
    pub(super) fn close(&mut self, looks: &mut Looks) {
        self.flush(looks);
        if let Some(sink) = self.sink.take() {
            self.caught(|| drop(sink));
        }
    }

    fn tell(&mut self, of: impl FnOnce(&mut dyn CallSink)) {
        let Some(mut sink) = self.sink.take() else { return };
        if self.caught(|| of(&mut *sink)) {
            self.sink = Some(sink);
        } else {
            // What it says now is not worth more than what it said first.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(sink)));
        }
    }

    /// Does it; whether without a panic.
    fn caught(&mut self, act: impl FnOnce()) -> bool {
        let done = catch_unwind(AssertUnwindSafe(act));
        if let Err(panic) = &done {
            let said = said(&**panic);
            self.failure = Some(format!("the program's sink of calls panicked: {said}"));
        }
        done.is_ok()
    }
}

impl<P: Protocol> Worker<P> {
    /// Gives a call that has ended to whoever wants each of them.
    pub(super) fn hand_out(
        &mut self,
        s: usize,
        record: &CallRecord,
        started: Nanos,
        connection: Option<ConnectionId>,
        request: RequestId,
    ) {
        if !self.outlet.is_open() {
            return;
        }
        let load = &self.loads[s];
        let request = match load.scripts {
            None => load.requests.number(request),
            Some(_) => None,
        };
        let call = EndedCall { record: *record, started, connection, request };
        self.outlet.tell(|sink| sink.call(&call));
    }
}
