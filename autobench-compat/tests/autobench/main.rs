//! The drop-ins for autobench and the tools around it: as what the originals were seen
//! to do, and as programs.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and tell why")]

mod admin_replay;
mod autobench_replay;
mod bench2graph;
mod common;
mod crfile;
mod daemon_protocol;
mod migrate;
mod namespaces;
mod place;
mod programs;
mod read_by_autobench;
mod reader_gone;
#[path = "../../../tests/require.rs"]
mod require;
mod script;
mod sesslog;
mod spreadsheet;
