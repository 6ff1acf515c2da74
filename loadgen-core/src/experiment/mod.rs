//! Experiments: many migrations, so that something can be said of them.
//!
//! One migration is one sample. An [`Experiment`] tries every combination of the levels of some
//! factors (memory of the machine, strategy, rate, …) a number of times, in blocks of random
//! order, keeps the report of each trial as soon as it is made, goes on where it was killed, and
//! says what the trials show together ([`Summary`]): intervals, comparisons within blocks, and
//! how many more trials an open question needs.
//!
//! **It is not** a measurement of its own: a trial is a
//! [`MigrationRun`](crate::migration::MigrationRun), and every figure comes from its report. And
//! its statistics are never of calls: a thousand calls in one migration are one observation of
//! that migration.
//!
//! ```no_run
//! use loadgen_core::experiment::{Design, Experiment, ExperimentPlan, Factor, Summary};
//! use loadgen_core::migration::{CommandTrigger, MigrationRun};
//! use loadgen_core::{Load, Plan, Schedule, Target};
//!
//! let design = Design::new(7).with_factor(Factor::new("memory", ["512", "1024"]));
//! let experiment = Experiment::new(ExperimentPlan::new(design), "study", |trial| {
//!     let load = Load::established(Schedule::constant(100.0));
//!     let plan = Plan::new("http://10.0.0.5/".parse()?, load);
//!     let program = ["./migrate.sh", trial.level("memory")].map(str::to_owned);
//!     let trigger = CommandTrigger::new(program.to_vec())?;
//!     Ok(MigrationRun::new(plan, Box::new(trigger)).into())
//! });
//! experiment.start()?.join()?;
//! let summary = Summary::read("study".as_ref())?;
//! println!("{} trials", summary.trials.len());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod agenda;
mod analysis;
mod compare;
mod csv;
mod design;
mod error;
mod handle;
mod json;
mod machine;
mod metric;
mod placeholder;
mod plan;
mod plan_file;
mod predicted;
mod programs;
mod progress;
mod render;
mod runner;
mod settings;
mod store;
mod summary;
mod testbed;
#[cfg(feature = "charts")]
mod timelines;
mod trial;
mod trial_run;

#[cfg(test)]
mod tests;

pub use analysis::{CellSummary, Change, Comparison, Drift, Spread};
pub use compare::{
    CompareError, Compared, Judged, Outcome, Rule, RuleError, SelfCheck, Side, SideCell, SideError,
    SideReport, Statistic, compare, judge, self_check,
};
pub use csv::render_csv;
pub use design::{Cell, Design, Factor, Level};
pub use error::{DesignError, ExperimentError, PlanFileError};
pub use handle::{ExperimentHandle, ExperimentSnapshot};
pub use metric::{Figures, Metric, Unit, Worse, headlines};
pub use placeholder::{PlaceholderError, replaced};
pub use plan::{BUILD, Build, ExperimentLimits, ExperimentPlan};
pub use plan_file::PlanFile;
pub use predicted::Predicted;
pub use programs::Programs;
pub use progress::ExperimentProgress;
pub use render::{
    render_compared, render_gnuplot, render_html, render_markdown, render_spread, render_text,
    render_value,
};
pub use runner::{Experiment, ExperimentEnding, ExperimentOutcome};
pub use settings::{Given, HookName, HookSettings, Settings};
pub use store::is_experiment;
pub use summary::{MetricReport, PlanReport, SCHEMA, Summary};
pub use testbed::{Nothing, Testbed, TestbedError, TrialContext, Values};
pub use trial::{Trial, TrialStatus};
pub use trial_run::{MakeError, TrialRun};
