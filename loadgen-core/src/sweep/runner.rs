//! Carries a sweep out: one run of the engine after the other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::error::SweepError;
use super::judge::limits_us;
use super::point::{PointKind, SweepPoint};
use super::report::{SearchReport, SweepReport};
use super::search::{Attempt, Search, SearchSettings, Verdict};
use super::steps::Steps;
use crate::engine::{Engine, Snapshot};
use crate::error::RunError;
use crate::plan::Plan;
use crate::record::{CallSink, SinkContext};
use crate::report::Report;
use crate::slo::Slo;

/// Is told how a sweep goes on. Every method may be left out.
pub trait SweepObserver {
    /// A run begins. `index` counts from 0; `of` is how many there will be, if
    /// that is known.
    fn begins(&mut self, run: &Attempt, index: usize, of: Option<usize>) {
        let _ = (run, index, of);
    }

    /// What takes each call of that run as it ends, in the worker with this number; see
    /// [`Engine::with_call_sinks`]. `None` (for any worker): nobody.
    fn sink(&mut self, of: &SinkContext<'_>) -> Option<Box<dyn CallSink>> {
        let _ = of;
        None
    }

    /// The run goes on; called about every 50 ms.
    fn goes_on(&mut self, now: &Snapshot) {
        let _ = now;
    }

    /// A run has ended, and is the last point of the report: save it here and no
    /// step is lost.
    fn ended(&mut self, point: &SweepPoint, so_far: &SweepReport) {
        let _ = (point, so_far);
    }
}

/// Watches nothing.
impl SweepObserver for () {}

/// A plan that is to be run at many rates.
#[derive(Debug, Clone)]
pub struct Sweep {
    plan: Plan,
    pause: Duration,
    objectives: Vec<Slo>,
}

/// How long replies under way are waited for after a stop.
const SHORT_DRAIN: Duration = Duration::from_secs(1);

/// How often the observer and the flag to stop are looked after.
const WATCH_EVERY: Duration = Duration::from_millis(50);

impl Sweep {
    /// A sweep of this plan, without pauses and objectives. The plan's rate does
    /// not matter; its duration is that of a step.
    ///
    /// # Errors
    /// [`SweepError`] for a closed loop, for a plan without end, and for a
    /// [shard](Plan::with_shard), which makes a part of the rates that it would be judged by.
    pub fn new(plan: Plan) -> Result<Self, SweepError> {
        let plan = plan.with_rate(1.0)?;
        plan.validate()?;
        if plan.shard().is_some() {
            return Err(SweepError::Shard);
        }
        plan.duration().ok_or(SweepError::Endless)?;
        Ok(Self { plan, pause: Duration::ZERO, objectives: Vec::new() })
    }

    /// Waits this long between two runs, so that the server can come to rest.
    #[must_use]
    pub fn with_pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// Judges every run by these objectives.
    #[must_use]
    pub fn with_objectives(mut self, objectives: Vec<Slo>) -> Self {
        self.objectives = objectives;
        self
    }

    /// A report without any run yet, for [`Self::run`] or [`Self::search`].
    #[must_use]
    pub fn report(&self) -> SweepReport {
        let mut report = SweepReport::new(self.plan.clone());
        report.pause_s = self.pause.as_secs_f64();
        report.objectives = self.objectives.iter().map(ToString::to_string).collect();
        report
    }

    /// Takes an earlier report up again: what it holds is not run once more.
    ///
    /// # Errors
    /// [`SweepError::Other`] if it was made with another plan or other objectives, and
    /// [`SweepError::Plan`] if that has settings that are not known; [`SweepError::Version`] if
    /// another version measured it.
    pub fn resume(&self, mut earlier: SweepReport) -> Result<SweepReport, SweepError> {
        let version = earlier.tool.version.as_str();
        if version != env!("CARGO_PKG_VERSION") {
            return Err(SweepError::Version { earlier: version.to_owned() });
        }
        earlier.plan.refuse_unknown_settings()?;
        let fresh = self.report();
        let earlier_plan = earlier.plan.clone().with_rate(1.0)?;
        if earlier_plan.without_secrets() != self.plan.clone().without_secrets() {
            return Err(SweepError::Other("plan (target, request, load or connections)"));
        }
        if earlier.objectives != fresh.objectives {
            return Err(SweepError::Other("list of objectives"));
        }
        earlier.points.retain(|point| !point.interrupted);
        earlier.interrupted = false;
        earlier.calls_file = None;
        earlier.pause_s = fresh.pause_s;
        earlier.conclude();
        Ok(earlier)
    }

    /// Runs the steps that the report does not hold yet, until `stop` is set. The
    /// report holds all finished steps at any moment, after an error too.
    ///
    /// # Errors
    /// [`SweepError`] if a step cannot be run.
    pub fn run(
        &self,
        steps: &Steps,
        report: &mut SweepReport,
        observer: &mut dyn SweepObserver,
        stop: &AtomicBool,
    ) -> Result<(), SweepError> {
        if report.search.is_some() {
            return Err(SweepError::Other("kind of sweep (it was a search)"));
        }
        let duration = self.plan.duration().ok_or(SweepError::Endless)?;
        for rate_per_s in steps.rates() {
            self.plan.clone().with_rate(*rate_per_s)?.validate()?;
        }
        report.steps_per_s = steps.rates().to_vec();
        let mut is_first = true;
        for (index, rate_per_s) in steps.rates().iter().copied().enumerate() {
            if report.points.iter().any(|point| point.demanded_per_s == rate_per_s) {
                continue;
            }
            if !std::mem::take(&mut is_first) {
                rest(self.pause, stop);
            }
            let step = Attempt { kind: PointKind::Step, rate_per_s, duration };
            observer.begins(&step, index, Some(steps.rates().len()));
            if self.measure(&step, &self.plan, report, observer, stop)?.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Searches the highest rate that holds the objectives, until `stop` is set.
    /// Runs that the report holds already are not made again. The lengths of the
    /// runs are those of the settings, plus the plan's warm-up.
    ///
    /// ```
    /// use std::sync::atomic::AtomicBool;
    /// use std::time::Duration;
    /// use loadgen_core::sweep::{SearchSettings, Sweep};
    /// use loadgen_core::{Load, Plan, Schedule};
    /// # use loadgen_core::target_server::{TargetOptions, TargetServer};
    /// # let server = TargetServer::bind(TargetOptions::default())?.spawn()?;
    /// # let url = server.url();
    ///
    /// let plan = Plan::new(url.parse()?, Load::established(Schedule::constant(1.0)))
    ///     .with_duration(Duration::from_millis(200));
    /// let sweep = Sweep::new(plan)?.with_objectives(vec!["p90<10s".parse()?]);
    /// let mut settings = SearchSettings::within(100.0, 200.0);
    /// (settings.attempt_s, settings.confirmation_s) = (0.2, 0.2);
    /// let mut report = sweep.report();
    /// sweep.search(settings, &mut report, &mut (), &AtomicBool::new(false))?;
    /// let found = report.search.ok_or("it was a search")?;
    /// assert!(found.end.is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`SweepError`] for settings that make no search, and if a run cannot be
    /// made. The report holds all finished runs.
    pub fn search(
        &self,
        settings: SearchSettings,
        report: &mut SweepReport,
        observer: &mut dyn SweepObserver,
        stop: &AtomicBool,
    ) -> Result<(), SweepError> {
        if self.objectives.is_empty() {
            return Err(SweepError::NoObjective);
        }
        let settings = settings.for_objectives(&self.objectives);
        match &report.search {
            Some(earlier) if earlier.settings != settings => {
                return Err(SweepError::Other("way of searching (bounds, tolerance or lengths)"));
            }
            None if !report.points.is_empty() => {
                return Err(SweepError::Other("kind of sweep (it was one by steps)"));
            }
            _ => {}
        }
        let mut search = Search::new(settings)?;
        report.search = Some(SearchReport::of(settings, &search));
        let mut known = std::mem::take(&mut report.points).into_iter();
        let plan = self.plan_of_attempts();
        let mut is_first = true;
        while let Some(attempt) = search.next() {
            // Attempts that were made before are told again instead of made again.
            let same = |point: &SweepPoint| {
                point.kind == attempt.kind && point.demanded_per_s == attempt.rate_per_s
            };
            let verdict = if let Some(point) = known.next().filter(same) {
                let verdict = Verdict::of(&point);
                report.points.push(point);
                verdict
            } else {
                known = Vec::new().into_iter();
                if !std::mem::take(&mut is_first) {
                    rest(self.pause, stop);
                }
                observer.begins(&attempt, report.points.len(), None);
                match self.measure(&attempt, &plan, report, observer, stop)? {
                    Some(verdict) => verdict,
                    None => break,
                }
            };
            search.tell(verdict);
            report.search = Some(SearchReport::of(settings, &search));
        }
        report.conclude();
        Ok(())
    }

    /// One run, as the next point of the report; `None` if it was stopped.
    fn measure(
        &self,
        run: &Attempt,
        plan: &Plan,
        report: &mut SweepReport,
        observer: &mut dyn SweepObserver,
        stop: &AtomicBool,
    ) -> Result<Option<Verdict>, SweepError> {
        if stop.load(Ordering::SeqCst) {
            report.interrupted = true;
            return Ok(None);
        }
        let rate_per_s = run.rate_per_s;
        // Of a sweep by steps the plan's own duration, which holds its warm-up.
        let warmup = if run.kind == PointKind::Step { Duration::ZERO } else { plan.warmup() };
        let plan = plan.clone().with_rate(rate_per_s)?.with_duration(run.duration + warmup);
        let of_one = match carry_out(plan, observer, stop) {
            Ok(of_one) => of_one,
            Err(RunError::Stopped) => {
                report.interrupted = true;
                return Ok(None);
            }
            Err(cause) => return Err(SweepError::Run { rate_per_s, cause }),
        };
        let mut point = SweepPoint::of(rate_per_s, &of_one).judged(&self.objectives, &of_one);
        point.kind = run.kind;
        if of_one.interrupted {
            report.interrupted = true;
            if point.counts.offered > 0 {
                report.push(point, &of_one.environment);
            }
            return Ok(None);
        }
        let verdict = Verdict::of(&point);
        report.push(point, &of_one.environment);
        if let Some(point) = report.points.last() {
            observer.ended(point, report);
        }
        Ok(Some(verdict))
    }

    /// The time limits of the objectives.
    fn limits_us(&self) -> impl Iterator<Item = f64> {
        limits_us(&self.objectives)
    }

    /// The plan of short runs. A call that has not ended long after its limit has
    /// breached it: the drain of an overloaded attempt need not last longer.
    fn plan_of_attempts(&self) -> Plan {
        let plan = self.plan.clone();
        let Some(limit_us) = self.limits_us().reduce(f64::max) else { return plan };
        let enough = Duration::try_from_secs_f64(2.0 * limit_us / 1e6).unwrap_or(Duration::MAX);
        let drain = plan.drain().min(enough.max(SHORT_DRAIN));
        plan.with_drain(drain)
    }
}

/// Runs a plan to its end, or to a stop.
fn carry_out(
    plan: Plan,
    observer: &mut dyn SweepObserver,
    stop: &AtomicBool,
) -> Result<Report, RunError> {
    let engine = Engine::prepare(plan, stop)?;
    let engine = engine.with_sinks_if_all(|of| observer.sink(of));
    // An observer that panics ends the load, too.
    let handle = engine.start()?.stop_on_drop();
    let mut stopped: Option<Instant> = None;
    let mut is_cut = false;
    while !handle.is_finished() {
        match stopped {
            None if stop.load(Ordering::SeqCst) => {
                handle.stop();
                stopped = Some(Instant::now());
            }
            Some(since) if !is_cut && since.elapsed() >= SHORT_DRAIN => {
                handle.stop();
                is_cut = true;
            }
            _ => {}
        }
        observer.goes_on(&handle.snapshot());
        std::thread::sleep(WATCH_EVERY);
    }
    let mut report = handle.join()?;
    if stopped.is_some() {
        report.set_interrupted();
    }
    Ok(report)
}

/// A pause that a stop ends.
fn rest(pause: Duration, stop: &AtomicBool) {
    let begin = Instant::now();
    while let Some(left) = pause.checked_sub(begin.elapsed()).filter(|left| !left.is_zero()) {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        std::thread::sleep(left.min(WATCH_EVERY));
    }
}
