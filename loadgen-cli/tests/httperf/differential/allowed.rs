//! The differences that are meant: `GLOB | PART [START] | REASON`.
//!
//! GLOB: names of cases, `*` for anything. PART: `stdout`, `stderr`, `exit`,
//! `wire`, `arithmetic` or `any`; START: how the differing line begins, on either
//! side, or behind `real: ` one that only the real one has.

use super::compare::Difference;

pub(crate) struct Allowed(Vec<Line>);

struct Line {
    text: &'static str,
    glob: &'static str,
    part: &'static str,
    start: &'static str,
    used: bool,
}

impl Allowed {
    pub(crate) fn read(text: &'static str) -> Self {
        let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
        Self(
            lines
                .map(|line| parse(line).unwrap_or_else(|| panic!("allowed.txt: {line}")))
                .collect(),
        )
    }

    /// Whether some line allows it; every such line is needed.
    pub(crate) fn allows(&mut self, case: &str, difference: &Difference) -> bool {
        let mut allowed = false;
        for line in &mut self.0 {
            let part = line.part == "any" || line.part == difference.part;
            if part && fits(line.glob, case) && difference.begins_with(line.start) {
                line.used = true;
                allowed = true;
            }
        }
        allowed
    }

    /// Whether a line that nothing needed yet is for this case.
    pub(crate) fn waits_for(&self, case: &str) -> bool {
        self.0.iter().any(|line| !line.used && fits(line.glob, case))
    }

    /// Lines that nothing needed.
    pub(crate) fn unused(&self) -> Vec<&'static str> {
        self.0.iter().filter(|line| !line.used).map(|line| line.text).collect()
    }
}

fn parse(text: &'static str) -> Option<Line> {
    let mut fields = text.splitn(3, " | ").map(str::trim);
    let (glob, what, reason) = (fields.next()?, fields.next()?, fields.next()?);
    let (part, start) = what.split_once(' ').unwrap_or((what, ""));
    let known = ["stdout", "stderr", "exit", "wire", "arithmetic", "any"].contains(&part);
    (known && !reason.is_empty()).then_some(Line { text, glob, part, start, used: false })
}

/// Whether a name is one of the glob's.
pub(crate) fn fits(glob: &str, name: &str) -> bool {
    match glob.split_once('*') {
        None => glob == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|end| {
            (0..=end.len()).any(|i| end.get(i..).is_some_and(|end| fits(rest, end)))
        }),
    }
}

#[test]
fn globs() {
    assert!(fits("*", "") && fits("a*c", "abc") && fits("*-x-*", "a-x-b"));
    assert!(!fits("a", "ab") && !fits("a*c", "abd"));
}
