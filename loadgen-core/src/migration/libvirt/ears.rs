//! What listens to one side: a virsh for libvirt's own events, and one for those of QEMU beneath
//! it, which have QEMU's exact times. Without the latter (another hypervisor, an older libvirt)
//! libvirt's have to do.

use std::time::Duration;

use super::told::{self, Told};
use super::virsh::Virsh;
use crate::clock::{Clock, Nanos};
use crate::migration::process::{Message, Process};
use crate::migration::trigger::TriggerError;

/// See the module.
#[derive(Debug)]
pub(in crate::migration) struct Ears {
    libvirt: Process,
    qemu: Option<Process>,
    /// Why QEMU's events are not heard.
    deaf: Option<String>,
    /// Why libvirt's are not heard any more.
    lost: Option<String>,
}

impl Ears {
    /// Begins to listen, and waits until that is so.
    pub(in crate::migration) fn open(
        virsh: &Virsh,
        uri: &str,
        clock: Clock,
    ) -> Result<Self, TriggerError> {
        let libvirt = ["event", "--all", "--loop", "--timestamp"];
        let libvirt = virsh.start(Some(uri), &libvirt, clock)?;
        let qemu = virsh.start(Some(uri), &["qemu-monitor-event", "--loop"], clock)?;
        // They do not say when they listen. Another virsh that connects after them, and asks
        // twice, has taken longer than they needed.
        for _ in 0..2 {
            virsh.ask(Some(uri), &["hostname"])?;
        }
        let mut ears = Self { libvirt, qemu: Some(qemu), deaf: None, lost: None };
        if let Some(why) = ears.ended() {
            return Err(TriggerError::refused(format!("listening to the events of {uri}"), why));
        }
        Ok(ears)
    }

    /// Whether QEMU's own events are heard.
    pub(in crate::migration) fn hear_qemu(&self) -> bool {
        self.qemu.is_some()
    }

    /// Why they are not.
    pub(in crate::migration) fn deaf(&self) -> Option<&str> {
        self.deaf.as_deref()
    }

    /// Why libvirt's own events are not heard any more.
    pub(in crate::migration) fn lost(&self) -> Option<&str> {
        self.lost.as_deref()
    }

    /// What was heard of the domain and not told yet, and when it was received.
    pub(in crate::migration) fn heard(&mut self, domain: &str) -> Vec<(Nanos, Told)> {
        let mut heard = Vec::new();
        let ears = [Some(&mut self.libvirt), self.qemu.as_mut()];
        for ear in ears.into_iter().flatten() {
            while let Some((at, message)) = ear.next_line(Duration::ZERO) {
                let Message::Line(line) = message else { continue };
                let line = String::from_utf8_lossy(&line);
                heard.extend(told::read(&line, domain).map(|told| (at, told)));
            }
        }
        if self.lost.is_none() {
            self.lost = self.ended();
        }
        heard
    }

    /// Why libvirt's events are not heard any more, if so; the loss of QEMU's is noted.
    fn ended(&mut self) -> Option<String> {
        let why = |process: &Process| {
            let said = process.stderr_tail();
            let said = said.trim().trim_start_matches("error: ");
            if said.is_empty() { "virsh ended".to_owned() } else { said.to_owned() }
        };
        // What it said before its end is read by then.
        if let Some(qemu) = &self.qemu
            && qemu.is_drained()
        {
            self.deaf = Some(why(qemu));
            self.qemu = None;
        }
        self.libvirt.is_drained().then(|| why(&self.libvirt))
    }
}
