//! Whether the server is who it should be.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, IsCa};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

use super::*;
use crate::net::tls::settings::verifier;
use crate::net::tls::test_server::{BOTH, Identity, config};

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
        Tls { verify: true, ca_file, ..Tls::unchecked() }
    }

    fn server(&self, names: &[&str], until: i32) -> TestServer {
        TestServer::serving(config(&self.authority.sign_until(names, until), BOTH, None))
    }
}

/// What becomes of a handshake with a host of this name.
fn outcome(tls: &Tls, host: &str, server: &TestServer) -> Result<(), String> {
    let settings = TlsSettings::new(tls, host, &[]).unwrap();
    Client::connect(&settings, server.address).map(|_| ()).map_err(|error| error.to_string())
}

#[test]
fn a_trusted_certificate_for_the_name_or_address_is_taken() {
    let place = Place::new();
    let tls = place.trusting();
    let server = place.server(&["localhost", "127.0.0.1", "::1"], 2100);
    for host in ["localhost", "127.0.0.1", "::1"] {
        assert_eq!(outcome(&tls, host, &server), Ok(()), "{host}");
        // RFC 6066 §3: an address is no name.
        let told = (host == "localhost").then_some(host);
        assert_eq!(server.seen().name.as_deref(), told);
    }
    let named = Tls { server_name: "localhost".into(), ..tls };
    assert_eq!(outcome(&named, "192.0.2.1", &server), Ok(()), "the name given is checked");
    assert_eq!(server.seen().name.as_deref(), Some("localhost"));
}

#[test]
fn a_directory_of_certificates_is_trusted_as_well() {
    let place = Place::new();
    place.file("notes.txt", "not a certificate");
    place.file("0a1b2c3d.0", &place.authority.pem);
    let ca_path = Some(place.folder.path().to_owned());
    let tls = Tls { verify: true, ca_path, ..Tls::unchecked() };
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

/// One that signed itself, and is or is not a CA.
fn own(names: &[&str], until: i32, is_ca: bool) -> Identity {
    let constraints = IsCa::Ca(BasicConstraints::Unconstrained);
    Authority::own(names, until, if is_ca { constraints } else { IsCa::NoCa })
}

#[test]
fn a_certificate_that_is_itself_trusted_is_taken_be_it_a_ca_or_not() {
    let place = Place::new();
    for is_ca in [true, false] {
        let identity = own(&["localhost", "127.0.0.1"], 2100, is_ca);
        let server = TestServer::serving(config(&identity, BOTH, None));
        let ca_file = place.file("own.pem", &identity.certificate);
        let by_file = Tls { verify: true, ca_file, ..Tls::unchecked() };
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("own.pem"), &identity.certificate).unwrap();
        let ca_path = Some(folder.path().to_owned());
        let by_path = Tls { verify: true, ca_path, ..Tls::unchecked() };
        for tls in [by_file, by_path] {
            for host in ["localhost", "127.0.0.1"] {
                assert_eq!(outcome(&tls, host, &server), Ok(()), "{is_ca} {host}");
            }
            // Its names are checked all the same.
            for host in ["other.example", "127.0.0.2"] {
                let error = outcome(&tls, host, &server).unwrap_err();
                assert!(error.contains("another name") && error.contains(host), "{error}");
            }
        }
    }
}

#[test]
fn one_without_a_name_is_taken_for_any_if_it_is_itself_trusted() {
    let place = Place::new();
    for is_ca in [true, false] {
        let identity = own(&[], 2100, is_ca);
        let server = TestServer::serving(config(&identity, BOTH, None));
        let ca_file = place.file("own.pem", &identity.certificate);
        let tls = Tls { verify: true, ca_file, ..Tls::unchecked() };
        for host in ["localhost", "127.0.0.1", "other.example"] {
            assert_eq!(outcome(&tls, host, &server), Ok(()), "{is_ca} {host}");
        }
    }
    // Signed by someone trusted, it could be anybody's.
    let server = place.server(&[], 2100);
    let error = outcome(&place.trusting(), "localhost", &server).unwrap_err();
    assert!(error.contains("another name"), "{error}");
}

#[test]
fn one_that_signed_itself_is_refused_when_old_or_unknown() {
    let place = Place::new();
    for is_ca in [true, false] {
        let old = own(&["localhost"], 2000, is_ca);
        let (one, other) = (own(&["localhost"], 2100, is_ca), own(&["localhost"], 2100, is_ca));
        let unknown =
            if is_ca { "not itself one of those to trust" } else { "of another CA of that name" };
        for (identity, trusted, words) in [(&old, &old, "has expired"), (&one, &other, unknown)] {
            let server = TestServer::serving(config(identity, BOTH, None));
            let ca_file = place.file("own.pem", &trusted.certificate);
            let tls = Tls { verify: true, ca_file, ..Tls::unchecked() };
            let error = outcome(&tls, "localhost", &server).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}

/// `openssl x509 -req -signkey` without extensions: version 1, as openssl makes them up
/// to 3.1.
const VERSION_1: &str = "-----BEGIN CERTIFICATE-----
MIIBJDCBywIUesoEqy31oyLJQcAE7X9eCtSWRqkwCgYIKoZIzj0EAwIwFDESMBAG
A1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNjA4MjQ0OFoYDzIxMjYxMTAyMDgyNDQ4
WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AAS5rQHBiy9Fpxl822M/4k/iycMMJ+J0oSbHDxj0iIzLilsFh1Eqd8vS0ysQrRTe
Jnx0ZBAilU2ldS7hM99DJZ3UMAoGCCqGSM49BAMCA0gAMEUCIQD+qriFppFFeuxi
TCUt+XXkzeHIQmwMV8LpKyXcqXRRmAIgH2YH34RUFisN6vJHt7OXM+VuV7QPni/Q
vHyJbVZWlto=
-----END CERTIFICATE-----
";

#[test]
fn a_certificate_of_version_1_is_refused_with_what_to_do() {
    let place = Place::new();
    let ca_file = place.file("v1.pem", VERSION_1);
    let tls = Tls { verify: true, ca_file, ..Tls::unchecked() };
    let provider = Arc::new(ring::default_provider());
    let verifier = verifier(&tls, provider).unwrap();
    let certificate = CertificateDer::from_pem_slice(VERSION_1.as_bytes()).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_900_000_000));
    let error = verifier.verify_server_cert(&certificate, &[], &name, &[], now).unwrap_err();
    let told = crate::net::tls::failure::handshake_failure(&error);
    assert!(told.contains("version 1") && told.contains("subjectAltName"), "{told}");
}
