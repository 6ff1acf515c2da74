//! A run of httperf from its command line to its last line.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::plan::tls;
use super::{
    CommandLineError, Options, Printer, Printing, SharedOutput, prepare, render, render_burst,
};
use crate::engine::{Engine, RunHandle, Stopper};
use crate::error::RunError;
use crate::migration::{MigrationError, MigrationRun, ReachCheck, Trigger, TriggerError};
use crate::net::tls::{Tls, TlsError, TlsSettings};
use crate::plan::Plan;
use crate::report::{Report, SaveError};

/// Lateness of the generator (99th percentile, in µs) from which it is told to have
/// been the bottleneck.
const LATE_US: f64 = 1000.0;

/// A single pause from which that is told, in ms. Shorter ones come with every busy
/// machine, and do not show in figures of a tenth of a ms of many calls.
const PAUSE_MS: f64 = 20.0;

/// What the original says of a certificate and a key that do not belong together.
const INCONSISTENT_PAIR: &[u8] = b"SSL certificate and key failed consistency check";

/// How a run of httperf ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct Ended {
    /// The exit status: 0 after a run, whatever failed in it; 1 or 255 if there was
    /// none, as with the original. Also 1 if a result could not be written.
    pub exit_code: u8,
    /// What was measured, if anything was.
    pub report: Option<Report>,
    /// Why the migration could not be prepared; then nothing was run, and nothing was
    /// said of it.
    pub unprepared: Option<TriggerError>,
}

impl Ended {
    fn without_report(exit_code: u8) -> Self {
        Self { exit_code, report: None, unprepared: None }
    }
}

/// Does what httperf does with a command line, whose first word is the name of the
/// program, and prints what it prints. `started` is told how to stop the run, once
/// it goes on.
///
/// The printed report is that of the original; what loadgen itself makes of the
/// same run is in [`Ended::report`].
pub fn run(
    args: &[OsString],
    out: &SharedOutput,
    err: &SharedOutput,
    started: impl FnOnce(Stopper),
) -> Ended {
    carry_out(args, out, err, |options, plan| {
        let handle = start(options, plan, out, err)?;
        started(handle.stopper());
        Ok(handle.join()?)
    })
}

/// A migration in the middle of a run of httperf.
pub struct Midway<'a> {
    /// Starts it.
    pub trigger: Box<dyn Trigger>,
    /// After how long it is given up.
    pub limit: Duration,
    /// Names the run to the trigger.
    pub run_id: String,
    /// Which migration of that name this is, from 1.
    pub trial: u32,
    /// Once true: the migration is cancelled and the run ends.
    pub interrupt: &'a AtomicBool,
}

/// As [`run`], with a migration fired when half of the connections (or sessions) were
/// to be started. The report has what it did; the run waits for its end.
///
/// A run in closed loop is refused: its clients wait together with a stopped server.
pub fn run_migrating(
    args: &[OsString],
    out: &SharedOutput,
    err: &SharedOutput,
    midway: Midway<'_>,
) -> Ended {
    carry_out(args, out, err, |options, plan| {
        let middle = middle(&plan).unwrap_or_default();
        let run = MigrationRun::new(plan, midway.trigger)
            .within_load(middle)
            .with_limit(midway.limit)
            // Its descriptors would be missing to the drop-in, which counts what it lacks.
            .with_reach_check(ReachCheck::Off, 200.0)
            .with_run_id(midway.run_id, midway.trial);
        run.run_started(|plan| start(options, plan, out, err), midway.interrupt, &mut |_| {})
    })
}

/// When half of the arrivals of a plan were to come.
fn middle(plan: &Plan) -> Option<Duration> {
    let arrivals = plan.sessions()?.count? as f64;
    Duration::try_from_secs_f64(arrivals / plan.offered_per_s()? / 2.0).ok()
}

/// Does what is around a run; `measure` carries out the plan.
fn carry_out(
    args: &[OsString],
    out: &SharedOutput,
    err: &SharedOutput,
    measure: impl FnOnce(&Options, Plan) -> Result<Report, MigrationError>,
) -> Ended {
    let (options, sources) = match understand(args, out, err) {
        Ok(Some(understood)) => understood,
        Ok(None) => return Ended::without_report(0),
        Err(error) => {
            out.put(&error.stdout);
            err.put(&error.stderr);
            return Ended::without_report(error.exit_code);
        }
    };
    let plan = match prepare(&options, sources) {
        Ok(prepared) => {
            err.put(&prepared.stderr);
            prepared.plan
        }
        Err(error) => {
            err.put(&error.message(&options.program));
            return Ended::without_report(1);
        }
    };
    let say = |text: &str| err.put(&line(&options, text));
    let report = match measure(&options, plan) {
        Ok(report) => report,
        Err(MigrationError::Run(error)) => {
            let (message, exit_code) = not_run(&options, &error);
            err.put(&message);
            return Ended::without_report(exit_code);
        }
        // To be told by who brought the trigger.
        Err(MigrationError::Trigger(error)) => {
            return Ended { unprepared: Some(error), ..Ended::without_report(1) };
        }
    };
    let mut exit_code = print(&options, &report, out, err);
    if report.workers_lost > 0 {
        for reason in &report.verdict.reasons {
            say(&format!("error: {reason}"));
        }
        exit_code = exit_code.max(1);
    }
    if let Some(warning) = lateness(&report) {
        say(&warning);
    }
    if let Some(file) = &options.json
        && let Err(error) = report.save_json(Path::new(file))
    {
        say(&error.to_string());
        if let SaveError::Unsaved(unsaved) = &error {
            say("its contents follow on standard output");
            out.put(unsaved.json.as_bytes());
        }
        exit_code = exit_code.max(1);
    }
    Ended { exit_code, report: Some(report), unprepared: None }
}

/// A message of the program.
fn line(options: &Options, text: &str) -> Vec<u8> {
    [&options.program, b": " as &[u8], text.as_bytes(), b"\n"].concat()
}

/// Reads the command line and echoes it. `None`: there is nothing to run.
fn understand(
    args: &[OsString],
    out: &SharedOutput,
    err: &SharedOutput,
) -> Result<Option<(Options, Vec<IpAddr>)>, CommandLineError> {
    let parsed = Options::parse(args)?;
    out.put(&parsed.stdout);
    err.put(&parsed.stderr);
    let Some(options) = parsed.options else { return Ok(None) };
    if has_inconsistent_pair(&options) {
        return Err(CommandLineError::new(&[INCONSISTENT_PAIR]));
    }
    let sources = options.source_addresses()?;
    out.put(&options.echo());
    options.check_after_echo()?;
    Ok(Some((options, sources)))
}

/// Whether the client's key is not that of its certificate. The original knows before
/// it prints anything; whatever else is wrong with TLS is told later.
fn has_inconsistent_pair(options: &Options) -> bool {
    let Ok(tls) = tls(&options.tls) else { return false };
    let settings = || TlsSettings::new(&Tls { verify: false, ..tls }, "localhost", &[]);
    options.tls.on
        && options.tls.key.is_some()
        && matches!(settings(), Err(TlsError::KeyMismatch { .. }))
}

/// Starts the run.
fn start(
    options: &Options,
    plan: Plan,
    out: &SharedOutput,
    err: &SharedOutput,
) -> Result<RunHandle, RunError> {
    let engine = Engine::new(plan)?;
    if options.verbosity > 0 {
        let limit = engine.descriptor_limit();
        out.put(&line(options, &format!("maximum number of open descriptors = {limit}")));
    }
    let printer = Printer::new(Printing::of(options), out.clone(), err.clone());
    engine.start_observed(Box::new(printer))
}

/// What is said of a run that did not come about, and the exit status.
fn not_run(options: &Options, error: &RunError) -> (Vec<u8>, u8) {
    match error {
        RunError::Resolve { .. } => {
            let server = String::from_utf8_lossy(options.server()).into_owned();
            let text = format!(".core_addr_intern: invalid server address {server}\n");
            ([&options.program, text.as_bytes()].concat(), 1)
        }
        RunError::Tls(error) => (line(options, &error.to_string()), 255),
        error => (line(options, &error.to_string()), 1),
    }
}

/// Prints the report; gives the exit status.
fn print(options: &Options, report: &Report, out: &SharedOutput, err: &SharedOutput) -> u8 {
    let Some(sessions) = &report.sessions else { return 1 };
    let whole = || {
        let text = render(sessions, &report.cpu, options.verbosity, options.periodic_stats);
        out.put(render_burst(sessions).as_bytes());
        out.put(text.as_bytes());
    };
    let Some(reason) = &sessions.tls_failure else {
        whole();
        return 0;
    };
    // The original ends here, and keeps to itself what it has measured.
    if sessions.replies.completed > 0 {
        whole();
    }
    // OpenSSL's numbers for an error of TLS and for one of the system.
    let kind = if sessions.failures.tls > 0 { 1 } else { 5 };
    let text = format!("failed to connect to SSL server (err=-1, reason={kind})\n{reason}");
    err.put(&line(options, &text));
    255
}

/// What there is to say if the load generator could not keep up with its arrivals.
fn lateness(report: &Report) -> Option<String> {
    const ADVICE: &str =
        "this machine was the bottleneck; give it more CPU, use --threads, or a lower rate";
    // With few connections the upper quantiles are not known, and need not be.
    let quantiles = [(1, report.lag.p99_us), (10, report.lag.p90_us), (50, report.lag.p50_us)];
    let late = quantiles.into_iter().find_map(|(percent, late_us)| Some((percent, late_us?)));
    if let Some((percent, late_us)) = late.filter(|(_, late_us)| *late_us > LATE_US) {
        return Some(format!(
            "warning: {percent} % of the connections were started {:.1} ms late or later: {ADVICE}",
            late_us / 1e3
        ));
    }
    let own = report.generator.as_ref()?;
    let paused_ms = own.longest_pause_ms.unwrap_or(0.0);
    let late_ms = report.lag.max_us.unwrap_or(0.0) / 1e3;
    (paused_ms.max(late_ms) >= PAUSE_MS).then(|| {
        let (what, ms) = if paused_ms >= late_ms {
            ("this program stood still for", paused_ms)
        } else {
            ("a connection was started late by", late_ms)
        };
        format!("warning: {what} {ms:.1} ms, which is in the times: {ADVICE}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{GeneratorReport, Latency, sample};

    #[test]
    fn a_pause_is_told_however_few_the_connections() {
        let mut report = sample::plain();
        report.lag =
            Latency { count: 300, p50_us: Some(9.0), p90_us: Some(20.0), ..Latency::default() };
        report.lag.max_us = Some(15_000.0);
        assert_eq!(lateness(&report), None);
        report.generator =
            Some(GeneratorReport { longest_pause_ms: Some(975.0), ..GeneratorReport::default() });
        assert!(lateness(&report).unwrap().contains("stood still for 975.0 ms"));
        report.lag.p90_us = Some(500_000.0);
        assert!(
            lateness(&report).unwrap().contains("10 % of the connections were started 500.0 ms")
        );
        report.lag.p99_us = Some(900_000.0);
        assert!(
            lateness(&report).unwrap().contains("1 % of the connections were started 900.0 ms")
        );
    }
}
