//! Which URI a call asks for when its script does not say.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::RawText;
use crate::error::PlanError;

/// The source of URIs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Uris {
    /// Always the same.
    Fixed {
        /// The URI.
        uri: RawText,
    },
    /// The next of a list, over the whole run.
    List {
        /// At least one.
        uris: Vec<RawText>,
        /// From the beginning again after the last; else the run ends when a call
        /// needs one more.
        wrap: bool,
    },
    /// A working set of files that is walked through at a miss rate (httperf's
    /// `--wset`).
    Set {
        /// What stands before the digits.
        prefix: RawText,
        /// Files in all.
        files: u64,
        /// Which share of the calls goes to the next file, 0 to 1.
        miss_rate: f64,
        /// The first file.
        first: u64,
        /// From one file to the next.
        stride: u64,
    },
}

impl Uris {
    pub(crate) fn validate(&self) -> Result<(), PlanError> {
        let range = |what, range, value: String| Err(PlanError::Range { what, range, value });
        match self {
            Self::Fixed { .. } => Ok(()),
            Self::List { uris, .. } if uris.is_empty() => {
                range("the list of URIs", "at least one", "0".to_owned())
            }
            Self::List { .. } => Ok(()),
            Self::Set { files: 0, .. } => range("the working set", "at least 1 file", "0".into()),
            Self::Set { miss_rate, .. } if !(0.0..=1.0).contains(miss_rate) => {
                range("the miss rate", "from 0 to 1", miss_rate.to_string())
            }
            Self::Set { .. } => Ok(()),
        }
    }
}

/// The first number of an unseeded `drand48`, from which a set's walk starts.
const FIRST_SHARE: f64 = 11.0 / (1_u64 << 48) as f64;

/// Gives each call of a run its URI, by the number of the call; of several workers each
/// asks for every n-th.
#[derive(Debug, Clone)]
pub(crate) struct UriWalker {
    source: Source,
}

#[derive(Debug, Clone)]
enum Source {
    Fixed(RawText),
    List { uris: Arc<[RawText]>, wrap: bool },
    Set(SetWalk),
}

impl UriWalker {
    /// A walker at the first call. Its clones share the list of URIs.
    pub(crate) fn new(uris: &Uris) -> Self {
        let source = match uris {
            Uris::Fixed { uri } => Source::Fixed(uri.clone()),
            Uris::List { uris, wrap } => Source::List { uris: uris.as_slice().into(), wrap: *wrap },
            Uris::Set { prefix, files, miss_rate, first, stride } => {
                let files = (*files).max(1);
                Source::Set(SetWalk {
                    prefix: prefix.clone(),
                    files,
                    miss_rate: *miss_rate,
                    first: first % files,
                    stride: stride % files,
                    taken: 0,
                    share: FIRST_SHARE,
                    file: first % files,
                })
            }
        };
        Self { source }
    }

    /// Puts the URI of a call (from 0) in place of what is in `into`. `false` if
    /// the list ends before it. Quick for calls in ascending order.
    pub(crate) fn uri(&mut self, call_index: u64, into: &mut Vec<u8>) -> bool {
        into.clear();
        match &mut self.source {
            Source::Fixed(uri) => into.extend_from_slice(uri),
            Source::List { uris, wrap } => {
                let count = uris.len() as u64;
                let index = if *wrap { call_index.checked_rem(count) } else { Some(call_index) };
                let uri = index.and_then(|index| uris.get(usize::try_from(index).ok()?));
                let Some(uri) = uri else { return false };
                into.extend_from_slice(uri);
            }
            Source::Set(walk) => walk.uri(call_index, into),
        }
        true
    }
}

/// The walk through a working set: with each call the share grows by the miss
/// rate, and when it is whole the next file's turn has come. It is added up, not
/// multiplied, so that rounding changes files at the same calls as in httperf.
#[derive(Debug, Clone)]
struct SetWalk {
    prefix: RawText,
    files: u64,
    miss_rate: f64,
    first: u64,
    stride: u64,
    /// Calls that the walk has got to.
    taken: u64,
    share: f64,
    file: u64,
}

impl SetWalk {
    fn uri(&mut self, call_index: u64, into: &mut Vec<u8>) {
        if call_index.saturating_add(1) < self.taken {
            (self.taken, self.share, self.file) = (0, FIRST_SHARE, self.first);
        }
        while self.taken <= call_index {
            self.step();
        }
        into.extend_from_slice(&self.prefix);
        // A directory a digit; as many digits as the last file has.
        let mut unit = 1;
        while unit < self.files {
            unit = unit.saturating_mul(10);
        }
        while unit > 1 {
            unit /= 10;
            into.push(b'/');
            into.push(b'0' + (self.file / unit % 10) as u8);
        }
        into.extend_from_slice(b".html");
    }

    fn step(&mut self) {
        self.taken += 1;
        self.share += self.miss_rate;
        if self.share >= 1.0 {
            self.share -= 1.0;
            // Both are below the number of files.
            let left = self.files - self.file;
            self.file =
                if self.stride < left { self.file + self.stride } else { self.stride - left };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(prefix: &str, files: u64, miss_rate: f64, first: u64, stride: u64) -> UriWalker {
        UriWalker::new(&Uris::Set { prefix: prefix.into(), files, miss_rate, first, stride })
    }

    fn take(walker: &mut UriWalker, calls: u64) -> Vec<String> {
        let mut uri = Vec::new();
        let mut taken = Vec::new();
        for call in 0..calls {
            if walker.uri(call, &mut uri) {
                taken.push(String::from_utf8(uri.clone()).unwrap());
            }
        }
        taken
    }

    #[test]
    fn a_set_is_walked_at_its_miss_rate() {
        let files: Vec<_> =
            [0, 0, 0, 1, 1, 1, 1, 2, 2].map(|file| format!("/wset/{file}.html")).into();
        assert_eq!(take(&mut set("/wset", 10, 0.25, 0, 1), 9), files);
        let files = take(&mut set("/wset", 100, 1.0, 3, 7), 15);
        assert_eq!(files[..2], ["/wset/1/0.html", "/wset/1/7.html"]);
        assert_eq!(files[13..], ["/wset/0/1.html", "/wset/0/8.html"]);
    }

    /// Calls that each of the first files got from the original.
    #[test]
    fn files_change_at_the_calls_of_the_original() {
        for (miss_rate, calls_of_files) in [
            (0.1, "9".to_owned() + &"a".repeat(59)),
            (0.3, "333433433433433433433433433433433433433433433433433433433433".to_owned()),
            (0.7, "112121121212112121211212121121212112121211212121121212112121".to_owned()),
            // 999, 1000 and 1000 files with one call, each before one with two.
            (0.999, format!("{}2{one}2{one}2", "1".repeat(999), one = "1".repeat(998))),
        ] {
            let mut walker = set("", 10_000, miss_rate, 0, 1);
            let mut uri = Vec::new();
            let mut counts = vec![0_u32];
            let mut last = "/0/0/0/0.html".to_owned();
            // One file more, so that the last one is complete.
            for call in 0.. {
                walker.uri(call, &mut uri);
                if uri != last.as_bytes() {
                    last = String::from_utf8(uri.clone()).unwrap();
                    if counts.len() == calls_of_files.len() {
                        break;
                    }
                    counts.push(0);
                }
                *counts.last_mut().unwrap() += 1;
            }
            let counts: String =
                counts.iter().filter_map(|&count| char::from_digit(count, 36)).collect();
            assert_eq!(counts, calls_of_files, "{miss_rate}");
        }
    }

    #[test]
    fn files_have_as_many_digits_as_the_last_one() {
        for (files, uri) in [
            (1, "p.html"),
            (2, "p/0.html"),
            (10, "p/0.html"),
            (11, "p/0/0.html"),
            (100, "p/0/0.html"),
            (1001, "p/0/0/0/0.html"),
        ] {
            assert_eq!(take(&mut set("p", files, 0.0, 0, 1), 1), [uri], "{files}");
        }
    }

    #[test]
    fn a_list_ends_or_begins_again() {
        let list = |wrap| Uris::List { uris: vec!["/a".into(), "/b".into()], wrap };
        assert_eq!(take(&mut UriWalker::new(&list(false)), 5), ["/a", "/b"]);
        assert_eq!(take(&mut UriWalker::new(&list(true)), 5), ["/a", "/b", "/a", "/b", "/a"]);
        let none = Uris::List { uris: Vec::new(), wrap: true };
        assert_eq!(take(&mut UriWalker::new(&none), 3), [""; 0]);
    }

    proptest! {
        #[test]
        fn workers_that_share_a_counter_agree(
            files in 1_u64..200, miss_rate in 0.0..=1.0_f64, first: u64, stride: u64,
            owners in prop::collection::vec(0_usize..3, 100),
        ) {
            let whole = take(&mut set("", files, miss_rate, first, stride), 100);
            let mut walkers = vec![set("", files, miss_rate, first, stride); 3];
            let mut uri = Vec::new();
            for (call, owner) in owners.into_iter().enumerate() {
                walkers[owner].uri(call as u64, &mut uri);
                prop_assert_eq!(&uri[..], whole[call].as_bytes());
            }
            // And back to an earlier call.
            walkers[0].uri(1, &mut uri);
            prop_assert_eq!(&uri[..], whole[1].as_bytes());
        }
    }
}
