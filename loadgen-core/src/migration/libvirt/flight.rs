//! A migration under way: what is heard of it becomes events, orders are given that a strategy
//! needs on the way, and the end is found.
//!
//! `virsh migrate` is done with much more than the migration: before QEMU's begins, the target's
//! QEMU is started (5 to 12 s), and after the machine runs there, the source is tidied up (2 s).
//! Neither is migration time. So `accepted` is when QEMU's migration begins, the end is when both
//! sides were done, and only that it is the end is known by virsh's exit and the target's word.

use std::collections::VecDeque;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::ears::Ears;
use super::job_info::JobInfo;
use super::told::Told;
use super::virsh::{self, Question, Virsh};
use crate::clock::{Clock, Nanos, monotonic_ns};
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
/// How long what both sides said may still be under way when virsh has ended.
const EVENT_LAG: Duration = Duration::from_millis(500);
/// How long the target may need to say that the machine runs.
const RUNNING_LIMIT: Duration = Duration::from_secs(10);
/// How long between two such questions, and two orders to abort.
const AGAIN: Duration = Duration::from_millis(300);
/// How long virsh may take to end when its migration was aborted, before it is ended itself.
const ABORT_LIMIT: Duration = Duration::from_secs(60);

/// How many of libvirt's own events are kept for the case that QEMU's are not heard.
const SPARE: usize = 256;
/// How long what virsh printed may still be under way when it has ended.
const LAST_WORDS: Duration = Duration::from_millis(500);

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

/// A question that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Progress,
    Postcopy,
    Abort,
    State(Side),
}

/// The end of virsh.
#[derive(Debug)]
struct End {
    /// Why it failed, by virsh's account.
    failed: Option<String>,
    at: Nanos,
    since: Instant,
    /// The state of the machine at both sides, once it was told.
    states: [Option<Result<String, String>>; 2],
    ask_again: Instant,
}

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

    fn abort(&mut self) {
        self.ask(Asked::Abort, Side::Source, &["domjobabort", "--domain"]);
    }

    /// Asks something about the domain, without waiting for the answer.
    fn ask(&mut self, asked: Asked, side: Side, words: &[&str]) {
        let domain = self.setup.domain.clone();
        let words: Vec<&str> = words.iter().copied().chain([domain.as_str()]).collect();
        let uri = &self.setup.uris[side as usize];
        match self.virsh.question(Some(uri), &words) {
            Ok(question) => self.questions.push((asked, Instant::now(), question)),
            Err(error) => self.on_answer(asked, Instant::now(), Err(error)),
        }
    }

    fn read_answers(&mut self) {
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

    fn hear(&mut self) {
        let mut heard = Vec::new();
        for side in Side::BOTH {
            for (at, told) in self.ears[side as usize].heard(&self.setup.domain) {
                let received = Stamp::received(self.setup.clock.to_monotonic(at));
                let stamp = Stamp { timestamp: told.time(), ..received };
                heard.push((self.moment(side, stamp), side, stamp, told));
            }
        }
        // What was under way at the same time, as it happened; lines that belong together stay so.
        heard.sort_by_key(|((at, _), ..)| *at);
        for (moment, side, stamp, told) in heard {
            self.on_told(moment, side, stamp, told);
        }
        self.listen_to_libvirt();
    }

    /// Takes libvirt's word where QEMU's is not heard: of some hypervisors that turns out late.
    fn listen_to_libvirt(&mut self) {
        let is_silent = self.end.is_some() && self.began.is_none();
        for (side, stamp, told) in std::mem::take(&mut self.spare) {
            match told {
                _ if self.ears[side as usize].hear_qemu() && !is_silent => {
                    self.spare.push_back((side, stamp, told));
                }
                Told::Lifecycle { state, detail } => {
                    self.on_lifecycle(side, &state, &detail, stamp);
                }
                Told::Iteration(number) if side == Side::Source => {
                    self.begin(stamp);
                    self.on_pass(number, stamp);
                }
                _ => {}
            }
        }
    }

    fn on_told(&mut self, (when, uncertainty): Moment, side: Side, stamp: Stamp, told: Told) {
        if when.saturating_add(uncertainty) < self.fired {
            return;
        }
        if let Told::Figure { name, value } = told {
            if self.hears_job && side == Side::Source {
                self.job.add(&name, &value);
            }
            return;
        }
        if side == Side::Source && !matches!(told, Told::Qemu { .. }) {
            self.hears_job = told == Told::JobCompleted;
            if self.hears_job {
                self.job = JobInfo::default();
            }
        }
        match told {
            Told::Qemu { name, data, .. } => self.on_qemu(side, &name, &data, stamp),
            Told::Lifecycle { .. } | Told::Iteration(_) => {
                if self.spare.len() == SPARE {
                    self.spare.pop_front();
                }
                self.spare.push_back((side, stamp, told));
            }
            Told::JobCompleted | Told::Figure { .. } | Told::Other => {}
        }
    }

    fn on_qemu(&mut self, side: Side, name: &str, data: &Value, stamp: Stamp) {
        match (name, side) {
            ("STOP", Side::Source) => self.on_stop(stamp, false),
            ("STOP", Side::Target) => {
                self.tell(EventKind::Mark("target-stop".to_owned()), side, stamp);
            }
            ("RESUME", _) => self.on_resume(side, stamp, false),
            ("MIGRATION_PASS", Side::Source) => {
                let pass = data["pass"].as_u64().and_then(|pass| u32::try_from(pass).ok());
                if let Some(pass) = pass {
                    self.on_pass(pass, stamp);
                }
            }
            ("MIGRATION", _) => {
                let status = data["status"].as_str().unwrap_or_default().to_owned();
                self.on_status(side, &status, stamp);
            }
            _ => {}
        }
    }

    fn on_status(&mut self, side: Side, status: &str, stamp: Stamp) {
        match (side, status) {
            (Side::Source, "setup") => {
                self.begin(stamp);
                self.tell(EventKind::Setup, side, stamp);
            }
            (Side::Source, "pre-switchover") => self.tell(EventKind::PreSwitchover, side, stamp),
            (Side::Source, "postcopy-active") => self.on_postcopy(stamp),
            (Side::Source, "postcopy-paused") => self.tell(EventKind::Paused, side, stamp),
            (Side::Source, "postcopy-recover") => self.tell(EventKind::Recovering, side, stamp),
            (_, "completed") => {
                self.done[side as usize] = Some(self.moment(side, stamp));
                self.tell_status(side, status, stamp);
            }
            (Side::Source, "failed" | "cancelled") => {
                self.done[side as usize] = Some(self.moment(side, stamp));
                self.tell_status(side, status, stamp);
            }
            _ => self.tell_status(side, status, stamp),
        }
    }

    /// Libvirt's own events, where QEMU's are not heard.
    fn on_lifecycle(&mut self, side: Side, state: &str, detail: &str, stamp: Stamp) {
        match (side, state) {
            (Side::Source, "Suspended") => {
                if !self.stopped {
                    self.on_stop(stamp, true);
                }
                if detail == "Post-copy" {
                    self.on_postcopy(stamp);
                }
            }
            (Side::Target, "Resumed") => {
                if self.resumed.is_none() {
                    self.on_resume(side, stamp, true);
                }
                // After post-copy this is the end of it.
                self.done[side as usize] = Some(self.moment(side, stamp));
            }
            (Side::Source, "Resumed") => self.on_resume(side, stamp, true),
            _ => {}
        }
    }

    /// QEMU's migration has begun.
    fn begin(&mut self, stamp: Stamp) {
        if self.began.is_some() {
            return;
        }
        let mut event = self.event(EventKind::Accepted, Side::Source, stamp);
        if let Some((at, uncertainty)) = self.stop.filter(|(at, _)| *at < event.at) {
            // Without a live migration libvirt stops the machine itself, before QEMU's begins.
            (event.at, event.uncertainty) = (at, uncertainty);
        }
        self.began = Some(event.at);
        let preparation = crate::clock::as_seconds(event.at.saturating_sub(self.fired));
        self.out.push_back(event.with("preparation_s", preparation));
    }

    fn on_pass(&mut self, pass: u32, stamp: Stamp) {
        self.begin(stamp);
        if self.switched || (self.postcopy && self.stopped) {
            let event = self.event(EventKind::Progress, Side::Source, stamp);
            self.out.push_back(event.with("post_copy_pass", pass));
            return;
        }
        if pass <= self.round {
            return;
        }
        let first = self.round == 0;
        self.round = pass;
        self.tell(EventKind::Round(pass), Side::Source, stamp);
        if self.setup.strategy != Strategy::PostCopy || self.postcopy {
            return;
        }
        // Before the first pass libvirt would refuse it.
        match self.setup.postcopy_after {
            PostcopyAfter::Time(time) if first => self.postcopy_due = Some(Instant::now() + time),
            PostcopyAfter::FirstPass if pass > 1 => self.start_postcopy(),
            _ => {}
        }
    }

    fn start_postcopy(&mut self) {
        self.postcopy_due = None;
        self.postcopy = true;
        self.ask(Asked::Postcopy, Side::Source, &["migrate-postcopy", "--domain"]);
    }

    fn on_postcopy(&mut self, stamp: Stamp) {
        self.postcopy = true;
        if !std::mem::replace(&mut self.switched, true) {
            self.tell(EventKind::PostCopy, Side::Source, stamp);
        }
    }

    fn on_stop(&mut self, stamp: Stamp, by_receipt: bool) {
        self.stopped = true;
        let event = self.event(EventKind::Stop, Side::Source, stamp);
        self.stop.get_or_insert((event.at, event.uncertainty));
        self.out.push_back(received(event, by_receipt));
    }

    fn on_resume(&mut self, side: Side, stamp: Stamp, by_receipt: bool) {
        if side == Side::Target {
            self.resumed.get_or_insert(self.moment(side, stamp));
        } else {
            self.stopped = false;
        }
        let event = self.event(EventKind::Resume, side, stamp);
        self.out.push_back(received(event, by_receipt));
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

    fn virsh_ended(&mut self, at: Nanos, now: Instant) -> Result<(), TriggerError> {
        self.migrate.drain_within(LAST_WORDS);
        let status = self.migrate.reap();
        let status = status.map_err(|error| TriggerError::io("waiting for virsh", error))?;
        let why = || virsh::reason(status, &self.migrate.stderr_tail());
        let failed = (!status.success()).then(why);
        self.out.push_back(Event::new(EventKind::Mark("virsh ended".to_owned()), at, 0, "libvirt"));
        self.end = Some(End { failed, at, since: now, states: [None, None], ask_again: now });
        Ok(())
    }

    /// Virsh has ended: what both sides say of it now.
    fn find_the_end(&mut self, now: Instant) {
        let Some(end) = &mut self.end else { return };
        let since = now - end.since;
        if end.ask_again <= now && !self.questions.iter().any(|q| matches!(q.0, Asked::State(_))) {
            end.ask_again = now + AGAIN;
            let failed = end.failed.is_some();
            let state = ["domstate", "--domain"];
            self.ask(Asked::State(Side::Target), Side::Target, &state);
            if failed {
                self.ask(Asked::State(Side::Source), Side::Source, &state);
            }
            return;
        }
        let runs = |state: &Option<Result<String, String>>| matches!(state, Some(Ok(state)) if state == "running");
        let (source, target) = (runs(&end.states[0]), runs(&end.states[1]));
        let all_told = end.states[1].is_some() && (end.failed.is_none() || end.states[0].is_some());
        if since < EVENT_LAG || !(all_told || since > RUNNING_LIMIT) {
            return;
        }
        match &end.failed {
            None if target => self.complete(),
            None if since < RUNNING_LIMIT => {}
            None => {
                let is = match &end.states[1] {
                    Some(Ok(state)) => format!("the machine does not run there (it is {state})"),
                    Some(Err(why)) => format!("nobody knows whether it runs there ({why})"),
                    None => "the target does not say whether it runs there".to_owned(),
                };
                self.fail(EventKind::Failed, format!("virsh completed the migration, but {is}"));
            }
            Some(why) => {
                let place = match (source, target) {
                    (true, true) => "; the machine runs at BOTH sides",
                    (true, false) => "; the machine runs on at the source",
                    (false, true) => "; but the machine runs at the target",
                    (false, false) => "; the machine is seen to run at neither side",
                };
                let (kind, why) = match (&self.given_up, self.cancelled) {
                    (Some(ours), _) => (EventKind::Failed, ours),
                    (None, Some(_)) => (EventKind::Cancelled, why),
                    (None, None) => (EventKind::Failed, why),
                };
                let reason = format!("{why}{place}");
                self.fail(kind, reason);
            }
        }
    }

    /// When both sides were done, of what is known of that.
    fn last_done(&self) -> Option<Moment> {
        self.done.iter().chain([&self.resumed]).flatten().copied().max()
    }

    fn complete(&mut self) {
        let ended = self.end.as_ref().map_or(0, |end| end.at);
        let mut event = match self.last_done() {
            Some((at, uncertainty)) => Event::new(EventKind::Completed, at, uncertainty, "libvirt"),
            None => Event::new(EventKind::Completed, ended, 0, "libvirt").with(
                "note",
                "no event of the end was heard, so the exit of virsh stands: that is later, by \
                 what libvirt tidies up",
            ),
        };
        if self.setup.strategy == Strategy::PostCopy && !self.switched {
            event = event.with("note", "it completed before post-copy began: this was a pre-copy");
        }
        self.out.push_back(event);
        self.over = true;
    }

    fn fail(&mut self, kind: EventKind, reason: String) {
        let ended = self.end.as_ref().map_or(0, |end| end.at);
        let (at, uncertainty) = self.done[Side::Source as usize].unwrap_or((ended, 0));
        let event = Event::new(kind, at, uncertainty, "libvirt").with("reason", reason);
        self.out.push_back(event);
        self.over = true;
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

/// How late libvirt tells of a stop or a resume is not known.
fn received(event: Event, by_receipt: bool) -> Event {
    if by_receipt { event.with("by_receipt", true) } else { event }
}
