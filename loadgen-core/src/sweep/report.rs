//! The one result of a sweep.

use serde::{Deserialize, Serialize};

use super::knee::{Knee, Saturation};
use super::point::SweepPoint;
use super::search::{Search, SearchEnding, SearchSettings};
use crate::plan::Plan;
use crate::report::{CallsFileReport, Environment, Report, Tool};
use crate::session::Sessions;

/// The schema of the sweeps that this version writes.
pub const SCHEMA: &str = "loadgen-sweep/1";

/// Everything that a sweep measured. It is complete at any moment: after each
/// step it says what has been measured so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SweepReport {
    /// [`SCHEMA`].
    pub schema: String,
    /// The program that measured.
    pub tool: Tool,
    /// What was done at each rate. The rate of its main load and, in a search,
    /// its duration are those of the points.
    pub plan: Plan,
    /// Where it was done; `None` before the first step.
    pub environment: Option<Environment>,
    /// The rates of a sweep by steps; empty for a search.
    pub steps_per_s: Vec<f64>,
    /// From the end of a step to the begin of the next.
    pub pause_s: f64,
    /// The objectives, as they were given.
    pub objectives: Vec<String>,
    /// The runs, in the order in which they were made.
    pub points: Vec<SweepPoint>,
    /// Where the curve bends, if it does within the steps.
    pub knee: Option<Knee>,
    /// Where the server ceases to keep up, if it does within the steps.
    pub saturation: Option<Saturation>,
    /// Of a sweep by steps with objectives: the highest rate that held them, with
    /// no step below it that did not.
    pub held_up_to_per_s: Option<f64>,
    /// The search, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<SearchReport>,
    /// Someone ended the sweep before its last step.
    #[serde(default)]
    pub interrupted: bool,
    /// The file with a line for each call, if one was written; known when the sweep is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_file: Option<CallsFileReport>,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SearchReport {
    /// How it was made.
    pub settings: SearchSettings,
    /// The highest rate that was held by a long run. It is the result if the
    /// ending is `found` or `holds-at-highest`.
    pub holds_per_s: Option<f64>,
    /// The lowest rate above it that did not hold: the truth lies between.
    pub fails_per_s: Option<f64>,
    /// Why it ended; `None`: it did not come to its end.
    pub end: Option<SearchEnding>,
}

impl SearchReport {
    pub(super) fn of(settings: SearchSettings, search: &Search) -> Self {
        Self {
            settings,
            holds_per_s: search.holds_per_s(),
            fails_per_s: search.fails_per_s(),
            end: search.ending().cloned(),
        }
    }
}

impl SweepReport {
    /// A sweep of this plan without any step yet.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            tool: Tool::this(),
            plan,
            environment: None,
            steps_per_s: Vec::new(),
            pause_s: 0.0,
            objectives: Vec::new(),
            points: Vec::new(),
            knee: None,
            saturation: None,
            held_up_to_per_s: None,
            search: None,
            interrupted: false,
            calls_file: None,
        }
    }

    /// Adds a run and works out anew what follows from all of them.
    pub fn push(&mut self, point: SweepPoint, environment: &Environment) {
        self.environment.get_or_insert_with(|| environment.clone());
        self.points.push(point);
        self.conclude();
    }

    /// Whether the demanded rate is one of sessions, of which each is several calls.
    pub(super) fn is_of_sessions(&self) -> bool {
        self.plan.sessions().is_some_and(Sessions::are_scripted)
    }

    /// Adds the run of a report at this demanded rate (calls a second).
    pub fn push_report(&mut self, demanded_per_s: f64, report: &Report) {
        self.push(SweepPoint::of(demanded_per_s, report), &report.environment);
    }

    /// The runs by demanded rate, from the lowest. Where there are several at one rate it
    /// is one that the generator's own lateness did not spoil, and the longest of those.
    /// Those that were interrupted are not among them.
    #[must_use]
    pub fn curve(&self) -> Vec<&SweepPoint> {
        super::knee::by_rate(&self.points)
    }

    /// Whether the machine was migrated in a run: then neither knee nor saturation is
    /// looked for.
    #[must_use]
    pub fn has_migrations(&self) -> bool {
        self.points.iter().any(|point| point.migration.is_some())
    }

    /// What follows from the points.
    pub(super) fn conclude(&mut self) {
        // What a migration costs is not what the rate costs.
        if self.has_migrations() {
            (self.knee, self.saturation, self.held_up_to_per_s) = (None, None, None);
            return;
        }
        // The short attempts of a search lie where it looked, not along a curve.
        self.knee = if self.search.is_none() { Knee::of(&self.points) } else { None };
        self.saturation = Saturation::of(&self.points);
        let curve = self.curve();
        let held = curve.iter().take_while(|p| p.held == Some(true)).last();
        let up_to = held.map(|point| point.demanded_per_s);
        self.held_up_to_per_s = if self.search.is_none() { up_to } else { None };
    }
}
