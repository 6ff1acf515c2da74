//! Findings on the generator's own pauses: which of the figures they have made
//! longer. Lag alone would not tell: a closed loop has none, and its 99th percentile
//! knows nothing of a single stop.

use super::Evidence;
use crate::clock::{MILLISECOND, Nanos, as_seconds};
use crate::record::{Histogram, LONG_PAUSE, PauseRecord};
use crate::report::{VerdictStatus, latency};
use crate::units::format_duration_us;

/// A figure is not to be trusted when own lateness makes it longer by this share of
/// what it would be, and by more than [`LEAST`].
const SHARE: f64 = 0.1;
const LEAST: f64 = 1000.0;

/// Quantiles that a report shows.
const QUANTILES: [(&str, u64, u64); 5] = [
    ("p50", 1, 2),
    ("p90", 9, 10),
    ("p99", 99, 100),
    ("p99.9", 999, 1_000),
    ("p99.99", 9_999, 10_000),
];

pub(super) fn findings(evidence: &Evidence<'_>, find: &mut impl FnMut(VerdictStatus, String)) {
    let Some(own) = evidence.own else { return };
    let pauses = &evidence.pauses;
    if pauses.count == 0 {
        return;
    }
    let Some(without) = own.taken_out_of(evidence.response) else { return };
    let moved = moved(evidence.response, &without, pauses.longest);
    let Some(((first, with_us, without_us), more)) = moved.split_first() else { return };
    let more: Vec<&str> = more.iter().map(|(name, ..)| *name).collect();
    let also = if more.is_empty() {
        String::new()
    } else {
        format!(" (shorter, too: {})", more.join(", "))
    };
    find(
        VerdictStatus::Degraded,
        format!(
            "the generator itself stood still {}: without that and the queues behind it, the \
             {first} of the response times may be {} instead of {}{also}; give it a CPU of its own, \
             or repeat the run",
            match pauses.count {
                1 => format!("for {:.1} ms at {:.2} s", ms(pauses.longest), as_seconds(pauses.at)),
                n => format!(
                    "{n} times, for {:.1} ms in all (at most {:.1} ms, at {:.2} s)",
                    ms(pauses.sum),
                    ms(pauses.longest),
                    as_seconds(pauses.at)
                ),
            },
            format_duration_us(*without_us),
            format_duration_us(*with_us),
        ),
    );
}

/// The shown figures that own lateness has made longer, with their values in µs with
/// it and without it.
fn moved(with: &Histogram, without: &Histogram, longest: Nanos) -> Vec<(&'static str, f64, f64)> {
    let quantiles = QUANTILES.into_iter().filter_map(|(name, of, all)| {
        Some((name, latency::quantile(with, of, all)?, latency::quantile(without, of, all)?))
    });
    // That of a single call.
    let max = (longest >= LONG_PAUSE && !with.is_empty())
        .then(|| ("maximum", with.max() as f64 / 1e3, without.max() as f64 / 1e3));
    quantiles
        .chain(max)
        .filter(|(_, with, without)| with - without > (SHARE * without).max(LEAST))
        .collect()
}

/// Why arrivals were never started: the generator came to them too late, or nothing
/// that we did.
pub(super) fn never_started(shed: u64, offered: u64, own: u64, pauses: &PauseRecord) -> String {
    let share = shed as f64 / offered.max(1) as f64 * 100.0;
    let mut text = format!("{shed} of {offered} arrivals were never started ({share:.1} %)");
    let own = own.min(shed);
    if own == shed {
        text.push_str(&format!(
            ": {}; that says nothing of the server: give the generator a CPU of its own, or repeat \
             the run",
            late(pauses)
        ));
        return text;
    }
    let kept_up = "the server did not keep up with the rate; allow more connections, a larger \
                   backlog, or ask for less";
    if own == 0 {
        text.push_str(&format!(": {kept_up}"));
    } else {
        text.push_str(&format!(
            ": {own} of them may be because {}; of the others, {kept_up}",
            late(pauses)
        ));
    }
    text
}

/// Why calls ran out of time of which `own` may owe that to the generator.
pub(super) fn ran_out_of_time(timed_out: u64, own: u64, pauses: &PauseRecord) -> String {
    let own = own.min(timed_out);
    let which = if own == timed_out { "which".to_owned() } else { format!("and {own} of them") };
    format!(
        "{timed_out} calls ran out of time, {which} may be because {}, and its late calls came to \
         the server all at once: give it a CPU of its own, or repeat the run",
        late(pauses)
    )
}

/// How the generator was late.
fn late(pauses: &PauseRecord) -> String {
    match pauses.longest {
        0 => "the generator itself came to them too late".to_owned(),
        longest => format!(
            "the generator itself was late (it stood still for {:.1} ms at {:.2} s)",
            ms(longest),
            as_seconds(pauses.at)
        ),
    }
}

/// What became of those that still waited when the load ended.
pub(super) fn still_waiting(waiting: u64, shed_in_drain: u64, own: u64) -> String {
    let shed_after = shed_in_drain.min(waiting);
    let served = waiting - shed_after;
    let were = |n: u64| if n == 1 { "was" } else { "were" };
    let fate = match (served, shed_after) {
        (_, 0) => "and were served afterwards".to_owned(),
        (0, _) => "and none of them was served afterwards: all were shed".to_owned(),
        (served, shed) => format!(
            "of which {served} {} served afterwards and {shed} {} shed",
            were(served),
            were(shed)
        ),
    };
    let why = if own >= waiting {
        "the generator itself had come to them late, which says nothing of the server"
    } else {
        "the rate was not held; allow more connections or ask for less"
    };
    format!(
        "{waiting} arrivals were still waiting for a connection when the load ended, {fate}: {why}"
    )
}

fn ms(ns: Nanos) -> f64 {
    ns as f64 / MILLISECOND as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_generator_shed_says_nothing_of_the_server() {
        let mut pauses = PauseRecord::default();
        pauses.add(0, 700 * MILLISECOND);
        let text = never_started(200, 1500, 200, &pauses);
        assert!(text.contains("itself was late (it stood still for 700.0 ms at 0.00 s)"), "{text}");
        assert!(!text.contains("did not keep up"), "{text}");
        let text = never_started(200, 1500, 20, &pauses);
        assert!(text.contains("20 of them may be because the generator itself"), "{text}");
        assert!(text.contains("of the others, the server did not keep up"), "{text}");
        let text = never_started(200, 1500, 0, &PauseRecord::default());
        assert!(!text.contains("itself") && text.contains("did not keep up"), "{text}");
    }

    #[test]
    fn time_limits_are_explained_as_far_as_it_goes() {
        let mut pauses = PauseRecord::default();
        pauses.add(3_000 * MILLISECOND, 4_000 * MILLISECOND);
        let text = ran_out_of_time(291, 291, &pauses);
        assert!(text.starts_with("291 calls ran out of time, which may be because"), "{text}");
        assert!(text.contains("it stood still for 1000.0 ms at 3.00 s"), "{text}");
        let text = ran_out_of_time(291, 80, &pauses);
        assert!(text.contains("out of time, and 80 of them may be because"), "{text}");
    }

    #[test]
    fn who_waited_at_the_end_was_served_or_shed() {
        assert!(still_waiting(168, 0, 0).contains("ended, and were served afterwards:"));
        assert!(still_waiting(168, 152, 0).contains("16 were served afterwards and 152 were shed"));
        assert!(still_waiting(168, 170, 0).contains("none of them was served"));
        assert!(still_waiting(168, 0, 0).contains("the rate was not held"));
        assert!(still_waiting(168, 0, 168).contains("nothing of the server"));
    }

    #[test]
    fn figures_are_named_that_own_lateness_has_moved() {
        let histogram = |values: &[(u64, u64)]| {
            let mut histogram = Histogram::new_with_bounds(1, 3_600_000_000_000, 3).unwrap();
            for (ms, n) in values {
                histogram.record_n(ms * MILLISECOND, *n).unwrap();
            }
            histogram
        };
        let names = |with: &[(u64, u64)], without: &[(u64, u64)], longest_ms| -> Vec<_> {
            let moved = moved(&histogram(with), &histogram(without), longest_ms * MILLISECOND);
            moved.into_iter().map(|(name, ..)| name).collect()
        };
        // 50 of 15,000 calls stood 100 ms in our way.
        let (with, without) = ([(2, 14_950), (80, 50)], [(2, 15_000)]);
        assert_eq!(names(&with, &without, 100), ["p99.9", "maximum"]);
        // Four of a closed loop: only the longest.
        assert_eq!(names(&[(2, 9_996), (700, 4)], &[(2, 10_000)], 700), ["maximum"]);
        assert!(names(&[(2, 9_996), (9, 4)], &[(2, 10_000)], 7).is_empty(), "too short to matter");
        assert!(names(&[(500, 9_996), (530, 4)], &[(500, 10_000)], 30).is_empty(), "of 500 ms");
    }
}
