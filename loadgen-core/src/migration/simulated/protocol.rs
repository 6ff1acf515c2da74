//! What parent and child say to each other: one JSON object a line.

use std::io::{self, BufRead, Read};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::vm::SimulatedVm;
use crate::clock::Nanos;

/// Longest line that is read.
const LINE_LIMIT: u64 = 64 * 1024;

/// Said to the child.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub(super) enum ToChild {
    /// Always the first: what to be.
    Be {
        vm: SimulatedVm,
    },
    Fire,
    Cancel,
}

/// Said by the child. Times are `CLOCK_MONOTONIC`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub(super) enum ToParent {
    /// Always the first: where it listens.
    Ready { url: String },
    /// It cannot be what it was told to be.
    Unfit { reason: String },
    /// Something happened.
    Event {
        name: String,
        at_monotonic_ns: Nanos,
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        attributes: Map<String, Value>,
    },
    /// What was asked cannot be done (now).
    Refused { reason: String },
    /// What really happened; just before the event `completed`.
    Truth(TruthLine),
}

/// The ground truth, taken inside the serving thread.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct TruthLine {
    pub(super) accepted_monotonic_ns: Nanos,
    /// Directly before the thread slept.
    pub(super) stop_monotonic_ns: Nanos,
    /// Directly after it slept.
    pub(super) resume_monotonic_ns: Nanos,
    pub(super) completed_monotonic_ns: Nanos,
    pub(super) transferred_bytes: u64,
    pub(super) rounds: u32,
    pub(super) hypervisor_downtime_ns: Nanos,
    pub(super) dirty_bytes_per_s: f64,
}

/// The next line as a message; `None` at the end of the stream.
pub(super) fn read_message<T: for<'a> Deserialize<'a>>(
    reader: &mut impl BufRead,
) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    reader.take(LINE_LIMIT).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    serde_json::from_slice(&line).map(Some).map_err(|error| {
        let start = line[..line.len().min(100)].escape_ascii();
        io::Error::new(io::ErrorKind::InvalidData, format!("unexpected line '{start}': {error}"))
    })
}

/// A message as a line.
pub(super) fn to_line(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_the_way() {
        let messages = [ToChild::Be { vm: SimulatedVm::default() }, ToChild::Fire, ToChild::Cancel];
        let bytes: Vec<u8> = messages.iter().flat_map(|m| to_line(m).unwrap()).collect();
        let mut reader = io::Cursor::new(bytes);
        for message in messages {
            assert_eq!(read_message(&mut reader).unwrap(), Some(message));
        }
        assert_eq!(read_message::<ToChild>(&mut reader).unwrap(), None);
    }

    #[test]
    fn garbage_and_endless_lines_are_errors() {
        let garbage = read_message::<ToParent>(&mut io::Cursor::new(b"hello\n")).unwrap_err();
        assert!(garbage.to_string().contains("hello"), "{garbage}");
        let endless = io::BufReader::new(io::repeat(b'{'));
        assert!(read_message::<ToParent>(&mut { endless }).is_err());
    }
}
