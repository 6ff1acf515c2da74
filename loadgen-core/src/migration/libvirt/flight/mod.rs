//! A migration under way: what is heard of it becomes events, orders are given that a strategy
//! needs on the way, and the end is found.
//!
//! `virsh migrate` is done with much more than the migration: before QEMU's begins, the target's
//! QEMU is started (5 to 12 s), and after the machine runs there, the source is tidied up (2 s).
//! Neither is migration time. So `accepted` is when QEMU's migration begins, the end is when both
//! sides were done, and only that it is the end is known by virsh's exit and the target's word.
//!
//! **Layout**: here is what a migration is, and what time brings; [`hearing`] is what is heard of
//! it, [`asking`] orders and questions, [`ending`] its end.

mod asking;
mod ending;
mod hearing;

use std::collections::VecDeque;
use std::thread;
use std::time::{Duration, Instant};

use asking::Asked;
use ending::End;

use super::ears::Ears;
use super::job_info::JobInfo;
use super::told::Told;
use super::virsh::{Question, Virsh};
use crate::clock::{Clock, Nanos};
use crate::event::{Event, EventKind};
use crate::migration::foreign_clock::{Mapping, Stamp};
use crate::migration::patience::{Patience, Turn};
use crate::migration::process::Process;
use crate::migration::side::Side;
use crate::migration::strategy::PostcopyAfter;
use crate::migration::trigger::{Strategy, TriggerError};

/// How long between two looks at what was heard; its times do not depend on it.
const LOOK: Duration = Duration::from_millis(5);
/// How often progress is asked for: a process each time.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);
/// How long between two such questions, and two orders to abort.
const AGAIN: Duration = Duration::from_millis(300);
/// How long virsh may take to end when its migration was aborted, before it is ended itself.
const ABORT_LIMIT: Duration = Duration::from_secs(60);

/// What is needed to fly.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) clock: Clock,
    pub(super) mappings: [Mapping; 2],
    pub(super) domain: String,
    /// Of source and target.
    pub(super) uris: [String; 2],
    pub(super) strategy: Strategy,
    pub(super) postcopy_after: PostcopyAfter,
}

/// When something was, and how sure that is.
type Moment = (Nanos, Nanos);

/// See the module.
#[derive(Debug)]
pub(super) struct Flight {
    setup: Setup,
    virsh: Virsh,
    ears: [Ears; 2],
    migrate: Process,
    out: VecDeque<Event>,
    questions: Vec<(Asked, Instant, Question)>,
    fired: Nanos,
    /// When QEMU's migration began.
    began: Option<Nanos>,
    /// When the machine was stopped first.
    stop: Option<Moment>,
    round: u32,
    stopped: bool,
    postcopy_due: Option<Instant>,
    /// Post-copy was ordered.
    postcopy: bool,
    /// Post-copy has begun: neither side has all of the memory.
    switched: bool,
    resumed: Option<Moment>,
    done: [Option<Moment>; 2],
    next_progress: Instant,
    /// The figures of the job that is over, as the source told them.
    job: JobInfo,
    hears_job: bool,
    /// Why we gave the migration up ourselves.
    given_up: Option<String>,
    cancelled: Option<Instant>,
    abort_again: Option<Instant>,
    end: Option<End>,
    /// What libvirt told of sides whose QEMU is heard: for the case that it is not, after all.
    spare: VecDeque<(Side, Stamp, Told)>,
    over: bool,
}

impl Flight {
    /// A migration whose virsh was started at `fired`.
    pub(super) fn new(
        setup: Setup,
        virsh: Virsh,
        ears: [Ears; 2],
        migrate: Process,
        fired: Event,
    ) -> Self {
        Self {
            setup,
            virsh,
            ears,
            migrate,
            fired: fired.at,
            out: VecDeque::from([fired]),
            questions: Vec::new(),
            began: None,
            stop: None,
            round: 0,
            stopped: false,
            postcopy_due: None,
            postcopy: false,
            switched: false,
            resumed: None,
            done: [None, None],
            next_progress: Instant::now(),
            job: JobInfo::default(),
            hears_job: false,
            given_up: None,
            cancelled: None,
            abort_again: None,
            end: None,
            spare: VecDeque::new(),
            over: false,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// From virsh's start to QEMU's migration, and from its end to virsh's.
    pub(super) fn preparation_and_tidying(&self) -> (Option<Nanos>, Option<Nanos>) {
        let preparation = self.began.map(|began| began.saturating_sub(self.fired));
        let last = self.last_done().map(|moment| moment.0);
        let tidying = self.end.as_ref().zip(last).map(|(end, last)| end.at.saturating_sub(last));
        (preparation, tidying)
    }

    /// Whether the machine was seen to run at the target, once virsh had ended.
    pub(super) fn runs_at_target(&self) -> Option<bool> {
        let state = self.end.as_ref()?.states[Side::Target as usize].as_ref()?;
        Some(matches!(state, Ok(state) if state == "running"))
    }

    /// Leaves a post-copy that has begun to itself, and says so: it needs its virsh to come to an
    /// end, and the machine has nothing to go back to.
    pub(super) fn let_go(&mut self) -> bool {
        let needs_virsh = self.postcopy && self.end.is_none();
        if needs_virsh {
            self.migrate.let_go();
        }
        needs_virsh
    }

    /// The figures of the job, as the source told them at its end.
    pub(super) fn job(&self) -> &JobInfo {
        &self.job
    }

    /// Why QEMU's own events are not heard, of both sides.
    pub(super) fn deaf(&self) -> [Option<&str>; 2] {
        self.ears.each_ref().map(Ears::deaf)
    }

    pub(super) fn next_event(&mut self, timeout: Duration) -> Result<Option<Event>, TriggerError> {
        let mut patience = Patience::new(timeout);
        loop {
            self.hear();
            self.read_answers();
            self.on_timers()?;
            if let Some(event) = self.out.pop_front() {
                return Ok(Some(event));
            }
            if self.over {
                return Ok(None);
            }
            let migrate = &mut self.migrate;
            let turn = patience.wait(|turn| {
                if migrate.ended_at().is_some() {
                    thread::sleep(turn.min(LOOK));
                } else {
                    // What it prints says nothing that is not heard otherwise.
                    migrate.next_line(turn.min(LOOK));
                }
                None::<()>
            });
            if turn == Turn::Over {
                return Ok(None);
            }
        }
    }

    /// Asks libvirt to give the migration up.
    pub(super) fn cancel(&mut self) -> Result<(), TriggerError> {
        if self.over || self.end.is_some() {
            return Ok(());
        }
        if self.postcopy {
            return Err(TriggerError::Unsupported(
                "a migration cannot be cancelled once post-copy has begun: neither side has all \
                 of the machine's memory",
            ));
        }
        if self.cancelled.is_none() {
            self.cancelled = Some(Instant::now());
            self.abort();
        }
        Ok(())
    }

    fn on_timers(&mut self) -> Result<(), TriggerError> {
        let now = Instant::now();
        if self.over {
            return Ok(());
        }
        if self.end.is_some() {
            self.find_the_end(now);
            return Ok(());
        }
        if let Some(at) = self.migrate.ended_at() {
            return self.virsh_ended(at, now);
        }
        if self.postcopy_due.is_some_and(|due| due <= now) && self.cancelled.is_none() {
            self.start_postcopy();
        }
        if self.abort_again.take_if(|due| *due <= now).is_some() {
            self.abort();
        }
        if self.cancelled.is_some_and(|since| now - since > ABORT_LIMIT) {
            // Libvirt gives up the migrations of a client that is gone.
            let killed = self.migrate.signal(libc::SIGTERM);
            killed.map_err(|error| TriggerError::io("ending virsh", error))?;
        }
        let asks = self.questions.iter().any(|(asked, ..)| *asked == Asked::Progress);
        if self.began.is_some() && !asks && self.next_progress <= now {
            self.next_progress = now + PROGRESS_EVERY;
            self.ask(Asked::Progress, Side::Source, &["domjobinfo", "--rawstats", "--domain"]);
        }
        Ok(())
    }

    fn event(&self, kind: EventKind, side: Side, stamp: Stamp) -> Event {
        let source = match side {
            Side::Source => "libvirt:source",
            Side::Target => "libvirt:target",
        };
        self.setup.mappings[side as usize].event(kind, source, &self.setup.clock, stamp)
    }

    fn moment(&self, side: Side, stamp: Stamp) -> Moment {
        let event = self.event(EventKind::Progress, side, stamp);
        (event.at, event.uncertainty)
    }

    fn tell(&mut self, kind: EventKind, side: Side, stamp: Stamp) {
        let event = self.event(kind, side, stamp);
        self.out.push_back(event);
    }

    fn tell_status(&mut self, side: Side, status: &str, stamp: Stamp) {
        let event = self.event(EventKind::Progress, side, stamp);
        self.out.push_back(event.with("status", status));
    }
}
