//! To which addresses connections went, for the report.

use crate::clock::as_seconds;
use crate::net::lookups::Lookups;
use crate::record::visits::Visits;
use crate::report::{AddressReport, ConnectedTo};

/// What the workers noted.
pub(super) fn connected_to(visits: &Visits) -> ConnectedTo {
    let addresses = visits.seen().iter().map(|(endpoint, visit)| AddressReport {
        address: endpoint.to_string(),
        connections: visit.begun,
        opened: visit.opened,
        first_s: as_seconds(visit.first),
        last_s: as_seconds(visit.last),
    });
    ConnectedTo {
        addresses: addresses.collect(),
        beyond: visits.beyond(),
        ..ConnectedTo::default()
    }
}

/// How the resolver did.
pub(in crate::engine) fn add_lookups(to: &mut ConnectedTo, lookups: Lookups) {
    to.lookups = Some(lookups.made);
    to.lookups_failed = Some(lookups.failed);
    to.lookup_error = lookups.error;
}
