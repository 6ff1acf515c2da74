//! What `strategy=` says to QEMU: a way to move the machine, and what helps it.
//!
//! QEMU has no strategies, but capabilities, parameters and orders; this is where their names
//! meet.

use std::str::FromStr;
use std::time::Duration;

use crate::migration::lists::spec;
use crate::migration::trigger::{Strategy, TriggerError};
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
struct Help {
    name: &'static str,
    capability: &'static str,
    /// The parameter that goes with the capability, and its value.
    parameter: Option<(&'static str, &'static str)>,
}

const fn help(name: &'static str, capability: &'static str) -> Help {
    Help { name, capability, parameter: None }
}

const fn compressed(name: &'static str, by: &'static str) -> Help {
    Help { name, capability: "multifd", parameter: Some(("multifd-compression", by)) }
}

const HELP: [Help; 6] = [
    help("auto-converge", "auto-converge"),
    help("xbzrle", "xbzrle"),
    help("multifd", "multifd"),
    compressed("multifd-zlib", "zlib"),
    compressed("multifd-zstd", "zstd"),
    help("preempt", PREEMPT),
];

/// Pages that the machine waits for overtake the others; of post-copy only.
const PREEMPT: &str = "postcopy-preempt";

/// A strategy, as QEMU is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recipe {
    pub(super) strategy: Strategy,
    /// `None`: the strategy does not say.
    pub(super) postcopy_after: Option<PostcopyAfter>,
    pub(super) capabilities: Vec<String>,
    pub(super) parameters: Vec<(String, String)>,
}

impl FromStr for Recipe {
    type Err = TriggerError;

    /// Reads `BASE[+HELP…]`.
    fn from_str(text: &str) -> Result<Self, TriggerError> {
        let mut words = text.split('+');
        let mut recipe = Self::base(words.next().unwrap_or_default())?;
        words.try_for_each(|word| recipe.add(word))?;
        Ok(recipe)
    }
}

impl Recipe {
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
        let (capabilities, parameters) = (Vec::new(), Vec::new());
        Ok(Self { strategy, postcopy_after, capabilities, parameters })
    }

    fn add(&mut self, word: &str) -> Result<(), TriggerError> {
        let Some(Help { capability, parameter, .. }) = HELP.iter().find(|help| help.name == word)
        else {
            let (word, names) = (word.escape_debug(), HELP.map(|help| help.name).join(", "));
            return Err(spec(format!(
                "'{word}' helps no strategy of QEMU that is known here; known are {names}"
            )));
        };
        if *capability == PREEMPT && self.strategy != Strategy::PostCopy {
            return Err(spec("preempt needs post-copy or hybrid".to_owned()));
        }
        let is_sent_once = self.strategy == Strategy::StopAndCopy;
        if is_sent_once && matches!(*capability, "auto-converge" | "xbzrle") {
            return Err(spec(format!(
                "{capability} does nothing for stop-and-copy, which sends each page once"
            )));
        }
        if self.capabilities.iter().any(|known| known == capability) {
            return Err(spec(format!("{capability} is asked for twice")));
        }
        self.capabilities.push((*capability).to_owned());
        self.parameters.extend(parameter.map(|(name, value)| (name.to_owned(), value.to_owned())));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_and_what_helps_it() {
        let told = |text: &str| {
            let Recipe { strategy, postcopy_after, capabilities, parameters } =
                text.parse().unwrap();
            let parameters: Vec<String> =
                parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
            (strategy, postcopy_after, capabilities.join(" "), parameters.join(" "))
        };
        let of = |strategy, after, capabilities: &str, parameters: &str| {
            (strategy, after, capabilities.to_owned(), parameters.to_owned())
        };
        let pass = Some(PostcopyAfter::FirstPass);
        let compression = "multifd-compression=zstd";
        assert_eq!(told("stop-and-copy"), of(Strategy::StopAndCopy, None, "", ""));
        let pre_copy = of(Strategy::PreCopy, None, "auto-converge xbzrle", "");
        assert_eq!(told("pre-copy+auto-converge+xbzrle"), pre_copy);
        let zstd = of(Strategy::StopAndCopy, None, "multifd", compression);
        assert_eq!(told("stop-and-copy+multifd-zstd"), zstd);
        assert_eq!(told("hybrid"), of(Strategy::PostCopy, pass, "", ""));
        assert_eq!(told("hybrid+preempt"), of(Strategy::PostCopy, pass, "postcopy-preempt", ""));
        let post_copy = of(Strategy::PostCopy, None, "postcopy-preempt", "");
        assert_eq!(told("post-copy+preempt"), post_copy);
    }

    #[test]
    fn what_goes_not_together_is_refused() {
        let cases = [
            ("warm", "unknown strategy 'warm'"),
            ("", "unknown strategy ''"),
            (
                "pre-copy+zstd",
                "'zstd' helps no strategy of QEMU that is known here; known are auto",
            ),
            ("pre-copy+", "'' helps no strategy"),
            ("pre-copy+preempt", "preempt needs post-copy or hybrid"),
            ("stop-and-copy+xbzrle", "xbzrle does nothing for stop-and-copy"),
            ("pre-copy+multifd+multifd-zstd", "multifd is asked for twice"),
        ];
        for (text, reason) in cases {
            let error = text.parse::<Recipe>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
        let error = "soon".parse::<PostcopyAfter>().unwrap_err().to_string();
        assert!(error.contains("or 'pass' for the end of the first pass"), "{error}");
    }
}
