//! A command line of httperf, understood.

use std::ffi::OsString;
use std::time::Duration;

use super::escape::Unescaped;
use crate::schedule::{GapLaw, Gaps};
use crate::session::RawText;

/// The options of a run, as given or by default. Values that the original would
/// only refuse when the run starts may still be wrong:
/// [`check_after_echo`](Options::check_after_echo).
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Name of the program in messages: the last part of its path.
    pub program: Vec<u8>,
    /// How often `--verbose` was given.
    pub verbosity: u32,
    /// What to print of replies.
    pub print_reply: Option<Print>,
    /// What to print of requests.
    pub print_request: Option<Print>,
    /// Choose local ports from 1024 up.
    pub hog: bool,
    /// Close connections with a reset.
    pub close_with_reset: bool,
    /// As given, in seconds; see [`think_timeout`](Options::think_timeout).
    pub think_timeout_s: f64,
    /// As given, in seconds; see [`timeout`](Options::timeout).
    pub timeout_s: f64,
    /// End of the run, in seconds from its start; above 0.
    pub runtime_s: Option<f64>,
    /// Which of several clients this is.
    pub client: Client,
    /// Host name or address, if given; see [`server`](Options::server).
    pub server: Option<RawText>,
    /// Text of the Host header, if not the server.
    pub server_name: Option<RawText>,
    /// File of servers to take in turn; then [`server`](Options::server) is not
    /// used.
    pub servers: Option<OsString>,
    /// Port, if given; see [`port`](Options::port).
    pub port: Option<u16>,
    /// URI of the requests, or the prefix of those of [`Wset`].
    pub uri: RawText,
    /// Status that fails a session.
    pub failure_status: Option<u32>,
    /// Major and minor HTTP version.
    pub http_version: (u16, u16),
    /// As given; 0 for the default.
    pub max_connections: u32,
    /// As given; 0 for the default.
    pub max_piped_calls: u32,
    /// Law of the arrivals; `None`: each starts when the one before has ended. See
    /// [`gaps`](Options::gaps).
    pub arrivals: Option<GapLaw>,
    /// Send buffer of the sockets, in bytes.
    pub send_buffer: i32,
    /// Receive buffer of the sockets, in bytes.
    pub recv_buffer: i32,
    /// Send failed calls of sessions again.
    pub retry_on_failure: bool,
    /// Sessions send their cookie back.
    pub session_cookies: bool,
    /// The TLS options.
    pub tls: Tls,
    /// Header lines as given; see [`added_header`](Options::added_header).
    pub add_header: Option<RawText>,
    /// File of further header lines.
    pub add_header_file: Option<OsString>,
    /// Request method, if given.
    pub method: Option<RawText>,
    /// Leave out the Host header.
    pub no_host_header: bool,
    /// Has no effect.
    pub use_timer_cache: bool,
    /// As given; see [`connections`](Options::connections).
    pub num_conns: i64,
    /// As given; 0 and less: no limit.
    pub num_calls: i64,
    /// Calls of a burst, at least 1.
    pub burst_length: u32,
    /// `--wsess`.
    pub wsess: Option<Wsess>,
    /// `--wsesslog`.
    pub wsesslog: Option<Wsesslog>,
    /// `--wsesspage`.
    pub wsesspage: Option<Wsess>,
    /// `--wset`.
    pub wset: Option<Wset>,
    /// `--wlog`.
    pub wlog: Option<Wlog>,
    /// Which of `--uri`, `--wset` and `--wlog` rules: the last of the latter two.
    pub uri_source: UriSource,
    /// What to connect from, as given, in order; see
    /// [`source_addresses`](Options::source_addresses).
    pub my_addresses: Vec<OsString>,
    /// Print counts every second.
    pub periodic_stats: bool,
    /// Threads that share the load, at least 1.
    pub threads: u32,
    /// Where loadgen's own report goes.
    pub json: Option<OsString>,
}

/// What to print of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Print {
    /// Header and body.
    All,
    /// Only the header.
    Header,
    /// Only the body.
    Body,
}

/// Client `number` of `count`, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    /// Below the count.
    pub number: u32,
    /// At least 1.
    pub count: u32,
}

/// The TLS options.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// Use TLS at all.
    pub on: bool,
    /// List of ciphers in the syntax of OpenSSL.
    pub ciphers: Option<RawText>,
    /// Sessions do not resume TLS sessions.
    pub no_reuse: bool,
    /// Name for the handshake.
    pub server_name: Option<RawText>,
    /// Certificate of the client, a PEM file.
    pub certificate: Option<OsString>,
    /// Its key, a PEM file.
    pub key: Option<OsString>,
    /// Trusted certificates, a PEM file.
    pub ca_file: Option<OsString>,
    /// Directory of trusted certificates.
    pub ca_path: Option<OsString>,
    /// Check the certificate of the server.
    pub verify: bool,
    /// Version, if given.
    pub protocol: Option<TlsProtocol>,
}

/// Value of `--ssl-protocol`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsProtocol {
    /// The best that both sides know.
    Auto,
    /// TLS 1.0.
    V1_0,
    /// TLS 1.1.
    V1_1,
    /// TLS 1.2.
    V1_2,
    /// TLS 1.3.
    V1_3,
}

/// `--wsess`: sessions of calls; `--wsesspage`: sessions of pages.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wsess {
    /// How many; with 0, none ever ends, nor does the run.
    pub sessions: u32,
    /// Calls (or pages) of each.
    pub calls: u32,
    /// Time between bursts in seconds, at least 0.
    pub think_s: f64,
}

/// `--wsesslog`: sessions written in a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Wsesslog {
    /// How many; with 0, none ever ends, nor does the run.
    pub sessions: u32,
    /// Time between bursts in seconds where the file does not say, at least 0.
    pub think_s: f64,
    /// The file.
    pub file: OsString,
}

/// `--wset`: a walk through files.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wset {
    /// How many.
    pub files: u32,
    /// Share of the calls that go to the next file, from 0 to 1.
    pub miss_rate: f64,
}

/// `--wlog`: URIs from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wlog {
    /// From the top again at the end.
    pub wrap: bool,
    /// The file.
    pub file: OsString,
}

/// Where the URIs of calls come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UriSource {
    /// [`Options::uri`].
    Uri,
    /// [`Options::wset`].
    Wset,
    /// [`Options::wlog`].
    Wlog,
}

/// What kind of load it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Workload<'a> {
    /// Connections with calls.
    Requests,
    /// `--wsess`.
    Wsess(&'a Wsess),
    /// `--wsesslog`.
    Wsesslog(&'a Wsesslog),
    /// `--wsesspage`.
    Wsesspage(&'a Wsess),
}

impl Options {
    /// What holds if nothing is given.
    #[must_use]
    pub fn new(program: &[u8]) -> Self {
        Self {
            program: program.to_vec(),
            verbosity: 0,
            print_reply: None,
            print_request: None,
            hog: false,
            close_with_reset: false,
            think_timeout_s: 0.0,
            timeout_s: 0.0,
            runtime_s: None,
            client: Client { number: 0, count: 1 },
            server: None,
            server_name: None,
            servers: None,
            port: None,
            uri: RawText::from("/"),
            failure_status: None,
            http_version: (1, 1),
            max_connections: 0,
            max_piped_calls: 0,
            arrivals: None,
            send_buffer: 4096,
            recv_buffer: 16384,
            retry_on_failure: false,
            session_cookies: false,
            tls: Tls::default(),
            add_header: None,
            add_header_file: None,
            method: None,
            no_host_header: false,
            use_timer_cache: false,
            num_conns: 1,
            num_calls: 1,
            burst_length: 1,
            wsess: None,
            wsesslog: None,
            wsesspage: None,
            wset: None,
            wlog: None,
            uri_source: UriSource::Uri,
            my_addresses: Vec::new(),
            periodic_stats: false,
            threads: 1,
            json: None,
        }
    }

    /// Host name or address of the server.
    #[must_use]
    pub fn server(&self) -> &[u8] {
        self.server.as_ref().map_or(b"localhost", |server| &server.0)
    }

    /// Port of the server: as given, or that of the protocol.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(if self.tls.on { 443 } else { 80 })
    }

    /// How long to wait for progress. 0, less, and more than a clock can hold mean
    /// for ever; the original accepts times below 0 too, but not with a meaning.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        time(self.timeout_s)
    }

    /// How much longer to wait for a reply; none if not above 0.
    #[must_use]
    pub fn think_timeout(&self) -> Option<Duration> {
        time(self.think_timeout_s)
    }

    /// When to stop at the latest.
    #[must_use]
    pub fn runtime(&self) -> Option<Duration> {
        self.runtime_s.and_then(time)
    }

    /// The arrivals, with the random numbers of this client. `None`: each starts
    /// when the one before has ended.
    #[must_use]
    pub fn gaps(&self) -> Option<Gaps> {
        // An infinite rate: all at once, as far as the clock tells.
        let law = match self.arrivals? {
            GapLaw::Constant { gap_s } => GapLaw::Constant { gap_s: gap_s.max(1e-9) },
            law => law,
        };
        Some(Gaps { law, client: self.client.number })
    }

    /// Connections in total; `None` without limit (0 or less was given).
    #[must_use]
    pub fn connections(&self) -> Option<u64> {
        u64::try_from(self.num_conns).ok().filter(|n| *n > 0)
    }

    /// The kind of load.
    #[must_use]
    pub fn workload(&self) -> Workload<'_> {
        match (&self.wsesslog, &self.wsesspage, &self.wsess) {
            (Some(wsesslog), _, _) => Workload::Wsesslog(wsesslog),
            (_, Some(wsesspage), _) => Workload::Wsesspage(wsesspage),
            (_, _, Some(wsess)) => Workload::Wsess(wsess),
            _ => Workload::Requests,
        }
    }

    /// The header lines of `--add-header` for the wire.
    #[must_use]
    pub fn added_header(&self) -> Option<Unescaped> {
        self.add_header.as_ref().map(|text| Unescaped::of(text))
    }
}

impl TlsProtocol {
    /// As the echo line names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::V1_0 => "TLSv1.0",
            Self::V1_1 => "TLSv1.1",
            Self::V1_2 => "TLSv1.2",
            Self::V1_3 => "TLSv1.3",
        }
    }

    /// Also without the `.0`, with `_` for `.`, in any case.
    pub(super) fn of(text: &[u8]) -> Option<Self> {
        let name = text.to_ascii_lowercase();
        Some(match name.as_slice() {
            b"auto" => Self::Auto,
            b"tlsv1" | b"tlsv1.0" | b"tlsv1_0" => Self::V1_0,
            b"tlsv1.1" | b"tlsv1_1" => Self::V1_1,
            b"tlsv1.2" | b"tlsv1_2" => Self::V1_2,
            b"tlsv1.3" | b"tlsv1_3" => Self::V1_3,
            _ => return None,
        })
    }
}

fn time(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok().filter(|time| !time.is_zero())
}
