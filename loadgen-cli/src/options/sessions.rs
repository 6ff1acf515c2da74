//! Sessions in place of single calls.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use loadgen_core::Request;
use loadgen_core::session::{Retry, Script, Sessions};
use loadgen_core::session_file::read_sessions;
use loadgen_core::units::parse_duration;

use crate::exit::Failure;

// Not a comment of its field: documentation would take the tables of TOML for links.
const SESSION: &str = "\
Every arrival of the load is a session of this file: bursts of calls with think times

A file whose name ends in .toml is TOML: [[session]] with [[session.burst]], each with \
calls = [\"/path\", { method, path, headers, body, body_file }] and think = \"1s\" after it (see \
docs/sessions.md). Any other file is httperf's --wsesslog: a line a call, indented where it belongs \
to the burst before it; a blank line ends the session. Arrivals take the sessions of the file in \
turn. The first call of a burst goes alone; its reply releases the others. --rate is in sessions a \
second; calls have the headers of -H.";

#[derive(Debug, Args)]
#[command(next_help_heading = "Sessions")]
pub(crate) struct SessionOptions {
    /// Every arrival of the load is a session of this file: bursts of calls with think times
    #[arg(long, value_name = "FILE", long_help = SESSION)]
    session: Option<PathBuf>,

    /// Think time after bursts to which the file gives none
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = parse_duration,
          requires = "session")]
    session_think: Duration,

    /// Connections of one session at once, opened when its calls need them
    #[arg(long, value_name = "N", default_value_t = 4, requires = "session")]
    session_connections: u32,

    /// Send the cookies that the server sets with the later calls of the session
    #[arg(long, requires = "session")]
    session_cookies: bool,

    /// Whether calls are sent again that a broken connection left unanswered
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = RetryArg::AfterReply,
          requires = "session")]
    session_retry: RetryArg,

    /// A reply with this status makes its session fail [default: no reply does]
    #[arg(long, value_name = "STATUS", requires = "session",
          value_parser = clap::value_parser!(u32).range(100..=599))]
    session_failure_status: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RetryArg {
    /// They are lost, and their session fails
    Never,
    /// On a new connection if the broken one had brought a reply; else the session fails
    AfterReply,
    /// On a new connection, and so is a call answered with --session-failure-status
    Always,
}

impl From<RetryArg> for Retry {
    fn from(retry: RetryArg) -> Self {
        match retry {
            RetryArg::Never => Self::Never,
            RetryArg::AfterReply => Self::AfterReply,
            RetryArg::Always => Self::Always,
        }
    }
}

impl SessionOptions {
    /// The file of sessions, if arrivals are such.
    pub(super) fn file(&self) -> Option<&Path> {
        self.session.as_deref()
    }

    /// The sessions of the file, as far as these options say how they go. `request` has the
    /// headers of their calls.
    pub(super) fn read(&self, file: &Path, request: &Request) -> Result<Sessions, Failure> {
        let script = read_sessions(file, self.session_think).map_err(Failure::usage)?;
        let mut sessions =
            Sessions::scripted(Script::Log { sessions: script }).with_head_of(request);
        sessions.connections = self.session_connections;
        sessions.retry = self.session_retry.into();
        sessions.failure_status = self.session_failure_status;
        sessions.cookies = self.session_cookies;
        Ok(sessions)
    }
}
