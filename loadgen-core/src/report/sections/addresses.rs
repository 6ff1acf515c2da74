//! To which addresses connections went, where that is a question.

use super::super::Report;
use super::{Section, cell};
use crate::target::{Addresses, Target};

/// How connections find the target, if not by the host of its URL alone.
pub(super) fn way(target: &Target) -> Option<String> {
    let mut parts = Vec::new();
    if let Some(place) = target.connect_to() {
        parts.push(format!("connected to at {place}"));
    }
    if let Some(proxy) = target.proxy() {
        parts.push(format!("through the proxy {}", proxy.url()));
    }
    if target.addresses() == Addresses::All {
        parts.push("all addresses of the name in turn".to_owned());
    }
    if target.resolves_again() {
        parts.push("resolved again for each connection".to_owned());
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// The addresses; `None` if there was one, and the name was not resolved again.
pub(super) fn section(report: &Report) -> Option<Section> {
    let to = report.connected_to.as_ref()?;
    if to.addresses.len() < 2 && to.beyond == 0 && to.lookups.is_none() {
        return None;
    }
    let row = |address: &super::super::AddressReport| {
        vec![
            address.address.clone(),
            cell::count(address.connections),
            cell::count(address.opened),
            cell::seconds(address.first_s),
            cell::seconds(address.last_s),
        ]
    };
    let mut rows: Vec<_> = to.addresses.iter().map(row).collect();
    if to.beyond > 0 {
        let none = || cell::NONE.to_owned();
        rows.push(vec!["others".to_owned(), cell::count(to.beyond), none(), none(), none()]);
    }
    let mut notes = Vec::new();
    if let (Some(lookups), Some(failed)) = (to.lookups, to.lookups_failed) {
        let mut note = format!("the name was resolved {} times", cell::count(lookups));
        if failed > 0 {
            note.push_str(&format!(", of which {} failed", cell::count(failed)));
        }
        if let Some(error) = &to.lookup_error {
            note.push_str(&format!(" (first: {error})"));
        }
        notes.push(note);
    }
    Some(Section {
        title: "Addresses".to_owned(),
        scope: "connections begun and opened, warm-up included; 0 s: before the load".to_owned(),
        columns: vec!["address", "connections", "opened", "first", "last"],
        rows,
        text_columns: 0,
        notes,
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::{AddressReport, ConnectedTo, sample};
    use super::*;

    #[test]
    fn a_service_that_moved_is_shown_and_one_that_did_not_is_not() {
        let mut report = sample::plain();
        assert!(section(&report).is_none());
        let at = |address: &str, connections, first_s, last_s| AddressReport {
            address: address.to_owned(),
            connections,
            opened: connections - 1,
            first_s,
            last_s,
        };
        let mut to = ConnectedTo {
            addresses: vec![at("10.0.0.1:80", 7, 0.0, 2.5)],
            ..ConnectedTo::default()
        };
        report.connected_to = Some(to.clone());
        assert!(section(&report).is_none());
        to.addresses.push(at("10.0.0.2:80", 3, 2.75, 4.0));
        to.beyond = 1;
        (to.lookups, to.lookups_failed) = (Some(9), Some(2));
        to.lookup_error = Some("no such name".to_owned());
        report.connected_to = Some(to);
        let found = section(&report).unwrap();
        assert_eq!(found.rows[1], ["10.0.0.2:80", "3", "2", "2.750 s", "4.000 s"]);
        assert_eq!(found.rows[2][..2], ["others", "1"]);
        let note = "the name was resolved 9 times, of which 2 failed (first: no such name)";
        assert_eq!(found.notes, [note]);
    }

    #[test]
    fn the_way_to_the_target_is_told_without_passwords() {
        let target = || Target::parse("http://h/").unwrap();
        assert_eq!(way(&target()), None);
        let to = target().with_connect_to("unix:/run/a".parse().unwrap());
        assert_eq!(way(&to).unwrap(), "connected to at unix:/run/a");
        let proxy = target().with_proxy("u:hunter2@p:1".parse().unwrap());
        let proxy = proxy.with_addresses(Addresses::All).with_resolve_again();
        let told = "through the proxy http://p:1, all addresses of the name in turn, resolved \
                    again for each connection";
        assert_eq!(way(&proxy).unwrap(), told);
    }
}
