//! The names of strategies, as triggers of hypervisors take them: a way to move the machine, and
//! what helps it, as in `pre-copy+auto-converge`. Each hypervisor has orders of its own for them.

use std::str::FromStr;
use std::time::Duration;

use super::lists::spec;
use super::trigger::{Strategy, TriggerError};
use crate::units::parse_duration;

/// When post-copy takes over from pre-copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PostcopyAfter {
    /// So long after the first pass over the memory began.
    Time(Duration),
    /// When that pass is over: all of the memory was sent once, as libvirt does it with
    /// `--postcopy-after-precopy`.
    FirstPass,
}

impl Default for PostcopyAfter {
    fn default() -> Self {
        Self::Time(Duration::from_secs(1))
    }
}

impl FromStr for PostcopyAfter {
    type Err = TriggerError;

    fn from_str(text: &str) -> Result<Self, TriggerError> {
        if text == "pass" {
            return Ok(Self::FirstPass);
        }
        let time = parse_duration(text);
        time.map(Self::Time).map_err(|error| {
            spec(format!("postcopy-after: {error}, or 'pass' for the end of the first pass"))
        })
    }
}

/// What helps a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Help {
    /// Slows the machine's CPUs down until the copy can keep up.
    AutoConverge,
    /// Sends the difference of pages that were sent before.
    Xbzrle,
    /// Several connections.
    Multifd,
    MultifdZlib,
    MultifdZstd,
    /// Pages that the machine waits for overtake the others; of post-copy only.
    Preempt,
}

impl Help {
    const ALL: [Self; 6] = [
        Self::AutoConverge,
        Self::Xbzrle,
        Self::Multifd,
        Self::MultifdZlib,
        Self::MultifdZstd,
        Self::Preempt,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::AutoConverge => "auto-converge",
            Self::Xbzrle => "xbzrle",
            Self::Multifd => "multifd",
            Self::MultifdZlib => "multifd-zlib",
            Self::MultifdZstd => "multifd-zstd",
            Self::Preempt => "preempt",
        }
    }

    /// What of it there can be once only.
    fn family(self) -> &'static str {
        match self {
            Self::MultifdZlib | Self::MultifdZstd => Self::Multifd.name(),
            _ => self.name(),
        }
    }
}

/// A strategy with what helps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) strategy: Strategy,
    /// `None`: the name does not say.
    pub(super) postcopy_after: Option<PostcopyAfter>,
    pub(super) help: Vec<Help>,
}

impl FromStr for Way {
    type Err = TriggerError;

    /// Reads `BASE[+HELP…]`.
    fn from_str(text: &str) -> Result<Self, TriggerError> {
        let mut words = text.split('+');
        let mut way = Self::base(words.next().unwrap_or_default())?;
        words.try_for_each(|word| way.add(word))?;
        Ok(way)
    }
}

impl Way {
    fn base(name: &str) -> Result<Self, TriggerError> {
        let (strategy, postcopy_after) = if name == "hybrid" {
            (Strategy::PostCopy, Some(PostcopyAfter::FirstPass))
        } else {
            let strategy = name.parse().map_err(|_: TriggerError| {
                spec(format!(
                    "unknown strategy '{}': choose pre-copy, post-copy, stop-and-copy or hybrid, \
                     and add what helps it, as in pre-copy+auto-converge",
                    name.escape_debug()
                ))
            })?;
            (strategy, None)
        };
        Ok(Self { strategy, postcopy_after, help: Vec::new() })
    }

    fn add(&mut self, word: &str) -> Result<(), TriggerError> {
        let Some(help) = Help::ALL.into_iter().find(|help| help.name() == word) else {
            let (word, names) = (word.escape_debug(), Help::ALL.map(Help::name).join(", "));
            return Err(spec(format!(
                "'{word}' helps no strategy that is known here; known are {names}"
            )));
        };
        if help == Help::Preempt && self.strategy != Strategy::PostCopy {
            return Err(spec("preempt needs post-copy or hybrid".to_owned()));
        }
        let is_sent_once = self.strategy == Strategy::StopAndCopy;
        if is_sent_once && matches!(help, Help::AutoConverge | Help::Xbzrle) {
            return Err(spec(format!(
                "{} does nothing for stop-and-copy, which sends each page once",
                help.name()
            )));
        }
        if self.help.iter().any(|known| known.family() == help.family()) {
            return Err(spec(format!("{} is asked for twice", help.family())));
        }
        self.help.push(help);
        Ok(())
    }
}

/// Checks that the keys of a specification about post-copy go with its strategy, which is a hybrid or
/// not.
pub(super) fn check_postcopy(
    strategy: Strategy,
    is_hybrid: bool,
    keys: &[String],
) -> Result<(), TriggerError> {
    let about_it = |key: &&String| *key == "postcopy-after" || *key == "max-postcopy-bandwidth";
    if strategy != Strategy::PostCopy
        && let Some(key) = keys.iter().find(about_it)
    {
        return Err(spec(format!("{key} needs strategy=post-copy or hybrid")));
    }
    if is_hybrid && keys.iter().any(|key| key == "postcopy-after") {
        return Err(spec(
            "hybrid says itself when post-copy begins: leave postcopy-after out, or write \
             strategy=post-copy"
                .to_owned(),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_and_what_helps_it() {
        let way = |strategy, postcopy_after, help: &[Help]| Way {
            strategy,
            postcopy_after,
            help: help.to_vec(),
        };
        let pass = Some(PostcopyAfter::FirstPass);
        for (text, wanted) in [
            ("stop-and-copy", way(Strategy::StopAndCopy, None, &[])),
            (
                "pre-copy+auto-converge+xbzrle",
                way(Strategy::PreCopy, None, &[Help::AutoConverge, Help::Xbzrle]),
            ),
            ("stop-and-copy+multifd-zstd", way(Strategy::StopAndCopy, None, &[Help::MultifdZstd])),
            ("hybrid", way(Strategy::PostCopy, pass, &[])),
            ("hybrid+preempt", way(Strategy::PostCopy, pass, &[Help::Preempt])),
            ("post-copy+preempt", way(Strategy::PostCopy, None, &[Help::Preempt])),
        ] {
            assert_eq!(text.parse::<Way>().unwrap(), wanted, "{text}");
        }
    }

    #[test]
    fn what_goes_not_together_is_refused() {
        let cases = [
            ("warm", "unknown strategy 'warm'"),
            ("", "unknown strategy ''"),
            ("pre-copy+zstd", "'zstd' helps no strategy that is known here; known are auto"),
            ("pre-copy+", "'' helps no strategy"),
            ("pre-copy+preempt", "preempt needs post-copy or hybrid"),
            ("stop-and-copy+xbzrle", "xbzrle does nothing for stop-and-copy"),
            ("pre-copy+multifd+multifd-zstd", "multifd is asked for twice"),
        ];
        for (text, reason) in cases {
            let error = text.parse::<Way>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
        let error = "soon".parse::<PostcopyAfter>().unwrap_err().to_string();
        assert!(error.contains("or 'pass' for the end of the first pass"), "{error}");
    }
}
