//! Before the load: by which method does the machine answer?

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use super::Fate;
use super::SPARSE_RATE;
use super::log::GIVE_UP;
use super::method::{Method, ReachCheck};
use super::socket::Asker;
use crate::clock::{MILLISECOND, Nanos, monotonic_ns};
use crate::net::endpoint::Endpoint;
use crate::net::socket::reach;
use crate::target::Target;

/// Ports of which one will be closed: high ones, above those that Linux gives to
/// clients, and named by nobody.
const PORTS: [u16; 4] = [61_807, 63_113, 64_579, 65_321];

/// How long one address has for a connect, where the target has several.
const CONNECT: Duration = Duration::from_secs(1);

/// How long one look lasts.
const TURN: Nanos = MILLISECOND;

/// A way to ask that was answered.
pub(super) struct Found {
    pub(super) method: Method,
    pub(super) asker: Asker,
    pub(super) address: IpAddr,
    pub(super) rate_per_s: f64,
}

/// Finds out how the machine can be asked, or why it cannot: within two seconds.
pub(super) fn inspect(
    choice: ReachCheck,
    rate_per_s: f64,
    target: &Target,
) -> Result<Found, String> {
    if choice == ReachCheck::Off {
        return Err("it was switched off".to_owned());
    }
    if target.proxy().is_some() {
        return Err("connections go through a proxy, whose kernel would answer".to_owned());
    }
    if target.is_unix() {
        return Err("the target is a unix socket, which no packets are sent to".to_owned());
    }
    let endpoints = target.resolve().map_err(|e| format!("the target has no address: {e}"))?;
    let addresses: Vec<SocketAddr> = endpoints.iter().filter_map(Endpoint::tcp).collect();
    let [first, others @ ..] = addresses.as_slice() else {
        return Err("the target has no address".to_owned());
    };
    let sources = target.source_addresses();
    let source_for =
        |to: &SocketAddr| sources.iter().copied().find(|source| source.is_ipv4() == to.is_ipv4());
    // The address that the load will find, too: the first that accepts.
    let accepts = |address: &&SocketAddr| {
        reach(&Endpoint::Tcp(**address), source_for(address), CONNECT).is_ok()
    };
    let service =
        if others.is_empty() { first } else { addresses.iter().find(accepts).unwrap_or(first) };
    if is_own(service.ip()) {
        return Err(format!(
            "{} is an address of this machine, whose own kernel would answer",
            service.ip()
        ));
    }
    let source = source_for(service);
    let (method, asker) = match choice {
        ReachCheck::Auto => find(*service, source)?,
        ReachCheck::Rst(port) => (Method::Rst(port), single(*service, source, Method::Rst(port))?),
        ReachCheck::Icmp => (Method::Icmp, single(*service, source, Method::Icmp)?),
        ReachCheck::Syn | ReachCheck::Off => (Method::Syn, single(*service, source, Method::Syn)?),
    };
    let sparse = choice == ReachCheck::Auto && method == Method::Syn;
    let rate_per_s = if sparse { rate_per_s.min(SPARSE_RATE) } else { rate_per_s };
    Ok(Found { method, asker, address: service.ip(), rate_per_s })
}

/// Whether packets to this address stay in this machine (or network namespace): the
/// kernel then sends them from the same address.
fn is_own(address: IpAddr) -> bool {
    let any: IpAddr = match address {
        IpAddr::V4(_) => [0; 4].into(),
        IpAddr::V6(_) => [0; 16].into(),
    };
    let from = || -> io::Result<IpAddr> {
        // Nothing is sent by this.
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect((address, 9))?;
        Ok(socket.local_addr()?.ip())
    };
    address.is_loopback() || address == any || from().is_ok_and(|from| from == address)
}

/// One method, chosen by the user. It need not answer yet.
fn single(service: SocketAddr, source: Option<IpAddr>, method: Method) -> Result<Asker, String> {
    Asker::new(service, source, method).map_err(|error| cannot(method, &error))
}

fn cannot(method: Method, error: &io::Error) -> String {
    let help = match method {
        Method::Icmp => " (ICMP echo needs net.ipv4.ping_group_range, or CAP_NET_RAW)",
        Method::Rst(_) | Method::Syn => "",
    };
    format!("{method} cannot be done: {error}{help}")
}

/// The first method, in the order of preference, that is answered.
fn find(service: SocketAddr, source: Option<IpAddr>) -> Result<(Method, Asker), String> {
    let closed = PORTS.into_iter().filter(|port| *port != service.port()).map(Method::Rst);
    let mut candidates: Vec<(Method, Asker)> = closed
        .chain([Method::Icmp, Method::Syn])
        .filter_map(|method| Some((method, Asker::new(service, source, method).ok()?)))
        .collect();
    let mut answered = vec![false; candidates.len()];
    for ((_, asker), answered) in candidates.iter_mut().zip(&mut answered) {
        *answered = matches!(asker.send().0.fate, Fate::Answered { .. });
    }
    let until = monotonic_ns() + GIVE_UP;
    let ports = candidates.iter().filter(|(m, _)| matches!(m, Method::Rst(_))).count();
    // A closed port is the best there is: no need to wait for what is worse.
    while !answered[..ports].contains(&true) && monotonic_ns() < until {
        for ((_, asker), answered) in candidates.iter_mut().zip(&mut answered) {
            let looked =
                asker.look(TURN, |_, fate| *answered |= matches!(fate, Fate::Answered { .. }));
            looked.map_err(|error| format!("answers cannot be waited for: {error}"))?;
        }
    }
    let best = answered.iter().position(|answered| *answered);
    let (method, asker) = best.map(|best| candidates.swap_remove(best)).ok_or_else(|| {
        format!(
            "nothing at {} answered: no closed port by RST, no ICMP echo, not the service's port",
            service.ip()
        )
    })?;
    // Anew: the check that inspected is not one of the run.
    drop(asker);
    Ok((method, single(service, source, method)?))
}
