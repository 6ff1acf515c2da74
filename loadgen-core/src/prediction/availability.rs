//! Availability, as documents and for people: of models from files, and of moves at an interval.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::rfc3339;
use crate::model::availability::{
    Availability, BestInterval, MeasuredBlackout, ModelFile, MovedEvery, Rejuvenation,
    RejuvenationError, SolveError,
};
use crate::report::json::{document, read_planless, written};
use crate::report::sections::{Section, cell};
use crate::report::text::{paragraph, render_section};
use crate::report::{ReportError, Tool};
use crate::stats::Confidence;

/// The schema of the document of a model.
const SCHEMA: &str = "loadgen-availability/1";

/// States that a text lists; the JSON has all.
const MOST_STATES: usize = 20;

/// An availability, with the figures that people speak of.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AvailabilityFigure {
    /// The share of the time that it is up.
    pub availability: f64,
    /// The share that it is down, with all of its digits.
    pub unavailability: f64,
    /// The negative decimal logarithm of that; `None`: it is never down.
    pub nines: Option<f64>,
    /// Minutes down in a year of 365 days.
    pub minutes_a_year: f64,
}

impl From<Availability> for AvailabilityFigure {
    fn from(of: Availability) -> Self {
        Self {
            availability: of.up(),
            unavailability: of.down(),
            nines: Some(of.nines()).filter(|nines| nines.is_finite()),
            minutes_a_year: of.minutes_a_year(),
        }
    }
}

impl AvailabilityFigure {
    fn text(&self) -> String {
        let nines = self.nines.map_or_else(|| "no end of".to_owned(), |n| cell::fixed(n, 2));
        format!(
            "{} % ({nines} nines), {} a year down",
            cell::fixed(self.availability * 100.0, 6),
            minutes(self.minutes_a_year)
        )
    }
}

fn hours(hours: f64) -> String {
    format!("{} h", cell::fixed(hours, if hours < 100.0 { 2 } else { 0 }))
}

fn minutes(minutes: f64) -> String {
    format!("{} min", cell::fixed(minutes, if minutes < 10.0 { 3 } else { 1 }))
}

/// What is left of the availability of a machine that is moved at an interval, by each strategy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PredictedAvailability {
    /// Hours from one move to the next.
    pub every_h: f64,
    /// Mean hours after which it has aged; `None`: it does not age, and a move only costs.
    pub ages_h: Option<f64>,
    /// Mean hours after which it fails then.
    pub fails_h: Option<f64>,
    /// Mean hours that a repair takes.
    pub repair_h: Option<f64>,
    /// If it is never moved.
    pub never: AvailabilityFigure,
    /// If it is moved, by each strategy that converges.
    pub moved: Vec<MovedAvailability>,
}

/// The availability of a machine that is moved by one strategy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MovedAvailability {
    /// The strategy.
    pub strategy: String,
    /// How long its service does not answer at each move.
    pub blackout_s: f64,
    /// Whether it is known to be silent for no less than that in the mean, and maybe for longer: then
    /// all availabilities are the most that they can be, and the best interval the shortest.
    #[serde(default)]
    pub blackout_is_least: bool,
    /// Moved always after the same interval.
    pub scheduled: AvailabilityFigure,
    /// After intervals of an exponential law, as plain Markov chains have it.
    pub exponential: AvailabilityFigure,
    /// `every`: at the best interval. `as-often-as-possible`: moves cost nothing. `never`: a move
    /// costs more than it spares.
    pub best_kind: String,
    /// The best interval in hours; `None` unless `every`.
    pub best_every_h: Option<f64>,
    /// What comes of it.
    pub best: Option<AvailabilityFigure>,
    /// The same as `scheduled` from the outages that trials had; `None`: fewer than two had one, or
    /// some were cut.
    pub measured: Option<MeasuredAvailability>,
    /// Trials whose outage the end of their load cut: nobody knows how long it was.
    #[serde(default)]
    pub trials_cut: u64,
}

/// An availability from measured outages: where it lies, by where their mean does.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MeasuredAvailability {
    /// Trials that had an outage.
    pub trials: u64,
    /// Their mean outage.
    pub blackout_s: f64,
    /// With this mean.
    pub estimate: AvailabilityFigure,
    /// The lower end of the interval of 95 %: the most downtime.
    pub low: AvailabilityFigure,
    /// The upper end.
    pub high: AvailabilityFigure,
}

/// Outages that trials of one strategy had, in s.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasuredOutages {
    /// The strategy.
    pub strategy: String,
    /// The outage of each trial.
    pub outages_s: Vec<f64>,
    /// Trials besides whose outage the end of their load cut: nobody knows how long it was, and what
    /// the others had in the mean is too little.
    pub cut: u64,
}

/// How a machine ages, in the mean, in hours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ageing {
    /// After which it has aged.
    pub ages_h: f64,
    /// After which it fails then.
    pub fails_h: f64,
    /// Which a repair takes.
    pub repair_h: f64,
}

impl PredictedAvailability {
    /// Of a machine that is moved each `every_h` hours, by strategies with their blackouts in s, and
    /// with what trials had.
    ///
    /// # Errors
    /// [`RejuvenationError`] for numbers that cannot be.
    pub fn of(
        every_h: f64,
        ageing: Option<Ageing>,
        strategies: &[(&str, f64)],
        trials: &[MeasuredOutages],
    ) -> Result<Self, RejuvenationError> {
        let mut moves = MovedEvery::new(every_h);
        if let Some(of) = ageing {
            moves = moves.with_aging(Rejuvenation::new(of.ages_h, of.fails_h, of.repair_h));
        }
        let found = moves.by_strategy(strategies)?;
        let moved = found.moved.into_iter().map(|of| {
            let trials = trials.iter().find(|trials| trials.strategy == of.strategy);
            let trials_cut = trials.map_or(0, |trials| trials.cut);
            let whole = trials.filter(|trials| trials.cut == 0);
            let measured = whole.and_then(|trials| measured(&moves, &trials.outages_s));
            let (best_kind, best_every_h, best) = match of.best {
                BestInterval::Every { interval_h, outcome } => {
                    ("every", Some(interval_h), Some(outcome.availability.into()))
                }
                BestInterval::AsOftenAsPossible => ("as-often-as-possible", None, None),
                BestInterval::Never => ("never", None, None),
            };
            MovedAvailability {
                strategy: of.strategy,
                blackout_s: of.blackout_s,
                blackout_is_least: false,
                scheduled: of.scheduled.into(),
                exponential: of.exponential.into(),
                best_kind: best_kind.to_owned(),
                best_every_h,
                best,
                measured,
                trials_cut,
            }
        });
        Ok(Self {
            every_h,
            ages_h: ageing.map(|of| of.ages_h),
            fails_h: ageing.map(|of| of.fails_h),
            repair_h: ageing.map(|of| of.repair_h),
            never: found.never.into(),
            moved: moved.collect(),
        })
    }

    /// Where the availability lies, by the outages of trials.
    fn measured_notes(&self) -> Vec<String> {
        let note = |of: &MovedAvailability| {
            if of.trials_cut > 0 {
                return Some(format!(
                    "{}: in {} the load ended before the outage was over: no interval of its availability \
                     is known",
                    of.strategy,
                    cell::counted(of.trials_cut, "trial")
                ));
            }
            let measured = of.measured?;
            Some(format!(
                "{}: {} had {} without an answer in the mean; with the 95 % interval of this mean it is down \
                 {} to {} a year",
                of.strategy,
                cell::counted(measured.trials, "trial"),
                cell::millis(measured.blackout_s * 1e3),
                minutes(measured.high.minutes_a_year),
                minutes(measured.low.minutes_a_year)
            ))
        };
        self.moved.iter().filter_map(note).collect()
    }

    pub(super) fn section(&self) -> Section {
        let row = |of: &MovedAvailability| {
            let most = |cell: String| cell::at_most(of.blackout_is_least, cell);
            let least = |cell: String| cell::at_least(of.blackout_is_least, cell);
            vec![
                of.strategy.clone(),
                cell::at_least(of.blackout_is_least, cell::millis(of.blackout_s * 1e3)),
                most(format!("{} %", cell::fixed(of.scheduled.availability * 100.0, 6))),
                most(
                    of.scheduled.nines.map_or_else(|| cell::NONE.to_owned(), |n| cell::fixed(n, 2)),
                ),
                least(minutes(of.scheduled.minutes_a_year)),
                least(minutes(of.exponential.minutes_a_year)),
                // A longer blackout is worth it less often.
                least(of.best_every_h.map_or_else(|| of.best_kind.replace('-', " "), hours)),
                least(of.best.map_or_else(|| cell::NONE.to_owned(), |b| minutes(b.minutes_a_year))),
            ]
        };
        let ageing = match (self.ages_h, self.fails_h, self.repair_h) {
            (Some(ages), Some(fails), Some(repair)) => format!(
                "it ages after {}, fails {} later, and is repaired in {}; a move lets it begin anew, always \
                 succeeds, and costs its blackout alone",
                hours(ages),
                hours(fails),
                hours(repair)
            ),
            _ => "how it ages is not known: it never fails here, and moves only cost".to_owned(),
        };
        Section {
            title: format!("Availability, if it is moved every {}", hours(self.every_h)),
            scope: format!(
                "{ageing}. Never moved: {}. Down a year: scheduled, always after the same time; \
                 exponential: as plain Markov chains have it. Strategies that do not end within this \
                 time have no row",
                self.never.text()
            ),
            columns: vec![
                "strategy",
                "blackout",
                "availability",
                "nines",
                "scheduled",
                "exponential",
                "best every",
                "then",
            ],
            rows: self.moved.iter().map(row).collect(),
            text_columns: 0,
            notes: self.measured_notes(),
        }
    }
}

/// Of outages of trials, if two of them had one.
fn measured(moves: &MovedEvery, outages_s: &[f64]) -> Option<MeasuredAvailability> {
    let mean = MeasuredBlackout::of_trials(outages_s, Confidence::P95).ok()?;
    let scheduled = |blackout_s: f64| {
        let found = moves.by_strategy(&[("", blackout_s)])?;
        found.moved.first().map(|of| of.scheduled).ok_or(RejuvenationError::NoTimer)
    };
    let found = mean.through(scheduled).ok()?;
    Some(MeasuredAvailability {
        trials: outages_s.len() as u64,
        blackout_s: mean.mean_s(),
        estimate: found.estimate.into(),
        low: found.low.into(),
        high: found.high.into(),
    })
}

/// The long run of a model from a file: `loadgen-availability/1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AvailabilityReport {
    /// `loadgen-availability/1`.
    pub schema: String,
    /// What made it.
    pub tool: Tool,
    /// When it was made: RFC 3339.
    pub made_at: String,
    /// The file.
    pub file: String,
    /// How much of the time it is up.
    pub long_run: AvailabilityFigure,
    /// Each state, in the order of the file; of a net each marking in which time goes by.
    pub states: Vec<StateShare>,
    /// Rewards of a net, in the mean.
    pub rewards: BTreeMap<String, f64>,
}

/// How much of the time a state is held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StateShare {
    /// Its name.
    pub state: String,
    /// Whether it is up in it.
    pub up: bool,
    /// The share of the time, from 0 to 1.
    pub share: f64,
}

impl AvailabilityReport {
    /// The long run of a model that was read from a file of that name.
    ///
    /// # Errors
    /// [`SolveError`] if it has none.
    pub fn of(model: &ModelFile, file: &str) -> Result<Self, SolveError> {
        let solved = model.solve()?;
        let states = solved.distribution.iter().map(|(state, share)| StateShare {
            state: state.name.clone(),
            up: state.up,
            share,
        });
        Ok(Self {
            schema: SCHEMA.to_owned(),
            tool: Tool::this(),
            made_at: rfc3339(std::time::SystemTime::now()),
            file: file.to_owned(),
            long_run: solved.distribution.availability().into(),
            states: states.collect(),
            rewards: solved.rewards.into_iter().collect(),
        })
    }

    /// Reads one back. Unknown fields are passed over.
    ///
    /// # Errors
    /// [`ReportError`], as of [`Report::from_json`](crate::Report::from_json).
    pub fn from_json(text: &str) -> Result<Self, ReportError> {
        read_planless(document(text, SCHEMA)?)
    }

    /// As JSON, indented, with a newline at its end.
    ///
    /// # Errors
    /// [`ReportError::Write`] if a number cannot stand in JSON, which is a defect.
    pub fn to_json_pretty(&self) -> Result<String, ReportError> {
        written(self)
    }
}

/// The long run of a model as text, with a newline at its end.
#[must_use]
pub fn render_availability_text(report: &AvailabilityReport) -> String {
    let mut out = String::new();
    paragraph(&mut out, "", &format!("Availability in the long run: {}", report.file));
    paragraph(&mut out, "  up        ", &report.long_run.text());
    for (name, reward) in &report.rewards {
        paragraph(&mut out, "  reward    ", &format!("{name}: {reward}"));
    }
    let mut states: Vec<&StateShare> = report.states.iter().collect();
    states.sort_by(|a, b| b.share.total_cmp(&a.share));
    let row = |of: &&StateShare| {
        let up = if of.up { "up" } else { "down" };
        vec![of.state.clone(), format!("{:.9}", of.share), up.to_owned()]
    };
    let more = states.len().saturating_sub(MOST_STATES);
    render_section(
        &mut out,
        &Section {
            title: "States".to_owned(),
            scope: "the share of the time in each, the longest first".to_owned(),
            columns: vec!["state", "share", "is"],
            rows: states.iter().take(MOST_STATES).map(row).collect(),
            text_columns: 1,
            notes: match more {
                0 => Vec::new(),
                n => vec![format!("and {} more", cell::count(n as u64))],
            },
        },
    );
    out
}
