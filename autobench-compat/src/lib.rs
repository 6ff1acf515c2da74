//! Drop-ins for the tools of autobench: same arguments, output and exit status.
//!
//! Each tool is a module whose `main` takes the arguments (with the program's
//! name in front) and the standard streams, and returns the exit status; the
//! programs in `src/bin` only call it.

pub mod bench2graph;
pub mod crfile;
pub mod reason;
pub mod sesslog;
