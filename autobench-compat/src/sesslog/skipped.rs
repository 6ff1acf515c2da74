//! What became of the lines that were not written.

use std::fmt;

/// Why a line gave no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Skip {
    /// Nothing in it.
    Empty,
    /// No request line in quotes: another format, `"-"`, or what a scanner sent.
    NoRequest,
    /// The request holds characters that the server escaped (`\"`, `\x16`), so
    /// that what was sent is not what is written there.
    Escaped,
    /// A method that `--wsesslog` refuses, and with it the whole file.
    Method,
    /// A line, or a request, too long for `--wsesslog`.
    TooLong,
    /// No time, which sessions need.
    NoTime,
    /// Of a session beyond the number that `--wsesslog` takes.
    TooManySessions,
}

const REASONS: [(Skip, &str); 7] = [
    (Skip::Empty, "empty"),
    (Skip::NoRequest, "without a request"),
    (Skip::Escaped, "with escaped characters in the request"),
    (Skip::Method, "with a method that httperf --wsesslog does not take"),
    (Skip::TooLong, "too long"),
    (Skip::NoTime, "without a time like [10/Oct/2000:13:55:36 -0700]"),
    (Skip::TooManySessions, "of sessions beyond the 1000 that httperf --wsesslog takes"),
];

/// Counts of lines. Its text is empty if every line was written, else one line
/// (two, if nothing at all was written) that says how many were not, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Lines of the log.
    pub lines: u64,
    counts: [u64; REASONS.len()],
}

impl Skipped {
    /// Counts a line: written, or why not.
    pub(super) fn count(&mut self, skip: Option<Skip>) {
        self.lines += 1;
        if let Some(count) = skip.and_then(|skip| self.counts.get_mut(skip as usize)) {
            *count += 1;
        }
    }

    /// Lines that were not written for this reason.
    pub fn of(&self, skip: Skip) -> u64 {
        self.counts.get(skip as usize).copied().unwrap_or(0)
    }

    /// All lines that were not written.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.total() > 0 {
            write!(f, "sesslog: {} of {} lines skipped: ", self.total(), self.lines)?;
            let mut separator = "";
            for (skip, words) in REASONS {
                if self.of(skip) > 0 {
                    write!(f, "{separator}{} {words}", self.of(skip))?;
                    separator = ", ";
                }
            }
            writeln!(f)?;
        }
        if self.total() == self.lines {
            writeln!(
                f,
                "sesslog: nothing to write; httperf needs at least one request (is the log in \
                 NCSA common or combined format?)"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_stand_at_their_places() {
        for (at, (skip, _)) in REASONS.into_iter().enumerate() {
            assert_eq!(skip as usize, at);
        }
    }

    #[test]
    fn tells_how_many_and_why() {
        let mut skipped = Skipped::default();
        skipped.count(None);
        assert_eq!(skipped.to_string(), "");
        skipped.count(Some(Skip::Empty));
        skipped.count(Some(Skip::Method));
        skipped.count(Some(Skip::Empty));
        assert_eq!(
            skipped.to_string(),
            "sesslog: 3 of 4 lines skipped: 2 empty, 1 with a method that httperf --wsesslog \
             does not take\n"
        );
        assert!(Skipped::default().to_string().starts_with("sesslog: nothing to write;"));
    }
}
