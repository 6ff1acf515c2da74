//! Where a worker's connections go: to which endpoint the next one, and from which
//! source address; and, where the name is resolved again for each of them, which ones
//! wait for which lookup.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::sources::Sources;
use crate::net::endpoint::Endpoint;
use crate::net::lookups::{Answer, Line};
use crate::net::{SocketOptions, socket};
use crate::record::{Cause, Failure, Phase};
use crate::target::Addresses;

/// Token of what wakes a worker when a lookup has ended: none of a connection.
pub(super) const BELL: u64 = u64::MAX;

/// Where a worker's connections go.
#[derive(Debug)]
pub(super) struct Destination {
    /// The target alone, unless its sessions have several.
    servers: Vec<Server>,
    choice: Addresses,
    sources: Sources,
    options: SocketOptions,
    /// For the resolver, if it is asked for each connection.
    line: Option<Line>,
    /// The connections that wait, by the number of the lookup that is fresh enough, and
    /// their tokens.
    waiting: VecDeque<(u64, u64)>,
}

/// Where the connections to one server go.
#[derive(Debug)]
struct Server {
    /// Those that connections go to in turn; one, if all go to the first.
    endpoints: Vec<Endpoint>,
    next: usize,
}

impl Destination {
    /// The destination of one worker. `first`: so many endpoints and servers are left out
    /// at the start, so that several workers do not all begin with the same. `servers` are
    /// the endpoints that the name of each had before the load, the one that answered first.
    pub(super) fn new(
        choice: Addresses,
        servers: &[Vec<Endpoint>],
        first: u32,
        sources: Sources,
        options: &SocketOptions,
        line: Option<Line>,
    ) -> Self {
        let server = |_: &Vec<Endpoint>| Server { endpoints: Vec::new(), next: first as usize };
        let mut new = Self {
            servers: servers.iter().map(server).collect(),
            choice,
            sources,
            options: options.clone(),
            line,
            waiting: VecDeque::new(),
        };
        servers.iter().enumerate().for_each(|(server, found)| new.moved_to(server, found));
        new
    }

    /// The name of a server has these endpoints now. Where all connections go to one of them, that
    /// is the one in use for as long as the name has it; then the first of the same family,
    /// else the first.
    fn moved_to(&mut self, server: usize, found: &[Endpoint]) {
        let is_ipv4 = |endpoint: &Endpoint| endpoint.tcp().map(|address| address.is_ipv4());
        let Some(server) = self.servers.get_mut(server) else { return };
        let mut found: Vec<&Endpoint> = found.iter().filter(|to| self.sources.fit(to)).collect();
        if self.choice == Addresses::First {
            let used = server.endpoints.first();
            let kept = found.iter().find(|endpoint| used == Some(**endpoint));
            let like = || found.iter().find(|e| used.is_some_and(|u| is_ipv4(u) == is_ipv4(e)));
            let one = kept.or_else(like).or(found.first()).copied();
            found = one.into_iter().collect();
        }
        server.endpoints = found.into_iter().cloned().collect();
    }

    /// What rings for the worker that waits for lookups.
    pub(super) fn line(&self) -> Option<&Line> {
        self.line.as_ref()
    }

    /// Whether the connection with this token has to wait for a lookup, which is asked for.
    pub(super) fn has_to_wait(&mut self, token: u64) -> bool {
        let Some(line) = &self.line else { return false };
        self.waiting.push_back((line.ask(), token));
        true
    }

    /// A lookup has ended.
    pub(super) fn answer(&mut self) -> Option<Arc<Answer>> {
        let answer = self.line.as_mut()?.take()?;
        if let Ok(found) = &answer.found {
            // A name that is resolved again is the target's: it is alone.
            self.moved_to(0, found);
        }
        Some(answer)
    }

    /// The next connection that has waited for this lookup, or an earlier one.
    pub(super) fn next_waiting(&mut self, number: u64) -> Option<u64> {
        let (wanted, token) = *self.waiting.front()?;
        if wanted > number {
            return None;
        }
        self.waiting.pop_front();
        Some(token)
    }

    /// The endpoint of the next connection to a server.
    pub(super) fn next_endpoint(&mut self, server: usize) -> Option<&Endpoint> {
        let Server { endpoints, next } = self.servers.get_mut(server)?;
        let place = next.checked_rem(endpoints.len())?;
        *next = place + 1;
        endpoints.get(place)
    }

    /// A socket that connects to `endpoint`, from the next source address, or the next that
    /// has a port free.
    pub(super) fn socket(
        &mut self,
        endpoint: &Endpoint,
        buffer: Option<u32>,
    ) -> io::Result<OwnedFd> {
        let mut left = self.sources.tries();
        loop {
            left -= 1;
            let socket = socket::prepare(endpoint, &self.options)?;
            if let Some(bytes) = buffer {
                socket.set_recv_buffer_size(bytes as usize)?;
            }
            let bound = endpoint.tcp().map_or(Ok(()), |server| self.sources.bind(&socket, server));
            match bound.and_then(|()| socket::begin(&socket, endpoint)) {
                Ok(()) => return Ok(socket.into()),
                Err(error) if left == 0 || Cause::of(&error) != Cause::AddressUnavailable => {
                    return Err(error);
                }
                Err(_) => {}
            }
        }
    }
}

/// Why no connection to an endpoint could be begun.
pub(super) fn failure(endpoint: &Endpoint, error: &io::Error) -> Failure {
    let failure = Failure::from_io(Phase::Connect, error);
    match (endpoint, error.raw_os_error()) {
        // connect(2): of TCP it means that this machine has no port left.
        (Endpoint::Unix(_), Some(libc::EAGAIN)) => Failure { cause: Cause::BacklogFull, ..failure },
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Endpoint {
        Endpoint::Tcp(text.parse().unwrap())
    }

    fn destination(choice: Addresses, shard: u32, endpoints: &[Endpoint]) -> Destination {
        let options = SocketOptions::default();
        let sources = Sources::new(&options, (shard, 8));
        Destination::new(choice, &[endpoints.to_vec()], shard, sources, &options, None)
    }

    fn turns(destination: &mut Destination, n: usize) -> Vec<String> {
        (0..n).map(|_| destination.next_endpoint(0).unwrap().to_string()).collect()
    }

    #[test]
    fn all_addresses_take_turns_and_shards_begin_elsewhere() {
        let three = [at("10.0.0.1:80"), at("10.0.0.2:80"), at("[::1]:80")];
        let [a, b, c] = three.each_ref().map(ToString::to_string);
        let mut first = destination(Addresses::All, 0, &three);
        assert_eq!(turns(&mut first, 4), [&a, &b, &c, &a].map(Clone::clone));
        let mut second = destination(Addresses::All, 4, &three);
        assert_eq!(turns(&mut second, 3), [b, c, a]);
    }

    #[test]
    fn one_address_is_used_until_the_name_has_it_no_more() {
        let (old, new, six) = (at("10.0.0.1:80"), at("10.0.0.2:80"), at("[::1]:80"));
        let mut to = destination(Addresses::First, 3, &[old.clone(), six.clone()]);
        let mut goes_to = |found: &[&Endpoint], endpoint: &Endpoint| {
            to.moved_to(0, &found.iter().map(|e| (*e).clone()).collect::<Vec<_>>());
            assert_eq!(turns(&mut to, 2), [endpoint.to_string(), endpoint.to_string()]);
        };
        goes_to(&[&old], &old);
        goes_to(&[&six, &new, &old], &old);
        goes_to(&[&six, &new], &new);
        goes_to(&[&six], &six);
        goes_to(&[&old, &new], &old);
    }

    #[test]
    fn sources_take_addresses_of_their_family_only() {
        let sources = vec!["127.0.0.2".parse().unwrap()];
        let options = SocketOptions { sources, ..SocketOptions::default() };
        let both = [at("[::1]:80"), at("10.0.0.1:80")];
        let sources = || Sources::new(&options, (0, 1));
        let to = |s| Destination::new(Addresses::All, &[both.to_vec()], 0, s, &options, None);
        let all = turns(&mut to(sources().strictly_in_turn()), 2);
        assert_eq!(all, ["[::1]:80", "10.0.0.1:80"]);
        let mut to = to(sources());
        assert_eq!(turns(&mut to, 2), ["10.0.0.1:80", "10.0.0.1:80"]);
        to.moved_to(0, &both[..1]);
        assert_eq!(to.next_endpoint(0), None);
    }

    #[test]
    fn a_full_backlog_is_no_lack_of_ports() {
        let unix = Endpoint::Unix("/run/a".into());
        let cause = |endpoint: &Endpoint, errno| {
            failure(endpoint, &io::Error::from_raw_os_error(errno)).cause
        };
        assert_eq!(cause(&unix, libc::EAGAIN), Cause::BacklogFull);
        assert_eq!(cause(&at("10.0.0.1:80"), libc::EAGAIN), Cause::AddressUnavailable);
        assert_eq!(cause(&unix, libc::ECONNREFUSED), Cause::Refused);
        assert_eq!(cause(&unix, libc::ENOENT), Cause::Unreachable);
    }
}
