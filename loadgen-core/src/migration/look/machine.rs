//! What a running machine says of itself: [`MachineNow`].

use serde::Serialize;

/// Bytes of a GiB.
pub(super) const GIB: f64 = 1_073_741_824.0;
/// Bytes of a MiB.
pub(super) const MIB: f64 = 1_048_576.0;

/// How a hypervisor finds out what is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DirtyMode {
    /// Some pages, chosen at random, are looked at before and after. The machine notices nothing
    /// of it.
    #[default]
    PageSampling,
    /// All writes are tracked for the time, each page once. It is exact, makes the machine slower
    /// meanwhile, and needs KVM.
    DirtyBitmap,
}

impl DirtyMode {
    /// The name, as QEMU and libvirt have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PageSampling => "page-sampling",
            Self::DirtyBitmap => "dirty-bitmap",
        }
    }
}

/// One measurement: how much memory was written to in a time, each page counted once.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DirtySample {
    /// How long was measured, in whole seconds: 1 to 60, or a little more on a busy host.
    pub over_s: f64,
    /// Distinct bytes written to in that time, over the time. Rounded down to whole MiB/s by
    /// QEMU.
    pub bytes_per_s: f64,
    /// The smallest step of `bytes_per_s`: 1 MiB/s, or what one sampled page stands for.
    pub resolution_bytes_per_s: f64,
    /// How it was found out.
    pub mode: DirtyMode,
    /// Pages looked at for each GiB of memory; `None` where all pages are.
    pub pages_per_gib: Option<u32>,
}

impl DirtySample {
    /// A sample of so many whole MiB/s, and its resolution.
    pub(super) fn new(
        over_s: f64,
        mib_per_s: u64,
        mode: DirtyMode,
        pages_per_gib: Option<u32>,
    ) -> Self {
        let a_page = pages_per_gib.map_or(0.0, |pages| GIB / f64::from(pages) / over_s);
        Self {
            over_s,
            bytes_per_s: mib_per_s as f64 * MIB,
            resolution_bytes_per_s: a_page.max(MIB),
            mode,
            pages_per_gib,
        }
    }

    /// Distinct bytes that were written to: `bytes_per_s` times `over_s`.
    #[must_use]
    pub fn distinct_bytes(&self) -> f64 {
        self.bytes_per_s * self.over_s
    }

    /// Standard error of `bytes_per_s` by the choice of pages, in bytes/s: M √(p (1 − p)/n)/t,
    /// with memory M of which n pages were looked at, a share p of them written to in t
    /// seconds (the binomial law). 0 where all pages are looked at.
    ///
    /// Of no page that changed it says 0, too: then less than 3 M/n was written to (95 %).
    #[must_use]
    pub fn standard_error(&self, memory_bytes: u64) -> f64 {
        let Some(pages) = self.pages_per_gib else { return 0.0 };
        let memory = memory_bytes as f64;
        let looked_at = memory / GIB * f64::from(pages);
        if looked_at < 1.0 {
            return 0.0;
        }
        let share = (self.distinct_bytes() / memory).min(1.0);
        memory * (share * (1.0 - share) / looked_at).sqrt() / self.over_s
    }
}

/// What a running machine says of itself. What is not known is `None`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MachineNow {
    /// Who was asked, such as `qmp:/run/vm.sock` or `libvirt:web1`; without passwords.
    pub source: String,
    /// The machine's name.
    pub name: Option<String>,
    /// Name of the host, where libvirt tells it.
    pub host: Option<String>,
    /// Name and version of the hypervisor.
    pub hypervisor: Option<String>,
    /// When it was asked, in ms from 1970 by our clock.
    pub asked_at_unix_ms: u64,
    /// Memory assigned to the machine, in bytes; what a balloon holds is part of it.
    pub memory_bytes: Option<u64>,
    /// What of it a balloon leaves to the machine, in bytes.
    pub balloon_bytes: Option<u64>,
    /// Memory of the host that the machine's process has in use, in bytes, at most
    /// `memory_bytes`. Above what is to be sent: pages of zeros are part of it.
    pub resident_bytes: Option<u64>,
    /// What was written to, the shortest time first.
    pub dirty: Vec<DirtySample>,
    /// Limit of pre-copy, in bytes/s; `None` for no limit, too.
    pub max_bandwidth_bytes_per_s: Option<u64>,
    /// Limit of post-copy, in bytes/s; `None` for no limit, too.
    pub max_postcopy_bandwidth_bytes_per_s: Option<u64>,
    /// What QEMU is told to reckon with once the machine is stopped, in bytes/s (from QEMU 8.2
    /// on); `None`: what it sees itself.
    pub switchover_bandwidth_bytes_per_s: Option<u64>,
    /// How long the machine may be stopped for the last round, in s.
    pub downtime_limit_s: Option<f64>,
    /// Capabilities for migrations that are on, by QEMU's names; libvirt does not tell them.
    pub capabilities: Option<Vec<String>>,
}

/// A limit, if it is one: 0 and what no network has stand for none.
pub(super) fn limit(bytes_per_s: u64) -> Option<u64> {
    (1..1 << 60).contains(&bytes_per_s).then_some(bytes_per_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resolution_is_a_mebibyte_or_a_page() {
        let of = |over_s, pages| {
            DirtySample::new(over_s, 3, DirtyMode::PageSampling, Some(pages)).resolution_bytes_per_s
        };
        assert_eq!([of(1.0, 512), of(4.0, 512), of(1.0, 16384)], [2.0 * MIB, MIB, MIB]);
        let all = DirtySample::new(1.0, 3, DirtyMode::DirtyBitmap, None);
        assert_eq!((all.resolution_bytes_per_s, all.standard_error(1 << 30)), (MIB, 0.0));
    }

    #[test]
    fn the_standard_error_is_that_of_a_share() {
        // 10 of 512 MiB within 256 pages: 512 √(0.01953 · 0.98047/256) MiB.
        let sample = DirtySample::new(1.0, 10, DirtyMode::PageSampling, Some(512));
        let error = sample.standard_error(512 << 20) / MIB;
        assert!((error - 4.4282).abs() < 1e-3, "{error}");
        assert_eq!(sample.distinct_bytes(), 10.0 * MIB);
        // Nonsense stays a number.
        assert_eq!(sample.standard_error(0), 0.0);
        assert_eq!(sample.standard_error(1 << 22), 0.0);
    }

    #[test]
    fn what_no_network_has_is_no_limit() {
        // As libvirt sets it, and as virsh tells it in MiB/s.
        let libvirts = 9_223_372_036_853_727_232;
        assert_eq!([limit(0), limit(libvirts), limit(1 << 27)], [None, None, Some(1 << 27)]);
    }
}
