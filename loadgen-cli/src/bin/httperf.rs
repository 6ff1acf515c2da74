//! `httperf`: the old one's command line and report, on loadgen's engine.
//!
//! Everything is in `loadgen_core::httperf`; this program gives it the standard
//! streams and the signals.

use std::ffi::OsString;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use loadgen_core::Stopper;
use loadgen_core::httperf::{SharedOutput, run};
use loadgen_core::printable::PrintableWriter;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    let out = SharedOutput::new(BufWriter::new(io::stdout()));
    loadgen_core::secret::keep_key();
    // What servers send is printed as it is on stdout only, where it is asked for.
    let err = SharedOutput::new(PrintableWriter::new(io::stderr()));
    let first = Arc::new(AtomicI32::new(0));
    let ending = run(&args, &out, &err, |stopper| stop_by_signal(stopper, Arc::clone(&first)));
    let mut exit_code = ending.exit_code;
    if let Err(error) = out.finish() {
        // A reader that has seen enough is no failure, as with the original.
        if error.kind() != ErrorKind::BrokenPipe {
            let _ = writeln!(io::stderr(), "httperf: cannot write the report: {error}");
            exit_code = exit_code.max(1);
        }
    }
    match first.load(Ordering::SeqCst) {
        // As the original: an interrupted run is a short one.
        0 | SIGINT => ExitCode::from(exit_code),
        signal => ExitCode::from(128 + signal as u8),
    }
}

/// Ends the run when a signal comes: the report covers what was measured until
/// then. Where no thread can wait for signals they do what they always do.
fn stop_by_signal(stopper: Stopper, first: Arc<AtomicI32>) {
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM, SIGHUP]) else { return };
    let wait = move || {
        for signal in signals.forever() {
            let _ = first.compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst);
            stopper.stop();
        }
    };
    let _ = std::thread::Builder::new().name("signals".to_owned()).spawn(wait);
}
