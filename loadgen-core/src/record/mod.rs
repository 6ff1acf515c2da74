//! What was measured. A worker hands every finished call to its recorder; after
//! the run the recorders of all workers are merged.

mod bad_calls;
mod calls;
pub(crate) mod causes;
mod connection_failures;
pub(crate) mod connections;
mod dates;
mod joined;
pub(crate) mod kernel;
mod load;
mod outcome;
mod own;
mod pause_log;
mod recorder;
mod sessions;
mod sink;
mod spread;
mod tags;
mod timeline;
mod tls;
pub(crate) mod visits;
pub(crate) mod written;

pub(crate) use bad_calls::BadCalls;
pub use calls::{CallLog, CallRecord};
pub use connection_failures::ConnectionFailures;
pub use connections::{ConnectionEnd, ConnectionLog};
pub(crate) use dates::DateLog;
pub use dates::DateSample;
pub(crate) use joined::both;
pub(crate) use load::{Histogram, LoadId, LoadRecord, Statuses, Tally, add};
pub use outcome::{Cause, Failure, Outcome, Phase, Population};
pub(crate) use own::{KEPT_FROM, OwnRecord, PauseRecord};
pub(crate) use pause_log::LONG_PAUSE;
pub use pause_log::PauseLog;
pub(crate) use recorder::Recorder;
pub(crate) use sessions::SessionRecord;
pub use sink::{CallSink, ConnectionId, EndedCall, SinkContext};
pub use spread::Moments;
pub(crate) use tags::TagRecord;
pub(crate) use timeline::{Counters, STEPS_PER_WINDOW, Timeline, Window};
pub(crate) use tls::TlsRecord;
