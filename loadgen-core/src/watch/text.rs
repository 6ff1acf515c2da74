//! For people: a line for each freeze, and a summary.

use std::collections::BTreeMap;

use super::freeze::{Freeze, FrozenPopulation, LengthMs};
use super::summary::{FreezeLengths, WatchSummary};
use crate::printable::printable;

/// A freeze in one line, without its end of line.
#[must_use]
pub fn render_freeze(freeze: &Freeze) -> String {
    let mut text = format!("{}  ", freeze.from);
    match &freeze.until {
        Some(until) => {
            text.push_str(&format!("froze for {} until {}", length(freeze.length_ms), time(until)));
        }
        None => {
            text.push_str(&format!("froze for {}, and is frozen still", length(freeze.length_ms)));
        }
    }
    let saw = |name: &str, population: Option<FrozenPopulation>| match population {
        Some(saw) => format!("{name} {}", ms(saw.gap_ms)),
        None => format!("{name} -"),
    };
    text.push_str(&format!(
        "; {}; gap: {}, {}; lost: {}, {}",
        freeze.kind,
        saw("kept-alive", freeze.established),
        saw("new", freeze.fresh),
        count(freeze.connections_lost(), "connection"),
        calls(freeze),
    ));
    if freeze.own_ms > 0.0 {
        text.push_str(&format!("; loadgen itself paused {}", ms(freeze.own_ms)));
    }
    text
}

/// Of a long freeze with many calls, not each is known.
fn calls(freeze: &Freeze) -> String {
    let least = if freeze.are_all_calls_known { "" } else { "at least " };
    format!("{least}{}", count(freeze.calls_failed, "call"))
}

/// What a watch came to, for a terminal.
#[must_use]
pub fn render_summary(summary: &WatchSummary) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        text.push_str(format!("{name:<14}{value}").trim_end());
        text.push('\n');
    };
    line("watched", format!("{} for {}", printable(&summary.url), hours(summary.watched_s)));
    line(
        "load",
        format!(
            "{} calls/s; normal gaps up to: {}",
            rates(&summary.rates_per_s, ""),
            rates(&summary.thresholds_ms, " ms")
        ),
    );
    line(
        "",
        format!(
            "{} offered, {} answered, {} failed, {} never started",
            summary.calls.offered, summary.calls.answered, summary.calls.failed, summary.calls.shed
        ),
    );
    let reach = match (&summary.reach_check, &summary.reach_check_off) {
        (Some(how), None) => how.clone(),
        (Some(how), Some(off)) => format!("{how}; then off: {}", printable(off)),
        (None, off) => format!("off: {}", printable(off.as_deref().unwrap_or("not asked for"))),
    };
    line("reach check", reach);
    let mut freezes = summary.freezes.to_string();
    if !summary.kinds.is_empty() {
        let kinds: Vec<String> =
            summary.kinds.iter().map(|(kind, n)| format!("{kind} {n}")).collect();
        freezes.push_str(&format!(" ({})", kinds.join(", ")));
    }
    if summary.too_short > 0 {
        freezes.push_str(&format!("; {} of them too short to be told", summary.too_short));
    }
    line("freezes", freezes);
    let per_hour = summary.per_hour;
    line(
        "",
        format!(
            "{:.1} an hour (95 %: {:.1} to {:.1}, if they come independently)",
            per_hour.seen, per_hour.low, per_hour.high
        ),
    );
    if let Some(lengths) = &summary.length_ms {
        line("lengths", self::lengths(lengths));
    }
    if let Some(since) = &summary.frozen_since {
        line("", format!("frozen since {since}, when the watch ended"));
    }
    line(
        "availability",
        format!(
            "{} to {} of the time watched",
            percent(summary.availability.at_least, false),
            percent(summary.availability.at_most, true)
        ),
    );
    line(
        "lost",
        format!(
            "{} and {} in freezes",
            count(summary.connections_lost, "connection"),
            count(summary.calls_failed_in_freezes, "call")
        ),
    );
    line(
        "not told",
        format!(
            "{} that loadgen's own pauses explain, {} that no call proves",
            count(summary.own.silences, "silence"),
            summary.unproven
        ),
    );
    line(
        "own pauses",
        format!("{:.3} s in all, longest {}", summary.own.sum_s, ms(summary.own.longest_ms)),
    );
    if summary.notices > 0 {
        line("notices", summary.notices.to_string());
    }
    text
}

fn lengths(lengths: &FreezeLengths) -> String {
    let mut text = format!("half up to {}", length(lengths.p50));
    for (name, at) in [("90 %", lengths.p90), ("99 %", lengths.p99)] {
        if let Some(at) = at {
            text.push_str(&format!(", {name} up to {}", length(at)));
        }
    }
    text.push_str(&format!(", longest {}", length(lengths.longest)));
    text
}

/// An interval, rounded outwards: both ends hold as they are printed.
fn length(length: LengthMs) -> String {
    let least = format!("{:.0}", length.at_least.floor());
    match length.at_most.map(|most| format!("{:.0}", most.ceil())) {
        Some(most) if most == least => format!("{least} ms"),
        Some(most) => format!("{least} to {most} ms"),
        None => format!("at least {least} ms"),
    }
}

/// A share, rounded outwards to a thousandth of a percent.
fn percent(share: f64, up: bool) -> String {
    let scaled = share * 1e5;
    let rounded = if up { scaled.ceil() } else { scaled.floor() };
    format!("{:.3} %", rounded / 1e3)
}

fn ms(ms: f64) -> String {
    format!("{ms:.0} ms")
}

fn count(n: u64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// The time of a moment, without its day.
fn time(moment: &str) -> &str {
    moment.split_once('T').map_or(moment, |(_, time)| time)
}

fn hours(seconds: f64) -> String {
    let whole = seconds.floor();
    let (h, m, s) = (whole / 3600.0, whole / 60.0 % 60.0, whole % 60.0);
    match (h.floor(), m.floor()) {
        (0.0, 0.0) => format!("{seconds:.1} s"),
        (0.0, m) => format!("{m:.0} min {s:.0} s"),
        (h, m) => format!("{h:.0} h {m:.0} min {s:.0} s"),
    }
}

fn rates(of: &BTreeMap<String, f64>, unit: &str) -> String {
    let name = |name: &str| if name == "fresh" { "new" } else { "kept-alive" };
    let all: Vec<String> =
        of.iter().map(|(key, value)| format!("{} {value:.0}{unit}", name(key))).collect();
    all.join(", ")
}

#[cfg(test)]
mod tests;
