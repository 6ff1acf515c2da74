//! A simulated machine that goes dark for a known time, asked by a thread that is often
//! late: the property that both readings hold the truth.

use proptest::prelude::*;

use super::log::GIVE_UP;
use super::readings::{dark, longest, silences};
use super::{Check, Fate};
use crate::clock::{MILLISECOND as MS, Nanos, SECOND};

/// What the machine does. Times are ns of an invented clock.
#[derive(Debug, Clone)]
struct Machine {
    /// Packets that are sent in this time are lost.
    dark: (Nanos, Nanos),
    /// From the end of the dark on the kernel answers nothing for so long; what came
    /// before is answered then.
    slow: Nanos,
    /// The way there and back.
    trip: Nanos,
    period: Nanos,
    /// Times in which the asking thread does not run.
    asleep: Vec<(Nanos, Nanos)>,
}

const END: Nanos = 8 * SECOND;

impl Machine {
    /// When the thread runs again that wants to run at `at`.
    fn awake(&self, mut at: Nanos) -> Nanos {
        for (from, to) in &self.asleep {
            if (*from..*to).contains(&at) {
                at = *to;
            }
        }
        at
    }

    /// When the first packet of a check that left at `at` is answered.
    fn answer(&self, at: Nanos) -> Option<Nanos> {
        let (from, to) = self.dark;
        if (from..to).contains(&at) {
            return None;
        }
        let answered = at + self.trip;
        let silent = from..to + self.slow;
        Some(if silent.contains(&answered) { silent.end } else { answered })
    }

    /// As the thread works: send when due, look, give up, look until the next.
    fn log(&self) -> Vec<Check> {
        let mut checks: Vec<Check> = Vec::new();
        let mut looked = 0;
        let mut now = self.awake(0);
        let mut due = now;
        while now < END {
            if now >= due {
                // The packet leaves at the begin of the system call; the thread may
                // fall asleep in it.
                let sent = self.awake(now + 1);
                checks.push(Check { before: now, sent, fate: Fate::Unknown });
                due = (due + self.period).max(now);
                now = sent;
            }
            let by = self.awake(now + 1);
            for check in &mut checks {
                if check.fate != Fate::Unknown {
                    continue;
                }
                let gone = check.before;
                // Its SYN is sent again after a second.
                let again = (gone + SECOND <= now).then(|| self.answer(gone + SECOND)).flatten();
                let first = self.answer(gone).filter(|at| *at <= now);
                let repeated = first.is_none_or(|at| at >= gone + SECOND);
                match first.or(again.filter(|at| *at <= now)) {
                    Some(_) => {
                        let after = looked.max(check.before);
                        check.fate = Fate::Answered { after, by, first: !repeated };
                    }
                    None if check.sent + GIVE_UP <= now => check.fate = Fate::Lost,
                    None => {}
                }
            }
            looked = now;
            now = self.awake(by.max(due.min(by + MS)));
        }
        checks
    }
}

fn machines() -> impl Strategy<Value = Machine> {
    let sleeps = prop::collection::vec((0..END, 1..SECOND * 3 / 2), 0..4);
    let dark = (2 * SECOND..4 * SECOND, prop_oneof![0..50 * MS, 0..2 * SECOND]);
    (dark, 0..400 * MS, MS / 10..20 * MS, 5 * MS..40 * MS, sleeps).prop_map(
        |((from, length), slow, trip, period, sleeps)| Machine {
            dark: (from, from + length),
            slow,
            trip,
            period,
            asleep: sleeps.into_iter().map(|(from, length)| (from, from + length)).collect(),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn dark_by_sending_holds_the_truth(machine in machines()) {
        let log = machine.log();
        let (from, to) = machine.dark;
        for run in dark(&log, &[]) {
            // Nothing is called lost that arrived.
            // (What arrived just before, and was answered when all was over, was not
            // answered in time.)
            prop_assert!(run.from_most + machine.trip >= from && run.to_least <= to, "{:?}", run);
            prop_assert!(run.at_least() <= to - from + machine.trip, "{:?}", run);
        }
        // One dark, one run; where it was met by a check whose loss was seen it is held. (One
        // that arrived just before may be the only one: those in the dark that are answered at
        // their second SYN, while the thread slept, are known to be neither lost nor not.)
        if let Some(run) = longest(dark(&log, &[])).filter(|run| run.to_least >= from) {
            prop_assert!(run.from.is_none_or(|at| at <= from), "{:?}", run);
            prop_assert!(run.to.is_none_or(|at| at >= to), "{:?}", run);
        }
    }

    #[test]
    fn silence_holds_the_truth(machine in machines()) {
        let log = machine.log();
        // What is answered just before the dark is on its way; what is asked after it
        // has to go there and back.
        let (from, to) = (machine.dark.0, machine.dark.1 + machine.slow);
        let asked = log.iter().any(|c| (from..to).contains(&c.before));
        for silence in silences(&log) {
            let own = if silence.touches(from - machine.trip, to) { to - from } else { 0 };
            prop_assert!(silence.at_least() <= own + 2 * machine.trip, "{:?}", silence);
        }
        if asked && to - from > 2 * (machine.period + machine.trip) {
            let held = silences(&log).iter().any(|s| {
                s.touches(from, to) && s.to.is_none_or(|at| at >= to.min(END))
            });
            prop_assert!(held);
        }
    }
}
