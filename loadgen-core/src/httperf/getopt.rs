//! GNU `getopt_long` over the table of options, with glibc's messages.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::slice::Iter;

use super::table::{Argument, OPTIONS, OptionEntry, Origin};

/// An option found on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Given<'a> {
    pub(super) option: &'static OptionEntry,
    pub(super) value: Option<&'a [u8]>,
}

/// Walks over the arguments; operands are passed over. An error is the message
/// to print, without the name of the program.
pub(super) struct Getopt<'a> {
    args: Iter<'a, OsString>,
    /// The rest of a cluster of short options.
    cluster: &'a [u8],
}

impl<'a> Getopt<'a> {
    /// `args` without the name of the program.
    pub(super) fn new(args: &'a [OsString]) -> Self {
        Self { args: args.iter(), cluster: b"" }
    }

    fn next_word(&mut self) -> Option<&'a [u8]> {
        self.args.next().map(|word| word.as_bytes())
    }

    fn long(&mut self, word: &'a [u8]) -> Result<Given<'a>, Vec<u8>> {
        let (name, given) = match word.iter().position(|b| *b == b'=') {
            Some(at) => (word.get(..at).unwrap_or_default(), word.get(at + 1..)),
            None => (word, None),
        };
        let option = match find_option(name).as_slice() {
            [option] => *option,
            [] => return Err([b"unrecognized option '--", word, b"'"].concat()),
            many => {
                let mut message = [b"option '--", word, b"' is ambiguous; possibilities:"].concat();
                for option in many {
                    message.extend_from_slice(format!(" '--{}'", option.name).as_bytes());
                }
                return Err(message);
            }
        };
        let value = match (option.argument, given) {
            (Argument::None, Some(_)) => {
                let name = option.name;
                return Err(format!("option '--{name}' doesn't allow an argument").into_bytes());
            }
            (Argument::Required(_), None) => Some(self.next_word().ok_or_else(|| {
                format!("option '--{}' requires an argument", option.name).into_bytes()
            })?),
            (_, given) => given,
        };
        Ok(Given { option, value })
    }

    fn short(&mut self, letter: u8, rest: &'a [u8]) -> Result<Given<'a>, Vec<u8>> {
        self.cluster = rest;
        let known = |option: &&OptionEntry| option.short == Some(char::from(letter));
        let Some(option) = OPTIONS.iter().find(known) else {
            return Err([b"invalid option -- '" as &[u8], &[letter], b"'"].concat());
        };
        let value = match option.argument {
            Argument::Required(_) => {
                self.cluster = b"";
                let glued = Some(rest).filter(|rest| !rest.is_empty());
                Some(glued.or_else(|| self.next_word()).ok_or_else(|| {
                    [b"option requires an argument -- '" as &[u8], &[letter], b"'"].concat()
                })?)
            }
            _ => None,
        };
        Ok(Given { option, value })
    }
}

impl<'a> Iterator for Getopt<'a> {
    type Item = Result<Given<'a>, Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some((letter, rest)) = self.cluster.split_first() {
            return Some(self.short(*letter, rest));
        }
        loop {
            match self.next_word()? {
                b"--" => {
                    self.args = Iter::default();
                    return None;
                }
                [b'-', b'-', word @ ..] => return Some(self.long(word)),
                [b'-', letter, rest @ ..] => return Some(self.short(*letter, rest)),
                _ => {}
            }
        }
    }
}

/// The options that `name` may mean: the one of that name, else those that begin
/// with it. An abbreviation that httperf 0.9.0 knows keeps its meaning, so later
/// options are looked at only if none of the earlier ones fits.
#[must_use]
pub fn find_option(name: &[u8]) -> Vec<&'static OptionEntry> {
    if let Some(exact) = OPTIONS.iter().find(|option| option.name.as_bytes() == name) {
        return vec![exact];
    }
    [Origin::Original, Origin::Unreleased, Origin::Loadgen]
        .into_iter()
        .map(|origin| {
            let fits = |o: &&OptionEntry| o.origin == origin && o.name.as_bytes().starts_with(name);
            OPTIONS.iter().filter(fits).collect::<Vec<_>>()
        })
        .find(|fitting| !fitting.is_empty())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Vec<Result<(&'static str, Option<String>), String>> {
        let args: Vec<_> = line.split(' ').map(OsString::from).collect();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Getopt::new(&args)
            .map(|given| match given {
                Ok(given) => Ok((given.option.name, given.value.map(text))),
                Err(message) => Err(text(&message)),
            })
            .collect()
    }

    fn given(name: &'static str, value: &str) -> Result<(&'static str, Option<String>), String> {
        Ok((name, Some(value.to_owned())))
    }

    fn flag(name: &'static str) -> Result<(&'static str, Option<String>), String> {
        Ok((name, None))
    }

    #[test]
    fn long_options_in_all_their_forms() {
        assert_eq!(parse("--rate 5 --rate=6 --ra 7"), ["5", "6", "7"].map(|v| given("rate", v)));
        // Only with a sign of equality; the word is an operand.
        assert_eq!(parse("--print-reply body --hog"), [flag("print-reply"), flag("hog")]);
        assert_eq!(parse("--print-rep=body"), [given("print-reply", "body")]);
        assert_eq!(parse("--rate --hog"), [given("rate", "--hog")]);
        assert_eq!(parse("--uri=a=b --uri="), [given("uri", "a=b"), given("uri", "")]);
        assert_eq!(parse("a --hog b -- --ssl"), [flag("hog")]);
    }

    #[test]
    fn short_options_in_all_their_forms() {
        assert_eq!(parse("-vvV"), ["verbose", "verbose", "version"].map(flag));
        assert_eq!(parse("-vd3"), [flag("verbose"), given("debug", "3")]);
        assert_eq!(parse("-d 3 - -n"), [given("debug", "3"), flag("periodic-stats")]);
    }

    /// Each as the original answers.
    #[test]
    fn messages() {
        for (line, message) in [
            ("--bogus=5", "unrecognized option '--bogus=5'"),
            ("---", "unrecognized option '---'"),
            (
                "--num-c=5",
                "option '--num-c=5' is ambiguous; possibilities: '--num-calls' '--num-conns'",
            ),
            ("--rat", "option '--rate' requires an argument"),
            ("--he=3", "option '--help' doesn't allow an argument"),
            ("-x", "invalid option -- 'x'"),
            ("-vd", "option requires an argument -- 'd'"),
        ] {
            assert_eq!(parse(line).pop(), Some(Err(message.to_owned())), "{line}");
        }
    }

    /// Nothing that later options bring may change what 0.9.0 understands.
    #[test]
    fn abbreviations_of_the_original_keep_their_meaning() {
        let originals = || OPTIONS.iter().filter(|o| o.origin == Origin::Original);
        for option in originals() {
            for end in 1..=option.name.len() {
                let name = &option.name[..end];
                let fitting: Vec<_> = match originals().find(|o| o.name == name) {
                    Some(exact) => vec![exact],
                    None => originals().filter(|o| o.name.starts_with(name)).collect(),
                };
                // The only exact names among abbreviations would be later options.
                let later = OPTIONS.iter().any(|o| o.origin != Origin::Original && o.name == name);
                assert!(!later, "{name} would change its meaning");
                assert_eq!(find_option(name.as_bytes()), fitting, "{name}");
            }
        }
        for (name, meant) in [
            ("a", "add-header"),
            ("ssl-c", "ssl-ciphers"),
            ("pe", "period"),
            ("u", "uri"),
            ("th", "think-timeout"),
            ("ru", "runtime"),
            ("thr", "threads"),
            ("j", "json"),
            ("servers", "servers"),
        ] {
            assert_eq!(find_option(name.as_bytes()).first().map(|o| o.name), Some(meant), "{name}");
            assert_eq!(find_option(name.as_bytes()).len(), 1, "{name}");
        }
    }

    #[test]
    fn the_table_names_nothing_twice() {
        for (i, option) in OPTIONS.iter().enumerate() {
            for other in &OPTIONS[i + 1..] {
                assert_ne!(option.name, other.name);
                assert_ne!(option.id, other.id);
                assert!(option.short.is_none() || option.short != other.short);
            }
        }
    }
}
