//! Why a host refuses somebody, as it says so in one line.

use std::fmt;

/// Why a host refuses a shard, or sends it home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// It has another token.
    Token,
    /// It has another plan.
    Plan,
    /// It counts other shards than the host.
    Count {
        /// How many the host counts.
        of: u32,
    },
    /// A shard of its number is there.
    Taken,
    /// The load has begun.
    Begun,
    /// Others were not there in time.
    Missing,
    /// It took longer than 5 s to say who it is.
    Slow,
    /// What it said makes no sense.
    Garbled,
}

impl Refusal {
    /// The words of a line behind `no`.
    pub(super) fn words(self) -> String {
        match self {
            Self::Count { of } => format!("count {of}"),
            other => other.word().to_owned(),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Plan => "plan",
            Self::Count { .. } => "count",
            Self::Taken => "taken",
            Self::Begun => "begun",
            Self::Missing => "missing",
            Self::Slow => "slow",
            Self::Garbled => "garbled",
        }
    }

    /// Reads these words.
    pub(super) fn of_words(words: &[&str]) -> Option<Self> {
        let refusal = match words {
            ["token"] => Self::Token,
            ["plan"] => Self::Plan,
            ["count", of] => Self::Count { of: of.parse().ok()? },
            ["taken"] => Self::Taken,
            ["begun"] => Self::Begun,
            ["missing"] => Self::Missing,
            ["slow"] => Self::Slow,
            ["garbled"] => Self::Garbled,
            _ => return None,
        };
        // There is one way to write each.
        (refusal.words() == words.join(" ")).then_some(refusal)
    }

    /// What helps.
    #[must_use]
    pub fn mend(self) -> &'static str {
        match self {
            Self::Token => "give all shards the same LOADGEN_SYNC_TOKEN",
            Self::Plan => "give all shards the same plan",
            Self::Count { .. } => "give all shards the same number of shards",
            Self::Taken => "give every shard a number of its own, and every load a port of its own",
            Self::Begun => "start all shards together, or give a longer time-out",
            Self::Missing => "shard 0 tells which; start them, or give a longer time-out",
            Self::Slow => "see whether this machine or the network is overloaded",
            Self::Garbled => "use the same version of loadgen everywhere",
        }
    }
}

/// The cause, as the end of a sentence.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Count { of } = self {
            return write!(f, "it does not count {of} shards, as the host does");
        }
        f.write_str(match self {
            Self::Token => "its token is another one",
            Self::Plan => "its plan is another one",
            Self::Count { .. } => "it counts other shards than the host",
            Self::Taken => "a shard of its number is there already",
            Self::Begun => "the load has begun",
            Self::Missing => "other shards were not there in time",
            Self::Slow => "it took too long to say who it is",
            Self::Garbled => "what it said makes no sense",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_told_and_understood() {
        for refusal in [
            Refusal::Token,
            Refusal::Plan,
            Refusal::Count { of: 7 },
            Refusal::Taken,
            Refusal::Begun,
            Refusal::Missing,
            Refusal::Slow,
            Refusal::Garbled,
        ] {
            let words = refusal.words();
            let words: Vec<&str> = words.split(' ').collect();
            assert_eq!(Refusal::of_words(&words), Some(refusal));
            assert!(!refusal.to_string().is_empty() && !refusal.mend().is_empty());
        }
        for words in [&[] as &[&str], &["x"], &["count"], &["count", "+7"], &["token", "x"]] {
            assert_eq!(Refusal::of_words(words), None, "{words:?}");
        }
    }
}
