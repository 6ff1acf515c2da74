//! What an `opennebula:` specification says: [`OpenNebulaOptions`].

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::migration::lists::{list_items, spec};
use crate::migration::overheard::HypervisorEvents;
use crate::migration::trigger::TriggerError;
use crate::target::Target;
use crate::units::parse_duration;

/// A migration by OpenNebula: `VM,host=HOST[,KEY=VALUE…]`. `VM` and `HOST` are numbers or names.
///
/// | key | meaning | default |
/// |---|---|---|
/// | `host` | where to | needed |
/// | `endpoint` | URL of oned's XML-RPC interface | `ONE_XMLRPC`, `~/.one/one_endpoint`, or `http://localhost:2633/RPC2` |
/// | `auth` | file with `USER:PASSWORD` | `ONE_AUTH`, or `~/.one/one_auth` |
/// | `live`, `cold` | whether the machine runs meanwhile | live |
/// | `enforce` | oned is to check the host's capacity; of 4.0 and later | off |
/// | `poll` | how long between two looks at the machine, 10 ms to 60 s | 500 ms |
/// | `ca` | file with the certificates to trust, in PEM, of an `https:` endpoint | those of the system |
/// | `libvirt-events` | `URI,URI`: libvirt of both hosts, to hear STOP and RESUME there | not heard |
/// | `qmp` | `SOCKET,SOCKET`: QEMU's own sockets at both hosts, for the same | not heard |
/// | `clock` | auto, local or remote: whose clock QEMU's timestamps are of | auto |
/// | `domain` | the machine's name or UUID at libvirt | as OpenNebula tells it |
/// | `virsh` | the program that listens to libvirt | virsh |
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct OpenNebulaOptions {
    /// Number or name of the machine.
    pub vm: String,
    /// Number or name of the host that it is moved to.
    pub host: String,
    /// URL of the XML-RPC interface; `None`: as OpenNebula's own programs find it.
    pub endpoint: Option<String>,
    /// File with user and password; `None`: as OpenNebula's own programs find it.
    pub auth: Option<PathBuf>,
    /// Whether the machine runs while it is moved.
    pub live: bool,
    /// Whether oned checks the capacity of the host.
    pub enforce: bool,
    /// How long between two looks at the machine.
    pub poll: Duration,
    /// File with the certificates to trust.
    pub ca: Option<PathBuf>,
    /// The hypervisors whose events are heard besides.
    pub events: HypervisorEvents,
}

const KEYS: &str = "host, endpoint, auth, live, cold, enforce, poll, ca, libvirt-events, qmp, \
                    clock, domain, virsh";

impl OpenNebulaOptions {
    /// A live migration of the machine to the host.
    pub fn new(vm: impl Into<String>, host: impl Into<String>) -> Self {
        Self {
            vm: vm.into(),
            host: host.into(),
            endpoint: None,
            auth: None,
            live: true,
            enforce: false,
            poll: Duration::from_millis(500),
            ca: None,
            events: HypervisorEvents::default(),
        }
    }

    /// Checks that the options go together.
    ///
    /// # Errors
    /// [`TriggerError::Spec`] that says what is missing.
    pub fn validate(&self) -> Result<(), TriggerError> {
        if self.vm.is_empty() {
            return Err(spec(
                "opennebula: needs a machine by number or name, as in opennebula:web1,host=node2"
                    .to_owned(),
            ));
        }
        if self.host.is_empty() {
            return Err(spec(
                "opennebula: needs host=HOST, a number or a name, as in host=node2".to_owned(),
            ));
        }
        if !(Duration::from_millis(10)..=Duration::from_secs(60)).contains(&self.poll) {
            return Err(spec("poll is from 10ms to 60s".to_owned()));
        }
        if let Some(endpoint) = &self.endpoint
            && !without_credentials(endpoint)?.is_tls()
            && self.ca.is_some()
        {
            return Err(spec("ca goes with an https: endpoint".to_owned()));
        }
        self.events.validate()
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), TriggerError> {
        match key {
            "host" => self.host = value.to_owned(),
            "endpoint" => self.endpoint = Some(value.to_owned()),
            "auth" => self.auth = Some(PathBuf::from(value)),
            "poll" => {
                self.poll = parse_duration(value).map_err(|e| spec(format!("poll: {e}")))?;
            }
            "ca" => self.ca = Some(PathBuf::from(value)),
            _ if self.events.set(key, value)? => {}
            _ => {
                return Err(spec(format!(
                    "opennebula: has no key '{}'; known: {KEYS}",
                    key.escape_debug()
                )));
            }
        }
        Ok(())
    }
}

/// The endpoint as a target. A password in it would be in the report.
pub(super) fn without_credentials(endpoint: &str) -> Result<Target, TriggerError> {
    let target = Target::parse(endpoint).map_err(|e| spec(format!("endpoint: {e}")))?;
    if target.authorization().is_some() {
        return Err(spec(
            "endpoint: user and password do not belong there: put them into a file, as \
             USER:PASSWORD, and name it by auth=FILE"
                .to_owned(),
        ));
    }
    Ok(target)
}

impl FromStr for OpenNebulaOptions {
    type Err = TriggerError;

    fn from_str(text: &str) -> Result<Self, TriggerError> {
        let mut items = list_items(text).into_iter();
        let mut options = Self::new(items.next().unwrap_or_default(), "");
        let mut seen: Vec<String> = Vec::new();
        for item in items {
            let last = seen.last().cloned().unwrap_or_default();
            let (key, value) = match item.split_once('=') {
                // The second of a pair, as in libvirt-events=URI,URI.
                _ if options.events.is_second(&last, &item) => {
                    options.events.set(&last, &item)?;
                    continue;
                }
                Some((key, value)) if !value.is_empty() => (key, value),
                None if matches!(item.as_str(), "live" | "cold" | "enforce") => (&*item, ""),
                _ => return Err(spec(format!("'{}' is not KEY=VALUE", item.escape_debug()))),
            };
            if seen.iter().any(|known| known == key) {
                return Err(spec(format!("{} is given twice", key.escape_debug())));
            }
            seen.push(key.to_owned());
            match (key, value) {
                ("live", "") => {}
                ("cold", "") => options.live = false,
                ("enforce", "") => options.enforce = true,
                ("live" | "cold" | "enforce", _) => {
                    return Err(spec(format!("{key} has no value")));
                }
                _ => options.set(key, value)?,
            }
        }
        if ["live", "cold"].iter().all(|key| seen.iter().any(|known| known == key)) {
            return Err(spec("choose one of live and cold".to_owned()));
        }
        options.validate()?;
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> OpenNebulaOptions {
        text.parse().unwrap()
    }

    #[test]
    fn all_keys() {
        let mut wanted = OpenNebulaOptions::new("web1", "node2");
        assert_eq!(parsed("web1,host=node2"), wanted);
        assert_eq!(parsed("web1,host=node2,live"), wanted);
        wanted.endpoint = Some("https://one.example/RPC2".into());
        wanted.auth = Some("/etc/one_auth".into());
        wanted.live = false;
        wanted.enforce = true;
        wanted.poll = Duration::from_millis(200);
        wanted.ca = Some("/etc/ca.pem".into());
        assert_eq!(
            parsed(
                "web1,host=node2,endpoint=https://one.example/RPC2,auth=/etc/one_auth,cold,\
                 enforce,poll=200ms,ca=/etc/ca.pem"
            ),
            wanted
        );
    }

    #[test]
    fn hypervisors_beside_it() {
        let uris = "libvirt-events=qemu+ssh://n1/system?a=b,qemu+ssh://n2/system";
        let options = parsed(&format!("7,host=2,{uris},clock=remote,poll=1s"));
        let text = format!("{:?}", options.events);
        assert!(text.contains("n1/system?a=b") && text.contains("n2/system"), "{text}");
        assert_eq!(options.poll, Duration::from_secs(1));
        let sockets = parsed("7,host=2,qmp=/run/a.sock,tcp:n2:4445").events;
        let text = format!("{sockets:?}");
        assert!(text.contains("/run/a.sock") && text.contains("n2:4445"), "{text}");
    }

    #[test]
    fn refusals_name_the_mend() {
        let cases = [
            ("", "needs a machine by number or name"),
            (",host=2", "needs a machine by number or name"),
            ("7", "needs host=HOST"),
            ("7,host=2,host=3", "host is given twice"),
            ("7,host=2,cold,live", "choose one of live and cold"),
            ("7,host=2,live=yes", "live has no value"),
            ("7,host=2,hots=3", "no key 'hots'; known: host, endpoint"),
            ("7,host=2,poll=1ms", "poll is from 10ms to 60s"),
            ("7,host=2,poll=soon", "poll:"),
            ("7,host=2,enforced", "'enforced' is not KEY=VALUE"),
            ("7,host=2,endpoint=ftp://x/", "endpoint:"),
            ("7,host=2,endpoint=http://oneadmin:hunter2@h:2633/RPC2", "name it by auth=FILE"),
            ("7,host=2,libvirt-events=qemu+ssh://n1/system", "both hosts"),
            (
                "7,host=2,qmp=/a,tcp:h:1,libvirt-events=a://b/,c://d/",
                "one of libvirt-events and qmp",
            ),
            ("7,host=2,clock=local", "clock goes with"),
            ("7,host=2,qmp=/a,/b,domain=x", "domain and virsh go with libvirt-events"),
            ("7,host=2,qmp=/a,cold", "qmp needs the sockets at both hosts"),
            ("7,host=2,endpoint=http://h/,ca=/ca", "ca goes with an https: endpoint"),
        ];
        for (text, reason) in cases {
            let error = text.parse::<OpenNebulaOptions>().unwrap_err().to_string();
            assert!(error.contains(reason) && !error.contains("hunter2"), "{text}: {error}");
        }
    }
}
