//! Rate stepping, and the search for the highest rate that holds objectives.
//!
//! A [`Sweep`] runs one plan at many rates: the [`Steps`] it is given, or those
//! that a [`Search`] asks for. Each run becomes a [`SweepPoint`] of a
//! [`SweepReport`], which finds the [`Knee`] and the [`Saturation`] and is
//! rendered as text, CSV, JSON and HTML. **It is not** a measurement of its own:
//! every figure comes from the [`Report`](crate::Report) of a run, and other
//! programs may make points of theirs with [`SweepPoint::of`].

#[cfg(feature = "charts")]
mod chart;
mod csv;
mod error;
mod handle;
mod html;
mod json;
mod judge;
mod knee;
mod migrations;
mod point;
mod report;
mod runner;
#[cfg(test)]
mod schema_tests;
mod search;
mod sections;
mod steps;

pub use csv::{render_csv, render_tsv};
pub use error::SweepError;
pub use handle::{SweepHandle, SweepSnapshot, UnfinishedSweep};
pub use html::render_html;
pub use knee::{Knee, Saturation};
pub use point::{KEEPS_UP_WITHIN, PointKind, PointMigration, SweepPoint};
pub use report::{SCHEMA, SearchReport, SweepReport};
pub use runner::{Sweep, SweepObserver};
pub use search::{Attempt, Search, SearchEnding, SearchSettings, Verdict};
pub use sections::render_text;
pub use steps::{Steps, StepsError, parse_bounds};
