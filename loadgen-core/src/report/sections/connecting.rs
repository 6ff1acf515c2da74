//! How connections came about: connect and TLS handshake, and what was agreed.

use super::super::{Latency, Report, TlsReport};
use super::load::{measured, time_row};
use super::{Section, cell};

/// `None` where no connection was opened for a call and none was encrypted.
pub(super) fn section(report: &Report) -> Option<Section> {
    let mut rows = Vec::new();
    let mut add = |name: &str, latency: Option<&Latency>| {
        let row = latency.filter(|l| l.count > 0).map(|latency| time_row(name, latency, 0));
        rows.extend(row);
    };
    let tls = report.tls.as_ref();
    add("connect", report.connect_time.as_ref());
    add("TLS handshake", tls.map(|tls| &tls.handshake_time));
    if report.populations.len() > 1 {
        for (name, population) in &report.populations {
            add(&format!("{name}: connect"), population.connect_time.as_ref());
            add(&format!("{name}: TLS handshake"), population.tls_handshake_time.as_ref());
        }
    }
    if rows.is_empty() && tls.is_none() {
        return None;
    }
    let mut notes: Vec<String> = tls.into_iter().flat_map(tls_notes).collect();
    if !rows.is_empty() {
        notes.push(
            "connect: start of connecting to the end of the TCP handshake; both are part of the \
             response time of the call that the connection was opened for"
                .to_owned(),
        );
    }
    Some(Section {
        title: "Connecting".to_owned(),
        scope: format!("connections opened for {}", measured(report)),
        columns: vec!["", "connections", "mean", "p50", "p90", "p99", "p99.9", "p99.99", "max"],
        rows,
        text_columns: 0,
        notes,
    })
}

/// What was agreed on, and how often an earlier session was taken up.
fn tls_notes(tls: &TlsReport) -> Vec<String> {
    let mut notes = Vec::new();
    if let (Some(version), Some(cipher)) = (&tls.version, &tls.cipher) {
        let alpn = match &tls.alpn {
            Some(alpn) => format!("{alpn} by ALPN"),
            None => "the server chose no protocol by ALPN".to_owned(),
        };
        let differing = match tls.differing {
            0 => String::new(),
            n => format!("; {} agreed on something else", cell::counted(n, "connection")),
        };
        notes.push(format!("TLS {version}, {cipher}, {alpn}{differing}"));
    }
    notes.push(format!(
        "{} in the whole run, those before the load included; {} took up an earlier TLS session",
        cell::counted(tls.handshakes, "TLS handshake"),
        cell::count(tls.resumed),
    ));
    if let Some(reason) = &tls.first_failure {
        notes.push(format!("the first failure of TLS: {reason}"));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn what_was_agreed_is_told_even_if_no_call_opened_a_connection() {
        let mut report = sample::plain();
        assert!(section(&report).is_none());
        report.tls = Some(TlsReport {
            version: Some("1.3".to_owned()),
            cipher: Some("TLS_AES_128_GCM_SHA256".to_owned()),
            handshakes: 1,
            ..TlsReport::default()
        });
        let found = section(&report).unwrap();
        assert!(found.rows.is_empty());
        assert!(found.notes[0].contains("no protocol"), "{found:?}");
        assert!(found.notes[1].starts_with("1 TLS handshake in"), "{found:?}");
    }

    #[test]
    fn nothing_agreed_is_nothing_told() {
        let mut report = sample::plain();
        let first_failure = Some("the server's certificate has expired".to_owned());
        report.tls = Some(TlsReport { first_failure, ..TlsReport::default() });
        let notes = section(&report).unwrap().notes;
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert!(notes[1].ends_with("has expired"), "{notes:?}");
    }
}
