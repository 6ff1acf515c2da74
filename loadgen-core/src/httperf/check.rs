//! What the original refuses only once it has printed the echo line.

use super::error::CommandLineError;
use super::options::{Options, Workload};

/// Most connections of a session.
const MAX_CONNECTIONS: u32 = 4;
/// Most unanswered calls on a connection of a session.
const MAX_PIPED_CALLS: u32 = 32;

impl Options {
    /// To be called after the echo line.
    ///
    /// # Errors
    ///
    /// Limits of sessions, more than one kind of sessions, an HTTP version other
    /// than 1.0 and 1.1.
    pub fn check_after_echo(&self) -> Result<(), CommandLineError> {
        let error = |text: &str| Err(CommandLineError::new(&[&self.program, text.as_bytes()]));
        let workload = self.workload();
        if workload != Workload::Requests {
            if self.max_connections > MAX_CONNECTIONS {
                return error(".session_init: --max-conns must be <= 4");
            }
            if self.max_piped_calls > MAX_PIPED_CALLS {
                return error(".session_init: --max-piped-calls must be <= 32");
            }
        }
        let kinds = [self.wsess.is_some(), self.wsesslog.is_some(), self.wsesspage.is_some()];
        if kinds.into_iter().filter(|given| *given).count() > 1 {
            // The original fails too, with a message about its insides.
            return error(": use only one of --wsess, --wsesslog and --wsesspage");
        }
        if matches!(workload, Workload::Wsesspage(_)) && !self.uri.contains(&b'/') {
            let mut error = error(": URI specified with --uri must be absolute");
            if let Err(error) = &mut error {
                // No end of the line in the original.
                error.stderr.pop();
            }
            return error;
        }
        match self.http_version {
            (1, 0 | 1) => Ok(()),
            (major, minor) => {
                let code = u32::from(major) << 16 | u32::from(minor);
                error(&format!(": unexpected version code {code:x}"))
            }
        }
    }
}
