//! What was measured. A worker hands every finished call to its recorder; after
//! the run the recorders of all workers are merged.

mod calls;
mod outcome;

pub use calls::{CallLog, CallRecord};
pub use outcome::{Cause, Failure, Outcome, Phase, Population};
