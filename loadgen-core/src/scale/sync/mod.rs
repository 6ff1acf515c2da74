//! How the shards of one load agree on a common start, and how far each one's clock is from that
//! of shard 0.
//!
//! Shard 0 is the host and listens ([`MeetingHost`]); the others are guests and connect
//! ([`MeetingGuest`]), in any order: a guest tries again until somebody listens. Each proves to the
//! other that it knows a [token](SyncToken), measures what its clock is off, says when its
//! connections are open, and is told the moment of the start. From there on nobody waits for
//! anybody.
//!
//! # What is said
//!
//! One TCP connection a guest; a line of ASCII of at most 256 bytes a message, and at most 1,000
//! lines each way.
//!
//! | who | line | |
//! |---|---|---|
//! | host | `loadgen-sync/1 NONCE` | its version, and 16 random bytes |
//! | guest | `join I/N PLAN NONCE PROOF` | which shard, the hash of its plan, and its proof |
//! | host | `welcome PROOF` | the host's proof |
//! | host | `no REASON` | the guest is refused, or the meeting is given up |
//! | guest | `clock K` | the K-th question for the time |
//! | host | `clock K T2 T3` | received and answered, in ns of the host's `CLOCK_MONOTONIC` |
//! | guest | `ready` | its connections are open |
//! | host | `start T` | the load starts at T of the host's clock |
//! | host | `end T` | the load is to end at T, if that was not known before |
//! | guest | `goodbye` | it is done |
//!
//! PROOF is HMAC-SHA256 (RFC 2104) with the token as the key, over `loadgen-sync/1 ROLE I/N PLAN
//! HOST-NONCE GUEST-NONCE`, where ROLE is `host` or `guest`. So the token is never sent, no proof
//! can be used twice, and none can be sent back to whom it came from.
//!
//! The proofs keep strangers out. They hide nothing, and later lines have none: who can change
//! what goes over the network between the machines can also change the load.
//!
//! # Strangers
//!
//! Whoever connects is a stranger until its proof is seen, has 5 s for it, and costs its own
//! connection only, whatever it sends. There are at most 32 at a time; more wait in the kernel's
//! queue.
//!
//! # Data flow
//!
//! `lines` (bytes become messages) → `handshake` (who may come in) → `host/roll` (who is there),
//! `guest/inbox` (what was told) are pure; `wire` and the threads of `host` and `guest` are around
//! them. All threads end when the host or the guest is dropped.

mod error;
mod guest;
mod handshake;
mod hex;
mod host;
mod lines;
mod map;
mod message;
mod nonce;
mod offset;
mod place;
mod refusal;
mod start;
#[cfg(test)]
mod tests;
mod token;
mod wire;

use std::time::Duration;

pub use error::SyncError;
pub use guest::MeetingGuest;
pub use host::{LostShard, MeetingHost};
pub use map::{ClockMap, HostTime};
pub use offset::Offset;
pub use refusal::Refusal;
pub use start::Start;
pub use token::SyncToken;

/// How long shards wait for each other if nothing else is said.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
