//! A server for the fakes of managers' interfaces: HTTP/1.1 over TCP or a unix socket, with the fake
//! as its state. What happens is for the test to say, not for the clock.

#![allow(dead_code, reason = "each fake uses another part of it")]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// What a test waits for at most.
const DEADLINE: Duration = Duration::from_secs(60);
const LARGEST: u64 = 1 << 20;

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: String,
    /// The path, decoded; without the query.
    pub(crate) path: String,
    pub(crate) query: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Call {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    /// A field of a body that is a form.
    pub(crate) fn form(&self, name: &str) -> Option<String> {
        let mut fields = self.body.split('&').filter_map(|field| field.split_once('='));
        fields.find(|(known, _)| *known == name).map(|(_, value)| decoded(value))
    }

    /// `GET /a/b`.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// What is answered.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// A status, headers and a body.
    Answer(u16, Vec<(String, String)>, String),
    /// Nothing: the connection is closed, as by a process that is killed.
    Close,
    /// Nothing yet: the state is asked again whenever it changes.
    Later,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        let of_type = ("Content-Type".to_owned(), "application/json".to_owned());
        Self::Answer(status, vec![of_type], body.to_string())
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self::Answer(status, Vec::new(), String::new())
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        if let Self::Answer(_, headers, _) = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }
}

/// A manager that is faked.
pub(crate) trait Fake: Send + 'static {
    /// What it answers. It is asked again after [`Reply::Later`].
    fn answer(&mut self, call: &Call) -> Reply;
}

struct Shared<F> {
    state: Mutex<State<F>>,
    changed: Condvar,
}

struct State<F> {
    fake: F,
    calls: Vec<Call>,
    alive: bool,
}

/// A fake that is served until this is dropped.
pub(crate) struct Api<F> {
    shared: Arc<Shared<F>>,
    /// As a recipe is told it: `http://127.0.0.1:PORT`, or `unix:PATH:`.
    pub(crate) url: String,
    address: Address,
}

enum Address {
    Tcp(SocketAddr),
    Unix(std::path::PathBuf),
}

impl<F: Fake> Api<F> {
    /// On a port of its own.
    pub(crate) fn start(fake: F) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Shared::new(fake);
        let served = Arc::clone(&shared);
        thread::spawn(move || {
            let streams = listener.incoming().flatten();
            accept(&served, streams.map(|stream| (stream.try_clone().unwrap(), stream)));
        });
        Self { shared, url: format!("http://{address}"), address: Address::Tcp(address) }
    }

    /// At a unix socket.
    pub(crate) fn at(path: &Path, fake: F) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let shared = Shared::new(fake);
        let served = Arc::clone(&shared);
        thread::spawn(move || {
            let streams = listener.incoming().flatten();
            accept(&served, streams.map(|stream| (stream.try_clone().unwrap(), stream)));
        });
        let url = format!("unix:{}:", path.display());
        Self { shared, url, address: Address::Unix(path.to_owned()) }
    }

    /// Looks at the fake, or changes it.
    pub(crate) fn edit<T>(&self, change: impl FnOnce(&mut F) -> T) -> T {
        let result = change(&mut self.shared.lock().fake);
        self.shared.changed.notify_all();
        result
    }

    /// What was asked so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.shared.lock().calls.clone()
    }

    /// How often it was asked with this line, such as `GET /a/b`.
    pub(crate) fn count(&self, line: &str) -> usize {
        self.shared.lock().calls.iter().filter(|call| call.line() == line).count()
    }

    /// Until it was asked so often with this line, such as `GET /a/b`.
    pub(crate) fn wait_for(&self, line: &str, count: usize) {
        let until = Instant::now() + DEADLINE;
        let mut state = self.shared.lock();
        while state.calls.iter().filter(|call| call.line() == line).count() < count {
            let left = until.saturating_duration_since(Instant::now());
            let lines: Vec<String> = state.calls.iter().map(Call::line).collect();
            assert!(!left.is_zero(), "waited for '{line}' {count} times; there were {lines:#?}");
            let woken = self.shared.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Answers no more: connections are closed, and new ones refused or closed.
    pub(crate) fn kill(&self) {
        self.end();
    }
}

impl<F> Api<F> {
    fn end(&self) {
        self.shared.lock().alive = false;
        self.shared.changed.notify_all();
        // Who accepts, wakes.
        match &self.address {
            Address::Tcp(address) => drop(TcpStream::connect(address)),
            Address::Unix(path) => drop(UnixStream::connect(path)),
        }
    }
}

impl<F> Drop for Api<F> {
    fn drop(&mut self) {
        self.end();
    }
}

impl<F> Shared<F> {
    fn new(fake: F) -> Arc<Self> {
        let state = Mutex::new(State { fake, calls: Vec::new(), alive: true });
        Arc::new(Self { state, changed: Condvar::new() })
    }

    fn lock(&self) -> MutexGuard<'_, State<F>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves connections until it is killed.
fn accept<F: Fake, S: Read + Write + Send + 'static>(
    shared: &Arc<Shared<F>>,
    mut streams: impl Iterator<Item = (S, S)>,
) {
    while streams.next().is_some_and(|(from, to)| serve_on(shared, from, to)) {}
}

/// Whether the server goes on.
fn serve_on<F: Fake>(
    shared: &Arc<Shared<F>>,
    from: impl Read + Send + 'static,
    mut to: impl Write + Send + 'static,
) -> bool {
    if !shared.lock().alive {
        return false;
    }
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        let Ok(call) = read(&mut BufReader::new(from.take(LARGEST))) else { return };
        let mut state = shared.lock();
        state.calls.push(call.clone());
        let reply = loop {
            let reply = if state.alive { state.fake.answer(&call) } else { Reply::Close };
            shared.changed.notify_all();
            if !matches!(reply, Reply::Later) {
                break reply;
            }
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        };
        drop(state);
        if let Reply::Answer(status, headers, body) = reply {
            let mut text = format!("HTTP/1.1 {status} X\r\nConnection: close\r\n");
            for (name, value) in headers {
                text.push_str(&format!("{name}: {value}\r\n"));
            }
            if status != 204 {
                text.push_str(&format!("Content-Length: {}\r\n", body.len()));
            }
            // Whoever asked may be gone.
            let _ = to.write_all(format!("{text}\r\n{body}").as_bytes());
        }
    });
    true
}

fn read(from: &mut impl BufRead) -> io::Result<Call> {
    let mut line = || -> io::Result<String> {
        let mut line = String::new();
        match from.read_line(&mut line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    };
    let first = line()?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = Vec::new();
    loop {
        let line = line()?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let body = String::from_utf8_lossy(&body).into_owned();
    Ok(Call { method, path: decoded(path), query: query.to_owned(), headers, body })
}

/// Without percent-encoding (RFC 3986 §2.1).
fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [byte, after @ ..] = rest {
        let code = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match code.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| *byte == b'%') {
            Some(code) => {
                bytes.push(code);
                rest = &after[2..];
            }
            None => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
