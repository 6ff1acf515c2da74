//! The options of `loadgen predict`, by what they are about.

use std::time::Duration;

use loadgen_core::model::fit::Parameter;
use loadgen_core::model::migration::{Dirtying, Pattern};
use loadgen_core::model::strategies::{Limits, Population, Scenario};
use loadgen_core::model::users::{Connections, Users};
use loadgen_core::prediction::{Ageing, CellPrediction, MeasuredOutages};
use loadgen_core::units::{format_rate, parse_byte_rate, parse_bytes, parse_duration, parse_rate};

use super::sources::Live;
use crate::exit::Failure;
use crate::options::number_or_percent;

/// The machine.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Machine")]
pub(super) struct MachineOptions {
    /// Memory to send: its pages that are not empty, such as 2GiB
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    memory: Option<u64>,

    /// Memory that it writes to in a second, such as 40MiB/s
    #[arg(long, value_name = "RATE", value_parser = parse_byte_rate)]
    dirty: Option<f64>,

    /// Memory that it writes to at all [default: all of it]
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    working_set: Option<u64>,

    /// In which order: random (any page), or round-robin (one after the other) [default: random]
    #[arg(long, value_name = "ORDER", value_enum)]
    pattern: Option<PatternArg>,

    /// A small set that is always dirty, such as the kernel's own 2MiB
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    base_set: Option<u64>,

    /// The state of its devices [default: 1MiB]
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    device_state: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum PatternArg {
    Random,
    RoundRobin,
}

/// The link.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Link")]
pub(super) struct LinkOptions {
    /// At which memory is sent while it runs, such as 1Gbit/s or 32MiB/s
    #[arg(long, value_name = "RATE", value_parser = parse_byte_rate)]
    bandwidth: Option<f64>,

    /// The same while it stands still for what is left [default: that of --bandwidth]
    ///
    /// Managers whose limit holds for running machines alone, as QEMU's max-bandwidth does, send
    /// faster then. Stop-and-copy is sent at --bandwidth from the begin on: so QEMU does it.
    #[arg(long, value_name = "RATE", value_parser = parse_byte_rate)]
    stop_bandwidth: Option<f64>,

    /// The same while memory follows it [default: that of --bandwidth]
    #[arg(long, value_name = "RATE", value_parser = parse_byte_rate)]
    push_bandwidth: Option<f64>,

    /// Part of the memory that goes over the wire, in the first pass and in later ones: 60%, or
    /// 100%,30%; of pre-copy, and the first of stop-and-copy
    #[arg(long, value_name = "SHARE[,SHARE]", value_parser = parse_ratios)]
    compression: Option<Ratios>,

    /// The limit on the downtime that pre-copy is told [default: 300ms, as QEMU has it]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    downtime_limit: Option<Duration>,
}

/// Times that no formula has.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Times")]
pub(super) struct TimeOptions {
    /// From the order to the first byte of memory [default: 0s]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    prepare: Option<Duration>,

    /// What the target needs to load the devices and to resume [default: 20ms]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    resume: Option<Duration>,

    /// From then until the service answers: cold caches, switches that learn where it is [default: 0s]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    settle: Option<Duration>,

    /// The same where memory follows the machine: of post-copy and hybrid; without it their outage is
    /// the least that it can be
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    faulting: Option<Duration>,
}

/// Who uses it.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Users")]
pub(super) struct UserOptions {
    /// Calls a second over kept-alive connections; without it nothing is said of users
    #[arg(long, short, value_name = "RATE", value_parser = parse_rate)]
    rate: Option<f64>,

    /// How many connections they share [default: 50]
    #[arg(long, short, value_name = "N", requires = "rate")]
    connections: Option<u32>,

    /// Calls a second beside them, each over a fresh connection
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    probe_rate: Option<f64>,

    /// After which a call is given up [default: 5s]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    timeout: Option<Duration>,

    /// What a call takes where nothing is wrong [default: 2ms]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    response_time: Option<Duration>,

    /// Calls that the service can answer in a second: the saturation of a sweep [default: as many
    /// as come]
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    capacity: Option<f64>,

    /// When the kernel of the clients sends a SYN again, from the first [default: Linux 6.5 and
    /// later: 1s,2s,3s,4s,5s,7s,11s,19s; before: 1s,3s,7s,15s]
    #[arg(long, value_name = "TIMES", value_parser = parse_duration, value_delimiter = ',')]
    syn_steps: Vec<Duration>,

    /// The same of data on a connection [default: 0.21s,0.41s,0.83s,1.66s,3.3s,6.6s,13.3s]
    #[arg(long, value_name = "TIMES", value_parser = parse_duration, value_delimiter = ',', requires = "rate")]
    data_steps: Vec<Duration>,
}

/// What it may cost.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
pub(super) struct LimitOptions {
    /// How long the machine may stand still
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    max_downtime: Option<Duration>,

    /// How long its service may not answer
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    max_outage: Option<Duration>,

    /// How long all of it may take
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    max_total: Option<Duration>,

    /// How much may be sent
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    max_sent: Option<u64>,

    /// How many calls may be lost
    #[arg(long, value_name = "N")]
    max_lost: Option<u64>,

    /// How many calls may be late
    #[arg(long, value_name = "N")]
    max_late: Option<u64>,
}

/// How often it is moved, and how it ages.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Availability")]
pub(super) struct AvailabilityOptions {
    /// It is moved so often: how much of the time it is up then, by each strategy, such as 24h
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    every: Option<Duration>,

    /// It ages in this time, in the mean; a move lets it begin anew
    #[arg(long, value_name = "TIME", value_parser = parse_duration, requires_all = ["every", "fails", "repair"])]
    ages: Option<Duration>,

    /// Aged, it fails after this time, in the mean
    #[arg(long, value_name = "TIME", value_parser = parse_duration, requires = "ages")]
    fails: Option<Duration>,

    /// A repair takes this time, in the mean
    #[arg(long, value_name = "TIME", value_parser = parse_duration, requires = "ages")]
    repair: Option<Duration>,
}

/// Defaults, as the help tells them.
const DEVICE_STATE: u64 = 1 << 20;
const DOWNTIME_LIMIT_S: f64 = 0.3;
const RESUME_S: f64 = 0.02;
const CONNECTIONS: u32 = 50;
const TIMEOUT_S: f64 = 5.0;
const RESPONSE_S: f64 = 0.002;

/// Parts of the memory that go over the wire.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Ratios(f64, f64);

fn parse_ratios(text: &str) -> Result<Ratios, String> {
    let share = |text: &str| {
        let share = number_or_percent(text).filter(|share| *share > 0.0 && *share <= 1.0);
        share.ok_or_else(|| format!("'{text}' is no share above 0 and up to 100%, such as 60%"))
    };
    match text.split_once(',') {
        Some((first, later)) => Ok(Ratios(share(first)?, share(later)?)),
        None => share(text).map(|both| Ratios(both, both)),
    }
}

impl MachineOptions {
    /// What is said beside recordings.
    pub(super) fn said(&self) -> Vec<(Parameter, f64)> {
        let bytes = |size: Option<u64>| size.map(|size| size as f64);
        // No set can be larger than the memory.
        let set = self.working_set.map(|set| set.min(self.memory.unwrap_or(u64::MAX)));
        said([
            (Parameter::Memory, bytes(self.memory)),
            (Parameter::PushedMemory, bytes(self.memory)),
            (Parameter::CopiedMemory, bytes(self.memory)),
            (Parameter::DirtyRate, self.dirty),
            (Parameter::WorkingSet, bytes(set)),
            (Parameter::Base, bytes(self.base_set)),
        ])
    }

    /// The machine over a link.
    pub(super) fn scenario(
        &self,
        link: &LinkOptions,
        live: Option<&Live>,
    ) -> Result<Scenario, Failure> {
        let memory = self.memory.map(|size| size as f64).or_else(|| live?.memory);
        let said = live.and_then(|live| live.dirtying);
        let dirty = self.dirty.or_else(|| Some(said?.rate));
        let bandwidth = link.bandwidth.or_else(|| live?.bandwidth);
        let missing: Vec<&str> = [
            ("--memory", memory.is_none()),
            ("--dirty", dirty.is_none()),
            ("--bandwidth", bandwidth.is_none()),
        ]
        .into_iter()
        .filter_map(|(name, is_missing)| is_missing.then_some(name))
        .collect();
        let (Some(memory), Some(dirty), Some(bandwidth)) = (memory, dirty, bandwidth) else {
            return Err(Failure::usage(format!(
                "nothing can be predicted without {}: loadgen predict --memory 2GiB --dirty 40MiB/s \
                 --bandwidth 1Gbit/s, or take --fit DIR or --live SPEC",
                missing.join(", ")
            )));
        };
        // All that a machine says of how it writes, but for what is said otherwise.
        let mut dirtying = said.unwrap_or_else(|| Dirtying::new(dirty));
        dirtying.rate = dirty;
        match self.pattern {
            Some(PatternArg::RoundRobin) => dirtying.pattern = Pattern::RoundRobin,
            Some(PatternArg::Random) => dirtying.pattern = Pattern::Random,
            None => {}
        }
        if let Some(base) = self.base_set {
            dirtying.base = base as f64;
        }
        let set = self.working_set.map_or(dirtying.working_set, |size| size as f64);
        // Nothing else can be written to.
        dirtying.working_set = set.min(memory);
        let scenario = Scenario::new(memory, bandwidth, dirtying);
        Ok(scenario.with_device_state(self.device_state.unwrap_or(DEVICE_STATE) as f64))
    }
}

fn said<const N: usize>(all: [(Parameter, Option<f64>); N]) -> Vec<(Parameter, f64)> {
    all.into_iter().filter_map(|(parameter, value)| Some((parameter, value?))).collect()
}

impl LinkOptions {
    /// What is said beside recordings: another link is another one all the time.
    pub(super) fn said(&self) -> Vec<(Parameter, f64)> {
        said([
            (Parameter::Bandwidth, self.bandwidth),
            (Parameter::CopyBandwidth, self.bandwidth),
            (Parameter::StopBandwidth, self.stop_bandwidth.or(self.bandwidth)),
            (Parameter::PushBandwidth, self.push_bandwidth.or(self.bandwidth)),
            (Parameter::HybridPushBandwidth, self.push_bandwidth.or(self.bandwidth)),
        ])
    }

    pub(super) fn apply(&self, scenario: Scenario, live: Option<&Live>) -> Scenario {
        let limit_s = self.downtime_limit.map(|limit| limit.as_secs_f64());
        let limit_s = limit_s.or_else(|| live?.limit_s).unwrap_or(DOWNTIME_LIMIT_S);
        let stop = self.stop_bandwidth.unwrap_or(scenario.stop_bandwidth);
        let push = self.push_bandwidth.or_else(|| live?.push_bandwidth);
        let push = push.unwrap_or(scenario.push_bandwidth);
        let scenario = scenario.with_bandwidths(stop, push).with_limit_s(limit_s);
        match self.compression {
            Some(Ratios(first, later)) => scenario.with_ratios(first, later),
            None => scenario,
        }
    }
}

impl TimeOptions {
    pub(super) fn apply(&self, scenario: Scenario) -> Scenario {
        let s = |time: Option<Duration>, default: f64| time.map_or(default, |t| t.as_secs_f64());
        let (prepare, resume) = (s(self.prepare, 0.0), s(self.resume, RESUME_S));
        let settle = s(self.settle, 0.0);
        let faulting = self.faulting.map(|time| time.as_secs_f64());
        scenario.with_times_s(prepare, resume).with_settle_s(settle, faulting)
    }
}

impl UserOptions {
    /// Refuses what says something of users that are not there, and users that nobody can serve.
    pub(super) fn check(&self, limits: &LimitOptions) -> Result<(), Failure> {
        let rates = [self.rate, self.probe_rate].into_iter().flatten();
        let rate: f64 = rates.sum();
        let of_users = [
            ("--timeout", self.timeout.is_some()),
            ("--response-time", self.response_time.is_some()),
            ("--capacity", self.capacity.is_some()),
            ("--syn-steps", !self.syn_steps.is_empty()),
            ("--data-steps", !self.data_steps.is_empty()),
            ("--max-lost", limits.max_lost.is_some()),
            ("--max-late", limits.max_late.is_some()),
        ];
        if rate == 0.0
            && let Some((name, _)) = of_users.into_iter().find(|(_, is_given)| *is_given)
        {
            return Err(Failure::usage(format!(
                "{name} is about users, and there are none: say how they call with --rate or \
                 --probe-rate"
            )));
        }
        if let Some(capacity) = self.capacity.filter(|capacity| *capacity <= rate) {
            return Err(Failure::usage(format!(
                "a service that answers {} cannot keep up with {} even without a migration: lower \
                 the rates, or raise --capacity",
                format_rate(capacity),
                format_rate(rate)
            )));
        }
        Ok(())
    }

    pub(super) fn apply(&self, scenario: Scenario) -> Result<Scenario, Failure> {
        let kept = self.rate.map(|rate| {
            ("established", rate, Connections::KeptAlive(self.connections.unwrap_or(CONNECTIONS)))
        });
        let fresh = self.probe_rate.map(|rate| ("fresh", rate, Connections::Fresh));
        let all = kept.into_iter().chain(fresh).filter(|(_, rate, _)| *rate > 0.0);
        let all: Vec<_> = all.collect();
        let sum: f64 = all.iter().map(|(_, rate, _)| rate).sum();
        let mut scenario = scenario;
        for (name, rate, connections) in all {
            // It is one service: what the others ask for is not left for these.
            let left = self.capacity.map(|capacity| capacity - (sum - rate));
            let users = self.users(rate, connections, left)?;
            scenario = scenario.with_population(Population::new(name, users));
        }
        Ok(scenario)
    }

    fn users(
        &self,
        rate: f64,
        connections: Connections,
        capacity: Option<f64>,
    ) -> Result<Users, Failure> {
        let mut users = Users::new(rate, connections)
            .with_timeout_s(self.timeout.map_or(TIMEOUT_S, |time| time.as_secs_f64()))
            .with_usual_s(self.response_time.map_or(RESPONSE_S, |time| time.as_secs_f64()));
        if let Some(capacity) = capacity {
            users = users.with_capacity_per_s(capacity);
        }
        let mut steps = [("--syn-steps", &self.syn_steps), ("--data-steps", &self.data_steps)].map(
            |(name, steps)| (name, steps.iter().map(Duration::as_secs_f64).collect::<Vec<_>>()),
        );
        for (name, steps) in &mut steps {
            if steps.windows(2).any(|two| two[1] <= two[0]) || steps.first() == Some(&0.0) {
                return Err(Failure::usage(format!("{name}: the times must rise from above 0")));
            }
        }
        let [(_, syn), (_, data)] = steps;
        if !syn.is_empty() {
            users.syn_steps_s = syn;
        }
        if !data.is_empty() {
            users.data_steps_s = data;
        }
        Ok(users)
    }
}

impl LimitOptions {
    pub(super) fn limits(&self) -> Limits {
        let s = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
        let mut limits = Limits::default();
        limits.downtime_s = s(self.max_downtime);
        limits.outage_s = s(self.max_outage);
        limits.total_s = s(self.max_total);
        limits.sent = self.max_sent.map(|bytes| bytes as f64);
        limits.lost_calls = self.max_lost.map(|calls| calls as f64);
        limits.late_calls = self.max_late.map(|calls| calls as f64);
        limits
    }

    /// Refuses limits on calls where recordings tell of none.
    pub(super) fn check_users(&self, of: &CellPrediction) -> Result<(), Failure> {
        let of_calls = [("--max-lost", self.max_lost), ("--max-late", self.max_late)];
        let given = of_calls.into_iter().find(|(_, limit)| limit.is_some());
        let mut ending = of.strategies.iter().filter(|of| of.converges).peekable();
        match given {
            Some((name, _))
                if ending.peek().is_some()
                    && ending.all(|of| of.lost_calls.is_none() && of.users_unknown.is_none()) =>
            {
                Err(Failure::usage(format!(
                    "{name} is about users, and the recordings tell of none"
                )))
            }
            _ => Ok(()),
        }
    }
}

impl AvailabilityOptions {
    /// `trials` are the outages that recordings had.
    pub(super) fn apply(
        &self,
        prediction: CellPrediction,
        trials: &[MeasuredOutages],
    ) -> Result<CellPrediction, Failure> {
        let Some(every) = self.every else { return Ok(prediction) };
        let h = |time: Duration| time.as_secs_f64() / 3600.0;
        let ageing = match (self.ages, self.fails, self.repair) {
            (Some(ages), Some(fails), Some(repair)) => {
                Some(Ageing { ages_h: h(ages), fails_h: h(fails), repair_h: h(repair) })
            }
            _ => None,
        };
        if every.is_zero() {
            return Err(Failure::usage("--every 0s: it cannot be moved all the time"));
        }
        prediction.moved_every(h(every), ageing, trials).map_err(Failure::usage)
    }
}
