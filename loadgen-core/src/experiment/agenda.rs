//! Which trial comes next: the blocks in their order, and at the end of each block once more
//! what did not succeed in it. It knows nothing of time, disks or machines.

use std::collections::VecDeque;

use super::design::Design;
use super::error::DesignError;

/// One trial that is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    /// The block, from 0; those of the warm-up come first.
    pub(super) block: u32,
    /// The place of the cell among the [cells](Design::cells()) of the design.
    pub(super) cell: usize,
    /// Which attempt it is, from 1.
    pub(super) attempt: u32,
}

/// What became of a trial, as far as the order is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It counts.
    Good,
    /// It is kept, and made again at the end of its block, if it may.
    Bad,
    /// It was cut short by whoever runs the experiment, and is made again at once.
    Interrupted,
}

/// The trials that are still to be made.
#[derive(Debug, Clone)]
pub(super) struct Agenda {
    design: Design,
    /// How often a trial that did not succeed is made again.
    repeats: u32,
    block: u32,
    left: VecDeque<Slot>,
    again: VecDeque<Slot>,
}

impl Agenda {
    /// All of a design's.
    ///
    /// # Errors
    /// [`DesignError`] if it is none.
    pub(super) fn new(design: &Design, repeats: u32) -> Result<Self, DesignError> {
        design.validate()?;
        let mut agenda = Self {
            design: design.clone(),
            repeats,
            block: 0,
            left: VecDeque::new(),
            again: VecDeque::new(),
        };
        agenda.fill(0);
        Ok(agenda)
    }

    fn fill(&mut self, block: u32) {
        self.block = block;
        let slot = |cell| Slot { block, cell, attempt: 1 };
        self.left = self.design.shuffled(block).into_iter().map(slot).collect();
    }

    /// The trial that comes next; `None`: all were made.
    pub(super) fn next(&self) -> Option<Slot> {
        self.left.front().or(self.again.front()).copied()
    }

    /// What became of [`Self::next`].
    pub(super) fn made(&mut self, fate: Fate) {
        if fate == Fate::Interrupted {
            return;
        }
        let made = self.left.pop_front().or_else(|| self.again.pop_front());
        if let Some(slot) = made.filter(|slot| fate == Fate::Bad && slot.attempt <= self.repeats) {
            self.again.push_back(Slot { attempt: slot.attempt + 1, ..slot });
        }
        let next = self.block + 1;
        if self.next().is_none() && next < self.design.blocks() {
            self.fill(next);
        }
    }

    /// How many trials there are still to be made if all of them succeed.
    pub(super) fn left(&self) -> u64 {
        let blocks = self.design.blocks() - 1 - self.block;
        let cells = self.design.cell_count() as u64;
        self.left.len() as u64 + self.again.len() as u64 + u64::from(blocks) * cells
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::experiment::Factor;

    fn design(cells: usize, trials: u32) -> Design {
        Design::new(trials).with_factor(Factor::new("x", (0..cells).map(|level| level.to_string())))
    }

    /// All slots, where `fate` says what becomes of each.
    fn all(mut agenda: Agenda, mut fate: impl FnMut(Slot) -> Fate) -> Vec<Slot> {
        let mut made = Vec::new();
        while let Some(slot) = agenda.next() {
            made.push(slot);
            agenda.made(fate(slot));
        }
        assert_eq!(agenda.left(), 0);
        made
    }

    #[test]
    fn all_blocks_in_their_order() {
        let design = design(3, 2).with_warm_up_blocks(1);
        let agenda = Agenda::new(&design, 5).unwrap();
        assert_eq!(agenda.left(), 9);
        let made = all(agenda, |_| Fate::Good);
        let cells: Vec<usize> = made.iter().map(|slot| slot.cell).collect();
        let orders: Vec<usize> = (0..3).flat_map(|b| design.order(b).unwrap()).collect();
        assert_eq!(cells, orders);
        assert!(made.iter().all(|slot| slot.attempt == 1));
    }

    #[test]
    fn what_fails_comes_again_at_the_end_of_its_block_and_not_for_ever() {
        let design = design(3, 2);
        let first = design.order(0).unwrap()[0];
        let bad = |slot: Slot| if slot.cell == first { Fate::Bad } else { Fate::Good };
        let made = all(Agenda::new(&design, 2).unwrap(), bad);
        let of_first_block: Vec<(usize, u32)> =
            made.iter().filter(|s| s.block == 0).map(|s| (s.cell, s.attempt)).collect();
        assert_eq!(of_first_block[0], (first, 1));
        assert_eq!(of_first_block[3..], [(first, 2), (first, 3)]);
        assert_eq!(made.len(), 10);
        let never_again = all(Agenda::new(&design, 0).unwrap(), |_| Fate::Bad);
        assert_eq!(never_again.len(), 6);
    }

    #[test]
    fn what_was_interrupted_comes_at_once() {
        let mut agenda = Agenda::new(&design(3, 1), 0).unwrap();
        let before = agenda.next();
        agenda.made(Fate::Interrupted);
        assert_eq!((agenda.next(), agenda.left()), (before, 3));
    }

    proptest! {
        /// Whatever fails, each cell has its turn in each block, and no block begins before the
        /// one before it is over.
        #[test]
        fn every_cell_once_a_block(
            (cells, trials, repeats) in (1_usize..5, 1_u32..5, 0_u32..3),
            fates in prop::collection::vec(prop::bool::ANY, 200),
        ) {
            let design = design(cells, trials);
            let mut fates = fates.into_iter().cycle();
            let fate = |_| if fates.next() == Some(true) { Fate::Good } else { Fate::Bad };
            let made = all(Agenda::new(&design, repeats).unwrap(), fate);
            prop_assert!(made.windows(2).all(|two| two[0].block <= two[1].block));
            for block in 0..trials {
                let firsts = made.iter().filter(|s| s.block == block && s.attempt == 1);
                prop_assert_eq!(firsts.count(), cells);
            }
            prop_assert!(made.iter().all(|slot| slot.attempt <= repeats + 1));
        }
    }
}
