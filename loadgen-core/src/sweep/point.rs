//! One step of a sweep: what the run at one rate came to.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::report::{
    Counts, Downtime, GeneratorReport, Latency, OutageReport, Rates, Report, TotalTime, Verdict,
    VerdictStatus,
};
use crate::slo::{Slo, SloOutcome};
use crate::vm::Ending;

/// The part of the offered calls that may be left over when the load ends of a
/// server that keeps up.
pub const KEEPS_UP_WITHIN: f64 = 0.01;

/// What a run was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum PointKind {
    /// A step of a sweep.
    Step,
    /// An attempt of a search, short.
    #[serde(alias = "probe")]
    Attempt,
    /// A longer run of a search, at a rate that is to be its result.
    Confirmation,
    /// A repeated attempt at the rate above the result, which must fail again.
    Check,
}

impl fmt::Display for PointKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl PointKind {
    /// As in the JSON.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Attempt => "attempt",
            Self::Confirmation => "confirmation",
            Self::Check => "check",
        }
    }
}

/// The figures of one run of a sweep. Those of a whole run, its timeline and
/// histograms, are in its [`Report`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SweepPoint {
    /// What the run was for.
    pub kind: PointKind,
    /// Arrivals a second that were asked for: calls, or with sessions these.
    pub demanded_per_s: f64,
    /// Start of the load, RFC 3339, UTC.
    pub started_at: String,
    /// From the start of the load to the end of the drain.
    pub duration_s: f64,
    /// The part of it that the figures cover.
    pub measured_s: f64,
    /// Someone ended the run before its time.
    #[serde(default)]
    pub interrupted: bool,
    /// Whether the figures can be trusted.
    pub verdict: Verdict,
    /// Calls by their fate.
    pub counts: Counts,
    /// Calls a second by fate.
    pub rates: Rates,
    /// The part of the offered calls (0 to 1) that were left over when the load
    /// ended, beyond those that are under way at any moment; see [`Self::of`].
    /// `None`: nothing was measured.
    pub left_over: Option<f64>,
    /// Reply complete − intended start.
    pub response_time: Latency,
    /// Reply complete − first byte sent.
    pub service_time: Latency,
    /// The generator's own lateness.
    pub lag: Latency,
    /// Replies by class of status.
    pub status: BTreeMap<String, u64>,
    /// Failed calls by class, `phase-cause`.
    pub errors: BTreeMap<String, u64>,
    /// Whether all objectives were held; `None` if there are none or the run
    /// cannot be judged.
    #[serde(default)]
    pub held: Option<bool>,
    /// What was judged, one text an objective.
    #[serde(default)]
    pub objectives: Vec<String>,
    /// The generator's own pauses, and what of the figures may be its doing; `None` in
    /// sweeps of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generator: Option<GeneratorReport>,
    /// What a migration in the middle of the run did; `None`: there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migration: Option<PointMigration>,
}

/// What a migration did to the calls of a run: see
/// [`Migration`](crate::report::Migration), of which these are parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PointMigration {
    /// How it ended; `None`: that was not learnt.
    pub ending: Option<Ending>,
    /// Total migration time.
    pub total_migration_time_ms: TotalTime,
    /// Downtime.
    pub downtime_ms: Downtime,
    /// The outage of the clients, of the population that saw the longer one.
    pub outage_ms: Option<OutageReport>,
    /// Calls between firing and recovery that were not answered.
    pub calls_lost: Option<u64>,
}

impl PointMigration {
    fn of(report: &Report) -> Option<Self> {
        let migration = report.migration.as_ref()?;
        let outages = &migration.outage_ms;
        let outages = [&outages.established, &outages.fresh].into_iter().flatten();
        let length = |outage: &&OutageReport| outage.headline().unwrap_or(f64::NEG_INFINITY);
        Some(Self {
            ending: migration.ending,
            total_migration_time_ms: migration.total_migration_time_ms,
            downtime_ms: migration.downtime_ms,
            outage_ms: outages.max_by(|a, b| length(a).total_cmp(&length(b))).cloned(),
            calls_lost: migration.calls_lost,
        })
    }
}

impl SweepPoint {
    /// The point of a run at this demanded rate (calls a second).
    ///
    /// [`Self::left_over`] tells a server that falls behind from one that is only
    /// slow. Of the calls offered, it takes off those that were answered within
    /// the load, those that failed, and those that are under way at any moment by
    /// Little's law (offered rate × mean response time). In overload the mean
    /// grows too, so that about half of the true growth is seen.
    #[must_use]
    pub fn of(demanded_per_s: f64, report: &Report) -> Self {
        let without_histogram = |latency: &Latency| Latency { histogram: None, ..latency.clone() };
        Self {
            kind: PointKind::Step,
            demanded_per_s,
            started_at: report.started_at.clone(),
            duration_s: report.duration_s,
            measured_s: report.measured_s,
            interrupted: report.interrupted,
            verdict: report.verdict.clone(),
            counts: report.counts,
            rates: report.rates,
            left_over: left_over(report),
            response_time: without_histogram(&report.response_time),
            service_time: without_histogram(&report.service_time),
            lag: without_histogram(&report.lag),
            status: report.status.clone(),
            errors: report.errors.clone(),
            held: None,
            objectives: Vec::new(),
            generator: report.generator.as_ref().map(GeneratorReport::in_short),
            migration: PointMigration::of(report),
        }
    }

    /// The same point, judged by objectives. A rate is held when all objectives
    /// are and the server keeps up ([`Self::keeps_up`]): without that, a longer
    /// run would breach them.
    #[must_use]
    pub fn judged(mut self, slos: &[Slo], report: &Report) -> Self {
        if slos.is_empty() || self.interrupted || self.is_generators_fault() {
            return self;
        }
        let judgements: Vec<_> = slos.iter().map(|slo| slo.judge(report)).collect();
        let all_held = judgements.iter().all(|j| j.outcome == SloOutcome::Held);
        let breached = judgements.iter().any(|j| j.outcome == SloOutcome::Breached);
        let behind = self.keeps_up() == Some(false);
        self.held = if breached || behind { Some(false) } else { all_held.then_some(true) };
        self.objectives = judgements.into_iter().map(|judgement| judgement.text).collect();
        if behind {
            let share = self.left_over.unwrap_or(1.0) * 100.0;
            let text = format!("the server fell behind: {share:.1} % of the calls were left over");
            self.objectives.push(text);
        }
        self
    }

    /// Whether the server kept up: at most 1 % of the calls were left over when
    /// the load ended. `None`: nothing was measured, or the generator's own lateness may
    /// account for it.
    #[must_use]
    pub fn keeps_up(&self) -> Option<bool> {
        if self.is_behind_by_us() {
            return None;
        }
        self.left_over.map(|share| share <= KEEPS_UP_WITHIN)
    }

    /// Calls without a reply (failed, shed, unfinished), or with one that is not as expected.
    #[must_use]
    pub fn lost(&self) -> u64 {
        let counts = &self.counts;
        counts.failed + counts.shed + counts.unfinished + counts.wrong
    }

    /// Whether the run says nothing of the server: it is not valid for another reason
    /// than that the server answered nothing, or the generator's own lateness may
    /// account for all that the server seems to have left undone.
    #[must_use]
    pub fn is_generators_fault(&self) -> bool {
        let silent =
            self.counts.started > 0 && self.counts.answered == 0 && self.verdict.reasons.len() == 1;
        (self.verdict.status == VerdictStatus::Invalid && !silent) || self.is_behind_by_us()
    }

    /// Why [`Self::is_generators_fault`].
    pub(super) fn fault(&self) -> String {
        if !self.is_behind_by_us() {
            return self.verdict.reasons.join("; ");
        }
        let pause = self.generator.as_ref().and_then(GeneratorReport::longest_pause);
        let pause = pause.map_or(String::new(), |pause| format!(" ({pause})"));
        format!(
            "the generator itself was late{pause}, which accounts for the calls that were left \
             over: give it more CPU or more threads"
        )
    }

    /// Whether the server did what it was asked to: it kept up, and lost few.
    pub(super) fn is_good(&self) -> bool {
        self.left_over.is_none_or(|share| share <= KEEPS_UP_WITHIN)
            && self.share(self.lost()) <= KEEPS_UP_WITHIN
    }

    /// Whether it seems not to have, and would without the generator's lateness.
    fn is_behind_by_us(&self) -> bool {
        let Some(own) = &self.generator else { return false };
        let left_over = self.left_over.unwrap_or(0.0) - self.share(own.left_over);
        let lost = self.lost().saturating_sub(own.calls_lost);
        !self.is_good() && left_over <= KEEPS_UP_WITHIN && self.share(lost) <= KEEPS_UP_WITHIN
    }

    fn share(&self, calls: u64) -> f64 {
        calls as f64 / self.counts.offered.max(1) as f64
    }

    /// Whether the generator's own lateness makes so much of the mean response time
    /// that it hides what the rate costs.
    pub(super) fn is_distorted(&self) -> bool {
        let without = self.generator.as_ref().and_then(|own| own.response_time_without.as_ref());
        let means = without.and_then(|without| without.mean_us).zip(self.response_time.mean_us);
        means.is_some_and(|(without, with)| with - without > (0.1 * without).max(DISTORTION_LEAST))
    }
}

/// Own lateness in a mean (µs) that does not matter.
const DISTORTION_LEAST: f64 = 100.0;

fn left_over(report: &Report) -> Option<f64> {
    let (offered_per_s, answered_per_s) =
        (report.rates.offered_per_s?, report.rates.answered_per_s?);
    let offered = offered_per_s * report.measured_s;
    if offered <= 0.0 {
        return None;
    }
    let answered = answered_per_s * report.measured_s;
    let under_way = offered_per_s * report.response_time.mean_us.unwrap_or(0.0) / 1e6;
    let left = offered - answered - report.counts.failed as f64 - under_way;
    // One call more or less is a matter of where the load ends.
    Some(((left - 1.0) / offered).clamp(0.0, 1.0))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::report::sample;

    /// A run of 10 s at a rate, with this answered rate and mean response time.
    pub(crate) fn run(rate: f64, answered: f64, mean_ms: f64) -> Report {
        let mut report = sample::plain();
        report.measured_s = 10.0;
        report.verdict = Verdict { status: VerdictStatus::Valid, reasons: Vec::new() };
        let counts = &mut report.counts;
        *counts = Counts::default();
        counts.offered = (rate * 10.0) as u64;
        counts.started = counts.offered;
        counts.answered = counts.offered;
        report.errors.clear();
        report.rates.offered_per_s = Some(rate);
        report.rates.started_per_s = Some(rate);
        report.rates.answered_per_s = Some(answered);
        report.response_time.mean_us = Some(mean_ms * 1e3);
        report
    }

    pub(crate) fn point(rate: f64, answered: f64, mean_ms: f64) -> SweepPoint {
        SweepPoint::of(rate, &run(rate, answered, mean_ms))
    }

    #[test]
    fn slow_is_not_behind() {
        // 500 ms under way at the end of 10 s are 5 % of the calls.
        assert_eq!(point(100.0, 95.0, 500.0).keeps_up(), Some(true));
        assert_eq!(point(100.0, 95.0, 20.0).keeps_up(), Some(false));
        // 4 % too much for 10 s: a queue of 0.4 s, whose mean is 0.2 s.
        assert_eq!(point(104.0, 100.0, 220.0).keeps_up(), Some(false));
        // A call that failed is no queue.
        let mut failing = run(100.0, 90.0, 20.0);
        (failing.counts.failed, failing.counts.answered) = (100, 900);
        assert_eq!(SweepPoint::of(100.0, &failing).keeps_up(), Some(true));
    }

    /// A server that answers at once, with an apology, does not keep up.
    #[test]
    fn wrong_replies_are_lost() {
        let mut report = run(100.0, 100.0, 20.0);
        assert!(SweepPoint::of(100.0, &report).is_good());
        report.counts.wrong = 50;
        let point = SweepPoint::of(100.0, &report);
        assert_eq!((point.lost(), point.is_good()), (50, false));
        assert!(!point.is_generators_fault());
    }

    #[test]
    fn behind_holds_no_objective() {
        let slos = ["error-rate<1%".parse().unwrap()];
        let judged = |report: &Report| SweepPoint::of(100.0, report).judged(&slos, report);
        assert_eq!(judged(&run(100.0, 100.0, 20.0)).held, Some(true));
        let behind = judged(&run(100.0, 90.0, 20.0));
        assert_eq!(behind.held, Some(false));
        assert!(behind.objectives[1].contains("fell behind"), "{:?}", behind.objectives);
    }

    #[test]
    fn what_is_the_generators_fault_is_not_judged() {
        let slos = ["error-rate<1%".parse().unwrap()];
        let mut report = run(100.0, 100.0, 20.0);
        report.verdict =
            Verdict { status: VerdictStatus::Invalid, reasons: vec!["late".to_owned()] };
        let point = SweepPoint::of(100.0, &report).judged(&slos, &report);
        assert!(point.is_generators_fault());
        assert_eq!(point.held, None);
        // A server that answers nothing has breached.
        (report.counts.answered, report.counts.failed) = (0, report.counts.offered);
        let point = SweepPoint::of(100.0, &report).judged(&slos, &report);
        assert_eq!(point.held, Some(false));
    }
}
