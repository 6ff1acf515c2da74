//! Why shards did not meet.

use std::io;
use std::time::Duration;

use super::refusal::Refusal;

/// A meeting of shards that did not come about, or broke.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// The token can be guessed.
    #[error(
        "the token in LOADGEN_SYNC_TOKEN has {length} characters, and needs at least 16: give all \
         shards the same long one, of `openssl rand -hex 16`, say"
    )]
    Token {
        /// How many characters it has.
        length: usize,
    },
    /// The hash of the plan cannot stand in a line.
    #[error("the hash of the plan must be 1 to 128 visible characters of ASCII, not '{given}'")]
    PlanHash {
        /// As it was given.
        given: String,
    },
    /// Nobody can meet there.
    #[error(
        "cannot meet at '{given}': it must be HOST:PORT, the machine of shard 0 and a free port"
    )]
    Place {
        /// As it was given.
        given: String,
    },
    /// Not a number of shards.
    #[error("there must be 1 to 100,000 shards, not {of}")]
    Count {
        /// The number as given.
        of: u32,
    },
    /// Shard 0 cannot be its own guest.
    #[error("shard 0 is the one that the others meet: it listens, and joins nobody")]
    OwnGuest,
    /// The kernel gives no random numbers.
    #[error("cannot read /dev/urandom, without which nobody can prove who it is: {0}")]
    Random(io::Error),
    /// The kernel refuses a thread.
    #[error("cannot start a thread for the meeting of the shards: {0}; raise the limit of tasks")]
    Thread(io::Error),
    /// The place cannot be listened at.
    #[error(
        "cannot listen for the other shards at {place}: {cause}; choose another port, or an \
         address of this machine"
    )]
    Listen {
        /// The place as given.
        place: String,
        /// The error of the system.
        cause: io::Error,
    },
    /// Nobody came to the door.
    #[error(
        "shard 0 was not met at {place} within {} s: {cause}; see that it runs and that this \
         machine reaches it there, or give a longer time-out",
        .waited.as_secs_f64()
    )]
    NobodyListens {
        /// The place as given.
        place: String,
        /// The time-out.
        waited: Duration,
        /// What the last try came to.
        cause: String,
    },
    /// Somebody else listens there.
    #[error(
        "whoever listens at {place} is no shard 0 of loadgen: it said '{said}'; choose another port"
    )]
    NotAHost {
        /// The place as given.
        place: String,
        /// What it said, in part.
        said: String,
    },
    /// The host has another version.
    #[error(
        "shard 0 at {place} speaks another version ('{said}'): use the same version of loadgen \
         everywhere"
    )]
    Version {
        /// The place as given.
        place: String,
        /// What it said, in part.
        said: String,
    },
    /// The host does not know the token.
    #[error(
        "whoever listens at {place} does not know the token: give shard 0 the same \
         LOADGEN_SYNC_TOKEN, or choose another port"
    )]
    Impostor {
        /// The place as given.
        place: String,
    },
    /// The host refuses this shard, or sends it home.
    #[error("shard 0 at {place} refuses this shard: {refusal}; {}", .refusal.mend())]
    Refused {
        /// The place as given.
        place: String,
        /// Why.
        refusal: Refusal,
    },
    /// The host is gone.
    #[error("shard 0 at {place} is gone: {cause}; see what it says itself, and start all again")]
    HostGone {
        /// The place as given.
        place: String,
        /// How that was seen.
        cause: String,
    },
    /// The host does not say when to start.
    #[error(
        "shard 0 at {place} told no start within {} s: some shard is not ready, or shard 0 stands \
         still; give all a longer time-out",
        .waited.as_secs_f64()
    )]
    NotStarted {
        /// The place as given.
        place: String,
        /// The time-out.
        waited: Duration,
    },
    /// The start was over when it was told.
    #[error(
        "the start of the load was {} s ago when this shard was told it: this machine or the \
         network stood still; start all again",
        crate::clock::as_seconds(*late_ns)
    )]
    Late {
        /// How long ago it was.
        late_ns: u64,
    },
    /// The clock of the host could not be read.
    #[error(
        "the clock of shard 0 at {place} cannot be told: {cause}; see whether a machine or the \
         network is overloaded"
    )]
    Clock {
        /// The place as given.
        place: String,
        /// Why.
        cause: &'static str,
    },
    /// Somebody stopped it.
    #[error("stopped before the shards had met")]
    Stopped,
    /// Shards were not there, or not ready, in time.
    #[error(
        "{who} within {} s{notes}; see what they say themselves, or give all a longer time-out",
        .waited.as_secs_f64()
    )]
    Missing {
        /// The numbers of those that did not come, or went.
        absent: Vec<u32>,
        /// The numbers of those that came and were not ready.
        unready: Vec<u32>,
        /// Both, in words.
        who: String,
        /// Who was refused, in words: empty, or begins with `; `.
        notes: String,
        /// The time-out.
        waited: Duration,
    },
}
