//! The simulated machine inside the serving thread: plays the script, slows
//! requests down, stops, and notes the truth.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use serde_json::{Map, Value};

use super::protocol::{ToChild, ToParent, TruthLine};
use super::script::{Script, Slowness, Step};
use super::vm::SimulatedVm;
use crate::clock::{Nanos, as_nanos};
use crate::random::unit;
use crate::target_server::Behaviour;

/// Random numbers before this one belong to the script.
const FIRST_FAULT: u64 = 1000;

/// How far the migration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Idle,
    /// It can still be cancelled.
    Copying,
    SwitchedOver,
    Over,
}

/// A machine and its one migration.
pub(super) struct Machine {
    vm: SimulatedVm,
    commands: Receiver<ToChild>,
    /// Somebody else writes: a full pipe must not stop the machine.
    out: Sender<ToParent>,
    stage: Stage,
    steps: VecDeque<(Nanos, Step)>,
    /// When the first of `steps` is due.
    next: Nanos,
    /// When the step before it was due (planned times add up, lateness does not).
    previous: Nanos,
    forced: bool,
    slow: Slowness,
    slow_since: Nanos,
    faults: u64,
    truth: TruthLine,
}

impl Machine {
    pub(super) fn new(vm: SimulatedVm, commands: Receiver<ToChild>, out: Sender<ToParent>) -> Self {
        let script = Script::of(&vm);
        Self {
            commands,
            out,
            stage: Stage::Idle,
            next: Nanos::MAX,
            previous: 0,
            forced: false,
            slow: Slowness::None,
            slow_since: 0,
            faults: FIRST_FAULT,
            truth: TruthLine {
                accepted_monotonic_ns: 0,
                stop_monotonic_ns: 0,
                resume_monotonic_ns: 0,
                completed_monotonic_ns: 0,
                transferred_bytes: script.transferred_bytes,
                rounds: script.rounds,
                hypervisor_downtime_ns: script.hypervisor_downtime,
                dirty_bytes_per_s: script.dirty_bytes_per_s,
            },
            steps: script.steps,
            vm,
        }
    }

    fn obey(&mut self, command: &ToChild, now: Nanos) {
        match (command, self.stage) {
            (ToChild::Fire, Stage::Idle) => {
                self.stage = Stage::Copying;
                self.truth.accepted_monotonic_ns = now;
                self.tell("accepted", now, Map::new());
                self.after(now);
            }
            (ToChild::Cancel, Stage::Copying) => {
                self.stage = Stage::Over;
                self.steps.clear();
                self.next = Nanos::MAX;
                self.slow = Slowness::None;
                self.tell("cancelled", now, Map::new());
            }
            (ToChild::Fire, _) => self.refuse("a simulated machine is migrated once only"),
            (ToChild::Cancel, Stage::Idle) => self.refuse("there is no migration to cancel"),
            (ToChild::Cancel, _) => self.refuse("the machine has been switched over already"),
            (ToChild::Be { .. }, _) => self.refuse("a simulated machine cannot become another"),
        }
    }

    /// The step before was due (or done) at `base`.
    fn after(&mut self, base: Nanos) {
        self.previous = base;
        self.next = self.steps.front().map_or(Nanos::MAX, |(after, _)| base.saturating_add(*after));
    }

    fn complete(&mut self, now: Nanos) {
        self.stage = Stage::Over;
        self.truth.completed_monotonic_ns = now;
        self.say(ToParent::Truth(self.truth));
        self.tell("completed", now, Map::new());
    }

    fn tell(&self, name: &str, at_monotonic_ns: Nanos, attributes: Map<String, Value>) {
        self.say(ToParent::Event { name: name.to_owned(), at_monotonic_ns, attributes });
    }

    fn refuse(&self, reason: &str) {
        self.say(ToParent::Refused { reason: reason.to_owned() });
    }

    fn say(&self, message: ToParent) {
        // Fails only when the writer is gone, and then the server is being ended.
        let _ = self.out.send(message);
    }
}

impl Behaviour for Machine {
    fn start(&mut self, _now: Nanos) {}

    fn deadline(&self) -> Nanos {
        self.next
    }

    fn turn(&mut self, now: Nanos) -> Option<Nanos> {
        while let Ok(command) = self.commands.try_recv() {
            self.obey(&command, now);
        }
        while self.next <= now {
            let Some((_, step)) = self.steps.pop_front() else {
                self.next = Nanos::MAX;
                break;
            };
            let due = self.next;
            match step {
                Step::Tell { name, attributes } => self.tell(name, now, attributes),
                Step::Slow(slow) => {
                    self.slow = slow;
                    self.slow_since = now;
                }
                Step::Stop { length, forced } => {
                    self.stage = Stage::SwitchedOver;
                    self.forced = forced;
                    // Until `resumed` says when to go on.
                    self.next = Nanos::MAX;
                    return Some(now.saturating_add(length));
                }
                Step::Complete => self.complete(now),
            }
            self.after(due);
        }
        None
    }

    fn stopped(&mut self, at: Nanos) {
        self.truth.stop_monotonic_ns = at;
        let mut attributes = Map::new();
        if self.forced {
            attributes.insert("forced".to_owned(), true.into());
        }
        self.tell("stop", at, attributes);
    }

    fn resumed(&mut self, at: Nanos) {
        self.truth.resume_monotonic_ns = at;
        self.tell("resume", at, Map::new());
        self.after(at);
    }

    fn delay(&mut self, now: Nanos) -> Nanos {
        let nanos = |seconds: f64| as_nanos(Duration::from_secs_f64(seconds));
        let base = nanos(self.vm.delay_s);
        match self.slow {
            Slowness::None => base,
            Slowness::Brownout => base + nanos(self.vm.brownout_s),
            Slowness::Faults { share, length } => {
                let gone = now.saturating_sub(self.slow_since) as f64 / length.max(1) as f64;
                let mean_s = self.vm.faults_s * share * (1.0 - gone).max(0.0);
                self.faults += 1;
                // Inverse of the exponential distribution; unit() stays below 1.
                base + nanos(-mean_s * (1.0 - unit(self.vm.seed, self.faults)).ln())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::clock::{MILLISECOND, SECOND};

    struct Rig {
        machine: Machine,
        commands: Sender<ToChild>,
        said: Receiver<ToParent>,
    }

    fn rig(pairs: &[(&str, &str)]) -> Rig {
        let (commands, inbox) = mpsc::channel();
        let (out, said) = mpsc::channel();
        let vm = SimulatedVm::from_pairs(pairs.iter().copied()).unwrap();
        Rig { machine: Machine::new(vm, inbox, out), commands, said }
    }

    impl Rig {
        /// Plays to the end with an invented clock; returns (name, time) of events.
        fn play(&mut self, mut now: Nanos) -> Vec<(String, Nanos)> {
            self.commands.send(ToChild::Fire).unwrap();
            loop {
                if let Some(end) = self.machine.turn(now) {
                    self.machine.stopped(now);
                    // A thread wakes a little late.
                    now = end + 7;
                    self.machine.resumed(now);
                }
                match self.machine.deadline() {
                    Nanos::MAX => return self.events(),
                    next => now = next,
                }
            }
        }

        fn events(&self) -> Vec<(String, Nanos)> {
            let events = self.said.try_iter().filter_map(|message| match message {
                ToParent::Event { name, at_monotonic_ns, .. } if name != "progress" => {
                    Some((name, at_monotonic_ns))
                }
                _ => None,
            });
            events.collect()
        }
    }

    #[test]
    fn a_migration_is_played_to_its_end() {
        let mut rig = rig(&[("memory", "64MiB")]);
        let script = Script::of(&rig.machine.vm);
        let events = rig.play(5 * SECOND);
        let names: Vec<_> = events.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            ["accepted", "setup", "round", "pre-switchover", "stop", "resume", "completed"]
        );
        let truth = rig.machine.truth;
        assert_eq!(truth.accepted_monotonic_ns, 5 * SECOND);
        assert_eq!(truth.resume_monotonic_ns - truth.stop_monotonic_ns, script.downtime_ns() + 7);
        assert_eq!(
            truth.completed_monotonic_ns - truth.accepted_monotonic_ns,
            script.total_ns() + 7
        );
    }

    #[test]
    fn rounds_slow_requests_down_and_their_end_does_not() {
        let mut rig = rig(&[("brownout", "4ms"), ("delay", "1ms")]);
        assert_eq!(rig.machine.delay(0), MILLISECOND);
        rig.commands.send(ToChild::Fire).unwrap();
        rig.machine.turn(SECOND);
        rig.machine.turn(2 * SECOND);
        assert_eq!(rig.machine.delay(2 * SECOND), 5 * MILLISECOND);
        rig.commands.send(ToChild::Cancel).unwrap();
        rig.machine.turn(3 * SECOND);
        assert_eq!(rig.machine.delay(3 * SECOND), MILLISECOND);
        assert_eq!(rig.machine.deadline(), Nanos::MAX);
        assert_eq!(rig.events().last().unwrap(), &("cancelled".to_owned(), 3 * SECOND));
    }

    #[test]
    fn faults_fade_as_pages_arrive() {
        let mut rig = rig(&[("faults", "20ms"), ("delay", "0")]);
        rig.machine.slow = Slowness::Faults { share: 1.0, length: SECOND };
        let mut mean_ms = |at| {
            let sum: Nanos = (0..20_000).map(|_| rig.machine.delay(at)).sum();
            sum as f64 / 20_000.0 / 1e6
        };
        // The standard error of these means is 0.7 %.
        assert!((mean_ms(0) - 20.0).abs() < 0.6);
        assert!((mean_ms(SECOND / 2) - 10.0).abs() < 0.3);
        assert_eq!(mean_ms(SECOND), 0.0);
        assert_eq!(mean_ms(2 * SECOND), 0.0);
    }

    #[test]
    fn after_the_switch_over_nothing_is_cancelled() {
        let mut rig = rig(&[("strategy", "stop-and-copy"), ("memory", "1MiB")]);
        rig.play(0);
        rig.commands.send(ToChild::Cancel).unwrap();
        rig.commands.send(ToChild::Fire).unwrap();
        rig.machine.turn(SECOND);
        let said: Vec<_> = rig.said.try_iter().collect();
        assert!(said.iter().all(|m| matches!(m, ToParent::Refused { .. })), "{said:?}");
        assert_eq!(said.len(), 2);
    }
}
