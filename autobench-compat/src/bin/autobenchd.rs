//! `autobenchd`: see the library.

use std::fmt::Display;
use std::io::{self, Write, stderr, stdout};
use std::process::ExitCode;

use autobench_compat::daemon::setup::{HELP, Setup};
use autobench_compat::daemon::{Daemon, Handle, Log};
use autobench_compat::start::FATAL;
use autobench_compat::tester;
use loadgen_core::printable::{PrintableWriter, printable_lines};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

fn main() -> ExitCode {
    let arguments: Vec<String> =
        std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let debug = std::env::var("DEBUG").ok();
    match Setup::read(&arguments) {
        Ok(setup) => serve(setup.with_environment(debug.as_deref())),
        Err(error) => fatal(&error, FATAL),
    }
}

fn serve(setup: Setup) -> ExitCode {
    for complaint in &setup.complaints {
        say(complaint);
    }
    if setup.help {
        // Who has closed stdout wants no help.
        let _ = write!(stdout(), "{HELP}");
        return ExitCode::SUCCESS;
    }
    let Some(tester) = tester::named(setup.httperf.as_deref()) else {
        let program = setup.httperf.unwrap_or_default();
        return fatal(&format!("cannot find the program {program}"), FATAL);
    };
    let log = Log::new(Box::new(PrintableWriter::new(stderr())), setup.verbose, setup.debug);
    let daemon = match Daemon::bind(setup.settings, tester, log) {
        Ok(daemon) => daemon,
        Err(error) => return fatal(&error, error.status()),
    };
    if setup.by_default {
        say(&format!(
            "autobenchd: listening on {} only; --bindaddr 0.0.0.0 lets other machines in",
            daemon.address()
        ));
    }
    if let Err(error) = end_with_signals(daemon.handle()) {
        return fatal(&format!("cannot take over SIGINT and SIGTERM: {error}"), FATAL);
    }
    daemon.serve();
    ExitCode::SUCCESS
}

/// Has SIGINT and SIGTERM end the daemon, each of them, so that none kills the process
/// before its answers are sent.
fn end_with_signals(handle: Handle) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for _ in signals.forever() {
            handle.stop();
        }
    })?;
    Ok(())
}

fn fatal(why: &dyn Display, status: u8) -> ExitCode {
    say(&format!("autobenchd: {why}"));
    ExitCode::from(status)
}

fn say(line: &str) {
    let _ = writeln!(stderr(), "{}", printable_lines(line));
}
