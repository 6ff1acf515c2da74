//! https through a proxy: tunnels that open, and tunnels that do not.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use loadgen_core::{Engine, Load, Plan, RunError, Target};

use crate::secure_server::{SecureServer, Secured};
use crate::{assert_adds_up, at, fresh_at, plan, run};

/// A proxy that reads the head of a request and gives it, with the number of the connection,
/// to `answer`; what comes back is said, and, if that is a consent, the bytes of both sides
/// are passed on to `server`.
struct Proxy {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start(
        server: SocketAddr,
        answer: impl Fn(usize) -> &'static str + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let seen = Arc::clone(&heads);
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                thread::spawn(move || {
                    let mut client = client.unwrap();
                    let Some(head) = head(&mut client) else { return };
                    let number = {
                        let mut seen = seen.lock().unwrap();
                        seen.push(head);
                        seen.len()
                    };
                    let text = answer(number);
                    // In two pieces, as it may come.
                    let (first, second) = text.split_at(text.len() / 2);
                    client.set_nodelay(true).unwrap();
                    let _ = client.write_all(first.as_bytes());
                    let _ = client.write_all(second.as_bytes());
                    if text.starts_with("HTTP/1.1 200") {
                        pass_on(client, TcpStream::connect(server).unwrap());
                    }
                });
            }
        });
        Self { address, heads }
    }

    fn plan(&self, server: &SecureServer, load: Load) -> Plan {
        let proxy = format!("http://user:hunter2@{}", self.address).parse().unwrap();
        let target = Target::parse(&server.url()).unwrap().with_proxy(proxy);
        let limits = plan(&server.url(), load.clone());
        Plan::new(target, load)
            .with_timeout(limits.timeout())
            .with_duration(limits.duration().unwrap())
            .with_tls(server.trusted())
    }
}

fn head(client: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if !matches!(client.read(&mut byte), Ok(1)) {
            return None;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

fn pass_on(client: TcpStream, server: TcpStream) {
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(std::net::Shutdown::Write);
    });
    let (mut from, mut to) = (server, client);
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(std::net::Shutdown::Write);
}

const CONSENT: &str = "HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n";

#[test]
fn calls_go_through_a_tunnel_each_connection_has_one() {
    let server = SecureServer::start(Secured::serve);
    let proxy = Proxy::start(server.address, |_| CONSENT);
    let report = run(proxy.plan(&server, at(100.0)).with_probe(fresh_at(40.0)));
    assert_adds_up(&report);
    assert_eq!((report.counts.answered, report.counts.failed), (70, 0), "{:?}", report.errors);
    assert_eq!(report.environment.address, proxy.address.to_string());
    let heads = proxy.heads.lock().unwrap();
    // One more for the look whether the server speaks TLS.
    assert_eq!(heads.len() as u64, report.counts.connections_opened + 1);
    let port = server.address.port();
    let expected = format!(
        "CONNECT localhost:{port} HTTP/1.1\r\nHost: localhost:{port}\r\n\
         Proxy-Authorization: Basic dXNlcjpodW50ZXIy\r\n"
    );
    assert!(heads.iter().all(|head| head.starts_with(&expected)), "{heads:?}");
    let json = serde_json::to_string(&report).unwrap();
    assert!(!json.contains("hunter2") && !json.contains("dXNlcjpodW50ZXIy"));
}

#[test]
fn a_proxy_that_will_not_is_told_before_the_load() {
    let server = SecureServer::start(Secured::serve);
    for (answer, word) in [
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "407 Proxy Authentication"),
        ("HTTP/1.1 200 OK\r\n\r\nsurplus", "bytes behind its consent"),
        ("SSH-2.0-OpenSSH_9.2\r\n", "not HTTP/1"),
    ] {
        let proxy = Proxy::start(server.address, move |_| answer);
        let error = Engine::new(proxy.plan(&server, at(1.0))).unwrap_err();
        assert!(matches!(error, RunError::Handshake { .. }), "{error:?}");
        let error = error.to_string();
        assert!(error.contains(word) && error.contains("proxy"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_tunnel_that_does_not_open_is_a_failed_call() {
    let server = SecureServer::start(Secured::serve);
    let proxy = Proxy::start(server.address, |number| match number {
        1 => CONSENT,
        n if n % 2 == 0 => CONSENT,
        _ => "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
    });
    let report = run(proxy.plan(&server, fresh_at(40.0)));
    assert_adds_up(&report);
    assert_eq!(report.errors.get("connect-proxy"), Some(&10), "{:?}", report.errors);
    assert_eq!((report.counts.answered, report.counts.failed), (10, 10));
    let said = report.tls.unwrap().first_failure.unwrap();
    assert_eq!(said, "the proxy opened no tunnel: it answered 502 Bad Gateway");
}
