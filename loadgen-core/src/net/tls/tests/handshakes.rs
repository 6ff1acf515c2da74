//! What is agreed on, what is told, and how handshakes fail.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};

use super::*;
use crate::net::tls::TlsVersion;
use crate::net::tls::test_server::{BOTH, Seen, config};
use crate::net::tls::{ServerName, TlsError};

fn failure(tls: &Tls, server: &TestServer) -> HandshakeError {
    match Client::connect(&settings(tls), server.address) {
        Ok(_) => panic!("connected"),
        Err(error) => error,
    }
}

#[test]
fn either_version_is_spoken() {
    let server = server();
    for (asked, agreed) in [
        (None, TlsVersion::V1_3),
        (Some(TlsVersion::V1_2), TlsVersion::V1_2),
        (Some(TlsVersion::V1_3), TlsVersion::V1_3),
    ] {
        let tls = Tls { version: asked, ..Tls::unchecked() };
        let mut client = Client::connect(&settings(&tls), server.address).unwrap();
        assert_eq!(client.transport.agreed().unwrap().version, agreed);
        assert!(!client.transport.wants_write());
        assert!(client.transport.discard(1, None).is_none());
        client.ask(100, 100);
        client.transport.close();
    }
}

#[test]
fn without_a_common_version_the_reason_is_told() {
    let identity = Authority::new().sign(&["localhost"]);
    for (server, asked) in
        [(&rustls::version::TLS12, TlsVersion::V1_3), (&rustls::version::TLS13, TlsVersion::V1_2)]
    {
        let server = TestServer::serving(config(&identity, &[server], None));
        let error = failure(&Tls { version: Some(asked), ..Tls::unchecked() }, &server);
        assert!(error.to_string().contains("version"), "{error}");
    }
}

#[test]
fn the_cipher_list_is_what_is_negotiated() {
    let server = server();
    for (list, version, suite) in [
        ("ECDSA+CHACHA20", TlsVersion::V1_2, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"),
        ("ALL:!CHACHA20:!AES256", TlsVersion::V1_2, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
        ("TLS_AES_128_GCM_SHA256", TlsVersion::V1_3, "TLS13_AES_128_GCM_SHA256"),
    ] {
        let version = Some(version);
        let tls = Tls { ciphers: Some(list.to_owned()), version, ..Tls::unchecked() };
        let client = Client::connect(&settings(&tls), server.address).unwrap();
        assert_eq!(client.transport.agreed().unwrap().suite, suite);
    }
    // Its certificate is for ECDSA.
    let tls = Tls {
        ciphers: Some("aRSA".to_owned()),
        version: Some(TlsVersion::V1_2),
        ..Tls::unchecked()
    };
    let error = failure(&tls, &server).to_string();
    assert!(error.contains("cipher suite"), "{error}");
}

#[test]
fn a_name_is_told_only_when_there_is_one() {
    let server = server();
    for (server_name, name) in [
        (ServerName::Omitted, None),
        (ServerName::OfTarget, Some("localhost")),
        (ServerName::from("shop.example"), Some("shop.example")),
        // RFC 6066 §3: an address is no name.
        (ServerName::from("127.0.0.1"), None),
    ] {
        let tls = Tls { server_name, ..Tls::unchecked() };
        Client::connect(&settings(&tls), server.address).unwrap();
        let name = name.map(str::to_owned);
        assert_eq!(server.seen(), Seen { name, resumed: false, client_certificate: false });
    }
}

#[test]
fn connections_of_a_session_resume_and_others_do_not() {
    let server = server();
    for version in [TlsVersion::V1_2, TlsVersion::V1_3] {
        for resume in [true, false] {
            let settings = settings(&Tls { version: Some(version), resume, ..Tls::unchecked() });
            for _session in 0..2 {
                let mut cache = TlsSessionCache::default();
                for i in 0..5 {
                    let mut client =
                        Client::connect_in(&settings, &mut cache, server.address).unwrap();
                    let resumed = resume && i > 0;
                    assert_eq!(server.seen().resumed, resumed, "{version:?} {i}");
                    assert_eq!(client.transport.agreed().unwrap().resumed, resumed);
                    // The tickets of 1.3 come with the first reply.
                    client.ask(10, 10);
                    client.transport.close();
                }
            }
        }
    }
}

#[test]
fn a_server_without_tls_is_found_out() {
    let server = TestServer::bare(|mut socket| {
        let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
        let _ = socket.read(&mut [0; 4096]);
    });
    let error = failure(&Tls::unchecked(), &server);
    assert!(matches!(error, HandshakeError::Refused(_)), "{error}");
    assert!(error.to_string().contains("not TLS"), "{error}");
}

#[test]
fn a_server_that_closes_in_the_handshake_is_told_apart() {
    let server = TestServer::bare(|mut socket| {
        let _ = socket.read(&mut [0; 4096]);
    });
    let error = failure(&Tls::unchecked(), &server);
    assert!(matches!(error, HandshakeError::Closed), "{error}");

    // What it has not read makes the kernel answer with a reset.
    let server = TestServer::bare(|mut socket| {
        let _ = socket.read(&mut [0; 1]);
        let _ = socket.shutdown(Shutdown::Read);
    });
    let error = failure(&Tls::unchecked(), &server);
    assert!(matches!(error, HandshakeError::Socket(_)), "{error}");
}

#[test]
fn a_silent_server_is_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut cache = TlsSessionCache::default();
    let mut client = Client::open(&settings(&Tls::unchecked()), &mut cache, address);
    client.wait();
    for _ in 0..3 {
        assert!(!client.transport.handshake().unwrap());
        let early = client.transport.send(b"GET").unwrap_err();
        assert_eq!(early.kind(), io::ErrorKind::WouldBlock);
    }
    assert!(!client.transport.wants_write(), "the hello is sent");
    assert_eq!(client.transport.agreed(), None);
    client.transport.close();
}

#[test]
fn a_refused_connection_is_no_matter_of_tls() {
    // Nobody listens there, and nobody else gets the port.
    let nobody = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    nobody.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = nobody.local_addr().unwrap().as_socket().unwrap();
    let error = match Client::connect(&settings(&Tls::unchecked()), address) {
        Ok(_) => panic!("connected"),
        Err(HandshakeError::Socket(error)) => error,
        Err(error) => panic!("{error}"),
    };
    assert!(
        matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::BrokenPipe),
        "{error}"
    );
}

#[test]
fn a_wanted_client_certificate_is_sent() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let client = authority.sign(&["client"]);
    let certificate = path("client.pem", &client.certificate);
    let key = path("client.key", &client.key);
    let both = path("both.pem", &format!("{}{}", client.key, client.certificate));

    for version in [TlsVersion::V1_2, TlsVersion::V1_3] {
        let server =
            TestServer::serving(config(&authority.sign(&["localhost"]), BOTH, Some(&authority)));
        let none = Tls { version: Some(version), ..Tls::unchecked() };
        for tls in [
            Tls { certificate: Some(certificate.clone()), key: Some(key.clone()), ..none.clone() },
            Tls { certificate: Some(both.clone()), ..none.clone() },
        ] {
            let mut client = Client::connect(&settings(&tls), server.address).unwrap();
            client.ask(10, 10);
            assert!(server.seen().client_certificate);
        }
        // In 1.3 a client hears of it only when its own handshake is done.
        let error = match Client::connect(&settings(&none), server.address) {
            Ok(mut client) => client.recv(&mut [0; 10]).unwrap_err().to_string(),
            Err(error) => error.to_string(),
        };
        assert!(error.contains("wants a client certificate"), "{error}");
    }
}

#[test]
fn settings_that_cannot_be_are_refused_with_the_reason() {
    let authority = Authority::new();
    let (one, other) = (authority.sign(&["one"]), authority.sign(&["other"]));
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Some(path)
    };
    let certificate = path("one.pem", &one.certificate);
    let stranger = path("other.key", &other.key);
    let encrypted = path("locked.key", &one.key.replace("PRIVATE", "ENCRYPTED PRIVATE"));
    let missing = Some(folder.path().join("missing.pem"));
    let empty = path("empty.pem", "no certificate\n");
    let base = Tls::unchecked();
    for (tls, words) in [
        (Tls { key: stranger.clone(), ..base.clone() }, "without its certificate"),
        (
            Tls { certificate: certificate.clone(), key: stranger, ..base.clone() },
            "is not that of the client certificate in",
        ),
        (Tls { certificate: certificate.clone(), ..base.clone() }, "no private key"),
        (Tls { certificate, key: encrypted, ..base.clone() }, "decrypt it first"),
        (Tls { verify: true, ca_file: missing.clone(), ..base.clone() }, "missing.pem"),
        (Tls { verify: true, ca_file: empty, ..base.clone() }, "no certificate in PEM"),
        (Tls { verify: true, ca_path: missing, ..base.clone() }, "the CA directory"),
        (Tls { server_name: "a b".into(), ..base.clone() }, "neither a host name"),
        (Tls { ciphers: Some("RC4-SHA".to_owned()), ..base }, "RC4-SHA"),
    ] {
        let error = TlsSettings::new(&tls, "localhost", &[]).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let error = TlsError::Version("TLS 1.0".to_owned()).to_string();
    assert!(error.starts_with("TLS 1.0 is not available: rustls speaks"), "{error}");
}
