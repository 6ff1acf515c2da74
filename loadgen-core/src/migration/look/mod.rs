//! What a running machine says of itself, asked over a QMP socket or by libvirt: its memory, what
//! is written to, and the limits that its next migration would have. It is what models need to be
//! told ([`crate::model::migration`]).
//!
//! **Nothing is changed.** Capabilities and parameters are read and none is set; the one order is
//! to measure the dirty rate, which ends by itself, also when we are ended before it. By
//! page-sampling the machine notices nothing: a thread of QEMU hashes some pages, waits, and hashes
//! them again. The socket is held meanwhile, and QEMU serves one client at each.
//!
//! # What a dirty rate of QEMU is
//!
//! Seen with QEMU 7.2.22 and 10.0.2, and with libvirt 9.0.0:
//!
//! * `dirty-rate` is in MiB/s (called MB/s), rounded down, so 0.5 MiB/s too low on average;
//! * it is **distinct pages over the time**: a page that is written to again counts once, so that
//!   the rate falls with the time once the working set was gone through;
//! * `page-sampling` looks at `sample-pages` of each GiB (512 unless told, 128 to 16384), and one
//!   of them that changed stands for 1 GiB/`sample-pages`; what was overwritten with the same
//!   bytes has not changed;
//! * a machine that stands still is measured, too, and has 0;
//! * a migration does not keep it from measuring: that is refused here;
//! * **without KVM, QEMU 7.2 crashes on the modes `dirty-bitmap` and `dirty-ring`** (it looks into
//!   KVM's state, which there is none of), and libvirt 9.0 passes them on. QEMU 10.0 does not
//!   crash, and tells 0 whatever is written. So `dirty-bitmap` is refused here where there is no
//!   KVM. With KVM it could not be tried. `dirty-ring` is not offered: a page whose write was
//!   collected counts again;
//! * `calc-time-unit` (milliseconds) came with QEMU 8.2, and 7.2 refuses it: whole seconds it is.
//!
//! # How good it is
//!
//! A guest of 512 MiB (emulated) that rewrites 64 MiB in turn, five measurements each. Truth:
//! min(rate · t, 64 MiB)/t. Mean ± standard deviation, MiB/s:
//!
//! | rewritten | t | truth | 512 of each GiB | 4096 | 16384 |
//! |---|---|---|---|---|---|
//! | 0 MiB/s | 1 s, 4 s | 0 | 0 ± 0 | 0 ± 0 | 0 ± 0 |
//! | 2 MiB/s | 1 s | 2 | 1.6 ± 1.5 | 2.0 ± 0.6 | 1.6 ± 0.5 |
//! | 2 MiB/s | 4 s | 2 | 1.2 ± 0.4 | 1.0 ± 0.0 | 1.6 ± 0.5 |
//! | 10 MiB/s | 1 s | 10 | 10.4 ± 2.7 | 9.8 ± 1.6 | 9.6 ± 1.4 |
//! | 10 MiB/s | 4 s | 10 | 9.2 ± 1.2 | 9.8 ± 0.4 | 9.6 ± 0.5 |
//! | 20 MiB/s | 1 s | 20 | 21.2 ± 7.0 | 20.4 ± 3.2 | 19.2 ± 0.7 |
//! | 20 MiB/s | 4 s | 16 | 16.6 ± 1.4 | 15.0 ± 0.6 | 15.8 ± 0.4 |
//! | 40 MiB/s | 1 s | 40 | 36.4 ± 6.1 | 42.6 ± 3.0 | 38.2 ± 1.0 |
//! | 40 MiB/s | 4 s | 16 | 16.0 ± 2.3 | 15.6 ± 0.5 | 14.8 ± 0.4 |
//!
//! The spread is that of the choice of pages ([`DirtySample::standard_error`]: 4.4, 1.6 and
//! 0.8 MiB/s at 10 MiB/s for 1 s), and the mean a little below the truth, by the rounding. QEMU's own
//! 512 pages of each GiB are few for a small machine: one measurement of 10 MiB/s through libvirt
//! said 0 and another 10. The most pages that QEMU takes cost it 0.03 s to 0.1 s here. So as many
//! as 65 536 in all are the default, by QMP; through libvirt, repeat.

mod by_libvirt;
mod by_qmp;
mod error;
mod machine;
mod measuring;
mod spec;
#[cfg(test)]
mod tests;

use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use error::LookError;
pub use machine::{DirtyMode, DirtySample, MachineNow};
pub use spec::{LookAt, LookSpec};

use crate::migration::libvirt::Virsh;

/// Asks a running machine. It takes as long as all measurements together, and a moment; a
/// machine that does not answer is given up after some seconds.
///
/// ```no_run
/// use loadgen_core::migration::look::{self, LookSpec};
///
/// let spec: LookSpec = "qmp:/run/vm.sock,over=1s,over=4s".parse()?;
/// let now = look::ask(&spec)?;
/// for sample in &now.dirty {
///     println!("{} B/s over {} s", sample.bytes_per_s, sample.over_s);
/// }
/// # Ok::<(), look::LookError>(())
/// ```
///
/// # Errors
/// [`LookError`]: it cannot be reached (another client may hold its socket), does not run, is
/// being migrated, is too old, or tells what makes no sense.
pub fn ask(spec: &LookSpec) -> Result<MachineNow, LookError> {
    ask_pausing(spec, &mut |time| thread::sleep(time))
}

/// As [`ask`]; `pause` is to wait.
fn ask_pausing(spec: &LookSpec, pause: &mut dyn FnMut(Duration)) -> Result<MachineNow, LookError> {
    spec.validate()?;
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut now = MachineNow {
        source: spec.place.shown(),
        asked_at_unix_ms: u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX),
        ..MachineNow::default()
    };
    match &spec.place {
        LookAt::Qmp(address) => by_qmp::ask(address, spec, &mut now, pause)?,
        LookAt::Libvirt { domain, uri, virsh } => {
            let at = (domain.as_str(), uri.as_deref());
            by_libvirt::ask(Virsh::new(virsh.clone()), at, spec, &mut now, pause)?;
        }
    }
    Ok(now)
}
