//! What a cloud tells beforehand, and while it lasts, of the maintenance of a machine, heard from
//! inside of that machine; or what somebody writes into a file.
//!
//! A thread of its own asks ([`asked`]) or looks ([`file`]), and leaves what it learns in [`told`].
//! A cloud is what is asked of it, and what follows from its answers: [`gcp`], [`azure`], [`aws`].
//!
//! Not here: what a notice means for the service. Invariants: clouds are only asked, nothing is ever
//! acknowledged or ordered; the interval of an [`Event`] (`at` ± `uncertainty`) holds the moment in
//! which the cloud changed its answer; dates that a cloud writes stay text; no secret is in an event
//! or in words of trouble; memory is bounded, whatever answers.

mod asked;
mod aws;
mod azure;
mod bounded;
mod cloud;
mod file;
mod gcp;
mod line;
mod listed;
mod source;
#[cfg(test)]
mod tests;
mod told;

use crate::background::Background;
use crate::clock::Clock;
use crate::event::Event;
use crate::migration::TriggerError;
use asked::Asker;
use file::Followed;
pub use source::NoticeSource;
use told::Told;

/// See the module. Dropped, it stops asking at once; a question under way is not waited for.
#[derive(Debug)]
pub(crate) struct Notices {
    work: Background<Told, ()>,
    /// The end of the thread was told.
    end_told: bool,
}

impl Notices {
    /// Asks once, and then goes on on a thread of its own. It waits for the first answer: for Azure
    /// that may take two minutes on a machine that never asked before, for the others some seconds.
    ///
    /// # Errors
    /// [`TriggerError`] if nothing answers, or what answers is no metadata server of that cloud; if
    /// the file cannot be read, or the folder is missing in which it is to appear.
    pub(crate) fn start(source: &NoticeSource, clock: Clock) -> Result<Self, TriggerError> {
        let mut told = Told::default();
        let started = match source.server(|name| std::env::var(name).ok()) {
            None => {
                let mut followed = Followed::start(source.path(), clock, &mut told)?;
                Background::start("notices", told, move |shared| followed.follow(shared))
            }
            Some(url) => {
                let mut asker = Asker::start(source, &url, clock, &mut told)?;
                Background::start("notices", told, move |shared| asker.ask(shared))
            }
        };
        let work = started.map_err(|error| {
            TriggerError::io("starting a thread for maintenance notices", error)
        })?;
        Ok(Self { work, end_told: false })
    }

    /// What came since it was last asked; never waits.
    pub(crate) fn take(&mut self) -> Vec<Event> {
        self.work.progress().take()
    }

    /// The newest trouble since it was last asked. The same is told again only after it had worked
    /// in between. Asking goes on meanwhile.
    pub(crate) fn trouble(&mut self) -> Option<String> {
        let trouble = self.work.progress().take_trouble();
        let ended = trouble.is_none() && !self.end_told && self.work.is_finished();
        self.end_told |= ended;
        trouble.or_else(|| {
            ended.then(|| "maintenance notices are not asked for any more: the thread ended".into())
        })
    }
}
