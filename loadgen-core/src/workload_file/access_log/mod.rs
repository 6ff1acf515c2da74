//! Access logs: what users asked for, and when.
//!
//! Read are the common, combined and vhost_combined formats of Apache and nginx, whatever comes
//! before the time and behind the request line; and a JSON object a line, with the names that
//! nginx, Apache and others are usually told to use. A line tells method, path and time; its
//! other headers and the body are in no log. What cannot be replayed is left out and counted,
//! since every log of a server on the internet has lines of scanners.

mod line;
mod time;

use std::collections::BTreeMap;
use std::path::Path;

use line::{Skip, parse};

use super::entry::{Base, Take};
use crate::clock::Nanos;
use crate::error::WorkloadFileError;

/// What is read of a log beside its requests.
#[derive(Debug, Default)]
pub(super) struct Replayed {
    /// When each request came, in ns from the first: in order, as the requests are.
    pub(super) times: Vec<Nanos>,
    /// Lines that were left out, by reason.
    pub(super) skipped: BTreeMap<String, u64>,
}

const MICROS_A_SECOND: i64 = 1_000_000;

/// Whether a file is one, by its first line: one of JSON might be one of requests.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    let first = bytes.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty());
    first
        .is_some_and(|line| !line.trim_ascii_start().starts_with(b"{") && parse(line, true).is_ok())
}

/// Hands out the requests of a log in the order of their times: a log is written in the order in
/// which requests end. `change_state`: those of methods that may, too.
pub(super) fn read(
    bytes: &[u8],
    file: &Path,
    base: &Base<'_>,
    change_state: bool,
    take: Take<'_>,
) -> Result<Replayed, WorkloadFileError> {
    // Time, line number and place; the line is read again when its turn comes.
    let mut found: Vec<(i64, u64, usize)> = Vec::new();
    let mut skipped: BTreeMap<Skip, (u64, u64)> = BTreeMap::new();
    let mut place = 0;
    for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        if !line.trim_ascii().is_empty() {
            match parse(line, change_state) {
                Ok(logged) => found.push((logged.at_us, number, place)),
                Err(skip) => skipped.entry(skip).or_insert((0, number)).0 += 1,
            }
        }
        place += line.len() + 1;
    }
    if found.is_empty() && !skipped.is_empty() {
        let why = skipped
            .iter()
            .map(|(skip, (n, first))| format!("{n} {} (the first is line {first})", skip.told()));
        return Err(WorkloadFileError::NothingToReplay {
            file: file.to_owned(),
            reason: why.collect::<Vec<_>>().join(", "),
            methods: skipped.contains_key(&Skip::ChangesState),
        });
    }
    // Stable: lines of one moment stay in their order.
    found.sort_by_key(|(at_us, ..)| *at_us);
    for (_, number, place) in &found {
        let line = bytes[*place..].split(|byte| *byte == b'\n').next().unwrap_or_default();
        if let Ok(logged) = parse(line, change_state) {
            let mut listed = base.plain(&logged.path);
            listed.request = listed.request.with_method(&logged.method);
            take(*number, listed)?;
        }
    }
    let times: Vec<i64> = found.iter().map(|(at_us, ..)| *at_us).collect();
    let skipped = skipped.into_iter().map(|(skip, (n, _))| (skip.name().to_owned(), n));
    Ok(Replayed { times: from_the_first(&times), skipped: skipped.collect() })
}

/// Times from the first one on, in ns. Where a log has whole seconds alone, the requests of each
/// are spread over it evenly: nothing is known of when in it they came, and all at once they did
/// not.
fn from_the_first(times_us: &[i64]) -> Vec<Nanos> {
    let are_coarse = times_us.iter().all(|at_us| at_us % MICROS_A_SECOND == 0);
    let mut times: Vec<i64> = Vec::with_capacity(times_us.len());
    for alike in times_us.chunk_by(|one, other| one == other) {
        let n = alike.len() as i64;
        times.extend(alike.iter().zip(0..).map(|(at_us, i)| {
            let within = if are_coarse { (2 * i + 1) * 500_000_000 / n } else { 0 };
            (at_us - times_us[0]) * 1_000 + within
        }));
    }
    let first = times.first().copied().unwrap_or(0);
    times.iter().map(|at| at.abs_diff(first)).collect()
}

#[cfg(test)]
mod tests;
