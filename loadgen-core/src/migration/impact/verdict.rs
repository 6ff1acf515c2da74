//! Why a run may not say what it seems to say. Each reason tells what was found,
//! how much, and what to do. `Invalid`: the figures of the migration are not
//! those of a migration under the planned load. `Degraded`: they hold with this
//! reservation.

use crate::clock::{MILLISECOND, Nanos, as_millis, as_seconds};
use crate::event::EventKind;
use crate::migration::{Ending, Strategy};
use crate::printable::one_line;
use crate::record::{CallRecord, Outcome, Population};
use crate::report::{Migration, VerdictStatus};

use super::Reason;
use super::calls::response;
use super::foreign;
use super::other_gaps;
use super::outage::Outage;
use super::untimed;
use super::view::{View, rank};
use VerdictStatus::{Degraded, Invalid};

/// Replies before the firing that a baseline needs.
const LEAST_BASELINE: usize = 100;

/// All reasons that are found.
pub(super) fn reasons(
    view: &View<'_>,
    migration: &Migration,
    outages: &[Option<Outage>],
) -> Vec<Reason> {
    let mut reasons = of_migration(view, migration);
    reasons.extend(untimed::reason(view.input.events));
    reasons.extend(of_load(view));
    for population in Population::ALL {
        reasons.extend(of_baseline(view, population));
    }
    let outages: Vec<&Outage> = outages.iter().flatten().collect();
    reasons.extend(of_outages(view, migration, &outages));
    reasons.extend(foreign::of_calls(view, &outages));
    reasons.extend(other_gaps::of_others(view, &outages));
    reasons.extend(other_gaps::of_own_pauses(view, &outages));
    reasons.extend(of_resolution(view, migration, &outages));
    if view.marks.over().is_some_and(|over| over <= view.input.load_end)
        && migration.recovery_ms.is_none()
        && Population::ALL.iter().any(|p| view.baseline(*p).is_some())
    {
        reasons.push((
            Degraded,
            "response times did not come back to the band of before while the load lasted: \
             recovery is unknown, and calls lost and degradation count to the end of the load; \
             lengthen the time after the migration"
                .to_owned(),
        ));
    }
    reasons
}

/// Whether there was a migration, all of it under load.
fn of_migration(view: &View<'_>, migration: &Migration) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let mut invalid = |text: String| reasons.push((Invalid, text));
    let why =
        migration.reason.as_deref().map(one_line).map(|r| format!(": {r}")).unwrap_or_default();
    let load_end = view.input.load_end;
    match view.marks.fired {
        None => invalid("the migration was never fired: no figure tells of one".to_owned()),
        Some(fired) if fired >= load_end => invalid(format!(
            "the load ended at {:.3} s, before the migration was fired at {:.3} s: lengthen the \
             load",
            as_seconds(load_end),
            as_seconds(fired)
        )),
        Some(_) => {}
    }
    match migration.ending {
        Some(Ending::Completed) => {}
        Some(Ending::Failed) => invalid(format!(
            "the migration failed{why}: the figures show a failed attempt; fix the cause and \
             repeat the run"
        )),
        Some(Ending::Cancelled) => invalid(format!(
            "the migration was cancelled{why}: the figures show an attempt{}",
            if why.is_empty() { "; repeat the run" } else { "" }
        )),
        // Nothing ends that never began.
        None if view.marks.fired.is_none() => {}
        None => invalid(
            "it was never learnt how the migration ended: look at the log of the trigger, give \
             it more time, and repeat the run"
                .to_owned(),
        ),
    }
    if let Some(over) = view.marks.over().filter(|over| *over > load_end) {
        invalid(format!(
            "the load ended at {:.3} s, before the migration did at {:.3} s: the end of the \
             migration was not under load; lengthen the load by more than {:.3} s",
            as_seconds(load_end),
            as_seconds(over),
            as_seconds(over - load_end)
        ));
    }
    if migration.ending == Some(Ending::Completed) {
        match view.input.settled.and_then(|settled| settled.on_target) {
            Some(true) => {}
            Some(false) => invalid(
                "the machine was not seen to run at the target though the migration is said to \
                 be complete: check the target and repeat the run"
                    .to_owned(),
            ),
            None => reasons.push((
                Degraded,
                "nothing confirmed that the machine runs at the target: let a command: program \
                 print {\"event\":\"completed\",\"on_target\":true} once it has checked, give a \
                 qmp: trigger peer=, let a trigger of your own say Settled::with_on_target, or check \
                 by hand"
                    .to_owned(),
            )),
        }
    }
    if migration.ending == Some(Ending::Completed) && !why.is_empty() {
        let text = format!("the migration completed, but not as it was ordered{why}");
        reasons.push((Degraded, text));
    }
    reasons.extend(of_post_copy(view, migration));
    if let Some(paused) = migration.paused_ms.as_ref().filter(|paused| paused.recovered) {
        let why = paused.reason.as_deref().map(|why| format!(" ({why})")).unwrap_or_default();
        reasons.push((
            Degraded,
            format!(
                "post-copy was paused for {:.1} ms{why} and recovered: outages and degradation \
                 hold that time, too; fix the path between the two sides and repeat the run",
                paused.events
            ),
        ));
    }
    if view.marks.unpaired {
        reasons.push((
            Degraded,
            "a stop of the machine has no resume after it, or a resume no stop before it: the \
             downtime by events is missing or incomplete; check the clocks of both hosts and \
             that the trigger sees both sides"
                .to_owned(),
        ));
    }
    reasons
}

/// Whether a post-copy was one: pre-copy may end before post-copy was to begin.
fn of_post_copy(view: &View<'_>, migration: &Migration) -> Option<Reason> {
    let was_to_be = migration.strategy == Some(Strategy::PostCopy)
        && migration.ending == Some(Ending::Completed);
    let any = |is: fn(&EventKind) -> bool| view.input.events.iter().any(|e| is(&e.kind));
    if !was_to_be || any(|kind| *kind == EventKind::PostCopy) {
        return None;
    }
    // A program that prints no events leaves it unknown.
    let told = any(|kind| {
        use EventKind::{PreSwitchover, Resume, Round, Setup, Stop};
        matches!(kind, Setup | Round(_) | PreSwitchover | Stop | Resume)
    });
    Some(if told {
        let text = "post-copy never began: this was a pre-copy; let post-copy begin sooner \
                    (postcopy-after=), or give the machine more memory to send or to write to";
        (Invalid, text.to_owned())
    } else {
        let text = "it could not be verified that post-copy began, since the trigger told no \
                    steps of the migration: let it print its events";
        (Degraded, text.to_owned())
    })
}

/// Whether the log is whole and the client without fault.
fn of_load(view: &View<'_>) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let dropped = view.input.calls.dropped();
    if dropped > 0 {
        reasons.push((
            Invalid,
            format!(
                "{dropped} of {} calls did not fit into the call log, so that the figures of the \
                 migration lack them: raise the limit of the call log",
                view.input.calls.len() + dropped
            ),
        ));
    }
    let ours =
        |call: &&CallRecord| matches!(call.outcome, Outcome::Failed(f) if f.is_client_side());
    if let Some(first) = view.calls.iter().find(ours) {
        let class = if let Outcome::Failed(f) = first.outcome { f.class() } else { String::new() };
        reasons.push((
            Invalid,
            format!(
                "{} calls failed on the client's side (first: {class} at {:.3} s), so that errors \
                 and outages are not the server's alone: raise the limits of descriptors and \
                 ports, add source addresses, or lower the rate",
                view.calls.iter().filter(ours).count(),
                as_seconds(first.intended)
            ),
        ));
    }
    reasons
}

/// Whether the time before the firing can serve as what is normal.
fn of_baseline(view: &View<'_>, population: Population) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let Some((start, end)) = view.before() else {
        // Told once, by the first population that has calls.
        let first = view.calls.first().map(|call| call.population);
        if view.marks.fired.is_some() && first == Some(population) {
            reasons.push((
                Degraded,
                "there is no load before the firing and after the warm-up: nothing shows what is \
                 normal; fire later or shorten the warm-up"
                    .to_owned(),
            ));
        }
        return reasons;
    };
    let name = population.name();
    let of = |calls: &[CallRecord]| -> Vec<CallRecord> {
        calls.iter().filter(|call| call.population == population).copied().collect()
    };
    let mut before = of(view.intended(start, end));
    // Calls that a pause of ours had its part in show nothing of the service.
    before.retain(|call| !view.own.touches(call));
    if !view.calls.iter().any(|call| call.population == population) {
        return reasons;
    }
    let good: Vec<&CallRecord> =
        before.iter().filter(|call| call.outcome.is_good() && call.done < end).collect();
    if good.len() < LEAST_BASELINE {
        reasons.push((
            Degraded,
            format!(
                "only {} good replies to {name} calls before the firing: what is normal is \
                 uncertain; at least {LEAST_BASELINE} are needed: fire later or raise the rate",
                good.len()
            ),
        ));
    }
    if view.input.rate(population).is_some() {
        // Replies under way at the firing are no shortfall: as many as a service
        // time holds, by its median (which waiting in our queue does not raise).
        let service = rank(good.iter().map(|c| c.done.saturating_sub(c.sent)).collect(), 1, 2);
        let per_s = before.len() as f64 / as_seconds(end - start);
        let under_way = (per_s * as_seconds(service.unwrap_or(0))).ceil() + 1.0;
        let replies = view.completed(population, start, end).iter();
        let replies = replies.filter(|call| !view.own.touches(call)).count() as f64;
        let short = before.len() as f64 - replies - under_way;
        if short > 0.01 * before.len() as f64 {
            reasons.push((
                Invalid,
                format!(
                    "before the firing only {:.1} % of the {name} calls were answered well \
                     ({replies} of {}): the server did not hold the rate, so that nothing can be \
                     said of what the migration adds; lower the rate",
                    100.0 * replies / before.len() as f64,
                    before.len()
                ),
            ));
        }
    }
    let middle = start + (end - start) / 2;
    let p95 = |half: fn(Nanos, Nanos) -> bool| {
        rank(
            good.iter().filter(|c| half(c.intended, middle)).map(|c| response(c)).collect(),
            95,
            100,
        )
    };
    if let Some((first, second)) = p95(|at, middle| at < middle).zip(p95(|at, middle| at >= middle))
    {
        let (low, high) = (first.min(second), first.max(second));
        if high > 2 * low && high - low > MILLISECOND {
            reasons.push((
                Degraded,
                format!(
                    "the time before the firing is not steady: p95 of the response time of {name} \
                     calls is {:.3} ms in its first half and {:.3} ms in its second; lengthen the \
                     warm-up or lower the rate",
                    as_millis(first),
                    as_millis(second)
                ),
            ));
        }
    }
    reasons
}

/// Whether the outages are what they seem.
fn of_outages(view: &View<'_>, migration: &Migration, outages: &[&Outage]) -> Vec<Reason> {
    let mut reasons = Vec::new();
    // At the end of any load there is a silence of one normal gap.
    let is_cut = |outage: &Outage| {
        let least = outage.gap().map_or(0, |gap| gap.length());
        let cut = outage.above.iter().find(|gap| gap.cut && gap.length() >= least);
        cut.filter(|gap| !outage.ours.contains(gap)).copied()
    };
    // Where nobody was answered again, time alone will not help.
    let nobody = outages.iter().all(|outage| is_cut(outage).is_some());
    let unreachable = nobody && migration.ending == Some(Ending::Completed);
    let advice = if unreachable {
        "nobody was answered any more though the migration is said to be complete: the machine \
         does not answer at its new place; check its network there (is its tap on the bridge, do \
         ARP or RARP announce it, are addresses and routes right) and whether the service runs; \
         only if it needed more time, lengthen the load"
    } else {
        "lengthen the load"
    };
    for outage in outages {
        let name = outage.population.name();
        let Some(headline) = outage.gap() else {
            if view.good(outage.population).is_empty() && view.marks.fired.is_some() {
                let text = format!(
                    "no {name} call was answered well in the whole run, so that there is no \
                     outage to measure: check the target"
                );
                reasons.push((Invalid, text));
            }
            continue;
        };
        let Some(gap) = is_cut(outage) else { continue };
        let what = if gap == headline {
            format!("the outage of {name} calls was not over when the load ended: it")
        } else {
            format!("{name} calls were not answered any more when the load ended: the last gap")
        };
        reasons.push((
            Invalid,
            format!(
                "{what} began at {:.3} s and lasted more than {:.3} ms; {advice}",
                as_seconds(gap.start),
                as_millis(gap.length())
            ),
        ));
    }
    reasons
}

/// A downtime, in ms, that calls can resolve: a probe of more than 2000 newcomers a
/// second would be the load itself.
const SHORTEST_MS: f64 = 0.5;

/// Whether any load was dense enough to see the downtime that is claimed. Where
/// an outage stands out, it was.
fn of_resolution(view: &View<'_>, migration: &Migration, outages: &[&Outage]) -> Option<Reason> {
    let claimed = migration.downtime_ms.events.or(migration.downtime_ms.reported)?;
    let densest = Population::ALL.iter().filter_map(|p| view.input.interval(*p)).min()?;
    let seen = |o: &&Outage| o.gap().is_some_and(|gap| gap.length() > o.threshold);
    (as_millis(densest) > claimed && !outages.iter().any(seen)).then(|| {
        let help = if claimed < SHORTEST_MS {
            "no rate of calls resolves so short a time".to_owned()
        } else {
            format!("raise the rate of the probe above {:.0} a second", (1e3 / claimed).ceil())
        };
        (
            Degraded,
            format!(
                "the downtime of {claimed:.3} ms is shorter than the {:.3} ms between two calls of \
                 the densest load: the outage at the clients is below the resolution; {help}",
                as_millis(densest),
            ),
        )
    })
}
