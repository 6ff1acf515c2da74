//! Files of sessions ([`read_sessions`]). One whose name ends in `.toml` is TOML of our own,
//!
//! ```toml
//! think = "1s"                        # after bursts that give no time of their own
//!
//! [[session]]                         # arrivals of the load take the sessions in turn
//! [[session.burst]]                   # the first call alone, its reply releases the others
//! calls = ["/", "/style.css", "/logo.png"]
//! think = "2.5s"                      # from the end of this burst to the next one
//! [[session.burst]]
//! calls = [{ method = "POST", path = "/cart", body = "item=1",
//!            headers = { Content-Type = "application/x-www-form-urlencoded" } }]
//! ```
//!
//! and any other is httperf's `--wsesslog`: a line a call (`URI method=… think=…
//! contents=…`), indented where it belongs to the burst before it; a blank line ends the
//! session.

mod toml;

use std::path::Path;
use std::time::Duration;

use crate::error::WorkloadFileError;
use crate::httperf::{self, FileError};
use crate::session::ScriptedSession;
use crate::workload_file::read;

/// Reads a file of sessions, for [`Script::Log`](crate::session::Script::Log). `think`
/// stands in for the think times that the file does not give.
///
/// # Errors
/// [`WorkloadFileError`] if it cannot be read or is larger than 64 MiB, or has something that
/// means nothing, or no session.
pub fn read_sessions(
    file: &Path,
    think: Duration,
) -> Result<Vec<ScriptedSession>, WorkloadFileError> {
    let bytes = read(file)?;
    if file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml")) {
        return toml::parse(&bytes, file, think);
    }
    let sessions = httperf::wsesslog::parse(&bytes, file, think.as_secs_f64(), usize::MAX);
    sessions.map_err(|error| of_wsesslog(file, &error))
}

/// What httperf says, with the line and the mend.
fn of_wsesslog(file: &Path, error: &FileError) -> WorkloadFileError {
    let (line, reason) = match error {
        FileError::Argument { line, arg, .. } => (
            Some(*line),
            format!(
                "'{arg}' is no argument of a call: after its URI stand method=METHOD, \
                 think=SECONDS and contents='BODY' (or is the file TOML? Its name would have to \
                 end in .toml)"
            ),
        ),
        FileError::Method { line, method, .. } => {
            let known = httperf::SESSION_METHODS.join(", ");
            let reason = format!(
                "'{method}' is no method of this format, which knows {known}: a TOML file takes any"
            );
            (Some(*line), reason)
        }
        FileError::EndOfFile { line, .. } => {
            (Some(*line), "the file ends in the body that begins here".to_owned())
        }
        FileError::NoSessions(_) => (
            None,
            "there is no session: a session is one or more lines that begin with a URI".to_owned(),
        ),
        other => (None, other.to_string()),
    };
    WorkloadFileError::content(file, line, reason)
}

#[cfg(test)]
mod tests;
