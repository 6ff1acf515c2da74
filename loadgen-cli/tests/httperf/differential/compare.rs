//! The outcomes of both programs, laid side by side.

use std::fmt;

use super::arithmetic;
use super::cases::Case;
use super::normal;
use super::side::Outcome;

/// Characters of a line that are shown.
const SHOWN: usize = 600;

/// Lines, or one side's lines, that are not the same.
pub(crate) struct Difference {
    pub(crate) part: &'static str,
    real: Option<String>,
    ours: Option<String>,
}

impl Difference {
    /// Whether the line of one side begins so; behind `real: `, the line of the real
    /// one, where ours has none.
    pub(crate) fn begins_with(&self, start: &str) -> bool {
        if let Some(start) = start.strip_prefix("real: ") {
            return self.ours.is_none()
                && self.real.as_ref().is_some_and(|line| line.starts_with(start));
        }
        [&self.real, &self.ours].into_iter().flatten().any(|line| line.starts_with(start))
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (who, line) in [("real", &self.real), ("ours", &self.ours)] {
            let Some(line) = line else { continue };
            let shown: String = line.escape_debug().take(SHOWN).collect();
            let more = if line.len() > SHOWN { " …" } else { "" };
            writeln!(f, "    {:10} {who}: {shown}{more}", self.part)?;
        }
        Ok(())
    }
}

/// All differences of two outcomes of one case.
pub(crate) fn outcomes(case: &Case, real: &Outcome, ours: &Outcome) -> Vec<Difference> {
    let faults = |outcome: &Outcome| {
        if case.unclassed {
            Vec::new()
        } else {
            arithmetic::faults(&normal::latin1(&outcome.stdout))
        }
    };
    let parts = |outcome: &Outcome| {
        [
            ("exit", vec![outcome.end.clone()]),
            ("stdout", normal::stdout(outcome, case)),
            ("stderr", normal::stderr(outcome)),
            ("wire", wire(outcome, case)),
            ("arithmetic", faults(outcome)),
        ]
    };
    let pairs = parts(real).into_iter().zip(parts(ours));
    pairs.flat_map(|((part, real), (_, ours))| lines(part, &real, &ours)).collect()
}

/// What went over each connection, in an order that does not depend on time.
fn wire(outcome: &Outcome, case: &Case) -> Vec<String> {
    if case.wire_races {
        return Vec::new();
    }
    let mut lines: Vec<String> = outcome
        .connections
        .iter()
        .map(|(server, connection)| {
            // the first message of TLS is mostly random
            let is_tls = connection.bytes.starts_with(b"\x16\x03");
            let bytes = if is_tls { "TLS".to_owned() } else { normal::latin1(&connection.bytes) };
            let end =
                if case.compare_close { format!(" {:?}", connection.end) } else { String::new() };
            format!("{server}{end}: {bytes}")
        })
        .collect();
    lines.sort_unstable();
    lines
}

/// The lines that are not in both, in their order, by the longest common
/// subsequence.
fn lines(part: &'static str, real: &[String], ours: &[String]) -> Vec<Difference> {
    let (n, m) = (real.len(), ours.len());
    let mut common = vec![vec![0u32; m + 1]; n + 1];
    for i in (0..n).rev() {
        for j in (0..m).rev() {
            common[i][j] = if real[i] == ours[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let mut found = Vec::new();
    let (mut i, mut j) = (0, 0);
    let (mut only_real, mut only_ours) = (Vec::new(), Vec::new());
    while i < n || j < m {
        if i < n && j < m && real[i] == ours[j] {
            pair(part, &mut only_real, &mut only_ours, &mut found);
            i += 1;
            j += 1;
        } else if j == m || (i < n && common[i + 1][j] >= common[i][j + 1]) {
            only_real.push(real[i].clone());
            i += 1;
        } else {
            only_ours.push(ours[j].clone());
            j += 1;
        }
    }
    pair(part, &mut only_real, &mut only_ours, &mut found);
    found
}

/// Lines in the same place, one of each side.
fn pair(
    part: &'static str,
    real: &mut Vec<String>,
    ours: &mut Vec<String>,
    found: &mut Vec<Difference>,
) {
    let (mut real, mut ours) = (real.drain(..), ours.drain(..));
    loop {
        let difference = Difference { part, real: real.next(), ours: ours.next() };
        if difference.real.is_none() && difference.ours.is_none() {
            return;
        }
        found.push(difference);
    }
}

#[test]
fn lines_that_are_in_one_only() {
    let list = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let found = lines("stdout", &list("a b c d"), &list("a x c d e"));
    let shown: String = found.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 2, "{shown}");
    assert!(found[0].begins_with("b") && found[0].begins_with("x") && found[1].begins_with("e"));
    assert!(!found[0].begins_with("real: b") && !found[1].begins_with("real: e"));
    assert!(lines("stdout", &list("a b"), &list("a"))[0].begins_with("real: b"));
}
