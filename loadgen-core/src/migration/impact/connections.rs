//! The connections that were lost in the move.
//!
//! A dead connection is often found out only when it is used again, which may be
//! after all has recovered. So a loss counts if the time in which the connection
//! can have died, from its last sign of life to the discovery, meets the span. One that
//! the server closed while the generator stood still is counted apart.

use std::collections::BTreeMap;

use crate::clock::Nanos;
use crate::record::connections::loss_name;
use crate::record::{Cause, ConnectionEnd, Population};
use crate::report::{ConnectionsLost, LostConnections};

use super::view::View;

/// Those lost from the firing to `recovered` (or, without a recovery, the end of the load).
pub(super) fn connections_lost(view: &View<'_>, recovered: Nanos) -> ConnectionsLost {
    let mut lost = ConnectionsLost::default();
    let load_end = view.input.load_end;
    let (Some(log), Some(fired)) =
        (view.input.connections, view.marks.fired.filter(|fired| *fired < load_end))
    else {
        return lost;
    };
    let [established, fresh] = Population::ALL.map(|population| {
        let called = view.calls.iter().any(|call| call.population == population);
        called.then(|| {
            let of = |end: &&ConnectionEnd| end.population == population;
            let ends = log.iter().filter(of);
            LostConnections { is_lower_bound: log.is_cut(), ..count(view, ends, fired, recovered) }
        })
    });
    lost.established = established.map(|mut lost| {
        if log.is_whole() {
            let open = |end: &&ConnectionEnd| {
                end.population == Population::Established
                    && end.opened <= fired
                    && end.ended > fired
            };
            lost.of = Some(log.iter().filter(open).count() as u64);
        }
        lost
    });
    lost.fresh = fresh.map(|mut lost| {
        // A connection of one call is none that was there at the firing.
        lost.count += std::mem::take(&mut lost.opened_since);
        lost
    });
    lost
}

/// A closed connection that is found in a first look after a pause of ours, and that no
/// call was on: a server closes what nobody uses for a while, and we used none.
fn is_ours(view: &View<'_>, end: &ConnectionEnd) -> bool {
    end.loss == Some(Cause::ClosedEarly) && end.again == 0 && view.own.ends_with(end.ended)
}

fn count<'a>(
    view: &View<'_>,
    ends: impl Iterator<Item = &'a ConnectionEnd>,
    fired: Nanos,
    recovered: Nanos,
) -> LostConnections {
    let mut lost = LostConnections::default();
    let mut causes: BTreeMap<String, u64> = BTreeMap::new();
    let in_span = |end: &&ConnectionEnd| end.ended > fired && end.alive <= recovered;
    for end in ends.filter(in_span) {
        let Some(cause) = end.loss else { continue };
        if is_ours(view, end) {
            lost.closed_while_paused += 1;
            continue;
        }
        lost.calls_sent_again += u64::from(end.again);
        if end.opened > fired && end.population == Population::Established {
            lost.opened_since += 1;
            continue;
        }
        lost.count += 1;
        *causes.entry(loss_name(cause)).or_default() += 1;
    }
    lost.causes = causes;
    lost
}
