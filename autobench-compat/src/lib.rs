//! Drop-ins for the tools of autobench: same arguments, output and exit status.
//!
//! Each tool is a module with a function that takes the arguments, the standard
//! streams and what else the tool sees of the world, and returns the exit status; the
//! programs in `src/bin` only call it.

pub mod admin;
pub mod allowed;
pub mod autobench;
pub mod bench2graph;
pub mod beside;
pub mod clients;
pub mod command;
pub mod config;
pub mod crfile;
pub mod daemon;
pub mod highest;
pub mod httperf_output;
pub mod json;
pub mod local_time;
pub mod merge;
pub mod migrate;
pub mod options;
pub mod output;
pub mod page;
pub mod perl;
pub mod protocol;
pub mod reason;
pub mod sesslog;
pub mod start;
pub mod sweep;
pub mod tester;

use std::io;
use std::net::TcpStream;
use std::time::Duration;

/// Finds out about peers that have vanished without a word.
fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    let probes = socket2::TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(20))
        .with_retries(3);
    socket2::SockRef::from(stream).set_tcp_keepalive(&probes)
}
