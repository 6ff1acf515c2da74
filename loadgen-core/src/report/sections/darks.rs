//! The four views of the standstill: no virtual CPU, packets lost, the kernel silent,
//! no service; and what the difference between them means.

use super::super::{Migration, OutageReport};
use super::cell;

/// An interval in ms; `None`: not measured.
type Interval = Option<(f64, f64)>;

/// One view of the standstill, which holds those before it.
pub(crate) struct Dark {
    /// What is said of it in one line.
    pub(crate) words: &'static str,
    pub(crate) at_least_ms: f64,
    /// `None`: its end was not seen.
    pub(crate) at_most_ms: Option<f64>,
    /// Its earliest begin; the events alone tell it exactly.
    pub(crate) start_s: Option<f64>,
    /// Where it is seen, or by whom.
    pub(crate) by: &'static str,
}

/// The views that were measured, from the machine to its users.
pub(crate) fn darks(migration: &Migration) -> Vec<Dark> {
    let mut darks = Vec::new();
    let down = &migration.downtime_ms;
    // How far off it is must be known, or nothing can be held against it.
    if let (Some(ms), Some(off)) = (down.events, down.bound) {
        darks.push(Dark {
            words: "stopped",
            at_least_ms: (ms - off).max(0.0),
            at_most_ms: Some(ms + off),
            start_s: None,
            by: "events",
        });
    }
    let mut reach = |words, by, at_least: Option<f64>, at_most, start_s| {
        if let Some(at_least_ms) = at_least {
            darks.push(Dark { words, at_least_ms, at_most_ms: at_most, start_s, by });
        }
    };
    let lost = &migration.unreachable_ms;
    reach("packets lost for", "network", lost.at_least, lost.at_most, lost.start_s);
    let silent = &migration.silent_ms;
    reach("kernel silent", "answers", silent.at_least, silent.at_most, silent.start_s);
    let outages = &migration.outage_ms;
    for (by, outage) in [("established", &outages.established), ("fresh", &outages.fresh)] {
        darks.extend(outage.as_ref().and_then(|outage| away(outage, by)));
    }
    darks
}

fn away(outage: &OutageReport, by: &'static str) -> Option<Dark> {
    Some(Dark {
        words: "service away",
        at_least_ms: outage.interruption_at_least?,
        at_most_ms: outage.interruption_at_most,
        start_s: outage.gap_start_s.or(outage.longest_gap_start_s),
        by,
    })
}

/// A length as its interval.
pub(crate) fn length(at_least_ms: f64, at_most_ms: Option<f64>) -> String {
    match at_most_ms {
        None => format!("at least {}", cell::millis(at_least_ms)),
        Some(most) if cell::millis(most) == cell::millis(at_least_ms) => cell::millis(most),
        Some(most) if most < 9_999.95 => format!("{at_least_ms:.1}–{most:.1} ms"),
        Some(most) => format!("{:.3}–{:.3} s", at_least_ms / 1e3, most / 1e3),
    }
}

/// All views in one line, and what the difference between them means.
pub(super) fn notes(migration: &Migration) -> Vec<String> {
    let darks = darks(migration);
    if migration.unreachable_ms.at_least.is_none() || darks.len() < 2 {
        return Vec::new();
    }
    let words: Vec<String> = darks
        .iter()
        .map(|d| format!("{} {} ({})", d.words, length(d.at_least_ms, d.at_most_ms), d.by))
        .collect();
    vec![format!("{}. {}", words.join("; "), meaning(migration))]
}

/// What the largest sure difference between neighbouring views means.
fn meaning(migration: &Migration) -> String {
    let down = &migration.downtime_ms;
    let stopped: Interval = down.events.zip(down.bound).map(|(ms, off)| (ms - off, ms + off));
    let interval = |at_least: Option<f64>, at_most: Option<f64>| -> Interval {
        Some((at_least?, at_most.unwrap_or(f64::INFINITY)))
    };
    let lost = interval(migration.unreachable_ms.at_least, migration.unreachable_ms.at_most);
    let silent = interval(migration.silent_ms.at_least, migration.silent_ms.at_most);
    let outages = &migration.outage_ms;
    let away = [&outages.established, &outages.fresh]
        .into_iter()
        .flatten()
        .filter_map(|outage| interval(outage.interruption_at_least, outage.interruption_at_most))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    if let (Some(stopped), Some(lost)) = (stopped, lost)
        && lost.1 < stopped.0
    {
        return "Packets were held rather than lost while the machine stood still: the network \
                kept them until it ran again."
            .to_owned();
    }
    // What a view surely has beyond the one before it.
    let beyond = |inner: Interval, outer: Interval| Some(outer?.0 - inner?.1);
    let told = [
        (
            beyond(stopped, lost),
            "After the machine ran again, the network lost packets",
            "it learnt late where the machine is",
        ),
        (
            beyond(lost, silent),
            "After packets arrived again, the kernel stayed silent",
            "the machine was too slow to answer",
        ),
        (
            beyond(silent, away),
            "After the kernel answered again, the service stayed away",
            "the machine answered, its service did not yet",
        ),
    ];
    let largest = told
        .into_iter()
        .filter_map(|(ms, who, why)| Some((ms.filter(|ms| *ms > 0.05)?, who, why)))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    if let Some((ms, who, why)) = largest {
        return format!("{who} for at least {}: {why}.", cell::millis(ms));
    }
    let catching = [&outages.established, &outages.fresh]
        .into_iter()
        .flatten()
        .filter_map(|outage| outage.catching_up_at_least)
        .max_by(f64::total_cmp);
    match catching {
        Some(ms) => format!(
            "Of the longest gap, at least {} are catching up: the machine's kernel answered again, \
             its service did not yet.",
            cell::millis(ms)
        ),
        None => "They agree within their bounds.".to_owned(),
    }
}

/// The rows of the reach check: name, measured, bound, how.
pub(super) fn rows(migration: &Migration) -> Vec<Vec<String>> {
    let lost = &migration.unreachable_ms;
    let silent = &migration.silent_ms;
    let none = || cell::NONE.to_owned();
    let row = |name: &str, at_least: Option<f64>, at_most, how: String| {
        let measured = at_least.map_or_else(none, |least| length(least, at_most));
        vec![name.to_owned(), measured, none(), how]
    };
    let mut rows = vec![row("packets lost", lost.at_least, lost.at_most, how_lost(migration))];
    if silent.at_least.is_some() {
        let mut how = "longest time without an answer of the machine's kernel".to_owned();
        if let Some(at) = silent.start_s {
            how.push_str(&format!(", from {}", cell::seconds(at)));
        }
        if let Some(normal) = silent.longest_before {
            how.push_str(&format!("; longest before firing {}", cell::millis(normal)));
        }
        rows.push(row("kernel silent", silent.at_least, silent.at_most, how));
    }
    rows
}

fn how_lost(migration: &Migration) -> String {
    let lost = &migration.unreachable_ms;
    let reason = lost.reason.as_deref();
    if let Some(reason) = reason.filter(|_| lost.at_least.is_none()) {
        return format!("not measured: {reason}");
    }
    let (Some(method), Some(rate)) = (&lost.method, lost.rate_per_s) else {
        return "there was no reach check".to_owned();
    };
    let mut how = format!("reach check by {method} at {}", cell::rate(rate));
    if let Some(at) = lost.start_s {
        how.push_str(&format!(", from {}", cell::seconds(at)));
    }
    let count = |n: Option<u64>| n.map_or_else(|| cell::NONE.to_owned(), cell::count);
    how.push_str(&format!(
        "; {} checks sent, {} lost after firing, {} before",
        count(lost.sent),
        count(lost.lost),
        count(lost.lost_before)
    ));
    if let Some(cut) = reason {
        how.push_str(&format!("; not to the end of the load: {cut}"));
    }
    if method == "syn" {
        how.push_str("; a full accept queue loses SYNs too, so that no least time is known");
    }
    if let (Some(runs), Some(longest)) = (lost.other_runs, lost.longest_other_at_most) {
        let runs =
            if runs == 1 { "1 other loss".to_owned() } else { format!("{runs} other losses") };
        how.push_str(&format!("; {runs} of up to {}", cell::millis(longest)));
    }
    if let (Some(cpu), Some(pause)) = (lost.cpu_s, lost.longest_pause_ms) {
        how.push_str(&format!(
            "; took {} of CPU, at most {} late",
            cell::seconds(cpu),
            cell::millis(pause)
        ));
    }
    how
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn note(migration: &Migration) -> String {
        notes(migration).join("\n")
    }

    #[test]
    fn one_line_tells_all_views_and_their_difference() {
        let mut migration = sample::pre_copy().migration.unwrap();
        let text = note(&migration);
        for part in [
            "stopped 30.3–31.9 ms (events)",
            "packets lost for 26.2–36.4 ms (network)",
            "kernel silent 101.3–106.0 ms (answers)",
            "service away 178.3–180.4 ms (established)",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(text.contains("stayed away for at least 72.6 ms: the machine answered"), "{text}");
        // A network that learns 3 s late.
        migration.unreachable_ms.at_least = Some(3000.0);
        migration.unreachable_ms.at_most = Some(3010.0);
        assert!(note(&migration).contains("at least 2968.1 ms: it learnt late"));
        migration.unreachable_ms.at_least = Some(0.0);
        migration.unreachable_ms.at_most = Some(10.0);
        assert!(note(&migration).contains("held rather than lost"));
    }

    #[test]
    fn what_cannot_be_told_apart_is_not() {
        let mut migration = sample::pre_copy().migration.unwrap();
        for outage in [&mut migration.outage_ms.established, &mut migration.outage_ms.fresh] {
            let outage = outage.as_mut().unwrap();
            outage.interruption_at_least = Some(0.0);
        }
        migration.silent_ms.at_least = Some(20.0);
        assert!(note(&migration).contains("catching up: the machine's kernel answered"));
        for outage in [&mut migration.outage_ms.established, &mut migration.outage_ms.fresh] {
            outage.as_mut().unwrap().catching_up_at_least = None;
        }
        assert!(note(&migration).contains("agree within their bounds"));
        // Not measured is not nothing.
        let off = sample::stop_and_copy().migration.unwrap();
        assert!(notes(&off).is_empty());
        let rows = rows(&off);
        assert_eq!((rows.len(), rows[0][1].as_str()), (1, cell::NONE));
        assert!(rows[0][3].contains("127.0.0.1 is an address of this machine"));
    }

    #[test]
    fn lengths_without_an_end_are_at_least() {
        assert_eq!(length(12.0, None), "at least 12.0 ms");
        assert_eq!(length(12.01, Some(12.02)), "12.0 ms");
        assert_eq!(length(9_000.0, Some(12_000.0)), "9.000–12.000 s");
    }
}
