//! The packets of the checks, and the answers to them.
//!
//! A TCP check has a socket of its own, whose local port the kernel chooses: it goes
//! through all of its range before it takes one again. ICMP checks share one socket.

mod echo;

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use self::echo::Echo;
use super::method::Method;
use super::{Check, Fate};
use crate::clock::{Nanos, monotonic_ns};
use crate::net::poll::Poll;
use crate::net::tcp_info::TcpInfo;
use crate::plan::Precision;

/// Token of the socket for ICMP; TCP checks have their number.
const ECHO: u64 = u64::MAX;

/// Answers in one look, from which on there may be more: the epoll buffer is larger.
const MANY: usize = 256;

/// Sends checks and hears their answers. Numbers of checks count up from 0.
pub(super) struct Asker {
    service: SocketAddr,
    source: Option<IpAddr>,
    method: Method,
    poll: Poll,
    echo: Option<Echo>,
    /// The TCP checks from number `first` on that wait for their answers.
    open: VecDeque<Option<Socket>>,
    first: u64,
    /// When the last look began, so that what is seen now was not there before.
    looked: Nanos,
}

impl Asker {
    /// Asks the machine of `service` by one method.
    pub(super) fn new(
        service: SocketAddr,
        source: Option<IpAddr>,
        method: Method,
    ) -> io::Result<Self> {
        let poll = Poll::new(Precision::Low)?;
        let echo = match method {
            Method::Icmp => Some(Echo::new(service.ip(), source)?),
            Method::Rst(_) | Method::Syn => None,
        };
        if let Some(echo) = &echo {
            poll.register(echo.socket().as_fd(), ECHO)?;
        }
        let (open, looked) = (VecDeque::new(), monotonic_ns());
        Ok(Self { service, source, method, poll, echo, open, first: 0, looked })
    }

    /// How many descriptors are needed for so many checks at a time.
    pub(super) fn descriptors(method: Method, checks: u64) -> u64 {
        match method {
            Method::Icmp => 2,
            Method::Rst(_) | Method::Syn => checks + 1,
        }
    }

    /// Sends the next check. Its fate is [`Fate::Unknown`] for now if it was sent and
    /// not answered at once: `true`.
    pub(super) fn send(&mut self) -> (Check, bool) {
        let number = self.first + self.open.len() as u64;
        let unsent = |at| Check { before: at, sent: at, fate: Fate::Unknown };
        if let Some(echo) = &self.echo {
            self.open.push_back(None);
            let before = monotonic_ns();
            let result = echo.send(number);
            let check = Check { before, sent: monotonic_ns(), fate: Fate::Unknown };
            return (check, result.is_ok());
        }
        let (socket, address) = match self.socket() {
            Ok(prepared) => prepared,
            Err(_) => {
                self.open.push_back(None);
                return (unsent(monotonic_ns()), false);
            }
        };
        let before = monotonic_ns();
        let result = socket.connect(&address.into());
        let sent = monotonic_ns();
        let answered = Fate::Answered { after: before, by: sent, first: true };
        let (fate, waits) = match result {
            Ok(()) => (answered, false),
            Err(error) => match error.raw_os_error() {
                Some(libc::EINPROGRESS) => (Fate::Unknown, true),
                Some(libc::ECONNREFUSED | libc::ECONNRESET) => (answered, false),
                // Nothing has left: no port, no route of ours, a filter of ours.
                _ => (Fate::Unknown, false),
            },
        };
        // Only now: a socket that does not connect yet is announced as hung up.
        let waits = waits && self.poll.register(socket.as_fd(), number).is_ok();
        self.open.push_back(waits.then_some(socket));
        (Check { before, sent, fate }, waits)
    }

    fn socket(&self) -> io::Result<(Socket, SocketAddr)> {
        let mut address = self.service;
        if let Method::Rst(port) = self.method {
            address.set_port(port);
        }
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM.nonblocking().cloexec(),
            Some(Protocol::TCP),
        )?;
        // What is answered is reset: the service has nothing to read and to close.
        socket.set_linger(Some(Duration::ZERO))?;
        if let Some(source) = self.source {
            socket.bind(&SocketAddr::new(source, 0).into())?;
        }
        Ok((socket, address))
    }

    /// Waits for answers, for at most `wait`, and tells the fate of each check that
    /// has one now.
    pub(super) fn look(&mut self, wait: Nanos, mut tell: impl FnMut(u64, Fate)) -> io::Result<()> {
        let entered = monotonic_ns();
        let ready = self.poll.wait(wait)?;
        let (after, by) = (self.looked, monotonic_ns());
        for i in 0..ready {
            let number = self.poll.readiness(i).token();
            if number == ECHO {
                let newest = self.first + self.open.len() as u64;
                if let Some(echo) = &self.echo {
                    echo.answers(newest, |number| {
                        tell(number, Fate::Answered { after, by, first: true });
                    });
                }
            } else if let Some(socket) = self.take(number)
                && let Some(fate) = outcome(&socket, after, by)
            {
                tell(number, fate);
            }
        }
        if ready < MANY {
            self.looked = entered;
        }
        Ok(())
    }

    /// When answers were last looked for, at the least.
    pub(super) fn looked(&self) -> Nanos {
        self.looked
    }

    fn take(&mut self, number: u64) -> Option<Socket> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.open.get_mut(index)?.take()
    }

    /// Waits no more for the check of this number, nor for those before it.
    pub(super) fn give_up(&mut self, number: u64) {
        while self.first <= number && self.open.pop_front().is_some() {
            self.first += 1;
        }
    }
}

/// What a socket says that has something to say.
fn outcome(socket: &Socket, after: Nanos, by: Nanos) -> Option<Fate> {
    // The kernel sends a SYN again after 1 s. When we come that late, it may be this
    // one that was answered.
    let first = || TcpInfo::of(socket.as_fd()).is_some_and(|info| info.total_retransmits == 0);
    match socket.take_error() {
        Ok(None) => Some(Fate::Answered { after, by, first: first() }),
        Ok(Some(error)) => match error.raw_os_error() {
            Some(libc::ECONNREFUSED | libc::ECONNRESET) => {
                Some(Fate::Answered { after, by, first: first() })
            }
            // The word of a router, or of our own kernel that found no neighbour.
            Some(libc::EHOSTUNREACH | libc::ENETUNREACH | libc::EHOSTDOWN | libc::ETIMEDOUT) => {
                Some(Fate::Lost)
            }
            _ => None,
        },
        Err(_) => None,
    }
}
