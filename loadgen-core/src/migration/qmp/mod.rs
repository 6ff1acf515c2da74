//! The `qmp` trigger: QEMU's machine protocol (QMP), spoken to the source and,
//! when it is given, to the target.
//!
//! **Layout**: [`client`] is one connection, [`session`] both of them as one
//! stream, [`prepare`] is all before a
//! migration, [`settings`] what is set for it and put back, [`strategy`]
//! how strategies are told to QEMU, [`flight`] the migration itself, [`trigger`] the plug-in.
//!
//! What QEMU is known to do, and is handled (seen with 7.2, 10.0 and 11.1):
//!
//! * events come between a request and its reply, also before the reply of the
//!   request that caused them;
//! * `migrate` to a refused port returns `{}`; the reason comes later;
//! * the first `completed` may come with a total time of 0;
//! * cancelling ends the process of the target;
//! * a machine that was stopped before it was moved arrives stopped;
//! * a post-copy whose path is cut waits for a recovery, on both sides;
//! * capabilities stay as an earlier migration left them;
//! * 11 does not tell of the first pass, and has a state `postcopy-device`;
//! * newer versions have more fields, states and events.

mod client;
#[cfg(test)]
pub(super) mod fake;
mod flight;
mod options;
mod prepare;
mod progress;
mod session;
mod settings;
mod strategy;
#[cfg(test)]
mod tests;
mod trigger;

#[cfg(feature = "clouds")]
pub(super) use client::{Client, Received, What};
pub use options::{QmpAddress, QmpOptions};
pub(super) use prepare::{busy, memory_bytes};
pub(super) use session::Session;
pub use trigger::QmpTrigger;
