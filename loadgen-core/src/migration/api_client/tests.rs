//! Servers that answer, and those that do not. Time limits only keep a broken test from hanging, and
//! servers that are to be too slow never answer.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use super::*;
use crate::net::tls::ServerName;
use crate::net::tls::test_server::{Authority, BOTH, TestServer, config};

const LIMIT: Duration = Duration::from_secs(60);

fn client(url: &str, tls: &Tls, limit: Duration) -> ApiClient {
    ApiClient::new(Target::parse(url).unwrap(), tls, limit).unwrap()
}

fn post(body: &str) -> ApiRequest {
    let mut headers = HeaderMap::new();
    headers.insert("x-token", HeaderValue::from_static("t"));
    let body = Bytes::from(body.to_owned());
    ApiRequest { method: Method::POST, path: "/api?a=1".into(), headers, body }
}

/// Reads a request to the end of its body, which ends with a full stop.
fn read(stream: &mut impl Read) -> String {
    let (mut request, mut byte) = (Vec::new(), [0]);
    let is_whole = |request: &[u8]| {
        request.ends_with(b".") && request.windows(4).any(|end| end == b"\r\n\r\n")
    };
    while !is_whole(&request) && stream.read(&mut byte).unwrap_or(0) == 1 {
        request.extend(byte);
    }
    String::from_utf8(request).unwrap()
}

/// Serves each connection by `script`; its URL, and the requests.
fn serving(script: impl Fn(TcpStream) + Clone + Send + 'static) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/base", listener.local_addr().unwrap());
    let (sink, requests) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, script, sink) = (stream.unwrap(), script.clone(), sink.clone());
            thread::spawn(move || {
                let _ = sink.send(read(&mut stream));
                script(stream);
            });
        }
    });
    (url, requests)
}

fn answering(answer: &'static str) -> (String, Receiver<String>) {
    serving(move |mut stream| stream.write_all(answer.as_bytes()).unwrap())
}

#[test]
fn a_request_and_its_answer() {
    let (url, requests) =
        answering("HTTP/1.1 409 Conflict\r\nContent-Length: 4\r\nX-Why: so\r\n\r\nbusy");
    let url = url.replacen("http://", "http://me:hunter2@", 1);
    let mut client = client(&url, &Tls::default(), LIMIT);
    assert_eq!(client.path(), "/base");
    let answer = client.ask("asking", post("hello.")).unwrap();
    assert_eq!((answer.status.as_u16(), &answer.body[..]), (409, &b"busy"[..]));
    assert!(answer.answered_ns >= answer.asked_ns);
    let request = requests.recv_timeout(LIMIT).unwrap().to_lowercase();
    for part in [
        "post /api?a=1 http/1.1\r\n",
        "\r\nx-token: t\r\n",
        "\r\nconnection: close\r\n",
        "\r\nauthorization: basic bwu6ahvudgvymg==\r\n",
        "\r\nhost: 127.0.0.1:",
        "\r\n\r\nhello.",
    ] {
        assert!(request.contains(part), "{part:?} is not in {request}");
    }
    assert!(!format!("{client:?}").contains("hunter2"));
}

#[test]
fn it_is_known_whether_an_order_can_have_been_heard() {
    let refused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let failure = client(&format!("http://{refused}/"), &Tls::default(), LIMIT)
        .ask("one.vm.migrate", post("."))
        .unwrap_err();
    assert!(!failure.may_be_done);
    let text = failure.error.to_string();
    assert!(text.contains("one.vm.migrate") && text.contains("refused"), "{text}");

    let (url, _requests) = answering("");
    let failure = client(&url, &Tls::default(), LIMIT).ask("asking", post(".")).unwrap_err();
    assert!(failure.may_be_done);
    assert!(failure.error.to_string().contains("closed before"), "{}", failure.error);

    let (url, _requests) = answering("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    let failure = client(&url, &Tls::default(), LIMIT).ask("asking", post(".")).unwrap_err();
    assert!(failure.may_be_done, "{}", failure.error);

    let (url, _requests) = answering("SSH-2.0-OpenSSH_9.2\r\n");
    let failure = client(&url, &Tls::default(), LIMIT).ask("asking", post(".")).unwrap_err();
    assert!(failure.may_be_done, "{}", failure.error);
}

#[test]
fn answers_without_end_are_given_up() {
    let (url, _requests) = serving(|mut stream| {
        let mut all = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        while all.is_ok() {
            all = stream.write_all(&[b'x'; 65_536]);
        }
    });
    let failure = client(&url, &Tls::default(), LIMIT).ask("asking", post(".")).unwrap_err();
    assert!(failure.error.to_string().contains("longer than 16 MiB"), "{}", failure.error);
}

#[test]
fn an_answer_is_looked_for_in_between_and_not_for_ever() {
    let (release, held) = channel::<()>();
    let held = Arc::new(std::sync::Mutex::new(held));
    let (url, requests) = serving(move |mut stream| {
        let _ = held.lock().unwrap().recv();
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    });
    let mut client = client(&url, &Tls::default(), LIMIT);
    assert!(!client.is_asking() && client.wait(Duration::ZERO).is_none());
    client.start("asking", post("."));
    // It is asked while it is waited for.
    while requests.try_recv().is_err() {
        assert!(client.wait(Duration::from_millis(10)).is_none());
    }
    assert!(client.is_asking());
    release.send(()).unwrap();
    let answer = loop {
        if let Some(answer) = client.wait(Duration::from_millis(100)) {
            break answer.unwrap();
        }
    };
    assert_eq!(answer.status, StatusCode::OK);
    assert!(!client.is_asking());

    // Nobody answers this one.
    let mut client = self::client(&url, &Tls::default(), Duration::from_millis(50));
    let failure = client.ask("asking", post(".")).unwrap_err();
    assert!(failure.may_be_done);
    assert!(failure.error.to_string().contains("no answer within 0.05 s"), "{}", failure.error);
    drop(release);
}

#[test]
fn unix_sockets_of_both_kinds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api.sock");
    let name = format!("loadgen-api-client-{}", std::process::id());
    let abstract_name = {
        use std::os::linux::net::SocketAddrExt;
        std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap()
    };
    let listeners = [
        (format!("unix:{}:/", path.display()), UnixListener::bind(&path).unwrap()),
        (format!("unix:@{name}:/"), UnixListener::bind_addr(&abstract_name).unwrap()),
    ];
    for (url, listener) in listeners {
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            assert!(read(&mut stream).to_lowercase().contains("host: localhost"));
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        });
        let answer = client(&url, &Tls::default(), LIMIT).ask("asking", post(".")).unwrap();
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{url}");
    }
}

#[test]
fn certificates_are_checked() {
    let (ours, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, &ours.pem).unwrap();
    let tls = Tls { ca_file: Some(ca), ..Tls::default() };
    let serving = |name: &str| {
        TestServer::start(config(&ours.sign(&[name]), BOTH, None), |mut stream| {
            read(&mut stream);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            stream.conn.send_close_notify();
            let _ = stream.flush();
        })
    };
    let server = serving("localhost");
    let url = format!("https://localhost:{}/", server.address.port());
    let answer = client(&url, &tls, LIMIT).ask("asking", post(".")).unwrap();
    assert_eq!(&answer.body[..], b"ok");
    // Nobody vouches for it here.
    let failure = client(&url, &Tls::default(), LIMIT).ask("asking", post(".")).unwrap_err();
    assert!(!failure.may_be_done);
    assert!(failure.error.to_string().contains("unknown issuer"), "{}", failure.error);
    let other = Tls { server_name: ServerName::from("other.example"), ..tls };
    let failure = client(&url, &other, LIMIT).ask("asking", post(".")).unwrap_err();
    assert!(failure.error.to_string().contains("is for another name"), "{}", failure.error);
    let missing = Tls { ca_file: Some(folder.path().join("none.pem")), ..Tls::default() };
    let error = ApiClient::new(Target::parse(&url).unwrap(), &missing, LIMIT).unwrap_err();
    assert!(error.to_string().contains("none.pem"), "{error}");
}
