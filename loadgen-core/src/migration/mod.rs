//! Migrations under load: the plug-in that starts one ([`Trigger`]), six that
//! are built in, the reach check, and what a migration did to the users.

#[cfg(feature = "clouds")]
mod api_client;
mod command;
mod convergence;
mod course;
mod driver;
mod evacuation;
mod foreign_clock;
mod guarded;
mod handle;
mod impact;
#[cfg(test)]
mod invented;
mod libvirt;
mod lists;
pub mod look;
mod milestone;
#[cfg(test)]
mod misbehaving;
#[cfg(feature = "clouds")]
mod opennebula;
#[cfg(feature = "clouds")]
mod overheard;
mod patience;
mod process;
mod qmp;
mod reach;
#[cfg(feature = "clouds")]
mod recipe;
mod several;
mod side;
pub mod simulated;
mod spec;
mod stage;
mod strategy;
mod trigger;
mod turns;
mod waiting;

#[cfg(feature = "clouds")]
pub(crate) use api_client::{ApiAnswer, ApiClient, ApiRequest, Failure};
pub use command::CommandTrigger;
#[cfg(feature = "clouds")]
pub(crate) use command::unix_time;
pub(crate) use driver::most_descriptors;
pub use driver::{MigrationError, MigrationRun};
pub use evacuation::{Evacuation, EvacuationOrder};
pub use foreign_clock::HypervisorClock;
pub use handle::{MigrationHandle, MigrationSnapshot};
pub(crate) use impact::own::all_paused;
pub(crate) use impact::silence::{Judged, JudgedSilences, Silence, judge, unusual};
pub use impact::{Impact, ImpactInput, impact};
pub use libvirt::{LibvirtOptions, LibvirtTrigger};
#[cfg(feature = "clouds")]
pub use opennebula::{OpenNebulaOptions, OpenNebulaTrigger};
#[cfg(feature = "clouds")]
pub use overheard::HypervisorEvents;
pub use qmp::{QmpAddress, QmpOptions, QmpTrigger};
pub use reach::ReachCheck;
pub(crate) use reach::method::Method;
pub(crate) use reach::readings::{Span, silences};
pub(crate) use reach::{Check, Fate, RATES, Reach, ReachLog, SettledChecks};
#[cfg(feature = "clouds")]
pub use recipe::{RecipeOptions, RecipeTrigger};
pub use several::{
    MOST_MACHINES, MachineProgress, MachineReport, Migrations, MigrationsError, MigrationsReport,
    WholeMigration, WorstOutage, render_migrations_text,
};
pub use simulated::{SimulatedTrigger, SimulatedVm};
pub use spec::{TriggerSpec, split_words};
pub use stage::{MigrationProgress, Stage};
pub use strategy::PostcopyAfter;
pub use trigger::{
    Context, Ending, MovedMachine, Settled, Strategy, Trigger, TriggerError, Truth, VmFacts,
};
pub use turns::MigrationOrder;
