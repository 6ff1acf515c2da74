//! From httperf's options to a plan.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::options::{Options, Tls as TlsOptions, TlsProtocol, UriSource, Workload};
use super::{FileError, read_headers, read_servers, read_sessions, read_uris};
use crate::error::PlanError;
use crate::net::tls::{ServerName, Tls, TlsVersion};
use crate::plan::{Load, Plan};
use crate::schedule::{GapLaw, Gaps, Schedule};
use crate::secret::shown_url;
use crate::session::{
    Head, HostLine, Limits, RawText, Retry, Sampling, Script, Sessions, SocketOptions, Uris,
};
use crate::target::Target;

/// What servers are told of the program. Runs are compared by it in their logs, so
/// it is that of the original.
const USER_AGENT: &str = "User-Agent: httperf/0.9.0\r\n";

/// Most connections that a plan can have; httperf has no limit of its own.
const MOST_CONNECTIONS: u32 = 1_000_000;

/// The shortest gap between arrivals that a plan can have, in seconds.
const SHORTEST_GAP_S: f64 = 1e-7;

/// The longest time limit that a plan can have, in seconds.
const LONGEST_S: f64 = 1e7;

/// From one sample of the rates to the next, in seconds.
const SAMPLE_S: f64 = 5.0;

/// Connections and calls in flight on each that sessions have by default.
const SESSION_ROOM: (u32, u32) = (4, 32);

/// A run that can begin.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// What to do.
    pub plan: Plan,
    /// To be printed to standard error first.
    pub stderr: Vec<u8>,
}

/// A run that cannot begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// A file of the workload.
    #[error(transparent)]
    File(#[from] FileError),
    /// The server is no name of a host.
    #[error("invalid server address {server}")]
    Server {
        /// The server as given.
        server: String,
        /// What is wrong with it.
        source: PlanError,
    },
    /// A burst has more calls than its session has room for.
    #[error("too many calls pending!\n\tIncrease --max-connections and/or --max-piped-calls.")]
    TooManyCalls,
    /// A version of TLS that is not spoken any more.
    #[error("{version} is not supported: use TLSv1.2, TLSv1.3 or auto")]
    TlsVersion {
        /// Its name.
        version: &'static str,
    },
    /// What the plan says of itself.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

impl PrepareError {
    /// The message for standard error, in the words of the original where it has
    /// some; the exit status is 1.
    #[must_use]
    pub fn message(&self, program: &[u8]) -> Vec<u8> {
        let part = match self {
            Self::Server { .. } => ".core_addr_intern",
            Self::TooManyCalls => ".session_issue_call",
            _ => "",
        };
        [program, format!("{part}: {self}\n").as_bytes()].concat()
    }
}

/// Reads the files of the workload and makes a plan that does what httperf would
/// do. `sources` are the addresses of [`Options::source_addresses`]. The options
/// are taken to have passed [`Options::check_after_echo`].
///
/// # Errors
/// [`PrepareError`] if a file cannot be used, or the plan would not be sound.
pub fn prepare(options: &Options, sources: Vec<IpAddr>) -> Result<Prepared, PrepareError> {
    let mut stderr = Vec::new();
    let schedule = options.gaps().map_or(Schedule::Closed, |gaps| Schedule::Drawn(sound(gaps)));
    let servers = match &options.servers {
        Some(file) => read_servers(Path::new(file))?,
        None => Vec::new(),
    };
    let sessions = Sessions {
        count: count(options),
        script: script(options)?,
        uris: uris(options)?,
        head: head(options, &mut stderr),
        limits: Limits {
            timeout_s: options.timeout().map_or(0.0, |limit| limit.as_secs_f64().min(LONGEST_S)),
            think_s: options
                .think_timeout()
                .map_or(0.0, |limit| limit.as_secs_f64().min(LONGEST_S)),
        },
        socket: SocketOptions {
            // A negative size is none that the kernel would take.
            send_buffer: u32::try_from(options.send_buffer).ok(),
            receive_buffer: u32::try_from(options.recv_buffer).ok(),
            close_with_reset: options.close_with_reset,
            choose_ports: options.hog,
            sources,
        },
        sampling: Sampling {
            // The samples of several clients do not fall together.
            first_s: SAMPLE_S * f64::from(options.client.number + 1)
                / f64::from(options.client.count.max(1)),
            every_s: SAMPLE_S,
        },
        ..room(options)?
    };
    let target = target(options, servers.first())?;
    let connections = match schedule {
        Schedule::Closed => 1,
        _ => MOST_CONNECTIONS,
    };
    let stream = match sessions.script {
        Script::Connection { calls: 1, .. } => Load::fresh(schedule),
        _ => Load::established(schedule),
    };
    let mut plan = Plan::new(target, stream.with_connections(connections))
        .with_threads(options.threads.min(connections))
        .with_sessions(Sessions { servers, ..sessions });
    if options.tls.on {
        plan = plan.with_tls(tls(&options.tls)?);
    }
    if let Some(runtime) = options.runtime() {
        plan = plan.with_duration(runtime);
    }
    plan.validate()?;
    Ok(Prepared { plan, stderr })
}

/// Arrivals in all; `None` if they never end.
fn count(options: &Options) -> Option<u64> {
    let sessions = match options.workload() {
        Workload::Requests => return options.connections(),
        Workload::Wsess(wsess) | Workload::Wsesspage(wsess) => wsess.sessions,
        Workload::Wsesslog(wsesslog) => wsesslog.sessions,
    };
    Some(u64::from(sessions)).filter(|sessions| *sessions > 0)
}

fn script(options: &Options) -> Result<Script, PrepareError> {
    let burst = u64::from(options.burst_length.max(1));
    Ok(match options.workload() {
        Workload::Requests => {
            // A negative number is 0 calls to the original: it connects, and waits.
            Script::Connection { calls: u64::try_from(options.num_calls).unwrap_or(0), burst }
        }
        // A session without calls makes one nevertheless.
        Workload::Wsess(wsess) => Script::Bursts {
            calls: u64::from(wsess.calls).max(1),
            burst,
            think_s: wsess.think_s.min(LONGEST_S),
        },
        Workload::Wsesspage(wsess) => Script::Pages {
            visits: u64::from(wsess.calls).max(1),
            think_s: wsess.think_s.min(LONGEST_S),
        },
        Workload::Wsesslog(log) => Script::Log {
            sessions: read_sessions(Path::new(&log.file), log.think_s.min(LONGEST_S))?,
        },
    })
}

/// Connections, and what becomes of them when they fail.
fn room(options: &Options) -> Result<Sessions, PrepareError> {
    let given = |value: u32, default: u32| if value == 0 { default } else { value };
    if options.workload() == Workload::Requests {
        return Ok(Sessions {
            open_connections: Some(options.max_connections).filter(|most| *most > 0),
            ..Sessions::connections(1).without_preflight()
        });
    }
    let (connections, piped) = SESSION_ROOM;
    let connections = given(options.max_connections, connections);
    let piped = if options.http_version.1 == 0 { 1 } else { piped };
    let calls_in_flight = given(options.max_piped_calls, piped);
    // The first call of a burst is answered before the others are made. Logs and
    // pages wait for room by themselves.
    if let Workload::Wsess(wsess) = options.workload() {
        let burst = u64::from(options.burst_length.min(wsess.calls));
        if burst.saturating_sub(1) > u64::from(connections) * u64::from(calls_in_flight) {
            return Err(PrepareError::TooManyCalls);
        }
    }
    Ok(Sessions {
        connections,
        calls_in_flight,
        retry: if options.retry_on_failure { Retry::Always } else { Retry::AfterReply },
        failure_status: options.failure_status,
        cookies: options.session_cookies,
        ..Sessions::connections(1).without_preflight()
    })
}

fn uris(options: &Options) -> Result<Uris, PrepareError> {
    // A log has URIs of its own: the other files are not even looked at.
    let source = match options.workload() {
        Workload::Wsesslog(_) => UriSource::Uri,
        _ => options.uri_source,
    };
    Ok(match (source, &options.wset, &options.wlog) {
        (UriSource::Wset, Some(wset), _) => Uris::Set {
            // A slash at the end would stand twice.
            prefix: RawText(options.uri.strip_suffix(b"/").unwrap_or(&options.uri).to_vec()),
            files: u64::from(wset.files).max(1),
            miss_rate: wset.miss_rate,
            first: u64::from(options.client.number),
            stride: u64::from(options.client.count),
        },
        (UriSource::Wlog, _, Some(wlog)) => {
            Uris::List { uris: read_uris(Path::new(&wlog.file))?, wrap: wlog.wrap }
        }
        _ => Uris::Fixed { uri: options.uri.clone() },
    })
}

/// What stands in every request; warnings about it go to `stderr`.
fn head(options: &Options, stderr: &mut Vec<u8>) -> Head {
    let minor_version = u8::from(options.http_version.1 != 0);
    let mut before_host = USER_AGENT.as_bytes().to_vec();
    if minor_version == 0 {
        before_host.extend_from_slice(b"Connection: keep-alive\r\n");
    }
    let mut after_host = Vec::new();
    if let Some(added) = options.added_header() {
        stderr.extend(added.warnings(&options.program));
        after_host = added.bytes;
    }
    if let Some(file) = &options.add_header_file {
        match read_headers(Path::new(file)) {
            Ok(lines) => after_host.extend(lines),
            Err(error) => stderr.extend(PrepareError::from(error).message(&options.program)),
        }
    }
    let host = options.server_name.clone().unwrap_or_else(|| RawText(options.server().to_vec()));
    // An empty method is none given, as with the original.
    let method = options.method.clone().filter(|method| !method.is_empty());
    Head {
        method: method.unwrap_or_else(|| "GET".into()),
        minor_version,
        before_host: RawText(before_host),
        host: if options.no_host_header { HostLine::Omitted } else { HostLine::Named(host) },
        after_host: RawText(after_host),
        headers: Vec::new(),
    }
}

pub(super) fn tls(options: &TlsOptions) -> Result<Tls, PrepareError> {
    let text = |text: &Option<RawText>| {
        text.as_ref().map(|text| String::from_utf8_lossy(text).into_owned())
    };
    let version = match options.protocol {
        None | Some(TlsProtocol::Auto) => None,
        Some(TlsProtocol::V1_2) => Some(TlsVersion::V1_2),
        Some(TlsProtocol::V1_3) => Some(TlsVersion::V1_3),
        Some(old @ (TlsProtocol::V1_0 | TlsProtocol::V1_1)) => {
            return Err(PrepareError::TlsVersion { version: old.name() });
        }
    };
    Ok(Tls {
        version,
        ciphers: text(&options.ciphers),
        verify: options.verify,
        ca_file: options.ca_file.as_ref().map(PathBuf::from),
        ca_path: options.ca_path.as_ref().map(PathBuf::from),
        certificate: options.certificate.as_ref().map(PathBuf::from),
        key: options.key.as_ref().map(PathBuf::from),
        server_name: text(&options.server_name).map_or(ServerName::Omitted, ServerName::Named),
        resume: !options.no_reuse,
        // As the original: a server that does not speak TLS is a mistake of set-up.
        stop_on_failure: true,
    })
}

fn target(options: &Options, first: Option<&String>) -> Result<Target, PrepareError> {
    let server = match first {
        Some(server) => server.clone(),
        None => String::from_utf8_lossy(options.server()).into_owned(),
    };
    // Whatever follows the name in a URL would be taken for something else.
    let reason = "a server is a name or an address, and nothing else";
    let target = match server.contains(['/', '?', '#', '@']) {
        true => Err(PlanError::Url { url: shown(&server), reason }),
        false => Target::host_port(&server, options.port(), options.tls.on),
    };
    target.map_err(|source| match options.port() {
        0 => PrepareError::Plan(source),
        _ => PrepareError::Server { server: shown(&server), source },
    })
}

/// A server's name for a message, which has no password even if one was given.
fn shown(server: &str) -> String {
    let has_password = server.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'));
    if has_password { shown_url(server) } else { server.to_owned() }
}

/// The gaps, none of them shorter than a plan can have.
fn sound(gaps: Gaps) -> Gaps {
    let law = match gaps.law {
        GapLaw::Constant { gap_s } => GapLaw::Constant { gap_s: gap_s.max(SHORTEST_GAP_S) },
        GapLaw::Exponential { mean_s } => {
            GapLaw::Exponential { mean_s: mean_s.max(SHORTEST_GAP_S) }
        }
        law => law,
    };
    Gaps { law, ..gaps }
}

#[cfg(test)]
mod tests;
