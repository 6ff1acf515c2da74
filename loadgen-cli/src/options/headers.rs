//! The headers of the command line: `NAME: VALUE`, with values from the environment or
//! from files, so that a secret need not stand where `ps` shows it.
//!
//! Invariant: no message tells a value, since any of them may be a secret.

use std::fmt;

use clap::Args;

use crate::exit::Failure;

#[derive(Debug, Args)]
#[command(next_help_heading = "Target")]
pub(crate) struct HeaderOptions {
    /// Header to send (repeatable); replaces Host, User-Agent, … where the request has them
    ///
    /// 'NAME: env:VARIABLE' takes the value from the environment; 'NAME: Bearer env:VARIABLE' keeps
    /// the word before it. '@FILE' reads headers from a file, one a line. Credentials
    /// (Authorization, Cookie, X-Api-Key and the like, and what came from the environment) are
    /// sent, but stand in no report and no message.
    #[arg(long, short = 'H', value_name = "'NAME: VALUE'|@FILE", value_parser = Given::parser)]
    header: Vec<Given>,

    /// Keep the value of the header NAME out of reports and messages, too (repeatable)
    #[arg(long, value_name = "NAME")]
    secret_header: Vec<String>,
}

/// A header as it was given. It is read after clap is through with the command line: its
/// messages would show it.
#[derive(Clone)]
struct Given(String);

impl Given {
    #[allow(clippy::unnecessary_wraps, reason = "clap asks for it")]
    fn parser(text: &str) -> Result<Self, std::convert::Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.split(':').next().unwrap_or_default())
    }
}

/// A header, read.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) name: String,
    pub(crate) value: String,
    /// It came from the environment, or was said to be secret.
    pub(crate) is_secret: bool,
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl HeaderOptions {
    /// The headers, with their values.
    pub(crate) fn read(&self) -> Result<Vec<Header>, Failure> {
        let mut headers = Vec::new();
        for given in &self.header {
            match given.0.strip_prefix('@') {
                Some(file) => headers.extend(of_file(file)?),
                None => headers.push(of_line(&given.0, environment)?),
            }
        }
        for header in &mut headers {
            header.is_secret |= self.secret_names().any(|name| is_same(name, &header.name));
        }
        Ok(headers)
    }

    /// The names of `--secret-header`.
    pub(crate) fn secret_names(&self) -> impl Iterator<Item = &str> {
        self.secret_header.iter().map(|name| name.trim().trim_end_matches(':'))
    }
}

/// Whether two names are those of one header.
pub(crate) fn is_same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// `NAME: VALUE`; the value may be empty. Bytes are checked by the plan.
fn of_line(line: &str, environment: impl Fn(&str) -> Option<String>) -> Result<Header, Failure> {
    let (name, value) = parts(line).ok_or_else(|| {
        Failure::usage("a header (-H) is written 'NAME: VALUE', or @FILE for a file of such lines")
    })?;
    let (before, last) = value.split_once(' ').unwrap_or(("", value));
    let (before, variable) = match (value.strip_prefix("env:"), last.strip_prefix("env:")) {
        (Some(variable), _) => ("", variable),
        (None, Some(variable)) => (before, variable),
        (None, None) => {
            return Ok(Header { name: name.to_owned(), value: value.to_owned(), is_secret: false });
        }
    };
    let found = environment(variable).filter(|found| !found.trim().is_empty());
    let found = found.ok_or_else(|| {
        Failure::usage(format!(
            "the header '{name}' is to be taken from the environment, but the variable \
             '{variable}' is empty, not set, or not text"
        ))
    })?;
    let gap = if before.is_empty() { "" } else { " " };
    let value = format!("{before}{gap}{}", found.trim());
    Ok(Header { name: name.to_owned(), value, is_secret: true })
}

/// The headers of a file, one a line; empty lines and those that begin with `#` are
/// passed over. Values are taken as they are.
fn of_file(file: &str) -> Result<Vec<Header>, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|e| Failure::usage(format!("cannot read headers from '{file}': {e}")))?;
    let lines = text.lines().zip(1..).filter(|(line, _)| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with('#')
    });
    let headers = lines.map(|(line, number)| {
        let (name, value) = parts(line).ok_or_else(|| {
            Failure::usage(format!("line {number} of '{file}' is no header: write NAME: VALUE"))
        })?;
        Ok(Header { name: name.to_owned(), value: value.to_owned(), is_secret: false })
    });
    headers.collect()
}

fn parts(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let name = name.trim();
    (!name.is_empty()).then(|| (name, value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(failure: &Failure) -> &str {
        match failure {
            Failure::Usage(text) => text,
            Failure::Run(_) => panic!("an error of usage was expected: {failure:?}"),
        }
    }

    #[test]
    fn values_come_from_the_environment() {
        let environment = |name: &str| match name {
            "TOKEN" => Some("hunter2\n".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        let header = |line| of_line(line, environment);
        let of = |name: &str, value: &str, is_secret| Header {
            name: name.to_owned(),
            value: value.to_owned(),
            is_secret,
        };
        assert_eq!(header("A: b: c").unwrap(), of("A", "b: c", false));
        assert_eq!(header("A:").unwrap(), of("A", "", false));
        assert_eq!(header("A: env:TOKEN").unwrap(), of("A", "hunter2", true));
        assert_eq!(header("A: Bearer env:TOKEN").unwrap(), of("A", "Bearer hunter2", true));
        assert_eq!(header("A: see the env:TOKEN").unwrap(), of("A", "see the env:TOKEN", false));
        for line in ["A: env:EMPTY", "A: env:NONE", "A: Bearer env:"] {
            assert!(told(&header(line).unwrap_err()).contains("'A'"), "{line}");
        }
        assert!(!told(&header("hunter2").unwrap_err()).contains("hunter2"));
        assert!(!format!("{:?}", header("A: env:TOKEN").unwrap()).contains("hunter2"));
        assert!(!format!("{:?}", Given("A: hunter2".to_owned())).contains("hunter2"));
    }

    #[test]
    fn values_come_from_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("headers");
        let file = path.to_str().unwrap();
        std::fs::write(&path, "# ours\nA: env:X\r\n\n  Cookie : a=b; c \n").unwrap();
        let headers = of_file(file).unwrap();
        let parts: Vec<_> = headers.iter().map(|h| (&*h.name, &*h.value)).collect();
        assert_eq!(parts, [("A", "env:X"), ("Cookie", "a=b; c")]);
        std::fs::write(&path, "A: b\nhunter2\n").unwrap();
        let failure = of_file(file).unwrap_err();
        assert!(told(&failure).contains("line 2") && !told(&failure).contains("hunter2"));
        assert!(told(&of_file("/no/such").unwrap_err()).contains("/no/such"));
    }
}
