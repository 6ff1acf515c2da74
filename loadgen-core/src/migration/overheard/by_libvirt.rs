//! Listens to the libvirt of both hosts, by virsh.

use std::collections::VecDeque;

use super::heard::{Listener, Mapped};
use super::options::HypervisorEvents;
use crate::clock::Clock;
use crate::event::{Event, EventKind};
use crate::migration::foreign_clock::Stamp;
use crate::migration::libvirt::{Ears, Told, Virsh, round_trips};
use crate::migration::side::Side;
use crate::migration::trigger::TriggerError;

/// How many of libvirt's own events are kept for the case that QEMU's are not heard.
const SPARE: usize = 256;

/// See the module.
#[derive(Debug)]
pub(super) struct ByLibvirt {
    domain: String,
    ears: [Ears; 2],
    mapped: Mapped,
    /// Whether a QEMU was heard at each side.
    heard_qemu: [bool; 2],
    /// Libvirt's own word on stop and resume: which comes of it turns out late.
    spare: [VecDeque<Event>; 2],
}

impl ByLibvirt {
    /// Begins to listen to a domain at both hosts, and waits until that is so. The domain may be
    /// given by its UUID, as newer releases of OpenNebula tell it; events are told by its name.
    pub(super) fn open(
        events: &HypervisorEvents,
        domain: &str,
        clock: Clock,
    ) -> Result<Self, TriggerError> {
        let [source, target] = events.libvirt.as_slice() else {
            return Err(TriggerError::Unsupported("both hosts are needed to listen to them"));
        };
        let virsh = Virsh::new(events.virsh.clone().unwrap_or_else(|| "virsh".into()));
        let domain = virsh.name_of(source, domain)?;
        let whose = events.clock.unwrap_or_default();
        let mapping = |uri: &str| round_trips::mapping(&virsh, uri, whose);
        let mapped = Mapped {
            clock,
            mappings: [mapping(source)?, mapping(target)?],
            names: ["libvirt:source", "libvirt:target"],
        };
        let ears = [Ears::open(&virsh, source, clock)?, Ears::open(&virsh, target, clock)?];
        Ok(Self { domain, ears, mapped, heard_qemu: [false; 2], spare: Default::default() })
    }

    /// What libvirt itself says of a stop or a resume. How late it says it is not known.
    fn lifecycle(&self, side: Side, stamp: Stamp, state: &str) -> Option<Event> {
        let kind = match (side, state) {
            (Side::Source, "Suspended") => EventKind::Stop,
            (_, "Resumed") => EventKind::Resume,
            _ => return None,
        };
        Some(self.mapped.event(kind, side, stamp).with("by_receipt", true))
    }
}

impl Listener for ByLibvirt {
    fn begin(&mut self) {
        for ear in &mut self.ears {
            ear.heard(&self.domain);
        }
    }

    fn hear(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        for side in Side::BOTH {
            let at = side as usize;
            for (received, told) in self.ears[at].heard(&self.domain) {
                let received = Stamp::received(self.mapped.clock.to_monotonic(received));
                let stamp = Stamp { timestamp: told.time(), ..received };
                match told {
                    Told::Qemu { name, data, .. } => {
                        self.heard_qemu[at] = true;
                        events.extend(self.mapped.of_qemu(side, &name, &data, stamp));
                    }
                    Told::Lifecycle { state, .. } if self.spare[at].len() < SPARE => {
                        let event = self.lifecycle(side, stamp, &state);
                        self.spare[at].extend(event);
                    }
                    _ => {}
                }
            }
            if !self.ears[at].hear_qemu() && !self.heard_qemu[at] {
                events.extend(self.spare[at].drain(..));
            }
        }
        events
    }

    fn last_words(&mut self) -> Vec<Event> {
        let silent = |at: &usize| !self.heard_qemu[*at];
        let silent: Vec<usize> = [0, 1].into_iter().filter(silent).collect();
        silent.into_iter().flat_map(|at| std::mem::take(&mut self.spare[at])).collect()
    }

    fn deaf(&self, side: Side) -> Option<String> {
        let ears = &self.ears[side as usize];
        ears.deaf().or(ears.lost()).map(str::to_owned)
    }
}
