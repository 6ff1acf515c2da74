//! Hand-made runs in which every figure is known.

mod connections;
mod darks;
mod figures;
mod guest;
mod headline;
mod own;
mod phases;
mod reasons;
mod reports;

use super::*;
use crate::clock::MILLISECOND as MS;
use crate::record::{CallRecord, Cause, ConnectionEnd, Failure, Outcome, Phase};

/// A run that can be bent: 100 kept-alive calls a second, 10 s, warm-up 1 s,
/// fired at 4 s, stop at 5 s, resume at 5.305 s, each call 2 ms.
#[derive(Clone)]
struct Run {
    calls: Vec<CallRecord>,
    events: Vec<Event>,
    settled: Option<Settled>,
    load_end: Nanos,
    limit: Option<u64>,
    strategy: Strategy,
    connections: Option<Vec<ConnectionEnd>>,
    dates: Vec<DateSample>,
    reach: Option<ReachLog>,
    pauses: Option<PauseLog>,
    quiet_until: Nanos,
}

fn call(intended: Nanos, done: Nanos) -> CallRecord {
    CallRecord {
        intended,
        sent: intended,
        done,
        bytes: 100,
        outcome: Outcome::Answered(200),
        load: 0,
        population: Population::Established,
        tag: 0,
        reused: true,
        retried: false,
        queued: false,
    }
}

fn failed(intended: Nanos, done: Nanos, phase: Phase, cause: Cause) -> CallRecord {
    let outcome = Outcome::Failed(Failure::new(phase, cause));
    CallRecord { outcome, bytes: 0, ..call(intended, done) }
}

fn event(kind: EventKind, at: Nanos) -> Event {
    Event::new(kind, at, MS, "test")
}

impl Run {
    fn new() -> Self {
        let calls = (0..1000).map(|k| {
            let at = k * 10 * MS;
            match k {
                500..=527 => call(at, 5_307 * MS),
                528 | 529 => failed(at, at + 1_000 * MS, Phase::Head, Cause::Timeout),
                530 => CallRecord { outcome: Outcome::Answered(503), ..call(at, 5_307 * MS) },
                531..=560 => call(at, at + 8 * MS),
                _ => call(at, at + 2 * MS),
            }
        });
        let mut settled = Settled::new(Ending::Completed).with_on_target(true);
        settled.hypervisor_total = Some(Duration::from_millis(1_300));
        settled.hypervisor_downtime = Some(Duration::from_millis(120));
        settled.transferred_bytes = Some(1 << 30);
        let events = vec![
            event(EventKind::Resume, 5_305 * MS),
            event(EventKind::Fired, 4_000 * MS),
            event(EventKind::Accepted, 4_001 * MS),
            event(EventKind::Round(1), 4_100 * MS),
            event(EventKind::Round(2), 4_500 * MS),
            event(EventKind::Stop, 5_000 * MS),
            event(EventKind::Round(3), 5_100 * MS),
            event(EventKind::Completed, 5_310 * MS),
        ];
        // Out of order, as merged logs are.
        let mut calls: Vec<_> = calls.collect();
        calls.reverse();
        Self {
            calls,
            events,
            settled: Some(settled),
            load_end: 10_000 * MS,
            limit: None,
            strategy: Strategy::PreCopy,
            connections: None,
            dates: Vec::new(),
            reach: None,
            pauses: None,
            quiet_until: Nanos::MAX,
        }
    }

    /// The same with calls changed or (`None`) left out.
    fn map(mut self, change: impl Fn(CallRecord) -> Option<CallRecord>) -> Self {
        self.calls = self.calls.into_iter().filter_map(change).collect();
        self
    }

    /// The same without the events of a kind.
    fn without(mut self, kind: &EventKind) -> Self {
        self.events.retain(|event| event.kind != *kind);
        self
    }

    fn with(mut self, kind: EventKind, at: Nanos) -> Self {
        self.events.push(event(kind, at));
        self
    }

    fn impact(&self) -> Impact {
        let mut log = CallLog::with_limit(self.limit.unwrap_or(u64::MAX));
        self.calls.iter().for_each(|call| log.push(*call));
        let mut input = ImpactInput::new("test", &log, &self.events, self.load_end);
        let connections = self.connections.clone().map(ConnectionLog::of_all);
        input.connections = connections.as_ref();
        input.dates = &self.dates;
        input.reach = self.reach.as_ref();
        input.pauses = self.pauses.as_ref();
        input.settled = self.settled.as_ref();
        input.strategy = Some(self.strategy);
        input.warmup_end = 1_000 * MS;
        input.quiet_until = self.quiet_until;
        input.established_per_s = Some(100.0);
        if self.calls.iter().any(|call| call.population == Population::Fresh) {
            input.fresh_per_s = Some(100.0);
        }
        impact(&input)
    }
}
