//! The table of goals: what was to be reached, and what was.

use loadgen_benches::{median, spread};
use serde::Serialize;

use super::by_load::{FLOOR, LOADGEN, OUR_HTTPERF, RESET};
use super::part::Part;
use super::{freeze, grid, many, memory, scaling, tls};

/// One row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Goal {
    pub(crate) figure: String,
    pub(crate) goal: String,
    pub(crate) ours: String,
    pub(crate) peer: String,
    /// Of the same repetitions: median and range.
    pub(crate) ratio: String,
    /// `None`: not measured.
    pub(crate) met: Option<bool>,
}

/// Stands where nothing was measured.
pub(super) const NOTHING: &str = "–";

/// A bound of a figure.
#[derive(Clone, Copy)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(bound) => value <= bound,
            Self::AtLeast(bound) => value >= bound,
        }
    }

    /// So many digits, or as many more as show on which side of the bound a value lies.
    fn digits(self, value: f64, digits: usize) -> usize {
        let shown = |digits: usize| format!("{value:.digits$}").parse().unwrap_or(value);
        let tells = |digits: &usize| self.holds(shown(*digits)) == self.holds(value);
        (digits..digits + 3).find(tells).unwrap_or(digits)
    }

    fn text(self) -> String {
        match self {
            Self::AtMost(bound) => format!("≤ {bound}"),
            Self::AtLeast(bound) => format!("≥ {bound}"),
        }
    }
}

/// The rows of all parts that were measured.
pub(crate) fn judge(parts: &[Part]) -> Vec<Goal> {
    let mut goals = Vec::new();
    for part in parts {
        match part.name {
            "closed" => closed(part, &mut goals),
            "churn" => churn(part, &mut goals),
            "grid" => of_the_grid(part, &mut goals),
            "freeze" => of_the_freezes(part, &mut goals),
            "memory" => goals.push(plain(
                part,
                memory::IDLE,
                "kib_per_connection",
                "memory of an idle connection, KiB",
                Bound::AtMost(1.0),
                2,
            )),
            "many" => goals.push(plain(
                part,
                LOADGEN,
                "held",
                "connections held at once",
                Bound::AtLeast(f64::from(many::CONNECTIONS)),
                0,
            )),
            "large" => goals.push(ratio_and_floor(
                part,
                [LOADGEN, "wrk", FLOOR, "wrk"],
                "cpu_ns_per_byte",
                "replies of 1 MiB: CPU ns/byte ÷ wrk",
                Bound::AtMost(0.25),
                3,
            )),
            "scaling" => {
                let names = |tool| [2, 1].map(|threads| scaling::name(tool, threads));
                let ([two, one], [floors_two, floors_one]) = (names(LOADGEN), names(FLOOR));
                goals.push(ratio_and_floor(
                    part,
                    [&two, &one, &floors_two, &floors_one],
                    "calls_per_s",
                    "calls/s of two threads ÷ one",
                    Bound::AtLeast(1.85),
                    0,
                ));
            }
            "tls" => {
                for ours in [LOADGEN, OUR_HTTPERF] {
                    for (key, text, bound) in [
                        ("cpu_us_per_call", "CPU µs/call ÷ wrk", 0.85),
                        ("user_us_per_call", "of it user ÷ wrk", 0.6),
                    ] {
                        let text = format!("https ({ours}): {text}");
                        goals.push(ratio(part, [ours, "wrk"], key, &text, Bound::AtMost(bound), 2));
                    }
                }
            }
            "tls-memory" => {
                for ours in [memory::IDLE, OUR_HTTPERF] {
                    for (key, text, bound, digits) in [
                        (
                            "kib_per_connection",
                            "memory of a connection, KiB",
                            Bound::AtMost(12.0),
                            2,
                        ),
                        ("held", "held at once", Bound::AtLeast(f64::from(tls::HELD)), 0),
                    ] {
                        let text = format!("https ({ours}): {text}");
                        goals.push(plain(part, ours, key, &text, bound, digits));
                    }
                }
            }
            _ => {}
        }
    }
    goals
}

fn closed(part: &Part, goals: &mut Vec<Goal>) {
    for (peer, key, text, bound, digits) in [
        ("wrk", "cpu_us_per_call", "closed loop: CPU µs/call ÷ wrk", Bound::AtMost(0.75), 2),
        (FLOOR, "cpu_us_per_call", "closed loop: CPU µs/call ÷ floor", Bound::AtMost(1.03), 2),
        ("wrk", "calls_per_s", "closed loop: calls/s ÷ wrk", Bound::AtLeast(1.2), 0),
    ] {
        // The floor beside itself tells nothing.
        let floor = if peer == FLOOR { "" } else { FLOOR };
        let names = [LOADGEN, peer, floor, peer];
        goals.push(ratio_and_floor(part, names, key, text, bound, digits));
    }
    goals.push(instructions());
}

/// Counted by another program, which holds the figure.
fn instructions() -> Goal {
    let committed = include_str!("../../../instructions.json");
    let committed: Option<serde_json::Value> = serde_json::from_str(committed).ok();
    let count = committed.and_then(|json| json["instructions_per_call"].as_f64());
    let bound = Bound::AtMost(1200.0);
    Goal {
        figure: "user instructions a call (held by `instructions --check`)".to_owned(),
        goal: bound.text(),
        ours: count.map_or(NOTHING.to_owned(), |count| format!("{count:.0}")),
        peer: NOTHING.to_owned(),
        ratio: NOTHING.to_owned(),
        met: count.map(|count| bound.holds(count)),
    }
}

fn churn(part: &Part, goals: &mut Vec<Goal>) {
    let key = "calls_per_s";
    let text = "one call a connection: connections/s ÷ ab";
    goals.push(ratio(part, [LOADGEN, "ab"], key, text, Bound::AtLeast(1.0), 0));
    let reset = format!("{LOADGEN}, {RESET}");
    goals.push(ratio(part, [&reset, "ab"], key, "the same, RST close", Bound::AtLeast(1.3), 0));
    goals.push(Goal {
        figure: "the same, io_uring".to_owned(),
        goal: Bound::AtLeast(1.7).text(),
        ours: "left out: see benches/README.md".to_owned(),
        peer: NOTHING.to_owned(),
        ratio: NOTHING.to_owned(),
        met: None,
    });
}

fn of_the_grid(part: &Part, goals: &mut Vec<Goal>) {
    let normal = grid::ours("normal");
    let high = grid::ours("high");
    for (name, floor, key, text, bound, digits) in [
        (&normal, grid::FLOOR_NORMAL, "mean_us", "grid error at 3000/s: mean, µs", 10.0, 1),
        (&normal, grid::FLOOR_NORMAL, "p50_us", "the same: p50, µs", 2.0, 2),
        (&normal, grid::FLOOR_NORMAL, "p99_us", "the same: p99, µs", 100.0, 1),
        (&normal, grid::FLOOR_NORMAL, "cpu_percent", "the same: CPU, % of a core", 15.0, 1),
        (&normal, grid::FLOOR_NORMAL, "bursts_percent", "gaps < 20 µs, %", 1.0, 2),
        (&high, grid::FLOOR_HIGH, "p99_us", "grid error with --precision high: p99, µs", 5.0, 1),
    ] {
        let goal = plain(part, name, key, text, Bound::AtMost(bound), digits);
        let values = part.contestant(floor).map(|m| m.values(key)).unwrap_or_default();
        let peer = if values.is_empty() {
            goal.peer
        } else {
            format!("{} ({floor})", spread(&values, digits))
        };
        goals.push(Goal { peer, ..goal });
    }
}

/// A goal for a ratio, with what the floor program gives for the same: the limit of
/// this machine. `names`: those of ours and the peer, then those of the floor's ratio.
fn ratio_and_floor(
    part: &Part,
    [ours, peer, floor, floors_peer]: [&str; 4],
    key: &str,
    figure: &str,
    bound: Bound,
    digits: usize,
) -> Goal {
    let goal = ratio(part, [ours, peer], key, figure, bound, digits);
    let of_floor = part.ratios(floor, floors_peer, key);
    let peer = match of_floor.is_empty() {
        true => goal.peer,
        false => format!("{}; ratio of the floor: {}", goal.peer, spread(&of_floor, 2)),
    };
    Goal { peer, ..goal }
}

fn of_the_freezes(part: &Part, goals: &mut Vec<Goal>) {
    for measured in part.contestants.iter().filter(|m| m.name.starts_with(LOADGEN)) {
        for (truth, key) in [
            ("beside an ideal server", freeze::WITHIN_IDEAL),
            ("beside this server's replies", freeze::WITHIN_SERVED),
        ] {
            let within = measured.values(key);
            let good = within.iter().filter(|within| **within == 1.0).count();
            goals.push(Goal {
                figure: format!(
                    "server that freezes: mean and every percentile {truth}, no call lost ({})",
                    measured.name
                ),
                goal: "within 2 % or 0.3 ms".to_owned(),
                ours: format!("in {good} of {} runs", within.len()),
                peer: NOTHING.to_owned(),
                ratio: NOTHING.to_owned(),
                met: (!within.is_empty()).then_some(good == within.len()),
            });
        }
    }
}

/// A goal for a ratio of two contestants: `[ours, peer]`.
fn ratio(
    part: &Part,
    [ours, peer]: [&str; 2],
    key: &str,
    figure: &str,
    bound: Bound,
    digits: usize,
) -> Goal {
    let ratios = part.ratios(ours, peer, key);
    let places = if ratios.is_empty() { 2 } else { bound.digits(median(&ratios), 2) };
    let cell = |name| {
        let values = part.contestant(name).map(|measured| measured.values(key));
        values.filter(|v| !v.is_empty()).map(|v| format!("{:.digits$}", median(&v)))
    };
    Goal {
        figure: figure.to_owned(),
        goal: bound.text(),
        ours: cell(ours).unwrap_or(NOTHING.to_owned()),
        peer: cell(peer).map_or(NOTHING.to_owned(), |value| format!("{value} ({peer})")),
        ratio: if ratios.is_empty() { NOTHING.to_owned() } else { spread(&ratios, places) },
        met: (!ratios.is_empty()).then(|| bound.holds(median(&ratios))),
    }
}

/// A goal for a figure of ours alone.
fn plain(part: &Part, ours: &str, key: &str, figure: &str, bound: Bound, digits: usize) -> Goal {
    let values = part.contestant(ours).map(|measured| measured.values(key)).unwrap_or_default();
    let digits = if values.is_empty() { digits } else { bound.digits(median(&values), digits) };
    Goal {
        figure: figure.to_owned(),
        goal: bound.text(),
        ours: if values.is_empty() { NOTHING.to_owned() } else { spread(&values, digits) },
        peer: NOTHING.to_owned(),
        ratio: NOTHING.to_owned(),
        met: (!values.is_empty()).then(|| bound.holds(median(&values))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::part::{Figures, Measured};

    fn part(name: &'static str, rows: &[(&str, &str, f64)]) -> Part {
        let contestants = rows.iter().map(|(name, key, value)| Measured {
            name: (*name).to_owned(),
            runs: vec![Some(Figures::from([((*key).to_owned(), *value)]))],
            ..Measured::default()
        });
        Part {
            name,
            title: String::new(),
            columns: Vec::new(),
            contestants: contestants.collect(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn goals_are_met_missed_or_not_measured() {
        let key = "cpu_ns_per_byte";
        let met = judge(&[part("large", &[(LOADGEN, key, 0.1), ("wrk", key, 0.5)])]);
        assert_eq!((met[0].met, met[0].ratio.as_str()), (Some(true), "0.20 [0.20-0.20]"));
        let missed = judge(&[part("large", &[(LOADGEN, key, 0.2), ("wrk", key, 0.5)])]);
        assert_eq!(missed[0].met, Some(false));
        let alone = judge(&[part("large", &[(LOADGEN, key, 0.2)])]);
        assert_eq!((alone[0].met, alone[0].ratio.as_str()), (None, NOTHING));
    }

    #[test]
    fn as_many_digits_are_shown_as_tell_the_outcome() {
        assert_eq!(Bound::AtLeast(1.85).digits(1.849, 2), 3);
        assert_eq!(Bound::AtLeast(1.85).digits(1.84, 2), 2);
        assert_eq!(Bound::AtMost(2.0).digits(2.04, 1), 2);
        assert_eq!(Bound::AtMost(2.0).digits(1.96, 1), 1);
    }

    #[test]
    fn every_run_of_the_freeze_test_counts() {
        let key = freeze::WITHIN_IDEAL;
        let goals = judge(&[part("freeze", &[("loadgen, x", key, 0.0), ("wrk2", key, 1.0)])]);
        assert_eq!(goals.len(), 2);
        assert_eq!((goals[0].met, goals[0].ours.as_str()), (Some(false), "in 0 of 1 runs"));
        assert_eq!((goals[1].met, goals[1].ours.as_str()), (None, "in 0 of 0 runs"));
    }
}
