//! Bytes both ways, whole and in order, and how streams end.

use std::io::Read;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::net::tls::TlsVersion;
use crate::net::tls::test_server::{BOTH, CUT, GOODBYE, TestServer, config, echo, pattern};

const VERSIONS: [TlsVersion; 2] = [TlsVersion::V1_2, TlsVersion::V1_3];

fn of_version(version: TlsVersion) -> TlsSettings {
    settings(&Tls { version: Some(version), ..Tls::unchecked() })
}

#[test]
fn replies_arrive_whole_whatever_the_buffer() {
    let server = server();
    for version in VERSIONS {
        let mut client = Client::connect(&of_version(version), server.address).unwrap();
        for length in [1, 10 << 10, 100 << 10, 1 << 20] {
            for at_once in [7, 1000, 64 << 10] {
                client.ask(length, at_once);
            }
        }
    }
}

#[test]
fn the_end_tells_whether_the_stream_was_cut() {
    let server = server();
    for version in VERSIONS {
        for (request, cut) in [(GOODBYE, false), (CUT, true)] {
            let mut client = Client::connect(&of_version(version), server.address).unwrap();
            client.send(&20_000_u32.to_be_bytes());
            client.send(&request.to_be_bytes());
            assert!(client.read(20_000, 3000) == pattern(20_000));
            for _ in 0..2 {
                assert_eq!(client.recv(&mut [0; 10]).unwrap(), 0);
                assert_eq!(client.transport.truncated(), cut);
            }
        }
    }
}

#[test]
fn the_server_hears_the_goodbye() {
    let (told, heard) = channel();
    let identity = Authority::new().sign(&["localhost"]);
    let server = TestServer::start(config(&identity, BOTH, None), move |mut stream| {
        let _ = told.send(stream.read(&mut [0; 10]).map_err(|error| error.kind()));
    });
    let client = Client::connect(&settings(&Tls::unchecked()), server.address).unwrap();
    client.transport.close();
    // Without a goodbye it were UnexpectedEof.
    assert_eq!(heard.recv_timeout(Duration::from_secs(10)).unwrap(), Ok(0));
}

#[test]
fn a_slow_reader_is_sent_to_as_it_reads() {
    const LENGTH: usize = 8 << 20;
    let identity = Authority::new().sign(&["localhost"]);
    let (told, heard) = channel();
    let (go, gate) = channel();
    let gate = std::sync::Arc::new(std::sync::Mutex::new(gate));
    let server = TestServer::start(config(&identity, BOTH, None), move |mut stream| {
        let () = gate.lock().unwrap().recv().unwrap();
        let mut bytes = vec![0; LENGTH];
        let mut filled = 0;
        while filled < LENGTH {
            let end = (filled + 100_000).min(LENGTH);
            match stream.read(&mut bytes[filled..end]) {
                Ok(n @ 1..) => filled += n,
                _ => break,
            }
            thread::yield_now();
        }
        let _ = told.send(bytes);
    });
    let mut client = Client::connect(&settings(&Tls::unchecked()), server.address).unwrap();
    let bytes = pattern(LENGTH);
    let mut taken = 0;
    let full = loop {
        match client.transport.send(&bytes[taken..]) {
            Ok(n) => taken += n,
            Err(error) => break error,
        }
        assert!(taken < LENGTH, "the sockets' buffers have no bound");
    };
    assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    assert!(client.transport.wants_write());
    assert!(!client.transport.flush().unwrap());
    go.send(()).unwrap();
    client.send(&bytes[taken..]);
    assert!(!client.transport.wants_write());
    assert!(heard.recv_timeout(Duration::from_secs(20)).unwrap() == bytes);
}

#[test]
fn what_came_before_a_broken_record_is_read_first() {
    let identity = Authority::new().sign(&["localhost"]);
    let server = TestServer::start(config(&identity, BOTH, None), |mut stream| {
        use std::io::Write;
        stream.write_all(b"whole").unwrap();
        // In one segment with it would be better, but not surer.
        stream.sock.write_all(&[23, 3, 3, 0, 32]).unwrap();
        stream.sock.write_all(&[0; 32]).unwrap();
        let _ = stream.sock.read(&mut [0; 100]);
    });
    let mut client = Client::connect(&settings(&Tls::unchecked()), server.address).unwrap();
    thread::sleep(Duration::from_millis(50));
    assert_eq!(client.read(5, 2), b"whole");
    for _ in 0..2 {
        let error = client.recv(&mut [0; 10]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(error.to_string().contains("breaks the rules"), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Sends and reads as both get on, in pieces of any size.
    #[test]
    fn any_pieces_arrive_in_order(
        sends in prop::collection::vec(1_usize..40_000, 1..12),
        reads in prop::collection::vec(1_usize..20_000, 1..6),
        version in prop::sample::select(&VERSIONS[..]),
    ) {
        let identity = Authority::new().sign(&["localhost"]);
        let server = TestServer::start(config(&identity, BOTH, None), echo);
        let mut client = Client::connect(&of_version(version), server.address).unwrap();
        let bytes = pattern(sends.iter().sum());
        let mut buffer = vec![0; 20_000];
        let (mut sent, mut back) = (0, Vec::new());
        let (mut sends, mut reads) = (sends.iter().cycle(), reads.iter().cycle());
        while back.len() < bytes.len() {
            let mut moved = false;
            if sent < bytes.len() {
                let end = (sent + sends.next().unwrap()).min(bytes.len());
                match client.transport.send(&bytes[sent..end]) {
                    Ok(n) => {
                        prop_assert!(n > 0 && n <= 16 << 10);
                        sent += n;
                        moved = true;
                    }
                    Err(error) => prop_assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
                }
            } else {
                client.transport.flush().unwrap();
            }
            match client.recv_once(&mut buffer[..*reads.next().unwrap()]) {
                Ok(n) => {
                    prop_assert!(n > 0);
                    back.extend_from_slice(&buffer[..n]);
                    moved = true;
                }
                Err(error) => prop_assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
            if !moved {
                client.wait();
            }
        }
        prop_assert!(back == bytes);
    }
}
