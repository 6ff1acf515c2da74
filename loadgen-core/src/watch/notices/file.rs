//! A file to which somebody appends lines, looked at ten times a second.
//!
//! What it has at the start is not told, other than a last line that has no end yet. A file that is
//! replaced (rotated) is read to its end and then the new one from its begin; one that got shorter is
//! read from its begin again. What is cut off and written anew to the same length or more between two
//! looks cannot be told from what was there.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use super::line::{Seen, event};
use super::told::Told;
use crate::background::Shared;
use crate::clock::{Clock, Nanos};
use crate::migration::TriggerError;

const INTERVAL: Duration = Duration::from_millis(100);
/// Bytes of a line.
const LONGEST_LINE: u64 = 64 << 10;
/// Bytes of one look; the rest is there at the next.
const MOST_BYTES: u64 = 4 << 20;

/// See the module.
#[derive(Debug)]
pub(super) struct Followed {
    path: PathBuf,
    clock: Clock,
    open: Option<Open>,
    /// When it was looked at last: what is new came after that.
    looked: Nanos,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// Up to which it was read.
    position: u64,
    /// A line that has no end yet.
    begun: Vec<u8>,
    /// That line is too long.
    is_too_long: bool,
}

impl Followed {
    /// Looks for the first time.
    pub(super) fn start(path: &Path, clock: Clock, told: &mut Told) -> Result<Self, TriggerError> {
        let failed = |error| {
            TriggerError::io(format!("reading maintenance notices from {}", path.display()), error)
        };
        let looked = clock.now();
        let open = match Open::of(path) {
            Ok(mut open) => {
                open.skip().map_err(failed)?;
                Some(open)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                let folder = folder.unwrap_or(Path::new("."));
                if !folder.is_dir() {
                    return Err(TriggerError::protocol(
                        format!("maintenance notices from {}", path.display()),
                        format!(
                            "there is no folder {}: make it, or name another file",
                            folder.display()
                        ),
                    ));
                }
                // Not an error, and yet it may be a mistyped name.
                told.trouble(format!(
                    "the file of maintenance notices {} is not there yet; it is waited for",
                    path.display()
                ));
                None
            }
            Err(error) => return Err(failed(error)),
        };
        Ok(Self { path: path.to_owned(), clock, open, looked })
    }

    /// Looks on, until it is stopped.
    pub(super) fn follow(&mut self, shared: &Shared<Told>) {
        while !shared.flag().load(Relaxed) {
            let mut news = Told::default();
            self.look(&mut news);
            shared.progress().add(news);
            thread::sleep(INTERVAL);
        }
    }

    /// Tells what came, or what troubles.
    fn look(&mut self, told: &mut Told) {
        let (from, begun) = (self.looked, self.clock.now());
        let now = std::fs::metadata(&self.path);
        let read = self.read(from, now.as_ref().ok(), told);
        // Else what is new at the next look may have been there before this one.
        let is_hidden = now.as_ref().is_err_and(|error| error.kind() != ErrorKind::NotFound);
        if matches!(read, Ok(true)) && !is_hidden {
            self.looked = begun;
        }
        let path = self.path.display();
        match (read, now) {
            (Err(error), _) => told.trouble(format!(
                "the file of maintenance notices {path} cannot be read now: {error}; it is tried on"
            )),
            (Ok(_), Err(error)) if error.kind() == ErrorKind::NotFound => {
                told.trouble(match &self.open {
                    Some(_) => format!(
                        "the file of maintenance notices {path} is gone; a new one is waited for"
                    ),
                    None => format!(
                        "the file of maintenance notices {path} is not there yet; it is waited for"
                    ),
                });
            }
            (Ok(_), Err(error)) => told.trouble(format!(
                "the file of maintenance notices {path} cannot be looked at now: {error}"
            )),
            (Ok(_), Ok(_)) => {}
        }
    }
}

impl Followed {
    /// Tells the lines that came, with what is at the path now. Whether there are no more of them.
    fn read(&mut self, from: Nanos, now: Option<&Metadata>, told: &mut Told) -> io::Result<bool> {
        if let Some(open) = &mut self.open {
            // Asked before it is read: of a file that was replaced, what came last is read first.
            let is_other = now.is_some() && !open.is(now);
            open.lines(&self.clock, from, told)?;
            if !open.is_read() || !is_other {
                return Ok(open.is_read());
            }
            open.end(&self.clock, from, told);
            self.open = None;
        }
        if now.is_none() {
            return Ok(true);
        }
        let open = self.open.insert(Open::of(&self.path)?);
        open.lines(&self.clock, from, told)?;
        Ok(open.is_read())
    }
}

impl Open {
    fn of(path: &Path) -> io::Result<Self> {
        // A pipe without a writer would not let itself be opened otherwise.
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        Ok(Self { file, position: 0, begun: Vec::new(), is_too_long: false })
    }

    /// Whether that is what is open.
    fn is(&self, found: Option<&Metadata>) -> bool {
        let own = self.file.metadata().ok();
        let id = |file: &Metadata| (file.dev(), file.ino());
        found.map(id) == own.as_ref().map(id)
    }

    /// Whether nothing is left to be read.
    fn is_read(&self) -> bool {
        self.file.metadata().map_or(true, |file| file.len() <= self.position)
    }

    /// To the begin of the last line that has no end.
    fn skip(&mut self) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        let from = length.saturating_sub(LONGEST_LINE);
        self.file.seek(SeekFrom::Start(from))?;
        let mut tail = Vec::new();
        (&self.file).take(length - from).read_to_end(&mut tail)?;
        let end = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.position = from + tail.len() as u64;
        // A part of a line is worse than none.
        self.is_too_long = end == 0 && from > 0;
        self.begun = if self.is_too_long { Vec::new() } else { tail.split_off(end) };
        Ok(())
    }

    /// Tells the lines that were ended since the last look, which was at `from`.
    fn lines(&mut self, clock: &Clock, from: Nanos, told: &mut Told) -> io::Result<()> {
        if self.file.metadata()?.len() < self.position {
            self.end(clock, from, told);
            self.position = 0;
        }
        self.file.seek(SeekFrom::Start(self.position))?;
        let mut new = Vec::new();
        let read = (&self.file).take(MOST_BYTES).read_to_end(&mut new);
        self.position += new.len() as u64;
        let seen = Seen { from, to: clock.now() };
        let mut pieces = new.split(|byte| *byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            let has_room = (self.begun.len() + piece.len()) as u64 <= LONGEST_LINE;
            if has_room && !self.is_too_long {
                self.begun.extend_from_slice(piece);
            } else {
                self.is_too_long = true;
                self.begun = Vec::new();
            }
            if pieces.peek().is_some() {
                self.tell(clock, seen, told);
            }
        }
        read.map(drop)
    }

    /// No more comes of the last line.
    fn end(&mut self, clock: &Clock, from: Nanos, told: &mut Told) {
        self.tell(clock, Seen { from, to: clock.now() }, told);
    }

    fn tell(&mut self, clock: &Clock, seen: Seen, told: &mut Told) {
        if std::mem::take(&mut self.is_too_long) {
            told.trouble(
                "a line of the maintenance notices is longer than 64 KiB: it is passed over".into(),
            );
        }
        let line = std::mem::take(&mut self.begun);
        event(&line, seen, clock).into_iter().for_each(|event| told.event(event));
    }
}
