//! The fields of a report that tell what a migration did. Their JSON paths are a
//! contract, as those of [`Report`](super::Report) are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Counts, Latency, Silent, Unreachable};
use crate::vm::{Ending, MovedMachine, Strategy, Truth, VmFacts};

/// What a migration did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Migration {
    /// Kind of the trigger.
    pub trigger: String,
    /// How the machine was moved.
    pub strategy: Option<Strategy>,
    /// No virtual machine was moved: a simulation.
    pub simulated: bool,
    /// How it ended; `None` if that was never learnt.
    pub ending: Option<Ending>,
    /// Why it did not complete.
    pub reason: Option<String>,
    /// What was known of the machine before.
    pub vm: VmFacts,
    /// Total migration time.
    pub total_migration_time_ms: TotalTime,
    /// No virtual CPU ran: the hypervisor's view.
    pub downtime_ms: Downtime,
    /// Post-copy stood still, since the path between the two sides was cut. `None`: the
    /// trigger told of no such pause.
    #[serde(default)]
    pub paused_ms: Option<PausedTime>,
    /// No call was answered: the clients' view.
    pub outage_ms: Outages,
    /// Packets did not reach the machine: the network's view.
    #[serde(default)]
    pub unreachable_ms: Unreachable,
    /// The machine's kernel gave no answer.
    #[serde(default)]
    pub silent_ms: Silent,
    /// From the last resume (where that is not known: from the end of the outage,
    /// if it is above the threshold; else from the final event) to the
    /// begin of the first window of 500 ms, on a grid of 100 ms, in which every
    /// population is back in its band: p95 of the response times of the calls
    /// that were to start in it is at most twice the p95 before the firing, or
    /// at most 1 ms above it. Calls without a good reply are above any band. 0:
    /// back at once. `None`: not seen to recover while the load lasted.
    pub recovery_ms: Option<f64>,
    /// Time, from firing to recovery (or, without one, to the end of the load),
    /// outside of the outages, in windows of 100 ms in which the p95 of a
    /// population was above its band. Calls are counted by intended start; those
    /// that were open during an outage are left out. `None`: nothing is known of
    /// the time before, or nothing was answered after the firing and there was no
    /// outage either.
    pub brownout_ms: Option<f64>,
    /// The share of the time before the firing that the same rule calls brownout:
    /// what of `brownout_ms` is noise.
    #[serde(default)]
    pub brownout_share_before: Option<f64>,
    /// Calls with an intended start between firing and recovery (or, without one,
    /// the end of the load) that were not answered: failed, shed or unfinished.
    /// `None`, here and below: nothing was fired under load.
    #[serde(default)]
    pub calls_lost: Option<u64>,
    /// Connections of the same span that were lost.
    #[serde(default)]
    pub connections_lost: ConnectionsLost,
    /// Calls of the same span that were answered well, but above the band.
    #[serde(default)]
    pub calls_late: Option<u64>,
    /// Calls of the same span whose reply is no good one: of a status of 400 and above or,
    /// where anything is expected, not as expected.
    #[serde(default)]
    pub error_replies: Option<u64>,
    /// ∫ (offered − goodput) dt over the same span, in calls: how many good
    /// replies were missing at its end. Replies that came late, but within the
    /// span, cancel out; they are `calls_late`.
    pub degradation_calls: Option<f64>,
    /// ∫ (response time − mean before) dt over the same span, in second·seconds,
    /// by the mean response time of windows of 100 ms (by intended start). Calls
    /// that were waited for in vain count with the time waited, a lower bound. A
    /// window without calls is as the one before it.
    pub degradation_response_s2: Option<f64>,
    /// How far the clock of the guest went wrong across the move, by the `Date` of
    /// its replies before the stop and after the resume (else before the firing
    /// and after the completion): negative, if it is behind now. `None`: replies
    /// have no `Date`, or there are none before or after. A proxy in front of the
    /// guest shows its own clock.
    #[serde(default)]
    pub guest_clock_step_s: Option<f64>,
    /// How far off it may be, either way: a `Date` has whole seconds, narrowed by
    /// many replies. A server that renews its `Date` late may add up to a second.
    #[serde(default)]
    pub guest_clock_step_bound_s: Option<f64>,
    /// How far the hypervisor slowed the machine down to converge (auto-converge).
    /// `None`: it did not, or does not tell.
    #[serde(default)]
    pub throttle: Option<Throttle>,
    /// Memory sent, by the hypervisor.
    pub transferred_bytes: Option<u64>,
    /// Pre-copy rounds seen.
    pub rounds: Option<u32>,
    /// The run cut at the events of the migration, by intended start.
    pub phases: Vec<PhaseReport>,
    /// The calls before, during and after the migration by the tags of their requests. Empty
    /// unless they have tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<TagImpact>,
    /// Each of several machines that were moved together or one after the other, the one under
    /// load first; empty of one alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub machines: Vec<MovedMachine>,
    /// Ground truth (simulations only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truth: Option<Truth>,
    /// Anything else that the trigger said.
    #[serde(default)]
    pub details: Map<String, Value>,
}

/// Connections that were lost in the move, by population; `None` where there was no
/// such load, or nothing was fired under load.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ConnectionsLost {
    /// Of clients with kept-alive connections.
    pub established: Option<LostConnections>,
    /// Of newcomers.
    pub fresh: Option<LostConnections>,
}

/// Connections of one population that ended without being planned, or announced by
/// the server: found reset or closed, or given up since a call on them failed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LostConnections {
    /// Of `established`: those that were open at the firing, and then lost between
    /// firing and recovery (or, without one, the end of the load); one that was
    /// found dead later counts if it was last seen alive in that span. Of `fresh`:
    /// all those lost in the span.
    pub count: u64,
    /// How many were open at the firing. `None`: not known, and for `fresh`, whose
    /// connections last for one call.
    pub of: Option<u64>,
    /// Lost in the same span, but opened after the firing; not in `count`.
    pub opened_since: u64,
    /// `count` by cause: `reset`, `closed`, `timed_out`, …
    pub causes: BTreeMap<String, u64>,
    /// Calls that were sent again on another connection because of these losses. The
    /// user's own client may not do so: the call would have failed for him.
    pub calls_sent_again: u64,
    /// Found closed in the first look after a pause of the generator's own, with no call
    /// on them; not in `count`, since a server may close what is not used for a while.
    #[serde(default)]
    pub closed_while_paused: u64,
    /// Not all ends of connections could be kept: there may have been more.
    pub is_lower_bound: bool,
}

/// How far the hypervisor slowed the machine down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Throttle {
    /// The most that it took of the virtual CPUs' time.
    pub most_percent: f64,
    /// When it was first seen to throttle, in seconds from the start of the load.
    pub from_s: f64,
    /// When it was last seen to.
    pub to_s: f64,
}

/// Total migration time by two accounts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TotalTime {
    /// From our command's acceptance (where that is not told: from the firing) to
    /// the completion or the last resume, whichever is later, on our clock.
    /// `None` unless the migration completed.
    pub trigger: Option<f64>,
    /// By the hypervisor.
    pub hypervisor: Option<f64>,
}

/// Downtime by two accounts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Downtime {
    /// By the hypervisor's own account; often only a part of the truth.
    pub reported: Option<f64>,
    /// From the STOP event to the RESUME event after it; the sum, if there were
    /// several.
    pub events: Option<f64>,
    /// How far off `events` may be, either way: the sum of the uncertainties of
    /// all these events. `None` beside `events`: not known, since the time of one of
    /// them is that at which a program's line was received.
    pub bound: Option<f64>,
}

/// How long a post-copy stood still. The machine runs in it only as far as it needs no
/// memory that is still at the source.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PausedTime {
    /// From the first side's word that post-copy is paused to the last one's that it goes
    /// on; the sum, if there were several. One that nobody recovered lasts to the final
    /// event, else to the end of the load.
    pub events: f64,
    /// How far off `events` may be, either way: the sum of the uncertainties of all these
    /// events.
    pub bound: f64,
    /// How often it was paused.
    pub pauses: u64,
    /// Whether post-copy went on after each of them.
    pub recovered: bool,
    /// Why, by the hypervisor; of the first pause with a reason.
    pub reason: Option<String>,
}

/// Outages by population; `None` where there was no such load.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Outages {
    /// Of clients with kept-alive connections.
    pub established: Option<OutageReport>,
    /// Of newcomers.
    pub fresh: Option<OutageReport>,
}

/// The outage that one population saw.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OutageReport {
    /// The migration's outage: a time between the completions of two successive
    /// good replies, chosen as `gap_of` says. It may be below `threshold`: then it
    /// does not stand out from the gaps of before. `None` where `longest_gap` is,
    /// and in reports of earlier versions, which took the longest gap for it.
    #[serde(default)]
    pub gap: Option<f64>,
    /// When it began, in seconds from the start of the load.
    #[serde(default)]
    pub gap_start_s: Option<f64>,
    /// The end of the load cut it: it lasted longer than `gap`.
    #[serde(default)]
    pub gap_is_lower_bound: bool,
    /// Why `gap` is taken for the migration's.
    #[serde(default)]
    pub gap_of: Option<GapOf>,
    /// The other gaps above `threshold`, from firing to the end of the load, in
    /// order: the 20 longest.
    #[serde(default)]
    pub other_gaps: Vec<OtherGap>,
    /// How many more there were.
    #[serde(default)]
    pub other_gaps_left_out: u64,
    /// Longest time between the completions of two successive good replies
    /// (status below 400), the later after the firing, the earlier before the end
    /// of the load. The end of the load cuts the last one, which counts only if
    /// it is above `threshold`. `None`: not one good reply before the end of the
    /// load.
    pub longest_gap: Option<f64>,
    /// When it began, in seconds from the start of the load.
    pub longest_gap_start_s: Option<f64>,
    /// The end of the load cut it: it lasted longer than `longest_gap`.
    #[serde(default)]
    pub longest_gap_is_lower_bound: bool,
    /// Sum of the gaps above `threshold`, from firing to the end of the load: how
    /// long nobody was answered.
    pub sum_of_gaps: Option<f64>,
    /// Sum of those of them that overlap the time from 500 ms before the STOP
    /// event to the recovery. After post-copy one stray reply may split the
    /// outage, so that `longest_gap` is only a part of it. `None`: no STOP and
    /// RESUME events.
    #[serde(default)]
    pub switchover_sum_of_gaps: Option<f64>,
    /// How many gaps were above `threshold`. `None` where `longest_gap` is.
    #[serde(default)]
    pub gaps: Option<u64>,
    /// The gap from which silence counts as an outage: the largest of three times
    /// the 99th percentile of the gaps before the firing, three mean intended
    /// gaps, and 20 ms (100 ms where there are no gaps before the firing).
    pub threshold: Option<f64>,
    /// How far `gap` may be off the true length of the interruption of the
    /// service, either way: its larger distance to the two ends of the interval
    /// below. `None` where the end of the interruption was not seen.
    pub bound: Option<f64>,
    /// The service was interrupted at least so long: from the first call that a
    /// running service would have answered to the last one. Before its first
    /// reply a service is taken to have worked through what had piled up for at
    /// most three times as long as it then took to answer that; one that needed
    /// longer counts as interrupted meanwhile. 0: the gap needs no interruption
    /// to explain it.
    #[serde(default)]
    pub interruption_at_least: Option<f64>,
    /// The service was interrupted at most so long: from the latest start of a
    /// call that was answered before the gap to the end of the gap.
    #[serde(default)]
    pub interruption_at_most: Option<f64>,
    /// The part of the gap, at its end, in which the machine's kernel answered again, as
    /// the reach check saw, and no call was answered yet: at least so long. The machine
    /// ran and was reachable; whether the service ran is not known, so this time is in
    /// `interruption_at_most` and not in `interruption_at_least`. `None`: nothing is
    /// known of it, or the kernel was not silent before.
    #[serde(default)]
    pub catching_up_at_least: Option<f64>,
    /// … and at most so long.
    #[serde(default)]
    pub catching_up_at_most: Option<f64>,
    /// Longest gap from the end of the warm-up to the firing: what is normal.
    pub baseline_longest_gap: Option<f64>,
}

impl OutageReport {
    /// The migration's outage; in reports of earlier versions the longest gap.
    #[must_use]
    pub fn headline(&self) -> Option<f64> {
        self.gap.or(self.longest_gap)
    }

    /// When [`Self::headline`] began.
    #[must_use]
    pub fn headline_start_s(&self) -> Option<f64> {
        if self.gap.is_some() { self.gap_start_s } else { self.longest_gap_start_s }
    }

    /// Whether the end of the load cut [`Self::headline`].
    #[must_use]
    pub fn headline_is_lower_bound(&self) -> bool {
        if self.gap.is_some() { self.gap_is_lower_bound } else { self.longest_gap_is_lower_bound }
    }

    /// Whether [`Self::headline`] stands out from the gaps of before.
    #[must_use]
    pub fn stands_out(&self) -> bool {
        self.headline().zip(self.threshold).is_some_and(|(gap, threshold)| gap > threshold)
    }
}

/// Why a gap is taken for the migration's outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum GapOf {
    /// The longest of those at the switch-over: that cover most of the time from a
    /// STOP to its RESUME event, or begin between the STOP and 200 ms after the
    /// RESUME (in post-copy: and the end of the migration).
    Switchover,
    /// STOP and RESUME are not known: the longest of those that overlap the time
    /// from the firing to 500 ms after the final event.
    Migration,
    /// Nothing but the firing is known: the longest after it.
    Longest,
}

/// A gap above the threshold that is not taken for the migration's outage.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OtherGap {
    /// When it began, in seconds from the start of the load.
    pub start_s: f64,
    /// Its length in ms.
    pub length_ms: f64,
    /// The end of the load cut it.
    pub is_lower_bound: bool,
    /// Where it lies.
    pub when: GapWhen,
}

/// Where a gap lies beside that of the migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum GapWhen {
    /// It began earlier.
    Before,
    /// It is at the switch-over, too, but shorter.
    Switchover,
    /// It began later.
    After,
    /// The generator itself stood still: without its own pauses the gap is not above the
    /// threshold.
    Own,
}

/// The calls whose intended start lies in one phase.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PhaseReport {
    /// `warm-up`, `before`, `setup`, `round 1`… (from the twelfth on joined, as
    /// `rounds 12–30`), or `migration` where the trigger tells of no rounds;
    /// `blackout`, `post-copy`, `paused` and `recovering` (of a post-copy that was cut),
    /// `others` (of several machines, while only those are moved that are not under load), `after`.
    pub name: String,
    /// Its begin, in seconds from the start of the load.
    pub start_s: f64,
    /// Its end, which is the begin of the next phase, or the end of the load.
    pub end_s: f64,
    /// Its calls by their fate. `connections_opened` holds those that a call of
    /// the phase was the first on.
    pub counts: Counts,
    /// Response times of its good replies.
    pub response_time: Latency,
    /// Its failed calls by class.
    pub errors: BTreeMap<String, u64>,
    /// Its calls whose reply is no good one: of a status of 400 and above, or not as expected.
    #[serde(default)]
    pub error_replies: u64,
    /// Its slow calls by cause, as in [`SlowCalls`](super::SlowCalls).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub slow_calls: BTreeMap<String, u64>,
    /// Good replies completed in it, per second.
    pub goodput_per_s: Option<f64>,
    /// Bytes received per second: those of each call count in the phase in which
    /// the call ended.
    pub bytes_per_s: Option<f64>,
}

/// The calls of one tag, by intended start: before the firing (after the warm-up), between the
/// firing and the end of the migration, and after that to the end of the load.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TagImpact {
    /// Its name.
    pub tag: String,
    /// Before it.
    pub before: TagSpan,
    /// In it.
    pub during: TagSpan,
    /// After it.
    pub after: TagSpan,
}

/// The calls of one tag in a span.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TagSpan {
    /// Arrivals by the schedule.
    pub offered: u64,
    /// Those without a complete reply: failed, unfinished or shed.
    pub lost: u64,
    /// Answered with a status of 400 and above, or not as expected.
    pub error_replies: u64,
    /// Reply complete − intended start, of good replies.
    pub response_time: Latency,
}
