//! The loads of a plan: the main one, and those beside it by their names. Which requests each
//! makes, and what is expected of the replies.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Load, Plan};
use crate::expectation::Expectation;
use crate::request::Request;
use crate::workload_file::RequestList;

/// A load beside the main one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NamedLoad {
    pub(super) name: String,
    pub(super) load: Load,
}

/// The names of the main load and of the [probe](Plan::with_probe).
pub(super) const MAIN: &str = "load";
pub(super) const PROBE: &str = "probe";

impl Plan {
    /// Adds a load beside the main one, or replaces the one with this name. Each has its
    /// schedule, its connections, its requests if it
    /// [says](Load::with_requests) so, and [figures of its own](crate::Report::loads); timeout,
    /// duration, warm-up and seed are the plan's. The schedules of loads beside the main one
    /// begin part of a mean interval later (1/2, 1/4, 3/4, 1/8 … in turn), so that those of
    /// equal rates do not start together.
    ///
    /// ```
    /// use std::time::Duration;
    /// use loadgen_core::{Engine, Load, Plan, Request, Schedule, Target};
    /// # use loadgen_core::target_server::{TargetOptions, TargetServer};
    /// # let server = TargetServer::bind(TargetOptions::default())?.spawn()?;
    /// # let url = server.url();
    ///
    /// let read = Load::established(Schedule::constant(200.0));
    /// let buy = Load::established(Schedule::constant(20.0))
    ///     .with_request(Request::get().with_method("POST").with_path("/cart"));
    /// let plan = Plan::new(Target::parse(&url)?, read)
    ///     .with_load("buy", buy)
    ///     .with_load("newcomers", Load::fresh(Schedule::poisson(10.0)))
    ///     .with_duration(Duration::from_millis(500));
    /// let report = Engine::new(plan)?.run()?;
    /// let counts: Vec<_> = report.loads.iter().map(|l| (&*l.name, l.counts.offered)).collect();
    /// assert_eq!(counts[..2], [("load", 100), ("buy", 10)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_load(mut self, name: &str, load: Load) -> Self {
        let beside = NamedLoad { name: name.to_owned(), load };
        match self.beside.iter_mut().find(|known| known.name == name) {
            Some(known) => *known = beside,
            None if name == PROBE => self.beside.insert(0, beside),
            None => self.beside.push(beside),
        }
        self
    }

    /// Adds a load with the name `probe`: a sparse one of newcomers beside kept-alive clients,
    /// say, whose users feel other things than those of the main load.
    #[must_use]
    pub fn with_probe(self, probe: Load) -> Self {
        self.with_load(PROBE, probe)
    }

    /// The [probe](Self::with_probe), if there is one.
    #[must_use]
    pub fn probe(&self) -> Option<&Load> {
        self.named_loads().find(|(name, _)| *name == PROBE).map(|(_, load)| load)
    }

    /// All loads with their names: first the main one (`load`), then the probe, then the
    /// others as they were added.
    pub fn named_loads(&self) -> impl Iterator<Item = (&str, &Load)> {
        let beside = self.beside.iter().map(|beside| (&*beside.name, &beside.load));
        std::iter::once((MAIN, &self.load)).chain(beside)
    }

    /// The loads of the plan; the place of each is its number.
    pub(crate) fn loads(&self) -> impl Iterator<Item = &Load> {
        std::iter::once(&self.load).chain(self.beside.iter().map(|beside| &beside.load))
    }

    /// The load with this number.
    pub(crate) fn load_at(&self, number: usize) -> &Load {
        number.checked_sub(1).map_or(&self.load, |beside| &self.beside[beside].load)
    }

    /// The same, to be changed.
    pub(crate) fn load_at_mut(&mut self, number: usize) -> &mut Load {
        match number.checked_sub(1) {
            None => &mut self.load,
            Some(beside) => &mut self.beside[beside].load,
        }
    }

    /// The request of a load's calls, and the base of those of its list.
    pub(crate) fn request_of<'a>(&'a self, load: &'a Load) -> Cow<'a, Request> {
        load.request.as_ref().map_or_else(|| self.request(), Cow::Borrowed)
    }

    /// The requests of a load, if there are several.
    pub(crate) fn requests_of<'a>(&'a self, load: &'a Load) -> Option<&'a RequestList> {
        match load.says_requests() {
            true => load.requests.as_ref(),
            false => self.requests.as_ref(),
        }
    }

    /// The list that the load with this number makes the requests of, to be read.
    pub(crate) fn requests_at_mut(&mut self, number: usize) -> Option<&mut RequestList> {
        match self.load_at(number).says_requests() {
            true => self.load_at_mut(number).requests.as_mut(),
            false => self.requests.as_mut(),
        }
    }

    /// What is expected of all replies to a load's calls.
    pub(crate) fn expected_of<'a>(
        &'a self,
        load: &'a Load,
    ) -> impl Iterator<Item = &'a Expectation> {
        self.expect.iter().chain(&load.expect)
    }
}
