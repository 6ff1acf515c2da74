//! What a `qmp:` specification says: [`QmpOptions`].

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::strategy;
use crate::migration::foreign_clock::HypervisorClock;
use crate::migration::lists::{list_items, spec};
use crate::migration::strategy::{PostcopyAfter, Way, check_postcopy};
use crate::migration::trigger::{Strategy, TriggerError};
use crate::units::{UnitError, parse_byte_rate, parse_duration};

/// Where a QMP server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum QmpAddress {
    /// A UNIX socket: `/run/vm.sock` or `unix:/run/vm.sock`.
    Unix(PathBuf),
    /// A TCP socket: `tcp:HOST:PORT`.
    Tcp(String),
}

impl fmt::Display for QmpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
        }
    }
}

impl FromStr for QmpAddress {
    type Err = TriggerError;

    fn from_str(text: &str) -> Result<Self, TriggerError> {
        if let Some(address) = text.strip_prefix("tcp:") {
            let port = address.rsplit_once(':').and_then(|(host, port)| {
                (!host.is_empty()).then(|| port.parse::<u16>().ok()).flatten()
            });
            return match port {
                Some(_) => Ok(Self::Tcp(address.to_owned())),
                None => Err(spec(format!("'{text}' is not tcp:HOST:PORT"))),
            };
        }
        match text.strip_prefix("unix:").unwrap_or(text) {
            "" => Err(spec("qmp: needs a socket, as in qmp:/run/vm.sock,to=URI".to_owned())),
            path => Ok(Self::Unix(PathBuf::from(path))),
        }
    }
}

/// A migration through QMP: `SOCKET,to=URI[,KEY=VALUE…]`.
///
/// | key | meaning | default |
/// |---|---|---|
/// | `to` | migration URI, as the source connects to it | needed |
/// | `peer` | QMP socket of the target | none: no RESUME, no proof that it arrived |
/// | `listen` | migration URI at which the target listens | the same as `to` |
/// | `strategy` | pre-copy, post-copy, stop-and-copy, or hybrid (post-copy after the first pass); `+` adds what helps: auto-converge, xbzrle, multifd, multifd-zlib, multifd-zstd, preempt | pre-copy |
/// | `max-bandwidth` | limit of pre-copy, such as `32MiB/s` | as QEMU has it |
/// | `max-postcopy-bandwidth` | limit of post-copy | as QEMU has it |
/// | `downtime-limit` | such as `300ms` | as QEMU has it |
/// | `postcopy-after` | pre-copy for so long before post-copy, or `pass`: until all was sent once | 1 s |
/// | `clock` | auto, local or remote; remote for a UNIX socket that is forwarded from another host | auto |
/// | `capability` | switches one on, at both sides; may come again | none |
/// | `parameter` | `NAME:VALUE`, such as `multifd-channels:4`, set at both sides; may come again | as QEMU has it |
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct QmpOptions {
    /// QMP socket of the source.
    pub socket: QmpAddress,
    /// Migration URI, as the source connects to it.
    pub to: String,
    /// QMP socket of the target.
    pub peer: Option<QmpAddress>,
    /// Migration URI at which the target listens, if it is not `to`.
    pub listen: Option<String>,
    /// How the machine is moved.
    pub strategy: Strategy,
    /// Limit of pre-copy in bytes per second.
    pub max_bandwidth: Option<u64>,
    /// Limit of post-copy in bytes per second; 0 is none.
    pub max_postcopy_bandwidth: Option<u64>,
    /// How long QEMU may stop the machine for the last round.
    pub downtime_limit: Option<Duration>,
    /// How long pre-copy goes on before post-copy begins.
    pub postcopy_after: PostcopyAfter,
    /// Whose clock the events of both sides are told by.
    pub clock: HypervisorClock,
    /// Migration capabilities to switch on, by QEMU's names.
    pub capabilities: Vec<String>,
    /// Migration parameters to set, by QEMU's names.
    pub parameters: Vec<(String, String)>,
}

/// Parameters that have a key of their own.
const LIMITS: [&str; 3] = ["max-bandwidth", "max-postcopy-bandwidth", "downtime-limit"];

const KEYS: &str = "to, peer, listen, strategy, max-bandwidth, max-postcopy-bandwidth, \
                    downtime-limit, postcopy-after, clock, capability, parameter";

impl QmpOptions {
    /// Pre-copy from the QEMU at `socket` to the migration URI `to`.
    pub fn new(socket: QmpAddress, to: impl Into<String>) -> Self {
        Self {
            socket,
            to: to.into(),
            peer: None,
            listen: None,
            strategy: Strategy::PreCopy,
            max_bandwidth: None,
            max_postcopy_bandwidth: None,
            downtime_limit: None,
            postcopy_after: PostcopyAfter::default(),
            clock: HypervisorClock::Auto,
            capabilities: Vec::new(),
            parameters: Vec::new(),
        }
    }

    /// Checks that the options go together.
    ///
    /// # Errors
    /// [`TriggerError::Spec`] that says what is missing.
    pub fn validate(&self) -> Result<(), TriggerError> {
        if self.to.is_empty() {
            return Err(spec("qmp: needs to=URI, as in to=tcp:10.0.0.2:4444".to_owned()));
        }
        let names: Vec<&String> = self.parameters.iter().map(|(name, _)| name).collect();
        if let Some(twice) = names.iter().enumerate().find(|(k, name)| names[..*k].contains(name)) {
            return Err(spec(format!("the parameter {} is given twice", twice.1.escape_debug())));
        }
        if self.strategy == Strategy::StopAndCopy && self.peer.is_none() {
            return Err(spec(
                "stop-and-copy needs peer=SOCKET: a machine that was stopped before it was moved \
                 stays stopped until its target is told to run"
                    .to_owned(),
            ));
        }
        if self.listen.is_some() && self.peer.is_none() {
            return Err(spec("listen= needs peer=SOCKET: only the target can listen".to_owned()));
        }
        Ok(())
    }
}

impl FromStr for QmpOptions {
    type Err = TriggerError;

    fn from_str(text: &str) -> Result<Self, TriggerError> {
        let mut items = list_items(text).into_iter();
        let socket = items.next().unwrap_or_default().parse()?;
        let mut options = Self::new(socket, "");
        let mut seen: Vec<String> = Vec::new();
        let mut is_hybrid = false;
        for item in items {
            let Some((key, value)) = item.split_once('=').filter(|(_, value)| !value.is_empty())
            else {
                return Err(spec(format!("'{}' is not KEY=VALUE", item.escape_debug())));
            };
            if !matches!(key, "capability" | "parameter") && seen.iter().any(|k| k == key) {
                return Err(spec(format!("{key} is given twice")));
            }
            seen.push(key.to_owned());
            is_hybrid |= key == "strategy" && value.starts_with("hybrid");
            options.set(key, value)?;
        }
        check_postcopy(options.strategy, is_hybrid, &seen)?;
        options.validate()?;
        Ok(options)
    }
}

impl QmpOptions {
    fn set(&mut self, key: &str, value: &str) -> Result<(), TriggerError> {
        let of_key = |error: UnitError| spec(format!("{key}: {error}"));
        match key {
            "to" => self.to = value.to_owned(),
            "peer" => self.peer = Some(value.parse()?),
            "listen" => self.listen = Some(value.to_owned()),
            "strategy" => {
                let way: Way = value.parse()?;
                self.strategy = way.strategy;
                self.postcopy_after = way.postcopy_after.unwrap_or(self.postcopy_after);
                for help in way.help {
                    self.capabilities.push(strategy::capability(help).to_owned());
                    self.parameters.extend(strategy::parameter(help));
                }
            }
            "max-bandwidth" => self.max_bandwidth = Some(bandwidth(value, 1.0).map_err(of_key)?),
            "max-postcopy-bandwidth" => {
                self.max_postcopy_bandwidth = Some(bandwidth(value, 0.0).map_err(of_key)?);
            }
            "downtime-limit" => {
                let limit = parse_duration(value).map_err(of_key)?;
                // QEMU takes whole milliseconds, up to 2000 s.
                if limit.subsec_nanos() % 1_000_000 != 0 || limit > Duration::from_secs(2000) {
                    return Err(spec(format!(
                        "downtime-limit must be whole milliseconds up to 2000s, not {value}"
                    )));
                }
                self.downtime_limit = Some(limit);
            }
            "postcopy-after" => self.postcopy_after = value.parse()?,
            "clock" => self.clock = value.parse()?,
            "capability" => self.capabilities.push(value.to_owned()),
            "parameter" => match value.split_once(':').filter(|(name, _)| !name.is_empty()) {
                Some((name, _)) if LIMITS.contains(&name) => {
                    return Err(spec(format!("{name} has a key of its own: write {name}=…")));
                }
                Some((name, value)) => self.parameters.push((name.to_owned(), value.to_owned())),
                None => {
                    let value = value.escape_debug();
                    return Err(spec(format!("parameter must be NAME:VALUE, not '{value}'")));
                }
            },
            _ => {
                return Err(spec(format!(
                    "qmp: has no key '{}'; known: {KEYS}",
                    key.escape_debug()
                )));
            }
        }
        Ok(())
    }
}

fn bandwidth(text: &str, least: f64) -> Result<u64, UnitError> {
    let rate = parse_byte_rate(text)?.round();
    // Beyond 2^63 QEMU's own parameter overflows.
    if rate >= least && rate < i64::MAX as f64 {
        return Ok(rate as u64);
    }
    Err(UnitError {
        text: text.to_owned(),
        what: "a bandwidth that QEMU takes",
        allowed: "1B/s or more, such as 32MiB/s",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keys() {
        let text = "unix:/a.sock,to=tcp:10.0.0.2:4444,peer=tcp:[::1]:7,listen=tcp:0.0.0.0:4444,\
                    strategy=post-copy,max-bandwidth=32MiB/s,max-postcopy-bandwidth=0,\
                    downtime-limit=300ms,postcopy-after=2s,clock=remote,capability=auto-converge,\
                    capability=xbzrle,parameter=multifd-channels:4";
        let mut wanted = QmpOptions::new(QmpAddress::Unix("/a.sock".into()), "tcp:10.0.0.2:4444");
        wanted.peer = Some(QmpAddress::Tcp("[::1]:7".into()));
        wanted.listen = Some("tcp:0.0.0.0:4444".into());
        wanted.strategy = Strategy::PostCopy;
        wanted.max_bandwidth = Some(33_554_432);
        wanted.max_postcopy_bandwidth = Some(0);
        wanted.downtime_limit = Some(Duration::from_millis(300));
        wanted.postcopy_after = PostcopyAfter::Time(Duration::from_secs(2));
        wanted.clock = HypervisorClock::Remote;
        wanted.capabilities = vec!["auto-converge".into(), "xbzrle".into()];
        wanted.parameters = vec![("multifd-channels".into(), "4".into())];
        assert_eq!(text.parse::<QmpOptions>().unwrap(), wanted);
    }

    #[test]
    fn refusals_name_the_mend() {
        let cases = [
            ("", "needs a socket"),
            ("/a", "needs to=URI"),
            ("/a,to=", "'to=' is not KEY=VALUE"),
            ("/a,to=x,to=y", "to is given twice"),
            ("/a,to=x,bandwith=3", "no key 'bandwith'; known: to, peer"),
            ("/a,to=x,strategy=warm", "unknown strategy 'warm'"),
            ("/a,to=x,strategy=stop-and-copy", "needs peer=SOCKET"),
            ("/a,to=x,listen=y", "listen= needs peer"),
            ("/a,to=x,max-bandwidth=32M", "MiB"),
            ("/a,to=x,max-bandwidth=0", "1B/s or more"),
            ("/a,to=x,downtime-limit=1.5ms", "whole milliseconds"),
            ("/a,to=x,downtime-limit=3000s", "up to 2000s"),
            ("/a,to=x,clock=utc", "auto, local or remote"),
            ("/a,to=x,strategy=pre-copy+zstd", "'zstd' helps no strategy"),
            ("/a,to=x,postcopy-after=2s,strategy=hybrid", "hybrid says itself when"),
            (
                "/a,to=x,strategy=pre-copy+multifd-zlib,parameter=multifd-compression:zstd",
                "the parameter multifd-compression is given twice",
            ),
            ("/a,to=x,parameter=downtime-limit:5", "downtime-limit has a key of its own"),
            ("/a,to=x,strategy=post-copy,postcopy-after=soon", "postcopy-after: 'soon' is not"),
            ("/a,to=x,parameter=4", "parameter must be NAME:VALUE, not '4'"),
            ("/a,to=x,postcopy-after=1s", "needs strategy=post-copy"),
            ("tcp:host,to=x", "not tcp:HOST:PORT"),
            ("tcp::1,to=x", "not tcp:HOST:PORT"),
        ];
        for (text, reason) in cases {
            let error = text.parse::<QmpOptions>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
