//! The moments of a migration, read off its events: when it was fired and over,
//! when the machine stood still, and the cuts between the phases. It knows
//! nothing of calls.
//!
//! Invariants: cuts are in order, without holes and without overlap, from the
//! start of the load to its end; none is empty.

use crate::clock::Nanos;
use crate::event::{Event, EventKind};

use super::super::milestone;
use super::untimed;

/// Rounds with a phase of their own; the tail is joined into the last of them.
const MOST_ROUNDS: usize = 12;

/// The phase in which only machines that are not under load are moved.
const OTHERS: &str = "others";

/// The phase in which a manager prepares the migration that its hypervisor is to begin.
const PREPARATION: &str = "preparation";

/// One phase: `[start, end)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) name: String,
    pub(super) start: Nanos,
    pub(super) end: Nanos,
}

/// One time without a running CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Blackout {
    pub(super) stop: Nanos,
    pub(super) resume: Nanos,
    /// Sum of the uncertainties of both ends.
    pub(super) uncertainty: Nanos,
}

/// The moments of a migration.
#[derive(Debug, Clone)]
pub(super) struct Marks<'a> {
    pub(super) fired: Option<Nanos>,
    accepted: Option<Nanos>,
    /// The final event.
    pub(super) last: Option<(Nanos, &'a EventKind)>,
    pub(super) blackouts: Vec<Blackout>,
    /// A stop without a resume after it, or a resume without a stop before it.
    pub(super) unpaired: bool,
    /// How far off the blackouts may be is not known.
    unbounded: bool,
    pub(super) rounds: Option<u32>,
    pub(super) cuts: Vec<Cut>,
}

impl<'a> Marks<'a> {
    /// Reads the events of a run whose load ended at `load_end`.
    pub(super) fn new(events: &'a [Event], warmup_end: Nanos, load_end: Nanos) -> Self {
        let mut events: Vec<&Event> = events.iter().collect();
        events.sort_by_key(|event| event.at);
        let first = |kind: &EventKind| events.iter().find(|e| e.kind == *kind).map(|e| e.at);
        let accepted = first(&EventKind::Accepted);
        let (blackouts, unpaired) = blackouts(&events);
        let mut marks = Self {
            fired: first(&EventKind::Fired).or(accepted),
            accepted,
            last: events.iter().find(|e| e.kind.is_final()).map(|e| (e.at, &e.kind)),
            blackouts,
            unpaired,
            unbounded: untimed::by_receipt(&events),
            rounds: events
                .iter()
                .filter_map(|e| if let EventKind::Round(k) = e.kind { Some(k) } else { None })
                .max(),
            cuts: Vec::new(),
        };
        marks.cuts = marks.cut(&events, warmup_end, load_end);
        marks
    }

    /// When the machine ran at the target and the source was free: the later of
    /// the completion and the last resume (a stopped machine is complete before
    /// it runs). `None` unless the migration completed.
    pub(super) fn over(&self) -> Option<Nanos> {
        match self.last {
            Some((at, EventKind::Completed)) => Some(at.max(self.resumed().unwrap_or(0))),
            _ => None,
        }
    }

    /// Total migration time by the events.
    pub(super) fn total(&self) -> Option<Nanos> {
        Some(self.over()?.saturating_sub(self.accepted.or(self.fired)?))
    }

    pub(super) fn stopped(&self) -> Option<Nanos> {
        self.blackouts.first().map(|b| b.stop)
    }

    pub(super) fn resumed(&self) -> Option<Nanos> {
        self.blackouts.last().map(|b| b.resume)
    }

    pub(super) fn downtime(&self) -> Option<Nanos> {
        let sum = self.blackouts.iter().map(|b| b.resume - b.stop).sum();
        (!self.blackouts.is_empty()).then_some(sum)
    }

    pub(super) fn downtime_bound(&self) -> Option<Nanos> {
        let sum = self.blackouts.iter().fold(0, |sum: Nanos, b| sum.saturating_add(b.uncertainty));
        (!self.blackouts.is_empty() && !self.unbounded).then_some(sum)
    }

    /// The phases of the run.
    fn cut(&self, events: &[&Event], warmup_end: Nanos, load_end: Nanos) -> Vec<Cut> {
        let fired = self.fired.unwrap_or(load_end).min(load_end);
        let warmup_end = warmup_end.min(fired);
        let mut starts = vec![(0, "warm-up".to_owned()), (warmup_end, "before".to_owned())];
        if self.fired.is_some() {
            let first = if self.rounds.is_some() { "setup" } else { "migration" };
            // Of several machines, others may be moved before the one under load, and after it.
            let waits = events.iter().any(|event| milestone::begins_loaded(event));
            let prepared = events.iter().find(|e| is_prepared(e)).map(|e| e.at.max(fired));
            let begins = match prepared {
                Some(_) => PREPARATION,
                None if waits => OTHERS,
                None => first,
            };
            starts.push((fired, begins.to_owned()));
            let then = if waits { OTHERS } else { first };
            starts.extend(prepared.map(|at| (at, then.to_owned())));
            let loaded_end = events.iter().find(|e| milestone::ends_loaded(e)).map(|e| e.at);
            let others_follow =
                loaded_end.is_some_and(|end| self.last.is_some_and(|(last, _)| end < last));
            // An event that another clock puts before the firing happened after it.
            let after = events.iter().map(|e| (e.at.max(fired), *e));
            // Some triggers tell of post-copy before the stop, some after the resume.
            let fetches = events.iter().any(|e| e.kind == EventKind::PostCopy);
            let (mut post_copy, mut over) = (false, false);
            let mut paused: Option<&str> = None;
            for (at, event) in after {
                let kind = &event.kind;
                let dark = self.blackouts.iter().find(|b| b.stop <= at && at < b.resume);
                post_copy |= *kind == EventKind::PostCopy;
                over |= kind.is_final();
                match kind {
                    EventKind::Paused => paused = Some("paused"),
                    EventKind::Recovering => paused = paused.map(|_| "recovering"),
                    EventKind::PostCopy => paused = None,
                    _ => {}
                }
                let name = match kind {
                    EventKind::Stop if dark.is_some() => "blackout".to_owned(),
                    // What ends within the blackout does not end the blackout.
                    _ if dark.is_some() => continue,
                    EventKind::Round(k) if !over && !post_copy => format!("round {k}"),
                    EventKind::Resume if self.blackouts.iter().any(|b| b.resume == at) => {
                        match paused {
                            _ if over => "after",
                            _ if !fetches && others_follow => OTHERS,
                            _ if !fetches => "after",
                            Some(paused) => paused,
                            None => "post-copy",
                        }
                        .to_owned()
                    }
                    EventKind::Paused | EventKind::Recovering if !over => match paused {
                        Some(paused) => paused.to_owned(),
                        None => continue,
                    },
                    EventKind::PostCopy if !over && self.stopped().is_none_or(|s| s <= at) => {
                        "post-copy".to_owned()
                    }
                    kind if kind.is_final() => "after".to_owned(),
                    _ if milestone::begins_loaded(event) => first.to_owned(),
                    _ if milestone::ends_loaded(event) && others_follow => OTHERS.to_owned(),
                    _ => continue,
                };
                starts.push((at, name));
            }
        }
        join_rounds(close(starts, load_end))
    }
}

/// Whether a manager was at work before its hypervisor accepted the migration.
fn is_prepared(event: &Event) -> bool {
    event.kind == EventKind::Accepted && event.attributes.contains_key("preparation_s")
}

/// Pairs each stop with the next resume. A second stop before it (from the other
/// side) is the same stop. What another clock told is not used.
fn blackouts(events: &[&Event]) -> (Vec<Blackout>, bool) {
    let mut found = Vec::new();
    let mut open: Option<&Event> = None;
    let mut unpaired = false;
    let mut dark_before = false;
    for event in events.iter().filter(|event| !untimed::is_refused(event)) {
        match (&event.kind, open) {
            (EventKind::Stop, None) => open = Some(event),
            (EventKind::Resume, Some(stop)) => {
                found.push(Blackout {
                    stop: stop.at,
                    resume: event.at,
                    uncertainty: stop.uncertainty.saturating_add(event.uncertainty),
                });
                open = None;
                dark_before = true;
            }
            // A second resume, from the other side, is the same resume.
            (EventKind::Resume, None) => unpaired |= !dark_before,
            _ => {}
        }
    }
    (found, unpaired || open.is_some())
}

/// Gives each phase its end, drops empty ones, and joins neighbours of one name.
fn close(starts: Vec<(Nanos, String)>, load_end: Nanos) -> Vec<Cut> {
    let ends: Vec<Nanos> = starts.iter().skip(1).map(|s| s.0).chain([load_end]).collect();
    let mut cuts: Vec<Cut> = Vec::new();
    for ((start, name), end) in starts.into_iter().zip(ends) {
        let (start, end) = (start.min(load_end), end.min(load_end));
        match cuts.last_mut() {
            _ if start >= end => {}
            Some(last) if last.name == name => last.end = end,
            _ => cuts.push(Cut { name, start, end }),
        }
    }
    cuts
}

/// Joins the rounds after the eleventh phase of a round, if there are more than
/// twelve.
fn join_rounds(cuts: Vec<Cut>) -> Vec<Cut> {
    let number = |cut: &Cut| cut.name.strip_prefix("round ").map(str::to_owned);
    let rounds = cuts.iter().filter(|cut| number(cut).is_some()).count();
    if rounds <= MOST_ROUNDS {
        return cuts;
    }
    let mut seen = 0;
    let mut joined: Vec<Cut> = Vec::new();
    for cut in cuts {
        let Some(last_number) = number(&cut) else {
            joined.push(cut);
            continue;
        };
        seen += 1;
        match joined.last_mut() {
            Some(tail) if seen > MOST_ROUNDS && tail.end == cut.start => {
                let first = tail.name.trim_start_matches("rounds ").trim_start_matches("round ");
                let first = first.split('–').next().unwrap_or_default();
                tail.name = format!("rounds {first}–{last_number}");
                tail.end = cut.end;
            }
            _ => joined.push(cut),
        }
    }
    joined
}
