//! What replies are compared with.

use clap::Args;
use loadgen_core::{Expectation, Plan};

#[derive(Debug, Args)]
#[command(next_help_heading = "Checks")]
pub(crate) struct CheckOptions {
    /// Expect this of every reply (repeatable): status=200-299, size=100-2000, body~TEXT, body!~TEXT
    ///
    /// A reply that is not so is counted as wrong: it is answered, but no good reply. It is in no
    /// distribution of response times, counts as a miss in --slo, and does not end an outage. body~TEXT:
    /// the body has this text, in whatever pieces it comes; body!~TEXT: it has not; size: bytes of the
    /// body. Where anything is expected, a status of 400 and above is wrong, too, unless status= says
    /// otherwise. Single requests of a JSON-lines file may have an "expect" of their own beside it.
    #[arg(long, value_name = "WHAT")]
    expect: Vec<Expectation>,
}

impl CheckOptions {
    /// The plan with what is expected.
    pub(super) fn apply(&self, plan: Plan) -> Plan {
        self.expect.iter().cloned().fold(plan, Plan::with_expectation)
    }
}
