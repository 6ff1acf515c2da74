//! `loadgen run`: one load on one URL.

use std::path::Path;
use std::time::{Duration, Instant};

use loadgen_core::scale::ShardRecord;
use loadgen_core::units::{parse_duration, parse_rate};
use loadgen_core::{CallLimit, Engine, Plan, RunError, RunHandle, Schedule, Shard};

use super::conclude::conclude;
use super::read_report;
use super::shard::ShardFile;
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::messages::note;
use crate::options::{Given, MeasuringOptions, OutputOptions, ShardingOptions, Workload};
use crate::output::Destination;
use crate::progress::Progress;

/// Put a load on a URL and report response times
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// http://, https:// or unix: URL to load, or the JSON report of a run that is to be repeated
    ///
    /// A name that ends in .json without a scheme, or an existing file, is a report: its plan
    /// (target, request, rate, seed and all) is repeated. Only --slo, the options of the output
    /// (--calls-log among them) and secret headers (-H), which a report does not hold, can stand beside it; and --duration
    /// must, if the plan has no end of its own.
    #[arg(value_name = "URL|REPORT.json")]
    url: String,

    /// Calls (with --session: sessions) a second, in all threads together, such as 1000, 3k or 60/m
    ///
    /// Open loop: the schedule alone says when a call starts, and no slow reply moves it.
    #[arg(long, short, value_name = "RATE", value_parser = parse_rate, help_heading = "Load",
          conflicts_with = "stages")]
    rate: Option<f64>,

    /// Closed loop: each connection starts its next call when its last one has ended
    ///
    /// A slow server then lowers the load instead of showing as response time: use it to find
    /// out how much a server can do, not what its users feel.
    #[arg(long, conflicts_with_all = ["rate", "arrival", "stages"], help_heading = "Load")]
    closed: bool,

    /// How long calls are started [default: 10s; with --stages: as long as they last; with --calls,
    /// --once or --replay: until they are made]
    #[arg(long, short, value_name = "TIME", value_parser = parse_duration, help_heading = "Load")]
    duration: Option<Duration>,

    /// End after so many calls of the load (or after --duration, whichever comes first)
    ///
    /// Those of the warm-up are among them, those of the probe are not. In closed loop each thread
    /// makes its share of them.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Load",
          conflicts_with_all = ["once", "session"])]
    calls: Option<u64>,

    /// End when each request of --requests (and --data) was made once
    #[arg(long, conflicts_with = "session", help_heading = "Load")]
    once: bool,

    /// Second stream beside the load: calls a second, each over a fresh connection [default: none]
    #[arg(long, value_name = "RATE", value_parser = parse_rate, help_heading = "Load")]
    probe_rate: Option<f64>,

    #[command(flatten)]
    workload: Workload,
    #[command(flatten)]
    sharding: ShardingOptions,
    #[command(flatten)]
    measuring: MeasuringOptions,
    #[command(flatten)]
    output: OutputOptions,
}

const AFTER: &str = "\
Response time runs from the intended start of a call to its complete reply, service time from
its first byte sent. --timeout counts from the first byte sent, --deadline from the intended
start.

Examples:
  loadgen run http://127.0.0.1:8080/ --rate 1000 --duration 30s
  loadgen run 127.0.0.1:8080 --rate 3k --arrival poisson --seed 7 --slo 'p99<20ms' \\
      --slo 'error-rate<0.1%'
  loadgen run http://10.0.0.5/ --closed --connections 64 --duration 1m -o report.json
  loadgen run http://10.0.0.5/api --rate 50 --body-file order.json -H 'Content-Type: application/json'
  loadgen run http://10.0.0.5/api --rate 50 -H 'Authorization: Bearer env:TOKEN'
  loadgen run https://10.0.0.5/ --rate 200 --probe-rate 50 --ca our-ca.pem
  loadgen run unix:/run/app.sock:/status --rate 500
  loadgen run http://10.0.0.5/ --stages 0..1000/30s,1000/5m,1000..0/10s
  loadgen run http://10.0.0.5/ --rate 500 --requests urls.txt --requests-order shuffled
  loadgen run http://10.0.0.5/ --rate 500 --requests urls.txt --once --expect status=200
  loadgen run http://10.0.0.5/ --rate 500 --abort-if 'error-rate>50% for 5s'
  loadgen run 'http://10.0.0.5/item/{{id}}' --rate 500 --data items.csv
  loadgen run http://10.0.0.5/ --replay access.log --speed 2x
  loadgen run http://10.0.0.5/ --session shop.toml --rate 20 --session-cookies
  loadgen run report.json -o again.json        the same again";

/// How long a load lasts unless the user says otherwise.
const DURATION: Duration = Duration::from_secs(10);

/// Options that may stand beside the report of a run that is repeated.
const WITH_REPORT: [&str; 13] = [
    "url",
    "slo",
    "format",
    "output",
    "quiet",
    "header",
    "secret-header",
    "calls-log",
    "calls-log-format",
    "shard",
    "start-at",
    "sync",
    "sync-timeout",
];

pub(crate) fn main(args: Args, given: &Given) -> Result<Exit, Failure> {
    let interrupt = &Interrupt::install("stopping: reporting what was measured so far")?;
    let shard = args.sharding.shard()?;
    let result = match shard {
        Some(shard) => Outcome::Record(ShardFile::prepare(shard, &args.output, given)?),
        None => Outcome::Report(Destination::prepare(&args.output)?),
    };
    let plan = if is_report(&args.url) { args.repeated(given, shard)? } else { args.plan()? };
    let plan = args.sharding.apply(plan, shard);
    plan.validate()?;
    let token = args.sharding.token()?;
    let (length, warmup) = (plan.duration(), plan.warmup());
    let (token, quiet) = (token.as_ref(), args.output.quiet);
    let meeting = args.sharding.meet(&plan, token, quiet, interrupt.flag());
    let prepared = meeting.and_then(|meeting| {
        let engine = Engine::prepare(plan, interrupt.flag())?;
        Ok((args.sharding.begin(engine, meeting.as_ref()), meeting))
    });
    // Once nothing but the load itself can go wrong: the file is emptied.
    let calls = match &prepared {
        Ok(_) => args.measuring.calls_file(shard)?,
        Err(_) => None,
    };
    let started = prepared.and_then(|(engine, meeting)| match &calls {
        Some(calls) => Ok((engine.with_call_sinks(|of| calls.sink(of)).start()?, meeting)),
        None => Ok((engine.start()?, meeting)),
    });
    let (handle, meeting) = match started {
        Ok(started) => started,
        Err(error) if interrupt.is_raised() => return Ok(interrupt.before_the_load(&error)),
        Err(error) => return Err(error.into()),
    };
    let progress = Progress::new(args.output.quiet, length);
    let is_stopped = watch(&handle, progress, warmup, length, interrupt);
    let destination = match result {
        Outcome::Report(destination) => destination,
        Outcome::Record(file) => {
            let began_ns = handle.clock().map_or(0, |clock| clock.to_monotonic(0));
            let mut record = match ShardRecord::of(handle) {
                Ok(record) => record,
                Err(error) => return not_measured(error, interrupt),
            };
            if is_stopped {
                record.set_interrupted();
            }
            if let Some(calls) = calls {
                record = record.with_calls_file(calls.close());
            }
            return file.write(record, began_ns, meeting, interrupt);
        }
    };
    let mut report = match handle.join() {
        Ok(report) => report,
        Err(error) => return not_measured(error, interrupt),
    };
    if is_stopped {
        report.set_interrupted();
    }
    if let Some(calls) = calls {
        calls.finish(&mut report);
    }
    conclude(&report, &args.workload.load.slo, &destination, interrupt, args.output.quiet)
}

/// The end of a run of which there is no result. One that was to begin later may have been stopped
/// before.
fn not_measured(error: RunError, interrupt: &Interrupt) -> Result<Exit, Failure> {
    match error {
        RunError::NotBegun { .. } if interrupt.is_raised() => Ok(interrupt.before_the_load(&error)),
        error => Err(error.into()),
    }
}

/// What comes of a run.
enum Outcome {
    /// Of the whole load.
    Report(Destination),
    /// Of one part of it.
    Record(ShardFile),
}

impl Args {
    fn plan(&self) -> Result<Plan, Failure> {
        let schedule = self.schedule().ok_or_else(|| {
            Failure::usage(
                "the load needs a rate: give --rate RATE (calls a second), --stages for one that \
                 changes, --replay LOG for what a log has, or --closed for as many calls as the \
                 connections carry",
            )
        })?;
        let loads = self.workload.connections.loads(schedule, self.probe_rate);
        let plan = self.workload.plan(&self.url, loads, Duration::ZERO)?;
        let plan = match self.duration {
            // Beyond their last stage there may be no more calls, however many are asked for.
            None if self.limit().is_some() && self.workload.load.stages.is_none() => plan,
            _ => plan.with_duration(self.duration()),
        };
        let plan = match self.limit() {
            Some(limit) => plan.with_calls(limit),
            None => plan,
        };
        Ok(self.measuring.apply(plan))
    }

    /// When calls come.
    fn schedule(&self) -> Option<Schedule> {
        let load = &self.workload.load;
        match (self.rate, load.stages) {
            (Some(rate), _) => Some(load.schedule(rate)),
            (None, Some(profile)) => Some(Schedule::Profile(profile)),
            (None, None) if self.closed => Some(Schedule::Closed),
            (None, None) => self.workload.requests.recorded(),
        }
    }

    /// After how many calls the load ends. A log that comes at its own times comes once, unless
    /// something else is said.
    fn limit(&self) -> Option<CallLimit> {
        let is_replay = matches!(self.schedule(), Some(Schedule::Recorded(_)));
        match self.calls {
            Some(calls) => Some(CallLimit::Calls(calls)),
            None if self.once || (is_replay && self.duration.is_none()) => {
                Some(CallLimit::EachRequestOnce)
            }
            None => None,
        }
    }

    /// How long the load lasts.
    fn duration(&self) -> Duration {
        let of_stages = self.workload.load.stages.and_then(|profile| profile.length_s());
        let default = of_stages.map_or(DURATION, Duration::from_secs_f64);
        self.duration.unwrap_or(default)
    }

    /// The plan of the report that stands in place of the URL.
    fn repeated(&self, given: &Given, shard: Option<Shard>) -> Result<Plan, Failure> {
        let report = read_report(Path::new(&self.url))?;
        // First of all: its plan has no duration, either.
        if report.migration.is_some() {
            return Err(Failure::usage(format!(
                "'{}' is the report of a migration, which 'run' cannot repeat: use 'loadgen \
                 migrate' with its options",
                self.url
            )));
        }
        let mut plan = report.plan;
        let endless = is_endless(&plan);
        let allowed = if endless { &["duration"][..] } else { &[] };
        let other = given.other_than(&[&WITH_REPORT[..], allowed].concat());
        if !other.is_empty() {
            return Err(Failure::usage(format!(
                "the plan of '{}' is repeated as it is: it cannot be changed by {}; give a URL and \
                 all options instead",
                self.url,
                other.join(", ")
            )));
        }
        if endless {
            if !given.has("duration") {
                return Err(Failure::usage(format!(
                    "the plan of '{}' has no duration: it ran until it was stopped, and would do \
                     so again; give --duration TIME",
                    self.url
                )));
            }
            plan = plan.with_duration(self.duration());
        }
        // Those that the report tells of are shared out, as they were added up if it was merged.
        let of_each = plan.threads().div_ceil(shard.map_or(1, Shard::of));
        plan = plan.with_threads(of_each);
        for told in self.workload.target.supply_secrets(&mut plan)? {
            if !self.output.quiet {
                note(&told);
            }
        }
        Ok(plan)
    }
}

/// Whether nothing but its caller ends a plan's load.
fn is_endless(plan: &Plan) -> bool {
    plan.duration().is_none()
        && plan.calls().is_none()
        && plan.sessions().is_none_or(|sessions| sessions.count.is_none())
}

/// Whether the positional argument is a report, not a URL.
fn is_report(url: &str) -> bool {
    !url.contains("://")
        && !url.starts_with("unix:")
        && (url.ends_with(".json") || Path::new(url).is_file())
}

/// Shows the progress of a run until it ends; whether it was interrupted before.
fn watch(
    handle: &RunHandle,
    mut progress: Progress,
    warmup: Duration,
    length: Option<Duration>,
    interrupt: &Interrupt,
) -> bool {
    let mut stopping = Stopping::default();
    while !handle.is_finished() {
        stopping.follow(interrupt, handle);
        let now = handle.snapshot();
        let phase = if stopping.since.is_some() || length.is_some_and(|end| now.elapsed >= end) {
            "drain"
        } else if now.elapsed < warmup {
            "warm-up"
        } else {
            "load"
        };
        progress.update(&now, phase);
        std::thread::sleep(Duration::from_millis(50));
    }
    progress.finish();
    // A signal after the run's own end has cut nothing short.
    stopping.since.is_some()
}

/// How long replies under way are waited for after an interrupt.
const SHORT_DRAIN: Duration = Duration::from_secs(1);

/// An interrupt on its way to the engine.
#[derive(Debug, Default)]
struct Stopping {
    since: Option<Instant>,
    cut: bool,
}

impl Stopping {
    /// Stops the starts when interrupted, and the drain when it takes long.
    fn follow(&mut self, interrupt: &Interrupt, handle: &RunHandle) {
        match self.since {
            None if interrupt.is_raised() => {
                handle.stop();
                self.since = Some(Instant::now());
            }
            Some(since) if !self.cut && since.elapsed() >= SHORT_DRAIN => {
                handle.stop();
                self.cut = true;
            }
            _ => {}
        }
    }
}
