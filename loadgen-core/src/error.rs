//! Errors of set-up. Failures of calls are not errors but data: see
//! [`Failure`](crate::Failure).

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::net::endpoint::Endpoint;
use crate::net::tls::TlsError;

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
        "the value of {} is secret and was not kept: give it again, as in -H '{}: env:NAME' (from \
         the environment) or -H @FILE (from a file of header lines)",
        headers.join(", "),
        headers.first().map_or("NAME", String::as_str)
    )]
    Secrets {
        /// Their names.
        headers: Vec<String>,
    },
    /// The rate is not one.
    #[error("the rate must be above 0 and at most 10,000,000 per second, not {rate_per_s}")]
    Rate {
        /// The rate as given.
        rate_per_s: f64,
    },
    /// A number is outside of its range.
    #[error("{what} must be {range}, not {value}")]
    Range {
        /// Which setting.
        what: &'static str,
        /// What it may be.
        range: &'static str,
        /// What it is.
        value: String,
    },
    /// Two settings that exclude each other.
    #[error("{0}")]
    Conflict(&'static str),
}

/// A file that says what a load asks for, and cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkloadFileError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
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
    #[error("cannot resolve the host of '{url}': {source}")]
    Resolve {
        /// The target's URL.
        url: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// No connection to the target before the load began.
    #[error("cannot connect to {address} (of '{url}'): {source}; is the server running?")]
    Connect {
        /// The target's URL.
        url: String,
        /// The last address tried.
        address: Endpoint,
        /// Why the last try failed.
        source: io::Error,
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
        "cannot connect from {source_address} to {address}: {source}; is it an address of this machine, and of the same family?"
    )]
    Source {
        /// The source address.
        source_address: IpAddr,
        /// The address of the target.
        address: Endpoint,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel does not tell when it received what is read.
    #[error(
        "this kernel gives no receive timestamps ({source}): leave --kernel-timestamps out (it needs Linux 5.1)"
    )]
    KernelTimestamps {
        /// What the kernel said.
        source: io::Error,
    },
    /// The plan needs more descriptors than this process may open.
    #[error(
        "the plan holds up to {wanted} connections, but this process may open {limit} files: \
         raise the limit (ulimit -n) or lower --connections"
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
         destination: add source addresses (--source-address), widen \
         net.ipv4.ip_local_port_range, or lower the number of connections"
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
    #[error("cannot set up the load engine ({what}): {source}")]
    Setup {
        /// What was asked of the kernel.
        what: &'static str,
        /// Its answer.
        source: io::Error,
    },
    /// Somebody stopped it while it was prepared.
    #[error("stopped before the load began")]
    Stopped,
    /// A worker thread panicked: a defect of this program.
    #[error("a worker thread panicked; this is a defect of loadgen: please report it")]
    WorkerPanicked,
}
