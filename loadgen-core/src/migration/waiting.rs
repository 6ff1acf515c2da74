//! A load that runs while it is waited for something: a time, an answer of the trigger, a turn.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::patience::Patience;
use super::stage::{MigrationProgress, Stage};
use super::turns::{Place, Turn};
use crate::clock::Clock;
use crate::engine::RunHandle;
use crate::event::Event;

/// How often progress is shown and an interrupt is looked for.
pub(super) const TURN: Duration = Duration::from_millis(100);

/// How often it is looked in that time whether the load has begun: a load that is over
/// soon must not be met too late.
const LOOKS: u32 = 100;

/// How long a trigger that does not answer has for it when its time is over: more than any
/// of ours may take to bring the migration to an end.
const ANSWER_GRACE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 30 });

/// The load, and those who watch it.
pub(super) struct Watch<'a> {
    pub(super) handle: &'a RunHandle,
    pub(super) interrupt: &'a AtomicBool,
    pub(super) observe: &'a mut dyn FnMut(MigrationProgress<'_>),
}

impl Watch<'_> {
    pub(super) fn show(&mut self, stage: Stage, event: Option<&Event>) {
        (self.observe)(MigrationProgress { stage, snapshot: self.handle.snapshot(), event });
    }

    pub(super) fn interrupted(&self) -> bool {
        self.interrupt.load(Relaxed) || self.handle.aborted().is_some()
    }

    /// Whether an answer of the trigger that should be there before `give_up` is waited for.
    /// `grace` is how much longer.
    pub(super) fn waits(&mut self, give_up: Instant, grace: &mut Option<Patience>) -> bool {
        self.show(Stage::Migrating, None);
        if let Some(patience) = grace {
            return !patience.tick();
        }
        if self.interrupted() || Instant::now() >= give_up {
            *grace = Some(Patience::new(ANSWER_GRACE));
        }
        true
    }

    /// Whether an answer is waited for when all is over, or is to be.
    pub(super) fn waits_in_the_end(&mut self) -> impl FnMut() -> bool {
        let mut grace = Some(Patience::new(ANSWER_GRACE));
        move || self.waits(Instant::now(), &mut grace)
    }

    /// Whether the load was given up, or has broken down by itself.
    pub(super) fn is_broken(&self) -> bool {
        self.handle.aborted().is_some() || self.handle.is_finished()
    }

    /// Whether the load does not go on as planned.
    fn is_cut(&self) -> bool {
        self.interrupted() || self.is_broken()
    }

    /// Waits for the start of the load: its clock, or `None` when interrupted, or
    /// when the load has broken down by itself.
    pub(super) fn started(&mut self) -> Option<Clock> {
        loop {
            self.show(Stage::WarmingUp, None);
            for _ in 0..LOOKS {
                if let Some(clock) = self.handle.started_clock() {
                    return Some(clock);
                }
                if self.is_cut() {
                    return None;
                }
                std::thread::sleep(TURN / LOOKS);
            }
        }
    }

    /// Lets the load run until it is known what a machine that is ready is to do; `None` when
    /// interrupted, or when the load has broken down by itself.
    pub(super) fn turn(&mut self, place: &Place) -> Option<Turn> {
        place.is_ready();
        loop {
            self.show(Stage::Before, None);
            if self.is_cut() {
                return None;
            }
            // In the meantime, too.
            let may_go = || !self.is_cut();
            match place.turn(TURN, may_go) {
                Turn::Wait => {}
                turn => return Some(turn),
            }
        }
    }

    /// Lets the load run until no machine is moved any more.
    pub(super) fn wait_for_all(&mut self, place: &Place) {
        loop {
            if self.is_broken() {
                return place.is_broken();
            }
            if self.interrupted() || place.are_all_over(TURN) {
                return;
            }
            self.show(Stage::After, None);
        }
    }

    /// Lets the load run for `duration`; `false` when interrupted, or when the
    /// load has broken down by itself.
    pub(super) fn wait(&mut self, stage: Stage, duration: Duration) -> bool {
        let begin = Instant::now();
        loop {
            self.show(stage, None);
            if self.is_cut() {
                return false;
            }
            let left = duration.saturating_sub(begin.elapsed());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(TURN));
        }
    }
}
