//! Title, plan in a few lines, and verdict.

use std::borrow::Cow;

use super::super::{CallsFileReport, Report, VerdictStatus};
use super::{addresses, cell};
use crate::plan::{CallLimit, CloseMode, Load};
use crate::record::Population;
use crate::schedule::{GapLaw, Schedule};
use crate::session::{Script, Sessions};
use crate::target::Target;
use crate::workload_file::{RequestList, RequestOrder};

/// What stands above all tables.
pub(crate) struct Head {
    pub(crate) title: String,
    /// Name and value.
    pub(crate) lines: Vec<(Cow<'static, str>, String)>,
    pub(crate) verdict: &'static str,
    pub(crate) reasons: Vec<String>,
}

/// The head of a report.
pub(crate) fn head(report: &Report) -> Head {
    let plan = &report.plan;
    let title = match &report.migration {
        None => "Load run".to_owned(),
        Some(migration) => {
            let strategy = migration.strategy.map_or(String::new(), |s| format!(", {s}"));
            let kind = if migration.simulated {
                "SIMULATED live migration under load (no virtual machine was moved)"
            } else {
                "Live migration under load"
            };
            format!("{kind}: trigger {}{strategy}", migration.trigger)
        }
    };
    let mut lines = vec![("target", target(&plan.target))];
    match plan.sessions() {
        None => lines.push(("load", load(&plan.load))),
        Some(sessions) => lines.push(("load", arriving(&plan.load, sessions))),
    }
    if let Some(requests) = plan.requests_of(&plan.load) {
        lines.push(("requests", requested(requests)));
    }
    let is_fresh = plan.sessions().is_none() && plan.load.population() == Population::Fresh;
    if is_fresh && plan.loads().count() == 1 {
        let why = "none: the load itself opens a connection for each call";
        lines.push(("probe", why.to_owned()));
    }
    let mut lines: Vec<_> = lines.into_iter().map(|(n, line)| (Cow::Borrowed(n), line)).collect();
    for (name, beside) in plan.named_loads().skip(1) {
        let own = beside.requests.as_ref().map(requested);
        let asks = own.map_or_else(String::new, |requests| format!("; requests: {requests}"));
        lines.push((name.to_owned().into(), format!("{}{asks}", load(beside))));
    }
    if let Some(shard) = plan.shard() {
        let part = format!(
            "shard {} of {} (from 0): the figures are of this part, the load above is the whole",
            shard.index(),
            shard.of()
        );
        lines.push(("part".into(), part));
    }
    if !plan.unknown_settings().is_empty() {
        let unknown = plan.unknown_settings().join(", ");
        lines
            .push(("also set".into(), format!("{unknown}: this version does not know what it is")));
    }
    lines.push(("duration".into(), duration(report)));
    lines.push(("limits".into(), limits(report)));
    if let Some(file) = &report.calls_file {
        lines.push(("calls".into(), calls_file(file)));
    }
    if let Some(migration) = &report.migration {
        lines.push(("machine".into(), machine(report, migration)));
    }
    let threads = cell::counted(u64::from(report.environment.threads), "thread");
    let on = match report.shards.len() {
        0 => format!("{threads} on {}", cell::counted(report.environment.cpus.into(), "CPU")),
        shards => format!("{} with {threads} in all", cell::counted(shards as u64, "shard")),
    };
    lines.push((
        "measured by".into(),
        format!(
            "{} {}, {on}, started {}, seed {}",
            report.tool.name, report.tool.version, report.started_at, plan.seed
        ),
    ));
    Head {
        title,
        lines,
        verdict: match report.verdict.status {
            VerdictStatus::Valid => "VALID",
            VerdictStatus::Degraded => "DEGRADED",
            VerdictStatus::Invalid => "INVALID",
        },
        reasons: report.verdict.reasons.clone(),
    }
}

/// The URL, and how connections find its server.
fn target(target: &Target) -> String {
    match addresses::way(target) {
        None => target.url().to_owned(),
        Some(way) => format!("{} ({way})", target.url()),
    }
}

/// What calls ask for, where they do not all ask for the same.
fn requested(requests: &RequestList) -> String {
    let count = requests.count().map_or_else(|| "those".to_owned(), cell::count);
    let order = match requests.order() {
        RequestOrder::Sequential if requests.has_times() => "in the order of their times",
        RequestOrder::Sequential => "in their order, and again from the first",
        RequestOrder::Shuffled => "all in a random order, then in another one",
        RequestOrder::Weighted => "drawn by their weights",
    };
    let skipped: Vec<String> = requests
        .skipped()
        .map(|(why, n)| format!("{} ({})", cell::count(n), why.replace('-', " ")))
        .collect();
    let left_out = match skipped.is_empty() {
        true => String::new(),
        false => format!("; lines left out: {}", skipped.join(", ")),
    };
    format!("{count} of {}, {order}{left_out}", requests.told())
}

/// What arrives in place of calls, and how much of it.
fn arriving(load: &Load, sessions: &Sessions) -> String {
    let think = |s: f64| format!("think time {}", cell::setting(s));
    let what = match &sessions.script {
        Script::Connection { calls, burst: 1 } => {
            format!("connections, calls on each: {}", cell::count(*calls))
        }
        Script::Connection { calls, burst } => format!(
            "connections, calls on each: {} in bursts of {}",
            cell::count(*calls),
            cell::count(*burst)
        ),
        Script::Bursts { calls, burst, think_s } => format!(
            "sessions, calls in each: {} in bursts of {}, {}",
            cell::count(*calls),
            cell::count(*burst),
            think(*think_s)
        ),
        Script::Log { sessions } => {
            format!("sessions of a log of {}", cell::count(sessions.len() as u64))
        }
        Script::Pages { visits, think_s } => {
            format!("sessions, page visits in each: {}, {}", cell::count(*visits), think(*think_s))
        }
    };
    let number = sessions.count.map_or("no end of".to_owned(), cell::count);
    let shared = match load.population() {
        Population::Established if sessions.are_scripted() => {
            "; their calls are the established population, though every session opens connections \
             of its own"
        }
        _ => "",
    };
    format!("{number} {what}; {}{shared}", arrivals(load))
}

fn load(load: &Load) -> String {
    let arrivals = arrivals(load);
    let carried = match load.calls_per_connection {
        0 => "kept alive".to_owned(),
        1 => "one call each".to_owned(),
        n => format!("{} calls each", cell::count(n.into())),
    };
    let closed = match load.close {
        CloseMode::Server => "",
        CloseMode::Client => ", closed by the client (FIN)",
        CloseMode::Reset => ", closed by RST",
    };
    let mut text = format!(
        "{} ({arrivals}), at most {} connections, {carried}{closed}",
        load.population().name(),
        cell::count(load.connections.into())
    );
    if load.pipeline > 1 {
        let calls = cell::count(load.pipeline.into());
        text.push_str(&format!(", pipelined: at most {calls} calls in flight on each"));
    }
    if let Some(handshakes) = load.max_connecting {
        let handshakes = cell::count(handshakes.into());
        text.push_str(&format!(", at most {handshakes} handshakes at once"));
    }
    if let Some(rate) = load.connect_rate_per_s {
        text.push_str(&format!(", opened at most at {}", cell::rate(rate)));
    }
    if let Some(rate) = load.read_bytes_per_s {
        text.push_str(&format!(", each read at most at {}", cell::throughput(rate)));
    }
    text
}

fn arrivals(load: &Load) -> String {
    match load.schedule {
        Schedule::Constant { rate_per_s } => format!("{}, constant gaps", cell::rate(rate_per_s)),
        Schedule::Poisson { rate_per_s } => {
            format!("{} on average, Poisson arrivals", cell::rate(rate_per_s))
        }
        Schedule::PoissonStreams { rate_per_s } => format!(
            "{} on average, Poisson arrivals that each worker draws by itself",
            cell::rate(rate_per_s)
        ),
        Schedule::Uniform { rate_per_s } => {
            format!("{} on average, uniform gaps", cell::rate(rate_per_s))
        }
        Schedule::Drawn(gaps) => {
            let law = match gaps.law {
                GapLaw::Constant { .. } => "constant gaps",
                GapLaw::Uniform { .. } => "uniform gaps",
                GapLaw::Exponential { .. } => "exponential gaps",
                GapLaw::Steps { .. } => "gaps in steps",
            };
            format!("{} on average, {law}", cell::rate(1.0 / gaps.mean_s()))
        }
        Schedule::Profile(profile) => format!("calls a second: {profile}"),
        Schedule::Custom(ref custom) => {
            format!("at the times of '{}', a schedule of the program", cell::clean(custom.name()))
        }
        Schedule::Recorded(recorded) => {
            let speed = match recorded.speed() {
                1.0 => "the times of the log".to_owned(),
                speed => format!("the times of the log, {speed} times as fast"),
            };
            match (recorded.calls(), recorded.lasts_s()) {
                (Some(calls), Some(lasts)) => format!(
                    "{} at {speed}, in {}",
                    cell::counted(calls, "call"),
                    cell::seconds(lasts)
                ),
                _ => speed,
            }
        }
        Schedule::Closed => "closed loop (the server sets the rate)".to_owned(),
    }
}

fn duration(report: &Report) -> String {
    let plan = &report.plan;
    let calls = plan.calls().map(|limit| match limit {
        CallLimit::Calls(calls) => cell::counted(calls, "call"),
        CallLimit::EachRequestOnce => "each request once".to_owned(),
    });
    let planned = match (plan.duration_s.map(cell::setting), calls) {
        (Some(time), Some(calls)) => format!("{calls}, at most {time}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => "until stopped".to_owned(),
    };
    let mut text = format!("ran {} (planned: {planned})", cell::seconds(report.duration_s));
    if let Some(aborted) = &report.aborted {
        text.push_str(&format!(", given up by {}", aborted.rule));
    }
    if report.plan.warmup_s > 0.0 {
        text.push_str(&format!(", of which {} warm-up", cell::setting(report.plan.warmup_s)));
    }
    text
}

/// How much is in a file of calls, and where that is.
pub(crate) fn calls_file(file: &CallsFileReport) -> String {
    let written = cell::counted(file.written, "call");
    let left_out = match file.left_out {
        0 => String::new(),
        n => format!("; {} are not in it", cell::count(n)),
    };
    format!("{written} in {}{left_out}", file.file.display())
}

fn limits(report: &Report) -> String {
    let deadline = match report.plan.deadline_s {
        Some(s) => format!("deadline {} from the intended start", cell::setting(s)),
        None => "no deadline".to_owned(),
    };
    if let Some(sessions) = report.plan.sessions() {
        let limit = |s: f64| if s > 0.0 { cell::setting(s) } else { "none".to_owned() };
        let limits = &sessions.limits;
        return format!(
            "{} to connect and to send, {} for a reply, {deadline}",
            limit(limits.timeout_s),
            limit(limits.timeout_s + limits.think_s)
        );
    }
    let timeout = cell::setting(report.plan.timeout_s());
    format!("timeout {timeout} from the first byte sent, {deadline}")
}

fn machine(report: &Report, migration: &super::super::Migration) -> String {
    let mut parts = Vec::new();
    if migration.simulated {
        parts.push("simulated".to_owned());
    }
    parts.extend(migration.vm.hypervisor.clone());
    if let Some(memory) = migration.vm.memory_bytes {
        parts.push(format!("{} memory", cell::bytes(memory)));
    }
    if !report.environment.address.is_empty() {
        parts.push(format!("at {}", report.environment.address));
    }
    if parts.is_empty() { cell::NONE.to_owned() } else { parts.join(", ") }
}
