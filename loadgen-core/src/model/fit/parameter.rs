//! What can be taken from recordings.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What can be taken from recordings. The order is that of a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Parameter {
    /// What the first pass of pre-copy has to send, in bytes on the wire.
    #[serde(rename = "memory_bytes")]
    Memory,
    /// At which memory is sent while the machine runs at its source, in bytes a second.
    #[serde(rename = "bandwidth_bytes_per_s")]
    Bandwidth,
    /// From the acceptance to the first byte of memory, in s.
    #[serde(rename = "prepare_s")]
    PrepareS,
    /// Bytes that are written to in a second.
    #[serde(rename = "dirty_bytes_per_s")]
    DirtyRate,
    /// Bytes that are written to at all.
    #[serde(rename = "working_set_bytes")]
    WorkingSet,
    /// Bytes that are dirty again after a few tenths of a second.
    #[serde(rename = "base_bytes")]
    Base,
    /// In which time the base set is dirty again to 63 %, in s.
    #[serde(rename = "base_time_s")]
    BaseTimeS,
    /// At which the rest is sent while the machine stands still, in bytes a second.
    #[serde(rename = "stop_bandwidth_bytes_per_s")]
    StopBandwidth,
    /// What the target needs to load and to resume after it has all that it needs, in s.
    #[serde(rename = "load_s")]
    LoadS,
    /// What post-copy has to push after the switch-over, in bytes on the wire.
    #[serde(rename = "pushed_memory_bytes")]
    PushedMemory,
    /// At which post-copy pushes, in bytes a second.
    #[serde(rename = "push_bandwidth_bytes_per_s")]
    PushBandwidth,
    /// From the acceptance to the stop of post-copy, in s.
    #[serde(rename = "post_copy_prepare_s")]
    PostCopyPrepareS,
    /// What is sent in this time, in bytes on the wire.
    #[serde(rename = "sent_before_bytes")]
    SentBefore,
    /// The downtime of post-copy, in s.
    #[serde(rename = "post_copy_downtime_s")]
    PostCopyDowntimeS,
    /// At which hybrid pushes, in bytes a second.
    #[serde(rename = "hybrid_push_bandwidth_bytes_per_s")]
    HybridPushBandwidth,
    /// The downtime of hybrid, in s.
    #[serde(rename = "hybrid_downtime_s")]
    HybridDowntimeS,
    /// What stop-and-copy sends, in bytes on the wire.
    #[serde(rename = "copied_memory_bytes")]
    CopiedMemory,
    /// At which it is sent, in bytes a second.
    #[serde(rename = "copy_bandwidth_bytes_per_s")]
    CopyBandwidth,
}

impl Parameter {
    /// The name in documents, with its unit.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory_bytes",
            Self::Bandwidth => "bandwidth_bytes_per_s",
            Self::PrepareS => "prepare_s",
            Self::DirtyRate => "dirty_bytes_per_s",
            Self::WorkingSet => "working_set_bytes",
            Self::Base => "base_bytes",
            Self::BaseTimeS => "base_time_s",
            Self::StopBandwidth => "stop_bandwidth_bytes_per_s",
            Self::LoadS => "load_s",
            Self::PushedMemory => "pushed_memory_bytes",
            Self::PushBandwidth => "push_bandwidth_bytes_per_s",
            Self::PostCopyPrepareS => "post_copy_prepare_s",
            Self::SentBefore => "sent_before_bytes",
            Self::PostCopyDowntimeS => "post_copy_downtime_s",
            Self::HybridPushBandwidth => "hybrid_push_bandwidth_bytes_per_s",
            Self::HybridDowntimeS => "hybrid_downtime_s",
            Self::CopiedMemory => "copied_memory_bytes",
            Self::CopyBandwidth => "copy_bandwidth_bytes_per_s",
        }
    }

    /// What people call it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Memory => "memory to send",
            Self::Bandwidth => "bandwidth",
            Self::PrepareS => "time to prepare",
            Self::DirtyRate => "dirty rate",
            Self::WorkingSet => "working set",
            Self::Base => "base set",
            Self::BaseTimeS => "time of the base set",
            Self::StopBandwidth => "bandwidth of the stop",
            Self::LoadS => "time to load",
            Self::PushedMemory => "memory that follows",
            Self::PushBandwidth => "bandwidth of pushing",
            Self::PostCopyPrepareS => "time to prepare post-copy",
            Self::SentBefore => "bytes sent before post-copy",
            Self::PostCopyDowntimeS => "downtime of post-copy",
            Self::HybridPushBandwidth => "bandwidth of pushing of hybrid",
            Self::HybridDowntimeS => "downtime of hybrid",
            Self::CopiedMemory => "memory of stop-and-copy",
            Self::CopyBandwidth => "bandwidth of stop-and-copy",
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
            | Self::HybridPushBandwidth
            | Self::CopyBandwidth => FitUnit::BytesPerS,
            Self::PrepareS
            | Self::BaseTimeS
            | Self::LoadS
            | Self::PostCopyPrepareS
            | Self::PostCopyDowntimeS
            | Self::HybridDowntimeS => FitUnit::Seconds,
        }
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
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
