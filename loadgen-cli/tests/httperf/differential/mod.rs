//! The real httperf and ours, run side by side with the same command lines
//! against the same kinds of servers; what they print, how they end and what they
//! send must be the same.
//!
//! * `cases.txt`: the command lines, `inputs/`: the files they read;
//! * `allowed.txt`: the differences that are meant, one line and one reason each;
//!   a line that no case needs fails the test.
//!
//! A case whose outcomes differ is run again ([`repeat`](crate::repeat)).
//!
//! Needs httperf, nginx and openssl. Without them the test passes by, saying so,
//! unless `CI` is `true`. For work on the test itself:
//!
//! * `HTTPERF_UNDER_TEST=PATH`: this program instead of ours; with the path of
//!   the real one there must be no difference at all;
//! * `HTTPERF_REAL=PATH`: where the real one is, if not in `/usr/bin`;
//! * `DIFFERENTIAL_CASE=GLOB`: only the cases of these names.
//!
//! The table of cases is printed and kept in `differential.txt` of cargo's
//! directory for temporary files of tests.

mod allowed;
mod arithmetic;
mod cases;
mod compare;
mod normal;
mod side;

use std::fmt::Write as _;
use std::time::Instant;

use crate::servers::Site;
use crate::{programs, repeat};

use self::allowed::Allowed;
use self::cases::Case;
use self::compare::Difference;
use self::side::Side;

#[test]
fn the_real_httperf_and_ours() {
    let Some(programs) = programs::find() else { return };
    let only = std::env::var("DIFFERENTIAL_CASE").ok();
    let cases: Vec<Case> = cases::all()
        .into_iter()
        .filter(|case| only.as_deref().is_none_or(|glob| allowed::fits(glob, &case.name)))
        .collect();
    let mut allowed = Allowed::read(include_str!("allowed.txt"));
    let site = Site::new();
    let mut real = Side::start(&programs.real, &site);
    let mut ours = Side::start(&programs.ours, &site);
    let mut table = Table::default();
    let mut compared = |case: &Case, allowed: &mut Allowed, table: &mut Table| {
        let started = Instant::now();
        let (of_real, of_ours) = std::thread::scope(|scope| {
            let running = scope.spawn(|| real.run(case));
            let of_ours = ours.run(case);
            (running.join().unwrap(), of_ours)
        });
        let mut differences = compare::outcomes(case, &of_real, &of_ours);
        let all = differences.len();
        if !programs.same {
            differences.retain(|difference| !allowed.allows(&case.name, difference));
        }
        table.add(case, started.elapsed().as_secs_f64(), all, &differences);
        differences.is_empty()
    };
    for case in &cases {
        if !repeat::mostly(|| compared(case, &mut allowed, &mut table)) {
            table.failed.push(case.name.clone());
        }
    }
    let is_whole = !programs.same && only.is_none();
    // A difference that is meant may be missing for once, such as where what was sent
    // in pieces has been read as a whole.
    for _ in 0..5 {
        for case in cases.iter().filter(|_| is_whole) {
            if allowed.waits_for(&case.name) {
                compared(case, &mut allowed, &mut table);
            }
        }
    }
    table.cases = cases.len();
    let stale = if is_whole { allowed.unused() } else { Vec::new() };
    table.finish(&stale);
}

#[test]
fn there_are_cases_enough() {
    let cases = cases::all();
    assert!(cases.len() >= 400, "{} cases", cases.len());
    let mut names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair.first() != pair.last()), "a name twice: {names:?}");
}

/// What is shown at the end.
#[derive(Default)]
struct Table {
    text: String,
    cases: usize,
    seconds: f64,
    failed: Vec<String>,
}

impl Table {
    /// One run of a case by both programs.
    fn add(&mut self, case: &Case, seconds: f64, all: usize, differences: &[Difference]) {
        self.seconds += seconds;
        let verdict = match (all, differences.len()) {
            (0, _) => "same".to_owned(),
            (_, 0) => format!("{all} allowed"),
            (_, n) => format!("{n} NOT ALLOWED, {} allowed", all - n),
        };
        let mut text = format!("{:32} {seconds:6.2} s  {verdict}\n", case.name);
        for part in differences.chunk_by(|a, b| a.to_string() == b.to_string()) {
            let times =
                if part.len() > 1 { format!("{} times:\n", part.len()) } else { String::new() };
            let _ = write!(text, "{times}{}", part[0]);
        }
        print!("{text}");
        self.text.push_str(&text);
    }

    /// Fails the test when anything differed that may not.
    fn finish(mut self, stale: &[&str]) {
        let _ = writeln!(self.text, "{} cases, {:.0} s", self.cases, self.seconds);
        for line in stale {
            let _ = writeln!(self.text, "no case needs this line of allowed.txt: {line}");
        }
        let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("differential.txt");
        std::fs::write(&file, &self.text).unwrap();
        let summary = self.text.lines().skip_while(|line| !line.contains(" cases, "));
        println!("{}", summary.collect::<Vec<_>>().join("\n"));
        assert!(self.failed.is_empty(), "differences in {:?}; see {}", self.failed, file.display());
        assert!(stale.is_empty(), "allowed.txt has lines that no case needs");
    }
}
