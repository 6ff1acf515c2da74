//! Migrations ordered of OpenNebula, by its XML-RPC interface (releases 3.4 to 7.4): the trigger
//! `opennebula:`.
//!
//! **Layout**: [`options`] is what a specification says; [`oned`] asks the daemon, and knows its
//! answers; [`machine`] is a machine as the daemon describes it, and what became of an order by its
//! history; [`trigger`] orders, looks again and again, and tells.
//!
//! The daemon tells no moment to less than a second, and neither STOP nor RESUME: those are heard
//! from the hypervisors beneath it, by [`super::overheard`].

mod machine;
mod oned;
mod options;
mod trigger;

pub use options::OpenNebulaOptions;
pub use trigger::OpenNebulaTrigger;
