//! The fields of a report. The JSON paths are a contract: fields may be added,
//! none renamed or removed under the same schema number.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    CallsFileReport, ConnectedTo, Counts, Environment, GeneratorReport, KernelTimestamps, Latency,
    Migration, SessionsReport, ShardReport, SlowCalls, TimelineReport, TlsReport, Tool, Verdict,
    VerdictStatus,
};
use crate::abort::Aborted;
use crate::event::EventReport;
use crate::plan::Plan;
use crate::record::Population;

/// The schema of the reports that this version writes.
pub const SCHEMA: &str = "loadgen-report/1";

/// Everything that one run measured.
///
/// ```
/// use loadgen_core::report::{render_html, render_text};
/// use loadgen_core::{CallLimit, Engine, Load, Plan, Report, Schedule};
/// # use loadgen_core::target_server::{TargetOptions, TargetServer};
/// # let server = TargetServer::bind(TargetOptions::default())?.spawn()?;
/// # let url = server.url();
///
/// let plan = Plan::new(url.parse()?, Load::established(Schedule::constant(500.0)));
/// let report = Engine::new(plan.with_calls(CallLimit::Calls(100)))?.run()?;
/// assert_eq!(report.status_codes["200"], 100);
/// // Written, read back, and shown by another program.
/// let json = report.to_json_pretty()?;
/// let read = Report::from_json(&json)?;
/// assert_eq!(read, report);
/// assert!(render_text(&read).contains("Load run") && render_html(&read).contains("<svg"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: String,
    /// The program that measured.
    pub tool: Tool,
    /// What was to be done, resolved and with its seed.
    pub plan: Plan,
    /// Where it was done.
    pub environment: Environment,
    /// Start of the load, RFC 3339 with milliseconds, UTC.
    pub started_at: String,
    /// From the start of the load to the end of the drain.
    pub duration_s: f64,
    /// The part of it that the summary figures cover: intended starts from the
    /// end of the warm-up to the last start.
    pub measured_s: f64,
    /// Someone ended the run before its time: it covers less than the plan.
    #[serde(default)]
    pub interrupted: bool,
    /// What it was given up for, if that was a rule of the plan
    /// ([`Plan::with_abort_if`]); it was interrupted then, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aborted: Option<Aborted>,
    /// Whether the figures can be trusted.
    pub verdict: Verdict,
    /// Worker threads that panicked or broke down: calls of theirs are missing.
    #[serde(default)]
    pub workers_lost: u32,
    /// Calls by their fate, without those of the warm-up.
    pub counts: Counts,
    /// The same per second of `measured_s`.
    pub rates: Rates,
    /// Reply complete − intended start, of answered calls, but for those that are
    /// [wrong](Self::wrong).
    pub response_time: Latency,
    /// Reply complete − first byte sent, of answered calls.
    pub service_time: Latency,
    /// Actual start − intended start: the generator's own lateness.
    pub lag: Latency,
    /// Start of connecting to the end of the TCP handshake, of connections opened for
    /// calls, without those of the warm-up; `None` in older reports of sessions, and in those
    /// of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_time: Option<Latency>,
    /// What TLS came to; `None` without it, and in older reports of sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsReport>,
    /// Replies by class of status.
    pub status: BTreeMap<String, u64>,
    /// The same by status; empty in reports of earlier versions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub status_codes: BTreeMap<String, u64>,
    /// Replies that are not as expected, by the first thing that was wrong: `status`, `size`,
    /// `body` or `check`. They are among the answered, and no good replies.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub wrong: BTreeMap<String, u64>,
    /// Response time of these, which are in no other distribution of response times; `None`:
    /// there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_time_wrong: Option<Latency>,
    /// Failed calls by class, `phase-cause`.
    pub errors: BTreeMap<String, u64>,
    /// Connections that ended without being planned, or announced by the server, after
    /// the warm-up, by cause: `reset`, `closed`, `timed_out`, … A call that was the
    /// first to notice may have been sent again (`counts.reconnects`).
    #[serde(default)]
    pub connections_lost: BTreeMap<String, u64>,
    /// The first failure of each class.
    #[serde(default)]
    pub error_examples: Vec<ErrorExample>,
    /// Bytes of requests and replies, heads included, TCP and IP headers not; those of TLS
    /// before it encrypts them.
    pub bytes: Traffic,
    /// CPU time of the worker threads.
    pub cpu: Cpu,
    /// The same by way of connecting.
    pub populations: BTreeMap<String, PopulationReport>,
    /// The same by the loads of the plan, in its order: they add up to the whole. Empty if
    /// there is but one, and in reports of earlier versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loads: Vec<LoadReport>,
    /// The same by the tags of requests, in the order in which the list has them: they add
    /// up to the whole. Empty unless requests have tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<TagReport>,
    /// How the run went over time.
    pub timeline: TimelineReport,
    /// Why calls were slow; `None` in older reports of sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_calls: Option<SlowCalls>,
    /// What the kernel's receive timestamps told, if the plan asked for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel_timestamps: Option<KernelTimestamps>,
    /// The generator's own pauses, and what of the figures may be its doing; `None` in
    /// reports of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generator: Option<GeneratorReport>,
    /// To which addresses connections went; `None` in older reports of sessions, and in
    /// reports of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connected_to: Option<ConnectedTo>,
    /// Marked moments.
    pub events: Vec<EventReport>,
    /// Marks and events of progress that are not among them, since there were too
    /// many.
    #[serde(default)]
    pub events_dropped: u64,
    /// What the migration did, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migration: Option<Migration>,
    /// The file with a line for each call, if one was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_file: Option<CallsFileReport>,
    /// What a plan with sessions measured of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<SessionsReport>,
    /// Of a report that was [merged](crate::scale::ShardRecord), what each shard ran on; empty
    /// otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shards: Vec<ShardReport>,
    /// The numbers of shards of the plan that are not in it: less load was put on than it says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shards_missing: Vec<u32>,
}

impl Report {
    pub(crate) const INTERRUPTED: &str = "interrupted: the run covers less than was planned";

    /// Says that someone ended the run before its time.
    pub fn set_interrupted(&mut self) {
        self.interrupted = true;
        self.verdict.add([(VerdictStatus::Degraded, Self::INTERRUPTED.to_owned())]);
    }
}

/// Calls per second of `measured_s`, by the moment at which it happened: what was
/// started or answered only in the drain does not count. `None`: nothing was
/// measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Rates {
    /// By the schedule.
    pub offered_per_s: Option<f64>,
    /// Started from the end of the warm-up to the end of the load.
    pub started_per_s: Option<f64>,
    /// Answered in the same span.
    pub answered_per_s: Option<f64>,
}

/// The first failure of a class, or the first reply that the program's check rejected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ErrorExample {
    /// The class, `phase-cause`, or `wrong-check`.
    pub class: String,
    /// When the call was given up, from the start of the load.
    pub at_s: f64,
    /// The kernel's error number, if it was the kernel that said no.
    pub errno: Option<i32>,
    /// Its text, or the reason of the check.
    pub message: Option<String>,
}

/// Bytes by direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Traffic {
    /// From us to the server.
    pub sent: u64,
    /// From the server to us.
    pub received: u64,
}

/// CPU time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Cpu {
    /// In user mode.
    pub user_s: f64,
    /// In the kernel.
    pub system_s: f64,
    /// How long they were ready to run and had no CPU (`/proc/…/schedstat`), drain
    /// included, together. `None` where the kernel does not say, and for plans with
    /// sessions. What a hypervisor takes away is not in it.
    #[serde(default)]
    pub run_delay_s: Option<f64>,
}

/// The figures of one way of connecting.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PopulationReport {
    /// Calls by their fate.
    pub counts: Counts,
    /// Reply complete − intended start, of good replies: with a status below 400, or as
    /// expected.
    pub response_time: Latency,
    /// Reply complete − first byte sent, of all answered calls.
    pub service_time: Latency,
    /// Response time of answered calls with a status of 400 and above.
    pub response_time_error_status: Latency,
    /// Intended start to giving up, of failed calls: lower bounds, not responses.
    pub time_to_failure: Latency,
    /// Generator's own lateness.
    pub lag: Latency,
    /// Start of connecting to the end of the TCP handshake, of connections opened for
    /// calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_time: Option<Latency>,
    /// From there to the end of the TLS handshake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_handshake_time: Option<Latency>,
    /// Failed calls by class.
    pub errors: BTreeMap<String, u64>,
    /// Connections lost, by cause.
    #[serde(default)]
    pub connections_lost: BTreeMap<String, u64>,
}

/// The figures of one load of a plan with several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LoadReport {
    /// Its [name](crate::Plan::named_loads).
    pub name: String,
    /// How its calls are connected.
    pub population: Population,
    /// Calls by their fate.
    pub counts: Counts,
    /// The same per second.
    pub rates: Rates,
    /// Reply complete − intended start, of good replies: with a status below 400, or as
    /// expected.
    pub response_time: Latency,
    /// Reply complete − first byte sent, of all answered calls.
    pub service_time: Latency,
    /// Response time of answered calls with a status of 400 and above.
    pub response_time_error_status: Latency,
    /// Response time of replies that are not as expected; `None`: there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_time_wrong: Option<Latency>,
    /// Intended start to giving up, of failed calls: lower bounds, not responses.
    pub time_to_failure: Latency,
    /// The generator's own lateness.
    pub lag: Latency,
    /// Replies by status.
    pub status_codes: BTreeMap<String, u64>,
    /// Replies that are not as expected, by the first thing that was wrong.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub wrong: BTreeMap<String, u64>,
    /// Failed calls by class.
    pub errors: BTreeMap<String, u64>,
    /// Connections lost, by cause.
    pub connections_lost: BTreeMap<String, u64>,
}

/// The figures of the calls of one tag, with an intended start after the warm-up.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TagReport {
    /// Its name; `untagged` are requests without one, `other` those of tags beyond the first 64.
    pub tag: String,
    /// Arrivals by the schedule.
    pub offered: u64,
    /// Those of them that were started.
    pub started: u64,
    /// Replies completed.
    pub answered: u64,
    /// Those of them that are not as expected.
    pub wrong: u64,
    /// Calls failed.
    pub failed: u64,
    /// Calls under way when the drain ended.
    pub unfinished: u64,
    /// Arrivals never started.
    pub shed: u64,
    /// Calls of which only a lower bound of the response time is known.
    pub censored: u64,
    /// Reply complete − intended start, of good replies (2 significant digits).
    pub response_time: Latency,
    /// Answered calls by class of status.
    pub status: BTreeMap<String, u64>,
    /// Failed calls by class.
    pub errors: BTreeMap<String, u64>,
}
