//! Whether the parts of a target go together.

use super::{Addresses, Target};
use crate::error::PlanError;
use crate::net::endpoint::Endpoint;
use crate::net::resolver::Place;

impl Target {
    /// Checked again because a deserialised target has not been through [`Self::parse`].
    pub(crate) fn validate(&self) -> Result<(), PlanError> {
        let parts = self.parts()?;
        let place = self.place()?;
        let is_unix = matches!(place, Place::At(Endpoint::Unix(_)));
        let has_name = matches!(&place, Place::Host { host, .. } if !is_address(host));
        let conflicts = [
            (
                self.proxy.is_some() && self.connect_to.is_some(),
                "{proxy} and {connect-to} exclude each other: leave out one of the two",
            ),
            (
                self.proxy.is_some() && parts.unix.is_some(),
                "a proxy cannot reach a unix socket of this machine: leave out {proxy}",
            ),
            (
                self.connect_to.is_some() && parts.unix.is_some(),
                "the URL of a unix socket says where to connect already: leave out {connect-to}, \
                 or give an http:// URL",
            ),
            (
                is_unix && !self.source_addresses.is_empty(),
                "connections to a unix socket have no source address: leave out {source-addresses}",
            ),
            (
                self.addresses == Addresses::All && !has_name,
                "an address is one address: {addresses} needs a name to connect to",
            ),
            (
                self.resolve_again && !has_name,
                "an address is not resolved: {resolve-again} needs a name to connect to",
            ),
        ];
        match conflicts.into_iter().find(|(is_so, _)| *is_so) {
            Some((_, reason)) => Err(PlanError::Conflict(reason)),
            None => Ok(()),
        }
    }
}

fn is_address(host: &str) -> bool {
    host.parse::<std::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_exclude_each_other_are_told() {
        let target = |url: &str| Target::parse(url).unwrap();
        let proxy = || "http://127.0.0.1:3128".parse().unwrap();
        let place = || "h:80".parse().unwrap();
        let source = || vec!["127.0.0.2".parse().unwrap()];
        for (target, word) in [
            (target("http://h/").with_proxy(proxy()).with_connect_to(place()), "leave out one"),
            (target("unix:/a").with_proxy(proxy()), "cannot reach"),
            (target("unix:/a").with_connect_to(place()), "already"),
            (target("unix:/a").with_source_addresses(source()), "no source address"),
            (target("unix:/a").with_addresses(Addresses::All), "to all addresses needs"),
            (target("unix:/a").with_resolve_again(), "resolving again needs"),
            (target("http://127.0.0.1/").with_addresses(Addresses::All), "to all addresses needs"),
            (target("http://[::1]/").with_resolve_again(), "resolving again needs"),
            (
                target("http://h/")
                    .with_connect_to("127.0.0.1:80".parse().unwrap())
                    .with_resolve_again(),
                "resolving again needs",
            ),
            (target("http://h/").with_proxy(proxy()).with_resolve_again(), "resolving again needs"),
        ] {
            let error = target.validate().unwrap_err().to_string();
            assert!(error.contains(word), "{word}: {error}");
        }
        for target in [
            target("unix:/a"),
            target("http://127.0.0.1/").with_connect_to(place()).with_resolve_again(),
            target("https://h/").with_connect_to("unix:/a".parse().unwrap()),
            target("http://h/").with_addresses(Addresses::All).with_source_addresses(source()),
            target("http://h/").with_proxy("p:1".parse().unwrap()).with_resolve_again(),
        ] {
            target.validate().unwrap();
        }
    }
}
