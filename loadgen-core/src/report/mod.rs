//! The one result of a run: [`Report`], serialisable, and its renderings.
//!
//! Units stand in the names of the fields. What was not measured is `None`
//! (`null` in JSON), never 0.

#[cfg(feature = "charts")]
pub(crate) mod chart;
pub(crate) mod csv;
mod file;
pub(crate) mod html;
pub(crate) mod json;
pub(crate) mod latency;
mod model;
mod model_addresses;
mod model_circumstances;
mod model_connections;
mod model_counts;
mod model_generator;
mod model_kernel;
mod model_migration;
mod model_reach;
mod model_sessions;
mod model_shards;
mod model_timeline;
mod of_sessions;
#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod schema_check;
#[cfg(test)]
pub(crate) mod schema_tests;
pub(crate) mod sections;
pub(crate) mod span;
pub(crate) mod text;

pub use csv::render_csv;
pub use file::{SaveError, Unsaved, WriteError, is_stream, reports_in, write_file};
pub use html::render_html;
pub use json::ReportError;
pub use latency::Latency;
pub(crate) use latency::latency;
pub use model::{
    Cpu, ErrorExample, LoadReport, PopulationReport, Rates, Report, SCHEMA, TagReport, Traffic,
};
pub use model_addresses::{AddressReport, ConnectedTo};
pub use model_circumstances::{
    CallsFileReport, CallsFormat, Environment, Tool, Verdict, VerdictStatus,
};
pub use model_connections::TlsReport;
pub use model_counts::Counts;
pub use model_generator::GeneratorReport;
pub use model_kernel::{
    ConnectionSample, KernelTimestamps, KernelWindow, SlowCall, SlowCalls, SlowCause,
};
pub use model_migration::{
    ConnectionsLost, Downtime, GapOf, GapWhen, LostConnections, Migration, OtherGap, OutageReport,
    Outages, PausedTime, PhaseReport, TagImpact, TagSpan, Throttle, TotalTime,
};
pub use model_reach::{Silent, Unreachable};
pub use model_sessions::{
    ConnectionFigures, ReplyFigures, RequestFigures, SessionOutcomes, SessionsReport,
};
pub use model_shards::{ShardClock, ShardReport};
pub use model_timeline::{
    FailedCall, PopulationWindow, TimelineCounters, TimelineReport, WindowReport,
};
pub use text::render_text;

pub use crate::record::{ConnectionFailures, Moments};
