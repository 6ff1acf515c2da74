//! All metrics: what each is of, from when to when.

use super::seen::{AFTER, BEFORE, DURING, Figure, Seen, mean, millis, p50, p99, unreachable};
use super::{Metric, Unit, Worse};

const fn metric(
    name: &'static str,
    title: &'static str,
    (unit, worse): (Unit, Worse),
    definition: &'static str,
    of: fn(&Seen<'_>) -> Option<Figure>,
) -> Metric {
    Metric { name, title, unit, worse, definition, of }
}

const TIME: (Unit, Worse) = (Unit::Ms, Worse::Higher);
const COUNT: (Unit, Worse) = (Unit::Count, Worse::Higher);
const THROUGHPUT: (Unit, Worse) = (Unit::BytesPerS, Worse::Lower);

pub(super) const METRICS: &[Metric] = &[
    metric(
        "total_migration_time_ms",
        "total migration time",
        TIME,
        "from the acceptance of the command to the completion or the last resume, whichever is \
         later, on our clock; where that is not known, by the hypervisor",
        |seen| {
            seen.migration(|m| {
                m.total_migration_time_ms.trigger.or(m.total_migration_time_ms.hypervisor)
            })
        },
    ),
    metric(
        "downtime_events_ms",
        "downtime STOP→RESUME",
        TIME,
        "from each STOP event to the RESUME event after it, summed: no virtual CPU ran",
        |seen| seen.migration(|m| m.downtime_ms.events),
    ),
    metric(
        "downtime_reported_ms",
        "downtime by the hypervisor",
        TIME,
        "the hypervisor's own account, often only a part of the truth",
        |seen| seen.migration(|m| m.downtime_ms.reported),
    ),
    metric(
        "unreachable_ms",
        "unreachable time",
        TIME,
        "the network lost the packets that were sent to the machine: the middle between the least \
         and the most that the reach checks allow",
        |seen| seen.migration(unreachable),
    ),
    metric(
        "outage_established_ms",
        "outage of kept-alive clients",
        TIME,
        "between the two good replies on kept-alive connections that enclose the switch-over",
        |seen| seen.outage(|m| m.outage_ms.established.as_ref()),
    ),
    metric(
        "outage_fresh_ms",
        "outage of newcomers",
        TIME,
        "between the two good replies on new connections that enclose the switch-over",
        |seen| seen.outage(|m| m.outage_ms.fresh.as_ref()),
    ),
    metric(
        "recovery_ms",
        "recovery",
        TIME,
        "from the last resume until response times are back in their band",
        |seen| seen.migration(|m| m.recovery_ms),
    ),
    metric(
        "brownout_ms",
        "brownout",
        TIME,
        "time outside of the outages, from firing to recovery, with response times above their band",
        |seen| seen.migration(|m| m.brownout_ms),
    ),
    metric(
        "calls_lost",
        "calls lost",
        COUNT,
        "calls due between firing and recovery that were not answered",
        |seen| seen.migration(|m| m.calls_lost.map(|lost| lost as f64)),
    ),
    metric(
        "calls_late",
        "calls late",
        COUNT,
        "calls due between firing and recovery that were answered well, but above the band",
        |seen| seen.migration(|m| m.calls_late.map(|late| late as f64)),
    ),
    metric(
        "connections_lost",
        "connections lost",
        COUNT,
        "connections of both populations that were lost between firing and recovery",
        |seen| seen.connections_lost(),
    ),
    metric(
        "error_rate",
        "errors",
        (Unit::Share, Worse::Higher),
        "of the calls that were due from the firing to the end of the migration, those without a \
         good reply; of a run without a migration, of all its calls",
        |seen| seen.error_rate(),
    ),
    metric(
        "response_time_before_mean_ms",
        "response time before, mean",
        TIME,
        "good replies to calls due from the end of the warm-up to the firing",
        |seen| seen.time(BEFORE, mean),
    ),
    metric(
        "response_time_before_p50_ms",
        "response time before, p50",
        TIME,
        "good replies to calls due from the end of the warm-up to the firing",
        |seen| seen.time(BEFORE, p50),
    ),
    metric(
        "response_time_before_p99_ms",
        "response time before, p99",
        TIME,
        "good replies to calls due from the end of the warm-up to the firing",
        |seen| seen.time(BEFORE, p99),
    ),
    metric(
        "response_time_during_mean_ms",
        "response time during, mean",
        TIME,
        "good replies to calls due from the firing to the end of the migration",
        |seen| seen.time(DURING, mean),
    ),
    metric(
        "response_time_during_p50_ms",
        "response time during, p50",
        TIME,
        "good replies to calls due from the firing to the end of the migration",
        |seen| seen.time(DURING, p50),
    ),
    metric(
        "response_time_during_p99_ms",
        "response time during, p99",
        TIME,
        "good replies to calls due from the firing to the end of the migration",
        |seen| seen.time(DURING, p99),
    ),
    metric(
        "response_time_after_mean_ms",
        "response time after, mean",
        TIME,
        "good replies to calls due from the end of the migration to the end of the load",
        |seen| seen.time(AFTER, mean),
    ),
    metric(
        "response_time_after_p50_ms",
        "response time after, p50",
        TIME,
        "good replies to calls due from the end of the migration to the end of the load",
        |seen| seen.time(AFTER, p50),
    ),
    metric(
        "response_time_after_p99_ms",
        "response time after, p99",
        TIME,
        "good replies to calls due from the end of the migration to the end of the load",
        |seen| seen.time(AFTER, p99),
    ),
    metric(
        "throughput_before_bytes_per_s",
        "throughput before",
        THROUGHPUT,
        "bytes received from the end of the warm-up to the firing, by calls that ended in it",
        |seen| seen.throughput(BEFORE),
    ),
    metric(
        "throughput_during_bytes_per_s",
        "throughput during",
        THROUGHPUT,
        "bytes received from the firing to the end of the migration, by calls that ended in it",
        |seen| seen.throughput(DURING),
    ),
    metric(
        "throughput_after_bytes_per_s",
        "throughput after",
        THROUGHPUT,
        "bytes received from the end of the migration to the end of the load, by calls that ended \
         in it",
        |seen| seen.throughput(AFTER),
    ),
    metric(
        "transferred_bytes",
        "memory sent",
        (Unit::Bytes, Worse::Higher),
        "by the hypervisor's account",
        |seen| seen.migration(|m| m.transferred_bytes.map(|bytes| bytes as f64)),
    ),
    metric("rounds", "pre-copy rounds", COUNT, "rounds of pre-copy that were seen", |seen| {
        seen.migration(|m| m.rounds.map(f64::from))
    }),
    metric(
        "response_time_mean_ms",
        "response time, mean",
        TIME,
        "all answered calls of the measured time",
        |seen| millis(mean(&seen.report.response_time)),
    ),
    metric(
        "response_time_p50_ms",
        "response time, p50",
        TIME,
        "all answered calls of the measured time",
        |seen| millis(p50(&seen.report.response_time)),
    ),
    metric(
        "response_time_p99_ms",
        "response time, p99",
        TIME,
        "all answered calls of the measured time",
        |seen| millis(p99(&seen.report.response_time)),
    ),
    metric(
        "answered_per_s",
        "answered rate",
        (Unit::PerS, Worse::Lower),
        "replies a second of the measured time",
        |seen| seen.report.rates.answered_per_s.map(Figure::from),
    ),
    metric(
        "true_downtime_ms",
        "downtime by the simulation itself",
        TIME,
        "measured inside of the simulated machine; only simulations have it",
        |seen| seen.migration(|m| m.truth.as_ref().map(|truth| truth.downtime_ms)),
    ),
];
