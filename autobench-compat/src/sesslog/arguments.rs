//! The command line: at most two operands, and ours on top.

use std::ffi::OsString;
use std::path::Path;

/// What the command line asks for.
#[derive(Debug, PartialEq)]
pub(super) enum Command<'a> {
    Convert { input: Option<&'a Path>, output: Option<&'a Path>, gap_s: Option<f64> },
    Usage,
    BadGap(String),
    Help,
    Version,
}

/// Reads the command line. Words that are no option of ours are files, as they
/// always were, also `-x`.
pub(super) fn parse(args: &[OsString]) -> Command<'_> {
    let mut gap_s = None;
    let mut operands = Vec::new();
    let mut rest = args.iter().skip(1);
    while let Some(arg) = rest.next() {
        let words = arg.to_string_lossy();
        match words.as_ref() {
            "--help" => return Command::Help,
            "--version" => return Command::Version,
            words if words == "--sessions" || words.starts_with("--sessions=") => {
                let value = match words.split_once('=') {
                    Some((_, value)) => value.to_owned(),
                    None => {
                        rest.next().map(|next| next.to_string_lossy().into()).unwrap_or_default()
                    }
                };
                match value.parse::<f64>() {
                    Ok(gap) if gap > 0.0 && gap.is_finite() => gap_s = Some(gap),
                    _ => return Command::BadGap(value),
                }
            }
            _ => operands.push(Path::new(arg)),
        }
    }
    match operands.as_slice() {
        [] => Command::Convert { input: None, output: None, gap_s },
        [input] => Command::Convert { input: Some(input), output: None, gap_s },
        [input, output] => Command::Convert { input: Some(input), output: Some(output), gap_s },
        _ => Command::Usage,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operands_and_our_options() {
        let args = |words: &[&str]| -> Vec<OsString> { words.iter().map(OsString::from).collect() };
        let both = |gap_s| Command::Convert {
            input: Some(Path::new("a")),
            output: Some(Path::new("b")),
            gap_s,
        };
        assert_eq!(parse(&args(&["sesslog", "a", "b"])), both(None));
        assert_eq!(parse(&args(&["sesslog", "a", "--sessions", "1.5", "b"])), both(Some(1.5)));
        assert_eq!(parse(&args(&["sesslog", "--sessions=300", "a", "b"])), both(Some(300.0)));
        assert_eq!(parse(&args(&["sesslog", "a", "b", "c"])), Command::Usage);
        let dashed = Command::Convert { input: Some(Path::new("-x")), output: None, gap_s: None };
        assert_eq!(parse(&args(&["sesslog", "-x"])), dashed);
        for bad in ["0", "-1", "inf", "nan", "x", ""] {
            let args = args(&["sesslog", "--sessions", bad]);
            assert_eq!(parse(&args), Command::BadGap(bad.into()));
        }
        assert_eq!(parse(&args(&["sesslog", "--sessions"])), Command::BadGap(String::new()));
    }
}
