//! The program `loadgen` itself: what it does, prints and refuses, and how it ends.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and tell why")]

mod chaos;
mod common;
mod experiment;
mod help;
mod migrate;
mod output;
mod places;
mod ports;
mod predict;
mod reach;
mod real_logs;
mod requests;
#[path = "../../../tests/require.rs"]
mod require;
mod run;
mod secrets;
mod sessions;
mod shards;
mod signals;
mod stalls;
mod strings;
mod sweep;
mod usage;
mod watch;
