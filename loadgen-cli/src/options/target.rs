//! What is sent, and from which addresses to which.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use loadgen_core::secret::Secret;
use loadgen_core::{Plan, Request, Target};

use super::headers::{Header, HeaderOptions};
use super::place::PlaceOptions;
use super::tls::TlsOptions;
use crate::exit::Failure;

#[derive(Debug, Args)]
#[command(next_help_heading = "Target")]
pub(crate) struct TargetOptions {
    /// Method of the request [default: GET, or POST with a body]
    #[arg(long, value_name = "METHOD")]
    method: Option<String>,

    #[command(flatten)]
    headers: HeaderOptions,

    /// Body to send, as given
    #[arg(long, value_name = "TEXT", conflicts_with = "body_file")]
    body: Option<String>,

    /// File whose bytes are the body
    #[arg(long, value_name = "FILE")]
    body_file: Option<PathBuf>,

    #[command(flatten)]
    place: PlaceOptions,

    /// Local addresses to connect from, in turn; each adds its own range of ports
    #[arg(long, value_name = "A,B,…", value_delimiter = ',')]
    source_address: Vec<IpAddr>,

    #[command(flatten)]
    tls: TlsOptions,
}

impl TargetOptions {
    /// The plan with the settings of TLS.
    pub(super) fn encrypted(&self, plan: Plan) -> Plan {
        match self.tls.settings() {
            Some(tls) => plan.with_tls(tls),
            None => plan,
        }
    }

    /// An option that is given and says what single calls send.
    pub(super) fn of_single_calls(&self) -> Option<&'static str> {
        let given = [
            (self.method.is_some(), "--method"),
            (self.body.is_some(), "--body"),
            (self.body_file.is_some(), "--body-file"),
        ];
        given.into_iter().find_map(|(is_given, option)| is_given.then_some(option))
    }

    /// Where to connect.
    pub(super) fn target(&self, url: &str) -> Result<Target, Failure> {
        let target = Target::parse(url)?.with_source_addresses(self.source_address.clone());
        self.place.apply(target)
    }

    /// Gives a plan that was read from a report the values that the report did not keep.
    /// Tells which of them are not known to be the same as before.
    pub(crate) fn supply_secrets(&self, plan: &mut Plan) -> Result<Vec<String>, Failure> {
        let mut notes = Vec::new();
        for Header { name, value, .. } in self.headers.read()? {
            let stood = plan.supply_secret(&name, &value).ok_or_else(|| {
                Failure::usage(format!(
                    "the plan of the report is repeated as it is: of its headers only the secret \
                     ones can be given (-H), and '{name}' is none of them, or was given already"
                ))
            })?;
            match stood.is_same_as(&Secret::new(value)) {
                Some(true) => {}
                Some(false) => {
                    notes.push(format!("the value of '{name}' is not that of the report"));
                }
                None => notes.push(format!(
                    "whether the value of '{name}' is that of the report cannot be told: it was \
                     made on another machine or by another user"
                )),
            }
        }
        for name in self.headers.secret_names() {
            if !plan.keep_secret(name) {
                return Err(no_such_header(name));
            }
        }
        Ok(notes)
    }

    /// Whether `--connect-to` was given.
    pub(crate) fn connects_elsewhere(&self) -> bool {
        self.place.connects_elsewhere()
    }

    /// What to send.
    pub(super) fn request(&self) -> Result<Request, Failure> {
        let body = match (&self.body, &self.body_file) {
            (Some(text), _) => Some(text.clone().into_bytes()),
            (None, Some(path)) => Some(std::fs::read(path).map_err(|error| {
                Failure::usage(format!("cannot read the body from {}: {error}", path.display()))
            })?),
            (None, None) => None,
        };
        let default = if body.is_some() { "POST" } else { "GET" };
        let mut request = Request::get().with_method(self.method.as_deref().unwrap_or(default));
        for Header { name, value, is_secret } in self.headers.read()? {
            request = if is_secret {
                request.with_secret_header(&name, &value)
            } else {
                request.with_header(&name, &value)
            };
        }
        for name in self.headers.secret_names() {
            if !request.keep_secret(name) {
                return Err(no_such_header(name));
            }
        }
        Ok(request.with_body(body.unwrap_or_default()))
    }
}

fn no_such_header(name: &str) -> Failure {
    Failure::usage(format!(
        "--secret-header {name}: no header of this name is sent; give it with -H '{name}: …'"
    ))
}
