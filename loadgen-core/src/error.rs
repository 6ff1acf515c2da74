//! Errors of set-up. Failures of calls are not errors but data: see
//! [`Failure`](crate::Failure).

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::net::endpoint::Endpoint;
use crate::net::tls::TlsError;
use crate::setting::{Setting, in_words, named};

/// A plan that cannot be carried out as written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The URL cannot be loaded.
    #[error("cannot load '{url}': {reason}")]
    Url {
        /// The URL as given.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Nothing can be connected to by this.
    #[error("cannot connect to '{given}': {reason}")]
    ConnectTo {
        /// As it was given.
        given: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The proxy cannot be used.
    #[error("cannot use the proxy '{url}': {reason}")]
    Proxy {
        /// Its URL, without a password.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A part of the request cannot stand in an HTTP/1.1 head.
    #[error("the request's {what} cannot be sent: '{value}'")]
    Request {
        /// Which part.
        what: &'static str,
        /// Its value, escaped.
        value: String,
    },
    /// Values of headers that a report did not keep.
    #[error(
        "the value of {} is secret and was not kept: give it again",
        headers.join(", ")
    )]
    Secrets {
        /// Their names.
        headers: Vec<String>,
    },
    /// It was read from what a later version wrote.
    #[error(
        "the plan has settings that this version of loadgen does not know: {}; use the version that \
         wrote it, or a later one",
        .settings.iter().take(10).map(String::as_str).collect::<Vec<_>>().join(", ")
            + if settings.len() > 10 { ", …" } else { "" }
    )]
    UnknownSettings {
        /// Their paths, such as `load.shape`; with `[]`: in any element of a list.
        settings: Vec<String>,
    },
    /// The rate is not one.
    #[error(
        "the rate must be above 0 and at most 10,000,000 per second (of each process), not {rate_per_s}"
    )]
    Rate {
        /// The rate as given.
        rate_per_s: f64,
    },
    /// A number is outside of its range.
    #[error("{} must be {range}, not {value}", in_words(.what))]
    Range {
        /// Which setting, with a mark for its [name](Self::told).
        what: &'static str,
        /// What it may be.
        range: &'static str,
        /// What it is.
        value: String,
    },
    /// Settings that exclude or need each other, with a mark for the [name](Self::told) of
    /// each.
    #[error("{}", in_words(.0))]
    Conflict(&'static str),
}

impl PlanError {
    /// What it says, with names of settings that its reader knows: those of options, say. In
    /// its `Display` they have plain words.
    ///
    /// ```
    /// use loadgen_core::{Load, Plan, Schedule, Setting};
    ///
    /// let load = Load::established(Schedule::constant(1.0)).with_pipeline(0);
    /// let error = Plan::new("http://h/".parse()?, load).validate().unwrap_err();
    /// let named = error.told(|setting| match setting {
    ///     Setting::Pipeline => "--pipeline".to_owned(),
    ///     other => other.to_string(),
    /// });
    /// assert_eq!(named, "--pipeline must be from 1 to 1024, not 0");
    /// # Ok::<(), loadgen_core::PlanError>(())
    /// ```
    #[must_use]
    pub fn told(&self, name: impl Fn(Setting) -> String) -> String {
        match self {
            Self::Range { what, range, value } => {
                format!("{} must be {range}, not {value}", named(what, name))
            }
            Self::Conflict(reason) => named(reason, name),
            other => other.to_string(),
        }
    }
}

impl RunError {
    /// What it says, with names of settings that its reader knows: as [`PlanError::told`].
    #[must_use]
    pub fn told(&self, name: impl Fn(Setting) -> String) -> String {
        if let Self::Plan(error) = self {
            return error.told(name);
        }
        // What else names a setting names it in its plain words.
        let settings = [Setting::KernelTimestamps, Setting::Connections, Setting::SourceAddresses];
        let own = match self {
            Self::KernelTimestamps { .. } | Self::Descriptors { .. } | Self::Ports { .. } => {
                settings
            }
            other => return other.to_string(),
        };
        own.into_iter().fold(self.to_string(), |told, setting| {
            told.replace(&setting.to_string(), &name(setting))
        })
    }
}

/// A file that says what a load asks for, and cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkloadFileError {
    /// It cannot be read.
    #[error("cannot read {}: {cause}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// Something in it is wrong.
    #[error("{}{}: {reason}", file.display(), line.map_or(String::new(), |n| format!(":{n}")))]
    Content {
        /// The file.
        file: PathBuf,
        /// The line, from 1; `None`: it is the whole file.
        line: Option<u64>,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// No line of an access log can be replayed.
    #[error(
        "{}: none of its lines can be replayed: {reason}{}",
        file.display(),
        if *methods {
            "; those of methods that change state are, if the list of requests is allowed them"
        } else {
            ""
        }
    )]
    NothingToReplay {
        /// The file.
        file: PathBuf,
        /// How many lines were left out, and why.
        reason: String,
        /// Some of them only for
        /// [methods that change state](crate::RequestList::with_methods_that_change_state).
        methods: bool,
    },
}

impl WorkloadFileError {
    pub(crate) fn content(file: &Path, line: Option<u64>, reason: impl Into<String>) -> Self {
        Self::Content { file: file.to_owned(), line, reason: reason.into() }
    }
}

/// A run that could not start, or whose worker broke.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The plan is not sound.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The file of its requests cannot be used.
    #[error(transparent)]
    Workload(#[from] WorkloadFileError),
    /// The target's name has no address.
    #[error("cannot resolve the host of '{url}': {cause}")]
    Resolve {
        /// The target's URL.
        url: String,
        /// What the resolver said.
        cause: io::Error,
    },
    /// No connection to the target before the load began.
    #[error("cannot connect to {address} (of '{url}'): {cause}; is the server running?")]
    Connect {
        /// The target's URL.
        url: String,
        /// The last address tried.
        address: Endpoint,
        /// Why the last try failed.
        cause: io::Error,
    },
    /// The server and this program do not agree on TLS.
    #[error("no TLS with {address} (of '{url}'): {reason}")]
    Handshake {
        /// The target's URL.
        url: String,
        /// The address tried.
        address: Endpoint,
        /// What went wrong and, where that helps, what to do.
        reason: String,
    },
    /// A source address that connections cannot come from.
    #[error(
        "cannot connect from {source_address} to {address}: {cause}; is it an address of this machine, and of the same family?"
    )]
    Source {
        /// The source address.
        source_address: IpAddr,
        /// The address of the target.
        address: Endpoint,
        /// What the kernel said.
        cause: io::Error,
    },
    /// The kernel does not tell when it received what is read.
    #[error(
        "this kernel gives no receive timestamps ({cause}): leave {} out (Linux has them from 5.1 on)",
        Setting::KernelTimestamps
    )]
    KernelTimestamps {
        /// What the kernel said.
        cause: io::Error,
    },
    /// The plan needs more descriptors than this process may open.
    #[error(
        "the plan holds up to {wanted} connections, but this process may open {limit} files: \
         raise the limit (ulimit -n) or lower {}",
        Setting::Connections
    )]
    Descriptors {
        /// Descriptors that the plan needs.
        wanted: u64,
        /// The limit in force after raising it as far as allowed.
        limit: u64,
    },
    /// The plan needs more local ports than there are.
    #[error(
        "the plan needs up to {wanted} local ports at once, but {available} exist for one \
         destination: add to {}, widen net.ipv4.ip_local_port_range, or lower {}",
        Setting::SourceAddresses,
        Setting::Connections
    )]
    Ports {
        /// Ports in use at once by the plan.
        wanted: u64,
        /// Ports of all source addresses.
        available: u64,
    },
    /// The settings of TLS cannot be carried out.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The kernel refused something that a worker cannot do without.
    #[error("cannot set up the load engine ({what}): {cause}")]
    Setup {
        /// What was asked of the kernel.
        what: &'static str,
        /// Its answer.
        cause: io::Error,
    },
    /// Somebody stopped it while it was prepared.
    #[error("stopped before the load began")]
    Stopped,
    /// Whoever says when the load begins said why it does not.
    #[error("the load did not begin: {reason}")]
    NotBegun {
        /// Why.
        reason: String,
    },
    /// A worker thread panicked: a defect of this program.
    #[error("a worker thread panicked; this is a defect of loadgen: please report it")]
    WorkerPanicked,
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::path::Path;

    use super::*;

    /// Whoever prints an error with its sources prints nothing twice: what an error says in its
    /// own words is no source of it.
    #[test]
    fn nothing_is_said_twice() {
        let cause = || io::Error::other("no way");
        let run = || RunError::Setup { what: "a thread", cause: cause() };
        let errors: Vec<Box<dyn Error>> = vec![
            Box::new(run()),
            Box::new(RunError::Plan(PlanError::Conflict("no way"))),
            Box::new(RunError::Tls(TlsError::Read {
                what: "it",
                path: "p".into(),
                cause: cause(),
            })),
            Box::new(crate::sweep::SweepError::Run { rate_per_s: 1.0, cause: run() }),
            #[cfg(feature = "migration")]
            Box::new(crate::migration::MigrationError::from(crate::migration::TriggerError::io(
                "it",
                cause(),
            ))),
            #[cfg(feature = "migration")]
            Box::new(crate::migration::MigrationError::from(run())),
        ];
        for error in errors {
            let mut story = error.to_string();
            let mut next = error.source();
            while let Some(source) = next {
                story = format!("{story}: {source}");
                next = source.source();
            }
            assert_eq!(story.matches("no way").count(), 1, "{story}");
        }
    }

    /// No error of the library has the words of a source in its own.
    #[test]
    fn no_source_is_in_the_words_of_an_error() {
        let mut rooms = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
        let mut errors = 0;
        while let Some(room) = rooms.pop() {
            for entry in std::fs::read_dir(room).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    rooms.push(path);
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap();
                for words in text.split("#[error(").skip(1) {
                    let (words, field) = words.split_once(")]").unwrap_or((words, ""));
                    let field = field.split("),").next().unwrap_or(field);
                    let is_source = field.contains(concat!("#[", "from]"))
                        || field.contains(concat!("#[", "source]"));
                    let told = words.contains(concat!("{", "source}"))
                        || (words.contains("{0}") && is_source && !field.contains("#[error("));
                    assert!(!told, "{}: {words}", path.display());
                    errors += 1;
                }
            }
        }
        assert!(errors > 60, "{errors}");
    }
}
