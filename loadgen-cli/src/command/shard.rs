//! The end of a run that is one part of a load: its record is written, and nothing is judged.

use std::path::PathBuf;
use std::sync::Arc;

use loadgen_core::Shard;
use loadgen_core::report::write_file;
use loadgen_core::scale::{ClockWatch, Meeting, ShardRecord};

use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::messages::{error, note, warning};
use crate::options::{Given, OutputOptions, numbered};
use crate::output::{check_writable, save_json_somewhere};

/// What is said of the whole load, which only the merged report can say.
const OF_THE_WHOLE: [&str; 2] = ["slo", "format"];

/// Where the record of a part goes.
pub(super) struct ShardFile {
    shard: Shard,
    path: PathBuf,
    quiet: bool,
    clock: ClockWatch,
}

impl ShardFile {
    /// Checks that it can be written, before anything is measured.
    pub(super) fn prepare(
        shard: Shard,
        output: &OutputOptions,
        given: &Given,
    ) -> Result<Self, Failure> {
        if let Some(option) = OF_THE_WHOLE.iter().find(|option| given.has(option)) {
            return Err(Failure::usage(format!(
                "--{option} is of the whole load, and this is one part of it: give it to 'loadgen merge'"
            )));
        }
        let Some(path) = output.file() else {
            return Err(Failure::usage(
                "a part of a load needs -o FILE for its record, such as -o shard-%r.json (%r: its \
                 number)",
            ));
        };
        let path = numbered(path, shard);
        check_writable(&path)?;
        Ok(Self { shard, path, quiet: output.quiet, clock: ClockWatch::begin() })
    }

    /// Writes the record of a run that began at this reading of `CLOCK_MONOTONIC`, in ns.
    pub(super) fn write(
        &self,
        record: ShardRecord,
        began_ns: u64,
        meeting: Option<Arc<Meeting>>,
        interrupt: &Interrupt,
    ) -> Result<Exit, Failure> {
        let compared = meeting.as_ref().and_then(|meeting| meeting.compare());
        let record = record.with_clock(self.clock.end(began_ns, compared.as_ref()));
        for lost in meeting.and_then(Arc::into_inner).map_or_else(Vec::new, Meeting::leave) {
            warning(&format!(
                "shard {} was lost while the load went on: see what it says itself",
                lost.index
            ));
        }
        let json = record.to_json().map_err(|error| Failure::Run(error.into()))? + "\n";
        if let Err(reason) = write_file(&self.path, json.as_bytes()) {
            let saved = save_json_somewhere(&json)?;
            let saved = saved.display();
            error(&format!("{reason}\nThe record was saved to {saved} instead."));
            return Ok(Exit::NotWritten);
        }
        if !self.quiet {
            let path = self.path.display();
            note(&format!("the record of shard {} was written to {path}", self.shard));
        }
        // A part judges nothing: launchers end all processes when one fails.
        Ok(interrupt.exit().filter(|_| record.is_interrupted()).unwrap_or(Exit::Done))
    }
}
