//! The load: calls by fate, times, errors, bytes and CPU.

use std::collections::BTreeMap;

use super::super::{Counts, GeneratorReport, Latency, Report};
use super::{Section, cell};
use crate::plan::Plan;

/// The span and the calls that the summary figures cover.
pub(super) fn measured(report: &Report) -> String {
    let warmup = if report.plan.warmup_s > 0.0 { " after the warm-up" } else { "" };
    format!(
        "calls with an intended start in the {} measured{warmup}",
        cell::seconds(report.measured_s)
    )
}

/// Calls by their fate, and the two identities that they obey.
pub(super) fn calls(report: &Report) -> Section {
    let row = |name: &str, counts: &Counts| {
        vec![
            name.to_owned(),
            cell::count(counts.offered),
            cell::count(counts.started),
            cell::count(counts.answered),
            cell::count(counts.failed),
            cell::count(counts.unfinished),
            cell::count(counts.shed),
            cell::count(counts.censored),
        ]
    };
    let mut rows = vec![row("all calls", &report.counts)];
    if report.populations.len() > 1 {
        for (name, population) in &report.populations {
            rows.push(row(name, &population.counts));
        }
    }
    let rates = &report.rates;
    let mut per_s = vec!["all, per second".to_owned()];
    per_s.extend(
        [rates.offered_per_s, rates.started_per_s, rates.answered_per_s].map(cell::rate_or_none),
    );
    per_s.resize(8, String::new());
    rows.push(per_s);
    let c = &report.counts;
    let notes = vec![
        format!(
            "offered {} = started {} + shed {}; started {} = answered {} + failed {} + unfinished {}",
            cell::count(c.offered),
            cell::count(c.started),
            cell::count(c.shed),
            cell::count(c.started),
            cell::count(c.answered),
            cell::count(c.failed),
            cell::count(c.unfinished)
        ),
        "rates: started and answered within the measured span; what was left to the drain does not \
         count"
            .to_owned(),
        format!(
            "{} connections opened for calls; {} arrivals had to wait for a free connection",
            cell::count(c.connections_opened),
            cell::count(c.queued),
        ),
        format!(
            "{}; {} calls sent again because the connection chosen for them had ended (not \
             failures, though another client may show an error)",
            connections_lost(&report.connections_lost),
            cell::count(c.reconnects)
        ),
    ];
    Section {
        title: "Calls".to_owned(),
        scope: format!("{} {}", cell::count(c.offered), measured(report)),
        columns: vec![
            "",
            "offered",
            "started",
            "answered",
            "failed",
            "unfinished",
            "shed",
            "censored",
        ],
        rows,
        text_columns: 0,
        notes,
    }
}

/// Connections that ended though nobody had planned or announced it.
fn connections_lost(lost: &BTreeMap<String, u64>) -> String {
    let all = cell::count(lost.values().sum());
    let causes = if lost.is_empty() { String::new() } else { format!(" ({})", class_list(lost)) };
    format!("{all} connections lost{causes}, by an end neither planned nor announced")
}

/// The quantiles that tables show.
pub(super) const QUANTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999)];

/// A row of mean, quantiles and maximum. With `censored` calls, a quantile whose
/// rank reaches into them is only a lower bound and is marked so.
pub(super) fn time_row(name: &str, latency: &Latency, censored: u64) -> Vec<String> {
    let values =
        [latency.p50_us, latency.p90_us, latency.p99_us, latency.p99_9_us, latency.p99_99_us];
    let mut row =
        vec![name.to_owned(), cell::count(latency.count), cell::micros_or_none(latency.mean_us)];
    for ((_, q), value) in QUANTILES.into_iter().zip(values) {
        row.push(lower_bound(value, is_lower_bound(latency.count, censored, q)));
    }
    row.push(lower_bound(latency.max_us, censored > 0));
    row
}

/// The columns of [`named_row`], but for the names.
pub(super) const NAMED_COLUMNS: [&str; 9] =
    ["offered", "answered", "errors", "lost", "mean", "p50", "p90", "p99", "max"];

/// A row of the calls of one load or tag: `counts` are the offered, answered and lost ones,
/// and those of which only a lower bound is known; `times` are of the good replies.
pub(super) fn named_row(
    names: impl IntoIterator<Item = String>,
    [offered, answered, lost, censored]: [u64; 4],
    times: &Latency,
) -> Vec<String> {
    // Of status 400 and above, or wrong.
    let errors = answered - times.count.min(answered);
    let times = time_row("", times, censored);
    let (shown, longest) = (&times[2..6], &times[times.len() - 1..]);
    let counts = [offered, answered, errors, lost].map(cell::count);
    names.into_iter().chain(counts).chain([shown, longest].concat()).collect()
}

/// What the columns of [`named_row`] are.
pub(super) const NAMED_NOTE: &str = "errors: answered with a status of 400 and above, or not as \
     expected; lost: failed, unfinished or shed; times: intended start to reply complete, of good \
     replies";

/// A time, marked if it is only a lower bound.
pub(super) fn lower_bound(us: Option<f64>, bound: bool) -> String {
    match us {
        Some(us) if bound => format!("≥ {}", cell::micros(us)),
        other => cell::micros_or_none(other),
    }
}

/// Whether the `q`-quantile of all calls lies among the censored ones, when these
/// are counted as the longest.
pub(crate) fn is_lower_bound(answered: u64, censored: u64, q: f64) -> bool {
    let all = answered + censored;
    all > 0 && censored as f64 / all as f64 > 1.0 - q
}

/// What the percentiles do not show of censored calls.
fn censored_note(name: &str, latency: &Latency, censored: u64) -> Option<String> {
    if censored == 0 {
        return None;
    }
    let all = latency.count + censored;
    let mut bounds: Vec<&str> = QUANTILES
        .into_iter()
        .filter(|(_, q)| is_lower_bound(latency.count, censored, *q))
        .map(|(name, _)| name)
        .collect();
    bounds.push("max");
    let (last, first) = bounds.split_last()?;
    let list = if first.is_empty() {
        format!("{last} is a lower bound")
    } else {
        format!("{} and {last} are lower bounds", first.join(", "))
    };
    Some(format!(
        "{name}: {list} (≥): {} censored ({} of {} calls), known only to have taken longer; the \
         percentiles are those of answered calls",
        cell::share(censored, all),
        cell::count(censored),
        cell::count(all),
    ))
}

/// Response time, service time and lag; per population when there are two.
pub(super) fn times(report: &Report) -> Section {
    let mut rows = vec![
        time_row("response time", &report.response_time, report.counts.censored),
        time_row("service time", &report.service_time, 0),
        time_row("lag", &report.lag, 0),
    ];
    if let Some(stamps) = &report.kernel_timestamps {
        rows.push(time_row("service to receipt", &stamps.service_time_to_receipt, 0));
        rows.push(time_row("receive delay", &stamps.receive_delay, 0));
    }
    let without = report.generator.as_ref().and_then(|own| own.response_time_without.as_ref());
    if let Some(without) = without {
        rows.insert(1, time_row("without own lateness", without, report.counts.censored));
    }
    let mut notes = Vec::new();
    notes.extend(censored_note("response time", &report.response_time, report.counts.censored));
    let mut shown = vec![&report.response_time, &report.service_time, &report.lag];
    if report.populations.len() > 1 {
        for (name, population) in &report.populations {
            let censored = population.counts.censored;
            let parts = [
                ("response", &population.response_time, censored),
                ("error status", &population.response_time_error_status, 0),
                ("service", &population.service_time, 0),
                ("until failure", &population.time_to_failure, 0),
            ];
            for (part, latency, censored) in parts {
                if latency.count > 0 || part == "response" {
                    let label = format!("{name}: {part}");
                    notes.extend(censored_note(&label, latency, censored));
                    rows.push(time_row(&label, latency, censored));
                    shown.push(latency);
                }
            }
        }
    }
    let too_small = |l: &&Latency| l.count > 0 && (l.p99_us.is_none() || l.p99_99_us.is_none());
    if shown.iter().any(too_small) {
        notes.push(format!(
            "{}: fewer than ten calls lie beyond that percentile, too few to tell",
            cell::NONE
        ));
    }
    if shown.iter().any(|l| l.count == 0) {
        notes.push(format!("{} in a row of 0 calls: nothing was measured", cell::NONE));
    }
    notes.push(
        "response time: intended start to reply complete; service time: first byte sent to reply \
         complete; lag: the generator's own lateness"
            .to_owned(),
    );
    if without.is_some() {
        notes.push(
            "without own lateness: the response time less all that the generator's lag and pauses \
             may have added; the server and the network took at least this long"
                .to_owned(),
        );
    }
    notes.extend(report.generator.as_ref().map(pauses));
    if let Some(stamps) = &report.kernel_timestamps {
        notes.push(format!(
            "receive delay: the kernel had the reply, we had not read it yet; service to receipt: \
             the service time without it; not known of {} calls",
            cell::count(stamps.missing)
        ));
    }
    Section {
        title: "Times".to_owned(),
        scope: format!("answered {}", measured(report)),
        columns: vec!["", "calls", "mean", "p50", "p90", "p99", "p99.9", "p99.99", "max"],
        rows,
        text_columns: 0,
        notes,
    }
}

/// The generator's own pauses.
fn pauses(own: &GeneratorReport) -> String {
    let least = own.pause_threshold_ms;
    let longest = own.longest_pause_ms.zip(own.longest_pause_at_s);
    match longest {
        None => format!("pauses of the generator (no look at its sockets for {least} ms): none"),
        Some((ms, at_s)) => format!(
            "pauses of the generator (no look at its sockets for {least} ms): {}, {} together; \
             the longest {}, at {}",
            cell::count(own.pauses),
            cell::micros(own.paused_ms * 1e3),
            cell::micros(ms * 1e3),
            cell::seconds(at_s)
        ),
    }
}

/// Replies by status and failed calls by class; `None` if there were neither.
pub(super) fn errors(report: &Report) -> Option<Section> {
    if report.status.is_empty() && report.errors.is_empty() {
        return None;
    }
    let mut rows = Vec::new();
    let by_code = Some(&report.status_codes).filter(|codes| !codes.is_empty());
    for (class, n) in by_code.unwrap_or(&report.status) {
        let of = cell::share(*n, report.counts.answered);
        rows.push(vec![
            format!("status {class}"),
            cell::count(*n),
            format!("{of} of answered"),
            String::new(),
        ]);
    }
    for (what, n) in &report.wrong {
        let of = cell::share(*n, report.counts.answered);
        let class = format!("wrong-{what}");
        let first = report.error_examples.iter().find(|example| example.class == class);
        let why = first.map_or(String::new(), |first| {
            let why = first.message.as_deref().unwrap_or_default();
            format!("first at {}: {why}", cell::seconds(first.at_s))
        });
        let of = format!("{of} of answered");
        rows.push(vec![format!("wrong: {what}"), cell::count(*n), of, why]);
    }
    for (class, n) in &report.errors {
        let of = cell::share(*n, report.counts.started);
        let first = report.error_examples.iter().find(|e| e.class == *class);
        let example = first.map_or(String::new(), |example| {
            let kernel = match (example.errno, &example.message) {
                (Some(errno), Some(text)) => format!(": {text} (errno {errno})"),
                (Some(errno), None) => format!(": errno {errno}"),
                (None, Some(text)) => format!(": {text}"),
                (None, None) => String::new(),
            };
            format!("first at {}{kernel}", cell::seconds(example.at_s))
        });
        rows.push(vec![class.clone(), cell::count(*n), format!("{of} of started"), example]);
    }
    let mut notes = Vec::new();
    if report.plan.expects() {
        let told = match report.counts.wrong {
            0 => "every reply was as expected".to_owned(),
            n => format!(
                "wrong: {} not as expected ({}), by the first thing that was wrong; they are among \
                 the answered, but no good replies, and in no distribution of response times",
                if n == 1 {
                    "1 reply was".to_owned()
                } else {
                    format!("{} replies were", cell::count(n))
                },
                expected(&report.plan),
            ),
        };
        notes.push(told);
    }
    if report.errors.is_empty() {
        notes.push("no call failed".to_owned());
    } else if report.populations.len() > 1 {
        for (name, population) in &report.populations {
            notes.push(format!("{name}: {}", class_list(&population.errors)));
        }
    }
    Some(Section {
        title: "Replies and failures".to_owned(),
        scope: measured(report),
        columns: vec!["class", "calls", "share", "first example"],
        rows,
        text_columns: 1,
        notes,
    })
}

/// What is expected of all replies, in a line.
fn expected(plan: &Plan) -> String {
    let all: Vec<String> = plan.expectations().iter().map(ToString::to_string).collect();
    if all.is_empty() { "by the list of requests".to_owned() } else { all.join("; ") }
}

/// Classes and their counts in one line.
pub(super) fn class_list(errors: &BTreeMap<String, u64>) -> String {
    if errors.is_empty() {
        return "no failures".to_owned();
    }
    let parts: Vec<_> =
        errors.iter().map(|(class, n)| format!("{} {class}", cell::count(*n))).collect();
    parts.join(", ")
}

/// Bytes, throughput and the generator's own CPU time.
pub(super) fn traffic(report: &Report) -> Section {
    let row = |name: &str, n: u64| {
        let per_s = if report.measured_s > 0.0 {
            cell::throughput(n as f64 / report.measured_s)
        } else {
            cell::NONE.to_owned()
        };
        vec![name.to_owned(), cell::bytes(n), per_s, String::new()]
    };
    let cpu = report.cpu.user_s + report.cpu.system_s;
    let share = if report.duration_s > 0.0 {
        format!("{:.1} % of one CPU", cpu / report.duration_s * 100.0)
    } else {
        cell::NONE.to_owned()
    };
    let mut rows = vec![
        row("sent", report.bytes.sent),
        row("received", report.bytes.received),
        vec![
            "CPU of the generator".to_owned(),
            cell::seconds(cpu),
            share,
            format!(
                "user {}, system {}",
                cell::seconds(report.cpu.user_s),
                cell::seconds(report.cpu.system_s)
            ),
        ],
    ];
    if let Some(delay) = report.cpu.run_delay_s {
        let words = "ready to run, without a CPU".to_owned();
        rows.push(vec!["wait for a CPU".to_owned(), cell::seconds(delay), String::new(), words]);
    }
    Section {
        title: "Bytes and CPU".to_owned(),
        scope: format!(
            "bytes: heads included, TCP and IP headers not, {}; CPU: worker threads, {} run",
            measured(report),
            cell::seconds(report.duration_s)
        ),
        columns: vec!["", "total", "per second", ""],
        rows,
        text_columns: 1,
        notes: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_quantile_among_the_censored_is_a_lower_bound() {
        assert!(!is_lower_bound(990, 10, 0.99));
        assert!(is_lower_bound(987, 13, 0.99));
        assert!(!is_lower_bound(1000, 0, 0.9999));
        assert!(!is_lower_bound(0, 0, 0.5));
        assert!(is_lower_bound(0, 1, 0.5));
    }

    #[test]
    fn censored_calls_stand_beside_the_percentiles() {
        let mut report = sample::plain();
        report.counts.censored = 29;
        let section = times(&report);
        let answered = report.response_time.count;
        assert_eq!(answered, 2160);
        assert!(section.notes[0].contains("1.32 % censored (29 of 2,189 calls)"), "{section:?}");
        assert!(section.notes[0].starts_with("response time: p99, p99.9, p99.99 and max are"));
        let row = &section.rows[0];
        assert!(!row[4].starts_with('≥') && row[5].starts_with('≥'), "{row:?}");
        assert!(row[8].starts_with('≥'), "{row:?}");
    }
}
