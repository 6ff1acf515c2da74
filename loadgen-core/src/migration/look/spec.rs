//! Whom to ask, and for what: [`LookSpec`].

use std::path::PathBuf;
use std::str::FromStr;

use super::error::LookError;
use super::machine::DirtyMode;
use crate::migration::lists::list_items;
use crate::migration::qmp::QmpAddress;
use crate::secret::without_passwords;
use crate::units::parse_duration;

/// How long QEMU can measure, in s.
const SECONDS: std::ops::RangeInclusive<u32> = 1..=60;
/// How many pages of each GiB QEMU can look at.
const PAGES: std::ops::RangeInclusive<u32> = 128..=16384;
/// All measurements together, in s.
const MOST_SECONDS: u64 = 600;

const KEYS: &str = "over, repeat, mode, pages (of qmp: alone), uri and virsh (of libvirt: alone)";

/// Who knows the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LookAt {
    /// QEMU itself, at its QMP socket.
    Qmp(QmpAddress),
    /// A libvirt, by virsh.
    Libvirt {
        /// The domain: its name, UUID or number.
        domain: String,
        /// URI of the libvirt; `None`: as virsh has it.
        uri: Option<String>,
        /// The virsh program.
        virsh: PathBuf,
    },
}

impl LookAt {
    /// As it is shown, without passwords.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Qmp(address) => format!("qmp:{address}"),
            Self::Libvirt { domain, uri: None, .. } => format!("libvirt:{domain}"),
            Self::Libvirt { domain, uri: Some(uri), .. } => {
                format!("libvirt:{domain},uri={}", without_passwords(uri))
            }
        }
    }
}

/// Which machine is asked, and what is measured: `qmp:SOCKET[,KEY=VALUE…]` or
/// `libvirt:DOMAIN[,KEY=VALUE…]`. A comma inside a value is written twice.
///
/// | key | meaning | default |
/// |---|---|---|
/// | `over` | how long is measured, 1 s to 60 s in whole seconds; may come again | 1 s and 4 s |
/// | `repeat` | how often each time is measured | 1 |
/// | `mode` | `page-sampling`, or `dirty-bitmap` (KVM only; from libvirt 8.1 on) | page-sampling |
/// | `pages` | of `qmp:`: pages looked at in each GiB, 128 to 16384 | by the memory: see below |
/// | `uri` | of `libvirt:`: the host that the machine runs on | as virsh has it |
/// | `virsh` | of `libvirt:`: the program | virsh |
///
/// By QMP some 65 536 pages (256 MiB) are looked at in all, but 512 of each GiB at least, which
/// is what QEMU does of itself, and 16 384 at most. Libvirt cannot tell QEMU how many: there it
/// is 512, and `repeat` helps.
///
/// ```
/// use loadgen_core::migration::look::LookSpec;
///
/// let spec: LookSpec = "qmp:/run/vm.sock,over=1s,over=5s,repeat=3".parse()?;
/// assert_eq!(spec, LookSpec::new(spec.place.clone()).with_over_s([1, 5]).with_repeats(3));
/// # Ok::<(), loadgen_core::migration::look::LookError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LookSpec {
    /// Whom to ask.
    pub place: LookAt,
    /// How long is measured, in s: 1 to 60 each. Two that differ tell the working set apart
    /// from the rate.
    pub over_s: Vec<u32>,
    /// How often each time is measured, from 1.
    pub repeats: u32,
    /// How it is measured.
    pub mode: DirtyMode,
    /// Pages looked at in each GiB, by QMP; `None`: by the memory.
    pub pages_per_gib: Option<u32>,
}

impl LookSpec {
    /// Asks for 1 s and for 4 s, by page-sampling.
    #[must_use]
    pub fn new(place: LookAt) -> Self {
        let mode = DirtyMode::default();
        Self { place, over_s: vec![1, 4], repeats: 1, mode, pages_per_gib: None }
    }

    /// How long is measured, in s.
    #[must_use]
    pub fn with_over_s(mut self, over_s: impl Into<Vec<u32>>) -> Self {
        self.over_s = over_s.into();
        self
    }

    /// How often each time is measured.
    #[must_use]
    pub fn with_repeats(mut self, repeats: u32) -> Self {
        self.repeats = repeats;
        self
    }

    /// How it is measured.
    #[must_use]
    pub fn with_mode(mut self, mode: DirtyMode) -> Self {
        self.mode = mode;
        self
    }

    /// Pages looked at in each GiB.
    #[must_use]
    pub fn with_pages_per_gib(mut self, pages: u32) -> Self {
        self.pages_per_gib = Some(pages);
        self
    }

    /// Checks that it can be asked for.
    ///
    /// # Errors
    /// [`LookError::Spec`] that says what cannot.
    pub fn validate(&self) -> Result<(), LookError> {
        let refuse = |why: String| Err(LookError::Spec(why));
        let is_libvirt = match &self.place {
            LookAt::Qmp(_) => false,
            LookAt::Libvirt { domain, .. } if domain.is_empty() || domain.starts_with('-') => {
                return refuse(
                    "libvirt: needs the name of a domain, as in libvirt:web1".to_owned(),
                );
            }
            LookAt::Libvirt { .. } => true,
        };
        if self.over_s.is_empty() || self.repeats == 0 {
            return refuse("nothing is measured: name a time of 1 s or more, once".to_owned());
        }
        if let Some(wrong) = self.over_s.iter().find(|over| !SECONDS.contains(over)) {
            return refuse(format!("over must be 1s to 60s, not {wrong}s"));
        }
        let once: u64 = self.over_s.iter().copied().map(u64::from).sum();
        if once.saturating_mul(self.repeats.into()) > MOST_SECONDS {
            return refuse(format!("that is more than {MOST_SECONDS} s of measuring"));
        }
        match self.pages_per_gib {
            Some(_) if is_libvirt => refuse(
                "libvirt cannot tell QEMU how many pages to look at: leave pages out".to_owned(),
            ),
            Some(_) if self.mode != DirtyMode::PageSampling => {
                refuse(format!("pages are looked at by page-sampling, not by {}", self.mode.name()))
            }
            Some(pages) if !PAGES.contains(&pages) => {
                refuse(format!("pages must be 128 to 16384, not {pages}"))
            }
            _ => Ok(()),
        }
    }

    /// Pages to look at in each GiB of so much memory.
    pub(super) fn pages(&self, memory_bytes: u64) -> u32 {
        self.pages_per_gib.unwrap_or_else(|| {
            let wanted = (65_536_u64 << 30) / memory_bytes.max(1);
            wanted.clamp(512, 16384) as u32
        })
    }
}

impl FromStr for LookSpec {
    type Err = LookError;

    fn from_str(text: &str) -> Result<Self, LookError> {
        let refuse = |why: String| Err(LookError::Spec(why));
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        let mut items = list_items(rest).into_iter();
        let first = items.next().unwrap_or_default();
        let place = match kind {
            "qmp" if first.is_empty() => {
                return refuse("qmp: needs a socket, as in qmp:/run/vm.sock".to_owned());
            }
            "qmp" => LookAt::Qmp(first.parse()?),
            "libvirt" => LookAt::Libvirt { domain: first, uri: None, virsh: "virsh".into() },
            _ => {
                return refuse(format!(
                    "'{}' is neither qmp:SOCKET nor libvirt:DOMAIN",
                    kind.escape_debug()
                ));
            }
        };
        let mut spec = Self::new(place);
        let mut seen: Vec<String> = Vec::new();
        for item in items {
            let Some((key, value)) = item.split_once('=').filter(|(_, value)| !value.is_empty())
            else {
                return refuse(format!("'{}' is not KEY=VALUE", item.escape_debug()));
            };
            let again = seen.iter().any(|known| known == key);
            match (again, key) {
                (true, "over") => spec.over_s.push(seconds(value)?),
                (true, _) => return refuse(format!("{} is given twice", key.escape_debug())),
                (false, "over") => spec.over_s = vec![seconds(value)?],
                (false, _) => spec.set(key, value)?,
            }
            seen.push(key.to_owned());
        }
        spec.validate()?;
        Ok(spec)
    }
}

impl LookSpec {
    fn set(&mut self, key: &str, value: &str) -> Result<(), LookError> {
        match (key, &mut self.place) {
            ("repeat", _) => self.repeats = number(key, value)?,
            ("pages", _) => self.pages_per_gib = Some(number(key, value)?),
            ("mode", _) => {
                let modes = [DirtyMode::PageSampling, DirtyMode::DirtyBitmap];
                self.mode =
                    modes.into_iter().find(|mode| mode.name() == value).ok_or_else(|| {
                        LookError::Spec(format!(
                            "unknown mode '{}': choose page-sampling or dirty-bitmap",
                            value.escape_debug()
                        ))
                    })?;
            }
            ("uri", LookAt::Libvirt { uri, .. }) => *uri = Some(value.to_owned()),
            ("virsh", LookAt::Libvirt { virsh, .. }) => *virsh = PathBuf::from(value),
            _ => {
                let key = key.escape_debug();
                return Err(LookError::Spec(format!("no key '{key}' here; known: {KEYS}")));
            }
        }
        Ok(())
    }
}

fn number(key: &str, value: &str) -> Result<u32, LookError> {
    value.parse().map_err(|_| {
        LookError::Spec(format!("{key} must be a whole number, not '{}'", value.escape_debug()))
    })
}

fn seconds(text: &str) -> Result<u32, LookError> {
    let whole = parse_duration(text).ok().filter(|duration| duration.subsec_nanos() == 0);
    let seconds = whole.and_then(|duration| u32::try_from(duration.as_secs()).ok());
    seconds.ok_or_else(|| {
        LookError::Spec(format!(
            "over must be whole seconds, such as 4s, not '{}'",
            text.escape_debug()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keys() {
        let text = "libvirt:web1,uri=qemu+ssh://node1/system?a=1,,2,virsh=/bin/virsh,over=2s,\
                    over=60,repeat=2,mode=dirty-bitmap";
        let spec: LookSpec = text.parse().unwrap();
        let place = LookAt::Libvirt {
            domain: "web1".into(),
            uri: Some("qemu+ssh://node1/system?a=1,2".into()),
            virsh: "/bin/virsh".into(),
        };
        let wanted = LookSpec::new(place).with_over_s([2, 60]).with_repeats(2);
        assert_eq!(spec, wanted.with_mode(DirtyMode::DirtyBitmap));
        let spec: LookSpec = "qmp:tcp:[::1]:7,pages=4096".parse().unwrap();
        let place = LookAt::Qmp(QmpAddress::Tcp("[::1]:7".into()));
        assert_eq!(spec, LookSpec::new(place).with_pages_per_gib(4096));
        assert_eq!(spec.place.shown(), "qmp:tcp:[::1]:7");
    }

    #[test]
    fn refusals_name_the_mend() {
        let cases = [
            ("", "neither qmp:SOCKET nor libvirt:DOMAIN"),
            ("xen:a", "'xen' is neither"),
            ("qmp:", "needs a socket, as in qmp:/run/vm.sock"),
            ("qmp:tcp:host", "not tcp:HOST:PORT"),
            ("libvirt:", "needs the name of a domain"),
            ("libvirt:-x", "needs the name of a domain"),
            ("qmp:/a,over", "'over' is not KEY=VALUE"),
            ("qmp:/a,over=0s", "over must be 1s to 60s, not 0s"),
            ("qmp:/a,over=61s", "over must be 1s to 60s, not 61s"),
            ("qmp:/a,over=1500ms", "whole seconds, such as 4s, not '1500ms'"),
            ("qmp:/a,repeat=0", "nothing is measured"),
            ("qmp:/a,repeat=1,repeat=2", "repeat is given twice"),
            ("qmp:/a,over=60s,repeat=11", "more than 600 s"),
            ("qmp:/a,repeat=4294967295", "more than 600 s"),
            ("qmp:/a,repeat=x", "repeat must be a whole number, not 'x'"),
            ("qmp:/a,pages=127", "pages must be 128 to 16384, not 127"),
            ("qmp:/a,pages=512,mode=dirty-bitmap", "looked at by page-sampling"),
            ("qmp:/a,mode=dirty-ring", "choose page-sampling or dirty-bitmap"),
            ("qmp:/a,uri=qemu:///system", "no key 'uri' here; known: over"),
            ("libvirt:a,pages=512", "leave pages out"),
        ];
        for (text, reason) in cases {
            let error = text.parse::<LookSpec>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn pages_by_the_memory() {
        let spec: LookSpec = "qmp:/a".parse().unwrap();
        let of = |memory| spec.pages(memory);
        assert_eq!([of(0), of(1 << 29), of(8 << 30), of(1 << 40)], [16384, 16384, 8192, 512]);
        assert_eq!(spec.clone().with_pages_per_gib(700).pages(1 << 30), 700);
    }
}
