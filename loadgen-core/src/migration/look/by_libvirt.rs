//! Asking a libvirt, by virsh. What virsh prints is read by name; what a version does not tell
//! stays unknown.

use std::collections::BTreeMap;
use std::time::Duration;

use super::error::LookError;
use super::machine::{DirtyMode, MachineNow, limit};
use super::measuring::{Measured, Measures, PAGES_OF_ITSELF, Reading, samples};
use super::spec::LookSpec;
use crate::migration::libvirt::{Virsh, job_under_way, memory_bytes};
use crate::migration::trigger::TriggerError;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// All that libvirt tells into `now`, and what it measures.
pub(super) fn ask(
    virsh: Virsh,
    (domain, uri): (&str, Option<&str>),
    spec: &LookSpec,
    now: &mut MachineNow,
    pause: &mut dyn FnMut(Duration),
) -> Result<(), LookError> {
    let place = now.source.clone();
    let mut libvirt = Libvirt { virsh, domain, uri, place, mode: spec.mode };
    let dominfo = libvirt.of_domain(&["dominfo"])?;
    now.name = after(&dominfo, "Name:");
    libvirt.check()?;
    if spec.mode == DirtyMode::DirtyBitmap {
        libvirt.check_kvm()?;
    }
    now.host = libvirt.told(&["hostname"])?;
    if let Some(version) = libvirt.told(&["version"])? {
        let both = [after(&version, "Running hypervisor:"), after(&version, "Using library:")];
        let known: Vec<String> = both.into_iter().flatten().collect();
        now.hypervisor = (!known.is_empty()).then(|| known.join(", "));
    }
    let balloon = libvirt.told(&["domstats", "--balloon", domain])?;
    let balloon = Stats::read(&balloon.unwrap_or_default());
    let bytes = |name: &str| balloon.number(name).and_then(|kib: u64| kib.checked_mul(KIB));
    now.memory_bytes = bytes("balloon.maximum").or_else(|| memory_bytes(&dominfo));
    now.balloon_bytes = bytes("balloon.current").filter(|left| Some(*left) != now.memory_bytes);
    // QEMU's own memory is part of it.
    now.resident_bytes =
        bytes("balloon.rss").map(|rss| now.memory_bytes.map_or(rss, |memory| rss.min(memory)));
    let number = |text: Option<String>| text.and_then(|text| text.trim().parse::<u64>().ok());
    let speed = |mib: Option<u64>| mib.and_then(|mib| mib.checked_mul(MIB)).and_then(limit);
    now.downtime_limit_s =
        number(libvirt.told_of_domain(&["migrate-getmaxdowntime"])?).map(|ms| ms as f64 / 1e3);
    now.max_bandwidth_bytes_per_s = speed(number(libvirt.told_of_domain(&["migrate-getspeed"])?));
    now.max_postcopy_bandwidth_bytes_per_s =
        speed(number(libvirt.told_of_domain(&["migrate-getspeed", "--postcopy"])?));
    now.dirty = samples(&mut libvirt, spec, now.memory_bytes, pause)?;
    Ok(())
}

/// What follows a name at the beginning of a line.
fn after(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| line.trim().strip_prefix(name)).map(|rest| rest.trim().to_owned())
}

/// What `virsh domstats` prints: `  NAME=VALUE` a line.
#[derive(Debug, Default)]
struct Stats(BTreeMap<String, String>);

impl Stats {
    fn read(text: &str) -> Self {
        let pairs = text.lines().filter_map(|line| line.trim().split_once('='));
        Self(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.0.get(name)?.parse().ok()
    }
}

/// A domain of a libvirt.
struct Libvirt<'a> {
    virsh: Virsh,
    domain: &'a str,
    uri: Option<&'a str>,
    place: String,
    mode: DirtyMode,
}

impl Libvirt<'_> {
    fn of_domain(&self, words: &[&str]) -> Result<String, TriggerError> {
        let words: Vec<&str> = words.iter().copied().chain(["--domain", self.domain]).collect();
        self.virsh.ask(self.uri, &words)
    }

    /// What it tells, if it can.
    fn told(&self, words: &[&str]) -> Result<Option<String>, TriggerError> {
        match self.virsh.ask(self.uri, words) {
            Err(TriggerError::Refused { .. }) => Ok(None),
            other => other.map(Some),
        }
    }

    fn told_of_domain(&self, words: &[&str]) -> Result<Option<String>, TriggerError> {
        let words: Vec<&str> = words.iter().copied().chain(["--domain", self.domain]).collect();
        self.told(&words)
    }

    fn too_old(&self, what: &'static str, since: &'static str) -> LookError {
        LookError::TooOld { place: self.place(), what, since }
    }

    /// Without KVM, QEMU 7.2 crashes when it is asked for this mode, and libvirt asks it.
    fn check_kvm(&self) -> Result<(), LookError> {
        let xml = self.of_domain(&["dumpxml"])?;
        let domain = xml.lines().find(|line| line.trim_start().starts_with("<domain "));
        let is_kvm =
            domain.is_some_and(|line| line.contains("type='kvm'") || line.contains("type=\"kvm\""));
        if is_kvm { Ok(()) } else { Err(LookError::NeedsKvm { place: self.place() }) }
    }
}

impl Measures for Libvirt<'_> {
    fn place(&self) -> String {
        self.place.clone()
    }

    fn check(&mut self) -> Result<(), LookError> {
        let state = self.of_domain(&["domstate"])?;
        if state != "running" {
            return Err(LookError::NotRunning { place: self.place(), state });
        }
        if job_under_way(&self.of_domain(&["domjobinfo", "--rawstats"])?) {
            let job = "a job of the domain (a migration, a save, a dump)".to_owned();
            return Err(LookError::Busy { place: self.place(), job });
        }
        Ok(())
    }

    fn begin(&mut self, over_s: u32) -> Result<Option<u32>, LookError> {
        let seconds = over_s.to_string();
        let mut words = vec!["domdirtyrate-calc", "--seconds", &seconds];
        if self.mode != DirtyMode::PageSampling {
            words.extend(["--mode", self.mode.name()]);
        }
        match self.of_domain(&words) {
            // It has no word for the number of pages.
            Ok(_) if self.mode == DirtyMode::PageSampling => Ok(Some(PAGES_OF_ITSELF)),
            Ok(_) => Ok(None),
            Err(TriggerError::Refused { reason, .. }) if reason.contains("unknown command") => {
                Err(self.too_old("domdirtyrate-calc", "libvirt 7.2"))
            }
            Err(TriggerError::Refused { reason, .. }) if reason.contains("option --mode") => {
                Err(self.too_old("the mode dirty-bitmap", "libvirt 8.1"))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn read(&mut self) -> Result<Reading, LookError> {
        let stats = match self.virsh.ask(self.uri, &["domstats", "--dirtyrate", self.domain]) {
            Ok(text) => Stats::read(&text),
            Err(TriggerError::Refused { reason, .. }) if reason.contains("option --dirtyrate") => {
                return Err(self.too_old("domstats --dirtyrate", "libvirt 7.2"));
            }
            Err(error) => return Err(error.into()),
        };
        let number = |name: &str| stats.number::<u64>(&format!("dirtyrate.{name}"));
        let period = number("calc_period").and_then(|period| u32::try_from(period).ok());
        Ok(match (number("calc_status"), period, number("megabytes_per_second")) {
            (None | Some(0), ..) => Reading::Unstarted,
            (Some(1), ..) => Reading::Measuring,
            (Some(2), Some(over_s), Some(rate)) => Reading::Measured(Measured {
                over_s,
                rate,
                mode: stats.0.get("dirtyrate.calc_mode").cloned(),
                pages_per_gib: None,
            }),
            (Some(status), ..) => Reading::Nonsense(format!("status {status}, no rate")),
        })
    }
}
