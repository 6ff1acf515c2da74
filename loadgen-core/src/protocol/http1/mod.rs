//! HTTP/1.x without input or output: bytes in, progress out.
//!
//! The parser reads replies only (RFC 9112) and only as much of them as framing
//! and counting need: status, length, transfer coding, whether the connection
//! may be used again. It is not a general parser of headers: other fields are
//! walked over, and bodies are counted, not kept.

mod date;
mod error;
mod framing;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod harness;
mod known_head;
mod lines;
#[cfg(test)]
mod properties;
mod reply;
pub(crate) mod request;
mod scan;
#[cfg(test)]
mod tests;
pub(crate) mod tolerant;

#[cfg(any(test, feature = "fuzzing"))]
use known_head::KnownHead;
pub(crate) use reply::ReplyParser;
pub(crate) use tolerant::{LINE_KEPT, TolerantReader};
