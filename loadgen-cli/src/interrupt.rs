//! SIGINT and SIGTERM. The first one asks the run to stop, drain and report; the
//! second one ends the process at once.
//!
//! A thread of its own waits for the signals, so that the first is acknowledged
//! on stderr even while the main thread waits for something slow.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use anyhow::Context;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::exit::Exit;
use crate::messages::note;

/// Whether, and by which signal, the user has asked to stop.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupt {
    raised: Arc<AtomicBool>,
    signal: Arc<AtomicI32>,
}

impl Interrupt {
    /// Takes over SIGINT and SIGTERM for the rest of the process's life. The first
    /// signal is answered on stderr with `say`.
    pub(crate) fn install(say: &'static str) -> anyhow::Result<Self> {
        let interrupt = Self::default();
        let mut signals =
            Signals::new([SIGINT, SIGTERM]).context("cannot take over SIGINT and SIGTERM")?;
        let shared = interrupt.clone();
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                for signal in signals.forever() {
                    shared.raise(signal, say);
                }
            })
            .context("cannot start the thread that waits for signals")?;
        Ok(interrupt)
    }

    fn raise(&self, signal: i32, say: &str) {
        if self.raised.load(Ordering::SeqCst) {
            // Not std::process::exit: nothing may wait for locks of the main thread.
            signal_hook::low_level::exit(128 + signal);
        }
        self.signal.store(signal, Ordering::SeqCst);
        self.raised.store(true, Ordering::SeqCst);
        note(&format!("{say} (again to leave at once)"));
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
