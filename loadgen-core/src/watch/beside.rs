//! The notices of all sources, read beside a watch.

use std::sync::atomic::AtomicBool;

use super::error::WatchError;
use super::news::WatchNews;
use super::notice::Notice;
use super::notices::{NoticeSource, Notices};
use crate::clock::{Clock, rfc3339};
use crate::engine::unless_stopped;
use crate::event::EventReport;

/// See above.
pub(super) struct Beside {
    /// That of the notices.
    clock: Clock,
    all: Vec<Notices>,
}

impl Beside {
    /// Asks each source once, until somebody stops it: that may take minutes.
    pub(super) fn start(sources: &[NoticeSource], stop: &AtomicBool) -> Result<Self, WatchError> {
        let clock = Clock::start();
        let start = |source: &NoticeSource| {
            let source = source.clone();
            let started = unless_stopped(stop, move || Notices::start(&source, clock))?;
            started.map_err(WatchError::Notices)
        };
        let all = sources.iter().map(start).collect::<Result<_, _>>()?;
        Ok(Self { clock, all })
    }

    /// Tells what has come, by the clock of the load, and says how many notices there were.
    pub(super) fn tell(&mut self, load: &Clock, tell: &mut dyn FnMut(WatchNews<'_>)) -> u64 {
        let mut told = 0;
        for source in &mut self.all {
            for mut event in source.take() {
                let at = self.clock.wall_time(event.at);
                event.at = load.from_monotonic(self.clock.to_monotonic(event.at));
                let notice = Notice { at: rfc3339(at), event: EventReport::from(&event) };
                tell(WatchNews::Notice(&notice));
                told += 1;
            }
            if let Some(trouble) = source.trouble() {
                tell(WatchNews::Trouble(&trouble));
            }
        }
        told
    }
}
