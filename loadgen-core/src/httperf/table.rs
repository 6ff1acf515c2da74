//! Every option of the command line, once: for the parser, the usage text, the
//! manual page, and for `autobench`, which passes `httperf_NAME` on as `--NAME`.

/// Whether an option takes an argument, and how the usage text calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    /// None.
    None,
    /// The next word, or what follows `=`.
    Required(&'static str),
    /// Only what follows `=`.
    Optional(&'static str),
}

/// Where an option comes from. Abbreviations are looked up in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// httperf 0.9.0.
    Original,
    /// The unreleased httperf 0.9.1.
    Unreleased,
    /// loadgen.
    Loadgen,
}

/// One option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionEntry {
    /// What the parser knows it by.
    pub(super) id: Id,
    /// Where it comes from.
    pub origin: Origin,
    /// The name, without the dashes.
    pub name: &'static str,
    /// The one-letter form.
    pub short: Option<char>,
    /// Its argument.
    pub argument: Argument,
    /// What it does, in a sentence.
    pub help: &'static str,
}

/// Names of the options for the parser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Id {
    AddHeader,
    AddHeaderFile,
    BurstLength,
    Client,
    CloseWithReset,
    Debug,
    FailureStatus,
    Help,
    Hog,
    HttpVersion,
    Json,
    MaxConnections,
    MaxPipedCalls,
    Method,
    MyAddress,
    NoHostHeader,
    NumCalls,
    NumConns,
    Period,
    PeriodicStats,
    Port,
    PrintReply,
    PrintRequest,
    Rate,
    ReceiveBuffer,
    RetryOnFailure,
    Runtime,
    SendBuffer,
    Server,
    ServerName,
    Servers,
    SessionCookies,
    Ssl,
    SslCaFile,
    SslCaPath,
    SslCertificate,
    SslCiphers,
    SslKey,
    SslNoReuse,
    SslProtocol,
    SslVerify,
    ThinkTimeout,
    Threads,
    Timeout,
    TlsServerName,
    Uri,
    UseTimerCache,
    Verbose,
    Version,
    Wlog,
    Wsess,
    Wsesslog,
    Wsesspage,
    Wset,
}

impl OptionEntry {
    const fn new(
        origin: Origin,
        id: Id,
        name: &'static str,
        argument: Argument,
        help: &'static str,
    ) -> Self {
        Self { id, origin, name, short: None, argument, help }
    }

    const fn short(mut self, letter: char) -> Self {
        self.short = Some(letter);
        self
    }
}

const fn original(
    id: Id,
    name: &'static str,
    argument: Argument,
    help: &'static str,
) -> OptionEntry {
    OptionEntry::new(Origin::Original, id, name, argument, help)
}

const fn unreleased(
    id: Id,
    name: &'static str,
    argument: Argument,
    help: &'static str,
) -> OptionEntry {
    OptionEntry::new(Origin::Unreleased, id, name, argument, help)
}

const fn loadgen(
    id: Id,
    name: &'static str,
    argument: Argument,
    help: &'static str,
) -> OptionEntry {
    OptionEntry::new(Origin::Loadgen, id, name, argument, help)
}

use Argument::{None as Flag, Optional, Required};

/// All of them. Those of 0.9.0 stand in its order, which shows when an
/// abbreviation is ambiguous.
pub static OPTIONS: &[OptionEntry] = &[
    original(
        Id::AddHeader,
        "add-header",
        Required("S"),
        "Header lines for every request; \\n ends a line, and the last line needs it too",
    ),
    original(
        Id::BurstLength,
        "burst-length",
        Required("N"),
        "Calls sent back to back before waiting for their replies [1]",
    ),
    original(
        Id::Client,
        "client",
        Required("I/N"),
        "This is client I of N: shifts samples, random arrivals and the files of --wset [0/1]",
    ),
    original(
        Id::CloseWithReset,
        "close-with-reset",
        Flag,
        "Close connections with a TCP reset instead of a goodbye",
    ),
    original(
        Id::Debug,
        "debug",
        Required("N"),
        "Accepted for compatibility; there is no debugging output",
    )
    .short('d'),
    original(
        Id::FailureStatus,
        "failure-status",
        Required("N"),
        "A reply with this status fails its session",
    ),
    original(Id::Help, "help", Flag, "Print the usage and exit").short('h'),
    original(Id::Hog, "hog", Flag, "Choose local ports from 1024 up, not only the system's range"),
    original(Id::HttpVersion, "http-version", Required("S"), "HTTP version: 1.0 or 1.1 [1.1]"),
    original(
        Id::MaxConnections,
        "max-connections",
        Required("N"),
        "Most open connections: of a session (1 to 4) [4]; of the run without sessions [no limit]",
    ),
    original(
        Id::MaxPipedCalls,
        "max-piped-calls",
        Required("N"),
        "Most unanswered calls on a connection of a session, up to 32 [32]",
    ),
    original(Id::Method, "method", Required("S"), "Request method, any word [GET]"),
    original(Id::NoHostHeader, "no-host-hdr", Flag, "Leave out the Host header"),
    original(Id::NumCalls, "num-calls", Required("N"), "Calls on each connection [1]"),
    original(Id::NumConns, "num-conns", Required("N"), "Connections in total; 0: no limit [1]"),
    original(
        Id::Period,
        "period",
        Required("[D]T1[,T2]"),
        "Seconds between arrivals: T or dT constant, uA,B uniform, eT exponential, \
         vT1,D1,T2,D2,... T1 for D1 s, then T2 for D2 s; 0: one after another [0]",
    ),
    original(Id::Port, "port", Required("N"), "Port of the server [80, with --ssl 443]"),
    original(
        Id::PrintReply,
        "print-reply",
        Optional("header|body"),
        "Print replies, or only their header or body",
    ),
    original(
        Id::PrintRequest,
        "print-request",
        Optional("header|body"),
        "Print requests, or only their header or body",
    ),
    original(
        Id::Rate,
        "rate",
        Required("X"),
        "New connections (or sessions) a second; 0: one after another [0]",
    ),
    original(
        Id::ReceiveBuffer,
        "recv-buffer",
        Required("N"),
        "Receive buffer of the sockets in bytes [16384]",
    ),
    original(
        Id::RetryOnFailure,
        "retry-on-failure",
        Flag,
        "In sessions: send failed calls again instead of failing the session",
    ),
    original(
        Id::SendBuffer,
        "send-buffer",
        Required("N"),
        "Send buffer of the sockets in bytes [4096]",
    ),
    original(Id::Server, "server", Required("S"), "Name or address of the server [localhost]"),
    original(
        Id::ServerName,
        "server-name",
        Required("S"),
        "Text of the Host header [that of --server]",
    ),
    original(
        Id::SessionCookies,
        "session-cookies",
        Flag,
        "Each session sends back the last cookie that it was given",
    ),
    original(Id::Ssl, "ssl", Flag, "Use TLS"),
    original(Id::SslCiphers, "ssl-ciphers", Required("L"), "List of TLS ciphers, colon separated"),
    original(
        Id::SslNoReuse,
        "ssl-no-reuse",
        Flag,
        "A session's connections do not resume the TLS session of its first",
    ),
    original(
        Id::ThinkTimeout,
        "think-timeout",
        Required("X"),
        "Seconds added to --timeout for the server to answer [0]",
    ),
    original(
        Id::Timeout,
        "timeout",
        Required("X"),
        "Seconds until a connection that makes no progress is given up; 0 or less: never [0]",
    ),
    original(Id::Uri, "uri", Required("S"), "What to request; with --wset, its prefix [/]"),
    original(Id::Verbose, "verbose", Flag, "Say more; up to three times").short('v'),
    original(Id::Version, "version", Flag, "Print the version and go on").short('V'),
    original(
        Id::Wlog,
        "wlog",
        Required("y|n,file"),
        "URIs from a file, each ended by a NUL byte; y: from the top again at the end",
    ),
    original(
        Id::Wsess,
        "wsess",
        Required("N,N,X"),
        "Sessions: how many, calls of each, seconds of thought between bursts",
    ),
    original(
        Id::Wsesslog,
        "wsesslog",
        Required("N,X,file"),
        "Sessions written in a file: how many, seconds of thought unless it says",
    ),
    original(
        Id::Wsesspage,
        "wsesspage",
        Required("N,N,X"),
        "Sessions of pages with what is embedded in them: how many, pages of each, seconds of \
         thought",
    ),
    original(
        Id::Wset,
        "wset",
        Required("N,X"),
        "Walk through N files below --uri, going to the next in the share X of the calls",
    ),
    unreleased(
        Id::AddHeaderFile,
        "add-header-file",
        Required("file"),
        "Header lines for every request, as they stand in a file",
    ),
    unreleased(
        Id::MyAddress,
        "myaddr",
        Required("S"),
        "Local address, name, or range A-B to connect from; repeat for more, taken in turn",
    ),
    unreleased(
        Id::PeriodicStats,
        "periodic-stats",
        Flag,
        "Every second, print the replies with status 200 and 302",
    )
    .short('n'),
    unreleased(Id::Runtime, "runtime", Required("X"), "Stop after X seconds"),
    unreleased(
        Id::Servers,
        "servers",
        Required("file"),
        "Servers from a file, each ended by a NUL byte, taken in turn",
    ),
    unreleased(
        Id::SslCaFile,
        "ssl-ca-file",
        Required("file"),
        "Certificates to trust, in a PEM file",
    ),
    unreleased(
        Id::SslCaPath,
        "ssl-ca-path",
        Required("path"),
        "Certificates to trust, in a directory",
    ),
    unreleased(
        Id::SslCertificate,
        "ssl-certificate",
        Required("file"),
        "Certificate of the client, in a PEM file",
    ),
    unreleased(Id::SslKey, "ssl-key", Required("file"), "Key of the client, in a PEM file"),
    unreleased(
        Id::SslProtocol,
        "ssl-protocol",
        Required("S"),
        "TLS version: auto, TLSv1.0, TLSv1.1, TLSv1.2 or TLSv1.3; turns on --ssl [auto]",
    ),
    unreleased(
        Id::SslVerify,
        "ssl-verify",
        Optional("yes|no"),
        "Check the certificate of the server [no]",
    ),
    unreleased(
        Id::TlsServerName,
        "tls-server-name",
        Required("S"),
        "Server name in the TLS handshake; after an --ssl-protocol other than auto",
    ),
    unreleased(
        Id::UseTimerCache,
        "use-timer-cache",
        Flag,
        "Accepted for compatibility; the clock is always read",
    ),
    loadgen(Id::Json, "json", Required("file"), "Also write loadgen's report of the run to a file"),
    loadgen(Id::Threads, "threads", Required("N"), "Threads that share the load [1]"),
];
