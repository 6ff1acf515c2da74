//! Orders and questions on the way, and what comes of their answers. Nobody waits for one.

use std::time::{Duration, Instant};

use super::{AGAIN, Flight};
use crate::clock::monotonic_ns;
use crate::event::EventKind;
use crate::migration::foreign_clock::Stamp;
use crate::migration::libvirt::job_info::JobInfo;
use crate::migration::side::Side;
use crate::migration::trigger::TriggerError;

/// A question that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Progress,
    Postcopy,
    Abort,
    State(Side),
}

impl Flight {
    pub(super) fn abort(&mut self) {
        self.ask(Asked::Abort, Side::Source, &["domjobabort", "--domain"]);
    }

    /// Asks something about the domain, without waiting for the answer.
    pub(super) fn ask(&mut self, asked: Asked, side: Side, words: &[&str]) {
        let domain = self.setup.domain.clone();
        let words: Vec<&str> = words.iter().copied().chain([domain.as_str()]).collect();
        let uri = &self.setup.uris[side as usize];
        match self.virsh.question(Some(uri), &words) {
            Ok(question) => self.questions.push((asked, Instant::now(), question)),
            Err(error) => self.on_answer(asked, Instant::now(), Err(error)),
        }
    }

    pub(super) fn read_answers(&mut self) {
        let mut k = 0;
        while k < self.questions.len() {
            match self.questions[k].2.answer(Duration::ZERO) {
                Some(answer) => {
                    let (asked, since, _) = self.questions.swap_remove(k);
                    self.on_answer(asked, since, answer);
                }
                None => k += 1,
            }
        }
    }

    fn on_answer(&mut self, asked: Asked, since: Instant, answer: Result<String, TriggerError>) {
        match (asked, answer) {
            (Asked::Progress, Ok(text)) if self.end.is_none() => {
                let info = JobInfo::read(&text);
                if info.has_memory() {
                    let slack = u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX);
                    let stamp = Stamp { at_ns: monotonic_ns(), timestamp: None, slack };
                    let event = self.event(EventKind::Progress, Side::Source, stamp);
                    self.out.push_back(info.progress(event));
                }
            }
            (Asked::Postcopy, Err(error)) if self.end.is_none() && !self.switched => {
                // What now goes on is a pre-copy, and would pass for a post-copy.
                self.postcopy = false;
                self.given_up = Some(format!("post-copy was refused: {error}"));
                self.abort();
            }
            // Before its job has begun there is nothing to abort.
            (Asked::Abort, Err(_)) if self.end.is_none() => {
                self.abort_again = Some(Instant::now() + AGAIN);
            }
            (Asked::State(side), answer) => {
                if let Some(end) = &mut self.end {
                    end.states[side as usize] = Some(answer.map_err(|error| error.to_string()));
                }
            }
            _ => {}
        }
    }

    pub(super) fn start_postcopy(&mut self) {
        self.postcopy_due = None;
        self.postcopy = true;
        self.ask(Asked::Postcopy, Side::Source, &["migrate-postcopy", "--domain"]);
    }
}
