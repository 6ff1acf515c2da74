//! Migrations under load: the plug-in that starts one ([`Trigger`]), three that
//! are built in, the reach check, and what a migration did to the users.

mod command;
mod convergence;
mod course;
mod driver;
mod evacuation;
mod guarded;
mod handle;
mod impact;
mod lists;
mod milestone;
#[cfg(test)]
mod misbehaving;
mod patience;
mod qmp;
mod reach;
pub mod simulated;
mod spec;
mod stage;
mod trigger;

pub use command::CommandTrigger;
pub use driver::{MigrationError, MigrationRun};
pub use evacuation::{Evacuation, EvacuationOrder};
pub use handle::{MigrationHandle, MigrationSnapshot};
pub use impact::{Impact, ImpactInput, impact};
pub use qmp::{PostcopyAfter, QmpAddress, QmpClock, QmpOptions, QmpTrigger};
pub use reach::ReachCheck;
pub use simulated::{SimulatedTrigger, SimulatedVm};
pub use spec::{TriggerSpec, split_words};
pub use stage::{MigrationProgress, Stage};
pub use trigger::{
    Context, Ending, MovedMachine, Settled, Strategy, Trigger, TriggerError, Truth, VmFacts,
};
