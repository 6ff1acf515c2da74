//! `crfile -f FILE -s SIZE [-n] [-w[LEN]]`: files of random printable text, for
//! a web server to serve.

mod arguments;
mod contents;

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::reason::reason;
use arguments::Command;

const USAGE: &str = "\
crfile 1.0, by Julian T. J. Midgley <jtjm@xenoclast.org>

Usage: crfile -f <filename> -s <size> [-n -w[<l>]]
    -f <filename> : Create file <filename>
    -s <size>     : of size <size> bytes
    -n            : pad file with nulls
    -w[<l>]       : Wrap the output at <l> characters, or
                    80 characters if <l> omitted
";

/// A file to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Where. It must not exist yet.
    pub file: PathBuf,
    /// Bytes. Below 1 the file is empty (one byte if it is sparse).
    pub size: i64,
    /// Only the last byte is written, the rest is a hole.
    pub sparse: bool,
    /// Length of a line in bytes, line feed included; at least 2.
    pub wrap: Option<u64>,
}

/// Why a file was not made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It exists, or its directory does not.
    #[error("Cannot open file: {}", reason(.0))]
    Open(#[source] io::Error),
    /// The disk is full, a limit of the file size was met …
    #[error(
        "Cannot write file: {} (of {size} bytes; what was written is removed again)",
        reason(.cause)
    )]
    Write {
        /// What the system said.
        #[source]
        cause: io::Error,
        /// Bytes that the file should have had.
        size: i64,
    },
}

/// Runs the program. `args` begins with its name. Returns the exit status.
pub fn main(args: &[OsString], stdout: &mut dyn Write, stderr: &mut dyn Write) -> u8 {
    // A lost message is no reason to stop: the status tells what happened.
    match arguments::parse(args, stderr) {
        Command::Make(order) => {
            announce(&order, stdout);
            match make(&order) {
                Ok(()) => 0,
                Err(error) => {
                    let _ = writeln!(stderr, "{error}");
                    1
                }
            }
        }
        Command::WrapTooSmall => {
            let _ = writeln!(stderr, "Argument to -w must be greater than 2");
            1
        }
        Command::Usage => {
            let _ = stderr.write_all(USAGE.as_bytes());
            1
        }
        Command::Help => {
            let _ = stdout.write_all(USAGE.as_bytes());
            0
        }
        Command::Version => {
            let _ = writeln!(stdout, "crfile (autobench-compat) {}", env!("CARGO_PKG_VERSION"));
            0
        }
    }
}

fn announce(order: &Order, stdout: &mut dyn Write) {
    let mut line = b"Creating file '".to_vec();
    line.extend_from_slice(order.file.as_os_str().as_bytes());
    line.extend_from_slice(format!("', of size {} bytes\n", order.size).as_bytes());
    let _ = stdout.write_all(&line).and_then(|()| stdout.flush());
}

/// Makes the file. One that could not be written to its end is removed.
///
/// # Errors
///
/// [`Error::Open`] if it exists or cannot be created, [`Error::Write`] if not
/// all of it could be written.
pub fn make(order: &Order) -> Result<(), Error> {
    let mut file =
        OpenOptions::new().write(true).create_new(true).open(&order.file).map_err(Error::Open)?;
    contents::write(&mut file, order).map_err(|cause| {
        // It is ours: it did not exist a moment ago.
        let _ = fs::remove_file(&order.file);
        Error::Write { cause, size: order.size }
    })
}
