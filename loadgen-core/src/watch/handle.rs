//! A watch on a thread of its own: looked at, stopped, awaited.

use std::io;

use super::error::WatchError;
use super::news::{WatchNews, WatchProgress};
use super::run::Watch;
use super::summary::WatchSummary;
use crate::background::Background;
use crate::error::RunError;

/// A watch that goes on. When it is dropped, it ends, and its summary is lost.
#[derive(Debug)]
pub struct WatchHandle(Background<WatchProgress, Result<WatchSummary, WatchError>>);

impl Watch {
    /// Starts it on a thread of its own, on which `observe` is called, too, and returns. What
    /// cannot be prepared is told by [`WatchHandle::join`].
    ///
    /// # Errors
    /// [`RunError::Setup`] if the kernel refuses a thread.
    pub fn start(
        self,
        mut observe: impl FnMut(WatchNews<'_>) + Send + 'static,
    ) -> Result<WatchHandle, RunError> {
        let work = Background::start("loadgen-watch", WatchProgress::default(), move |shared| {
            self.run(shared.flag(), &mut |news| {
                if let WatchNews::Progress(now) = &news {
                    *shared.progress() = **now;
                }
                observe(news);
            })
        });
        let cannot = |cause: io::Error| RunError::Setup { what: "the thread of a watch", cause };
        work.map(WatchHandle).map_err(cannot)
    }
}

impl WatchHandle {
    /// Where it stands.
    #[must_use]
    pub fn snapshot(&self) -> WatchProgress {
        *self.0.progress()
    }

    /// Ends it. Returns at once.
    pub fn stop(&self) {
        self.0.stop();
    }

    /// Whether it has come to its end.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    /// Waits for the end and gives the summary.
    ///
    /// # Errors
    /// As [`Watch::run`].
    pub fn join(self) -> Result<WatchSummary, WatchError> {
        self.0.join()
    }
}
