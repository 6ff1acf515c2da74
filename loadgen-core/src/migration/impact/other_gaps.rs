//! Reasons from the gaps beside the outage of the migration, and from the generator's own
//! pauses in any of them: what is ours is told as ours, and blamed on nobody.

use crate::clock::{as_millis, as_seconds};
use crate::report::{GapWhen, VerdictStatus::Degraded};

use super::Reason;
use super::gap::Gap;
use super::headline::ours;
use super::outage::Outage;
use super::view::View;

/// Whether another gap is longer than the migration's: something else was going on. What
/// is ours of either does not count.
pub(super) fn of_others(view: &View<'_>, outages: &[&Outage]) -> Option<Reason> {
    let rest = |gap: &Gap| gap.length() - ours(view, gap);
    let longer: Vec<String> = outages
        .iter()
        .filter_map(|outage| {
            let headline = outage.gap()?;
            let others = outage.others().filter(|(_, when)| *when != GapWhen::Own);
            let (gap, when) = others.max_by_key(|(gap, _)| rest(gap))?;
            // Told with those that are cut.
            (rest(&gap) > rest(&headline) && !gap.cut).then(|| {
                let own = match ours(view, &gap) {
                    0 => String::new(),
                    own => format!(" without {:.3} ms of loadgen's own", as_millis(own)),
                };
                format!(
                    "{} calls {:.3} ms{own} from {:.3} s ({} its outage of {:.3} ms)",
                    outage.population.name(),
                    as_millis(rest(&gap)),
                    as_seconds(gap.start),
                    if when == GapWhen::Before { "before" } else { "after" },
                    as_millis(rest(&headline)),
                )
            })
        })
        .collect();
    (!longer.is_empty()).then(|| {
        let text = format!(
            "gaps that are not at the migration's switch-over are longer than its outage: {}; they \
             are not counted as the migration's, and listed apart: look for what else disturbed \
             the service or the network, and repeat the run",
            longer.join(", ")
        );
        (Degraded, text)
    })
}

/// Whether the generator itself stood still in a gap.
pub(super) fn of_own_pauses(view: &View<'_>, outages: &[&Outage]) -> Option<Reason> {
    let told: Vec<String> = outages
        .iter()
        .flat_map(|outage| {
            let name = outage.population.name();
            let headline = outage.gap();
            let within = headline.map(|gap| (gap, ours(view, &gap))).filter(|(_, own)| *own > 0);
            let headline = within.map(|(gap, own)| {
                format!(
                    "{:.1} ms of the outage of {name} calls ({:.1} ms from {:.3} s)",
                    as_millis(own),
                    as_millis(gap.length()),
                    as_seconds(gap.start)
                )
            });
            let others = outage.others().filter(|(_, when)| *when == GapWhen::Own);
            let longest = others.map(|(gap, _)| gap).max_by_key(Gap::length).map(|gap| {
                format!(
                    "a gap of {name} calls that is not counted as the migration's ({:.1} ms from \
                     {:.3} s)",
                    as_millis(gap.length()),
                    as_seconds(gap.start)
                )
            });
            headline.into_iter().chain(longest)
        })
        .collect();
    (!told.is_empty()).then(|| {
        let text = format!(
            "loadgen itself stood still while the migration was measured: {}; the intervals of \
             the interruption allow for it, and recovery, brownout, late calls and degradation \
             leave its pauses out: give it a CPU of its own, and repeat the run",
            told.join(", ")
        );
        (Degraded, text)
    })
}
