//! The `libvirt` trigger: a machine of libvirt is moved by `virsh migrate`.
//!
//! **Layout**: [`options`] is what a specification says, [`virsh`] the program, [`told`] and
//! [`job_info`] what it prints, [`ears`] what listens to one side, [`round_trips`] how its times are
//! mapped, [`flight`] the migration itself, [`trigger`] the plug-in.
//!
//! What libvirt is known to do, and is handled (seen with 9.0 and QEMU 7.2):
//!
//! * between the order and QEMU's migration it starts the target's QEMU (5 to 12 s), and after the
//!   machine runs there, it tidies the source up (2 s): both are in virsh's time, and in libvirt's
//!   `time_elapsed`;
//! * it pauses QEMU before every switch-over;
//! * post-copy that is ordered before the first pass is refused, and the migration goes on as a
//!   pre-copy;
//! * its own downtime is that of the job in pre-copy, and only a part of it in post-copy;
//! * after a post-copy, and after an abort, `domjobinfo --completed` is empty at both sides, and only
//!   the source's event of the completed job has the figures;
//! * a transient domain is unknown to the source afterwards;
//! * a cut link is noticed after 30 s, and virsh ends some 20 s later.

mod ears;
mod flight;
mod job_info;
mod options;
pub(super) mod round_trips;
#[cfg(test)]
mod tests;
mod told;
mod trigger;
mod virsh;

#[cfg(feature = "clouds")]
pub(super) use ears::Ears;
pub(super) use job_info::job_under_way;
pub use options::LibvirtOptions;
#[cfg(feature = "clouds")]
pub(super) use told::Told;
pub use trigger::LibvirtTrigger;
pub(super) use trigger::memory_bytes;
pub(super) use virsh::Virsh;
