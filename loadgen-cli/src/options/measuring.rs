//! What is measured beside the calls.

use clap::Args;
use loadgen_core::Plan;

#[derive(Debug, Args)]
#[command(next_help_heading = "Load")]
pub(crate) struct MeasuringOptions {
    /// Ask the kernel when it received each reply, and tell how long replies lay unread
    ///
    /// The report then has the distribution of that delay, which is this machine's and not
    /// the server's, and the service time without it. Response and service time stay as they
    /// are. Costs some CPU with each read.
    #[arg(long)]
    kernel_timestamps: bool,
}

impl MeasuringOptions {
    /// The plan with the settings of this group.
    pub(crate) fn apply(&self, plan: Plan) -> Plan {
        if self.kernel_timestamps { plan.with_kernel_timestamps() } else { plan }
    }
}
