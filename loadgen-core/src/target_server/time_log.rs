//! Times of arrivals, or of arrivals and replies, kept in memory and written at the end.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use super::TargetServerError;
use crate::clock::Nanos;

/// Entries of one block. Blocks are never moved: growing one big vector would
/// copy all of it in the middle of a measurement.
const BLOCK: usize = 65_536;

/// Where such times go, if anywhere: `N` a line.
#[derive(Debug)]
pub(super) struct TimeLog<const N: usize> {
    file: Option<(PathBuf, File)>,
    blocks: Vec<Vec<[Nanos; N]>>,
    limit: usize,
    kept: usize,
    pub(super) not_kept: u64,
}

impl<const N: usize> TimeLog<N> {
    /// Creates the file at once, so that a bad path is noticed before the run.
    pub(super) fn create(path: Option<PathBuf>, limit: usize) -> Result<Self, TargetServerError> {
        let file = match path {
            None => None,
            Some(path) => match File::create(&path) {
                Ok(file) => Some((path, file)),
                Err(cause) => return Err(TargetServerError::Times { path, cause }),
            },
        };
        Ok(Self { file, blocks: Vec::new(), limit, kept: 0, not_kept: 0 })
    }

    /// Keeps times, which are asked for only if they are kept.
    pub(super) fn record(&mut self, times: impl FnOnce() -> [Nanos; N]) {
        if self.file.is_none() {
            return;
        }
        if self.kept >= self.limit {
            self.not_kept += 1;
            return;
        }
        if self.blocks.last().is_none_or(|block| block.len() == BLOCK) {
            self.blocks.push(Vec::with_capacity(BLOCK));
        }
        if let Some(block) = self.blocks.last_mut() {
            block.push(times());
            self.kept += 1;
        }
    }

    pub(super) fn kept(&self) -> u64 {
        self.kept as u64
    }

    /// Writes everything.
    pub(super) fn write(self) -> Result<(), TargetServerError> {
        let Some((path, file)) = self.file else { return Ok(()) };
        write_lines(file, &self.blocks).map_err(|cause| TargetServerError::Times { path, cause })
    }
}

fn write_lines<const N: usize>(file: File, blocks: &[Vec<[Nanos; N]>]) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    for times in blocks.iter().flatten() {
        for (i, at) in times.iter().enumerate() {
            let end = if i + 1 == N { "\n" } else { " " };
            write!(out, "{at}{end}")?;
        }
    }
    out.flush()
}
