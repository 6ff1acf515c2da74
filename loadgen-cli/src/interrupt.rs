//! SIGINT, SIGTERM and SIGHUP. The first one asks the run to stop, drain and
//! report; a second one, [`SAME_REQUEST`] later at the earliest, ends the process
//! at once. SIGHUP is left alone where it is ignored (nohup).
//!
//! A thread of its own waits for the signals, so that the first is acknowledged
//! on stderr even while the main thread waits for something slow.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::exit::Exit;
use crate::messages::note;

/// Signals so soon after the first one are the same request: `timeout` signals its
/// child and then its whole group, a terminal that closes sends several.
const SAME_REQUEST: Duration = Duration::from_millis(500);

/// Whether, and by which signal, the user has asked to stop.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupt {
    raised: Arc<AtomicBool>,
    signal: Arc<AtomicI32>,
}

impl Interrupt {
    /// Takes over the signals for the rest of the process's life. The first one is
    /// answered on stderr with `say`.
    pub(crate) fn install(say: &'static str) -> anyhow::Result<Self> {
        let interrupt = Self::default();
        let mut signals = Signals::new([SIGINT, SIGTERM])
            .and_then(|signals| {
                if !hangup_is_ignored() {
                    signals.add_signal(SIGHUP)?;
                }
                Ok(signals)
            })
            .context("cannot take over SIGINT, SIGTERM and SIGHUP")?;
        let shared = interrupt.clone();
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                let mut first = None;
                for signal in signals.forever() {
                    let first = *first.get_or_insert_with(Instant::now);
                    shared.raise(signal, first.elapsed(), say);
                }
            })
            .context("cannot start the thread that waits for signals")?;
        Ok(interrupt)
    }

    /// Takes a signal that came so long after the first one.
    fn raise(&self, signal: i32, after_first: Duration, say: &str) {
        if self.raised.load(Ordering::SeqCst) {
            if after_first < SAME_REQUEST {
                return;
            }
            // Not std::process::exit: nothing may wait for locks of the main thread.
            signal_hook::low_level::exit(128 + signal);
        }
        self.signal.store(signal, Ordering::SeqCst);
        self.raised.store(true, Ordering::SeqCst);
        note(&format!("{say} (again to leave at once)"));
    }

    /// Asks the run to stop, as a signal would, for a reason of our own.
    pub(crate) fn stop(&self) {
        self.raised.store(true, Ordering::SeqCst);
    }

    /// Whether a signal came.
    pub(crate) fn is_raised(&self) -> bool {
        self.raised.load(Ordering::SeqCst)
    }

    /// The flag behind it, for parts of the library that poll one.
    pub(crate) fn flag(&self) -> &AtomicBool {
        &self.raised
    }

    /// How the process ends because of it, if a signal came.
    pub(crate) fn exit(&self) -> Option<Exit> {
        self.is_raised().then(|| self.ending())
    }

    /// The end of a process that was interrupted while it prepared the load, which
    /// then could not be prepared.
    pub(crate) fn before_the_load(&self, error: &dyn std::error::Error) -> Exit {
        note(&format!("interrupted before the load began, nothing was measured ({error})"));
        self.ending()
    }

    fn ending(&self) -> Exit {
        Exit::Interrupted(self.signal.load(Ordering::SeqCst))
    }
}

/// Whether whoever started us wants us to outlive the terminal (nohup).
fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignores(&status, SIGHUP)
}

/// Whether the mask `SigIgn` of `/proc/PID/status` has a signal.
fn ignores(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_mask() {
        let status = "SigBlk:\t0000000000000001\nSigIgn:\t0000000000001001\n";
        assert!(ignores(status, SIGHUP));
        assert!(!ignores(status, SIGTERM));
        assert!(!ignores("SigBlk:\t0000000000000001\n", SIGHUP));
    }
}
