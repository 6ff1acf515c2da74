//! What is heard of both sides, and which events it becomes. QEMU's own events count; libvirt's
//! stand in where those are not heard.

use std::time::Instant;

use serde_json::Value;

use super::{Flight, Moment};
use crate::clock::as_seconds;
use crate::event::{Event, EventKind};
use crate::migration::foreign_clock::Stamp;
use crate::migration::libvirt::job_info::JobInfo;
use crate::migration::libvirt::told::Told;
use crate::migration::side::Side;
use crate::migration::strategy::PostcopyAfter;
use crate::migration::trigger::Strategy;

/// How many of libvirt's own events are kept for the case that QEMU's are not heard.
const SPARE: usize = 256;

impl Flight {
    pub(super) fn hear(&mut self) {
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
        let preparation = as_seconds(event.at.saturating_sub(self.fired));
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
}

/// How late libvirt tells of a stop or a resume is not known.
fn received(event: Event, by_receipt: bool) -> Event {
    if by_receipt { event.with("by_receipt", true) } else { event }
}
