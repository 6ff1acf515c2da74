//! The floor: what a call costs a client that does nothing but ask the kernel.
//! epoll, fixed bytes out, a count of bytes in; no parser, no record, no clock but
//! one reading a batch, no time limits. It is right for one reply of one length
//! only, and stands for the limit on this kernel, not for a load generator.
//!
//!     floor ADDRESS CONNECTIONS SECONDS
//!
//! prints the number of calls and the seconds that they took.
#![expect(clippy::print_stdout, reason = "the figures are the result")]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Parser;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

#[derive(Parser)]
struct Args {
    /// Where to connect
    address: SocketAddr,
    /// Kept-alive connections, each with one call at a time
    connections: usize,
    /// Length of the run
    seconds: f64,
}

/// One connection: its socket, and what of its reply has come.
struct Connection {
    socket: TcpStream,
    received: usize,
}

/// How long the first reply may stop before it is taken for whole.
const QUIET: Duration = Duration::from_millis(200);

fn main() -> Result<()> {
    let args = Args::parse();
    let request = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", args.address).into_bytes();
    let mut buffer = vec![0; 64 * 1024];
    let length = reply_length(args.address, &request, &mut buffer)?;
    let poll = epoll::create(CreateFlags::CLOEXEC)?;
    let mut connections = Vec::new();
    for i in 0..args.connections {
        let socket = TcpStream::connect(args.address)?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        epoll::add(&poll, &socket, EventData::new_u64(i as u64), EventFlags::IN | EventFlags::ET)?;
        connections.push(Connection { socket, received: 0 });
    }
    let began = Instant::now();
    let end = began + Duration::from_secs_f64(args.seconds);
    for connection in &mut connections {
        connection.socket.write_all(&request)?;
    }
    let mut calls = 0_u64;
    let mut events: Vec<Event> = Vec::with_capacity(args.connections);
    loop {
        events.clear();
        epoll::wait(&poll, spare_capacity(&mut events), None)?;
        for event in &events {
            let connection = &mut connections[event.data.u64() as usize];
            match connection.socket.read(&mut buffer) {
                Ok(0) => anyhow::bail!("the server closed a connection"),
                Ok(n) => connection.received += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error.into()),
            }
            ensure!(connection.received <= length, "a reply is longer than {length} bytes");
            if connection.received == length {
                connection.received = 0;
                calls += 1;
                connection.socket.write_all(&request)?;
            }
        }
        if Instant::now() >= end {
            println!("{calls} {:.6}", began.elapsed().as_secs_f64());
            return Ok(());
        }
    }
}

/// The length of a reply: what came when nothing more comes.
fn reply_length(address: SocketAddr, request: &[u8], buffer: &mut [u8]) -> Result<usize> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(QUIET))?;
    socket.write_all(request)?;
    let mut length = 0;
    loop {
        match socket.read(buffer) {
            Ok(0) => anyhow::bail!("the server closed the connection after {length} bytes"),
            Ok(n) => length += n,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                ensure!(length > 0, "no reply from {address} within {QUIET:?}");
                return Ok(length);
            }
            Err(error) => return Err(error.into()),
        }
    }
}
