//! Drop-ins for the tools of autobench: same arguments, output and exit status.
//!
//! Each tool is a module whose `main` takes the arguments (with the program's
//! name in front) and the standard streams, and returns the exit status; the
//! programs in `src/bin` only call it.

pub mod autobench;
pub mod bench2graph;
pub mod command;
pub mod config;
pub mod crfile;
pub mod options;
pub mod output;
pub mod perl;
pub mod prober;
pub mod reading;
pub mod reason;
pub mod sesslog;
pub mod start;
pub mod sweep;
pub mod words;
