//! A watch: a load that goes on, and what is found in it as it does.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use super::asked::Asked;
#[cfg(feature = "clouds")]
use super::beside::Beside;
use super::error::WatchError;
use super::feed::{Feed, MOST_WAITING};
use super::judging::Setting;
use super::news::{WatchNews, WatchProgress};
use super::summary::{Calls, WatchSummary};
use super::watcher::Watcher;
use crate::clock::{Clock, Nanos, as_millis, as_nanos, rfc3339};
use crate::engine::{Engine, Snapshot};
use crate::error::{PlanError, RunError};
use crate::migration::{RATES, ReachCheck, most_descriptors};
use crate::panicked::said;
use crate::plan::{Load, Plan};
use crate::record::Population;
use crate::schedule::Schedule;
use crate::target::Target;

/// How often it is looked what has come.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Calls a second of a population, and of all.
const LEAST_PER_S: f64 = 1.0;
const MOST_PER_S: f64 = 10_000.0;

/// Reach checks a second unless told otherwise: a spacing of 10 ms.
const DEFAULT_CHECKS: f64 = 100.0;

/// Watches a target for as long as it is let: finds the times in which it does not answer, tells
/// each when it is over, and keeps none of them.
///
/// ```
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use std::time::Duration;
/// use loadgen_core::watch::{Watch, WatchNews};
/// use loadgen_core::{Load, Plan, Schedule};
/// # use loadgen_core::target_server::{TargetOptions, TargetServer};
/// # let freezes = TargetOptions::new().with_freeze(Duration::from_millis(400), Duration::from_secs(2));
/// # let server = TargetServer::bind(freezes)?.spawn()?;
/// # let url = server.url();
///
/// let load = Load::established(Schedule::constant(200.0));
/// let plan = Plan::new(url.parse()?, load).with_warmup(Duration::from_secs(1));
/// let stop = AtomicBool::new(false);
/// let summary = Watch::new(plan).run(&stop, &mut |news| {
///     if let WatchNews::Freeze(freeze) = news {
///         assert!(freeze.length_ms.at_least > 0.0);
///         stop.store(true, Ordering::SeqCst);
///     }
/// })?;
/// assert!(summary.freezes > 0 && summary.availability.at_least < 1.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Watch {
    plan: Plan,
    duration: Option<Duration>,
    reach: (ReachCheck, f64),
    neighbour: Option<Target>,
    shortest: Duration,
    #[cfg(feature = "clouds")]
    notices: Vec<super::NoticeSource>,
}

impl Watch {
    /// Puts `plan`'s load on its target until it is stopped. The plan must not have an end of its
    /// own, nor sessions, and its loads must be open loops: a closed loop waits together with a
    /// frozen server and hides the freeze.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        Self {
            plan,
            duration: None,
            reach: (ReachCheck::Auto, DEFAULT_CHECKS),
            neighbour: None,
            shortest: Duration::ZERO,
            #[cfg(feature = "clouds")]
            notices: Vec::new(),
        }
    }

    /// Ends it by itself, so long after the warm-up.
    #[must_use]
    pub fn with_duration(mut self, duration: Duration) -> Self {
        self.duration = Some(duration);
        self
    }

    /// How the reach check asks whether the machine's kernel answers at all, and how often a
    /// second: [`ReachCheck::Auto`] and 100 unless told otherwise, 1 to 1000.
    #[must_use]
    pub fn with_reach_check(mut self, check: ReachCheck, rate_per_s: f64) -> Self {
        self.reach = (check, rate_per_s);
        self
    }

    /// Another machine that is reached over the same network, and asked like the target's: what
    /// freezes together with it is the network. Of its URL only host and port count.
    #[must_use]
    pub fn with_neighbour(mut self, neighbour: Target) -> Self {
        self.neighbour = Some(neighbour);
        self
    }

    /// Freezes that may have been shorter than this are counted, and not told.
    #[must_use]
    pub fn with_shortest(mut self, shortest: Duration) -> Self {
        self.shortest = shortest;
        self
    }

    /// Reads what a cloud says of maintenance beside it. May be called again.
    #[cfg(feature = "clouds")]
    #[must_use]
    pub fn with_notices(mut self, source: super::NoticeSource) -> Self {
        self.notices.push(source);
        self
    }

    /// Watches until `stop` becomes true, and then for the plan's [drain](Plan::with_drain). `observe` is called in this thread; while it works,
    /// nothing is lost for a minute. If it panics, it is not called any more, and the watch ends.
    ///
    /// # Errors
    /// [`WatchError`] if the load cannot be started, what was asked for beside it cannot be had, or
    /// something breaks on the way; what was told until then stands.
    pub fn run(
        mut self,
        stop: &AtomicBool,
        observe: &mut dyn FnMut(WatchNews<'_>),
    ) -> Result<WatchSummary, WatchError> {
        self.check().map_err(RunError::from)?;
        self.plan.call_log = 0;
        let machine = self.plan.target().clone();
        let mut machine = Asked::prepare("target's machine", self.reach, machine, stop)?;
        let mut neighbour = match self.neighbour.take() {
            None => None,
            Some(target) => {
                let how = (ReachCheck::Auto, self.reach.1);
                Some(Asked::prepare("neighbour", how, target, stop)?)
            }
        };
        if let Some(reason) = neighbour.as_ref().and_then(Asked::off) {
            return Err(WatchError::Neighbour { reason: reason.to_owned() });
        }
        let workers = self.plan.threads;
        let (sender, batches) = sync_channel(MOST_WAITING * workers as usize);
        let engine = Engine::prepare(self.plan.clone(), stop)?
            .with_coarse_timeline()
            .with_call_sinks(move |of| Box::new(Feed::new(of.worker, sender.clone())));
        #[cfg(feature = "clouds")]
        let mut notices = Beside::start(&self.notices, stop)?;
        let handle = engine.start()?.stop_on_drop();
        let clock = handle.clock().ok_or(RunError::WorkerPanicked)?;
        let descriptors = most_descriptors(&self.plan);
        for asked in [Some(&mut machine), neighbour.as_mut()].into_iter().flatten() {
            asked.start(descriptors);
        }
        let warmup_end = as_nanos(Duration::from_secs_f64(self.plan.warmup_s));
        let setting = Setting {
            clock,
            warmup_end,
            per_s: Population::ALL.map(|population| self.per_s(population)),
            method: machine.method(),
            reach_off: machine.off().map(str::to_owned),
            has_neighbour: neighbour.is_some(),
        };
        let mut watcher = Watcher::new(setting, workers, as_nanos(self.shortest));
        let mut observer = Observer { observe, panic: None };
        let end = self.duration.map(|duration| as_nanos(duration).saturating_add(warmup_end));
        // When nobody was to ask any more.
        let mut load_end = None;
        loop {
            let ended = handle.is_finished();
            batches.try_iter().for_each(|batch| watcher.take(batch));
            machine.take(&clock, |check| watcher.checked(check));
            if let Some(off) = machine.off() {
                watcher.is_not_asked(off);
            }
            let mut checked = machine.until();
            if let Some(neighbour) = &mut neighbour {
                neighbour.take(&clock, |check| watcher.checked_neighbour(check));
                checked = checked.min(neighbour.until());
            }
            watcher.look(checked, &mut |freeze| observer.tell(WatchNews::Freeze(freeze)));
            for asked in [Some(&mut machine), neighbour.as_mut()].into_iter().flatten() {
                if let Some(trouble) = asked.trouble() {
                    observer.tell(WatchNews::Trouble(&trouble));
                }
            }
            #[cfg(feature = "clouds")]
            {
                watcher.tally.notices += notices.tell(&clock, &mut |news| observer.tell(news));
            }
            let since = watcher.silent_since().filter(|_| load_end.is_none());
            observer.tell(WatchNews::Progress(&WatchProgress {
                load: handle.snapshot(),
                freezes: watcher.tally.freezes,
                silent_for: since.map(|at| Duration::from_nanos(clock.now().saturating_sub(at))),
            }));
            if ended {
                break;
            }
            let is_over = end.is_some_and(|end| clock.now() >= end);
            if load_end.is_none() && (is_over || stop.load(Relaxed) || observer.panic.is_some()) {
                load_end = Some(clock.now());
                handle.stop();
            }
            std::thread::sleep(LOOK_EVERY);
        }
        let load_end = load_end.unwrap_or_else(|| clock.now());
        // What was asked shortly before the end is known only now.
        machine.end(&clock, |check| watcher.checked(check));
        if let Some(neighbour) = &mut neighbour {
            neighbour.end(&clock, |check| watcher.checked_neighbour(check));
        }
        watcher.end(load_end, &mut |freeze| observer.tell(WatchNews::Freeze(freeze)));
        let panic = observer.panic;
        let load = handle.snapshot();
        handle.join()?;
        if let Some(said) = panic {
            return Err(WatchError::Observer { said });
        }
        Ok(self.summary(watcher, &machine, (&clock, load_end), load))
    }

    fn summary(
        &self,
        watcher: Watcher,
        machine: &Asked,
        (clock, load_end): (&Clock, Nanos),
        load: Snapshot,
    ) -> WatchSummary {
        let by_name = |of: [Option<f64>; 2]| -> BTreeMap<String, f64> {
            let named = Population::ALL.into_iter().zip(of);
            named.filter_map(|(p, value)| Some((p.name().to_owned(), value?))).collect()
        };
        let watched = load_end.saturating_sub(watcher.warmup_end());
        let rest = WatchSummary {
            schema: "loadgen-watch/1".to_owned(),
            url: self.plan.target().url().to_owned(),
            started_at: rfc3339(clock.started_at()),
            rates_per_s: by_name(Population::ALL.map(|population| self.per_s(population))),
            thresholds_ms: by_name(watcher.thresholds().map(|all| all.map(as_millis))),
            reach_check: machine.how().map(str::to_owned),
            reach_check_off: machine.off().map(str::to_owned),
            frozen_since: watcher.frozen_since.clone(),
            calls: Calls {
                offered: load.offered,
                answered: load.answered,
                failed: load.failed,
                shed: load.shed,
            },
            ..WatchSummary::default()
        };
        watcher.tally.into_summary(watched, rest)
    }

    /// Intended calls a second of a population.
    fn per_s(&self, population: Population) -> Option<f64> {
        let of = |load: &&Load| load.population() == population;
        let rates = self.plan.loads().filter(of).filter_map(|load| self.plan.calls_per_s(load));
        rates.reduce(|all: f64, rate| all + rate)
    }

    fn check(&self) -> Result<(), PlanError> {
        if self.plan.has_end() {
            return Err(PlanError::Conflict(
                "a watch goes on until it is stopped: leave the end of the load (a duration, a \
                 number of calls) unset, and give the watch its own duration",
            ));
        }
        if self.plan.sessions().is_some() {
            return Err(PlanError::Conflict(
                "a watch needs calls at a rate, not sessions: in their pauses nobody would ask",
            ));
        }
        if self.plan.shard().is_some() {
            return Err(PlanError::Conflict("a watch is one process: it has no shards"));
        }
        if self.plan.loads().any(|load| *load.schedule() == Schedule::Closed) {
            return Err(PlanError::Conflict(
                "a watch needs an open loop (a rate): in a closed loop the clients wait together \
                 with the frozen server, and the freeze hides itself",
            ));
        }
        if self
            .plan
            .loads()
            .any(|load| load.schedule().lowest_per_s().is_none_or(|rate| rate <= 0.0))
        {
            return Err(PlanError::Conflict(
                "a watch needs a rate that never comes down to 0: where nobody asks, silence could \
                 not be told from a freeze",
            ));
        }
        let rates = || Population::ALL.into_iter().filter_map(|population| self.per_s(population));
        if rates().any(|rate| rate < LEAST_PER_S) || rates().sum::<f64>() > MOST_PER_S {
            return Err(PlanError::Conflict(
                "a watch asks 1 to 10,000 times a second: less often it could prove no freeze, and \
                 more often it would be a load",
            ));
        }
        if !RATES.contains(&self.reach.1) {
            return Err(PlanError::Conflict(
                "the rate of the reach check is from 1 to 1000 a second (or switch it off)",
            ));
        }
        self.plan.validate()
    }
}

/// Whoever is told, until he panics.
struct Observer<'a> {
    observe: &'a mut dyn FnMut(WatchNews<'_>),
    panic: Option<String>,
}

impl Observer<'_> {
    fn tell(&mut self, news: WatchNews<'_>) {
        if self.panic.is_none() {
            let told = catch_unwind(AssertUnwindSafe(|| (self.observe)(news)));
            self.panic = told.err().map(|panic| said(&*panic).to_owned());
        }
    }
}
