//! A file with a line for each call. Workers hand over batches of calls, and a thread of its
//! own writes them, so that no worker waits for a disk: when the disk is too slow, and as many
//! batches wait as there may, further calls are counted and left out.

mod line;

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};

use crate::error::RunError;
use crate::record::{CallSink, EndedCall, SinkContext};
use crate::report::{CallsFileReport, Report, VerdictStatus};
use line::Names;

pub use crate::report::CallsFormat;

/// Calls that are handed over together, at most: they come after a tenth of a second anyway.
const BATCH: usize = 512;

/// Batches that wait to be written, at most: 128 k calls, which are 12 MiB. A disk that stands
/// still for a second is slower than 100,000 calls/s.
const WAITING: usize = 256;

impl CallsFormat {
    /// By the ending of a file's name: `.jsonl`, `.ndjson` and `.json` are JSON lines, all
    /// others CSV.
    #[must_use]
    pub fn of(file: &Path) -> Self {
        match file.extension().and_then(|ending| ending.to_str()) {
            Some("jsonl" | "ndjson" | "json") => Self::JsonLines,
            _ => Self::Csv,
        }
    }
}

/// A file with a line for each call of a run: make its [sinks](Self::sink) those of an
/// [`Engine`](crate::Engine), and [finish](Self::finish) it when the run is over.
///
/// ```
/// use loadgen_core::calls_file::{CallsFile, CallsFormat};
/// use loadgen_core::target_server::{TargetOptions, TargetServer};
/// use loadgen_core::{CallLimit, Engine, Plan, Schedule, Load, Target};
///
/// let server = TargetServer::bind(TargetOptions::default())?.spawn()?;
/// let load = Load::established(Schedule::constant(1000.0));
/// let plan = Plan::new(Target::parse(&server.url())?, load).with_calls(CallLimit::Calls(100));
/// let path = std::env::temp_dir().join(format!("calls-{}.csv", std::process::id()));
///
/// let calls = CallsFile::create(&path, CallsFormat::Csv)?;
/// let engine = Engine::new(plan)?.with_call_sinks(|of| calls.sink(of));
/// let mut report = engine.run()?;
/// calls.finish(&mut report);
///
/// assert_eq!(std::fs::read_to_string(&path)?.lines().count(), 101);
/// assert_eq!(report.calls_file.map(|file| file.written), Some(100));
/// # std::fs::remove_file(path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct CallsFile {
    file: PathBuf,
    format: CallsFormat,
    shared: Arc<Shared>,
    sender: SyncSender<Batch>,
    writer: JoinHandle<Written>,
}

/// Calls that are handed over together: of which run, where there are several.
#[derive(Debug)]
struct Batch {
    run: Option<u32>,
    calls: Vec<EndedCall>,
}

/// What workers and the writer both know.
#[derive(Debug, Default)]
struct Shared {
    /// What numbers stand for, once there is a run.
    names: OnceLock<Names>,
    /// Calls that found no room.
    dropped: AtomicU64,
}

/// What the writer came to.
#[derive(Debug, Default)]
struct Written {
    lines: u64,
    /// Calls that came after it broke, or with what broke it.
    lost: u64,
    error: Option<io::Error>,
}

impl CallsFile {
    /// Creates the file, or empties the one that is there, and starts its thread.
    ///
    /// # Errors
    /// [`RunError::Setup`] if the file cannot be created or written, or there is no thread for
    /// it.
    pub fn create(file: &Path, format: CallsFormat) -> Result<Self, RunError> {
        Self::start(file, (format, line::HEAD.to_owned()), Box::new(created(file)?))
    }

    /// The same for calls of several runs, as a [sweep](crate::sweep::SweepObserver::sink) has
    /// them: the first column, `run`, says of which one they are.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn create_for_runs(file: &Path, format: CallsFormat) -> Result<Self, RunError> {
        Self::start(file, (format, line::head_of_runs()), Box::new(created(file)?))
    }

    /// As [`Self::create`], with anything that can be written to in place of a file.
    pub(crate) fn start(
        file: &Path,
        (format, head): (CallsFormat, String),
        out: Box<dyn Write + Send>,
    ) -> Result<Self, RunError> {
        let shared = Arc::new(Shared::default());
        let (sender, batches) = sync_channel(WAITING);
        let known = Arc::clone(&shared);
        let writer = thread::Builder::new()
            .name("calls-file".to_owned())
            .spawn(move || write_all(out, (format, &head), &batches, &known))
            .map_err(|source| failed("a thread for the file of calls", source))?;
        Ok(Self { file: file.to_owned(), format, shared, sender, writer })
    }

    /// The sink of one worker.
    #[must_use]
    pub fn sink(&self, of: &SinkContext<'_>) -> Box<dyn CallSink> {
        self.sink_of(None, of)
    }

    /// The same, of the run with this number, of a file for [several](Self::create_for_runs).
    #[must_use]
    pub fn sink_of_run(&self, run: u32, of: &SinkContext<'_>) -> Box<dyn CallSink> {
        self.sink_of(Some(run), of)
    }

    fn sink_of(&self, run: Option<u32>, of: &SinkContext<'_>) -> Box<dyn CallSink> {
        // All workers of a run, and all runs of a sweep, have the same tags and loads.
        let names = || Names { tags: of.tags.to_vec(), loads: of.loads.to_vec() };
        self.shared.names.get_or_init(names);
        let (shared, sender) = (Arc::clone(&self.shared), self.sender.clone());
        Box::new(Batches { run, batch: Vec::with_capacity(BATCH), sender, shared })
    }

    /// Waits until all is written that was handed over, and says in the report what became of
    /// it. A run whose calls are not all in the file is degraded.
    pub fn finish(self, report: &mut Report) {
        let told = self.close();
        report.verdict.add(told.lack().map(|why| (VerdictStatus::Degraded, why)));
        report.calls_file = Some(told);
    }

    /// The same, for whoever has no report of one run.
    #[must_use]
    pub fn close(self) -> CallsFileReport {
        drop(self.sender);
        // A writer that panicked has written nobody knows what.
        let written = self.writer.join().unwrap_or_else(|_| Written {
            error: Some(io::Error::other("its writer broke down")),
            ..Written::default()
        });
        let left_out = self.shared.dropped.load(Relaxed) + written.lost;
        CallsFileReport {
            file: self.file,
            format: self.format,
            written: written.lines,
            left_out,
            error: written.error.map(|error| error.to_string()),
        }
    }
}

fn created(file: &Path) -> Result<File, RunError> {
    File::create(file).map_err(|source| failed("creating the file of calls", source))
}

fn failed(what: &'static str, cause: io::Error) -> RunError {
    RunError::Setup { what, cause }
}

/// The sink of a worker.
struct Batches {
    run: Option<u32>,
    batch: Vec<EndedCall>,
    sender: SyncSender<Batch>,
    shared: Arc<Shared>,
}

impl CallSink for Batches {
    fn call(&mut self, call: &EndedCall) {
        self.batch.push(*call);
        if self.batch.len() == BATCH {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let calls = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH));
        if let Err(TrySendError::Full(batch) | TrySendError::Disconnected(batch)) =
            self.sender.try_send(Batch { run: self.run, calls })
        {
            self.shared.dropped.fetch_add(batch.calls.len() as u64, Relaxed);
        }
    }
}

impl Drop for Batches {
    fn drop(&mut self) {
        self.flush();
    }
}

/// The life of the writer: each batch in one piece, so that the file grows as the run does.
fn write_all(
    mut out: Box<dyn Write + Send>,
    (format, head): (CallsFormat, &str),
    batches: &Receiver<Batch>,
    shared: &Shared,
) -> Written {
    let mut written = Written::default();
    let mut text = Vec::new();
    let no_names = Names::default();
    if format == CallsFormat::Csv {
        written.error = out.write_all(head.as_bytes()).err();
    }
    for Batch { run, calls: batch } in batches {
        let calls = batch.len() as u64;
        if written.error.is_none() {
            text.clear();
            let names = shared.names.get().unwrap_or(&no_names);
            batch.iter().for_each(|call| line::write(&mut text, format, (run, call), names));
            written.error = out.write_all(&text).err();
        }
        *(if written.error.is_none() { &mut written.lines } else { &mut written.lost }) += calls;
    }
    written
}

#[cfg(test)]
mod tests;
