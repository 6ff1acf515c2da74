//! To which endpoints connections went, and when: whether a service was followed when
//! it moved.

use serde::{Deserialize, Serialize};

use crate::clock::Nanos;
use crate::net::endpoint::Endpoint;

/// Endpoints that are told apart; connections to others are counted together.
pub(crate) const MOST: usize = 64;

/// What stands for those others.
const BEYOND: u8 = MOST as u8;

/// The connections to one endpoint. Times are those at which they were begun; 0: before
/// the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Visit {
    /// Connections begun.
    pub(crate) begun: u64,
    /// Those that were opened.
    pub(crate) opened: u64,
    pub(crate) first: Nanos,
    pub(crate) last: Nanos,
}

/// To which endpoints connections went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Visits {
    /// In the order of the first connection to each.
    seen: Vec<(Endpoint, Visit)>,
    /// Connections begun to others.
    beyond: u64,
}

impl Visits {
    /// A connection is begun. The number is for [`Self::opened`].
    pub(crate) fn begin(&mut self, endpoint: &Endpoint, now: Nanos) -> u8 {
        let known = self.seen.iter().position(|(seen, _)| seen == endpoint);
        let place = known.unwrap_or_else(|| {
            if self.seen.len() < MOST {
                let visit = Visit { begun: 0, opened: 0, first: now, last: now };
                self.seen.push((endpoint.clone(), visit));
                return self.seen.len() - 1;
            }
            MOST
        });
        match self.seen.get_mut(place) {
            Some((_, visit)) => {
                visit.begun += 1;
                visit.last = now;
                place as u8
            }
            None => {
                self.beyond += 1;
                BEYOND
            }
        }
    }

    /// It is open.
    pub(crate) fn opened(&mut self, place: u8) {
        if let Some((_, visit)) = self.seen.get_mut(usize::from(place)) {
            visit.opened += 1;
        }
    }

    /// Adds those of another worker.
    pub(crate) fn merge(&mut self, other: Self) {
        for (endpoint, visit) in other.seen {
            match self.seen.iter_mut().find(|(seen, _)| *seen == endpoint) {
                Some((_, known)) => {
                    known.begun += visit.begun;
                    known.opened += visit.opened;
                    known.first = known.first.min(visit.first);
                    known.last = known.last.max(visit.last);
                }
                None => self.seen.push((endpoint, visit)),
            }
        }
        self.seen.sort_by_cached_key(|(endpoint, visit)| (visit.first, endpoint.to_string()));
        let too_many = self.seen.drain(MOST.min(self.seen.len())..);
        self.beyond += too_many.map(|(_, visit)| visit.begun).sum::<u64>() + other.beyond;
    }

    /// The endpoints, by the first connection to each.
    pub(crate) fn seen(&self) -> &[(Endpoint, Visit)] {
        &self.seen
    }

    /// Connections begun to endpoints beyond those.
    pub(crate) fn beyond(&self) -> u64 {
        self.beyond
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> Endpoint {
        Endpoint::Tcp(([127, 0, 0, 1], port).into())
    }

    #[test]
    fn a_service_that_moved_is_seen_to_have_moved() {
        let mut one = Visits::default();
        assert_eq!((one.begin(&at(1), 0), one.begin(&at(1), 5), one.begin(&at(2), 7)), (0, 0, 1));
        one.opened(0);
        one.opened(1);
        let mut other = Visits::default();
        other.begin(&at(2), 6);
        other.begin(&at(1), 9);
        one.merge(other);
        assert_eq!(
            one.seen(),
            [
                (at(1), Visit { begun: 3, opened: 1, first: 0, last: 9 }),
                (at(2), Visit { begun: 2, opened: 1, first: 6, last: 7 }),
            ]
        );
        assert_eq!(one.beyond(), 0);
    }

    #[test]
    fn what_is_beyond_the_limit_is_counted() {
        let many = |first: u16| {
            let mut visits = Visits::default();
            for port in first..first + 70 {
                let place = visits.begin(&at(port), u64::from(port));
                visits.opened(place);
            }
            visits
        };
        let (mut one, other) = (many(1), many(41));
        assert_eq!((one.seen().len(), one.beyond()), (MOST, 6));
        one.merge(other);
        let begun: u64 = one.seen().iter().map(|(_, visit)| visit.begun).sum();
        assert_eq!((one.seen().len(), begun + one.beyond()), (MOST, 140));
    }
}
