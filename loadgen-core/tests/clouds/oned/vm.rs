//! A machine, and what becomes of it when it is migrated.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::Version;

/// Numbers, and the names that messages have for them.
macro_rules! states {
    ($name_of:ident: $($state:ident = $number:literal)*) => {
        $(pub(crate) const $state: i32 = $number;)*

        fn $name_of(number: i32) -> &'static str {
            match number {
                $($number => stringify!($state),)*
                _ => "OTHER",
            }
        }
    };
}

// `STATE` of a machine, and `LCM_STATE` of one that is `ACTIVE`.
states! { state_name: PENDING = 1 HOLD = 2 ACTIVE = 3 STOPPED = 4 SUSPENDED = 5 DONE = 6
POWEROFF = 8 UNDEPLOYED = 9 }
states! { lcm_state_name: BOOT = 2 RUNNING = 3 MIGRATE = 4 SAVE_MIGRATE = 7 PROLOG_MIGRATE = 8
UNKNOWN = 16 BOOT_MIGRATE = 35 PROLOG_MIGRATE_POWEROFF = 43 PROLOG_MIGRATE_SUSPEND = 45
PROLOG_MIGRATE_UNKNOWN = 60 }

/// `ACTION` of a record of the history.
pub(crate) const BY_MIGRATE: i32 = 1;
pub(crate) const BY_LIVE_MIGRATE: i32 = 2;
pub(crate) const BY_POFF_MIGRATE: i32 = 48;
pub(crate) const BY_POFF_HARD_MIGRATE: i32 = 49;

/// `REASON` of a record of the history, until 5.2.
const NONE: i32 = 0;
const ERROR: i32 = 1;
const USER: i32 = 3;

/// A record of the history. The times are Unix seconds, 0 while open.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    pub(crate) host: i32,
    pub(crate) hostname: String,
    pub(crate) stime: u64,
    pub(crate) etime: u64,
    pub(crate) pstime: u64,
    pub(crate) petime: u64,
    pub(crate) rstime: u64,
    pub(crate) retime: u64,
    pub(crate) reason: i32,
    pub(crate) action: i32,
    /// Who asked for the action; `None` while there is none.
    pub(crate) user: Option<i32>,
}

impl Record {
    /// One that was just opened: all its times are 0.
    pub(super) fn on(host: i32, hostname: &str) -> Self {
        Self { host, hostname: hostname.to_owned(), ..Self::default() }
    }

    /// The machine has left this host.
    fn close(&mut self, now: u64) {
        (self.etime, self.retime, self.reason) = (now, now, USER);
    }
}

/// A step of a migration, in the order that they have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Until here the state is what it was, although the new record is there (the trap).
    /// From here: `MIGRATE` if live; `SAVE_MIGRATE` if cold, or the `PROLOG_MIGRATE_*` of a
    /// machine that was not running.
    Started,
    /// `PROLOG_MIGRATE`, when cold.
    Saved,
    /// `BOOT_MIGRATE` (`BOOT` before 4.14), when cold.
    Copied,
    /// It ended well or badly, see [`Machine::fails`].
    Finished,
}

/// A migration on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Course {
    pub(crate) live: bool,
    /// What the record of the host that is left says in the end.
    pub(crate) action: i32,
    pub(crate) user: i32,
    /// The last step that was taken.
    pub(crate) taken: Option<Step>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Machine {
    pub(crate) id: i32,
    pub(crate) name: String,
    pub(crate) owner: i32,
    pub(crate) state: i32,
    pub(crate) lcm: i32,
    /// In MB.
    pub(crate) memory: u32,
    pub(crate) records: Vec<Record>,
    /// Whether migrations of it fail. Looked at when it matters, so it can be set late.
    pub(crate) fails: bool,
    pub(crate) locked: bool,
    pub(crate) course: Option<Course>,
    /// The looks at it since the last step.
    pub(super) looks: u32,
    /// When the next step is due, if by time.
    pub(super) due: Option<Instant>,
}

impl Machine {
    /// One that has been running on this host for some minutes.
    pub(crate) fn running(id: i32, name: &str, host: i32, hostname: &str) -> Self {
        let since = now() - 600;
        let mut record = Record::on(host, hostname);
        (record.stime, record.pstime) = (since, since);
        (record.petime, record.rstime) = (since + 1, since + 1);
        let (name, records) = (name.to_owned(), vec![record]);
        Self { id, name, records, state: ACTIVE, lcm: RUNNING, memory: 512, ..Self::default() }
    }

    /// Where `oned` believes it to be.
    pub(crate) fn current(&self) -> Option<&Record> {
        self.records.last()
    }

    /// Whether an earlier migration has not been told to have ended. Then there is no other.
    pub(super) fn is_previous_history_open(&self, version: Version) -> bool {
        self.records.iter().nth_back(1).is_some_and(|record| {
            if version >= Version::V5_6 { record.etime == 0 } else { record.reason == NONE }
        })
    }

    /// The step to take next, if a migration is on its way.
    pub(crate) fn next(&self) -> Option<Step> {
        Some(match (self.course?.taken, self.lcm) {
            (None, _) => Step::Started,
            (Some(Step::Started), SAVE_MIGRATE) if !self.fails => Step::Saved,
            (Some(Step::Started), PROLOG_MIGRATE_UNKNOWN) if !self.fails => Step::Copied,
            (Some(Step::Saved), _) => Step::Copied,
            _ => Step::Finished,
        })
    }

    /// Takes the next step at this time (Unix seconds); `None` if there is none.
    pub(super) fn take(&mut self, version: Version, now: u64) -> Option<Step> {
        let (step, course) = (self.next()?, self.course?);
        self.course = (step != Step::Finished).then_some(Course { taken: Some(step), ..course });
        let [.., previous, current] = self.records.as_mut_slice() else { return None };
        match (step, self.lcm) {
            (Step::Started, lcm) => {
                self.lcm = match (self.state, lcm) {
                    (ACTIVE, RUNNING) if course.live => MIGRATE,
                    (ACTIVE, RUNNING) => SAVE_MIGRATE,
                    (POWEROFF, _) => PROLOG_MIGRATE_POWEROFF,
                    (SUSPENDED, _) => PROLOG_MIGRATE_SUSPEND,
                    _ => PROLOG_MIGRATE_UNKNOWN,
                };
                current.stime = now;
                (previous.action, previous.user) = (course.action, Some(course.user));
                if self.lcm > SAVE_MIGRATE {
                    self.state = ACTIVE;
                    previous.close(now);
                    (current.pstime, current.action) = (now, course.action);
                }
            }
            (Step::Saved, _) => {
                previous.close(now);
                current.pstime = now;
                self.lcm = PROLOG_MIGRATE;
            }
            (Step::Copied, lcm) => {
                (current.petime, current.rstime) = (now, now);
                let restored = lcm == PROLOG_MIGRATE && course.action == BY_MIGRATE;
                let own_state = restored && version >= Version::V5_0;
                self.lcm = if own_state { BOOT_MIGRATE } else { BOOT };
            }
            (Step::Finished, MIGRATE | SAVE_MIGRATE) if self.fails => {
                (current.etime, current.reason) = (now, ERROR);
                previous.close(now);
                let back = Record::on(previous.host, &previous.hostname);
                self.records.push(Record { stime: now, rstime: now, ..back });
                self.lcm = RUNNING;
            }
            (Step::Finished, MIGRATE) => {
                current.rstime = now;
                previous.close(now);
                self.lcm = RUNNING;
            }
            // To the failure of the same name.
            (Step::Finished, PROLOG_MIGRATE_POWEROFF..) if self.fails => self.lcm += 1,
            (Step::Finished, PROLOG_MIGRATE_POWEROFF | PROLOG_MIGRATE_SUSPEND) => {
                current.petime = now;
                (current.etime, current.retime) = (now, now);
                self.state = if self.lcm == PROLOG_MIGRATE_POWEROFF { POWEROFF } else { SUSPENDED };
                self.lcm = 0;
            }
            (Step::Finished, _) => {
                (current.action, current.user) = (NONE, None);
                self.lcm = RUNNING;
            }
        }
        Some(step)
    }

    pub(super) fn state_name(&self) -> &'static str {
        if self.state == ACTIVE { lcm_state_name(self.lcm) } else { state_name(self.state) }
    }
}

/// Unix seconds.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs())
}
