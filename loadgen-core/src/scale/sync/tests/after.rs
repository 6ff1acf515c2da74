//! From the start on.

use std::time::Duration;

use super::{LONG, host, join, started, until};
use crate::clock::SECOND;
use crate::scale::sync::MeetingGuest;

#[test]
fn a_lost_connection_is_noted() {
    let host = host(4);
    let guests = [1, 2, 3].map(|index| join(&host, index, 4).unwrap());
    let (start, _) = started(&host, &guests);
    let [first, second, third] = guests;
    assert_eq!(host.wait_for_goodbyes(Duration::ZERO), [1, 2, 3]);
    drop(second);
    until(|| !host.lost().is_empty());
    // Nobody else notices.
    first.measure_again().unwrap();
    first.goodbye();
    third.goodbye();
    assert_eq!(host.wait_for_goodbyes(LONG), [0; 0]);
    let lost = host.lost();
    assert_eq!(lost.len(), 1, "{lost:?}");
    assert_eq!(lost[0].index, 2);
    assert!(lost[0].at_ns < start.at_ns);
    assert!(host.refusals().is_empty(), "{:?}", host.refusals());
}

#[test]
fn the_end_is_told_once() {
    let host = host(3);
    let guests = [1, 2].map(|index| join(&host, index, 3).unwrap());
    let (start, _) = started(&host, &guests);
    assert!(guests.iter().all(|guest| guest.end().is_none()));
    let end_ns = start.at_ns + 5 * SECOND;
    host.end_at(end_ns);
    host.end_at(end_ns + SECOND);
    for guest in &guests {
        until(|| guest.end().is_some());
        let off = guest.end().unwrap().abs_diff(end_ns);
        assert!(off <= guest.offset().bound_at(end_ns), "{off} {:?}", guest.offset());
    }
}

#[test]
fn an_end_before_the_start_is_told_with_it() {
    let host = host(2);
    host.end_at(7 * SECOND);
    let guests = [join(&host, 1, 2).unwrap()];
    started(&host, &guests);
    until(|| guests[0].end().is_some());
    guests.into_iter().for_each(MeetingGuest::goodbye);
}

#[test]
fn guests_go_on_without_the_host() {
    let host = host(2);
    let guests = [join(&host, 1, 2).unwrap()];
    let (_, theirs) = started(&host, &guests);
    host.end_at(9 * SECOND);
    until(|| guests[0].end().is_some());
    drop(host);
    // What was told stays.
    assert_eq!(guests[0].ready().unwrap(), theirs[0]);
    assert!(guests[0].end().is_some());
    guests.into_iter().for_each(MeetingGuest::goodbye);
}
