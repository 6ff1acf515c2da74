//! The settings of a plan as messages name them. A message has a mark for each, which whoever
//! shows it puts a name to: the library in plain words, a command line by its options.

use std::fmt;

/// A setting that a message speaks of; see [`PlanError::told`](crate::PlanError::told).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Setting {
    /// Which addresses of a name are connected to: [`Target::with_addresses`](crate::Target::with_addresses).
    Addresses,
    /// How many calls there are: [`Plan::with_calls`](crate::Plan::with_calls).
    Calls,
    /// [`Load::with_calls_per_connection`](crate::Load::with_calls_per_connection).
    CallsPerConnection,
    /// [`Load::with_close`](crate::Load::with_close).
    Close,
    /// [`Load::with_connect_rate`](crate::Load::with_connect_rate).
    ConnectRate,
    /// [`Target::with_connect_to`](crate::Target::with_connect_to).
    ConnectTo,
    /// [`Load::with_connections`](crate::Load::with_connections).
    Connections,
    /// [`Plan::with_expectation`](crate::Plan::with_expectation).
    Expect,
    /// [`Plan::with_kernel_timestamps`](crate::Plan::with_kernel_timestamps).
    KernelTimestamps,
    /// [`Load::with_max_connecting`](crate::Load::with_max_connecting).
    MaxConnecting,
    /// [`Sessions::open_connections`](crate::Sessions::open_connections).
    OpenConnections,
    /// [`Load::with_pipeline`](crate::Load::with_pipeline).
    Pipeline,
    /// [`Plan::with_probe`](crate::Plan::with_probe).
    Probe,
    /// [`Target::with_proxy`](crate::Target::with_proxy).
    Proxy,
    /// [`Load::with_read_rate`](crate::Load::with_read_rate).
    ReadRate,
    /// [`Plan::with_requests`](crate::Plan::with_requests).
    Requests,
    /// [`Target::with_resolve_again`](crate::Target::with_resolve_again).
    ResolveAgain,
    /// [`Target::with_source_addresses`](crate::Target::with_source_addresses).
    SourceAddresses,
    /// The speed of a replay: [`Recorded::at_speed`](crate::Recorded::at_speed).
    Speed,
    /// [`Plan::with_threads`](crate::Plan::with_threads).
    Threads,
}

impl Setting {
    /// Each of them.
    pub const ALL: [Self; 20] = [
        Self::Addresses,
        Self::Calls,
        Self::CallsPerConnection,
        Self::Close,
        Self::ConnectRate,
        Self::ConnectTo,
        Self::Connections,
        Self::Expect,
        Self::KernelTimestamps,
        Self::MaxConnecting,
        Self::OpenConnections,
        Self::Pipeline,
        Self::Probe,
        Self::Proxy,
        Self::ReadRate,
        Self::Requests,
        Self::ResolveAgain,
        Self::SourceAddresses,
        Self::Speed,
        Self::Threads,
    ];

    /// Its mark in a message, and its name in plain words.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Addresses => ("{addresses}", "connecting to all addresses"),
            Self::Calls => ("{calls}", "the number of calls"),
            Self::CallsPerConnection => {
                ("{calls-per-connection}", "the number of calls on a connection")
            }
            Self::Close => ("{close}", "the way of closing"),
            Self::ConnectRate => ("{connect-rate}", "the rate of new connections"),
            Self::ConnectTo => ("{connect-to}", "the address to connect to"),
            Self::Connections => ("{connections}", "the number of connections"),
            Self::Expect => ("{expect}", "the expectation"),
            Self::KernelTimestamps => ("{kernel-timestamps}", "the kernel's timestamps"),
            Self::MaxConnecting => ("{max-connecting}", "the number of handshakes under way"),
            Self::OpenConnections => ("{open-connections}", "the number of open connections"),
            Self::Pipeline => ("{pipeline}", "the number of calls in flight on a connection"),
            Self::Probe => ("{probe}", "the probe"),
            Self::Proxy => ("{proxy}", "the proxy"),
            Self::ReadRate => ("{read-rate}", "the rate of reading"),
            Self::Requests => ("{requests}", "the list of requests"),
            Self::ResolveAgain => ("{resolve-again}", "resolving again"),
            Self::SourceAddresses => ("{source-addresses}", "the source addresses"),
            Self::Speed => ("{speed}", "the speed of the replay"),
            Self::Threads => ("{threads}", "the number of threads"),
        }
    }
}

impl fmt::Display for Setting {
    /// In plain words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words().1)
    }
}

/// A message with a name in place of each mark.
pub(crate) fn named(message: &str, name: impl Fn(Setting) -> String) -> String {
    let mut told = message.to_owned();
    for setting in Setting::ALL {
        let mark = setting.words().0;
        if told.contains(mark) {
            told = told.replace(mark, &name(setting));
        }
    }
    told
}

/// A message in plain words.
pub(crate) fn in_words(message: &str) -> String {
    named(message, |setting| setting.to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_mark_gets_its_name() {
        let told = in_words("raise {connections} or lower {threads}");
        assert_eq!(told, "raise the number of connections or lower the number of threads");
        let told = named("{threads}, {threads}", |setting| format!("--{setting:?}").to_lowercase());
        assert_eq!(told, "--threads, --threads");
        let marks: BTreeSet<_> = Setting::ALL.map(|setting| setting.words().0).into();
        assert_eq!(marks.len(), Setting::ALL.len());
    }

    /// The library has no command line: what it says names no option, and every mark is one
    /// that gets a name.
    #[test]
    fn messages_name_no_options() {
        let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        // httperf's command line is in the library, with its options.
        let mut rooms = vec![source];
        let marks: BTreeSet<_> = Setting::ALL.map(|setting| setting.words().0).into();
        let (mut files, mut used) = (0, BTreeSet::new());
        while let Some(room) = rooms.pop() {
            for entry in std::fs::read_dir(room).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                if path.is_dir() {
                    // Nor are the options those of ours that virsh is told.
                    if !["httperf", "libvirt", "tests", "snapshots"].contains(&&*name) {
                        rooms.push(path);
                    }
                    continue;
                }
                if !name.ends_with(".rs")
                    || name.contains("test")
                    || ["by_libvirt.rs", "httperf.rs", "shell_words.rs", "setting.rs"]
                        .contains(&&*name)
                {
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
                for (number, line) in (1..).zip(code.lines()) {
                    let line = line.trim_start();
                    if line.starts_with("//") {
                        continue;
                    }
                    let words = line.split(|c: char| c.is_whitespace() || "\"'(`".contains(c));
                    let option = words.clone().find(|word| {
                        word.strip_prefix("--")
                            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()))
                    });
                    assert_eq!(option, None, "{}:{number}: {line}", path.display());
                    used.extend(marks.iter().filter(|mark| line.contains(**mark)));
                }
                files += 1;
            }
        }
        assert!(files > 200, "{files}");
        assert_eq!(used, marks, "marks that no message has");
    }
}
