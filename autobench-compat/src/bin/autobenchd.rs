//! `autobenchd`: see the library.

use std::io::{Write, stderr, stdout};
use std::process::ExitCode;

use autobench_compat::daemon::setup::{HELP, Setup};
use autobench_compat::daemon::{Daemon, Log};
use autobench_compat::prober::ProcessProber;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

fn main() -> ExitCode {
    let arguments: Vec<String> =
        std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    match serve(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            say(&format!("autobenchd: {why}"));
            ExitCode::from(1)
        }
    }
}

fn say(line: &str) {
    let _ = writeln!(stderr(), "{line}");
}

fn serve(arguments: &[String]) -> Result<(), String> {
    let debug = std::env::var("DEBUG").ok();
    let setup = Setup::read(arguments)
        .map_err(|error| error.to_string())?
        .with_environment(debug.as_deref());
    for complaint in &setup.complaints {
        say(complaint);
    }
    if setup.help {
        return write!(stdout(), "{HELP}").map_err(|error| error.to_string());
    }
    let prober = ProcessProber::find(&setup.httperf)
        .ok_or_else(|| format!("cannot find the program {}", setup.httperf))?;
    let log = Log::new(Box::new(stderr()), setup.verbose, setup.debug);
    let daemon =
        Daemon::bind(setup.settings, Box::new(prober), log).map_err(|error| error.to_string())?;
    if setup.by_default {
        say(&format!(
            "autobenchd: listening on {} only; --bindaddr 0.0.0.0 lets other machines in",
            daemon.address()
        ));
    }
    let handle = daemon.handle();
    let mut signals =
        Signals::new([SIGINT, SIGTERM]).map_err(|error| format!("no signals: {error}"))?;
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            // Every signal, so that none kills the process before its answers are sent.
            for _ in signals.forever() {
                handle.stop();
            }
        })
        .map_err(|error| format!("no thread for signals: {error}"))?;
    daemon.serve();
    Ok(())
}
