//! The way in: finding the host, and proving to each other who one is.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::clock::monotonic_ns;
use crate::scale::sync::error::SyncError;
use crate::scale::sync::handshake::{Caller, NotIn};
use crate::scale::sync::message::{Garbled, Message};
use crate::scale::sync::place::Place;
use crate::scale::sync::wire::{Cut, Ear, Link, left_until};

/// Between two tries.
const AGAIN: Duration = Duration::from_millis(100);

/// How long one address is tried before the next one: a packet filter may answer nothing.
const TRIED_FOR: Duration = Duration::from_secs(5);

/// Of what other versions say first.
const ANY_VERSION: &str = "loadgen-sync/";

/// Somebody who greeted.
struct Met {
    link: Arc<Link>,
    ear: Ear,
    greeting: Message,
}

/// Why nobody greeted.
enum NotMet {
    /// It may be that nobody is there yet.
    Yet(String),
    /// Trying again does not help.
    Ever(SyncError),
}

/// Connects, again and again until the deadline, and comes in.
///
/// # Errors
/// [`SyncError`] if nobody is there in time, or if it is not the host, or does not let this shard
/// in.
pub(super) fn knock(
    place: &Place,
    caller: Caller<'_>,
    timeout: Duration,
    deadline_ns: u64,
) -> Result<(Arc<Link>, Ear), SyncError> {
    let nobody = |cause| {
        let place = place.to_string();
        SyncError::NobodyListens { place, waited: timeout, cause }
    };
    let met = loop {
        match greeted(place, deadline_ns) {
            Ok(met) => break met,
            Err(NotMet::Ever(error)) => return Err(error),
            Err(NotMet::Yet(cause)) => {
                let left = left_until(deadline_ns);
                if left.is_zero() {
                    return Err(nobody(cause));
                }
                thread::sleep(AGAIN.min(left));
            }
        }
    };
    let Met { link, mut ear, greeting } = met;
    let not_in = |why| not_in(place, why);
    let (called, join) = caller.answer(&greeting).map_err(not_in)?;
    let gone = |cause: String| SyncError::HostGone { place: place.to_string(), cause };
    link.send(&join).map_err(|cause| gone(cause.to_string()))?;
    let answer = ear.hear(Some(deadline_ns)).map_err(|cut| match cut {
        Cut::Late => nobody("it greets, and does not answer".to_owned()),
        cut => gone(cut.to_string()),
    })?;
    called.check(&answer.message).map_err(not_in)?;
    Ok((link, ear))
}

/// One try at all addresses of the place.
fn greeted(place: &Place, deadline_ns: u64) -> Result<Met, NotMet> {
    let addresses = place.resolve().map_err(|cause| NotMet::Yet(cause.to_string()))?;
    let mut last = "the name has no address".to_owned();
    for address in addresses {
        match greeted_at(place, address, deadline_ns) {
            Err(NotMet::Yet(cause)) => last = format!("{address}: {cause}"),
            settled => return settled,
        }
    }
    Err(NotMet::Yet(last))
}

fn greeted_at(place: &Place, address: SocketAddr, deadline_ns: u64) -> Result<Met, NotMet> {
    // The last try is made even if the time is over: connect needs some.
    let patience = left_until(deadline_ns).clamp(Duration::from_millis(1), TRIED_FOR);
    let yet = |cause: std::io::Error| NotMet::Yet(cause.to_string());
    let stream = TcpStream::connect_timeout(&address, patience).map_err(yet)?;
    // On loopback, where nobody listens, a port can be connected to itself.
    if stream.local_addr().is_ok_and(|own| own == address) {
        return Err(NotMet::Yet("nobody listens".to_owned()));
    }
    let link = Arc::new(Link::new(stream).map_err(yet)?);
    let mut ear = Ear::new(Arc::clone(&link));
    match ear.hear(Some(deadline_ns.max(monotonic_ns().saturating_add(1_000_000)))) {
        Ok(heard) => Ok(Met { link, ear, greeting: heard.message }),
        Err(Cut::Garbled(Garbled { said })) => Err(NotMet::Ever(no_greeting(place, said))),
        // What forwards ports may let one in before anybody is behind it.
        Err(Cut::Late) => Err(NotMet::Yet("it takes the connection, and is silent".to_owned())),
        Err(cut) => Err(NotMet::Yet(cut.to_string())),
    }
}

fn no_greeting(place: &Place, said: String) -> SyncError {
    let place = place.to_string();
    if said.starts_with(ANY_VERSION) {
        SyncError::Version { place, said }
    } else {
        SyncError::NotAHost { place, said }
    }
}

fn not_in(place: &Place, why: NotIn) -> SyncError {
    let place = place.to_string();
    match why {
        NotIn::Refused(refusal) => SyncError::Refused { place, refusal },
        NotIn::Impostor => SyncError::Impostor { place },
        NotIn::Garbled => SyncError::NotAHost { place, said: "a line out of turn".to_owned() },
    }
}
