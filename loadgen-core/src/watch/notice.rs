//! What a cloud, or a file, said beside a watch.

use serde::Serialize;

use crate::event::EventReport;

/// What a cloud said of maintenance, or a line of a file.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Notice {
    /// When it began to say so, as RFC 3339 by this host's clock; how far off that may be is in the
    /// event.
    pub at: String,
    /// What was said, and when by the clock of the load.
    #[serde(flatten)]
    pub event: EventReport,
}
