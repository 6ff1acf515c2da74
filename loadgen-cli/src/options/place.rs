//! Where connections go.

use clap::{Args, ValueEnum};
use loadgen_core::{Addresses, ConnectTo, Proxy, Target};

use crate::exit::Failure;

#[derive(Debug, Args)]
pub(crate) struct PlaceOptions {
    /// Connect there whatever the URL says: HOST:PORT (IPv6 in brackets) or unix:/PATH; the
    /// Host header stays the URL's
    #[arg(long, value_name = "PLACE")]
    connect_to: Option<ConnectTo>,

    /// Connect through this HTTP proxy: http://HOST:PORT, or http://USER:PASSWORD@HOST:PORT
    ///
    /// It is told the whole URL of http requests, and asked for a tunnel (CONNECT) for https.
    /// No environment variable (http_proxy and the like) is read.
    #[arg(long, value_name = "URL", conflicts_with = "connect_to")]
    proxy: Option<String>,

    /// Which addresses of a name to connect to: the first that answers, or all in turn
    #[arg(long, value_enum, default_value_t = AddressesArg::First)]
    addresses: AddressesArg,

    /// Resolve the name again for each new connection, to follow a service that moves to
    /// another address
    #[arg(long)]
    resolve_again: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AddressesArg {
    /// The first that answers before the load begins
    First,
    /// All, one connection to each in turn, whether it answers or not
    All,
}

impl PlaceOptions {
    /// The target with these options.
    pub(super) fn apply(&self, mut target: Target) -> Result<Target, Failure> {
        if let Some(place) = &self.connect_to {
            target = target.with_connect_to(place.clone());
        }
        if let Some(proxy) = &self.proxy {
            // Not parsed by clap, whose errors would show the password.
            target = target.with_proxy(proxy.parse::<Proxy>()?);
        }
        if self.resolve_again {
            target = target.with_resolve_again();
        }
        Ok(target.with_addresses(match self.addresses {
            AddressesArg::First => Addresses::First,
            AddressesArg::All => Addresses::All,
        }))
    }

    /// Whether `--connect-to` was given.
    pub(super) fn connects_elsewhere(&self) -> bool {
        self.connect_to.is_some()
    }
}
