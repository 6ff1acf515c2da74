//! Whether the server is who it should be.

use std::path::PathBuf;

use super::*;
use crate::net::tls::test_server::{BOTH, config};

struct Place {
    folder: tempfile::TempDir,
    authority: Authority,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), authority: Authority::new() }
    }

    fn file(&self, name: &str, text: &str) -> Option<PathBuf> {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Some(path)
    }

    /// Trusts the authority alone (and those of the system).
    fn trusting(&self) -> Tls {
        let ca_file = self.file("ca.pem", &self.authority.pem);
        Tls { verify: true, ca_file, ..Tls::default() }
    }

    fn server(&self, names: &[&str], until: i32) -> TestServer {
        TestServer::serving(config(&self.authority.sign_until(names, until), BOTH, None))
    }
}

/// What becomes of a handshake with a host of this name.
fn outcome(tls: &Tls, host: &str, server: &TestServer) -> Result<(), String> {
    let settings = TlsSettings::new(tls, host).unwrap();
    Client::connect(&settings, server.address).map(|_| ()).map_err(|error| error.to_string())
}

#[test]
fn a_trusted_certificate_for_the_name_or_address_is_taken() {
    let place = Place::new();
    let tls = place.trusting();
    let server = place.server(&["localhost", "127.0.0.1", "::1"], 2100);
    for host in ["localhost", "127.0.0.1", "::1"] {
        assert_eq!(outcome(&tls, host, &server), Ok(()), "{host}");
        assert_eq!(server.seen().name, None, "no name is told unless one is given");
    }
    let named = Tls { server_name: Some("localhost".to_owned()), ..tls };
    assert_eq!(outcome(&named, "192.0.2.1", &server), Ok(()), "the name given is checked");
    assert_eq!(server.seen().name.as_deref(), Some("localhost"));
}

#[test]
fn a_directory_of_certificates_is_trusted_as_well() {
    let place = Place::new();
    place.file("notes.txt", "not a certificate");
    place.file("0a1b2c3d.0", &place.authority.pem);
    let ca_path = Some(place.folder.path().to_owned());
    let tls = Tls { verify: true, ca_path, ..Tls::default() };
    let server = place.server(&["localhost"], 2100);
    assert_eq!(outcome(&tls, "localhost", &server), Ok(()));
}

#[test]
fn another_name_or_address_is_refused() {
    let place = Place::new();
    let server = place.server(&["localhost"], 2100);
    for host in ["other.example", "127.0.0.1"] {
        let error = outcome(&place.trusting(), host, &server).unwrap_err();
        assert!(error.contains("another name") && error.contains(host), "{error}");
        assert!(error.contains("localhost"), "{error}");
    }
}

#[test]
fn a_stranger_and_an_old_certificate_are_refused_unless_nothing_is_checked() {
    let (place, stranger) = (Place::new(), Place::new());
    for (tls, until, words) in
        [(stranger.trusting(), 2100, "unknown issuer"), (place.trusting(), 2000, "has expired")]
    {
        let server = place.server(&["localhost"], until);
        let error = outcome(&tls, "localhost", &server).unwrap_err();
        assert!(error.contains(words), "{error}");
        let unchecked = Tls { verify: false, ..tls };
        assert_eq!(outcome(&unchecked, "localhost", &server), Ok(()));
    }
}
