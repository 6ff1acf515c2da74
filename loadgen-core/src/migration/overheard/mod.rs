//! What the hypervisors beneath a manager tell, heard beside a trigger that orders a migration of
//! that manager: STOP and RESUME by QEMU's own clock, where the manager knows no moment so well.
//!
//! Nothing is ordered here. Any trigger can have it: see [`Overheard::beside`].
//!
//! **Layout**: [`options`] is where to listen; [`heard`] is what is heard, as events; [`by_libvirt`]
//! and [`by_qmp`] listen; [`trigger`] is the trigger with its hypervisors.

mod by_libvirt;
mod by_qmp;
mod heard;
mod options;
#[cfg(test)]
mod tests;
mod trigger;

pub use options::HypervisorEvents;
pub(crate) use trigger::Overheard;
