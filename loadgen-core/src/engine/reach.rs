//! Whether there is a target, and from where: asked once, before the load.

use crate::error::RunError;
use crate::net::endpoint::Endpoint;
use crate::net::socket;
use crate::plan::Plan;
use crate::record::Cause;
use crate::target::{Addresses, Proxy};

/// Resolves the target and connects to it once: a run against a server that is
/// not there would only measure that. The first address that answers, and all that
/// connections may go to.
pub(super) fn reach(plan: &Plan) -> Result<(Endpoint, Vec<Endpoint>), RunError> {
    let addresses =
        plan.target.resolve().map_err(|source| RunError::Resolve { url: shown(plan), source })?;
    let mut last = None;
    for address in &addresses {
        match reach_from_any(plan, address) {
            Ok(()) => {
                let address = address.clone();
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
        Some((address, source)) => RunError::Connect { url: shown(plan), address, source },
        None => RunError::Resolve {
            url: shown(plan),
            source: std::io::Error::other("the name has no address"),
        },
    })
}

/// Whose address could not be connected to: the proxy's, if there is one.
fn shown(plan: &Plan) -> String {
    plan.target.proxy().map_or_else(|| plan.target.url(), Proxy::url).to_owned()
}

/// Connects from the first source address that has a port free. What else is wrong
/// with the source addresses, [`check_sources`] tells.
fn reach_from_any(plan: &Plan, address: &Endpoint) -> std::io::Result<()> {
    for &source in plan.target.source_addresses() {
        match socket::reach(address, Some(source), plan.timeout()) {
            Err(error) if Cause::of(&error) == Cause::AddressUnavailable => {}
            other => return other,
        }
    }
    socket::reach(address, None, plan.timeout())
}

/// Makes sure that connections can come from each of the source addresses.
pub(super) fn check_sources(plan: &Plan, endpoint: &Endpoint) -> Result<(), RunError> {
    let Some(address) = endpoint.tcp() else { return Ok(()) };
    for &source_address in plan.target.source_addresses() {
        socket::check_source(address, source_address).map_err(|source| RunError::Source {
            source_address,
            address: endpoint.clone(),
            source,
        })?;
    }
    Ok(())
}
