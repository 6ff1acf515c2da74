//! Open-loop HTTP load with honest latency, a timeline, and live migrations.
//!
//! **Layout**: data flows one way. A [`Plan`] gives a [`Schedule`]; an
//! [`Engine`] sends it from workers that share nothing; every finished call goes
//! to a recorder; the recorders are merged into a [`Report`]. A
//! [`Trigger`](migration::Trigger) adds events, from which the impact of a
//! migration is computed.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod abort;
mod base64_bytes;
pub mod calls_file;
mod check;
pub mod clock;
mod engine;
mod error;
mod event;
mod expectation;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod httperf;
pub mod migration;
mod net;
mod plan;
pub mod printable;
mod protocol;
#[doc(hidden)]
pub mod random;
mod raw_text;
pub mod record;
pub mod report;
mod request;
mod request_source;
#[cfg(test)]
mod rooms;
mod schedule;
pub mod secret;
pub mod session;
pub mod session_file;
#[doc(hidden)]
pub mod shell_words;
mod slo;
pub mod sweep;
mod target;
pub mod target_server;
pub mod units;
mod vm;
mod workload_file;

pub use abort::{AbortRule, AbortRuleError, Aborted};
pub use check::{Check, Rejected, Reply};
pub use engine::{Engine, RunHandle, Snapshot, Stopper, Window};
pub use error::{PlanError, RunError, WorkloadFileError};
pub use event::{Event, EventKind, EventReport};
pub use expectation::{Expectation, ExpectationError, Miss};
pub use net::endpoint::Endpoint;
pub use net::tls::{ServerName, Tls, TlsError, TlsVersion};
pub use plan::{CallLimit, CloseMode, Load, Plan, Precision};
pub use record::{
    CallLog, CallRecord, CallSink, Cause, ConnectionEnd, ConnectionId, ConnectionLog, DateSample,
    EndedCall, Failure, Outcome, PauseLog, Population, SinkContext,
};
pub use report::Report;
pub use request::Request;
pub use request_source::{Arrival, RequestBuf, RequestSource, SourceError};
pub use schedule::{
    GapLaw, GapStep, GapSteps, Gaps, Profile, ProfileError, Recorded, Schedule, Stage, Stages,
};
pub use session::Sessions;
pub use slo::{Slo, SloError, SloJudgement, SloMetric, SloOutcome};
pub use target::{Addresses, ConnectTo, Proxy, Target};
pub use workload_file::{ListedRequest, RequestFormat, RequestList, RequestOrder};
