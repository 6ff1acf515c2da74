//! How the load arrives, and when calls are given up.

use std::time::Duration;

use clap::{Args, ValueEnum};
use loadgen_core::units::parse_duration;
use loadgen_core::{AbortRule, Plan, Precision, Profile, Schedule, Slo};

/// Beyond this rate of the whole load each shard draws its own Poisson arrivals: 14 ns each, of all
/// of them, are more than 1 % of a core.
const MOST_DRAWN_PER_S: f64 = 1e6;

#[derive(Debug, Args)]
#[command(next_help_heading = "Load")]
pub(crate) struct LoadOptions {
    /// A rate that changes over time: FROM..TO/TIME or RATE/TIME, one after the other, or a sine
    ///
    /// Such as 0..1000/30s,1000/5m,1000..0/10s, or sine:100..900/1m (between these rates, with this
    /// period). Starts are evenly spaced: between two of them the rate adds up to one call. With
    /// --session, sessions. In `migrate` no rate may be 0. The load ends with the last stage unless --duration says otherwise; beyond
    /// it the last rate goes on.
    #[arg(long, value_name = "STAGES", conflicts_with = "arrival")]
    pub(crate) stages: Option<Profile>,

    /// Gaps between starts: all equal, exponential (mean 1/rate), or uniform (0 to 2/rate)
    ///
    /// Random gaps are drawn whole by each thread of each shard, so that the starts are the same with any
    /// number of them: 14 ns for each call of the whole load. poisson-streams has each thread draw its own
    /// calls only: a Poisson process together, too, with other starts. Shards take it for Poisson
    /// arrivals of more than 1,000,000 a second.
    #[arg(long, value_enum, default_value_t = Arrival::Constant)]
    arrival: Arrival,

    /// Leave calls that start in this first part out of the summary [default: 0s; in `migrate`: 1s]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) warmup: Option<Duration>,

    /// Give a call up this long after its first byte was sent; also limits connecting
    ///
    /// The clock starts when the first byte of the request is sent (before that, when
    /// connecting starts). Time that the call waited for a free connection does not count:
    /// see --deadline.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_duration)]
    timeout: Duration,

    /// Give a call up this long after its intended start, sent or not [default: none]
    ///
    /// The clock starts when the schedule says that the call starts, so that waiting for a
    /// free connection counts.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    deadline: Option<Duration>,

    /// Wait this long for replies under way after the last start [default: the timeout]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    drain: Option<Duration>,

    /// Worker threads; each sends its stripe of the one schedule
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: u32,

    /// How exactly calls start, and what it costs
    #[arg(long, value_enum, default_value_t = PrecisionArg::Normal)]
    precision: PrecisionArg,

    /// Seed of all that is random; the same seed gives the same starts
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,

    /// Objective to hold, such as 'p99<20ms' (repeatable); exit code 3 if it is not
    ///
    /// METRIC<LIMIT or METRIC<=LIMIT. Metrics: p50, p90, p99, p99.9 or any other pN, max, and
    /// mean of the response time, with a limit in us, ms or s; error-rate (calls without a good
    /// reply by calls offered), with a share or a percentage. A call that brought no reply
    /// counts as longer than any limit in pN and max; mean is that of the answered calls.
    /// Interrupted runs and runs that are not valid are not judged.
    #[arg(long, value_name = "OBJECTIVE")]
    pub(crate) slo: Vec<Slo>,

    /// Give the run up when this is met, such as 'error-rate>50% for 5s' (repeatable); exit code 3
    ///
    /// error-rate>SHARE for TIME: of the calls that ended in the last second, more than this share
    /// brought no good reply, at each of ten looks a second, for so long. p99>LIMIT for TIME: the
    /// 99th percentile of the response times in the last 100 ms, likewise. failed>N: more than N
    /// calls of the run have failed. wrong>N: more than N replies were not as expected (--expect);
    /// wrong>0 stops at the first. Looked at from the start of the load, warm-up included; what was
    /// measured so far is reported. In `migrate` a migration under way is cancelled (where its trigger
    /// can), in `sweep` the steps that follow are not run.
    #[arg(long, value_name = "RULE")]
    abort_if: Vec<AbortRule>,
}

impl LoadOptions {
    /// The open-loop schedule of this rate.
    pub(crate) fn schedule(&self, rate_per_s: f64) -> Schedule {
        self.schedule_of(rate_per_s, false)
    }

    /// The same, of one of several processes or of all: what each has to draw of the whole load must
    /// not cost more than its calls.
    pub(crate) fn schedule_of(&self, rate_per_s: f64, is_shard: bool) -> Schedule {
        match self.arrival {
            Arrival::Poisson if is_shard && rate_per_s > MOST_DRAWN_PER_S => {
                Schedule::poisson_streams(rate_per_s)
            }
            Arrival::Constant => Schedule::constant(rate_per_s),
            Arrival::Poisson => Schedule::poisson(rate_per_s),
            Arrival::PoissonStreams => Schedule::poisson_streams(rate_per_s),
            Arrival::Uniform => Schedule::uniform(rate_per_s),
        }
    }

    /// The plan with the settings of this group, and with this warm-up unless the
    /// user gives another.
    pub(crate) fn apply(&self, plan: Plan, warmup: Duration) -> Plan {
        // Sessions have the timeout among their limits.
        let has_calls = plan.sessions().is_none() || plan.probe().is_some();
        let plan = if has_calls { plan.with_timeout(self.timeout) } else { plan };
        let plan = plan
            .with_warmup(self.warmup.unwrap_or(warmup))
            .with_threads(self.threads)
            .with_precision(self.precision.into())
            .with_seed(self.seed);
        let plan = self.abort_if.iter().cloned().fold(plan, Plan::with_abort_if);
        let plan = match self.deadline {
            Some(deadline) => plan.with_deadline(deadline),
            None => plan,
        };
        match self.drain {
            Some(drain) => plan.with_drain(drain),
            // What users have begun, they bring to an end.
            None if plan.sessions().is_some() => plan.with_drain(self.timeout),
            None => plan,
        }
    }

    /// Whether there is a rule by which the run is given up.
    pub(crate) fn gives_up(&self) -> bool {
        !self.abort_if.is_empty()
    }

    /// Whether it is said how long replies are waited for in the end.
    pub(crate) fn has_drain(&self) -> bool {
        self.drain.is_some()
    }

    /// Whether it is said how long after its intended start a call is given up.
    pub(crate) fn has_deadline(&self) -> bool {
        self.deadline.is_some()
    }

    /// When a call is given up.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Arrival {
    Constant,
    Poisson,
    PoissonStreams,
    Uniform,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PrecisionArg {
    /// Sleep to the start: late by tens of µs, least CPU
    Low,
    /// Sleep to shortly before, then poll: late by about 1 µs, 20 % of a core at 3000/s
    Normal,
    /// Never sleep: late by less than 1 µs, one whole core a thread
    High,
}

impl From<PrecisionArg> for Precision {
    fn from(precision: PrecisionArg) -> Self {
        match precision {
            PrecisionArg::Low => Self::Low,
            PrecisionArg::Normal => Self::Normal,
            PrecisionArg::High => Self::High,
        }
    }
}
