//! What was measured, before it becomes a report: of one worker, of those of a process, and of
//! the processes that carry out a plan together. All are joined by [`Harvest::merge`], in any
//! order.

use serde::{Deserialize, Serialize};

use crate::clock::Nanos;
use crate::net::lookups::Lookups;
use crate::plan::{Load, Plan, nanos};
use crate::record::kernel::KernelRecord;
use crate::record::{Recorder, SessionRecord, both};

/// What a worker brings home, or several do.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Harvest {
    pub(crate) recorder: Recorder,
    /// What workers of single calls learnt from the kernel.
    pub(crate) kernel: Option<KernelRecord>,
    /// User and system CPU time from the start of the load to the end of the drain.
    pub(crate) cpu: (u64, u64),
    /// The sum of both to the end of the load, of the busiest worker.
    pub(crate) busiest_cpu: u64,
    /// What ended workers before their time.
    pub(crate) broken: Vec<String>,
    /// Workers that panicked, and brought nothing home.
    pub(crate) panicked: u32,
    /// When the schedules ended.
    pub(crate) load_end: Nanos,
    /// When the drain ended.
    pub(crate) finished: Nanos,
    /// What workers of sessions counted beside.
    pub(crate) sessions: Option<SessionRecord>,
    /// How the resolver did; `None`: there was none.
    pub(crate) lookups: Option<Lookups>,
}

impl Harvest {
    /// The time that the figures of a summary are of.
    pub(crate) fn measured(&self, plan: &Plan) -> Nanos {
        self.load_end.saturating_sub(nanos(plan.warmup_s))
    }

    /// Joins that of another worker of the same plan.
    pub(crate) fn merge(&mut self, other: Self) {
        self.recorder.merge(other.recorder);
        both(&mut self.kernel, other.kernel, KernelRecord::merge);
        self.cpu.0 += other.cpu.0;
        self.cpu.1 += other.cpu.1;
        self.busiest_cpu = self.busiest_cpu.max(other.busiest_cpu);
        self.broken.extend(other.broken);
        self.broken.sort();
        self.panicked += other.panicked;
        self.load_end = self.load_end.max(other.load_end);
        self.finished = self.finished.max(other.finished);
        both(&mut self.sessions, other.sessions, |mine, theirs| mine.merge(&theirs));
        both(&mut self.lookups, other.lookups, Lookups::merge);
    }

    /// Whether it can be one of this plan, with so many tags: what is read need not be.
    pub(crate) fn is_of(&self, plan: &Plan, tags: usize) -> bool {
        let loads = plan.loads().map(Load::population);
        self.recorder.is_of(loads, tags) && self.kernel.as_ref().is_none_or(KernelRecord::is_sound)
    }
}
