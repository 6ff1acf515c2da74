//! What is sent, and from which addresses to which.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use loadgen_core::{Request, Target};

use crate::exit::Failure;

#[derive(Debug, Args)]
#[command(next_help_heading = "Target")]
pub(crate) struct TargetOptions {
    /// Method of the request [default: GET, or POST with a body]
    #[arg(long, value_name = "METHOD")]
    method: Option<String>,

    /// Header to send (repeatable); replaces Host, User-Agent, … where the request has them
    #[arg(long, short = 'H', value_name = "'NAME: VALUE'", value_parser = header)]
    header: Vec<(String, String)>,

    /// Body to send, as given
    #[arg(long, value_name = "TEXT", conflicts_with = "body_file")]
    body: Option<String>,

    /// File whose bytes are the body
    #[arg(long, value_name = "FILE")]
    body_file: Option<PathBuf>,

    /// Connect to this IP:PORT whatever the URL says; the Host header stays the URL's
    #[arg(long, value_name = "ADDR")]
    connect_to: Option<SocketAddr>,

    /// Local addresses to connect from, in turn; each adds its own range of ports
    #[arg(long, value_name = "A,B,…", value_delimiter = ',')]
    source_address: Vec<IpAddr>,
}

impl TargetOptions {
    /// Where to connect.
    pub(crate) fn target(&self, url: &str) -> Result<Target, Failure> {
        let mut target = Target::parse(url)?.with_source_addresses(self.source_address.clone());
        if let Some(address) = self.connect_to {
            target = target.with_connect_to(address);
        }
        Ok(target)
    }

    /// Whether `--connect-to` was given.
    pub(crate) fn connects_elsewhere(&self) -> bool {
        self.connect_to.is_some()
    }

    /// What to send.
    pub(crate) fn request(&self) -> Result<Request, Failure> {
        let body = match (&self.body, &self.body_file) {
            (Some(text), _) => Some(text.clone().into_bytes()),
            (None, Some(path)) => Some(std::fs::read(path).map_err(|error| {
                Failure::usage(format!("cannot read the body from {}: {error}", path.display()))
            })?),
            (None, None) => None,
        };
        let default = if body.is_some() { "POST" } else { "GET" };
        let mut request = Request::get().with_method(self.method.as_deref().unwrap_or(default));
        for (name, value) in &self.header {
            request = request.with_header(name, value);
        }
        Ok(request.with_body(body.unwrap_or_default()))
    }
}

/// `NAME: VALUE`; the value may be empty. Bytes are checked by the plan.
fn header(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err("a header is written 'NAME: VALUE'".to_owned()),
    }
}
