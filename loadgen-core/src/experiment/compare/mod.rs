//! Two experiments, or two lots of reports, held against each other: what changed, and whether
//! that is more than chance.

mod compared;
mod gate;
mod self_check;
mod side;

pub use compared::{CompareError, Compared, SideCell, SideReport, compare};
pub use gate::{Judged, Outcome, Rule, RuleError, Statistic, judge};
pub use self_check::{SelfCheck, self_check};
pub use side::{Side, SideError};
