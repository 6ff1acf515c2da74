//! From the command line to [`Options`], option by option from left to right;
//! the last one of a kind wins.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use super::error::{CommandLineError, illegal};
use super::getopt::{Getopt, Given};
use super::lists;
use super::options::{Options, Print, Tls, TlsProtocol, UriSource};
use super::table::Id;
use super::usage;
use super::values::{Base, integer, whole_integer, whole_real};
use crate::schedule::GapLaw;
use crate::session::RawText;

/// Most threads.
const MAX_THREADS: u32 = 1024;

/// A command line that can be run, or that only wants the usage.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// To be printed to standard output first: of `--help` and `--version`.
    pub stdout: Vec<u8>,
    /// To be printed to standard error first.
    pub stderr: Vec<u8>,
    /// What to run; `None` after `--help`: exit with status 0.
    pub options: Option<Options>,
}

impl Parsed {
    fn read(
        &mut self,
        typed: &[u8],
        program: &[u8],
        args: &[OsString],
    ) -> Result<(), CommandLineError> {
        let mut options = Options::new(program);
        for given in Getopt::new(args) {
            // Only the parser names the program as it was typed.
            let given =
                given.map_err(|message| CommandLineError::new(&[typed, b": ", &message]))?;
            match given.option.id {
                Id::Help => {
                    self.stdout.extend(usage::usage(program));
                    return Ok(());
                }
                Id::Version => self.stdout.extend(usage::version(program)),
                Id::Debug => {
                    let sorry = [program, b": sorry, need to recompile with -DDEBUG on...\n"];
                    self.stderr.extend(sorry.concat());
                }
                _ => options
                    .apply(given)
                    .map_err(|message| CommandLineError::new(&[program, b": ", &message]))?,
            }
        }
        options.check_combinations()?;
        self.options = Some(options);
        Ok(())
    }
}

impl Options {
    /// Reads a command line; `args` begins with the name of the program.
    ///
    /// # Errors
    ///
    /// Anything that the original refuses before it prints the echo line, in its
    /// words.
    pub fn parse(args: &[OsString]) -> Result<Parsed, CommandLineError> {
        let (typed, args) = match args {
            [typed, args @ ..] => (typed.as_bytes(), args),
            [] => (b"httperf" as &[u8], args),
        };
        let program = typed.rsplit(|b| *b == b'/').next().unwrap_or(typed);
        let mut parsed = Parsed { stdout: Vec::new(), stderr: Vec::new(), options: None };
        match parsed.read(typed, program, args) {
            Ok(()) => Ok(parsed),
            // What was printed before the error stays printed.
            Err(error) => Err(CommandLineError {
                stdout: parsed.stdout,
                stderr: [parsed.stderr, error.stderr].concat(),
                ..error
            }),
        }
    }

    fn check_combinations(&self) -> Result<(), CommandLineError> {
        let misuse = |text: &[u8]| Err(CommandLineError::misuse(&[&self.program, text]));
        if self.server.is_some() && self.servers.is_some() {
            return misuse(b": --server S or --servers file");
        }
        let sessions = self.wsess.is_some() || self.wsesslog.is_some() || self.wsesspage.is_some();
        if self.session_cookies && !sessions {
            return misuse(
                b": --session-cookie requires session-oriented workload (e.g., --wsess)",
            );
        }
        Ok(())
    }

    /// An error is the message after the name of the program.
    fn apply(&mut self, given: Given<'_>) -> Result<(), Vec<u8>> {
        // The parser gave a value to every option that needs one.
        let value = given.value.unwrap_or_default();
        let text = || Some(RawText(value.to_vec()));
        let path = || Some(OsStr::from_bytes(value).to_owned());
        match given.option.id {
            // Their text is printed by the caller.
            Id::Help | Id::Version | Id::Debug => {}
            Id::AddHeader => self.add_header = text(),
            Id::AddHeaderFile => self.add_header_file = path(),
            Id::BurstLength => self.burst_length = positive(value, "burst-length")?,
            Id::Client => self.client = lists::client(value)?,
            Id::CloseWithReset => self.close_with_reset = true,
            Id::FailureStatus => self.failure_status = Some(positive(value, "failure status")?),
            Id::Hog => self.hog = true,
            Id::HttpVersion => {
                self.http_version =
                    http_version(value).ok_or_else(|| illegal("version number", value))?;
            }
            Id::Json => self.json = path(),
            Id::MaxConnections => self.max_connections = count(value, "max. # of connection")?,
            Id::MaxPipedCalls => self.max_piped_calls = count(value, "max. # of piped calls")?,
            Id::Method => self.method = text(),
            Id::MyAddress => self.my_addresses.extend(path()),
            Id::NoHostHeader => self.no_host_header = true,
            Id::NumCalls => self.num_calls = number(value, "number of calls")?,
            Id::NumConns => self.num_conns = number(value, "number of connections")?,
            Id::Period => self.arrivals = lists::period(value)?,
            Id::PeriodicStats => self.periodic_stats = true,
            Id::Port => self.port = Some(number(value, "port number")?),
            Id::PrintReply => self.print_reply = Some(print(value)),
            Id::PrintRequest => self.print_request = Some(print(value)),
            Id::Rate => {
                let rate = real(value, "request rate")?;
                self.arrivals = (rate > 0.0).then(|| GapLaw::Constant { gap_s: 1.0 / rate });
            }
            Id::ReceiveBuffer => self.recv_buffer = number(value, "receive buffer size")?,
            Id::RetryOnFailure => self.retry_on_failure = true,
            Id::Runtime => {
                let runtime = whole_real(value).filter(|runtime| *runtime > 0.0);
                self.runtime_s = Some(runtime.ok_or_else(|| illegal("runtime value", value))?);
            }
            Id::SendBuffer => self.send_buffer = number(value, "send buffer size")?,
            Id::Server => self.server = text(),
            Id::ServerName => self.server_name = text(),
            Id::Servers => self.servers = path(),
            Id::SessionCookies => self.session_cookies = true,
            Id::ThinkTimeout => self.think_timeout_s = real(value, "think timeout value")?,
            Id::Threads => {
                self.threads = positive(value, "number of threads")?;
                if self.threads > MAX_THREADS {
                    return Err(illegal("number of threads", value));
                }
            }
            Id::Timeout => self.timeout_s = real(value, "connect timeout")?,
            Id::Uri => self.uri = RawText(value.to_vec()),
            Id::UseTimerCache => self.use_timer_cache = true,
            Id::Verbose => self.verbosity = self.verbosity.saturating_add(1),
            Id::Wlog => {
                self.wlog = Some(lists::wlog(value));
                self.uri_source = UriSource::Wlog;
            }
            Id::Wsess => self.wsess = Some(lists::wsess(value)?),
            Id::Wsesslog => self.wsesslog = Some(lists::wsesslog(value)?),
            Id::Wsesspage => self.wsesspage = Some(lists::wsesspage(value)?),
            Id::Wset => {
                self.wset = Some(lists::wset(value)?);
                self.uri_source = UriSource::Wset;
            }
            Id::Ssl
            | Id::SslCaFile
            | Id::SslCaPath
            | Id::SslCertificate
            | Id::SslCiphers
            | Id::SslKey
            | Id::SslNoReuse
            | Id::SslProtocol
            | Id::SslVerify
            | Id::TlsServerName => return self.tls.apply(given.option.id, given.value),
        }
        Ok(())
    }
}

impl Tls {
    fn apply(&mut self, id: Id, value: Option<&[u8]>) -> Result<(), Vec<u8>> {
        let given = value.unwrap_or_default();
        let text = || Some(RawText(given.to_vec()));
        let path = || Some(OsString::from_vec(given.to_vec()));
        match id {
            Id::Ssl => self.on = true,
            Id::SslCaFile => self.ca_file = path(),
            Id::SslCaPath => self.ca_path = path(),
            Id::SslCertificate => self.certificate = path(),
            Id::SslCiphers => self.ciphers = text(),
            Id::SslKey => self.key = path(),
            Id::SslNoReuse => self.no_reuse = true,
            Id::SslProtocol => {
                let protocol = TlsProtocol::of(given);
                self.protocol = Some(protocol.ok_or_else(|| illegal("SSL protocol", given))?);
                self.on = true;
            }
            Id::SslVerify => self.verify = value.is_none_or(|v| matches!(v, [b'y' | b'Y', ..])),
            Id::TlsServerName => {
                if matches!(self.protocol, None | Some(TlsProtocol::Auto)) {
                    return Err([
                        b"Error setting the SNI (Server Name Indication) server name to ",
                        given,
                        b". The --tls-server-name option can only be used if \
                          --ssl-protocol-version is set to TLSv1.0 and above.",
                    ]
                    .concat());
                }
                self.server_name = text();
            }
            _ => {}
        }
        Ok(())
    }
}

fn number<T: TryFrom<i128>>(value: &[u8], what: &str) -> Result<T, Vec<u8>> {
    whole_integer(value).ok_or_else(|| illegal(what, value))
}

/// At most as large as C's `int`, in which the original looks for the sign.
fn count(value: &[u8], what: &str) -> Result<u32, Vec<u8>> {
    number::<i32>(value, what).and_then(|n| u32::try_from(n).map_err(|_| illegal(what, value)))
}

fn positive(value: &[u8], what: &str) -> Result<u32, Vec<u8>> {
    count(value, what).ok().filter(|n| *n > 0).ok_or_else(|| illegal(what, value))
}

fn real(value: &[u8], what: &str) -> Result<f64, Vec<u8>> {
    whole_real(value).ok_or_else(|| illegal(what, value))
}

/// Only the first letter counts.
fn print(value: &[u8]) -> Print {
    match value {
        [b'h' | b'H', ..] => Print::Header,
        [b'b' | b'B', ..] => Print::Body,
        _ => Print::All,
    }
}

/// `1.1`; what follows is not looked at.
fn http_version(value: &[u8]) -> Option<(u16, u16)> {
    let major = integer(value, Base::Ten)?;
    let minor = integer(major.rest.strip_prefix(b".")?, Base::Ten)?;
    Some((u16::try_from(major.value).ok()?, u16::try_from(minor.value).ok()?))
}
