//! A server that is never short of cores of its own: a thread on each of the given
//! cores, which serves just the connections whose handshake came in on its core. On the
//! loopback that is where the client's thread ran; so a client with a thread on each
//! core meets on each a server that shares nothing with the others (`SO_INCOMING_CPU`,
//! socket(7); among sockets of one port the kernel heeds it since Linux 6.1).
//!
//!     core_server PORT CORE...
//!
//! replies as `fixed_server`, says `ready` when it listens, and runs until it is ended.
#![expect(clippy::print_stdout, reason = "the word that it is ready")]

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::thread;

use anyhow::{Context, Result};
use clap::Parser;
use loadgen_benches::fixed_server::reply;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::thread::{CpuSet, sched_setaffinity};
use socket2::{Domain, Protocol, Socket, Type};

#[derive(Parser)]
struct Args {
    /// Port on 127.0.0.1
    port: u16,
    /// A thread on each of these
    #[arg(required = true)]
    cores: Vec<usize>,
}

/// The event of the listener; others are places of connections.
const LISTENER: u64 = u64::MAX;

fn main() -> Result<()> {
    let args = Args::parse();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let listeners = args.cores.iter().map(|core| listen(address, *core));
    let listeners: Vec<Socket> = listeners.collect::<Result<_>>()?;
    let serving: Vec<_> = args
        .cores
        .into_iter()
        .zip(listeners)
        .map(|(core, listener)| thread::spawn(move || serve(core, &listener)))
        .collect();
    println!("ready");
    for thread in serving {
        thread.join().ok().context("a thread of the server panicked")??;
    }
    Ok(())
}

fn listen(address: SocketAddr, core: usize) -> Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_cpu_affinity(core)?;
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into()).with_context(|| format!("cannot listen on {address}"))?;
    socket.listen(4096)?;
    Ok(socket)
}

/// Answers a request whenever bytes come: each comes in one piece, and the next one
/// waits for the reply.
fn serve(core: usize, listener: &Socket) -> Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores)?;
    let reply = reply();
    let poll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&poll, listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    let mut connections: Vec<Option<Socket>> = Vec::new();
    let mut events: Vec<Event> = Vec::with_capacity(256);
    let mut buffer = [0; 4096];
    loop {
        events.clear();
        epoll::wait(&poll, spare_capacity(&mut events), None)?;
        for event in &events {
            if event.data.u64() == LISTENER {
                accept(listener, &poll, &mut connections)?;
                continue;
            }
            let connection = &mut connections[event.data.u64() as usize];
            let Some(socket) = connection else { continue };
            match socket.read(&mut buffer) {
                Ok(n) if n > 0 && socket.write_all(&reply).is_ok() => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                _ => *connection = None,
            }
        }
    }
}

fn accept(listener: &Socket, poll: &OwnedFd, connections: &mut Vec<Option<Socket>>) -> Result<()> {
    loop {
        match listener.accept() {
            Ok((socket, _)) => {
                socket.set_nonblocking(true)?;
                let place = EventData::new_u64(connections.len() as u64);
                epoll::add(poll, &socket, place, EventFlags::IN | EventFlags::ET)?;
                connections.push(Some(socket));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}
