//! One load from several processes: which part of it this one is, and when all begin.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Args;
use loadgen_core::scale::sync::{DEFAULT_TIMEOUT, SyncError, SyncToken};
use loadgen_core::scale::{Meeting, StartAt};
use loadgen_core::units::parse_duration;
use loadgen_core::{Engine, Plan, RunError, Shard, ShardSpec};

use crate::exit::Failure;
use crate::messages::note;

#[derive(Debug, Args)]
#[command(next_help_heading = "Shards")]
pub(crate) struct ShardingOptions {
    /// Be shard i of n of the load (i from 0), or auto: the one that the launcher tells
    ///
    /// Each process gets the whole load and its own number. auto asks the environment: of a Slurm
    /// job array, Open MPI, MPICH, srun, PMIx, a Kubernetes Job or GNU parallel. The last three do not
    /// tell n: give auto/n. -o is needed and takes the record of this shard, which 'loadgen merge'
    /// makes the report of the whole from: %r in it, and in --calls-log, becomes the number of the shard.
    /// --abort-if looks at the calls of this shard.
    #[arg(long, value_name = "i/n|auto")]
    shard: Option<ShardSpec>,

    /// Begin at this time: 2026-11-29T12:00:00Z, or seconds since 1970, such as $(date -d +20sec +%s)
    ///
    /// Connections are opened before. If it has passed by then, nothing is measured.
    #[arg(long, value_name = "TIME", conflicts_with = "sync")]
    start_at: Option<StartAt>,

    /// Begin together: all shards meet at HOST:PORT, where shard 0 listens, and compare their clocks
    ///
    /// The environment variable LOADGEN_SYNC_TOKEN has a secret that all of them know, and nobody
    /// else: 16 characters at the least. The load begins 2 s after the last one is ready.
    #[arg(long, value_name = "HOST:PORT", requires = "shard")]
    sync: Option<String>,

    /// How long the shards wait for each other [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = parse_duration, requires = "sync")]
    sync_timeout: Option<Duration>,
}

impl ShardingOptions {
    /// Whether this process is one of several.
    pub(crate) fn is_shard(&self) -> bool {
        self.shard.is_some()
    }

    /// Which part of the load this process is, if it is not the whole.
    pub(crate) fn shard(&self) -> Result<Option<Shard>, Failure> {
        self.shard.map(ShardSpec::resolve).transpose().map_err(Failure::usage)
    }

    /// The file of this shard by the name that `option` was given. Where all are given one command line
    /// (auto), they would write to one file without a number.
    pub(crate) fn file(&self, option: &str, name: &Path, shard: Shard) -> Result<PathBuf, Failure> {
        let path = numbered(name, shard);
        if path == name && shard.of() > 1 && matches!(self.shard, Some(ShardSpec::Auto(_))) {
            return Err(Failure::usage(format!(
                "the name of {option} needs %r, which becomes the number of the shard, such as \
                 shard-%r.json: all shards would write to one file"
            )));
        }
        Ok(path)
    }

    /// The plan, of which this process does its part.
    pub(crate) fn apply(&self, plan: Plan, shard: Option<Shard>) -> Plan {
        match shard {
            Some(shard) => plan.with_shard(shard),
            None => plan,
        }
    }

    /// The secret of the shards that are to begin together.
    pub(crate) fn token(&self) -> Result<Option<SyncToken>, Failure> {
        if self.sync.is_none() {
            return Ok(None);
        }
        let variable = SyncToken::VARIABLE;
        let token = std::env::var(variable).map_err(|_| {
            Failure::usage(format!(
                "--sync needs a secret that all shards know in {variable}: of `openssl rand -hex 16`, say"
            ))
        })?;
        SyncToken::new(&token).map(Some).map_err(Failure::usage)
    }

    /// Meets the other shards, if they are to begin together.
    pub(crate) fn meet(
        &self,
        plan: &Plan,
        token: Option<&SyncToken>,
        quiet: bool,
        stop: &AtomicBool,
    ) -> Result<Option<Arc<Meeting>>, RunError> {
        let (Some(place), Some(token)) = (&self.sync, token) else { return Ok(None) };
        if !quiet {
            note(&format!("meeting the other shards at {place}"));
        }
        let timeout = self.sync_timeout.unwrap_or(DEFAULT_TIMEOUT);
        match Meeting::join_unless_stopped(place, plan, token, timeout, stop) {
            Ok(meeting) => Ok(Some(Arc::new(meeting))),
            Err(SyncError::Stopped) => Err(RunError::Stopped),
            Err(error) => Err(RunError::NotBegun { reason: error.to_string() }),
        }
    }

    /// The start that was told, if one was.
    pub(crate) fn told_start(&self) -> Option<String> {
        self.start_at.map(|at| at.to_string())
    }

    /// The engine, which begins when it is to.
    pub(crate) fn begin(&self, engine: Engine, meeting: Option<&Arc<Meeting>>) -> Engine {
        match (meeting, self.start_at) {
            (Some(meeting), _) => engine.begins_when(meeting.begin()),
            (None, Some(at)) => engine.begins_when(move |_| at.monotonic_ns()),
            (None, None) => engine,
        }
    }
}

/// `%r` in a name is the number of the shard.
fn numbered(path: &Path, shard: Shard) -> PathBuf {
    let mut rest = path.as_os_str().as_bytes();
    let mut name = Vec::new();
    while let Some(at) = rest.windows(2).position(|two| two == b"%r") {
        name.extend_from_slice(&rest[..at]);
        name.extend_from_slice(shard.index().to_string().as_bytes());
        rest = &rest[at + 2..];
    }
    name.extend_from_slice(rest);
    OsString::from_vec(name).into()
}
