//! How a call ended: with a status, or with a failure at a phase for a cause.

use std::io;

use serde::{Deserialize, Serialize};

use crate::expectation::Miss;

/// Calls that share a way of connecting, and so feel the same outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Population {
    /// Over pooled, kept-alive connections.
    Established,
    /// Over a new connection for every call.
    Fresh,
}

impl Population {
    /// Both, in the order of reports.
    pub const ALL: [Self; 2] = [Self::Established, Self::Fresh];

    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Established => "established",
            Self::Fresh => "fresh",
        }
    }
}

/// How far a call had come when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
#[non_exhaustive]
pub enum Phase {
    /// Opening a connection.
    Connect,
    /// Sending the request.
    Send,
    /// Waiting for the head of the reply.
    Head,
    /// Reading the body of the reply.
    Body,
}

/// Why a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
#[non_exhaustive]
pub enum Cause {
    /// The server refused the connection.
    Refused,
    /// The server reset the connection.
    Reset,
    /// No end within the time limit from the first byte sent (or from the start
    /// of connecting).
    Timeout,
    /// No end within the time limit from the intended start.
    Deadline,
    /// The server closed before the reply was complete.
    ClosedEarly,
    /// The reply is not HTTP/1.
    Protocol,
    /// TLS could not be spoken with the server, or its certificate was refused.
    Tls,
    /// No route to the host or its network; no unix socket at its path.
    Unreachable,
    /// The unix socket's server has as many connections waiting as it takes: the kernel
    /// refuses more at once.
    BacklogFull,
    /// The name could not be resolved.
    Resolve,
    /// The proxy opened no tunnel to the server.
    Proxy,
    /// Client side: no local port or address is free.
    AddressUnavailable,
    /// Client side: no file descriptor is free.
    DescriptorsExhausted,
    /// Client side: the kernel had no memory for a socket.
    OutOfMemory,
    /// Anything else; see the errno of the first example.
    Other,
}

impl Phase {
    /// All, in the order of a call's life.
    pub const ALL: [Self; 4] = [Self::Connect, Self::Send, Self::Head, Self::Body];

    /// The first half of a class name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Send => "send",
            Self::Head => "head",
            Self::Body => "body",
        }
    }
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Refused,
        Self::Reset,
        Self::Timeout,
        Self::Deadline,
        Self::ClosedEarly,
        Self::Protocol,
        Self::Tls,
        Self::Unreachable,
        Self::BacklogFull,
        Self::Resolve,
        Self::Proxy,
        Self::AddressUnavailable,
        Self::DescriptorsExhausted,
        Self::OutOfMemory,
        Self::Other,
    ];

    /// The second half of a class name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::Timeout => "timeout",
            Self::Deadline => "deadline",
            Self::ClosedEarly => "closed-early",
            Self::Protocol => "protocol",
            Self::Tls => "tls",
            Self::Unreachable => "unreachable",
            Self::BacklogFull => "backlog-full",
            Self::Resolve => "resolve",
            Self::Proxy => "proxy",
            Self::AddressUnavailable => "address-unavailable",
            Self::DescriptorsExhausted => "descriptors-exhausted",
            Self::OutOfMemory => "out-of-memory",
            Self::Other => "other",
        }
    }

    /// The cause behind an error of the kernel.
    #[must_use]
    pub fn of(error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::ECONNREFUSED) => Self::Refused,
            Some(libc::ECONNRESET | libc::EPIPE | libc::ECONNABORTED) => Self::Reset,
            Some(libc::ETIMEDOUT) => Self::Timeout,
            Some(
                libc::EHOSTUNREACH
                | libc::ENETUNREACH
                | libc::EHOSTDOWN
                | libc::ENETDOWN
                | libc::ENOENT,
            ) => Self::Unreachable,
            Some(libc::EADDRNOTAVAIL | libc::EADDRINUSE | libc::EAGAIN | libc::EAFNOSUPPORT) => {
                Self::AddressUnavailable
            }
            Some(libc::EMFILE | libc::ENFILE) => Self::DescriptorsExhausted,
            Some(libc::ENOBUFS | libc::ENOMEM) => Self::OutOfMemory,
            // No error of the kernel: what came could not be decrypted, or TLS was refused.
            None if error.kind() == io::ErrorKind::InvalidData => Self::Tls,
            _ => Self::Other,
        }
    }
}

/// A failed call: how far it came, why it ended, and what the kernel said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Failure {
    /// How far the call had come.
    pub phase: Phase,
    /// Why it ended.
    pub cause: Cause,
    /// The kernel's error number; 0 if it was not the kernel that said no.
    pub errno: i32,
}

impl Failure {
    /// A failure that the kernel did not report.
    #[must_use]
    pub fn new(phase: Phase, cause: Cause) -> Self {
        Self { phase, cause, errno: 0 }
    }

    /// A failure from an error of the kernel.
    #[must_use]
    pub fn from_io(phase: Phase, error: &io::Error) -> Self {
        Self { phase, cause: Cause::of(error), errno: error.raw_os_error().unwrap_or(0) }
    }

    /// Whether this machine, not the server or the network, is to blame.
    #[must_use]
    pub fn is_client_side(&self) -> bool {
        matches!(
            self.cause,
            Cause::AddressUnavailable | Cause::DescriptorsExhausted | Cause::OutOfMemory
        )
    }

    /// Whether the true response time is only known to be longer than the
    /// measured one.
    #[must_use]
    pub fn is_censored(&self) -> bool {
        matches!(self.cause, Cause::Timeout | Cause::Deadline)
    }

    /// The class in reports, such as `connect-refused`.
    #[must_use]
    pub fn class(&self) -> String {
        format!("{}-{}", self.phase.name(), self.cause.name())
    }
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The reply is complete, and nothing was expected of it; its status code.
    Answered(u16),
    /// The reply is complete and as expected; its status code, whatever that is.
    AsExpected(u16),
    /// The reply is complete and not as expected; its status code, and the first thing that
    /// was wrong.
    Wrong(u16, Miss),
    /// The call was started and failed.
    Failed(Failure),
    /// The arrival was never started: the backlog was full, its deadline passed
    /// in the queue, or the run ended.
    Shed,
    /// Started, and still open when the run ended.
    Unfinished,
}

impl Outcome {
    /// Whether the reply is complete and good: as expected or, where nothing was, with a
    /// status below 400.
    #[must_use]
    pub fn is_good(&self) -> bool {
        match self {
            Self::Answered(status) => *status < 400,
            Self::AsExpected(_) => true,
            _ => false,
        }
    }

    /// The status, if the reply is complete.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Answered(status) | Self::AsExpected(status) | Self::Wrong(status, _) => {
                Some(*status)
            }
            Self::Failed(_) | Self::Shed | Self::Unfinished => None,
        }
    }

    /// Whether the reply is complete.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.status().is_some()
    }
}
