//! The program `httperf` itself: beside the original, and read by programs that read the
//! original's output; what it has beyond it; its documents.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and tell why")]

mod differential;
mod docs;
mod parsers;
mod programs;
mod repeat;
#[path = "../../../tests/require.rs"]
mod require;
mod servers;
mod version_091;
