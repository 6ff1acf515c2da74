//! `sesslog [--sessions GAP] [IN [OUT]]`: access logs into session files for
//! httperf's `--wsesslog`.
//!
//! Without `--sessions` the result is one session, each request a burst of its
//! own, as the original writes it. With it the log's clients become sessions.
//! Lines that hold no request which `--wsesslog` would take are skipped and
//! counted, never written as something else.

mod arguments;
mod lines;
mod request;
mod sessions;
mod skipped;
mod time;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::reason::reason;
use crate::start::READER_GONE;
use arguments::Command;
pub use request::{Entry, LONGEST_REQUEST, METHODS, Request, parse};
pub use sessions::MOST_SESSIONS;
pub use skipped::{Skip, Skipped};

const USAGE: &str = "Usage: cr_sesslog [<infile>] [<outfile>]\n";
const HELP: &str = "\
Usage: sesslog [--sessions GAP] [<infile>] [<outfile>]

Turns an access log (NCSA common or combined format) into a session file for
httperf --wsesslog. Reads standard input and writes standard output by default.
Requests that --wsesslog does not take are skipped, and counted on standard error.
PROPFIND and REPORT are written: the httperf of this project takes them, the old
0.9.0 refuses a file that has them.

  --sessions GAP  one session a client address instead of one for all: requests
                  of one second are a burst, the times between bursts become
                  think times, and a client that was silent for more than GAP
                  seconds begins another session
  --help          this text
  --version       the version
";

/// Status of every failure; the original returns -1.
const FAILED: u8 = 255;

/// Why a log was not converted.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// A file cannot be opened.
    #[error("{}: {}", .0.display(), reason(.1))]
    Open(PathBuf, #[source] io::Error),
    /// OUT would overwrite IN before it is read.
    #[error("{}: this is the log itself; name another file for the sessions", .0.display())]
    SameFile(PathBuf),
    /// Reading or writing failed later.
    #[error("sesslog: cannot convert the log: {}", reason(.0))]
    Convert(#[from] io::Error),
}

/// Runs the program. `args` begins with its name. Returns the exit status.
pub fn main(
    args: &[OsString],
    stdin: &mut dyn BufRead,
    stdout: &mut dyn Write,
    stderr: &mut dyn Write,
) -> u8 {
    // A lost message is no reason to stop: the status tells what happened.
    match arguments::parse(args) {
        Command::Convert { input, output, gap_s } => {
            match files(input, output, gap_s, stdin, stdout) {
                Ok(skipped) => {
                    let _ = write!(stderr, "{skipped}");
                    0
                }
                Err(Error::Convert(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                    READER_GONE
                }
                Err(error) => {
                    let _ = writeln!(stderr, "{error}");
                    FAILED
                }
            }
        }
        Command::Usage => {
            let _ = stderr.write_all(USAGE.as_bytes());
            FAILED
        }
        Command::BadGap(given) => {
            let _ = writeln!(
                stderr,
                "sesslog: --sessions needs a number of seconds above 0, for example \
                 --sessions 300, not '{given}'"
            );
            FAILED
        }
        Command::Help => {
            let _ = stdout.write_all(HELP.as_bytes());
            0
        }
        Command::Version => {
            let _ = writeln!(stdout, "sesslog (autobench-compat) {}", env!("CARGO_PKG_VERSION"));
            0
        }
    }
}

fn files(
    input: Option<&Path>,
    output: Option<&Path>,
    gap_s: Option<f64>,
    stdin: &mut dyn BufRead,
    stdout: &mut dyn Write,
) -> Result<Skipped, Error> {
    let open_error = |path: &Path| {
        let path = path.to_owned();
        move |error| Error::Open(path, error)
    };
    let mut log;
    let mut source = stdin;
    if let Some(path) = input {
        let file = File::open(path).map_err(open_error(path))?;
        if output.is_some_and(|output| is_same(&file, output)) {
            return Err(Error::SameFile(path.to_owned()));
        }
        log = BufReader::new(file);
        source = &mut log;
    }
    match output {
        None => convert(source, &mut BufWriter::new(stdout), gap_s),
        Some(path) => {
            let file = File::create(path).map_err(open_error(path))?;
            convert(source, &mut BufWriter::new(file), gap_s)
        }
    }
    .map_err(Error::Convert)
}

fn is_same(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(one), Ok(other)) => {
            one.is_file() && (one.dev(), one.ino()) == (other.dev(), other.ino())
        }
        _ => false,
    }
}

/// Converts a log. With `gap_s` (seconds above 0) clients become sessions.
///
/// Memory: one line; with `gap_s` also the requests that will be written.
///
/// # Errors
///
/// Those of reading `log` and of writing `out`, which is flushed.
pub fn convert(
    log: &mut dyn BufRead,
    out: &mut dyn Write,
    gap_s: Option<f64>,
) -> io::Result<Skipped> {
    let mut skipped = Skipped::default();
    let mut sessions = gap_s.map(sessions::Sessions::new);
    let mut line = Vec::new();
    while let Some(complete) = lines::next(log, &mut line)? {
        let entry = if complete { parse(&line) } else { Err(Skip::TooLong) };
        let outcome = match (entry, &mut sessions) {
            (Ok(entry), None) => entry.request.write(out).map(|()| None)?,
            (Ok(entry), Some(sessions)) => sessions.take(&entry).err(),
            (Err(skip), _) => Some(skip),
        };
        skipped.count(outcome);
    }
    if let Some(sessions) = sessions {
        sessions.write(out)?;
    }
    out.flush()?;
    Ok(skipped)
}
