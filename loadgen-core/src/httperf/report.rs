//! The text that httperf prints at the end of a run. Scripts read it with regular
//! expressions, so it is kept to the byte, its truncations included.

use std::fmt::Write;

use crate::report::{Cpu, ReplyFigures, SessionOutcomes, SessionsReport};

/// The line that stands before everything else, with its line end. The largest
/// group of connects leaves out the last one of the run, as httperf does.
#[must_use]
pub fn render_burst(report: &SessionsReport) -> String {
    format!("Maximum connect burst length: {}\n", report.connections.connect_burst)
}

/// The report, from the blank line before `Total:` to the last line. With a
/// `verbosity` of 2 the histogram of connection lifetimes precedes it; `periodic`
/// adds the counts of `--periodic-stats`. What was not measured stands as 0.0.
#[must_use]
pub fn render(report: &SessionsReport, cpu: &Cpu, verbosity: u32, periodic: bool) -> String {
    let mut text = String::new();
    if verbosity >= 2 {
        histogram(&mut text, &report.connections.lifetime_histogram);
    }
    // Writing to a String cannot fail.
    let _ = connections(&mut text, report)
        .and_then(|()| requests(&mut text, report))
        .and_then(|()| replies(&mut text, report))
        .and_then(|()| if periodic { periodic_stats(&mut text, &report.replies) } else { Ok(()) })
        .and_then(|()| machine(&mut text, report, cpu))
        .and_then(|()| failures(&mut text, report))
        .and_then(|()| match &report.outcomes {
            Some(outcomes) => sessions(&mut text, report, outcomes),
            None => Ok(()),
        });
    text
}

/// A number as C's printf writes it: what is no number is `-nan`, which is what
/// 0/0 gives there.
pub(crate) fn fixed(value: f64, digits: usize) -> String {
    if value.is_nan() { "-nan".to_owned() } else { format!("{value:.digits$}") }
}

fn connections(text: &mut String, report: &SessionsReport) -> std::fmt::Result {
    let dur = report.test_duration_s;
    let figures = &report.connections;
    writeln!(
        text,
        "\nTotal: connections {} requests {} replies {} test-duration {} s\n",
        figures.attempted,
        report.requests.sent,
        report.replies.completed,
        fixed(dur, 3)
    )?;
    writeln!(
        text,
        "Connection rate: {} conn/s ({} ms/conn, <={} concurrent connections)",
        fixed(figures.attempted as f64 / dur, 1),
        fixed(share(1000.0 * dur, figures.attempted), 1),
        figures.concurrent
    )?;
    let life = figures.lifetime_ms.unwrap_or_default();
    writeln!(
        text,
        "Connection time [ms]: min {} avg {} max {} median {} stddev {}",
        fixed(life.min, 1),
        fixed(life.mean, 1),
        fixed(life.max, 1),
        fixed(median(&figures.lifetime_histogram, figures.with_reply), 1),
        fixed(life.stddev.unwrap_or(0.0), 1)
    )?;
    let connect = figures.connect_mean_ms.unwrap_or(0.0);
    writeln!(text, "Connection time [ms]: connect {}", fixed(connect, 1))?;
    let length = share(report.replies.completed as f64, figures.with_reply);
    writeln!(text, "Connection length [replies/conn]: {}\n", fixed(length, 3))
}

fn requests(text: &mut String, report: &SessionsReport) -> std::fmt::Result {
    let (dur, sent) = (report.test_duration_s, report.requests.sent);
    writeln!(
        text,
        "Request rate: {} req/s ({} ms/req)\nRequest size [B]: {}.0\n",
        fixed(sent as f64 / dur, 1),
        fixed(share(1000.0 * dur, sent), 1),
        whole(report.requests.bytes, sent)
    )
}

fn replies(text: &mut String, report: &SessionsReport) -> std::fmt::Result {
    let figures = &report.replies;
    let samples = Samples::of(&report.reply_rate_samples);
    writeln!(
        text,
        "Reply rate [replies/s]: min {} avg {} max {} stddev {} ({} samples)",
        fixed(samples.min, 1),
        fixed(samples.mean, 1),
        fixed(samples.max, 1),
        fixed(samples.stddev, 1),
        report.reply_rate_samples.len()
    )?;
    writeln!(
        text,
        "Reply time [ms]: response {} transfer {}",
        fixed(figures.response_mean_ms.unwrap_or(0.0), 1),
        fixed(figures.transfer_mean_ms.unwrap_or(0.0), 1)
    )?;
    let size = |bytes| whole(bytes, figures.completed);
    let (header, content, footer) =
        (size(figures.header_bytes), size(figures.content_bytes), size(figures.footer_bytes));
    writeln!(
        text,
        "Reply size [B]: header {header}.0 content {content}.0 footer {footer}.0 (total {}.0)",
        header + content + footer
    )?;
    let [class_1, class_2, class_3, class_4, class_5] = figures.by_class;
    writeln!(
        text,
        "Reply status: 1xx={class_1} 2xx={class_2} 3xx={class_3} 4xx={class_4} 5xx={class_5}\n"
    )
}

fn periodic_stats(text: &mut String, replies: &ReplyFigures) -> std::fmt::Result {
    let of = |status| replies.by_status.get(&status).copied().unwrap_or(0);
    writeln!(text, "Periodic stats: 200={} 302={}\n", of(200), of(302))
}

fn machine(text: &mut String, report: &SessionsReport, cpu: &Cpu) -> std::fmt::Result {
    let dur = report.test_duration_s;
    let percent = |cpu_s: f64| fixed(100.0 * cpu_s / dur, 1);
    writeln!(
        text,
        "CPU time [s]: user {} system {} (user {}% system {}% total {}%)",
        fixed(cpu.user_s, 2),
        fixed(cpu.system_s, 2),
        percent(cpu.user_s),
        percent(cpu.system_s),
        percent(cpu.user_s + cpu.system_s)
    )?;
    // Trailers are left out of the traffic, as httperf leaves them out.
    let bytes = report.requests.bytes + report.replies.header_bytes + report.replies.content_bytes;
    writeln!(
        text,
        "Net I/O: {} KB/s ({}*10^6 bps)\n",
        fixed(bytes as f64 / dur / 1024.0, 1),
        fixed(8e-6 * bytes as f64 / dur, 1)
    )
}

fn failures(text: &mut String, report: &SessionsReport) -> std::fmt::Result {
    let failures = &report.failures;
    // A lack of local ports has a class in the text that httperf never counts in:
    // scripts look for it among the others.
    let other = failures.other + failures.no_address + failures.tls;
    let total = failures.timeout
        + failures.kernel_timeout
        + failures.refused
        + failures.reset
        + failures.no_descriptor
        + failures.table_full
        + other;
    writeln!(
        text,
        "Errors: total {total} client-timo {} socket-timo {} connrefused {} connreset {}",
        failures.timeout, failures.kernel_timeout, failures.refused, failures.reset
    )?;
    writeln!(
        text,
        "Errors: fd-unavail {} addrunavail 0 ftab-full {} other {other}",
        failures.no_descriptor, failures.table_full
    )
}

fn sessions(
    text: &mut String,
    report: &SessionsReport,
    outcomes: &SessionOutcomes,
) -> std::fmt::Result {
    let samples = Samples::of(&report.session_rate_samples);
    let succeeded = outcomes.succeeded;
    writeln!(
        text,
        "\nSession rate [sess/s]: min {} avg {} max {} stddev {} ({succeeded}/{})",
        fixed(samples.min, 2),
        // Not the mean of the samples, other than in the line of the replies.
        fixed(succeeded as f64 / report.test_duration_s, 2),
        fixed(samples.max, 2),
        fixed(samples.stddev, 2),
        succeeded + outcomes.failed
    )?;
    let connections = share(outcomes.connections_of_succeeded as f64, succeeded);
    writeln!(text, "Session: avg {} connections/session", fixed(connections, 2))?;
    let lifetime = outcomes.lifetime_mean_s.unwrap_or(0.0);
    writeln!(text, "Session lifetime [s]: {}", fixed(lifetime, 1))?;
    let failtime = outcomes.failtime_mean_s.unwrap_or(0.0);
    writeln!(text, "Session failtime [s]: {}", fixed(failtime, 1))?;
    text.push_str("Session length histogram:");
    let longest = outcomes.by_replies.iter().rposition(|&count| count > 0).unwrap_or(0);
    for length in 0..=longest {
        write!(text, " {}", outcomes.by_replies.get(length).copied().unwrap_or(0))?;
    }
    text.push('\n');
    Ok(())
}

/// Lines of the non-empty bins; a colon stands where empty ones were left out.
fn histogram(text: &mut String, bins: &[(u32, u64)]) {
    text.push_str("\nConnection lifetime histogram (time in ms):\n");
    let mut next = 0;
    for &(bin, count) in bins.iter().filter(|(_, count)| *count > 0) {
        if bin > next {
            let _ = writeln!(text, "{:>14}", ':');
        }
        let _ = writeln!(text, "{:>16.1} {count}", f64::from(bin) + 0.5);
        next = bin.saturating_add(1);
    }
}

/// The middle of the first bin of 1 ms up to which at least half of the
/// connections lie; 0 if half of them lived longer than the bins reach.
fn median(bins: &[(u32, u64)], connections: u64) -> f64 {
    let mut below = 0;
    for &(bin, count) in bins {
        below += count;
        if 2 * below >= connections {
            return f64::from(bin) + 0.5;
        }
    }
    0.0
}

/// A quotient that is 0 over nothing.
fn share(sum: f64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { sum / count as f64 }
}

/// Bytes each, truncated.
fn whole(bytes: u64, count: u64) -> u64 {
    bytes.checked_div(count).unwrap_or(0)
}

/// Figures of a series of samples; all 0 if there are none.
#[derive(Default)]
struct Samples {
    min: f64,
    mean: f64,
    max: f64,
    stddev: f64,
}

impl Samples {
    fn of(samples: &[f64]) -> Self {
        let Some(first) = samples.first() else { return Self::default() };
        let count = samples.len() as f64;
        let mean = samples.iter().sum::<f64>() / count;
        let squares: f64 = samples.iter().map(|sample| (sample - mean).powi(2)).sum();
        Self {
            min: samples.iter().copied().fold(*first, f64::min),
            mean,
            max: samples.iter().copied().fold(*first, f64::max),
            stddev: if samples.len() < 2 { 0.0 } else { (squares / (count - 1.0)).sqrt() },
        }
    }
}

#[cfg(test)]
mod tests;
