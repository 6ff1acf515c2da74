//! What a run writes that is one part of a load: what there is so far, while the load goes on, and its
//! record at the end. Nothing is judged.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use loadgen_core::report::write_file;
use loadgen_core::scale::{ClockWatch, Meeting, ShardRecord};
use loadgen_core::{RunHandle, Shard};

use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::messages::{error, note, warning};
use crate::options::{Given, OutputOptions, ShardingOptions};
use crate::output::{check_writable, save_json_somewhere};

/// What is said of the whole load, which only the merged report can say.
const OF_THE_WHOLE: [&str; 2] = ["slo", "format"];

/// How often what there is so far is written.
const PARTIAL_EVERY: Duration = Duration::from_secs(10);

/// Where the record of a part goes.
pub(super) struct ShardFile {
    shard: Shard,
    path: PathBuf,
    quiet: bool,
    /// The start that was told.
    start: Option<String>,
    /// From the start of the load on.
    clock: Option<ClockWatch>,
    partial: PartialFile,
}

/// What there is so far: it is left behind if this process dies.
struct PartialFile {
    path: PathBuf,
    file: Option<File>,
    /// When it is to be written again; `None`: it cannot be written.
    next: Option<Instant>,
}

impl PartialFile {
    fn beside(path: &Path) -> Self {
        let mut name = path.as_os_str().to_owned();
        name.push(".partial");
        let next = Some(Instant::now() + PARTIAL_EVERY);
        Self { path: name.into(), file: None, next }
    }

    fn is_due(&self) -> bool {
        self.next.is_some_and(|next| next <= Instant::now())
    }

    fn add(&mut self, line: &str) -> std::io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(File::create(&self.path)?),
        };
        file.write_all(line.as_bytes())?;
        file.write_all(b"\n")
    }

    /// There is something better.
    fn remove(&self) {
        if self.file.is_some() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl ShardFile {
    /// Checks that it can be written, before anything is measured.
    pub(super) fn prepare(
        shard: Shard,
        sharding: &ShardingOptions,
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
                "a shard of a load needs -o FILE for its record, such as -o shard-%r.json (%r: its \
                 number)",
            ));
        };
        let path = sharding.file("-o", path, shard)?;
        let start = sharding.told_start();
        check_writable(&path)?;
        let partial = PartialFile::beside(&path);
        // One that an earlier run left is not of this one.
        let _ = fs::remove_file(&partial.path);
        Ok(Self { shard, path, quiet: output.quiet, start, clock: None, partial })
    }

    /// Writes what there is so far, if it is time for that.
    pub(super) fn keep_up(&mut self, run: &RunHandle, meeting: Option<&Meeting>) {
        let Some(began) = run.started_clock() else { return };
        let watch = *self.clock.get_or_insert_with(ClockWatch::begin);
        if !self.partial.is_due() {
            return;
        }
        let compared = meeting.and_then(Meeting::compared);
        let clock = watch.end(began.to_monotonic(0), compared.as_ref());
        let start = self.start.clone().or_else(|| meeting?.start());
        let written = match ShardRecord::part_of(run, Some(&clock), start.as_deref()) {
            Ok(Some(line)) => self.partial.add(&line).map_err(|error| error.to_string()),
            Ok(None) => Ok(()),
            Err(error) => Err(error.to_string()),
        };
        self.partial.next = match written {
            Ok(()) => Some(Instant::now() + PARTIAL_EVERY),
            Err(error) => {
                let path = self.partial.path.display();
                warning(&format!("what there is so far cannot be written to {path}: {error}"));
                None
            }
        };
    }

    /// Writes the record of a run that began at this reading of `CLOCK_MONOTONIC`, in ns: at once, and
    /// again when it is known what the others say.
    pub(super) fn write(
        &self,
        record: ShardRecord,
        began_ns: u64,
        meeting: Option<Arc<Meeting>>,
        interrupt: &Interrupt,
    ) -> Result<Exit, Failure> {
        let watch = self.clock.unwrap_or_else(ClockWatch::begin);
        let told = self.start.clone().or_else(|| meeting.as_ref()?.start());
        let record = match told {
            Some(start) => record.with_told_start(start),
            None => record,
        };
        let compared = meeting.as_ref().and_then(|meeting| meeting.compared());
        let mut record = record.with_clock(watch.end(began_ns, compared.as_ref()));
        if self.save(&record)? == Exit::NotWritten {
            return Ok(Exit::NotWritten);
        }
        self.partial.remove();
        if let Some(meeting) = meeting {
            let compared = meeting.compare();
            record = record.with_clock(watch.end(began_ns, compared.as_ref()));
            let lost = Arc::into_inner(meeting).map_or_else(Vec::new, Meeting::leave);
            for lost in &lost {
                warning(&format!(
                    "shard {} was lost while the load went on: see what it says itself",
                    lost.index
                ));
            }
            record = record.with_lost(&lost);
            if self.save(&record)? == Exit::NotWritten {
                return Ok(Exit::NotWritten);
            }
        }
        if !self.quiet {
            let path = self.path.display();
            note(&format!("the record of shard {} was written to {path}", self.shard));
        }
        // A shard judges nothing: launchers end all processes when one fails.
        Ok(interrupt.exit().filter(|_| record.is_interrupted()).unwrap_or(Exit::Done))
    }

    fn save(&self, record: &ShardRecord) -> Result<Exit, Failure> {
        let json = record.to_json().map_err(|error| Failure::Run(error.into()))? + "\n";
        let Err(reason) = write_file(&self.path, json.as_bytes()) else { return Ok(Exit::Done) };
        let saved = save_json_somewhere(&json)?;
        let saved = saved.display();
        error(&format!("{reason}\nThe record was saved to {saved} instead."));
        Ok(Exit::NotWritten)
    }
}
