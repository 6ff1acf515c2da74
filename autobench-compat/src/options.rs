//! The command line of the autobench tools, by the rules of the module they used:
//! one or two dashes, any case, unique abbreviations, `--name value` and
//! `--name=value`; a wrong option is complained about and the run goes on.

/// What an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Nothing; the value is then `1`.
    Nothing,
    /// A text; without one, the empty text.
    OptionalText,
    /// A text, whatever it looks like.
    Text,
    /// A whole number; without one, `0`.
    Integer,
}

/// One known option.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// Its name, in lower case.
    pub name: &'static str,
    /// What it takes.
    pub takes: Takes,
    /// Whether the original has it. Ours must be spelled in full, so that no
    /// abbreviation of an old script changes its meaning.
    pub original: bool,
}

impl Known {
    /// An option of the original.
    #[must_use]
    pub const fn original(name: &'static str, takes: Takes) -> Self {
        Self { name, takes, original: true }
    }

    /// An option of ours.
    #[must_use]
    pub const fn ours(name: &'static str, takes: Takes) -> Self {
        Self { name, takes, original: false }
    }
}

/// What a command line says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    /// Name and value, in the order given; of a repeated option the last counts.
    pub values: Vec<(&'static str, String)>,
    /// Complaints, one line each, without the line end.
    pub complaints: Vec<String>,
}

/// Reads the arguments after the program's name. Operands are ignored.
#[must_use]
pub fn parse(arguments: &[String], known: &[Known]) -> Given {
    let mut given = Given::default();
    let mut rest = arguments.iter().peekable();
    while let Some(argument) = rest.next() {
        if argument == "--" {
            break;
        }
        let Some(body) = option_body(argument) else { continue };
        let (name, attached) = match body.split_once('=') {
            Some((name, value)) if !name.is_empty() => (name, Some(value)),
            _ => (body, None),
        };
        let option = match find(name, known) {
            Ok(option) => option,
            Err(complaint) => {
                given.complaints.push(complaint);
                continue;
            }
        };
        let next = rest.peek().map(|next| next.as_str());
        match value(option, attached, next) {
            Ok(Value::Here(value)) => given.values.push((option.name, value)),
            Ok(Value::Next(value)) => {
                given.values.push((option.name, value));
                rest.next();
            }
            Err(complaint) => given.complaints.push(complaint),
        }
    }
    given
}

/// The argument without its dashes (or its plus), if it is an option.
fn option_body(argument: &str) -> Option<&str> {
    let body = argument.strip_prefix("--").or_else(|| argument.strip_prefix(['-', '+']))?;
    (!body.is_empty()).then_some(body)
}

fn find<'a>(name: &str, known: &'a [Known]) -> Result<&'a Known, String> {
    let name = name.to_ascii_lowercase();
    // The original's names have underscores, so ours are found with them, too.
    let is_ours = |option: &Known| !option.original && option.name == name.replace('_', "-");
    if let Some(exact) = known.iter().find(|option| option.name == name || is_ours(option)) {
        return Ok(exact);
    }
    let mut candidates: Vec<&Known> =
        known.iter().filter(|option| option.original && option.name.starts_with(&name)).collect();
    candidates.sort_by_key(|option| option.name);
    match candidates.as_slice() {
        [] => Err(format!("Unknown option: {name}")),
        [one] => Ok(one),
        several => {
            let names: Vec<&str> = several.iter().map(|option| option.name).collect();
            Err(format!("Option {name} is ambiguous ({})", names.join(", ")))
        }
    }
}

/// A value, and where it stood.
enum Value {
    /// Attached to the option, or left out.
    Here(String),
    /// The next argument.
    Next(String),
}

fn value(option: &Known, attached: Option<&str>, next: Option<&str>) -> Result<Value, String> {
    let name = option.name;
    match (option.takes, attached) {
        (Takes::Nothing, None) => Ok(Value::Here("1".to_owned())),
        (Takes::Nothing, Some(_)) => Err(format!("Option {name} does not take an argument")),
        (Takes::Text, Some("")) => Err(format!("Option {name} requires an argument")),
        (Takes::Text | Takes::OptionalText, Some(value)) => Ok(Value::Here(value.to_owned())),
        (Takes::Text, None) => match next {
            Some(next) => Ok(Value::Next(next.to_owned())),
            None => Err(format!("Option {name} requires an argument")),
        },
        (Takes::OptionalText, None) => Ok(match next {
            Some(next) if !looks_like_option(next) => Value::Next(next.to_owned()),
            _ => Value::Here(String::new()),
        }),
        (Takes::Integer, Some("")) => Ok(Value::Here("0".to_owned())),
        (Takes::Integer, Some(value)) => match integer(value) {
            Some(value) => Ok(Value::Here(value)),
            None => Err(format!("Value \"{value}\" invalid for option {name} (number expected)")),
        },
        // A word that is no number stays where it is, as an operand.
        (Takes::Integer, None) => Ok(match next.and_then(integer) {
            Some(value) => Value::Next(value),
            None => Value::Here("0".to_owned()),
        }),
    }
}

fn looks_like_option(argument: &str) -> bool {
    argument.len() > 1 && argument.starts_with(['-', '+'])
}

/// A whole number in the shortest form: `+1_000` is `1000`.
fn integer(text: &str) -> Option<String> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let shaped = digits.bytes().all(|b| b.is_ascii_digit() || b == b'_')
        && digits.bytes().any(|b| b.is_ascii_digit());
    shaped.then(|| crate::perl::text(crate::perl::number(&text.replace('_', ""))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [Known; 8] = [
        Known::original("host1", Takes::OptionalText),
        Known::original("host2", Takes::OptionalText),
        Known::original("high_rate", Takes::Integer),
        Known::original("timeout", Takes::Integer),
        Known::original("output_fmt", Takes::Text),
        Known::original("quiet", Takes::Nothing),
        Known::original("single_host", Takes::Nothing),
        Known::ours("time-line", Takes::Nothing),
    ];

    /// `name=<value>` of each option, then the complaints.
    fn read(line: &[&str]) -> String {
        let arguments: Vec<String> = line.iter().map(|&word| word.to_owned()).collect();
        let given = parse(&arguments, &KNOWN);
        let values = given.values.iter().map(|(name, value)| format!("{name}=<{value}>"));
        values.chain(given.complaints).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn dashes_case_and_abbreviations() {
        assert_eq!(read(&["-single", "--q"]), "single_host=<1> quiet=<1>");
        assert_eq!(read(&["--OUT", "csv", "--Host1=x"]), "output_fmt=<csv> host1=<x>");
        assert_eq!(read(&["+quiet"]), "quiet=<1>");
        assert_eq!(read(&["-", "--quiet", "--", "--single"]), "quiet=<1>");
        assert_eq!(read(&["x", "--quiet", "y"]), "quiet=<1>");
    }

    #[test]
    fn integers() {
        assert_eq!(read(&["--timeout", "2.5"]), "timeout=<0>");
        assert_eq!(read(&["--timeout"]), "timeout=<0>");
        assert_eq!(read(&["--timeout="]), "timeout=<0>");
        assert_eq!(read(&["--timeout", "-5"]), "timeout=<-5>");
        assert_eq!(read(&["--timeout", "+5"]), "timeout=<5>");
        assert_eq!(read(&["--timeout", "010"]), "timeout=<10>");
        assert_eq!(read(&["--timeout=1_000"]), "timeout=<1000>");
        assert_eq!(read(&["--timeout", "--quiet"]), "timeout=<0> quiet=<1>");
        assert_eq!(
            read(&["--timeout=2.5"]),
            "Value \"2.5\" invalid for option timeout (number expected)"
        );
    }

    #[test]
    fn texts() {
        assert_eq!(read(&["--host1"]), "host1=<>");
        assert_eq!(read(&["--host1", ""]), "host1=<>");
        assert_eq!(read(&["--host1", "--quiet"]), "host1=<> quiet=<1>");
        assert_eq!(read(&["--host1=--quiet"]), "host1=<--quiet>");
        assert_eq!(read(&["--host1", "-"]), "host1=<->");
        assert_eq!(read(&["--output_fmt", "--quiet"]), "output_fmt=<--quiet>");
        assert_eq!(read(&["--output_fmt"]), "Option output_fmt requires an argument");
        assert_eq!(read(&["--output_fmt="]), "Option output_fmt requires an argument");
    }

    #[test]
    fn complaints() {
        assert_eq!(read(&["--BoGus=3"]), "Unknown option: bogus");
        assert_eq!(read(&["---quiet"]), "Unknown option: -quiet");
        assert_eq!(read(&["-5"]), "Unknown option: 5");
        assert_eq!(read(&["--=3"]), "Unknown option: =3");
        assert_eq!(read(&["--h", "x"]), "Option h is ambiguous (high_rate, host1, host2)");
        assert_eq!(read(&["--quiet=1"]), "Option quiet does not take an argument");
    }

    #[test]
    fn options_of_ours_take_no_part_in_abbreviations() {
        assert_eq!(read(&["--time", "3"]), "timeout=<3>");
        assert_eq!(read(&["--time-l"]), "Unknown option: time-l");
        assert_eq!(read(&["--time-line", "--time_line"]), "time-line=<1> time-line=<1>");
    }

    proptest::proptest! {
        #[test]
        fn no_command_line_breaks_it(
            line in proptest::collection::vec("(-|--|\\+)?[a-z_=0-9é. -]{0,12}", 0..8)
        ) {
            let given = parse(&line, &KNOWN);
            proptest::prop_assert!(given.values.len() + given.complaints.len() <= line.len());
        }
    }
}
