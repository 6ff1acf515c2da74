//! To which addresses connections went, for the report.

use crate::clock::as_seconds;
use crate::net::lookups::Lookups;
use crate::record::visits::Visits;
use crate::report::{AddressReport, ConnectedTo};

/// What the workers noted, and how the resolver did.
pub(super) fn connected_to(visits: &Visits, lookups: Option<Lookups>) -> ConnectedTo {
    let addresses = visits.seen().iter().map(|(endpoint, visit)| AddressReport {
        address: endpoint.to_string(),
        connections: visit.begun,
        opened: visit.opened,
        first_s: as_seconds(visit.first),
        last_s: as_seconds(visit.last),
    });
    let made = lookups.as_ref().map(|lookups| lookups.made);
    let failed = lookups.as_ref().map(|lookups| lookups.failed);
    ConnectedTo {
        addresses: addresses.collect(),
        beyond: visits.beyond(),
        lookups: made,
        lookups_failed: failed,
        lookup_error: lookups.and_then(|lookups| lookups.error),
    }
}
