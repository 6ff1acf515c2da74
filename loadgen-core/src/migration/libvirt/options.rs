//! What a `libvirt:` specification says: [`LibvirtOptions`].

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::migration::foreign_clock::HypervisorClock;
use crate::migration::lists::{list_items, spec};
use crate::migration::strategy::{Help, PostcopyAfter, Way, check_postcopy};
use crate::migration::trigger::{Strategy, TriggerError};
use crate::units::{UnitError, parse_byte_rate, parse_duration};

const MIB: f64 = 1_048_576.0;

/// A migration by libvirt: `DOMAIN,to=URI[,KEY=VALUE…]`. All URIs are libvirt's, such as
/// `qemu+ssh://node2/system`.
///
/// | key | meaning | default |
/// |---|---|---|
/// | `to` | where to, as `virsh migrate` is told it | needed |
/// | `connect` | the host that the machine runs on | as virsh has it |
/// | `target` | the target, as it is reached from here | the same as `to` |
/// | `strategy` | pre-copy, post-copy, stop-and-copy, or hybrid (post-copy after the first pass); `+` adds what helps: auto-converge, xbzrle, multifd, multifd-zlib, multifd-zstd | pre-copy |
/// | `max-bandwidth`, `bandwidth` | limit of pre-copy, in whole MiB/s | as libvirt has it |
/// | `max-postcopy-bandwidth` | limit of post-copy, in whole MiB/s | as libvirt has it |
/// | `downtime-limit`, `downtime` | such as `300ms` | as libvirt has it |
/// | `postcopy-after` | pre-copy for so long before post-copy, or `pass`: until all was sent once | 1 s |
/// | `p2p` | the source's libvirt talks to that of the target, not virsh | off |
/// | `flag` | another option of `virsh migrate`, as `NAME` or `NAME:VALUE`; may come again | none |
/// | `clock` | auto, local or remote: whose clock QEMU's timestamps are of | auto: local without a host in the URI |
/// | `virsh` | the program | virsh |
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LibvirtOptions {
    /// Name of the domain (the machine).
    pub domain: String,
    /// URI of the target, as `virsh migrate` is told it.
    pub to: String,
    /// URI of the source; `None`: as virsh has it.
    pub connect: Option<String>,
    /// URI of the target, as it is reached from here, if it is not `to`.
    pub target: Option<String>,
    /// How the machine is moved.
    pub strategy: Strategy,
    /// How long pre-copy goes on before post-copy begins.
    pub postcopy_after: PostcopyAfter,
    /// Limit of pre-copy in MiB per second.
    pub max_bandwidth_mib_s: Option<u64>,
    /// Limit of post-copy in MiB per second.
    pub max_postcopy_bandwidth_mib_s: Option<u64>,
    /// How long the machine may be stopped for the last round.
    pub downtime_limit: Option<Duration>,
    /// Options of `virsh migrate`, without their dashes, and their values.
    pub flags: Vec<(String, Option<String>)>,
    /// Whose clock QEMU's timestamps are of.
    pub clock: HypervisorClock,
    /// The virsh program.
    pub virsh: PathBuf,
}

const KEYS: &str = "to, connect, target, strategy, max-bandwidth, max-postcopy-bandwidth, \
                    downtime-limit, postcopy-after, p2p, flag, clock, virsh";

/// What `virsh migrate` is told by this trigger, or must not be told beside it.
const OURS: [&str; 10] = [
    "domain",
    "desturi",
    "live",
    "postcopy",
    "postcopy-after-precopy",
    "bandwidth",
    "postcopy-bandwidth",
    "timeout",
    "timeout-suspend",
    "timeout-postcopy",
];

impl LibvirtOptions {
    /// Pre-copy of `domain` to the libvirt at `to`.
    pub fn new(domain: impl Into<String>, to: impl Into<String>) -> Self {
        Self {
            domain: domain.into(),
            to: to.into(),
            connect: None,
            target: None,
            strategy: Strategy::PreCopy,
            postcopy_after: PostcopyAfter::default(),
            max_bandwidth_mib_s: None,
            max_postcopy_bandwidth_mib_s: None,
            downtime_limit: None,
            flags: Vec::new(),
            clock: HypervisorClock::Auto,
            virsh: PathBuf::from("virsh"),
        }
    }

    /// Checks that the options go together.
    ///
    /// # Errors
    /// [`TriggerError::Spec`] that says what is missing.
    pub fn validate(&self) -> Result<(), TriggerError> {
        if self.domain.is_empty() || self.domain.starts_with('-') {
            return Err(spec(
                "libvirt: needs the name of a domain, as in libvirt:web1,to=qemu+ssh://node2/system"
                    .to_owned(),
            ));
        }
        if self.to.is_empty() {
            return Err(spec("libvirt: needs to=URI, as in to=qemu+ssh://node2/system".to_owned()));
        }
        let names: Vec<&String> = self.flags.iter().map(|(name, _)| name).collect();
        for (k, name) in names.iter().enumerate() {
            if *name == "dname" {
                return Err(spec(
                    "flag=dname: a machine that is renamed on its way would not be known again at \
                     the target: rename it before or afterwards"
                        .to_owned(),
                ));
            }
            if OURS.contains(&name.as_str()) {
                return Err(spec(format!(
                    "flag={name}: that is for keys of this trigger to say: {KEYS}"
                )));
            }
            if names[..k].contains(name) {
                return Err(spec(format!("flag={} is given twice", name.escape_debug())));
            }
        }
        Ok(())
    }

    /// The target, as it is reached from here.
    pub(super) fn target(&self) -> &str {
        self.target.as_deref().unwrap_or(&self.to)
    }

    /// The words of `virsh migrate`.
    pub(super) fn migrate(&self) -> Vec<String> {
        let mut words = vec!["migrate".to_owned()];
        let mut flag = |name: &str| words.push(format!("--{name}"));
        if self.strategy != Strategy::StopAndCopy {
            flag("live");
        }
        if self.strategy == Strategy::PostCopy {
            flag("postcopy");
        }
        for (name, value) in &self.flags {
            words.push(format!("--{name}"));
            words.extend(value.clone());
        }
        let limits = [
            ("--bandwidth", self.max_bandwidth_mib_s),
            ("--postcopy-bandwidth", self.max_postcopy_bandwidth_mib_s),
        ];
        for (name, limit) in limits {
            words.extend(limit.into_iter().flat_map(|mib| [name.to_owned(), mib.to_string()]));
        }
        let named =
            [("--domain", self.domain.as_str()), ("--desturi", &without_terminal(&self.to))];
        words.extend(
            named.into_iter().flat_map(|(name, value)| [name.to_owned(), value.to_owned()]),
        );
        words
    }
}

/// The URI, so that an ssh beneath it asks nobody for a password.
pub(super) fn without_terminal(uri: &str) -> String {
    let is_ssh = uri.split_once("://").is_some_and(|(scheme, _)| scheme.contains("+ssh"));
    if !is_ssh || uri.contains("no_tty=") {
        return uri.to_owned();
    }
    format!("{uri}{}no_tty=1", if uri.contains('?') { '&' } else { '?' })
}

/// Whether the libvirt at this URI is on this host.
pub(super) fn is_local(uri: &str) -> bool {
    // An alias of libvirt.conf may be of any host.
    let Some((scheme, rest)) = uri.split_once("://") else { return false };
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    host.is_empty() && !["+ssh", "+tcp", "+tls", "+libssh"].iter().any(|t| scheme.contains(t))
}

impl FromStr for LibvirtOptions {
    type Err = TriggerError;

    fn from_str(text: &str) -> Result<Self, TriggerError> {
        let mut items = list_items(text).into_iter();
        let mut options = Self::new(items.next().unwrap_or_default(), "");
        let mut seen: Vec<String> = Vec::new();
        let mut is_hybrid = false;
        for item in items {
            let (key, value) = match item.split_once('=') {
                Some((key, value)) if !value.is_empty() => (named(key), value),
                None if item == "p2p" => ("p2p", ""),
                _ => return Err(spec(format!("'{}' is not KEY=VALUE", item.escape_debug()))),
            };
            if key != "flag" && seen.iter().any(|known| known == key) {
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

/// The key, of those that have a second name, as virsh calls it.
fn named(key: &str) -> &str {
    match key {
        "bandwidth" => "max-bandwidth",
        "downtime" => "downtime-limit",
        other => other,
    }
}

impl LibvirtOptions {
    fn set(&mut self, key: &str, value: &str) -> Result<(), TriggerError> {
        let of_key = |error: UnitError| spec(format!("{key}: {error}"));
        match key {
            "to" => self.to = value.to_owned(),
            "connect" => self.connect = Some(value.to_owned()),
            "target" => self.target = Some(value.to_owned()),
            "strategy" => {
                let way: Way = value.parse()?;
                self.strategy = way.strategy;
                self.postcopy_after = way.postcopy_after.unwrap_or(self.postcopy_after);
                for help in way.help {
                    self.flags.extend(flags(help)?);
                }
            }
            "max-bandwidth" => self.max_bandwidth_mib_s = Some(whole_mib(value).map_err(of_key)?),
            "max-postcopy-bandwidth" => {
                self.max_postcopy_bandwidth_mib_s = Some(whole_mib(value).map_err(of_key)?);
            }
            "downtime-limit" => {
                let limit = parse_duration(value).map_err(of_key)?;
                if limit.is_zero() || limit.subsec_nanos() % 1_000_000 != 0 {
                    return Err(spec(format!(
                        "downtime-limit must be whole milliseconds, 1 or more, not {value}"
                    )));
                }
                self.downtime_limit = Some(limit);
            }
            "postcopy-after" => self.postcopy_after = value.parse()?,
            "p2p" if value.is_empty() => self.flags.push(("p2p".to_owned(), None)),
            "p2p" => return Err(spec("p2p has no value: write p2p alone".to_owned())),
            "flag" => {
                let (name, value) = match value.split_once(':') {
                    Some((name, value)) => (name, Some(value.to_owned())),
                    None => (value, None),
                };
                let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
                if name.is_empty() || name.starts_with('-') || !name.chars().all(is_name) {
                    return Err(spec(format!(
                        "flag must be an option of virsh migrate without its dashes, as in \
                         flag=persistent, not '{}'",
                        name.escape_debug()
                    )));
                }
                self.flags.push((name.to_owned(), value));
            }
            "clock" => self.clock = value.parse()?,
            "virsh" => self.virsh = PathBuf::from(value),
            _ => {
                return Err(spec(format!(
                    "libvirt: has no key '{}'; known: {KEYS}",
                    key.escape_debug()
                )));
            }
        }
        Ok(())
    }
}

/// What helps a migration, as `virsh migrate` is told it.
fn flags(help: Help) -> Result<Vec<(String, Option<String>)>, TriggerError> {
    let flag = |name: &str| (name.to_owned(), None);
    let compressed = |by: &str| {
        [flag("compressed"), ("comp-methods".to_owned(), Some(by.to_owned()))].into_iter()
    };
    Ok(match help {
        Help::AutoConverge => vec![flag("auto-converge")],
        Help::Xbzrle => compressed("xbzrle").collect(),
        Help::Multifd => vec![flag("parallel")],
        Help::MultifdZlib => [flag("parallel")].into_iter().chain(compressed("zlib")).collect(),
        Help::MultifdZstd => [flag("parallel")].into_iter().chain(compressed("zstd")).collect(),
        Help::Preempt => {
            return Err(spec(
                "libvirt has no option for preempt; the qmp trigger can ask QEMU for it".to_owned(),
            ));
        }
    })
}

/// A bandwidth in MiB/s: virsh takes whole ones.
fn whole_mib(text: &str) -> Result<u64, UnitError> {
    let mib = parse_byte_rate(text)? / MIB;
    if mib >= 1.0 && mib.fract() == 0.0 && mib < 1e9 {
        return Ok(mib as u64);
    }
    Err(UnitError {
        text: text.to_owned(),
        what: "a bandwidth that virsh takes",
        allowed: "whole MiB/s, such as 32MiB/s",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> String {
        text.parse::<LibvirtOptions>().unwrap().migrate().join(" ")
    }

    #[test]
    fn all_keys() {
        let text = "web1,to=qemu+tcp://n2/system,connect=qemu:///system,\
                    target=qemu+ssh://n2/system,strategy=post-copy+auto-converge,\
                    max-bandwidth=32MiB/s,max-postcopy-bandwidth=64MiB/s,downtime-limit=300ms,\
                    postcopy-after=2s,p2p,flag=persistent,flag=migrateuri:tcp://10.0.0.2,\
                    clock=remote,virsh=/opt/virsh";
        let mut wanted = LibvirtOptions::new("web1", "qemu+tcp://n2/system");
        wanted.connect = Some("qemu:///system".into());
        wanted.target = Some("qemu+ssh://n2/system".into());
        wanted.strategy = Strategy::PostCopy;
        wanted.postcopy_after = PostcopyAfter::Time(Duration::from_secs(2));
        wanted.max_bandwidth_mib_s = Some(32);
        wanted.max_postcopy_bandwidth_mib_s = Some(64);
        wanted.downtime_limit = Some(Duration::from_millis(300));
        wanted.flags = vec![
            ("auto-converge".into(), None),
            ("p2p".into(), None),
            ("persistent".into(), None),
            ("migrateuri".into(), Some("tcp://10.0.0.2".into())),
        ];
        wanted.clock = HypervisorClock::Remote;
        wanted.virsh = "/opt/virsh".into();
        assert_eq!(text.parse::<LibvirtOptions>().unwrap(), wanted);
        assert_eq!(
            words(text),
            "migrate --live --postcopy --auto-converge --p2p --persistent --migrateuri \
             tcp://10.0.0.2 --bandwidth 32 --postcopy-bandwidth 64 --domain web1 --desturi \
             qemu+tcp://n2/system"
        );
        // As virsh itself calls them.
        let short = "web1,to=x,bandwidth=32MiB/s,downtime=300ms";
        let long = "web1,to=x,max-bandwidth=32MiB/s,downtime-limit=300ms";
        let parsed = |text: &str| text.parse::<LibvirtOptions>().unwrap();
        assert_eq!(parsed(short), parsed(long));
    }

    #[test]
    fn strategies_are_options_of_virsh() {
        let of = |strategy: &str| words(&format!("d,to=u,strategy={strategy}"));
        let end = " --domain d --desturi u";
        assert_eq!(of("stop-and-copy"), format!("migrate{end}"));
        assert_eq!(of("hybrid"), format!("migrate --live --postcopy{end}"));
        let xbzrle = format!("migrate --live --compressed --comp-methods xbzrle{end}");
        assert_eq!(of("pre-copy+xbzrle"), xbzrle);
        let zstd = format!("migrate --live --parallel --compressed --comp-methods zstd{end}");
        assert_eq!(of("pre-copy+multifd-zstd"), zstd);
    }

    #[test]
    fn nobody_is_asked_for_a_password() {
        assert_eq!(without_terminal("qemu+ssh://h/system"), "qemu+ssh://h/system?no_tty=1");
        let with = "qemu+ssh://h/system?keyfile=/k";
        assert_eq!(without_terminal(with), "qemu+ssh://h/system?keyfile=/k&no_tty=1");
        for other in ["qemu+ssh://h/system?no_tty=0", "qemu+tcp://h/system", "qemu:///system"] {
            assert_eq!(without_terminal(other), other);
        }
        assert!(words("d,to=qemu+ssh://h/system").ends_with("system?no_tty=1"));
    }

    #[test]
    fn hosts_of_uris() {
        for local in ["qemu:///system", "qemu+unix:///system?socket=/a/b", "test:///default"] {
            assert!(is_local(local), "{local}");
        }
        let others = [
            "qemu+ssh://n2/system",
            "qemu://n2/system",
            "qemu+tcp:///system",
            "xen+tls://h/",
            "n2",
        ];
        for other in others {
            assert!(!is_local(other), "{other}");
        }
    }

    #[test]
    fn refusals_name_the_mend() {
        let cases = [
            ("", "needs the name of a domain"),
            ("--all,to=x", "needs the name of a domain"),
            ("web1", "needs to=URI"),
            ("web1,to=x,to=y", "to is given twice"),
            ("web1,to=x,bandwidth=1MiB/s,max-bandwidth=1MiB/s", "max-bandwidth is given twice"),
            ("web1,to=x,bandwith=3", "no key 'bandwith'; known: to, connect"),
            ("web1,to=x,max-bandwidth=100kB/s", "whole MiB/s"),
            ("web1,to=x,max-bandwidth=1.5MiB/s", "whole MiB/s"),
            ("web1,to=x,downtime-limit=0ms", "whole milliseconds, 1 or more"),
            ("web1,to=x,strategy=post-copy+preempt", "libvirt has no option for preempt"),
            ("web1,to=x,strategy=hybrid,postcopy-after=2s", "hybrid says itself when"),
            ("web1,to=x,postcopy-after=2s", "needs strategy=post-copy"),
            ("web1,to=x,p2p=yes", "p2p has no value"),
            ("web1,to=x,p2p,p2p", "p2p is given twice"),
            ("web1,to=x,flag=p2p,p2p", "flag=p2p is given twice"),
            ("web1,to=x,flag=--live", "without its dashes"),
            ("web1,to=x,flag=live", "for keys of this trigger to say"),
            ("web1,to=x,flag=dname:y", "rename it before or afterwards"),
            ("web1,to=x,live", "'live' is not KEY=VALUE"),
        ];
        for (text, reason) in cases {
            let error = text.parse::<LibvirtOptions>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
