//! A proxy between us and the target: `--proxy`.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::url;
use crate::error::PlanError;
use crate::net::resolver::Place;
use crate::secret::{Secret, shown_url};

/// An HTTP proxy, spoken to without TLS: `http://[user:password@]host[:port]`.
///
/// Requests for `http` URLs name the whole URL (RFC 9112 §3.2.2) and go to the proxy;
/// for `https` URLs it is asked for a tunnel (RFC 9110 §9.3.6). User and password are
/// sent to it (`Proxy-Authorization`, RFC 7617) and written nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct Proxy {
    url: String,
    /// Value of the `Proxy-Authorization` header.
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization: Option<Secret>,
}

/// A proxy as it stands in a report, or as someone wrote it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    url: String,
    #[serde(default)]
    authorization: Option<Secret>,
}

impl TryFrom<Written> for Proxy {
    type Error = PlanError;

    fn try_from(written: Written) -> Result<Self, PlanError> {
        let read: Self = written.url.parse()?;
        Ok(Self { authorization: read.authorization.or(written.authorization), ..read })
    }
}

impl FromStr for Proxy {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Self, PlanError> {
        let bad = |reason| PlanError::Proxy { url: shown_url(text), reason };
        let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        match scheme.as_deref() {
            None | Some("http") => {}
            Some("https") => {
                return Err(bad("a proxy is spoken to without TLS: give its http:// port"));
            }
            Some(_) => return Err(bad("only http:// proxies are known")),
        }
        let (url, authorization) = url::canonical(text).map_err(|error| match error {
            PlanError::Url { reason, .. } => bad(reason),
            other => other,
        })?;
        let parts = url::split(&url).map_err(|_| bad("only http:// proxies are known"))?;
        if parts.unix.is_some() {
            return Err(bad("only http:// proxies are known"));
        }
        if parts.path != "/" || url.contains('#') {
            return Err(bad("a proxy is a host and a port, and has no path"));
        }
        let url = format!("http://{}", parts.authority);
        Ok(Self { url, authorization })
    }
}

impl Proxy {
    /// Its URL, without user and password.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What is connected to.
    pub(super) fn place(&self) -> Result<Place, PlanError> {
        Ok(url::split(&self.url)?.place())
    }

    /// The `Proxy-Authorization` header that its URL asks for.
    pub(crate) fn authorization(&self) -> Option<&Secret> {
        self.authorization.as_ref()
    }

    /// Whether its URL had a password, which a report did not keep.
    pub(super) fn is_missing_authorization(&self) -> bool {
        self.authorization.as_ref().is_some_and(|secret| secret.reveal().is_none())
    }

    /// Gives the missing header; what the report has of it.
    pub(super) fn supply_authorization(&mut self, value: &str) -> Option<Secret> {
        self.is_missing_authorization().then(|| self.authorization.replace(Secret::new(value)))?
    }

    /// The same proxy without what is secret about it.
    pub(super) fn without_secrets(self) -> Self {
        Self { authorization: self.authorization.map(|_| Secret::new("")), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_of_many() {
        for (given, url) in [
            ("http://h:3128", "http://h:3128"),
            ("HTTP://h:3128/", "http://h:3128"),
            ("h:3128", "http://h:3128"),
            ("u:p@h", "http://h"),
            ("http://[::1]:3128", "http://[::1]:3128"),
        ] {
            assert_eq!(given.parse::<Proxy>().unwrap().url(), url, "{given}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_told_without_its_password() {
        for (given, word) in [
            ("https://u:hunter2@h:3128", "without TLS"),
            ("socks5://u:hunter2@h:1080", "only http://"),
            ("unix:/run/proxy.sock", "only http://"),
            ("http://u:hunter2@h:3128/x", "no path"),
            ("http://u:hunter2@h:3128?x", "no path"),
            ("http://u:hunter2@h:x", "port"),
            ("http://u:hunter2@", "no host"),
        ] {
            let error = given.parse::<Proxy>().unwrap_err().to_string();
            assert!(error.contains(word) && error.contains("proxy"), "{given}: {error}");
            assert!(!error.contains("hunter2"), "{given}: {error}");
        }
    }

    #[test]
    fn its_password_is_in_no_report() {
        let proxy: Proxy = "http://user:hunter2@h:3128".parse().unwrap();
        let json = serde_json::to_string(&proxy).unwrap();
        assert!(!format!("{proxy:?}{json}").contains("hunter2"), "{json}");
        let mut kept: Proxy = serde_json::from_str(&json).unwrap();
        assert!(kept == proxy && kept.is_missing_authorization());
        // printf user:hunter2 | base64
        assert!(kept.supply_authorization("Basic dXNlcjpodW50ZXIy").is_some());
        assert_eq!(
            kept.authorization().unwrap().is_same_as(proxy.authorization().unwrap()),
            Some(true)
        );
        assert_eq!(kept.without_secrets(), proxy.without_secrets());
    }
}
