//! Which headers carry credentials, by their names.

/// Headers that are known to, in lower case.
const KNOWN: [&str; 12] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "cookie2",
    "set-cookie",
    "www-authenticate",
    "authentication-info",
    "x-amz-security-token",
    "x-goog-iam-authorization-token",
    "x-functions-key",
    "ocp-apim-subscription-key",
    "x-forwarded-client-cert",
];

/// Parts of the names of others, as people name them: `X-Api-Key`, `X-Auth-Token`,
/// `X-CSRF-Token`, `X-Client-Secret`.
const PARTS: [&str; 13] = [
    "authorization",
    "x-auth",
    "token",
    "secret",
    "password",
    "passwd",
    "credential",
    "api-key",
    "apikey",
    "api_key",
    "access-key",
    "private-key",
    "session-id",
];

/// Whether a header of this name is taken to carry a credential. Rather one too many:
/// the price of that is only to give its value again when a report is repeated.
#[must_use]
pub fn is_credential(name: &str) -> bool {
    let name = name.trim().to_ascii_lowercase();
    KNOWN.contains(&name.as_str()) || PARTS.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_by_name() {
        for name in [
            "Authorization",
            "PROXY-AUTHORIZATION",
            "Cookie",
            "Set-Cookie",
            "X-Api-Key",
            "Api-Key",
            "apikey",
            "X-Auth-Token",
            "X-Amz-Security-Token",
            "X-CSRF-Token",
            "PRIVATE-TOKEN",
            "X-Vault-Token",
            "X-Client-Secret",
            "X-Auth-Key",
        ] {
            assert!(is_credential(name), "{name}");
        }
        for name in ["Accept", "Host", "User-Agent", "Content-Type", "Idempotency-Key", "X-A", ""] {
            assert!(!is_credential(name), "{name}");
        }
    }
}
