//! Whether the figures of a run can be trusted: the instrument says when it was
//! itself the bottleneck.

mod own;

use crate::clock::{MILLISECOND, Nanos, SECOND};
use crate::net::spin_window;
use crate::plan::{Plan, Precision};
use crate::printable::one_line;
use crate::record::kernel::RunDelay;
use crate::record::{Cause, Failure, Histogram, OwnRecord, PauseRecord, Phase, Tally};
use crate::report::{Verdict, VerdictStatus};
use crate::schedule::Schedule;

/// Lag (99th percentile) from which response times carry our own lateness.
const LAG_DEGRADED: Nanos = MILLISECOND;

/// Lag (median) from which they mean nothing any more.
const LAG_INVALID: Nanos = 10 * MILLISECOND;

/// Share of one core from which a worker has no reserve.
const CPU_DEGRADED: f64 = 0.9;

/// Share of the offered calls that must have been started.
const STARTED_LEAST: f64 = 0.99;

/// Share of its time in which a worker may have to wait for a CPU.
const WAITING_MOST: f64 = 0.05;

/// What the verdict is found from.
pub(super) struct Evidence<'a> {
    pub(super) plan: &'a Plan,
    pub(super) tally: &'a Tally,
    pub(super) lag: &'a Histogram,
    pub(super) errors: &'a [[u64; Cause::ALL.len()]; Phase::ALL.len()],
    pub(super) warm_failures: (u64, Option<Failure>),
    pub(super) waiting_at_end: u64,
    /// Arrivals that were shed after the end of the load.
    pub(super) shed_in_drain: u64,
    /// Arrivals that were shed because a worker broke down.
    pub(super) shed_in_breakdown: u64,
    /// The workers' own pauses, and the calls that they had their part in.
    pub(super) pauses: PauseRecord,
    pub(super) own: Option<&'a OwnRecord>,
    /// Response times of all answered calls.
    pub(super) response: &'a Histogram,
    /// CPU time of the busiest worker, to the end of the load.
    pub(super) busiest_cpu: Nanos,
    /// The workers' wait for a CPU, if the kernel tells.
    pub(super) run_delay: Option<RunDelay>,
    /// How long replies lay unread, if the kernel told.
    pub(super) unread: Option<&'a Histogram>,
    pub(super) load_end: Nanos,
    pub(super) measured: Nanos,
    /// Workers that panicked.
    pub(super) panicked: u32,
    /// Why other workers ended before their time.
    pub(super) broken: &'a [String],
}

pub(super) fn judge(evidence: &Evidence<'_>) -> Verdict {
    let mut findings = Vec::new();
    let mut find = |status, reason| findings.push((status, reason));
    let tally = evidence.tally;

    if evidence.panicked > 0 {
        find(
            VerdictStatus::Invalid,
            format!(
                "{} worker threads panicked (a defect of loadgen: please report it); their calls \
                 are missing",
                evidence.panicked
            ),
        );
    }
    for reason in evidence.broken {
        find(VerdictStatus::Invalid, format!("a worker thread broke down: {reason}"));
    }
    let client_side = client_side_failures(evidence.errors);
    if client_side > 0 {
        find(
            VerdictStatus::Invalid,
            format!(
                "{client_side} calls failed because this machine ran out of ports, descriptors or \
                 memory, not because of the server: see the error classes"
            ),
        );
    }
    if ports_exhausted(evidence.errors) {
        find(
            VerdictStatus::Invalid,
            "no local port was free for a connection: give more source addresses, or let the \
             server close or reset connections, which leaves no port in TIME_WAIT here"
                .to_owned(),
        );
    }
    if evidence.measured == 0 {
        find(
            VerdictStatus::Invalid,
            "the run ended before anything was measured: no call after the warm-up".to_owned(),
        );
    } else if tally.answered == 0 {
        find(VerdictStatus::Invalid, "no call was answered".to_owned());
    }
    lag_findings(evidence.lag, &mut find);
    reading_findings(evidence, &mut find);
    own::findings(evidence, &mut find);

    // What is lost in a breakdown says nothing of the server.
    let of_others = |all: u64| all.saturating_sub(evidence.shed_in_breakdown);
    let (shed, offered) = (of_others(tally.shed), of_others(tally.offered));
    if shed > 0 && (tally.started as f64) < STARTED_LEAST * offered as f64 {
        let own = evidence.own.map_or(0, |own| own.shed);
        let reason = own::never_started(shed, tally.offered, own, &evidence.pauses);
        find(VerdictStatus::Degraded, reason);
    }
    if let Some(own @ 1..) = evidence.own.map(|own| own.timed_out) {
        let reason = own::ran_out_of_time(tally.timed_out, own, &evidence.pauses);
        find(VerdictStatus::Degraded, reason);
    }
    if evidence.waiting_at_end as f64 > (1.0 - STARTED_LEAST) * tally.offered as f64 {
        let own = evidence.own.map_or(0, |own| own.waiting_at_end);
        let waiting = evidence.waiting_at_end;
        let reason = own::still_waiting(waiting, evidence.shed_in_drain, own);
        find(VerdictStatus::Degraded, reason);
    }
    let open_loop = evidence.plan.loads().any(|s| *s.schedule() != Schedule::Closed);
    let cpu = evidence.busiest_cpu as f64 / evidence.load_end.max(1) as f64;
    // Polling before each start fills a core from about 18,000 starts a second on:
    // only together with lag does a full core mean that it was not enough.
    let late =
        !evidence.lag.is_empty() && evidence.lag.value_at_quantile(0.99) > spin_window::LONGEST;
    if open_loop
        && late
        && cpu > CPU_DEGRADED
        && evidence.plan.precision != Precision::High
        && evidence.load_end > SECOND
    {
        find(
            VerdictStatus::Degraded,
            format!(
                "a worker thread used {:.0} % of a core: the load generator may have been the \
                 bottleneck; use more threads or a lower rate",
                cpu * 100.0
            ),
        );
    }
    if let (n @ 1.., Some(failure)) = evidence.warm_failures {
        find(
            VerdictStatus::Degraded,
            format!(
                "{n} of the connections that were to be open before the load could not be opened \
                 (first: {})",
                failure.class()
            ),
        );
    }
    Verdict::from_findings(findings)
}

fn lag_findings(lag: &Histogram, find: &mut impl FnMut(VerdictStatus, String)) {
    if lag.is_empty() {
        return;
    }
    let (p50, p99) = (lag.value_at_quantile(0.5), lag.value_at_quantile(0.99));
    let ms = |ns: u64| ns as f64 / MILLISECOND as f64;
    let (status, which, value) = if p50 > LAG_INVALID {
        (VerdictStatus::Invalid, "half of the calls", ms(p50))
    } else if p99 > LAG_DEGRADED {
        (VerdictStatus::Degraded, "1 % of the calls", ms(p99))
    } else {
        return;
    };
    find(
        status,
        format!(
            "the generator itself started {which} at least {value:.1} ms late; response times \
             include this: give it more CPU, more threads or a lower rate"
        ),
    );
}

/// Late reading, which no lag shows: what the kernel said of replies, and of the
/// workers' wait for a CPU.
fn reading_findings(evidence: &Evidence<'_>, find: &mut impl FnMut(VerdictStatus, String)) {
    if let Some(unread) = evidence.unread.filter(|unread| !unread.is_empty()) {
        let p99 = unread.value_at_quantile(0.99);
        if p99 > LAG_DEGRADED {
            find(
                VerdictStatus::Degraded,
                format!(
                    "1 % of the replies lay in the kernel for at least {:.1} ms before the \
                     generator read them; response and service times include this: give it more \
                     CPU, more threads or a lower rate",
                    p99 as f64 / MILLISECOND as f64
                ),
            );
        }
    }
    let Some(delay) = evidence.run_delay else { return };
    let share = delay.long as f64 / delay.looks.max(1) as f64;
    if share > WAITING_MOST {
        find(
            VerdictStatus::Degraded,
            format!(
                "the generator waited {:.2} s for a CPU in all, and in {:.0} % of the run for longer \
                 than wake-ups take: another program used its CPU, so that calls started late and \
                 replies were read late; free a CPU for loadgen",
                delay.waited as f64 / SECOND as f64,
                share * 100.0
            ),
        );
    }
}

fn ports_exhausted(errors: &[[u64; Cause::ALL.len()]; Phase::ALL.len()]) -> bool {
    errors[Phase::Connect as usize][Cause::AddressUnavailable as usize] > 0
}

fn client_side_failures(errors: &[[u64; Cause::ALL.len()]; Phase::ALL.len()]) -> u64 {
    let mut sum = 0;
    for phase in Phase::ALL {
        for cause in Cause::ALL {
            if Failure::new(phase, cause).is_client_side() {
                sum += errors[phase as usize][cause as usize];
            }
        }
    }
    sum
}

impl Verdict {
    /// The worst of the findings, with all reasons, worst first.
    pub(crate) fn from_findings(mut findings: Vec<(VerdictStatus, String)>) -> Self {
        findings.sort_by_key(|(status, _)| std::cmp::Reverse(*status));
        let status = findings.first().map_or(VerdictStatus::Valid, |(status, _)| *status);
        Self { status, reasons: findings.into_iter().map(|(_, reason)| reason).collect() }
    }

    /// Adds findings made later.
    pub(crate) fn add(&mut self, findings: impl IntoIterator<Item = (VerdictStatus, String)>) {
        for (status, reason) in findings {
            self.status = self.status.max(status);
            self.reasons.push(one_line(&reason));
        }
    }
}
