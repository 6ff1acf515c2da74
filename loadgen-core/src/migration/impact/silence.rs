//! One silence, by itself: what of it is ours, and how long the interruption behind it was. For
//! whoever finds silences while a load goes on, and knows of no migration.

use crate::clock::Nanos;
use crate::event::{Event, EventKind};
use crate::record::{CallRecord, Outcome, Population};
use crate::report::ConnectionsLost;

use super::ImpactInput;
use super::bound::interruption;
use super::connections::connections_lost;
use super::darks::Darks;
use super::gap::Gap;
use super::headline::ours;
use super::outage::threshold;
use super::view::View;

/// A time in which no call of a population was answered well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Silence {
    pub(crate) population: Population,
    /// The last good reply before it.
    pub(crate) start: Nanos,
    /// The first one after it, or until when there was none.
    pub(crate) end: Nanos,
    /// Its end was not seen.
    pub(crate) cut: bool,
}

/// What a silence says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Judged {
    pub(crate) silence: Silence,
    /// Silences up to this length are normal.
    pub(crate) threshold: Nanos,
    /// How much of it the generator itself did not run.
    pub(crate) own: Nanos,
    /// The interruption lasted so long at least …
    pub(crate) at_least: Nanos,
    /// … and so long at most; `None`: its begin or its end was not seen.
    pub(crate) at_most: Option<Nanos>,
    /// Calls were in vain for so long: as `at_least`, but that the machine's kernel may have
    /// answered again in it.
    pub(crate) in_vain: Nanos,
}

impl Judged {
    pub(crate) fn length(&self) -> Nanos {
        self.silence.end.saturating_sub(self.silence.start)
    }

    /// Whether it is longer than is normal without our own part in it, and calls prove that the
    /// service did not answer.
    pub(crate) fn is_proven(&self) -> bool {
        self.is_of_service() && self.in_vain > 0
    }

    /// Whether it is longer than is normal without our own part in it.
    pub(crate) fn is_of_service(&self) -> bool {
        self.length().saturating_sub(self.own) > self.threshold
    }
}

/// What happened in silences that began together.
#[derive(Debug)]
pub(crate) struct JudgedSilences {
    pub(crate) judged: Vec<Judged>,
    pub(crate) connections_lost: ConnectionsLost,
    /// Calls that were to start in the silences and brought no good reply.
    pub(crate) calls_failed: u64,
    /// The time in which no worker ran, of that from the first begin to the last end.
    pub(crate) own: Nanos,
}

/// The event from which on the silences count: what was before is what is normal.
fn begin(at: Nanos) -> Event {
    Event::new(EventKind::Fired, at, 0, "watch")
}

/// Judges silences that overlap by the calls around them: `input` has no events.
pub(crate) fn judge(input: &ImpactInput<'_>, silences: &[Silence]) -> JudgedSilences {
    let start = silences.iter().map(|silence| silence.start).min().unwrap_or(0);
    let end = silences.iter().map(|silence| silence.end).max().unwrap_or(0);
    let events = [begin(start)];
    let input = ImpactInput { events: &events, ..input.clone() };
    let view = View::new(&input);
    let darks = Darks::new(&view);
    let one = |silence: &Silence| {
        let Silence { population, start, end, cut } = *silence;
        let gap = Gap { start, end, cut };
        let normal = view.baseline(population).and_then(|baseline| baseline.gaps);
        let interval = input.interval(population);
        let found = interruption(&view, population, gap);
        let relaxed = found.map(|found| darks.relaxed(gap, found));
        let refused = by_bad_ends(&view, silence);
        Judged {
            silence: *silence,
            threshold: threshold(normal.map(|gaps| gaps.0), interval)
                .min(threshold(None, interval)),
            own: ours(&view, &gap),
            at_least: relaxed.map_or(0, |found| found.at_least).max(refused),
            at_most: found.and_then(|found| found.at_most).map(|most| most.max(refused)),
            in_vain: found.map_or(0, |found| found.at_least).max(refused),
        }
    };
    let failed = |call: &&CallRecord| !call.outcome.is_good();
    JudgedSilences {
        judged: silences.iter().map(one).collect(),
        connections_lost: connections_lost(&view, end),
        calls_failed: view.intended(start, end).iter().filter(failed).count() as u64,
        own: view.own.all.within(start, end),
    }
}

/// For how long a service surely answered nobody well that answers with errors, or refuses: from
/// the end of the first such call to the begin of the last one, with no good reply between. Of such
/// calls [`interruption`] knows nothing, since they did not wait.
fn by_bad_ends(view: &View<'_>, silence: &Silence) -> Nanos {
    let bad = view.calls.iter().filter(|call| {
        call.population == silence.population
            && silence.start <= call.sent
            && call.done <= silence.end
            && match call.outcome {
                Outcome::Failed(failure) => !failure.is_client_side() && !failure.is_censored(),
                Outcome::Shed | Outcome::Unfinished => false,
                answered => !answered.is_good(),
            }
    });
    let (mut first, mut last) = (Nanos::MAX, 0);
    for call in bad {
        // Our own pauses may have kept it: it was over before, and left later.
        first = first.min(call.done);
        last = last.max(call.sent);
    }
    // Whether it answered while we stood still, nobody saw.
    last.saturating_sub(first).saturating_sub(view.own.within(first, last))
}

/// How long a silence has to be to count, where successive good replies were `gaps` apart.
pub(crate) fn unusual(gaps: Vec<Nanos>, interval: Option<Nanos>) -> Nanos {
    let known = gaps.len() >= LEAST_GAPS;
    let learnt = threshold(super::view::rank(gaps, 99, 100).filter(|_| known), interval);
    // A service that freezes all the time would make that normal.
    learnt.min(threshold(None, interval))
}

/// With fewer gaps, it is not known what is normal.
const LEAST_GAPS: usize = 100;
