//! What can be taken from recordings.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What can be taken from recordings. The order is that of a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Parameter {
    /// What the first pass of pre-copy has to send, in bytes on the wire.
    Memory,
    /// At which memory is sent while the machine runs at its source, in bytes a second.
    Bandwidth,
    /// From the acceptance to the first byte of memory, in s.
    PrepareS,
    /// Bytes that are written to in a second.
    DirtyRate,
    /// Bytes that are written to at all.
    WorkingSet,
    /// Bytes that are dirty again after a few tenths of a second.
    Base,
    /// In which time the base set is dirty again to 63 %, in s.
    BaseTimeS,
    /// At which the rest is sent while the machine stands still, in bytes a second.
    StopBandwidth,
    /// What the target needs to load and to resume after it has all that it needs, in s.
    LoadS,
    /// What post-copy has to push after the switch-over, in bytes on the wire.
    PushedMemory,
    /// At which post-copy pushes, in bytes a second.
    PushBandwidth,
    /// From the acceptance to the stop of post-copy, in s.
    PostCopyPrepareS,
    /// What is sent in this time, in bytes on the wire.
    SentBefore,
    /// The downtime of post-copy, in s.
    PostCopyDowntimeS,
    /// What stop-and-copy sends, in bytes on the wire.
    CopiedMemory,
    /// At which it is sent, in bytes a second.
    CopyBandwidth,
}

impl Parameter {
    /// The name in documents.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Bandwidth => "bandwidth",
            Self::PrepareS => "prepare_s",
            Self::DirtyRate => "dirty_rate",
            Self::WorkingSet => "working_set",
            Self::Base => "base",
            Self::BaseTimeS => "base_time_s",
            Self::StopBandwidth => "stop_bandwidth",
            Self::LoadS => "load_s",
            Self::PushedMemory => "pushed_memory",
            Self::PushBandwidth => "push_bandwidth",
            Self::PostCopyPrepareS => "post_copy_prepare_s",
            Self::SentBefore => "sent_before",
            Self::PostCopyDowntimeS => "post_copy_downtime_s",
            Self::CopiedMemory => "copied_memory",
            Self::CopyBandwidth => "copy_bandwidth",
        }
    }

    /// What it is measured in.
    #[must_use]
    pub fn unit(self) -> FitUnit {
        match self {
            Self::Memory
            | Self::WorkingSet
            | Self::Base
            | Self::PushedMemory
            | Self::SentBefore
            | Self::CopiedMemory => FitUnit::Bytes,
            Self::Bandwidth
            | Self::DirtyRate
            | Self::StopBandwidth
            | Self::PushBandwidth
            | Self::CopyBandwidth => FitUnit::BytesPerS,
            Self::PrepareS
            | Self::BaseTimeS
            | Self::LoadS
            | Self::PostCopyPrepareS
            | Self::PostCopyDowntimeS => FitUnit::Seconds,
        }
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a parameter is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FitUnit {
    /// Bytes.
    Bytes,
    /// Bytes a second.
    BytesPerS,
    /// Seconds.
    Seconds,
}
