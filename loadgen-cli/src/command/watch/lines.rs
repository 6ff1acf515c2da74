//! Where the lines of a watch go. Each is written as it comes, so that what was found stands
//! whatever becomes of the watch.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use loadgen_core::printable::printable;
use loadgen_core::watch::{Freeze, Notice, WatchLine, WatchSummary, render_freeze, render_summary};

use crate::exit::{Exit, Failure};
use crate::messages::error;
use crate::options::{Format, OutputOptions};
use crate::output::check_writable;

/// The file, or stdout.
pub(super) struct Lines {
    file: Option<(PathBuf, File)>,
    /// The file, before it is opened.
    path: Option<PathBuf>,
    format: Format,
    written: u64,
    /// The file could not be written any more.
    elsewhere: bool,
    /// Nobody reads stdout any more.
    unread: bool,
}

impl Lines {
    /// Checks that the file can be written.
    pub(super) fn prepare(options: &OutputOptions) -> Result<Self, Failure> {
        let format = match options.file().and_then(|path| path.extension()) {
            // Many lines of JSON are no JSON document.
            Some(extension) if extension == "jsonl" || extension == "ndjson" => {
                options.chosen_format().unwrap_or(Format::Json)
            }
            _ => options.format()?,
        };
        let path = options.file().map(Path::to_owned);
        if let Some(path) = &path {
            check_writable(path)?;
        }
        Ok(Self { file: None, path, format, written: 0, elsewhere: false, unread: false })
    }

    /// Opens the file, emptied: now nothing but the load itself can go wrong.
    pub(super) fn open(&mut self) {
        let Some(path) = self.path.take() else { return };
        match File::create(&path) {
            Ok(file) => self.file = Some((path, file)),
            Err(cause) => self.is_lost(&path, &cause),
        }
    }

    fn is_lost(&mut self, path: &Path, cause: &io::Error) {
        error(&format!(
            "cannot write to '{}': {cause}\nFrom here on the lines go to stdout.",
            path.display()
        ));
        (self.file, self.elsewhere) = (None, true);
    }

    /// Whether nothing was written so far.
    pub(super) fn are_none(&self) -> bool {
        self.written == 0
    }

    /// Writes a freeze. `false`: nobody reads it.
    pub(super) fn freeze(&mut self, freeze: &Freeze) -> bool {
        let line = match self.format {
            Format::Text => render_freeze(freeze),
            Format::Json => WatchLine::Freeze(freeze).to_json(),
        };
        self.write(&line)
    }

    /// Writes a notice. `false`: nobody reads it.
    pub(super) fn notice(&mut self, notice: &Notice) -> bool {
        let line = match self.format {
            Format::Text => {
                let Notice { at, event, .. } = notice;
                let bound = event.uncertainty_s;
                let text =
                    format!("{at}  notice of {}: {} (± {bound:.1} s)", event.source, event.name);
                printable(&text).into_owned()
            }
            Format::Json => WatchLine::Notice(notice).to_json(),
        };
        self.write(&line)
    }

    /// Writes the summary, the last of all.
    pub(super) fn summary(mut self, summary: &WatchSummary) -> Result<Exit, Failure> {
        let text = match self.format {
            Format::Text => format!("\n{}", render_summary(summary).trim_end()),
            Format::Json => WatchLine::Summary(summary).to_json(),
        };
        self.write(&text);
        if let Some((path, file)) = &self.file
            && let Err(cause) = file.sync_all()
            // A pipe or a terminal has nothing to sync.
            && cause.kind() != io::ErrorKind::InvalidInput
        {
            error(&format!("'{}' may not be complete: {cause}", path.display()));
            return Ok(Exit::NotWritten);
        }
        Ok(if self.elsewhere { Exit::NotWritten } else { Exit::Done })
    }

    fn write(&mut self, line: &str) -> bool {
        self.open();
        self.written += 1;
        let whole = format!("{line}\n");
        if let Some((path, mut file)) = self.file.take() {
            match file.write_all(whole.as_bytes()) {
                Ok(()) => {
                    self.file = Some((path, file));
                    return true;
                }
                Err(cause) => self.is_lost(&path, &cause),
            }
        }
        if self.unread {
            return false;
        }
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(whole.as_bytes()).and_then(|()| stdout.flush());
        if let Err(cause) = written {
            self.unread = true;
            if cause.kind() != io::ErrorKind::BrokenPipe {
                self.elsewhere = true;
                error(&format!("cannot write to stdout: {cause}"));
            }
        }
        !self.unread
    }
}
