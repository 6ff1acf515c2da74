//! Models of a migration: what moving a machine costs, before it is moved.
//!
//! Each is a pure function of a few numbers: **memory in bytes, rates in bytes a second, times in
//! seconds**, all as `f64`. (They only need to agree with each other: with mebibytes throughout,
//! the results are in mebibytes.) Where a model has a source, its function names it.
//!
//! | model | how memory is sent |
//! |---|---|
//! | [`StopAndCopy`] | all of it while the machine stands still |
//! | [`Geometric`] | in rounds, each as long as the last one's dirtied pages need |
//! | [`PreCopy::by_passes`] | the same, with a working set and a limit on the downtime |
//! | [`PreCopy::by_slots`] | as QEMU does: slots of 100 ms, and a look at the bitmap when little is left |
//! | [`PostCopy`] | after the switch-over |
//! | [`Hybrid`] | one pass before, what was dirtied after |
//! | [`AkoushBounds`], [`AkoushHistory`] | bounds, and a replay of recorded dirtied pages |
//! | [`SeveralMachines`] | several machines over one link |
//!
//! What a migration really did is measured; a prediction is not, and says nothing of the time
//! that a hypervisor needs to prepare and to clean up, unless it is given.

mod akoush;
mod dirtying;
mod energy;
mod geometric;
mod pass_rule;
mod post_copy;
mod pre_copy;
mod prediction;
mod several;
mod slot_rule;
mod stop_and_copy;

pub use akoush::{AkoushBounds, AkoushHistory, Bounds};
pub use dirtying::{Dirtying, Pattern};
pub use energy::{LIU_2011, TransferEnergy};
pub use geometric::Geometric;
pub use post_copy::{Hybrid, PostCopy};
pub use pre_copy::PreCopy;
pub use prediction::{Pass, Prediction};
pub use several::{MachineOnLink, SeveralMachines, Together, machines_at_once, reserved_for_each};
pub(in crate::model) use slot_rule::SLOT_S;
pub use stop_and_copy::StopAndCopy;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod vectors;
