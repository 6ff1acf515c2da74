//! Open-loop HTTP load with honest latency, a timeline, and live migrations.
//!
//! Five names are enough to begin with: a [`Plan`] puts a [`Load`], whose calls come by a
//! [`Schedule`], on a [`Target`]; an [`Engine`] carries it out and gives a [`Report`].
//!
//! ```
//! use std::time::Duration;
//! use loadgen_core::{Engine, Load, Plan, Schedule};
//! # use loadgen_core::target_server::{TargetOptions, TargetServer};
//! # let server = TargetServer::bind(TargetOptions::default())?.spawn()?;
//! # let url = server.url();
//!
//! let load = Load::established(Schedule::constant(200.0));
//! let plan = Plan::new(url.parse()?, load).with_duration(Duration::from_millis(500));
//! let report = Engine::new(plan)?.run()?;
//!
//! assert_eq!(report.counts.offered, 100);
//! println!("{:?}: p90 {:?}", report.verdict.status, report.response_time.quantile(0.9));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A tour
//!
//! - **What is sent**: one [`Request`] (an [`http::Request`] becomes one), a [`RequestList`] from
//!   memory, a file or an access log, or what a [`RequestSource`] of yours makes for each call.
//!   [`Sessions`] are users with several calls and think times.
//! - **When**: a [`Schedule`] is an open loop (constant, Poisson, a [`Profile`] of stages, the
//!   times of a log), so that a server that stands still does not slow it down; a closed loop is
//!   there for its capacity. [Any number of loads](Plan::with_load) run beside each other.
//! - **What is good**: an [`Expectation`] of status, size or text, or a [`Check`] of yours.
//!   Replies that are not as expected are *wrong*, wherever they are counted.
//! - **While it runs**: [`Engine::start`] gives a [`RunHandle`], with [`Snapshot`]s, a
//!   [`Window`] each tenth of a second, marks and a stop. A [`CallSink`] of yours is handed
//!   each call as it ends; [`calls_file`] writes them to a file.
//! - **What comes of it**: a [`Report`] has counts, distributions (with their
//!   [histograms](report::Latency::histogram())), a timeline, and a [verdict](report::Verdict)
//!   on whether the figures can be trusted. [`report`] renders it as text, JSON, CSV and HTML;
//!   an [`Slo`] judges it. [`sweep`] steps the rate, or looks for the highest that holds.
//! - **Migrations** (feature `migration`): a [`Trigger`](migration::Trigger) starts the live
//!   migration of a virtual machine in the middle of a load, and the report tells what its
//!   users felt.
//! - **Many of them** (feature `experiment`): an [`Experiment`](experiment::Experiment) varies factors,
//!   keeps each trial, and says what all of them show together, by [`stats`].
//! - **Without any** (feature `model`): what is to be expected of a migration and of a machine that
//!   is moved, by [`model`], and as a document, by [`prediction`].
//!
//! Response time is measured from the *intended* start of a call, so that what waits behind a
//! server that stands still is not left out. Times are on one clock, in ns from the start of the
//! load; see [`clock`].
//!
//! # Threads and panics
//!
//! The engine is blocking and brings no async runtime. Its workers are threads that share nothing
//! while they run; what you give them (a source, a check, a sink) is called on them and must
//! not block. If it panics, the run ends, and its report is kept and says so.
//!
//! # Features
//!
//! | | on by default | |
//! |---|---|---|
//! | `tls` | yes | `https` targets, by rustls |
//! | `charts` | yes | charts in the HTML of reports, by plotters |
//! | `migration` | yes | live migrations, and their triggers |
//! | `clouds` | yes | triggers that ask the managers of clouds over HTTP: OpenNebula, and others by recipes |
//! | `httperf` | yes | httperf's command line and output |
//! | `session-files` | yes | files of sessions |
//! | `stats` | yes | intervals, tests and effect sizes over trials |
//! | `watch` | yes | freezes of a target, found while a load goes on |
//! | `experiment` | yes | many migrations by a plan, with statistics |
//! | `model` | yes | models: what is to be expected of migrations, and of availability; predictions |
//! | `target-server` | yes | a server to try things on |
//! | `tokio` | no | runs that are awaited inside of a program on tokio |
//!
//! Without them (`default-features = false`) the engine, its reports and sweeps are left. Linux
//! only.
#![cfg_attr(docsrs, feature(doc_cfg))]
// What only the parts use that are left out of a small build has no attribute each: the full
// build, which the lints see, has no dead code.
#![cfg_attr(
    not(all(feature = "charts", feature = "experiment", feature = "session-files")),
    allow(dead_code, unused_imports)
)]

#[cfg(not(target_os = "linux"))]
compile_error!(
    "loadgen-core runs on Linux only: it waits with epoll, asks the kernel why calls were slow \
     (TCP_INFO), and reads /proc. Run it in a Linux virtual machine or container."
);

mod abort;
mod background;
mod base64_bytes;
pub mod calls_file;
mod check;
pub mod clock;
mod engine;
mod error;
mod event;
mod expectation;
#[cfg(feature = "experiment")]
pub mod experiment;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "httperf")]
pub mod httperf;
mod later_version;
#[cfg(feature = "migration")]
pub mod migration;
#[cfg(feature = "model")]
pub mod model;
mod net;
mod panicked;
mod plan;
#[cfg(feature = "model")]
pub mod prediction;
pub mod printable;
mod protocol;
#[doc(hidden)]
pub mod random;
mod raw_text;
pub mod record;
#[cfg(feature = "experiment")]
pub mod recordings;
pub mod report;
mod request;
mod request_source;
#[cfg(test)]
mod rooms;
pub mod scale;
mod schedule;
pub mod secret;
pub mod session;
#[cfg(feature = "session-files")]
pub mod session_file;
mod setting;
#[doc(hidden)]
pub mod shell_words;
mod slo;
#[cfg(feature = "stats")]
pub mod stats;
pub mod sweep;
mod target;
#[cfg(feature = "target-server")]
pub mod target_server;
#[cfg(test)]
mod test_vectors;
#[cfg(feature = "tokio")]
pub mod tokio;
pub mod units;
mod vm;
#[cfg(feature = "watch")]
pub mod watch;
mod workload_file;

pub use abort::{AbortRule, AbortRuleError, Aborted};
pub use check::{Check, Rejected, Reply};
pub use engine::{Engine, RunHandle, Snapshot, Stopper, Window};
pub use error::{PlanError, RunError, WorkloadFileError};
pub use event::{Event, EventKind, EventReport};
pub use expectation::{Expectation, ExpectationError, Miss};
pub use net::endpoint::Endpoint;
pub use net::tls::{ServerName, Tls, TlsError, TlsVersion};
pub use plan::{CallLimit, CloseMode, LaunchError, Load, Plan, Precision, Shard, ShardSpec};
pub use record::{
    CallLog, CallRecord, CallSink, Cause, ConnectionEnd, ConnectionId, ConnectionLog, DateSample,
    EndedCall, Failure, Outcome, PauseLog, Population, SinkContext,
};
pub use report::Report;
pub use request::Request;
pub use request_source::{Arrival, RequestBuf, RequestSource, SourceError};
pub use schedule::{
    CustomSchedule, GapLaw, GapStep, GapSteps, Gaps, Profile, ProfileError, Recorded, Schedule,
    Stage, Stages, Starts,
};
pub use session::Sessions;
pub use setting::Setting;
pub use slo::{Slo, SloError, SloJudgement, SloMetric, SloOutcome};
pub use target::{Addresses, ConnectTo, Proxy, Target};
pub use workload_file::{ListedRequest, RequestFormat, RequestList, RequestOrder};

/// The example of the package's page, so that it compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
