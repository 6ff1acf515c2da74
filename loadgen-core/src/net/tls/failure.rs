//! Why a handshake failed, in the words of who has to mend it.

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible};

use super::trusting::{is_of_a_ca, is_of_an_old_version};

/// One line: what went wrong and, where that helps, what to do.
pub(crate) fn handshake_failure(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(error) => certificate(error),
        Error::AlertReceived(alert) => alerted(*alert),
        Error::PeerIncompatible(error) => incompatible(error),
        // The first bytes of anything that is not a TLS record look like these.
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType
            | InvalidMessage::UnknownProtocolVersion
            | InvalidMessage::MessageTooLarge
            | InvalidMessage::InvalidEmptyPayload,
        ) => "the server's bytes are not TLS: is this its port for https?".to_owned(),
        Error::InvalidMessage(_)
        | Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. }
        | Error::PeerMisbehaved(_)
        | Error::PeerSentOversizedRecord
        | Error::DecryptError => format!("the server breaks the rules of TLS: {error}"),
        _ => format!("TLS failed: {error}"),
    }
}

fn certificate(error: &CertificateError) -> String {
    use CertificateError as E;
    let reason = match error {
        E::Expired | E::ExpiredContext { .. } => "has expired".to_owned(),
        E::NotValidYet | E::NotValidYetContext { .. } => "is not valid yet".to_owned(),
        E::Revoked => "has been revoked".to_owned(),
        E::UnknownIssuer => "has an unknown issuer: give the CA's certificate".to_owned(),
        E::NotValidForName => "is for another name".to_owned(),
        E::NotValidForNameContext { expected, presented } => {
            let names = match presented.as_slice() {
                [] => "none".to_owned(),
                names => names.join(", "),
            };
            format!("is for another name: for {names}, not for {}", expected.to_str())
        }
        E::BadSignature => "has a wrong signature: is it of another CA of that name?".to_owned(),
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => "is not for servers".to_owned(),
        E::Other(error) if is_of_a_ca(error) => {
            "is that of a CA, and is not itself one of those to trust: trust it, or do not check \
             certificates"
                .to_owned()
        }
        E::Other(error) if is_of_an_old_version(error) => "is of X.509 version 1 or 2, which \
            has no names to check: make one of version 3 with a subjectAltName"
            .to_owned(),
        other => format!("is not acceptable ({other})"),
    };
    format!("the server's certificate {reason}")
}

fn alerted(alert: AlertDescription) -> String {
    use AlertDescription as A;
    let reason = match alert {
        A::ProtocolVersion => "it speaks none of the TLS versions offered",
        A::HandshakeFailure | A::InsufficientSecurity => {
            "it found no cipher suite (or other parameter) in common, or wants a client certificate"
        }
        A::CertificateRequired => "it wants a client certificate",
        A::BadCertificate
        | A::UnsupportedCertificate
        | A::CertificateRevoked
        | A::CertificateExpired
        | A::CertificateUnknown
        | A::UnknownCA
        | A::AccessDenied => "it does not accept the client certificate, or wants one",
        A::NoApplicationProtocol => "it does not speak HTTP/1.1 over TLS",
        A::UnrecognisedName => "it does not know the server name",
        _ => "",
    };
    let name = format!("alert {} ({})", u8::from(alert), alert.as_str().unwrap_or("unknown"));
    match reason {
        "" => format!("the server refused TLS: {name}"),
        reason => format!("the server refused TLS: {reason}; {name}"),
    }
}

fn incompatible(error: &PeerIncompatible) -> String {
    use PeerIncompatible as P;
    match error {
        P::ServerDoesNotSupportTls12Or13
        | P::ServerTlsVersionIsDisabledByOurConfig
        | P::SupportedVersionsExtensionRequired
        | P::Tls12NotOffered
        | P::Tls12NotOfferedOrEnabled => {
            "the server speaks none of the TLS versions asked for".to_owned()
        }
        P::NoCipherSuitesInCommon => {
            "the server has none of the cipher suites asked for".to_owned()
        }
        other => format!("the server lacks something that TLS needs here ({other:?})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_words_of_its_own() {
        let text = |error| handshake_failure(&error);
        for (error, words) in [
            (Error::InvalidCertificate(CertificateError::Expired), "has expired"),
            (Error::InvalidCertificate(CertificateError::UnknownIssuer), "unknown issuer"),
            (Error::InvalidCertificate(CertificateError::NotValidForName), "another name"),
            (Error::AlertReceived(AlertDescription::ProtocolVersion), "versions"),
            (Error::AlertReceived(AlertDescription::HandshakeFailure), "cipher suite"),
            (Error::AlertReceived(AlertDescription::CertificateRequired), "client certificate"),
            (Error::AlertReceived(AlertDescription::UserCanceled), "alert 90"),
            (Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon), "cipher suites"),
            (Error::InvalidMessage(InvalidMessage::InvalidContentType), "not TLS"),
            (Error::DecryptError, "rules"),
        ] {
            let said = text(error.clone());
            assert!(said.contains(words), "{error:?}: {said}");
            assert!(!said.contains('\n'), "{said}");
        }
    }
}
