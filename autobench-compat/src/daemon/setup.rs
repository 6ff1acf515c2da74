//! The command line of `autobenchd`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};

use thiserror::Error;

use super::{PORT, Settings};
use crate::options::{self, Known, Takes};
use crate::perl;

/// Answer to `--help`.
pub const HELP: &str = include_str!("autobenchd.help");

const KNOWN: [Known; 8] = [
    Known::original("port", Takes::Integer),
    Known::original("bindaddr", Takes::Text),
    Known::original("verbose", Takes::Nothing),
    Known::original("debug", Takes::Nothing),
    Known::original("help", Takes::Nothing),
    Known::ours("listen", Takes::Text),
    Known::ours("httperf", Takes::Text),
    Known::ours("allow-files", Takes::Nothing),
];

/// What a command line asks for.
#[derive(Debug, Clone)]
pub struct Setup {
    /// How the daemon is set up.
    pub settings: Settings,
    /// Whether the address was chosen by us.
    pub by_default: bool,
    /// Whether progress is told.
    pub verbose: bool,
    /// Whether raw reports are shown.
    pub debug: bool,
    /// Whether only the usage is asked for.
    pub help: bool,
    /// The program that runs tests, if it is not loadgen's engine.
    pub httperf: Option<String>,
    /// Complaints about the command line, one line each.
    pub complaints: Vec<String>,
}

/// A command line that gives no address.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SetupError {
    /// Out of range.
    #[error("'{0}' is not a port (0 to 65535)")]
    Port(String),
    /// A name that does not resolve.
    #[error("cannot listen on '{0}': no such address (known forms: HOST, HOST:PORT, [IPV6]:PORT)")]
    Address(String),
}

impl Setup {
    /// Reads the arguments after the program's name.
    ///
    /// # Errors
    ///
    /// [`SetupError`].
    pub fn read(arguments: &[String]) -> Result<Self, SetupError> {
        let given = options::parse(arguments, &KNOWN);
        let value = |wanted| {
            let mut values = given.values.iter().rev();
            values.find(|(name, _)| *name == wanted).map(|(_, value)| value.as_str())
        };
        let port = value("port")
            .map_or(Ok(PORT), |port| port.parse().map_err(|_| SetupError::Port(port.to_owned())))?;
        let asked = value("listen").or(value("bindaddr"));
        let loopback = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        let address = asked.map_or(Ok(loopback), |asked| address(asked, port))?;
        let mut settings = Settings::at(address);
        settings.files |= value("allow-files").is_some();
        let flag = |name| value(name).is_some();
        Ok(Self {
            settings,
            by_default: asked.is_none(),
            verbose: flag("verbose"),
            debug: flag("debug"),
            help: flag("help"),
            httperf: value("httperf").map(str::to_owned),
            complaints: given.complaints.clone(),
        })
    }

    /// Debugging output, if the environment's `DEBUG` has this value.
    #[must_use]
    pub fn with_environment(mut self, debug: Option<&str>) -> Self {
        self.debug |= debug.is_some_and(perl::is_true);
        self
    }
}

/// `HOST`, `HOST:PORT` or `[IPV6]:PORT`.
fn address(text: &str, port: u16) -> Result<SocketAddr, SetupError> {
    let unknown = || SetupError::Address(text.to_owned());
    let first =
        |host: &str, port| (host, port).to_socket_addrs().ok().and_then(|mut found| found.next());
    if let Ok(ip) = text.parse() {
        return Ok(SocketAddr::new(ip, port));
    }
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    match text.rsplit_once(':') {
        Some((host, port)) => first(host, port.parse().map_err(|_| unknown())?),
        None => first(text, port),
    }
    .ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &[&str]) -> Result<Setup, SetupError> {
        let arguments: Vec<String> = line.iter().map(|&word| word.to_owned()).collect();
        Setup::read(&arguments)
    }

    fn listens(line: &[&str]) -> String {
        read(line).unwrap().settings.address.to_string()
    }

    #[test]
    fn loopback_unless_told_otherwise() {
        assert_eq!(listens(&[]), "127.0.0.1:4600");
        assert_eq!(listens(&["--port", "8099"]), "127.0.0.1:8099");
        assert_eq!(listens(&["-p=8099", "--bind", "0.0.0.0"]), "0.0.0.0:8099");
        assert_eq!(listens(&["--listen", "0.0.0.0"]), "0.0.0.0:4600");
        assert_eq!(listens(&["--listen", "[::1]:7", "--bindaddr", "0.0.0.0"]), "[::1]:7");
        assert_eq!(listens(&["--listen", "::"]), "[::]:4600");
        assert!(read(&[]).unwrap().by_default);
        assert!(!read(&["--bindaddr", "127.0.0.1"]).unwrap().by_default);
    }

    #[test]
    fn addresses_that_are_none() {
        assert_eq!(read(&["--port", "70000"]).unwrap_err(), SetupError::Port("70000".into()));
        for bad in ["127.0.0.1:x", "no.such.host.invalid", ""] {
            assert!(read(&[&format!("--listen={bad}"), "--listen", bad]).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn files_are_permitted_by_loopback_or_by_word() {
        assert!(read(&[]).unwrap().settings.files);
        assert!(!read(&["--bindaddr", "0.0.0.0"]).unwrap().settings.files);
        assert!(read(&["--bindaddr", "0.0.0.0", "--allow-files"]).unwrap().settings.files);
    }

    #[test]
    fn the_environment_asks_for_debugging_too() {
        let debug = |value| read(&[]).unwrap().with_environment(value).debug;
        assert!(debug(Some("1")) && !debug(Some("0")) && !debug(None));
    }
}
