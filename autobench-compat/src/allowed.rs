//! What a daemon lets an admin ask of httperf: its options and nothing else. The
//! line never meets a shell.

use loadgen_core::httperf::{Argument, find_option};
use loadgen_core::shell_words::{self, Unclosed};
use thiserror::Error;

/// Why a command is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refused {
    /// The line cannot be cut into words.
    #[error(transparent)]
    Words(#[from] Unclosed),
    /// Not an option of httperf, or an abbreviation of several.
    #[error("{0} is not an option of httperf")]
    Unknown(String),
    /// An option without what it takes.
    #[error("--{0} takes a value")]
    NoValue(&'static str),
    /// A value for an option that takes none.
    #[error("--{0} takes no value")]
    NeedlessValue(&'static str),
    /// An option that is not for admins, such as one that writes a file.
    #[error("--{0} is not for admins")]
    Forbidden(&'static str),
    /// An option that reads a file of this machine.
    #[error("--{0} reads files of this machine (autobenchd --allow-files permits it)")]
    File(&'static str),
}

/// Options that concern only the test.
const PLAIN: [&str; 45] = [
    "add-header",
    "burst-length",
    "client",
    "close-with-reset",
    "debug",
    "failure-status",
    "help",
    "hog",
    "http-version",
    "max-connections",
    "max-piped-calls",
    "method",
    "myaddr",
    "no-host-hdr",
    "num-calls",
    "num-conns",
    "period",
    "periodic-stats",
    "port",
    "print-reply",
    "print-request",
    "rate",
    "recv-buffer",
    "retry-on-failure",
    "runtime",
    "send-buffer",
    "server",
    "server-name",
    "session-cookies",
    "ssl",
    "ssl-ciphers",
    "ssl-no-reuse",
    "ssl-protocol",
    "ssl-verify",
    "think-timeout",
    "threads",
    "timeout",
    "tls-server-name",
    "uri",
    "use-timer-cache",
    "verbose",
    "version",
    "wsess",
    "wsesspage",
    "wset",
];

/// Options whose value names a file that is read.
const FILES: [&str; 8] = [
    "add-header-file",
    "servers",
    "ssl-ca-file",
    "ssl-ca-path",
    "ssl-certificate",
    "ssl-key",
    "wlog",
    "wsesslog",
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
    let mut words = shell_words::split(line)?.into_iter();
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
    let [option] = find_option(typed.as_bytes())[..] else {
        return Err(Refused::Unknown(format!("--{typed}")));
    };
    let name = option.name;
    match name {
        _ if PLAIN.contains(&name) => {}
        _ if FILES.contains(&name) && files => {}
        _ if FILES.contains(&name) => return Err(Refused::File(name)),
        _ => return Err(Refused::Forbidden(name)),
    }
    let value = match option.argument {
        Argument::None if attached.is_some() => return Err(Refused::NeedlessValue(name)),
        Argument::None | Argument::Optional(_) => attached,
        Argument::Required(_) => {
            Some(attached.or_else(|| rest.next()).ok_or(Refused::NoValue(name))?)
        }
    };
    Ok(match value {
        Some(value) => format!("--{name}={value}"),
        None => format!("--{name}"),
    })
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
        assert_eq!(arguments("--uri 'x", false), Err(Unclosed('\'').into()));
    }

    #[test]
    fn a_shell_has_no_part_in_it() {
        assert_eq!(
            arguments("--uri \"/$(id)`id`\" ; rm -- --hog | x > y", false).unwrap(),
            ["--uri=/$(id)`id`"]
        );
    }

    /// Each option that httperf gets is to be thought of here.
    #[test]
    fn every_option_is_allowed_or_meant_to_be_refused() {
        for option in loadgen_core::httperf::OPTIONS {
            let allowed = PLAIN.contains(&option.name) || FILES.contains(&option.name);
            assert_eq!(allowed, option.name != "json", "{}", option.name);
        }
        assert_eq!(arguments("--json=/tmp/x", true), Err(Refused::Forbidden("json")));
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
