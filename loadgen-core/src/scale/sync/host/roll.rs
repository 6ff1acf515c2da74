//! Who is there, who is ready, who is gone: pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::scale::sync::refusal::Refusal;

/// A shard whose connection broke after the start and before its goodbye.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LostShard {
    /// Its number.
    pub index: u32,
    /// When that was seen, in ns of shard 0's `CLOCK_MONOTONIC`. If the shard's machine died
    /// without a word, that is some 11 s later.
    pub at_ns: u64,
}

/// A shard that is there.
#[derive(Debug, Clone, Copy, Default)]
struct Seat {
    is_ready: bool,
    said_goodbye: bool,
}

/// The list of the shards.
#[derive(Debug)]
pub(super) struct Roll {
    of: u32,
    seats: BTreeMap<u32, Seat>,
    start_ns: Option<u64>,
    lost: Vec<LostShard>,
}

impl Roll {
    /// Of so many, with shard 0, which is the host and not on the list.
    pub(super) fn new(of: u32) -> Self {
        Self { of, seats: BTreeMap::new(), start_ns: None, lost: Vec::new() }
    }

    /// A shard has come. One that went before the start may come again.
    pub(super) fn seat(&mut self, index: u32) -> Result<(), Refusal> {
        if index == 0 || index >= self.of || self.seats.contains_key(&index) {
            return Err(Refusal::Taken);
        }
        if self.start_ns.is_some() {
            return Err(Refusal::Begun);
        }
        self.seats.insert(index, Seat::default());
        Ok(())
    }

    /// It has opened its connections.
    pub(super) fn ready(&mut self, index: u32) {
        if let Some(seat) = self.seats.get_mut(&index) {
            seat.is_ready = true;
        }
    }

    /// It is done.
    pub(super) fn goodbye(&mut self, index: u32) {
        if let Some(seat) = self.seats.get_mut(&index) {
            seat.said_goodbye = true;
        }
    }

    /// Its connection is gone. Whether that was as it should be.
    pub(super) fn gone(&mut self, index: u32, at_ns: u64) -> bool {
        let said_goodbye = self.seats.remove(&index).is_none_or(|seat| seat.said_goodbye);
        if self.start_ns.is_some() && !said_goodbye {
            self.lost.push(LostShard { index, at_ns });
        }
        said_goodbye
    }

    /// The start is decided.
    pub(super) fn begin(&mut self, start_ns: u64) {
        self.start_ns = Some(start_ns);
    }

    /// The start, once it is decided.
    pub(super) fn start_ns(&self) -> Option<u64> {
        self.start_ns
    }

    /// How many are there.
    pub(super) fn seated(&self) -> usize {
        self.seats.len()
    }

    /// Whether all have come and are ready.
    pub(super) fn is_complete(&self) -> bool {
        self.seats.len() + 1 == self.of as usize && self.seats.values().all(|seat| seat.is_ready)
    }

    /// Those that are not there.
    pub(super) fn absent(&self) -> Vec<u32> {
        (1..self.of).filter(|index| !self.seats.contains_key(index)).collect()
    }

    /// Those that are there and not ready.
    pub(super) fn unready(&self) -> Vec<u32> {
        self.with(|seat| !seat.is_ready)
    }

    /// Those that are there and did not say goodbye.
    pub(super) fn staying(&self) -> Vec<u32> {
        self.with(|seat| !seat.said_goodbye)
    }

    fn with(&self, is: impl Fn(Seat) -> bool) -> Vec<u32> {
        self.seats.iter().filter(|(_, seat)| is(**seat)).map(|(index, _)| *index).collect()
    }

    /// Those whose connection broke after the start.
    pub(super) fn lost(&self) -> Vec<LostShard> {
        self.lost.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_needs_all_of_them() {
        let mut roll = Roll::new(4);
        assert_eq!(roll.absent(), [1, 2, 3]);
        for index in [2, 1] {
            roll.seat(index).unwrap();
            roll.ready(index);
        }
        assert!(!roll.is_complete());
        roll.seat(3).unwrap();
        assert_eq!((roll.absent(), roll.unready()), (vec![], vec![3]));
        assert!(!roll.is_complete());
        roll.ready(3);
        assert!(roll.is_complete());
        assert_eq!(roll.seated(), 3);
        assert!(Roll::new(1).is_complete());
    }

    #[test]
    fn every_number_is_given_once() {
        let mut roll = Roll::new(3);
        for index in [0, 3, u32::MAX] {
            assert_eq!(roll.seat(index), Err(Refusal::Taken), "{index}");
        }
        roll.seat(1).unwrap();
        assert_eq!(roll.seat(1), Err(Refusal::Taken));
        // One that went before the start may come again, and has to get ready again.
        roll.ready(1);
        assert!(!roll.gone(1, 5));
        assert!(roll.lost().is_empty());
        roll.seat(1).unwrap();
        assert_eq!(roll.unready(), [1]);
        roll.begin(7);
        assert_eq!(roll.seat(2), Err(Refusal::Begun));
        assert_eq!(roll.start_ns(), Some(7));
    }

    #[test]
    fn who_goes_without_a_goodbye_is_lost() {
        let mut roll = Roll::new(4);
        for index in 1..4 {
            roll.seat(index).unwrap();
        }
        roll.begin(1);
        assert!(!roll.gone(2, 9));
        assert_eq!(roll.staying(), [1, 3]);
        roll.goodbye(1);
        assert!(roll.gone(1, 10));
        roll.goodbye(3);
        assert_eq!(roll.staying(), [0; 0]);
        assert_eq!(roll.lost(), [LostShard { index: 2, at_ns: 9 }]);
        // Nobody is lost twice, nor who was never there.
        assert!(roll.gone(2, 11));
        assert_eq!(roll.lost().len(), 1);
    }
}
