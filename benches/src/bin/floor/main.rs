//! The floor: what a call costs a client that does nothing but ask the kernel.
//! epoll, fixed bytes out, a count of bytes in; no parser, no record, no time limits.
//! It is right for one reply of one length only, and stands for the limit on this
//! kernel, not for a load generator.
//!
//!     floor ADDRESS CONNECTIONS SECONDS [--path P] [--drop] [--threads N | --rate R [--before US]]
//!
//! prints the number of calls and the seconds that they took. Without a rate each
//! connection sends again when its reply is whole; with one, calls start on the grid.
#![expect(clippy::print_stdout, reason = "the figures are the result")]

mod closed;
mod open;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Parser;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

#[derive(Parser)]
struct Args {
    /// Where to connect
    address: SocketAddr,
    /// Kept-alive connections of a thread, each with one call at a time
    connections: usize,
    /// Length of the run
    seconds: f64,
    /// What to ask for
    #[arg(long, default_value = "/", value_name = "P")]
    path: String,
    /// Have the kernel drop the replies instead of copying them (MSG_TRUNC, tcp(7))
    #[arg(long)]
    drop: bool,
    /// Start so many calls a second, evenly spaced, whatever comes back
    #[arg(long)]
    rate: Option<u32>,
    /// Sleep until so many µs before a start, then poll; above the time between
    /// starts: poll always
    #[arg(long, default_value_t = 50, requires = "rate", value_name = "US")]
    before: u64,
    /// So many threads with as many connections each
    #[arg(long, default_value_t = 1, conflicts_with = "rate", value_name = "N")]
    threads: usize,
}

/// What both loops are given.
struct Setup {
    poll: OwnedFd,
    connections: Vec<Connection>,
    request: Vec<u8>,
    /// Bytes of one reply.
    length: usize,
    buffer: Vec<u8>,
    flags: RecvFlags,
    run: Duration,
}

/// One connection: its socket, and what of its reply has come.
struct Connection {
    socket: TcpStream,
    received: usize,
    waits: bool,
}

/// How long the first reply may stop before it is taken for whole.
const QUIET: Duration = Duration::from_millis(200);

fn main() -> Result<()> {
    let args = Args::parse();
    let (calls, took) = match args.rate {
        None => closed::run_threads(&args)?,
        Some(rate) => open::run(&mut Setup::new(&args)?, rate, Duration::from_micros(args.before))?,
    };
    println!("{calls} {:.6}", took.as_secs_f64());
    Ok(())
}

impl Setup {
    fn new(args: &Args) -> Result<Self> {
        let request = format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", args.path, args.address);
        let request = request.into_bytes();
        let (size, flags) = match args.drop {
            true => (1024 * 1024, RecvFlags::TRUNC),
            false => (64 * 1024, RecvFlags::empty()),
        };
        let mut buffer = vec![0; size];
        let length = reply_length(args.address, &request, &mut buffer)?;
        let poll = epoll::create(CreateFlags::CLOEXEC)?;
        let mut connections = Vec::new();
        for i in 0..args.connections {
            let socket = TcpStream::connect(args.address)?;
            socket.set_nodelay(true)?;
            socket.set_nonblocking(true)?;
            epoll::add(
                &poll,
                &socket,
                EventData::new_u64(i as u64),
                EventFlags::IN | EventFlags::ET,
            )?;
            connections.push(Connection { socket, received: 0, waits: false });
        }
        let run = Duration::from_secs_f64(args.seconds);
        Ok(Self { poll, connections, request, length, buffer, flags, run })
    }

    /// Sends a request on a connection.
    fn send(&mut self, index: usize) -> Result<()> {
        self.connections[index].socket.write_all(&self.request)?;
        self.connections[index].waits = true;
        Ok(())
    }

    /// Reads what has come of the reply; whether it is whole now.
    fn receive(&mut self, index: usize) -> Result<bool> {
        let connection = &mut self.connections[index];
        loop {
            match recv(&connection.socket, &mut self.buffer[..], self.flags) {
                Ok((_, 0)) => anyhow::bail!("the server closed a connection"),
                Ok((_, n)) => connection.received += n,
                Err(Errno::AGAIN) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
            ensure!(connection.received <= self.length, "a reply is longer than {}", self.length);
            if connection.received == self.length {
                connection.received = 0;
                connection.waits = false;
                return Ok(true);
            }
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
