//! The one result of a run: [`Report`], serialisable, and its renderings.
//!
//! Units stand in the names of the fields. What was not measured is `None`
//! (`null` in JSON), never 0.

pub(crate) mod base64_bytes;
pub(crate) mod latency;
mod model;

pub(crate) use latency::latency;
pub use model::{
    Counts, Cpu, Downtime, Environment, ErrorExample, FailedCall, Latency, Migration, OutageReport,
    Outages, PhaseReport, PopulationReport, PopulationWindow, Rates, Report, SCHEMA,
    TimelineCounters, TimelineReport, Tool, TotalTime, Traffic, Verdict, VerdictStatus,
    WindowReport,
};
