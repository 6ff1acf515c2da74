//! Files that options name.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A file of a workload that cannot be used. The texts are those of httperf, to be
/// preceded by the name of the program.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// It cannot be read.
    #[error("can't open {}", file.display())]
    Open {
        /// The file.
        file: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// It has no bytes.
    #[error("file {} is empty", .0.display())]
    Empty(PathBuf),
    /// It has no URI; they end with a NUL byte each.
    #[error("{} does not contain any valid URIs", .0.display())]
    NoUris(PathBuf),
    /// It has no name of a server.
    #[error("{} does not contain any server names", .0.display())]
    NoServers(PathBuf),
    /// It has no session.
    #[error(
        "{} does not contain any sessions; a session is one or more lines that begin with a URI",
        .0.display()
    )]
    NoSessions(PathBuf),
    /// It has more sessions than can be.
    #[error("too many sessions ({count}) specified in {}", file.display())]
    TooManySessions {
        /// The file.
        file: PathBuf,
        /// Sessions up to the first one too many.
        count: usize,
    },
    /// A word after a URI is none of the arguments.
    #[error("did not recognize arg '{arg}' in {}", file.display())]
    Argument {
        /// The file.
        file: PathBuf,
        /// Its line, from 1.
        line: u64,
        /// The word.
        arg: String,
    },
    /// A method that sessions do not know.
    #[error("did not recognize method '{method}' in {}", file.display())]
    Method {
        /// The file.
        file: PathBuf,
        /// Its line, from 1.
        line: u64,
        /// The method.
        method: String,
    },
    /// The file ends where a body was to go on.
    #[error("premature EOF seen in '{}'", file.display())]
    EndOfFile {
        /// The file.
        file: PathBuf,
        /// The line on which the body begins, from 1.
        line: u64,
    },
    /// The file of `--add-header-file` cannot be read: the run goes on without it.
    #[error("failed to open header file {}", file.display())]
    Headers {
        /// The file.
        file: PathBuf,
        /// Why.
        cause: io::Error,
    },
}

/// The bytes of a workload file.
pub(super) fn read(file: &Path) -> Result<Vec<u8>, FileError> {
    fs::read(file).map_err(|cause| FileError::Open { file: file.to_owned(), cause })
}

/// Reads the file of `--add-header-file`, whose bytes stand in every request as
/// they are.
///
/// # Errors
/// [`FileError::Headers`]; httperf only warns of it.
pub fn read_headers(file: &Path) -> Result<Vec<u8>, FileError> {
    fs::read(file).map_err(|cause| FileError::Headers { file: file.to_owned(), cause })
}
