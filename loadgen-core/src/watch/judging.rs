//! From silences that overlap, and what was recorded around them, to a freeze that is told, or to
//! why there is none.

use super::freeze::{Freeze, FrozenPopulation, LengthMs};
use super::history::History;
use super::kind::{Frozen, kind};
use super::silences::Group;
use crate::clock::{Clock, Nanos, SECOND, as_millis, as_seconds, rfc3339};
use crate::migration::{Check, ImpactInput, Judged, JudgedSilences, Method, ReachLog, judge};
use crate::record::Population;

/// How long before a freeze the checks tell what is normal.
const CHECKS_BEFORE: Nanos = 10 * SECOND;
/// How long after it they belong to it.
const CHECKS_AFTER: Nanos = SECOND;

/// What does not change from freeze to freeze.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) clock: Clock,
    pub(super) warmup_end: Nanos,
    /// Intended calls a second, by population.
    pub(super) per_s: [Option<f64>; 2],
    /// By which method the machine's kernel is asked.
    pub(super) method: Option<Method>,
    /// Why it is not.
    pub(super) reach_off: Option<String>,
    pub(super) has_neighbour: bool,
}

/// What became of silences.
#[derive(Debug)]
pub(super) enum Verdict {
    /// A freeze of the target.
    Freeze(Box<Freeze>, Down),
    /// The generator's own pauses explain them.
    Own,
    /// They were longer than normal, but calls do not prove that the service did not answer.
    Unproven(Down),
    /// As it is normal here.
    Normal,
}

/// How long a service did not answer in silences that overlap, all of them together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Down {
    pub(super) length: (Nanos, Option<Nanos>),
    /// From the begin of the first to the end of the last of them.
    pub(super) span: (Nanos, Nanos),
    /// For so long at least …
    pub(super) at_least: Nanos,
    /// … and so long at most, within the watch.
    pub(super) at_most: Nanos,
    /// For how much of the time from the first to the last of them nobody looked.
    pub(super) own: Nanos,
}

/// Judges silences that began together: those before `until` belong to them, and the checks since
/// `last_end`, when the last freeze had ended.
pub(super) fn judged(
    group: &Group,
    history: &History,
    setting: &Setting,
    (last_end, until): (Nanos, Nanos),
) -> Verdict {
    let (calls, connections) = (history.call_log(), history.connection_log());
    let pauses = history.pause_log();
    let from = group.iter().map(|silence| silence.start).min().unwrap_or(0);
    let to = group.iter().map(|silence| silence.end).max().unwrap_or(0);
    let around = (last_end.max(from.saturating_sub(CHECKS_BEFORE)), to + CHECKS_AFTER);
    let checks = within(history.checks.iter(), around);
    let reach = ReachLog {
        method: setting.method,
        checks: checks.clone(),
        off: setting.reach_off.clone(),
        ..ReachLog::default()
    };
    let mut input = ImpactInput::new("watch", &calls, &[], until);
    input.connections = Some(&connections);
    input.pauses = Some(&pauses);
    input.reach = Some(&reach);
    input.warmup_end = setting.warmup_end;
    [input.established_per_s, input.fresh_per_s] = setting.per_s;
    let found = judge(&input, group);

    let down = Down { span: (from, to), ..down(&found, setting.warmup_end) };
    if !found.judged.iter().any(Judged::is_proven) {
        let unusual = |judged: &Judged| judged.length() > judged.threshold;
        let of_service = found.judged.iter().any(Judged::is_of_service);
        return match (of_service, found.judged.iter().any(unusual)) {
            (true, _) => Verdict::Unproven(down),
            (false, true) => Verdict::Own,
            (false, false) => Verdict::Normal,
        };
    }
    // What one population proves, the other felt, too.
    let felt = |population: Population| {
        let of = |judged: &&Judged| judged.silence.population == population;
        let of_service = found.judged.iter().filter(|judged| judged.is_of_service()).filter(of);
        of_service.copied().max_by_key(|judged| judged.length() - judged.own)
    };
    let [established, fresh] = Population::ALL.map(felt);
    let (at_least, at_most) = length(established, fresh);
    let told = [established, fresh];
    let told = || told.iter().flatten();
    let from = told().map(|judged| judged.silence.start).min().unwrap_or(from);
    let to = told().map(|judged| judged.silence.end).max().unwrap_or(to);
    let is_cut = told().any(|judged| judged.silence.cut);
    let until = (!is_cut).then_some(to);
    let frozen = Frozen { from, to, at_least };
    let neighbour = within(history.neighbour.iter(), around);
    let neighbour = setting.has_neighbour.then_some(&*neighbour);
    let (kind, kind_because, kernel) =
        kind(frozen, &checks, neighbour, setting.reach_off.as_deref());
    let wall = |at: Nanos| rfc3339(setting.clock.wall_time(at));
    let freeze = Freeze {
        number: 0,
        from: wall(from),
        until: until.map(wall),
        from_s: as_seconds(from),
        until_s: until.map(as_seconds),
        length_ms: in_ms(at_least, at_most),
        kind,
        kind_because,
        established: established.map(|judged| seen(&judged)),
        fresh: fresh.map(|judged| seen(&judged)),
        kernel,
        connections_lost: found.connections_lost,
        calls_failed: found.calls_failed,
        are_all_calls_known: history.is_whole_since(from),
        own_ms: as_millis(found.own),
    };
    Verdict::Freeze(Box::new(freeze), Down { length: (at_least, at_most), ..down })
}

/// How long the service did not answer: each population by all of its silences, and of both the
/// one that had to wait longer.
fn down(found: &JudgedSilences, from: Nanos) -> Down {
    let of = |population: Population| {
        let of = |judged: &&Judged| judged.silence.population == population;
        let mut sums = (0, 0);
        for judged in found.judged.iter().filter(of).filter(|judged| judged.is_of_service()) {
            // What was before the watch is no part of it.
            let before = from.saturating_sub(judged.silence.start);
            let within = judged.length().saturating_sub(before);
            sums.0 += judged.at_least.saturating_sub(before);
            sums.1 += judged.at_most.unwrap_or(within).min(within);
        }
        sums
    };
    let [one, other] = Population::ALL.map(of);
    let (at_least, at_most) = (one.0.max(other.0), one.1.max(other.1));
    Down { length: (at_least, Some(at_most)), span: (0, 0), at_least, at_most, own: found.own }
}

/// The length by both populations. Both intervals hold the truth where all of the service stood
/// still, and so does what they have in common. Where they contradict each other, the populations
/// felt different things: then it is that of the one that had to wait longer.
fn length(one: Option<Judged>, other: Option<Judged>) -> (Nanos, Option<Nanos>) {
    let both = || one.iter().chain(&other);
    let longest = both().max_by_key(|judged| judged.at_least);
    let at_least = longest.map_or(0, |judged| judged.at_least);
    if both().any(|judged| judged.silence.cut) {
        return (at_least, None);
    }
    match both().filter_map(|judged| judged.at_most).min() {
        Some(most) if most < at_least => (at_least, longest.and_then(|judged| judged.at_most)),
        at_most => (at_least, at_most),
    }
}

fn in_ms(at_least: Nanos, at_most: Option<Nanos>) -> LengthMs {
    LengthMs { at_least: as_millis(at_least), at_most: at_most.map(as_millis) }
}

fn seen(judged: &Judged) -> FrozenPopulation {
    let silence = judged.silence;
    FrozenPopulation {
        gap_ms: as_millis(judged.length()),
        from_s: as_seconds(silence.start),
        until_s: (!silence.cut).then(|| as_seconds(silence.end)),
        interruption_ms: in_ms(judged.at_least, judged.at_most),
    }
}

fn within<'a>(checks: impl Iterator<Item = &'a Check>, (from, to): (Nanos, Nanos)) -> Vec<Check> {
    checks.filter(|check| from <= check.before && check.sent <= to).copied().collect()
}
