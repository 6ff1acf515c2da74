//! One QMP connection: greeting, negotiation, requests with ids, and a reader
//! thread that stamps every line when it arrives.
//!
//! Not here: what commands mean. Invariants: a line is at most [`LINE_LIMIT`];
//! every wait has a limit; a connection that ended is told once, as
//! [`What::Closed`], and every error names its socket.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::options::QmpAddress;
use crate::clock::monotonic_ns;
use crate::migration::side::Side;
use crate::migration::trigger::TriggerError;

/// Longest line, in bytes. The longest known reply, to `query-qmp-schema`, has
/// about 300 KiB.
const LINE_LIMIT: u64 = 4 << 20;

/// The name of a side in events.
pub(crate) fn event_source(side: Side) -> &'static str {
    match side {
        Side::Source => "qmp:source",
        Side::Target => "qmp:target",
    }
}

/// What QEMU answered instead of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QmpError {
    pub(crate) class: String,
    pub(crate) desc: String,
}

/// Something that arrived.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) side: Side,
    /// `CLOCK_MONOTONIC` when it was read.
    pub(crate) at_ns: u64,
    pub(crate) what: What,
}

/// What arrived.
#[derive(Debug)]
pub(crate) enum What {
    Greeting(Value),
    Reply { id: Option<u64>, result: Result<Value, QmpError> },
    Event { name: String, data: Map<String, Value>, timestamp: Option<SystemTime> },
    Closed(String),
}

/// The writing half of a connection. Dropping it ends the reader thread.
#[derive(Debug)]
pub(crate) struct Client {
    side: Side,
    address: QmpAddress,
    stream: Stream,
    next_id: u64,
}

impl Client {
    /// Connects; what the server says, from its greeting on, goes to `sink`.
    pub(crate) fn connect(
        side: Side,
        address: &QmpAddress,
        limit: Duration,
        sink: SyncSender<Received>,
    ) -> Result<Self, TriggerError> {
        let stream = Stream::connect(address, limit);
        let client = stream.and_then(|stream| {
            let reader = stream.try_clone()?;
            let name = format!("qmp-{side:?}").to_lowercase();
            thread::Builder::new().name(name).spawn(move || read_all(reader, side, &sink))?;
            Ok(Self { side, address: address.clone(), stream, next_id: 1 })
        });
        client.map_err(|error| {
            let what = format!(
                "connecting to the QMP socket {address} (QEMU makes it with -qmp \
                 unix:PATH,server=on,wait=off)"
            );
            TriggerError::io(what, error)
        })
    }

    /// Where the connection leads, for messages.
    pub(crate) fn place(&self) -> String {
        match self.side {
            Side::Source => format!("the source, {}", self.address),
            Side::Target => format!("the target, {}", self.address),
        }
    }

    /// Whether nobody listens at the socket any more. A process that ends closes its
    /// connections a little before or after its listening socket.
    pub(crate) fn is_refused(&self) -> bool {
        use io::ErrorKind::{ConnectionRefused, NotFound};
        let refused = || {
            Stream::connect(&self.address, Duration::from_millis(500))
                .is_err_and(|error| matches!(error.kind(), ConnectionRefused | NotFound))
        };
        refused() || {
            thread::sleep(Duration::from_millis(100));
            refused()
        }
    }

    /// Sending may take no time from now on: what does not fit at once is refused.
    pub(crate) fn hurry(&self) {
        self.stream.limit_writes(Duration::from_millis(100));
    }

    /// Sends a request and returns its id. Does not wait for the reply.
    pub(crate) fn send(&mut self, command: &str, arguments: Value) -> Result<u64, TriggerError> {
        let id = self.next_id;
        self.next_id += 1;
        let mut request = json!({ "execute": command, "id": id });
        if !arguments.is_null() {
            request["arguments"] = arguments;
        }
        let line = format!("{request}\r\n");
        self.stream.write_all(line.as_bytes()).map_err(|error| {
            TriggerError::io(format!("sending {command} to {}", self.place()), error)
        })?;
        Ok(id)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.stream.shutdown();
    }
}

/// The two kinds of socket that QEMU offers.
#[derive(Debug)]
enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Stream {
    fn connect(address: &QmpAddress, limit: Duration) -> io::Result<Self> {
        match address {
            QmpAddress::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_write_timeout(Some(limit))?;
                Ok(Self::Unix(stream))
            }
            QmpAddress::Tcp(address) => {
                let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
                for address in address.to_socket_addrs()? {
                    match TcpStream::connect_timeout(&address, limit) {
                        Ok(stream) => {
                            stream.set_nodelay(true)?;
                            stream.set_write_timeout(Some(limit))?;
                            return Ok(Self::Tcp(stream));
                        }
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
        }
    }

    fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::Unix(stream) => stream.try_clone().map(Self::Unix),
            Self::Tcp(stream) => stream.try_clone().map(Self::Tcp),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.write_all(bytes),
            Self::Tcp(stream) => stream.write_all(bytes),
        }
    }

    fn limit_writes(&self, limit: Duration) {
        let _ = match self {
            Self::Unix(stream) => stream.set_write_timeout(Some(limit)),
            Self::Tcp(stream) => stream.set_write_timeout(Some(limit)),
        };
    }

    fn shutdown(&self) {
        let _ = match self {
            Self::Unix(stream) => stream.shutdown(Shutdown::Both),
            Self::Tcp(stream) => stream.shutdown(Shutdown::Both),
        };
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(buffer),
            Self::Tcp(stream) => stream.read(buffer),
        }
    }
}

fn read_all(stream: Stream, side: Side, sink: &SyncSender<Received>) {
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    let why = loop {
        line.clear();
        let read = reader.by_ref().take(LINE_LIMIT).read_until(b'\n', &mut line);
        let at_ns = monotonic_ns();
        match read {
            Ok(0) => break "it was closed by QEMU".to_owned(),
            Ok(_) if line.last() != Some(&b'\n') => {
                break if (line.len() as u64) < LINE_LIMIT {
                    "it was closed by QEMU in the middle of a line".to_owned()
                } else {
                    format!("it sent a line of more than {LINE_LIMIT} bytes")
                };
            }
            Ok(_) if line.trim_ascii().is_empty() => continue,
            Ok(_) => {}
            Err(error) => break error.to_string(),
        }
        match classify(&line) {
            // What a newer version may say beside replies and events is let pass.
            Ok(None) => {}
            Ok(Some(what)) => {
                if sink.send(Received { side, at_ns, what }).is_err() {
                    return;
                }
            }
            Err(why) => break why,
        }
    };
    let _ = sink.send(Received { side, at_ns: monotonic_ns(), what: What::Closed(why) });
}

fn classify(line: &[u8]) -> Result<Option<What>, String> {
    let Ok(Value::Object(mut object)) = serde_json::from_slice(line) else {
        let shown: String = String::from_utf8_lossy(line).escape_debug().take(80).collect();
        return Err(format!("it does not speak QMP: it sent '{shown}'"));
    };
    let id = object.get("id").and_then(Value::as_u64);
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or("").to_owned();
    if let Some(greeting) = object.remove("QMP") {
        return Ok(Some(What::Greeting(greeting)));
    }
    if let Some(value) = object.remove("return") {
        return Ok(Some(What::Reply { id, result: Ok(value) }));
    }
    if let Some(error) = object.remove("error") {
        let error = QmpError { class: text(error.get("class")), desc: text(error.get("desc")) };
        return Ok(Some(What::Reply { id, result: Err(error) }));
    }
    let Some(Value::String(name)) = object.remove("event") else { return Ok(None) };
    let data = match object.remove("data") {
        Some(Value::Object(data)) => data,
        _ => Map::new(),
    };
    let timestamp = object.get("timestamp").and_then(timestamp);
    Ok(Some(What::Event { name, data, timestamp }))
}

/// QEMU's wall clock of an event; both numbers are -1 when it could not tell.
fn timestamp(value: &Value) -> Option<SystemTime> {
    let seconds = value.get("seconds")?.as_u64()?;
    let microseconds = u32::try_from(value.get("microseconds")?.as_u64()?).ok()?;
    UNIX_EPOCH.checked_add(Duration::new(seconds, microseconds.checked_mul(1000)?))
}
