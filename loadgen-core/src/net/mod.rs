//! The kernel, as far as a worker needs it: an epoll loop with nanosecond
//! deadlines and non-blocking sockets. All `unsafe` of the crate is in [`sys`].

pub(crate) mod cores;
pub(crate) mod endpoint;
pub(crate) mod limits;
pub(crate) mod lookups;
pub(crate) mod poll;
mod precision;
pub(crate) mod progress;
pub(crate) mod resolver;
pub(crate) mod socket;
mod socket_options;
pub(crate) mod spin_window;
pub(crate) mod stamps;
pub(crate) mod sys;
pub(crate) mod tcp_info;
pub(crate) mod tls;
pub(crate) mod transport;
#[cfg_attr(not(feature = "tls"), allow(dead_code, reason = "without TLS there are none"))]
pub(crate) mod tunnel;

pub use precision::Precision;
pub use socket_options::SocketOptions;
