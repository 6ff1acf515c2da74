//! Where a worker's connections go: to which endpoint the next one, and from which
//! source address; and, where the name is resolved again for each of them, which ones
//! wait for which lookup.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::worker::Worker;
use crate::net::endpoint::Endpoint;
use crate::net::lookups::{Answer, Line};
use crate::net::socket;
use crate::protocol::Protocol;
use crate::record::{Cause, Failure, Phase};
use crate::target::{Addresses, Target};

/// Token of what wakes a worker when a lookup has ended: none of a connection.
pub(super) const BELL: u64 = u64::MAX;

/// Where a worker's connections go.
#[derive(Debug)]
pub(super) struct Destination {
    /// Those that connections go to in turn; one, if all go to the first.
    endpoints: Vec<Endpoint>,
    choice: Addresses,
    next: usize,
    sources: Vec<IpAddr>,
    next_source: usize,
    /// For the resolver, if it is asked for each connection.
    line: Option<Line>,
    /// The connections that wait, by the number of the lookup that is fresh enough, and
    /// their tokens.
    waiting: VecDeque<(u64, u64)>,
}

impl Destination {
    /// The destination of worker `shard`, so that several workers do not all begin with
    /// the same endpoint. `endpoints` are those that the name had before the load, the one
    /// that answered first.
    pub(super) fn new(
        target: &Target,
        endpoints: &[Endpoint],
        shard: u32,
        line: Option<Line>,
    ) -> Self {
        let mut new = Self {
            endpoints: Vec::new(),
            choice: target.addresses(),
            next: shard as usize,
            sources: target.source_addresses().to_vec(),
            next_source: 0,
            line,
            waiting: VecDeque::new(),
        };
        new.moved_to(endpoints);
        new
    }

    /// The name has these endpoints now. Where all connections go to one of them, that
    /// is the one in use for as long as the name has it; then the first of the same family,
    /// else the first.
    fn moved_to(&mut self, found: &[Endpoint]) {
        let is_ipv4 = |endpoint: &Endpoint| endpoint.tcp().map(|address| address.is_ipv4());
        let fits = |endpoint: &&Endpoint| match (self.sources.first(), is_ipv4(endpoint)) {
            (Some(source), Some(is_ipv4)) => source.is_ipv4() == is_ipv4,
            _ => true,
        };
        let mut found: Vec<&Endpoint> = found.iter().filter(fits).collect();
        if self.choice == Addresses::First {
            let used = self.endpoints.first();
            let kept = found.iter().find(|endpoint| used == Some(**endpoint));
            let like = || found.iter().find(|e| used.is_some_and(|u| is_ipv4(u) == is_ipv4(e)));
            let one = kept.or_else(like).or(found.first()).copied();
            found = one.into_iter().collect();
        }
        self.endpoints = found.into_iter().cloned().collect();
    }

    /// What rings for [`Worker::resolved`].
    pub(super) fn line(&self) -> Option<&Line> {
        self.line.as_ref()
    }

    /// Whether the connection with this token has to wait for a lookup, which is asked for.
    fn has_to_wait(&mut self, token: u64) -> bool {
        let Some(line) = &self.line else { return false };
        self.waiting.push_back((line.ask(), token));
        true
    }

    /// A lookup has ended.
    fn answer(&mut self) -> Option<Arc<Answer>> {
        let answer = self.line.as_mut()?.take()?;
        if let Ok(found) = &answer.found {
            self.moved_to(found);
        }
        Some(answer)
    }

    /// The next connection that has waited for this lookup, or an earlier one.
    fn next_waiting(&mut self, number: u64) -> Option<u64> {
        let (wanted, token) = *self.waiting.front()?;
        if wanted > number {
            return None;
        }
        self.waiting.pop_front();
        Some(token)
    }

    /// The endpoint of the next connection.
    fn next_endpoint(&mut self) -> Option<&Endpoint> {
        let count = self.endpoints.len();
        let place = self.next.checked_rem(count)?;
        self.next = place + 1;
        self.endpoints.get(place)
    }

    /// A socket that connects to `endpoint`, from the next source address that has a port
    /// free.
    fn socket(&mut self, endpoint: &Endpoint, buffer: Option<u32>) -> io::Result<OwnedFd> {
        let Some(last) = self.sources.len().checked_sub(1) else {
            return socket::connect(endpoint, None, buffer);
        };
        for _ in 0..last {
            self.next_source = (self.next_source + 1) % self.sources.len();
            let source = self.sources[self.next_source];
            match socket::connect(endpoint, Some(source), buffer) {
                Err(error) if Cause::of(&error) == Cause::AddressUnavailable => {}
                other => return other,
            }
        }
        self.next_source = (self.next_source + 1) % self.sources.len();
        socket::connect(endpoint, Some(self.sources[self.next_source]), buffer)
    }
}

/// Why no connection to an endpoint could be begun.
fn failure(endpoint: &Endpoint, error: &io::Error) -> Failure {
    let failure = Failure::from_io(Phase::Connect, error);
    match (endpoint, error.raw_os_error()) {
        // connect(2): of TCP it means that this machine has no port left.
        (Endpoint::Unix(_), Some(libc::EAGAIN)) => Failure { cause: Cause::BacklogFull, ..failure },
        _ => failure,
    }
}

impl<P: Protocol> Worker<P> {
    /// Begins to connect, or to wait for the lookup that says where to.
    pub(super) fn set_out(&mut self, index: u32) {
        let token = self.slab.token(index);
        if !self.destination.has_to_wait(token) {
            self.connect(index);
        }
    }

    /// A socket that connects, and the number of the endpoint in the record.
    pub(super) fn socket(&mut self, s: usize) -> Result<(OwnedFd, u8), Failure> {
        let begun = if self.looks.has_begun() { self.now() } else { 0 };
        let buffer = self.streams[s].pace.map(|pace| pace.receive_buffer);
        // The resolver found no address of the family that the source addresses have.
        let nowhere = Failure::new(Phase::Connect, Cause::Resolve);
        let endpoint = self.destination.next_endpoint().ok_or(nowhere)?.clone();
        let visit = self.recorder.visits.begin(&endpoint, begun);
        let socket = self.destination.socket(&endpoint, buffer);
        socket.map(|fd| (fd, visit)).map_err(|error| failure(&endpoint, &error))
    }

    /// A lookup has ended: those that have waited for it connect.
    #[cold]
    pub(super) fn resolved(&mut self) {
        let Some(answer) = self.destination.answer() else { return };
        while let Some(token) = self.destination.next_waiting(answer.number) {
            // It may have run out of time.
            let Some(index) = self.slab.find(token) else { continue };
            match &answer.found {
                Ok(_) => {
                    let now = self.now();
                    let call = &mut self.slab[index].call;
                    call.connecting.resolved(now.saturating_sub(call.sent));
                    self.connect(index);
                }
                Err(_) => self.fail(index, Failure::new(Phase::Connect, Cause::Resolve)),
            }
        }
        for s in 0..self.streams.len() {
            self.serve(s);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Endpoint {
        Endpoint::Tcp(text.parse().unwrap())
    }

    fn destination(choice: Addresses, shard: u32, endpoints: &[Endpoint]) -> Destination {
        let target = Target::parse("http://h/").unwrap().with_addresses(choice);
        Destination::new(&target, endpoints, shard, None)
    }

    fn turns(destination: &mut Destination, n: usize) -> Vec<String> {
        (0..n).map(|_| destination.next_endpoint().unwrap().to_string()).collect()
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
            to.moved_to(&found.iter().map(|e| (*e).clone()).collect::<Vec<_>>());
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
        let target = Target::parse("http://h/").unwrap().with_addresses(Addresses::All);
        let target = target.with_source_addresses(vec!["127.0.0.2".parse().unwrap()]);
        let both = [at("[::1]:80"), at("10.0.0.1:80")];
        let mut to = Destination::new(&target, &both, 0, None);
        assert_eq!(turns(&mut to, 2), ["10.0.0.1:80", "10.0.0.1:80"]);
        to.moved_to(&both[..1]);
        assert_eq!(to.next_endpoint(), None);
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
