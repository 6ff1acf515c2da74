//! A machine whose kernel is asked while a watch goes on, and what became of the checks.

use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

use crate::clock::{Clock, Nanos};
use crate::engine::unless_stopped;
use crate::error::RunError;
use crate::migration::{Check, Method, Reach, ReachCheck, SettledChecks};
use crate::target::Target;

/// Checks that wait for whoever takes them: a minute.
const MOST_WAITING: usize = 600;

/// See above.
pub(super) struct Asked {
    /// Who is asked, for messages.
    who: &'static str,
    /// `None` when it has ended by itself.
    reach: Option<Reach>,
    checks: Option<Receiver<SettledChecks>>,
    method: Option<Method>,
    how: Option<String>,
    off: Option<String>,
    news: Option<String>,
    /// Checks sent before are all known; `Nanos::MAX`: there are no more.
    until: Nanos,
}

impl Asked {
    /// Finds out how the machine of a target can be asked.
    pub(super) fn prepare(
        who: &'static str,
        (choice, rate_per_s): (ReachCheck, f64),
        target: Target,
        stop: &AtomicBool,
    ) -> Result<Self, RunError> {
        let reach = unless_stopped(stop, move || Reach::prepare(choice, rate_per_s, &target))?;
        let how = reach.how();
        Ok(Self {
            who,
            method: how.map(|(method, ..)| method),
            how: how.map(|(method, address, rate)| format!("{method} to {address}, {rate}/s")),
            off: reach.off().map(str::to_owned),
            news: None,
            until: if how.is_some() { 0 } else { Nanos::MAX },
            reach: Some(reach),
            checks: None,
        })
    }

    /// Begins to ask, beside a load with so many descriptors.
    pub(super) fn start(&mut self, descriptors: u64) {
        let Some(reach) = &mut self.reach else { return };
        if reach.how().is_none() {
            return;
        }
        let (sender, checks) = sync_channel(MOST_WAITING);
        reach.start_handing_out(descriptors, sender);
        self.checks = Some(checks);
        if let Some(off) = reach.off() {
            self.off = Some(off.to_owned());
            (self.until, self.checks) = (Nanos::MAX, None);
        }
    }

    /// By which method it asks.
    pub(super) fn method(&self) -> Option<Method> {
        self.method
    }

    /// How it asks, and how often a second.
    pub(super) fn how(&self) -> Option<&str> {
        self.how.as_deref()
    }

    /// Why it does not ask, or not any more.
    pub(super) fn off(&self) -> Option<&str> {
        self.off.as_deref()
    }

    /// Checks sent before that are all known, by the clock of the load.
    pub(super) fn until(&self) -> Nanos {
        self.until
    }

    /// What was not told yet of the asking itself.
    pub(super) fn trouble(&mut self) -> Option<String> {
        self.news.take()
    }

    /// The checks that have come, by the clock of the load.
    pub(super) fn take(&mut self, clock: &Clock, mut take: impl FnMut(Check)) {
        let Some(checks) = &self.checks else { return };
        loop {
            match checks.try_recv() {
                Ok(batch) => {
                    of_load(batch.checks, clock).for_each(&mut take);
                    self.until = clock.from_monotonic(batch.until);
                }
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => break,
            }
        }
        // Its thread has ended by itself.
        (self.until, self.checks) = (Nanos::MAX, None);
        let log = self.reach.take().map(Reach::finish).unwrap_or_default();
        let why = log.off.or(log.cut).unwrap_or_else(|| "it ended".to_owned());
        self.news = Some(format!("the kernel of the {} is not asked any more: {why}", self.who));
        self.off = Some(why);
    }

    /// Ends it, and takes what is left.
    pub(super) fn end(&mut self, clock: &Clock, mut take: impl FnMut(Check)) {
        let Some(checks) = self.checks.take() else { return };
        let log = self.reach.take().map(Reach::finish).unwrap_or_default();
        for batch in checks.try_iter() {
            of_load(batch.checks, clock).for_each(&mut take);
        }
        of_load(log.checks, clock).for_each(take);
    }
}

/// Those that were made while the load went on, by its clock.
fn of_load(checks: Vec<Check>, clock: &Clock) -> impl Iterator<Item = Check> + '_ {
    let origin = clock.to_monotonic(0);
    let of_load = checks.into_iter().filter(move |check| check.before >= origin);
    of_load.map(|check| check.mapped_to(clock))
}
