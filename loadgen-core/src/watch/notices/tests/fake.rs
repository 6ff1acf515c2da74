//! Metadata servers as the documentation of their clouds has them, which can be told to misbehave.

use std::collections::{BTreeSet, HashMap};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use super::LIMIT;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Gcp,
    Azure,
    Aws,
}

/// What a server does in place of answering as it should.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Mode {
    Good,
    Answer(&'static str),
    /// So often, and then it is good again.
    Times(u32, &'static str),
    /// Says nothing until the other side goes.
    Hangs,
    Closes,
    Endless,
}

pub(super) struct State {
    /// The value of `maintenance-event`, or the JSON of the events.
    pub(super) value: String,
    pub(super) mode: Mode,
    /// Method and path of each request.
    pub(super) requests: Vec<String>,
    pub(super) tokens: BTreeSet<String>,
    tokens_given: u32,
    /// Connections that hung when the other side closed them.
    pub(super) hung: u32,
}

#[derive(Clone)]
pub(super) struct Fake {
    kind: Kind,
    pub(super) base: String,
    shared: Arc<(Mutex<State>, Condvar)>,
}

trait Stream: Read + Write + Send {}
impl<S: Read + Write + Send> Stream for S {}

const GOOGLE: &str = "Metadata-Flavor: Google\r\nServer: Metadata Server for VM\r\n";

impl Fake {
    pub(super) fn start(kind: Kind, value: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let fake = Self::new(kind, value, format!("http://{}", listener.local_addr().unwrap()));
        let server = fake.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                server.serve(stream.unwrap());
            }
        });
        fake
    }

    /// On a socket with a name, which can go and come back.
    pub(super) fn at(kind: Kind, value: &str, path: &Path) -> Self {
        let fake = Self::new(kind, value, format!("unix:{}", path.display()));
        fake.listen(path);
        fake
    }

    pub(super) fn listen(&self, path: &Path) {
        let (listener, server) = (UnixListener::bind(path).unwrap(), self.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                server.serve(stream.unwrap());
            }
        });
    }

    fn new(kind: Kind, value: &str, base: String) -> Self {
        let state = State {
            value: value.to_owned(),
            mode: Mode::Good,
            requests: Vec::new(),
            tokens: BTreeSet::new(),
            tokens_given: 0,
            hung: 0,
        };
        Self { kind, base, shared: Arc::new((Mutex::new(state), Condvar::new())) }
    }

    pub(super) fn set<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.shared.0.lock().unwrap());
        self.shared.1.notify_all();
        result
    }

    pub(super) fn value(&self, value: &str) {
        self.set(|state| value.clone_into(&mut state.value));
    }

    pub(super) fn mode(&self, mode: Mode) {
        self.set(|state| state.mode = mode);
    }

    /// Waits until that is so.
    pub(super) fn until(&self, is_so: impl Fn(&State) -> bool) {
        let state = self.shared.0.lock().unwrap();
        let waited = self.shared.1.wait_timeout_while(state, LIMIT, |state| !is_so(state)).unwrap();
        assert!(!waited.1.timed_out(), "asked: {:?}", waited.0.requests);
    }

    fn serve(&self, stream: impl Stream + 'static) {
        let fake = self.clone();
        thread::spawn(move || fake.answer(stream));
    }

    fn answer(&self, mut stream: impl Stream) {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read(&mut byte).unwrap_or(0) == 0 {
                return;
            }
            head.extend(byte);
        }
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.lines();
        let line = lines.next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
        let headers: HashMap<String, String> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mode = self.set(|state| {
            state.requests.push(line.clone());
            match state.mode {
                Mode::Times(0, _) => state.mode = Mode::Good,
                Mode::Times(left, what) => state.mode = Mode::Times(left - 1, what),
                _ => {}
            }
            state.mode.clone()
        });
        match mode {
            Mode::Good => {
                let answer = match self.kind {
                    Kind::Gcp => self.gcp(&line, &headers),
                    Kind::Azure => self.azure(&line, &headers),
                    Kind::Aws => self.aws(&line, &headers),
                };
                let _ = stream.write_all(answer.as_bytes());
            }
            Mode::Answer(answer) | Mode::Times(_, answer) => {
                let _ = stream.write_all(answer.as_bytes());
            }
            Mode::Hangs => {
                while stream.read(&mut byte).is_ok_and(|read| read > 0) {}
                self.set(|state| state.hung += 1);
            }
            Mode::Closes => {}
            Mode::Endless => {
                let mut all =
                    stream.write_all(b"HTTP/1.1 200 OK\r\nMetadata-Flavor: Google\r\n\r\n");
                while all.is_ok() {
                    all = stream.write_all(&[b'x'; 65_536]);
                }
            }
        }
    }

    fn gcp(&self, line: &str, headers: &HashMap<String, String>) -> String {
        if headers.get("metadata-flavor").is_none_or(|flavor| flavor != "Google") {
            return whole(403, GOOGLE, "Missing Metadata-Flavor:Google header.");
        }
        let Some(query) = line.strip_prefix("GET /computeMetadata/v1/instance/maintenance-event")
        else {
            return whole(404, GOOGLE, "<html>");
        };
        let query: HashMap<&str, &str> = query
            .trim_start_matches('?')
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .collect();
        let mut state = self.shared.0.lock().unwrap();
        if query.get("wait_for_change") == Some(&"true") {
            let seconds = query.get("timeout_sec").map_or(LIMIT.as_secs(), |s| s.parse().unwrap());
            let seen =
                query.get("last_etag").map_or_else(|| etag(&state.value), |e| (*e).to_owned());
            let limit = Duration::from_secs(seconds);
            let waited = self.shared.1.wait_timeout_while(state, limit, |state| {
                etag(&state.value) == seen && state.mode == Mode::Good
            });
            state = waited.unwrap().0;
            if state.mode == Mode::Closes {
                return String::new();
            }
        }
        let headers = format!("{GOOGLE}ETag: {}\r\n", etag(&state.value));
        whole(200, &headers, &state.value)
    }

    fn azure(&self, line: &str, headers: &HashMap<String, String>) -> String {
        if headers.get("metadata").is_none_or(|value| value != "true") {
            return whole(
                400,
                "",
                r#"{"error":"Bad request. Required metadata header not specified"}"#,
            );
        }
        match line {
            "GET /metadata/scheduledevents?api-version=2020-07-01" => {
                let events = &self.shared.0.lock().unwrap().value;
                whole(200, "", &format!("{{\"DocumentIncarnation\":3,\"Events\":[{events}]}}"))
            }
            _ => whole(404, "", ""),
        }
    }

    fn aws(&self, line: &str, headers: &HashMap<String, String>) -> String {
        let mut state = self.shared.0.lock().unwrap();
        match line {
            "PUT /latest/api/token" => {
                if headers["x-aws-ec2-metadata-token-ttl-seconds"] != "21600" {
                    return whole(400, "", "");
                }
                state.tokens_given += 1;
                let token = format!("AQAEhunter{}==", state.tokens_given);
                state.tokens.insert(token.clone());
                whole(200, "", &token)
            }
            "GET /latest/meta-data/events/maintenance/scheduled" => {
                let token = headers.get("x-aws-ec2-metadata-token");
                match token.is_some_and(|token| state.tokens.contains(token)) {
                    false => whole(401, "", "Unauthorized"),
                    true if state.value.is_empty() => whole(404, "", "<html>404</html>"),
                    true => whole(200, "", &format!("[{}]", state.value)),
                }
            }
            _ => whole(404, "", ""),
        }
    }
}

fn etag(value: &str) -> String {
    format!("{:x}", value.bytes().fold(7_u64, |sum, byte| sum * 31 % 1_000_003 + u64::from(byte)))
}

fn whole(status: u16, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} So\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}
