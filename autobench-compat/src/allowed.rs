//! What a daemon lets an admin ask of httperf: its options and nothing else. The
//! line never meets a shell.

use thiserror::Error;

use crate::words::{self, WordsError};

/// Why a command is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refused {
    /// The line cannot be cut into words.
    #[error(transparent)]
    Words(#[from] WordsError),
    /// Not an option of httperf, or an abbreviation of several.
    #[error("{0} is not an option of httperf")]
    Unknown(String),
    /// An option without what it takes.
    #[error("--{0} takes a value")]
    NoValue(&'static str),
    /// A value for an option that takes none.
    #[error("--{0} takes no value")]
    NeedlessValue(&'static str),
    /// An option that reads a file of this machine.
    #[error("--{0} reads files of this machine (autobenchd --allow-files permits it)")]
    File(&'static str),
}

/// What an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    Value,
    /// Only in the form `--name=value`.
    OptionalValue,
    /// The value names a file.
    File,
}

use Takes::{File, Nothing, OptionalValue, Value};

/// Options of httperf 0.9.0.
const RELEASED: [(&str, Takes); 39] = [
    ("add-header", Value),
    ("burst-length", Value),
    ("client", Value),
    ("close-with-reset", Nothing),
    ("debug", Value),
    ("failure-status", Value),
    ("help", Nothing),
    ("hog", Nothing),
    ("http-version", Value),
    ("max-connections", Value),
    ("max-piped-calls", Value),
    ("method", Value),
    ("no-host-hdr", Nothing),
    ("num-calls", Value),
    ("num-conns", Value),
    ("period", Value),
    ("port", Value),
    ("print-reply", OptionalValue),
    ("print-request", OptionalValue),
    ("rate", Value),
    ("recv-buffer", Value),
    ("retry-on-failure", Nothing),
    ("send-buffer", Value),
    ("server", Value),
    ("server-name", Value),
    ("session-cookies", Nothing),
    ("ssl", Nothing),
    ("ssl-ciphers", Value),
    ("ssl-no-reuse", Nothing),
    ("think-timeout", Value),
    ("timeout", Value),
    ("uri", Value),
    ("verbose", Nothing),
    ("version", Nothing),
    ("wlog", File),
    ("wsess", Value),
    ("wsesslog", File),
    ("wsesspage", Value),
    ("wset", Value),
];

/// Options that later versions added.
const LATER: [(&str, Takes); 13] = [
    ("add-header-file", File),
    ("myaddr", Value),
    ("periodic-stats", Nothing),
    ("runtime", Value),
    ("servers", File),
    ("ssl-ca-file", File),
    ("ssl-ca-path", File),
    ("ssl-certificate", File),
    ("ssl-key", File),
    ("ssl-protocol", Value),
    ("ssl-verify", OptionalValue),
    ("tls-server-name", Value),
    ("use-timer-cache", Nothing),
];

/// The arguments of a line, options spelled in full and with their values attached.
/// Operands are left out: httperf ignores them.
///
/// # Errors
///
/// [`Refused`] for whatever is no option of httperf, and for options that read files
/// unless `files` permits them.
pub fn arguments(line: &str, files: bool) -> Result<Vec<String>, Refused> {
    let mut arguments = Vec::new();
    let mut words = words::split(line)?.into_iter();
    while let Some(word) = words.next() {
        if word == "--" {
            break;
        }
        if let Some(long) = word.strip_prefix("--") {
            arguments.push(option(long, &mut words, files)?);
        } else if word.len() > 1 && word.starts_with('-') {
            return Err(Refused::Unknown(word));
        }
    }
    Ok(arguments)
}

fn option(
    long: &str,
    rest: &mut impl Iterator<Item = String>,
    files: bool,
) -> Result<String, Refused> {
    let (typed, attached) = match long.split_once('=') {
        Some((typed, value)) => (typed, Some(value.to_owned())),
        None => (long, None),
    };
    let unknown = || Refused::Unknown(format!("--{typed}"));
    let (name, takes) =
        find(typed, &RELEASED).or_else(|| find(typed, &LATER)).ok_or_else(unknown)?;
    let value = match takes {
        Nothing if attached.is_some() => return Err(Refused::NeedlessValue(name)),
        Nothing | OptionalValue => attached,
        File if !files => return Err(Refused::File(name)),
        Value | File => Some(attached.or_else(|| rest.next()).ok_or(Refused::NoValue(name))?),
    };
    Ok(match value {
        Some(value) => format!("--{name}={value}"),
        None => format!("--{name}"),
    })
}

/// The option of that name, or the only one that begins so.
fn find(typed: &str, known: &[(&'static str, Takes)]) -> Option<(&'static str, Takes)> {
    let exact = known.iter().find(|(name, _)| *name == typed);
    let mut begins = known.iter().filter(|(name, _)| name.starts_with(typed));
    exact.or_else(|| begins.next().filter(|_| begins.next().is_none())).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_an_admin_passes() {
        let line = "--server 127.0.0.1 --uri \"/1k.html\" --num-conn 20 --num-call 2 --timeout 2 \
                    --rate 2.5 --port 8090  --add-header \"X: y\\n\" --hog  --print-reply body";
        assert_eq!(
            arguments(line, false).unwrap(),
            [
                "--server=127.0.0.1",
                "--uri=/1k.html",
                "--num-conns=20",
                "--num-calls=2",
                "--timeout=2",
                "--rate=2.5",
                "--port=8090",
                "--add-header=X: y\\n",
                "--hog",
                "--print-reply",
            ]
        );
    }

    #[test]
    fn what_is_no_option_is_refused() {
        let unknown = |word: &str| Err(Refused::Unknown(word.to_owned()));
        assert_eq!(arguments("--bogus", false), unknown("--bogus"));
        assert_eq!(arguments("--num-c 3", false), unknown("--num-c"));
        assert_eq!(arguments("-v", false), unknown("-v"));
        assert_eq!(arguments("--rate", false), Err(Refused::NoValue("rate")));
        assert_eq!(arguments("--hog=1", false), Err(Refused::NeedlessValue("hog")));
        assert_eq!(arguments("--uri 'x", false), Err(WordsError::Unclosed('\'').into()));
    }

    #[test]
    fn a_shell_has_no_part_in_it() {
        assert_eq!(
            arguments("--uri \"/$(id)`id`\" ; rm -- --hog | x > y", false).unwrap(),
            ["--uri=/$(id)`id`"]
        );
    }

    #[test]
    fn files_need_permission() {
        for line in ["--wlog n,/etc/passwd", "--wsessl=1,1,f", "--ssl-key f", "--servers=f"] {
            assert!(matches!(arguments(line, false), Err(Refused::File(_))), "{line}");
            assert!(arguments(line, true).is_ok(), "{line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_line_breaks_it_and_only_options_pass(line in "(-|--)?[a-z='\" -]{0,60}") {
            for argument in arguments(&line, true).unwrap_or_default() {
                proptest::prop_assert!(argument.starts_with("--"));
            }
        }
    }
}
