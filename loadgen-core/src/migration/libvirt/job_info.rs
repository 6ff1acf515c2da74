//! `virsh domjobinfo --rawstats`, and the same figures in the event of a completed job: progress on
//! the way, and what came of it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::event::Event;

/// What of a running job is progress, and how it is called in reports.
const PROGRESS: [(&str, &str); 7] = [
    ("memory_processed", "transferred_bytes"),
    ("memory_remaining", "remaining_bytes"),
    ("memory_total", "total_bytes"),
    ("memory_dirty_rate", "dirty_pages_per_s"),
    ("memory_iteration", "dirty_sync_count"),
    ("memory_page_size", "page_size_bytes"),
    ("auto_converge_throttle", "cpu_throttle_percent"),
];

/// Figures of a job, by libvirt's names. While it runs, its `downtime` is the limit, and no
/// measurement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct JobInfo(BTreeMap<String, i64>);

impl JobInfo {
    /// Reads what virsh printed: `NAME: VALUE` a line.
    pub(super) fn read(text: &str) -> Self {
        let mut info = Self::default();
        for (name, value) in text.lines().filter_map(|line| line.split_once(':')) {
            info.add(name.trim(), value.trim());
        }
        info
    }

    /// Adds a figure; what is no number is passed over.
    pub(super) fn add(&mut self, name: &str, value: &str) {
        if let Ok(value) = value.parse() {
            self.0.insert(name.to_owned(), value);
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<u64> {
        self.0.get(name).and_then(|value| u64::try_from(*value).ok())
    }

    /// Whether it has figures of a memory that is moved: those of no job, and of a job that was
    /// aborted, are none.
    pub(super) fn has_memory(&self) -> bool {
        self.get("memory_total").is_some_and(|bytes| bytes > 0)
    }

    /// The event with the progress in its attributes.
    pub(super) fn progress(&self, mut event: Event) -> Event {
        for (theirs, ours) in PROGRESS {
            if let Some(value) = self.get(theirs) {
                event.attributes.insert(ours.to_owned(), value.into());
            }
        }
        event
    }

    /// All of it, for the report.
    pub(super) fn all(&self) -> Map<String, Value> {
        self.0.iter().map(|(name, value)| (name.clone(), (*value).into())).collect()
    }
}

/// Whether a job of the domain is under way, by `virsh domjobinfo --rawstats`.
pub(in crate::migration) fn job_under_way(text: &str) -> bool {
    JobInfo::read(text).get("Job type").is_some_and(|kind| matches!(kind, 1 | 2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventKind;

    #[test]
    fn figures_of_libvirt_9() {
        let text = "Job type: 3\nOperation: 4\ntime_elapsed: 8572\ndowntime: 150\n\
                    memory_total: 268967936\nmemory_processed: 122893597\nmemory_iteration: 3\n\
                    memory_page_size: 4096\nodd: x\n\n";
        let info = JobInfo::read(text);
        assert_eq!((info.get("downtime"), info.get("odd")), (Some(150), None));
        assert!(info.has_memory() && !JobInfo::read("Job type: 0\n").has_memory());
        let event = info.progress(Event::new(EventKind::Progress, 0, 0, "libvirt:source"));
        let names: Vec<&String> = event.attributes.keys().collect();
        assert_eq!(
            names,
            ["dirty_sync_count", "page_size_bytes", "total_bytes", "transferred_bytes"]
        );
        assert_eq!(info.all()["time_elapsed"], 8572);
    }
}
