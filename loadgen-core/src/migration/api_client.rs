//! HTTP to the interfaces of clouds: one request at a time, each on a connection of its own, with a
//! limit, and on a thread of its own. It is for triggers, which ask a few times a second; the load has its own engine.
//!
//! Not here: what is asked. Invariants: nothing is asked twice, since an order that was lost on its
//! way back may have been carried out (a [`Failure`] says whether it can have been); an answer is at
//! most [`ANSWER_BYTES`] long; no credential is in an error.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::patience::{Patience, Turn};
use super::trigger::TriggerError;
use crate::clock::monotonic_ns;
use crate::net::endpoint::Endpoint;
use crate::net::tls::{Tls, TlsSettings, handshake_failure};
use crate::secret::Secret;
use crate::target::Target;

/// Bytes of an answer at the most. What is asked of clouds has some kilobytes.
const ANSWER_BYTES: usize = 16 << 20;
/// How long one address may need to connect, where there are more of them.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// A request to an interface.
#[derive(Debug, Clone)]
pub(crate) struct ApiRequest {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct ApiAnswer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// `CLOCK_MONOTONIC` when it was begun to be asked.
    pub(crate) asked_ns: u64,
    /// `CLOCK_MONOTONIC` when the answer was whole.
    pub(crate) answered_ns: u64,
}

/// A request without an answer.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: TriggerError,
    /// Whether it may have reached the other side, which may have done what it was told.
    pub(crate) may_be_done: bool,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct ApiClient {
    /// `None` in the end only.
    runtime: Option<Runtime>,
    target: Target,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    authorization: Option<HeaderValue>,
    limit: Duration,
    asked: Option<Asked>,
}

#[derive(Debug)]
struct Asked {
    /// What was asked, for messages.
    what: String,
    answer: JoinHandle<Result<ApiAnswer, Unanswered>>,
    patience: Patience,
    limit: Duration,
}

/// Why there is no answer, before it is told.
#[derive(Debug)]
enum Unanswered {
    NotConnected(io::Error),
    Broken(String),
}

impl ApiClient {
    /// A client of the server in the target's URL; an answer may take as long as `limit`.
    ///
    /// # Errors
    /// [`TriggerError`] if TLS or the runtime cannot be set up.
    pub(crate) fn new(target: Target, tls: &Tls, limit: Duration) -> Result<Self, TriggerError> {
        let what = || format!("preparing requests to {}", target.url());
        let settings =
            target.is_tls().then(|| TlsSettings::new(tls, target.host(), &[b"http/1.1"]));
        let tls = settings
            .transpose()
            .map_err(|error| TriggerError::refused(what(), error.to_string()))?
            .map(|settings| settings.for_client());
        let authorization = target.authorization().and_then(Secret::reveal).map(|value| {
            let mut value = HeaderValue::from_str(value).ok();
            if let Some(value) = &mut value {
                value.set_sensitive(true);
            }
            value
        });
        // On a thread of its own what was begun goes on while nobody waits for it.
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("api-client")
            .enable_io()
            .enable_time()
            .build()
            .map_err(|error| TriggerError::io(what(), error))?;
        Ok(Self {
            runtime: Some(runtime),
            target,
            tls,
            authorization: authorization.flatten(),
            limit,
            asked: None,
        })
    }

    /// How long answers may take from now on.
    pub(crate) fn set_limit(&mut self, limit: Duration) {
        self.limit = limit;
    }

    /// The server's URL, for messages.
    pub(crate) fn url(&self) -> &str {
        self.target.url()
    }

    /// Path and query of the server's URL.
    pub(crate) fn path(&self) -> &str {
        self.target.path()
    }

    /// Begins to ask; `what` names it in errors. What was asked before is not waited for any more.
    pub(crate) fn start(&mut self, what: &str, request: ApiRequest) {
        self.forget();
        let Some(runtime) = &self.runtime else { return };
        let (target, tls) = (self.target.clone(), self.tls.clone());
        let request = self.whole(request);
        let asked_ns = monotonic_ns();
        let answer = runtime.spawn(async move {
            let stream = connect(&target, tls).await.map_err(Unanswered::NotConnected)?;
            ask(stream, request?, asked_ns).await
        });
        let patience = Patience::new(self.limit);
        self.asked = Some(Asked { what: what.to_owned(), answer, patience, limit: self.limit });
    }

    /// Whether an answer is still to come.
    pub(crate) fn is_asking(&self) -> bool {
        self.asked.is_some()
    }

    /// The answer to what was asked, if it comes within `timeout`.
    pub(crate) fn wait(&mut self, timeout: Duration) -> Option<Result<ApiAnswer, Failure>> {
        let runtime = self.runtime.as_ref()?;
        let Asked { answer, patience, .. } = self.asked.as_mut()?;
        let turn = patience.wait(|turn| {
            let wait = async { tokio::time::timeout(turn.min(timeout), answer).await };
            runtime.block_on(wait).ok()
        });
        if matches!(turn, Turn::Nothing) {
            return None;
        }
        let Asked { what, answer, limit, .. } = self.asked.take()?;
        let (error, may_be_done) = match turn {
            Turn::Brought(Ok(Ok(answer))) => return Some(Ok(answer)),
            Turn::Brought(Ok(Err(Unanswered::NotConnected(cause)))) => {
                (TriggerError::io(format!("{what} ({})", self.target.url()), cause), false)
            }
            Turn::Brought(Ok(Err(Unanswered::Broken(reason)))) => {
                (TriggerError::protocol(format!("{what} ({})", self.target.url()), reason), true)
            }
            Turn::Brought(Err(error)) => (TriggerError::protocol(what, error.to_string()), true),
            Turn::Over | Turn::Nothing => {
                answer.abort();
                let what = format!("{what} ({})", self.target.url());
                (TriggerError::Silent { what, waited: limit }, true)
            }
        };
        Some(Err(Failure { error, may_be_done }))
    }

    /// Asks, and waits for the answer.
    pub(crate) fn ask(&mut self, what: &str, request: ApiRequest) -> Result<ApiAnswer, Failure> {
        self.start(what, request);
        loop {
            if let Some(answer) = self.wait(Duration::MAX) {
                return answer;
            }
        }
    }

    /// What was asked is not waited for any more.
    pub(crate) fn forget(&mut self) {
        if let Some(asked) = self.asked.take() {
            asked.answer.abort();
        }
    }

    /// The request with what all of them have.
    fn whole(&self, request: ApiRequest) -> Result<Request<Full<Bytes>>, Unanswered> {
        let broken = |error: http::Error| Unanswered::NotConnected(io::Error::other(error));
        let mut whole = Request::builder().method(request.method).uri(request.path);
        let authority = self.target.authority();
        if let Some(headers) = whole.headers_mut() {
            let value = |text: &str| HeaderValue::from_str(text).map_err(|e| broken(e.into()));
            headers.insert(HOST, value(&authority)?);
            headers.insert(USER_AGENT, value(concat!("loadgen/", env!("CARGO_PKG_VERSION")))?);
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
            headers.insert(CONTENT_LENGTH, HeaderValue::from(request.body.len()));
            headers.extend(self.authorization.clone().map(|value| (AUTHORIZATION, value)));
            for (name, value) in request.headers {
                headers.extend(name.map(|name| (name, value)));
            }
        }
        whole.body(Full::new(request.body)).map_err(broken)
    }
}

impl Drop for ApiClient {
    fn drop(&mut self) {
        self.forget();
        // A resolver that hangs is not waited for.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

trait Stream: Read + Write + Unpin + Send {}
impl<S: Read + Write + Unpin + Send> Stream for S {}

/// Connects to the first address that can be had.
async fn connect(
    target: &Target,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
) -> io::Result<Box<dyn Stream>> {
    let of = target.clone();
    let endpoints = tokio::task::spawn_blocking(move || of.resolve()).await??;
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "its name has no address");
    for endpoint in &endpoints {
        match tokio::time::timeout(CONNECT_LIMIT, reach(endpoint, tls.clone())).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failed = error,
            Err(_) => failed = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(failed)
}

async fn reach(
    endpoint: &Endpoint,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
) -> io::Result<Box<dyn Stream>> {
    match endpoint {
        Endpoint::Tcp(address) => encrypted(TcpStream::connect(address).await?, tls).await,
        Endpoint::Unix(path) => encrypted(unix(path).await?, tls).await,
    }
}

/// An abstract socket's name begins with `@` here, and with NUL for the kernel.
async fn unix(path: &Path) -> io::Result<UnixStream> {
    match path.to_str().and_then(|path| path.strip_prefix('@')) {
        Some(name) => UnixStream::connect(format!("\0{name}")).await,
        None => UnixStream::connect(path).await,
    }
}

async fn encrypted<S>(
    stream: S,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
) -> io::Result<Box<dyn Stream>>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let Some((config, name)) = tls else { return Ok(Box::new(TokioIo::new(stream))) };
    match TlsConnector::from(config).connect(name, stream).await {
        Ok(stream) => Ok(Box::new(TokioIo::new(stream))),
        Err(error) => {
            let of_tls = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
            let told = of_tls.map(handshake_failure);
            Err(told.map_or(error, io::Error::other))
        }
    }
}

async fn ask(
    stream: Box<dyn Stream>,
    request: Request<Full<Bytes>>,
    asked_ns: u64,
) -> Result<ApiAnswer, Unanswered> {
    let broken = |error: hyper::Error| Unanswered::Broken(words(&error));
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(stream).await.map_err(broken)?;
    // It works for as long as somebody waits for the answer.
    let connection = AbortOnDrop(tokio::spawn(connection));
    let answer = sender.send_request(request).await.map_err(broken)?;
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, ANSWER_BYTES).collect().await.map_err(|error| {
        Unanswered::Broken(match error.downcast_ref::<LengthLimitError>() {
            Some(_) => format!("the answer is longer than {} MiB", ANSWER_BYTES >> 20),
            None => match error.downcast_ref::<hyper::Error>() {
                Some(error) => words(error),
                None => error.to_string(),
            },
        })
    })?;
    drop(connection);
    let (status, headers) = (head.status, head.headers);
    let (body, answered_ns) = (body.to_bytes(), monotonic_ns());
    Ok(ApiAnswer { status, headers, body, asked_ns, answered_ns })
}

struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What hyper says, for a line of text.
fn words(error: &hyper::Error) -> String {
    if error.is_incomplete_message() {
        return "the connection was closed before the answer was whole".to_owned();
    }
    match std::error::Error::source(error) {
        Some(cause) => format!("{error} ({cause})"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
