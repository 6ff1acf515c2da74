//! HTTP over TCP, a thread a connection, and what can go wrong there.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::xml_rpc::{self, Args, INTERNAL, Refusal, Value};
use super::{Cloud, methods};

const LARGEST_HEAD: u64 = 16 << 10;
const LARGEST_BODY: usize = 1 << 20;
const XML: &str = "text/xml; charset=utf-8";

/// What a call meets with instead of its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// Refused with `INTERNAL` and this text, see [`super::NO_LEADER`]. Not executed.
    Election(&'static str),
    /// An HTTP status, like 503. Not executed.
    Status(u16),
    /// An XML-RPC fault. Not executed.
    XmlRpc(i32, &'static str),
    /// The connection is closed. Not executed.
    DropCall,
    /// Executed, but the connection is closed before any answer.
    LoseAnswer,
    /// Executed by a leader, of which the daemon that was asked heard nothing in time.
    PassedOn,
    /// Executed, but not answered until [`super::Oned::release`].
    Hang,
    /// Executed; the body is no XML.
    NotXml,
    /// Executed; the second half of the body is missing, and the connection closed.
    Truncated,
    /// Executed; the body never ends.
    Endless,
    /// Executed, and answered well, but as `text/html`.
    WrongType,
    /// Executed, and answered a byte at a time, with this between them.
    SlowBytes(Duration),
}

/// A call as it came.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) method: String,
    /// The arguments after the session.
    pub(crate) args: Vec<Value>,
    /// The user that the session names. Its password is not kept.
    pub(crate) user: String,
    /// Whether the session is exactly one that the cloud knows.
    pub(crate) session_ok: bool,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) cloud: Cloud,
    pub(super) faults: Vec<(Option<&'static str>, Fault)>,
    pub(super) calls: Vec<Call>,
    pub(super) looks: u64,
    pub(super) released: u64,
    /// Whether connects are accepted. `alive` ends first, `listening` when it is over.
    alive: bool,
    pub(super) listening: bool,
    acceptor: Option<JoinHandle<()>>,
    connections: HashMap<SocketAddr, TcpStream>,
}

pub(super) struct Shared {
    state: Mutex<State>,
    pub(super) changed: Condvar,
    pub(super) address: SocketAddr,
}

impl Shared {
    pub(super) fn listen(cloud: Cloud, at: SocketAddr) -> io::Result<Arc<Self>> {
        let listener = TcpListener::bind(at)?;
        let state = State { cloud, ..State::default() };
        let (state, changed, address) = (Mutex::new(state), Condvar::new(), listener.local_addr()?);
        let shared = Arc::new(Self { state, changed, address });
        shared.accept_from(listener);
        Ok(shared)
    }

    /// Listens again, after it was killed.
    pub(super) fn serve(self: &Arc<Self>) -> io::Result<()> {
        TcpListener::bind(self.address).map(|listener| self.accept_from(listener))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept_from(self: &Arc<Self>, listener: TcpListener) {
        let mut state = self.lock();
        (state.alive, state.listening) = (true, true);
        let shared = Arc::clone(self);
        state.acceptor = Some(thread::spawn(move || {
            while let Ok((stream, peer)) = listener.accept() {
                let mut state = shared.lock();
                let Ok(copy) = stream.try_clone() else { continue };
                if !state.alive {
                    break;
                }
                state.connections.insert(peer, copy);
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    let _ = shared.converse(&stream);
                    let _ = stream.shutdown(Shutdown::Both);
                    shared.lock().connections.remove(&peer);
                });
            }
        }));
    }

    pub(super) fn kill(&self) {
        let mut state = self.lock();
        state.alive = false;
        for (_, connection) in state.connections.drain() {
            let _ = connection.shutdown(Shutdown::Both);
        }
        self.changed.notify_all();
        let Some(acceptor) = state.acceptor.take() else {
            // Somebody else is at it, or was.
            while state.listening {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            return;
        };
        drop(state);
        // The acceptor sleeps in `accept`: this wakes it.
        let _ = TcpStream::connect(self.address);
        let _ = acceptor.join();
        self.lock().listening = false;
        self.changed.notify_all();
    }

    /// Answers calls until one side ends the connection.
    fn converse(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream);
        loop {
            match request(&mut reader) {
                Ok((body, keep)) => {
                    if !self.answer(stream, &body, keep)? || !keep {
                        return Ok(());
                    }
                }
                Err(None) => return Ok(()),
                Err(Some(status)) => {
                    return respond(stream, status, "text/html", "", false).map(drop);
                }
            }
        }
    }

    /// Whether the connection may go on.
    fn answer(&self, mut stream: &TcpStream, body: &[u8], keep: bool) -> io::Result<bool> {
        let Some((method, params)) = xml_rpc::read(body) else {
            return respond(stream, 400, "text/html", "", keep);
        };
        let mut state = self.lock();
        let (reply, fault) = state.execute(&method, params);
        let (released, doomed) = (state.released, state.cloud.doomed);
        drop(state);
        self.changed.notify_all();
        if doomed {
            self.kill();
        }
        let half = &reply.as_bytes()[..reply.len() / 2];
        match fault {
            None | Some(Fault::Election(_) | Fault::XmlRpc(..) | Fault::PassedOn) => {}
            Some(Fault::DropCall | Fault::LoseAnswer) => return Ok(false),
            Some(Fault::Status(status)) => return respond(stream, status, "text/html", "", keep),
            Some(Fault::NotXml) => return respond(stream, 200, XML, "no XML today", keep),
            Some(Fault::WrongType) => return respond(stream, 200, "text/html", &reply, keep),
            Some(Fault::Hang) => {
                let mut state = self.lock();
                while state.alive && state.released == released {
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
            }
            Some(Fault::Truncated) => {
                stream.write_all(head(200, XML, &reply, false).as_bytes())?;
                return stream.write_all(half).map(|()| false);
            }
            Some(Fault::Endless) => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n")?;
                stream.write_all(b"Connection: close\r\n\r\n")?;
                stream.write_all(half)?;
                loop {
                    stream.write_all(&[b'x'; 1 << 14])?;
                }
            }
            Some(Fault::SlowBytes(pause)) => {
                for byte in head(200, XML, &reply, keep).bytes().chain(reply.bytes()) {
                    stream.write_all(&[byte])?;
                    thread::sleep(pause);
                }
                return Ok(true);
            }
        }
        respond(stream, 200, XML, &reply, keep)
    }
}

impl State {
    /// The body of the reply, and what it meets with.
    fn execute(&mut self, method: &str, mut params: Vec<Value>) -> (String, Option<Fault>) {
        self.cloud.catch_up();
        let version = self.cloud.version;
        let fault = self.faults.iter().position(|(of, _)| of.is_none_or(|of| of == method));
        let fault = fault.map(|index| self.faults.remove(index).1);
        let result = match fault {
            Some(Fault::Election(text)) => {
                Err(methods::refusal(version, method, INTERNAL, -1, text))
            }
            Some(Fault::XmlRpc(code, text)) => Err(Refusal::Fault(code, text.to_owned())),
            Some(Fault::PassedOn) => {
                let _ = methods::execute(&mut self.cloud, method, &Args(&params));
                let text = "RPC call timed out and aborted";
                Err(methods::refusal(version, method, INTERNAL, -1, text))
            }
            Some(Fault::Status(_) | Fault::DropCall) => Err(Refusal::Fault(0, String::new())),
            _ => methods::execute(&mut self.cloud, method, &Args(&params)),
        };
        let reply = xml_rpc::write(version, &result);
        if let ("one.vm.info", Ok(_), None, Some(Value::Int(id))) =
            (method, &result, fault, params.get(1))
        {
            self.looks += 1;
            self.cloud.looked(*id);
        }
        let session = match params.first() {
            Some(Value::Text(session)) => session.clone(),
            _ => String::new(),
        };
        params.drain(..params.len().min(1));
        self.calls.push(Call {
            method: method.to_owned(),
            args: params,
            user: session.split(':').next().unwrap_or_default().to_owned(),
            session_ok: self.cloud.users.iter().any(|(_, known)| *known == session),
        });
        (reply, fault)
    }
}

/// The body of a request, and whether the connection may go on after it; or the status that
/// it gets, or none if the client is done.
fn request(reader: &mut impl BufRead) -> Result<(Vec<u8>, bool), Option<u16>> {
    let mut head = reader.take(LARGEST_HEAD);
    let mut line = || {
        let mut line = Vec::new();
        head.read_until(b'\n', &mut line).map_err(|_| None)?;
        let line = String::from_utf8(line).map_err(|_| Some(400))?;
        if line.is_empty() {
            return Err(None);
        }
        Ok(line.strip_suffix('\n').ok_or(Some(400))?.trim_end().to_owned())
    };
    let first = line()?;
    let [method, path, protocol] = first.split(' ').collect::<Vec<_>>()[..] else {
        return Err(Some(400));
    };
    match (method, path, protocol) {
        ("POST", "/RPC2", "HTTP/1.1" | "HTTP/1.0") => {}
        (_, "/RPC2", "HTTP/1.1" | "HTTP/1.0") => return Err(Some(405)),
        (_, _, "HTTP/1.1" | "HTTP/1.0") => return Err(Some(404)),
        _ => return Err(Some(400)),
    }
    let (mut length, mut is_xml, mut keep) = (None, false, protocol == "HTTP/1.1");
    loop {
        let line = line()?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or(Some(400))?;
        let value = value.trim().to_ascii_lowercase();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = Some(value.parse::<usize>().map_err(|_| Some(400))?),
            "content-type" => is_xml = value.starts_with("text/xml"),
            "connection" => keep = value == "keep-alive",
            _ => {}
        }
    }
    // Like the real one, it knows no other way to tell the end of a request.
    let length = length.ok_or(Some(411))?;
    if length > LARGEST_BODY || !is_xml {
        return Err(Some(if is_xml { 413 } else { 400 }));
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).map_err(|_| None)?;
    Ok((body, keep))
}

fn head(status: u16, of_type: &str, body: &str, keep: bool) -> String {
    let (reason, length) = (if status == 200 { "OK" } else { "Error" }, body.len());
    let connection = if keep { "keep-alive" } else { "close" };
    format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: {of_type}\r\nContent-Length: {length}\r\n\
         Connection: {connection}\r\nServer: Xmlrpc-c_Abyss/1.40.0\r\n\r\n"
    )
}

/// After this, the connection may go on.
fn respond(mut to: &TcpStream, status: u16, of: &str, body: &str, keep: bool) -> io::Result<bool> {
    to.write_all(format!("{}{body}", head(status, of, body, keep)).as_bytes())?;
    Ok(true)
}
