//! `loadgen watch`: tells when a target freezes, for as long as it is let.

mod hook;
mod lines;

use std::time::Duration;

use loadgen_core::migration::ReachCheck;
use loadgen_core::units::{parse_duration, parse_rate};
use loadgen_core::watch::{NoticeSource, Watch, WatchError, WatchNews};
use loadgen_core::{Plan, Schedule, Target};

use self::hook::Hook;
use self::lines::Lines;
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::messages::{note, warning};
use crate::options::{OutputOptions, Workload, reach_rate};
use crate::progress::Progress;

/// Watch a server until it is stopped, and tell each time that it freezes
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = AFTER,
    mut_arg("slo", |arg| arg.hide(true)),
    mut_arg("abort_if", |arg| arg.hide(true)),
    mut_arg("session", |arg| arg.hide(true)),
    mut_arg("session_cookies", |arg| arg.hide(true)),
    mut_arg("replay", |arg| arg.hide(true)),
    mut_arg("speed", |arg| arg.hide(true)),
    mut_arg("drain", |arg| arg.help("Wait this long for replies under way when the watch ends [default: 1s]")),
    mut_arg("warmup", |arg| arg.help("Leave the first part of the load out of the watch [default: 1s]")),
    mut_arg("deadline", |arg| {
        arg.help("Give a call up this long after its intended start, sent or not [default: the timeout]")
            .long_help(DEADLINE)
    }),
    mut_arg("format", |arg| {
        arg.help("Form of the lines [default: json if FILE ends in .jsonl, .ndjson or .json, else text]")
    }),
    mut_arg("output", |arg| {
        arg.help("Write the lines to FILE instead of stdout").long_help(OUTPUT)
    }),
)]
pub(crate) struct Args {
    /// http://, https:// or unix: URL of the server
    #[arg(value_name = "URL")]
    url: String,

    /// Calls a second over kept-alive connections, such as 200, 1k or 60/s [default: 200]
    ///
    /// The denser the calls, the shorter the freezes that are found, and the tighter their bounds.
    /// Silences of more than 20 ms count, and of more than three times the time between two calls.
    #[arg(long, short, value_name = "RATE", value_parser = parse_rate, help_heading = "Load",
          conflicts_with = "stages")]
    rate: Option<f64>,

    /// Calls a second beside them, each over a fresh connection; 0: none [default: 50; none with
    /// --calls-per-connection 1]
    #[arg(long, value_name = "RATE", value_parser = parse_rate, help_heading = "Load")]
    probe_rate: Option<f64>,

    /// Stop by itself after this time [default: until SIGINT (Ctrl-C), SIGTERM or SIGHUP]
    #[arg(long, short, value_name = "TIME", value_parser = parse_duration, help_heading = "Watch")]
    duration: Option<Duration>,

    /// Tell only freezes that surely lasted as long, such as 100ms; all are counted
    #[arg(long, value_name = "TIME", value_parser = parse_duration, help_heading = "Watch")]
    shortest: Option<Duration>,

    /// How to ask whether the machine's kernel answers: auto, rst:PORT, icmp, syn or off
    ///
    /// It tells a machine that stands still from a service that does. rst:PORT sends SYNs to a
    /// closed port, icmp echo requests, syn SYNs to the service's port, which are reset at once;
    /// auto takes the first of these that is answered before the watch (syn at 50/s at most). A
    /// machine with an address of this host is not checked.
    #[arg(long, value_name = "HOW", default_value = "auto", help_heading = "Watch")]
    reach_check: ReachCheck,

    /// Reach checks a second, 1/s to 1000/s: more tell shorter freezes apart
    #[arg(long, value_name = "RATE", default_value = "100", value_parser = reach_rate,
          help_heading = "Watch")]
    reach_rate: f64,

    /// Another machine on the same network, HOST or HOST:PORT: what freezes with it is the network
    ///
    /// It is asked like the machine itself, by reach checks alone. A gateway or a machine on another
    /// host will do.
    #[arg(long, value_name = "HOST", help_heading = "Watch")]
    neighbour: Option<String>,

    /// Read notices of maintenance beside it: gcp, azure, aws or a FILE (may come again)
    ///
    /// gcp, azure and aws ask the metadata server of that cloud, which answers only inside of its
    /// machines, once to once every few seconds; gcp=URL asks another server. They are asked only:
    /// nothing is acknowledged. Of a FILE each line that is appended is a notice: a text, or JSON
    /// such as {"event":"drain","t":UNIX_SECONDS}.
    #[arg(long, value_name = "SOURCE", help_heading = "Watch")]
    notices: Vec<NoticeSource>,

    /// Run a program after each freeze that is told, such as './notify.sh web1'
    ///
    /// Words are split as by a shell, but no shell runs. It gets the freeze as a line of JSON on
    /// stdin, and LOADGEN_FREEZE_FROM, _UNTIL, _KIND, _AT_LEAST_MS and _AT_MOST_MS. The watch does not
    /// wait for it. While four of them run, no more are started; what it prints goes to stderr.
    #[arg(long, value_name = "COMMAND", help_heading = "Watch")]
    on_freeze: Option<String>,

    #[command(flatten)]
    workload: Workload,
    #[command(flatten)]
    output: OutputOptions,
}

/// Calls a second unless the user says otherwise.
const RATE: f64 = 200.0;

/// Newcomers beside them.
const PROBE_RATE: f64 = 50.0;

/// First calls meet cold caches; they are not watched.
const WARM_UP: Duration = Duration::from_secs(1);

/// How long calls under way are waited for in the end.
const DRAIN: Duration = Duration::from_secs(1);

/// How often a line of progress is written where stderr is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(60);

const DEADLINE: &str = "\
Give a call up this long after its intended start, sent or not [default: the timeout]

Those that wait for a free connection in a freeze are given up, too: a service that is back is not \
asked for all that it missed.";

const OUTPUT: &str = "\
Write the lines to FILE instead of stdout

FILE is emptied when the load has begun, and each line is written as it comes. If it cannot be written \
any more, the lines go to stdout, and the exit code is 1.";

const AFTER: &str = "\
A freeze is told about two seconds after its end, in one line: when it was, between what its true
length lies, what froze, the longest gap between good replies of kept-alive clients and of new
ones, and what was lost. With --format json each is a line of JSON (\"type\": \"freeze\"). What
loadgen's own pauses explain is no freeze. A summary comes last. SIGINT (Ctrl-C), SIGTERM and
SIGHUP are the planned end of a watch: exit code 0.

Examples:
  loadgen watch http://10.0.0.5/
  loadgen watch http://10.0.0.5/health --shortest 100ms --on-freeze './notify.sh web1'
  loadgen watch http://10.0.0.5/ --neighbour 10.0.0.1 --format json -o freezes.jsonl
  loadgen watch http://10.0.0.5/ --rate 1000 --reach-rate 500 --duration 8h";

pub(crate) fn main(args: &Args) -> Result<Exit, Failure> {
    let interrupt = Interrupt::install("stopping: summing up")?;
    let plan = args.plan()?;
    let watch = args.watch(plan)?;
    let mut hook = args.on_freeze.as_deref().map(Hook::new).transpose()?;
    let mut lines = Lines::prepare(&args.output)?;
    let quiet = args.output.quiet;
    let mut progress = Progress::new(quiet, args.duration).with_line_every(LINE_EVERY);
    // Where nobody reads what is found, there is nothing to go on for.
    let read = |is_read: bool| {
        if !is_read {
            interrupt.stop();
        }
    };
    let outcome = watch.run(interrupt.flag(), &mut |news| match news {
        WatchNews::Freeze(freeze) => {
            read(progress.beside(|| lines.freeze(freeze)));
            if let Some(hook) = &mut hook {
                hook.run(freeze);
            }
        }
        WatchNews::Notice(notice) => read(progress.beside(|| lines.notice(notice))),
        WatchNews::Trouble(trouble) => progress.beside(|| warning(trouble)),
        WatchNews::Progress(now) => {
            if let Some(hook) = &mut hook {
                hook.look_after();
            }
            let phase = if now.silent_for.is_some() { "silent" } else { "watching" };
            lines.open();
            progress.update(&now.load, phase);
        }
        _ => {}
    });
    progress.finish();
    let summary = match outcome {
        Ok(summary) => summary,
        Err(error @ WatchError::Run(_)) if interrupt.is_raised() && lines.are_none() => {
            return Ok(interrupt.before_the_load(&error));
        }
        Err(WatchError::Run(error)) => return Err(error.into()),
        Err(error) => return Err(Failure::Run(error.into())),
    };
    if let Some(hook) = hook {
        hook.finish();
    }
    if let Some(off) = summary.reach_check_off.as_deref().filter(|_| !quiet) {
        note(&format!("freezes of the machine and of the service were not told apart: {off}"));
    }
    lines.summary(&summary)
}

impl Args {
    fn watch(&self, plan: Plan) -> Result<Watch, Failure> {
        plan.validate()?;
        let mut watch = Watch::new(plan).with_reach_check(self.reach_check, self.reach_rate);
        if let Some(duration) = self.duration {
            watch = watch.with_duration(duration);
        }
        if let Some(shortest) = self.shortest {
            watch = watch.with_shortest(shortest);
        }
        watch = self.notices.iter().cloned().fold(watch, Watch::with_notices);
        if let Some(neighbour) = &self.neighbour {
            let not_one = |reason: String| {
                Failure::usage(format!(
                    "--neighbour is HOST or HOST:PORT, not '{neighbour}': {reason}"
                ))
            };
            if neighbour.contains('/') {
                return Err(not_one("a URL is not asked for".to_owned()));
            }
            let target = Target::parse(&format!("http://{neighbour}/"));
            watch = watch.with_neighbour(target.map_err(|error| not_one(error.to_string()))?);
        }
        Ok(watch)
    }

    fn plan(&self) -> Result<Plan, Failure> {
        let load = &self.workload.load;
        if !load.slo.is_empty() {
            return Err(Failure::usage(
                "--slo judges a run that ends, by 'loadgen run' or 'migrate': a watch tells freezes \
                 and availability",
            ));
        }
        if load.gives_up() {
            return Err(Failure::usage(
                "--abort-if would end the watch when it gets interesting: use --on-freeze to act",
            ));
        }
        if self.rate.is_none() && self.workload.requests.recorded().is_some() {
            return Err(Failure::usage(
                "--replay ends with its log: to ask for the requests of a log at a rate, add --rate",
            ));
        }
        let schedule = match (self.rate, load.stages) {
            (None, Some(profile)) => Schedule::Profile(profile),
            (rate, _) => load.schedule(rate.unwrap_or(RATE)),
        };
        let default = if self.workload.connections.are_fresh() { 0.0 } else { PROBE_RATE };
        let probe = Some(self.probe_rate.unwrap_or(default)).filter(|rate| *rate > 0.0);
        let loads = self.workload.connections.warm_loads(schedule, probe);
        let plan = self.workload.plan(&self.url, loads, WARM_UP)?;
        let plan = if load.has_drain() { plan } else { plan.with_drain(DRAIN) };
        // A service that is back is not to be asked for all that it missed.
        Ok(if load.has_deadline() { plan } else { plan.with_deadline(load.timeout()) })
    }
}
