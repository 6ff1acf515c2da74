//! The command line, workloads and report of httperf, as data.
//!
//! [`Options::parse`] reads a command line as httperf 0.9.0 does, to the byte of
//! its messages, and knows the options of the unreleased 0.9.1 and a few of
//! loadgen's own besides. Whoever runs it prints [`Parsed::stdout`] and
//! [`Parsed::stderr`], asks for [`Options::source_addresses`], prints
//! [`Options::echo`], and then calls [`Options::check_after_echo`].

mod check;
mod echo;
mod entries;
mod error;
mod escape;
mod file_error;
mod getopt;
mod lists;
mod myaddr;
mod options;
mod parse;
mod plan;
mod printing;
mod report;
mod run;
mod shared_output;
mod table;
#[cfg(test)]
mod tests;
mod usage;
mod values;
pub(crate) mod wsesslog;

pub use entries::{read_servers, read_uris};
pub use error::CommandLineError;
pub use escape::Unescaped;
pub use file_error::{FileError, read_headers};
pub use getopt::find_option;
pub use options::{
    Client, Options, Print, Tls, TlsProtocol, UriSource, Wlog, Workload, Wsess, Wsesslog, Wset,
};
pub use parse::Parsed;
pub use plan::{PrepareError, Prepared, prepare};
pub use printing::{MessageParts, Printer, Printing};
pub use report::{render, render_burst};
pub use run::{Ended, Midway, run, run_migrating};
pub use shared_output::SharedOutput;
pub use table::{Argument, OPTIONS, OptionEntry, Origin};
#[doc(hidden)]
pub use values::general;
pub use wsesslog::{SESSION_METHODS, read_sessions};
