//! What `httperf` has of 0.9.1, which the differential test's 0.9.0 has not.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rcgen::{CertificateParams, KeyPair};

fn httperf(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_httperf")).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// A server that answers each of its connections once and tells where it came from.
fn server() -> (String, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let (told, clients) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            if told.send(stream.peer_addr().unwrap().ip().to_string()).is_err() {
                return;
            }
        }
    });
    (port, clients)
}

#[test]
fn connections_come_from_the_given_addresses_in_turn() {
    for (given, from) in [
        (vec!["127.0.0.2"], vec!["127.0.0.2"; 4]),
        (vec!["127.0.0.2-127.0.0.4"], vec!["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.2"]),
        (
            vec!["127.0.0.9", "127.0.0.2-127.0.0.2"],
            vec!["127.0.0.9", "127.0.0.2", "127.0.0.9", "127.0.0.2"],
        ),
    ] {
        let (port, clients) = server();
        let mut args = vec!["--server", "127.0.0.1", "--port", &port, "--num-conns", "4"];
        args.extend(given.iter().flat_map(|given| ["--myaddr", given]));
        let output = httperf(&args);
        assert!(text(&output.stdout).contains("Total: connections 4 requests 4 replies 4 "));
        let seen: Vec<String> = (0..4).map(|_| clients.recv().unwrap()).collect();
        assert_eq!(seen, from, "{given:?}");
    }
}

/// An address of class E, which no machine has: each attempt is a connection that failed, with
/// the original as with us.
#[test]
fn connections_from_a_foreign_address_fail_and_are_counted() {
    let (port, _clients) = server();
    for (more, connections, replies) in [
        (&["--myaddr", "240.0.0.1"] as &[&str], 2, 0),
        (&["--myaddr", "240.0.0.1", "--rate", "50"], 2, 0),
        (&["--myaddr", "240.0.0.1-240.0.0.2"], 2, 0),
        // Every other one is ours.
        (&["--myaddr", "127.0.0.1", "--myaddr", "240.0.0.1"], 2, 1),
        (&["--myaddr", "240.0.0.1", "--hog"], 2, 0),
        (&["--myaddr", "240.0.0.1", "--wsess=2,2,0"], 2, 0),
        // Of another family than the server's.
        (&["--myaddr", "::1"], 2, 0),
    ] {
        let mut args = vec!["--server", "127.0.0.1", "--port", &port, "--num-conns", "2"];
        args.extend(more);
        let output = httperf(&args);
        let report = text(&output.stdout);
        let total =
            format!("Total: connections {connections} requests {replies} replies {replies} ");
        assert!(report.contains(&total), "{more:?} {report}");
        let lost = connections - replies;
        assert!(report.contains(&format!("Errors: total {lost} ")), "{more:?} {report}");
        assert!(report.contains(&format!("ftab-full 0 other {lost}\n")), "{more:?} {report}");
        let stderr = text(&output.stderr);
        let told = "httperf: connection failed with unexpected error ";
        assert_eq!(stderr.matches(told).count(), 1, "told once: {stderr}");
        assert_eq!(output.status.code(), Some(0));
    }
}

/// A certificate in one file, its key in another.
fn pair(folder: &Path, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["client".to_owned()]).unwrap();
    let write = |name: String, text: String| {
        let path: PathBuf = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let certificate = params.self_signed(&key).unwrap().pem();
    (write(format!("{name}.pem"), certificate), write(format!("{name}.key"), key.serialize_pem()))
}

#[test]
fn a_key_that_is_not_the_certificates_is_refused_in_the_words_of_the_original() {
    let folder = tempfile::tempdir().unwrap();
    let (one, one_key) = pair(folder.path(), "one");
    let (_, other_key) = pair(folder.path(), "other");
    let base = ["--server", "127.0.0.1", "--port", "1", "--timeout", "5"];
    let with = |more: &[&str]| httperf(&[&base, more].concat());
    let output = with(&["--ssl", "--ssl-certificate", &one, "--ssl-key", &other_key]);
    assert_eq!(text(&output.stderr), "SSL certificate and key failed consistency check\n");
    assert_eq!((text(&output.stdout), output.status.code()), ("", Some(1)));
    let output = with(&["--ssl-protocol=auto", "--ssl-key", &other_key, "--ssl-certificate", &one]);
    assert_eq!((text(&output.stdout), output.status.code()), ("", Some(1)));
    // The right one gets as far as the server, which is not there.
    let output = with(&["--ssl", "--ssl-certificate", &one, "--ssl-key", &one_key]);
    assert_eq!(output.status.code(), Some(255));
    assert!(text(&output.stderr).contains("failed to connect to SSL server"), "{output:?}");
    // Without TLS nobody looks at them.
    let output = with(&["--ssl-certificate", &one, "--ssl-key", &other_key]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}
