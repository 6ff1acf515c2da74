//! Whose turn it is: what the migrations of several machines know of each other.
//!
//! Nobody is moved before all are ready; where one cannot be prepared, none is. Whoever is done goes on
//! to be loaded until all are: its users feel the others' migrations, too.

use std::str::FromStr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::lists::spec;
use super::trigger::TriggerError;

/// When machines are moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum MigrationOrder {
    /// All at the same time.
    #[default]
    Parallel,
    /// One after the other, in the order in which they were given. If one is not moved, those
    /// behind it stay where they are.
    Sequential,
}

impl MigrationOrder {
    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Parallel => "parallel",
            Self::Sequential => "sequential",
        }
    }
}

impl FromStr for MigrationOrder {
    type Err = TriggerError;

    fn from_str(text: &str) -> Result<Self, TriggerError> {
        match text {
            "parallel" => Ok(Self::Parallel),
            "sequential" => Ok(Self::Sequential),
            _ => Err(spec(format!(
                "machines are moved in the order parallel or sequential, not '{}'",
                text.escape_debug()
            ))),
        }
    }
}

/// How a machine stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Stand {
    /// Its load and its trigger are being prepared, or its baseline is measured.
    #[default]
    Preparing,
    /// Its run ended before it was ready.
    Unprepared,
    /// It can be moved.
    Ready,
    /// It is being moved.
    Moving,
    /// It was moved, or is where it was.
    Over { moved: bool },
}

/// What is known of a machine.
#[derive(Debug, Clone, Copy, Default)]
struct Machine {
    stand: Stand,
    /// It was told to go, whatever came of it.
    is_begun: bool,
    /// Its load broke down, or was given up.
    is_broken: bool,
    /// When its migration was accepted, by `CLOCK_MONOTONIC`, in ns.
    accepted: Option<u64>,
}

/// What a machine that is ready is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Turn {
    /// Wait.
    Wait,
    /// Be moved, now.
    Go,
    /// Stay where it is; why.
    Stay(String),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Turns {
    order: MigrationOrder,
    machines: Mutex<Vec<Machine>>,
    changed: Condvar,
}

impl Turns {
    pub(super) fn new(machines: usize, order: MigrationOrder) -> Arc<Self> {
        let machines = Mutex::new(vec![Machine::default(); machines]);
        Arc::new(Self { order, machines, changed: Condvar::new() })
    }

    /// The place of a machine, from 0.
    pub(super) fn place(self: &Arc<Self>, machine: usize) -> Place {
        Place { turns: Arc::clone(self), machine }
    }

    fn machines(&self) -> MutexGuard<'_, Vec<Machine>> {
        self.machines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether any machine was to be moved, whatever came of it.
    pub(super) fn is_begun(&self) -> bool {
        self.machines().iter().any(|machine| machine.is_begun)
    }

    /// When each migration was accepted: readings of `CLOCK_MONOTONIC`, in ns.
    pub(super) fn accepted(&self) -> Vec<Option<u64>> {
        self.machines().iter().map(|machine| machine.accepted).collect()
    }
}

/// One of several machines. When it is dropped, the others do not wait for it.
#[derive(Debug)]
pub(super) struct Place {
    turns: Arc<Turns>,
    machine: usize,
}

impl Place {
    fn set(&self, change: impl FnOnce(&mut Machine)) {
        if let Some(machine) = self.turns.machines().get_mut(self.machine) {
            change(machine);
        }
        self.turns.changed.notify_all();
    }

    /// How many there are.
    pub(super) fn machines(&self) -> usize {
        self.turns.machines().len()
    }

    /// Its load runs, its baseline is measured, and its trigger is armed.
    pub(super) fn is_ready(&self) {
        self.set(|machine| machine.stand = Stand::Ready);
    }

    /// What it is to do now that it is ready; waits for up to `timeout` for something else than to
    /// wait. Who is told to go, goes; none is if `may_go` says no in the end.
    pub(super) fn turn(&self, timeout: Duration, may_go: impl Fn() -> bool) -> Turn {
        let mut machines = self.turns.machines();
        if self.decide(&machines) == Turn::Wait {
            let waited = self.turns.changed.wait_timeout(machines, timeout);
            machines = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let turn = self.decide(&machines);
        if turn == Turn::Go {
            if !may_go() {
                return Turn::Wait;
            }
            if let Some(machine) = machines.get_mut(self.machine) {
                (machine.stand, machine.is_begun) = (Stand::Moving, true);
            }
        }
        turn
    }

    fn decide(&self, machines: &[Machine]) -> Turn {
        let stands = || (1..).zip(machines.iter().map(|machine| machine.stand));
        if let Some(broken) = machines.iter().position(|machine| machine.is_broken) {
            return Turn::Stay(format!("the load of machine {} ended", broken + 1));
        }
        if let Some((number, _)) = stands().find(|(_, stand)| *stand == Stand::Unprepared) {
            return Turn::Stay(format!("machine {number} could not be prepared"));
        }
        if stands().any(|(_, stand)| stand == Stand::Preparing) {
            return Turn::Wait;
        }
        let before = match self.turns.order {
            MigrationOrder::Parallel => 0,
            MigrationOrder::Sequential => self.machine,
        };
        for (number, stand) in stands().take(before) {
            match stand {
                Stand::Over { moved: true } => {}
                Stand::Over { moved: false } => {
                    return Turn::Stay(format!("machine {number} was not moved"));
                }
                _ => return Turn::Wait,
            }
        }
        Turn::Go
    }

    /// Its migration is over, or it does not come to one any more.
    pub(super) fn is_over(&self, moved: bool) {
        self.set(|machine| match machine.stand {
            Stand::Preparing => machine.stand = Stand::Unprepared,
            _ => machine.stand = Stand::Over { moved },
        });
    }

    /// Its load broke down, or was given up: nobody begins to be moved any more.
    pub(super) fn is_broken(&self) {
        self.set(|machine| machine.is_broken = true);
    }

    /// When its migration was accepted, by `CLOCK_MONOTONIC`.
    pub(super) fn was_accepted(&self, at: u64) {
        self.set(|machine| machine.accepted = Some(at));
    }

    /// Whether no machine is to be moved any more, nor is being moved; waits for it for up to
    /// `timeout`.
    pub(super) fn are_all_over(&self, timeout: Duration) -> bool {
        let all = |machines: &[Machine]| {
            let is_over = |stand| matches!(stand, Stand::Over { .. } | Stand::Unprepared);
            machines.iter().all(|machine| is_over(machine.stand))
        };
        let machines = self.turns.machines();
        if all(&machines) {
            return true;
        }
        let waited = self.turns.changed.wait_timeout(machines, timeout);
        all(&waited.unwrap_or_else(PoisonError::into_inner).0)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.set(|machine| match machine.stand {
            Stand::Preparing => machine.stand = Stand::Unprepared,
            Stand::Ready | Stand::Moving => machine.stand = Stand::Over { moved: false },
            Stand::Unprepared | Stand::Over { .. } => {}
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    fn places(machines: usize, order: MigrationOrder) -> Vec<Place> {
        let turns = Turns::new(machines, order);
        (0..machines).map(|machine| turns.place(machine)).collect()
    }

    #[test]
    fn nobody_goes_before_all_are_ready() {
        for order in [MigrationOrder::Parallel, MigrationOrder::Sequential] {
            let places = places(2, order);
            places[0].is_ready();
            assert_eq!(places[0].turn(NOW, || true), Turn::Wait);
            assert!(!places[0].turns.is_begun());
            places[1].is_ready();
            assert_eq!(places[0].turn(NOW, || true), Turn::Go);
            assert!(places[0].turns.is_begun());
        }
    }

    #[test]
    fn one_after_the_other_ends_with_the_first_that_is_not_moved() {
        let places = places(3, MigrationOrder::Sequential);
        places.iter().for_each(Place::is_ready);
        let turn = |machine: usize| places[machine].turn(NOW, || true);
        assert_eq!((turn(1), turn(0), turn(1)), (Turn::Wait, Turn::Go, Turn::Wait));
        places[0].is_over(true);
        assert_eq!((turn(1), turn(2)), (Turn::Go, Turn::Wait));
        places[1].is_over(false);
        assert_eq!(turn(2), Turn::Stay("machine 2 was not moved".to_owned()));
        assert!(!places[0].are_all_over(NOW));
        places[2].is_over(false);
        assert!(places[0].are_all_over(NOW));
    }

    #[test]
    fn together_each_goes_whatever_becomes_of_the_others() {
        let places = places(2, MigrationOrder::Parallel);
        places.iter().for_each(Place::is_ready);
        assert_eq!(places[0].turn(NOW, || true), Turn::Go);
        places[0].is_over(false);
        assert_eq!(places[1].turn(NOW, || true), Turn::Go);
    }

    #[test]
    fn where_one_cannot_be_prepared_none_is_moved_and_none_waits() {
        for order in [MigrationOrder::Parallel, MigrationOrder::Sequential] {
            let mut places = places(2, order);
            places[0].is_ready();
            drop(places.pop());
            let why = "machine 2 could not be prepared".to_owned();
            assert_eq!(places[0].turn(NOW, || true), Turn::Stay(why));
            places[0].is_over(false);
            assert!(places[0].are_all_over(NOW) && !places[0].turns.is_begun());
        }
    }

    #[test]
    fn one_that_ends_before_it_is_ready_could_not_be_prepared() {
        let places = places(2, MigrationOrder::Parallel);
        places[1].is_ready();
        places[0].is_over(false);
        let why = "machine 1 could not be prepared".to_owned();
        assert_eq!(places[1].turn(NOW, || true), Turn::Stay(why));
        assert!(!places[1].turns.is_begun());
    }

    #[test]
    fn nobody_goes_once_a_load_has_ended_or_it_is_forbidden() {
        let places = places(2, MigrationOrder::Sequential);
        places.iter().for_each(Place::is_ready);
        assert_eq!(places[0].turn(NOW, || false), Turn::Wait);
        assert!(!places[0].turns.is_begun());
        assert_eq!(places[0].turn(NOW, || true), Turn::Go);
        places[0].is_over(true);
        places[0].is_broken();
        let why = "the load of machine 1 ended".to_owned();
        assert_eq!(places[1].turn(NOW, || true), Turn::Stay(why));
        // What began is not forgotten.
        assert!(places[0].turns.is_begun());
    }

    #[test]
    fn a_change_wakes_who_waits() {
        let places = places(2, MigrationOrder::Sequential);
        places.iter().for_each(Place::is_ready);
        assert_eq!(places[0].turn(NOW, || true), Turn::Go);
        std::thread::scope(|scope| {
            let second = scope.spawn(|| {
                loop {
                    match places[1].turn(Duration::from_secs(60), || true) {
                        Turn::Wait => {}
                        turn => return turn,
                    }
                }
            });
            places[0].is_over(true);
            assert_eq!(second.join().unwrap(), Turn::Go);
        });
    }
}
