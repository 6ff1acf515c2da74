//! Whether there is a target, and from where: asked once, before the load.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Duration;

use crate::clock::monotonic_ns;
use crate::error::RunError;
use crate::net::endpoint::Endpoint;
use crate::net::poll::Poll;
use crate::net::progress::HandshakeError;
use crate::net::tls::{TlsSessionCache, TlsSettings};
use crate::net::{SocketOptions, socket};
use crate::plan::{Plan, Precision, nanos};
use crate::record::Cause;
use crate::target::{Addresses, Proxy};

/// How long a server is waited for where the load would wait for ever.
const WITHOUT_LIMIT: Duration = Duration::from_secs(60);

/// Resolves the target, connects to it once, and agrees on TLS with it: a run against a
/// server that is not there would only measure that. The first address that answers, and
/// all that connections may go to.
pub(super) fn reach(
    plan: &Plan,
    tls: Option<&TlsSettings>,
) -> Result<(Endpoint, Vec<Endpoint>), RunError> {
    let addresses =
        plan.target.resolve().map_err(|cause| RunError::Resolve { url: shown(plan), cause })?;
    let mut last = None;
    for address in &addresses {
        match reach_from_any(plan, address) {
            Ok(source) => {
                let address = address.clone();
                if let Some(tls) = tls
                    && let Err(error) = secure(plan, &address, source, tls)
                {
                    let url = plan.target.url().to_owned();
                    let reason = error.to_string();
                    return Err(RunError::Handshake { url, address, reason });
                }
                let all = match plan.target.addresses() {
                    Addresses::First => vec![address.clone()],
                    Addresses::All => addresses,
                };
                return Ok((address, all));
            }
            Err(source) => last = Some((address.clone(), source)),
        }
    }
    Err(match last {
        Some((address, cause)) => RunError::Connect { url: shown(plan), address, cause },
        None => RunError::Resolve {
            url: shown(plan),
            cause: io::Error::other("the name has no address"),
        },
    })
}

/// Whose address could not be connected to: the proxy's, if there is one.
fn shown(plan: &Plan) -> String {
    plan.target.proxy().map_or_else(|| plan.target.url(), Proxy::url).to_owned()
}

/// Connects from the first source address that has a port free, and says which that was.
/// What else is wrong with the source addresses, [`check_sources`] tells.
fn reach_from_any(plan: &Plan, address: &Endpoint) -> io::Result<Option<IpAddr>> {
    for &source in plan.target.source_addresses() {
        match socket::reach(address, Some(source), patience(plan)) {
            Err(error) if Cause::of(&error) == Cause::AddressUnavailable => {}
            other => return other.map(|()| Some(source)),
        }
    }
    socket::reach(address, None, patience(plan)).map(|()| None)
}

/// How long a server is waited for: as long as a call of the load would.
fn patience(plan: &Plan) -> Duration {
    let of_sessions = plan.sessions().map(|sessions| sessions.limits.timeout_s);
    match of_sessions {
        None => plan.timeout(),
        Some(timeout_s) if timeout_s > 0.0 => Duration::from_secs_f64(timeout_s),
        Some(_) => WITHOUT_LIMIT,
    }
}

/// Starts to connect.
fn connect(endpoint: &Endpoint, source: Option<IpAddr>) -> io::Result<OwnedFd> {
    let socket = socket::prepare(endpoint, &SocketOptions::default())?;
    if let Some(source) = source {
        socket::bind(&socket, SocketAddr::new(source, 0))?;
    }
    socket::begin(&socket, endpoint)?;
    Ok(socket.into())
}

/// Agrees on TLS with a server that takes connections, once.
fn secure(
    plan: &Plan,
    address: &Endpoint,
    source: Option<IpAddr>,
    tls: &TlsSettings,
) -> Result<(), HandshakeError> {
    let limit = patience(plan);
    let end = monotonic_ns().saturating_add(nanos(limit.as_secs_f64()));
    let fits = |source: &IpAddr| address.tcp().is_some_and(|a| a.is_ipv4() == source.is_ipv4());
    let source = source.filter(fits);
    let fd = connect(address, source).map_err(HandshakeError::Socket)?;
    let mut transport =
        tls.connect(fd, &mut TlsSessionCache::default()).map_err(HandshakeError::Socket)?;
    if let Some(request) = plan.target.tunnel() {
        transport = transport.through(&request);
    }
    let mut poll = Poll::new(Precision::Low).map_err(HandshakeError::Socket)?;
    poll.register(transport.fd(), 0).map_err(HandshakeError::Socket)?;
    loop {
        let left = end.saturating_sub(monotonic_ns());
        if left == 0 {
            let text = format!("the handshake was not through within {} s", limit.as_secs_f64());
            return Err(HandshakeError::Refused(text));
        }
        // Before the connect is through there is nothing to begin with.
        if poll.wait(left).map_err(HandshakeError::Socket)? == 0 {
            continue;
        }
        if let Some(error) = socket::take_error(transport.fd()).map_err(HandshakeError::Socket)? {
            return Err(HandshakeError::Socket(error));
        }
        if transport.handshake()? {
            transport.close();
            return Ok(());
        }
    }
}

/// Makes sure that connections can come from each of the source addresses.
pub(super) fn check_sources(plan: &Plan, endpoint: &Endpoint) -> Result<(), RunError> {
    let Some(address) = endpoint.tcp() else { return Ok(()) };
    for &source_address in plan.target.source_addresses() {
        socket::check_source(address, source_address).map_err(|cause| RunError::Source {
            source_address,
            address: endpoint.clone(),
            cause,
        })?;
    }
    Ok(())
}
