//! The command line, by the rules and in the words of glibc's `getopt`.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use super::Order;

/// Length of lines under a bare `-w`.
const WRAP: u64 = 80;

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    Make(Order),
    WrapTooSmall,
    Usage,
    Help,
    Version,
}

#[derive(Default)]
struct Given {
    file: Option<PathBuf>,
    size: Option<i64>,
    sparse: bool,
    wrap: Option<i64>,
}

/// Reads the command line. Options that are unknown or lack their argument are
/// told on `stderr` and skipped, operands are ignored.
pub(super) fn parse(args: &[OsString], stderr: &mut dyn Write) -> Command {
    let program = args.first().map_or(b"crfile".as_slice(), |name| name.as_bytes());
    let mut given = Given::default();
    let mut rest = args.iter().skip(1);
    while let Some(arg) = rest.next() {
        match arg.as_bytes() {
            b"--" => break,
            b"--help" => return Command::Help,
            b"--version" => return Command::Version,
            [b'-', letters @ ..] if !letters.is_empty() => {
                cluster(letters, &mut rest, &mut given, &mut |complaint, letter| {
                    let line = [program, b": ", complaint.as_bytes(), b" -- '", &[letter], b"'\n"];
                    let _ = stderr.write_all(&line.concat());
                });
            }
            _ => {}
        }
    }
    match given {
        Given { wrap: Some(length), .. } if length < 2 => Command::WrapTooSmall,
        Given { file: Some(file), size: Some(size), sparse, wrap } => {
            Command::Make(Order { file, size, sparse, wrap: wrap.map(i64::unsigned_abs) })
        }
        _ => Command::Usage,
    }
}

/// The letters behind one dash: `-nw20`.
fn cluster<'a>(
    mut letters: &[u8],
    rest: &mut impl Iterator<Item = &'a OsString>,
    given: &mut Given,
    complain: &mut dyn FnMut(&str, u8),
) {
    while let [letter, glued @ ..] = letters {
        letters = glued;
        match letter {
            b'n' => given.sparse = true,
            b'w' => {
                given.wrap = Some(if glued.is_empty() { WRAP as i64 } else { strtol(glued) });
                return;
            }
            b'f' | b's' => {
                let argument = if glued.is_empty() {
                    rest.next().map(OsString::as_os_str)
                } else {
                    Some(OsStr::from_bytes(glued))
                };
                match (letter, argument) {
                    (_, None) => complain("option requires an argument", *letter),
                    (b'f', Some(name)) => {
                        given.file = Some(OsString::from_vec(name.as_bytes().to_vec()).into());
                    }
                    (_, Some(size)) => given.size = Some(strtol(size.as_bytes())),
                }
                return;
            }
            unknown => complain("invalid option", *unknown),
        }
    }
}

/// C's `strtol` to base 10: blanks, a sign, digits, then anything; junk is 0,
/// too large a number the largest.
fn strtol(text: &[u8]) -> i64 {
    let text = text.trim_ascii_start();
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    digits.iter().take_while(|digit| digit.is_ascii_digit()).fold(0_i64, |value, digit| {
        let digit = i64::from(digit - b'0');
        let value = value.saturating_mul(10);
        if negative { value.saturating_sub(digit) } else { value.saturating_add(digit) }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(args: &[&str]) -> (Command, String) {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        let mut stderr = Vec::new();
        let command = parse(&args, &mut stderr);
        (command, String::from_utf8_lossy(&stderr).into_owned())
    }

    fn order(file: &str, size: i64, sparse: bool, wrap: Option<u64>) -> Command {
        Command::Make(Order { file: file.into(), size, sparse, wrap })
    }

    #[test]
    fn options_may_be_glued_spaced_repeated_and_after_operands() {
        for args in [
            &["crfile", "-f", "a", "-s", "10", "-n"][..],
            &["crfile", "-fa", "-s10", "-n"],
            &["crfile", "operand", "-nfa", "-s", "99", "-s10"],
            &["crfile", "-n", "-s", " +10kB", "-f", "a", "--", "-f", "b"],
        ] {
            assert_eq!(parsed(args), (order("a", 10, true, None), String::new()), "{args:?}");
        }
        // The length must be glued: 20 is an operand here.
        let (command, _) = parsed(&["crfile", "-w", "20", "-f", "-s", "-s", "-5"]);
        assert_eq!(command, order("-s", -5, false, Some(80)));
    }

    #[test]
    fn errors_of_getopt() {
        let (command, stderr) = parsed(&["./crfile", "-xnz", "-fa", "-s"]);
        assert_eq!(command, Command::Usage);
        assert_eq!(
            stderr,
            "./crfile: invalid option -- 'x'\n./crfile: invalid option -- 'z'\n\
             ./crfile: option requires an argument -- 's'\n"
        );
        assert_eq!(parsed(&[]).0, Command::Usage);
        assert_eq!(parsed(&["crfile", "-"]).0, Command::Usage);
        assert_eq!(parsed(&["crfile", "-w-3"]).0, Command::WrapTooSmall);
    }

    #[test]
    fn numbers_as_strtol_reads_them() {
        for (text, value) in [
            ("1000", 1000),
            ("abc", 0),
            ("", 0),
            ("0x10", 0),
            ("1e3", 1),
            ("\t -12x", -12),
            ("99999999999999999999", i64::MAX),
            ("-99999999999999999999", i64::MIN),
        ] {
            assert_eq!(strtol(text.as_bytes()), value, "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(args in prop::collection::vec("(-[fsnwx]*)?\\PC{0,6}", 0..6)) {
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let (command, _) = parsed(&args);
            if let Command::Make(order) = command {
                prop_assert!(order.wrap.is_none_or(|length| length >= 2));
            }
        }
    }
}
