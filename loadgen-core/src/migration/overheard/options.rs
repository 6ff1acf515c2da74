//! Where to listen: [`HypervisorEvents`].

use std::path::PathBuf;

use crate::migration::foreign_clock::HypervisorClock;
use crate::migration::lists::spec;
use crate::migration::qmp::QmpAddress;
use crate::migration::trigger::TriggerError;

/// The hypervisors at both hosts whose events are heard beside a migration that a manager above them
/// makes. Of none unless told otherwise.
///
/// Two sources are then in one report: the manager says how the migration ended, the hypervisors when
/// the machine stopped and ran again.
///
/// ```
/// use loadgen_core::migration::{HypervisorClock, HypervisorEvents};
///
/// let events = HypervisorEvents::of_libvirt("qemu+ssh://node1/system", "qemu+ssh://node2/system")
///     .with_clock(HypervisorClock::Remote);
/// assert_ne!(events, HypervisorEvents::default());
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HypervisorEvents {
    /// URIs of libvirt at source and target.
    pub(super) libvirt: Vec<String>,
    /// QEMU's sockets at source and target.
    pub(super) qmp: Vec<QmpAddress>,
    pub(super) clock: Option<HypervisorClock>,
    /// The machine's name at libvirt, if the manager does not tell it.
    pub(super) domain: Option<String>,
    /// The virsh program, if it is another one.
    pub(super) virsh: Option<PathBuf>,
}

impl HypervisorEvents {
    /// Those of libvirt, at the URIs of source and target.
    #[must_use]
    pub fn of_libvirt(source: impl Into<String>, target: impl Into<String>) -> Self {
        Self { libvirt: vec![source.into(), target.into()], ..Self::default() }
    }

    /// Those of QEMU itself, at its QMP sockets of source and target. That of the target may appear
    /// during the migration.
    #[must_use]
    pub fn of_qmp(source: QmpAddress, target: QmpAddress) -> Self {
        Self { qmp: vec![source, target], ..Self::default() }
    }

    /// Whose clock QEMU's timestamps are of.
    #[must_use]
    pub fn with_clock(mut self, clock: HypervisorClock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// The machine's name at libvirt, where the manager does not tell it.
    #[must_use]
    pub fn with_domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// Listens by this virsh.
    #[must_use]
    pub fn with_virsh(mut self, program: impl Into<PathBuf>) -> Self {
        self.virsh = Some(program.into());
        self
    }

    /// Whether none are heard.
    pub(super) fn is_none(&self) -> bool {
        self.libvirt.is_empty() && self.qmp.is_empty()
    }

    /// Takes a key of a specification, if it is one of these. What comes as a pair is set twice.
    pub(in crate::migration) fn set(
        &mut self,
        key: &str,
        value: &str,
    ) -> Result<bool, TriggerError> {
        match key {
            "libvirt-events" => self.libvirt.push(value.to_owned()),
            "qmp" => self.qmp.push(value.parse()?),
            "clock" => self.clock = Some(value.parse()?),
            "domain" => self.domain = Some(value.to_owned()),
            "virsh" => self.virsh = Some(PathBuf::from(value)),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Whether an item of a list is the second of a pair that `key` began: `KEY=FIRST,SECOND`.
    pub(in crate::migration) fn is_second(&self, key: &str, item: &str) -> bool {
        match key {
            // A URI, whatever stands in its query.
            "libvirt-events" if self.libvirt.len() == 1 => {
                item.find("://").is_some_and(|at| !item[..at].contains('='))
            }
            "qmp" if self.qmp.len() == 1 => {
                ["/", "./", "../", "unix:", "tcp:"].iter().any(|begin| item.starts_with(begin))
            }
            _ => false,
        }
    }

    pub(in crate::migration) fn validate(&self) -> Result<(), TriggerError> {
        let counts = (self.libvirt.len(), self.qmp.len());
        match counts {
            (0, 2) if self.domain.is_some() || self.virsh.is_some() => Err(spec(
                "domain and virsh go with libvirt-events: QEMU's own sockets need neither"
                    .to_owned(),
            )),
            (2, 0) | (0, 2) => Ok(()),
            (0, 0) if *self != Self::default() => Err(spec(
                "clock goes with libvirt-events or qmp, and so do domain and virsh: without them \
                 nobody is listened to"
                    .to_owned(),
            )),
            (0, 0) => Ok(()),
            (1.., 1..) => Err(spec("choose one of libvirt-events and qmp".to_owned())),
            (_, 0) => Err(spec(
                "libvirt-events needs both hosts, as in \
                 libvirt-events=qemu+ssh://node1/system,qemu+ssh://node2/system"
                    .to_owned(),
            )),
            _ => Err(spec(
                "qmp needs the sockets at both hosts, as in qmp=/run/vm.sock,tcp:node2:4445"
                    .to_owned(),
            )),
        }
    }
}
