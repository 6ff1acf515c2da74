//! The command line, workloads and report of httperf, as data.
//!
//! [`Options::parse`] reads a command line as httperf 0.9.0 does, to the byte of
//! its messages, and knows the options of the unreleased 0.9.1 and a few of
//! loadgen's own besides. Whoever runs it prints [`Parsed::stdout`] and
//! [`Parsed::stderr`], asks for [`Options::source_addresses`], prints
//! [`Options::echo`], and then calls [`Options::check_after_echo`].

mod check;
mod echo;
mod error;
mod escape;
mod getopt;
mod lists;
mod myaddr;
mod options;
mod parse;
mod table;
#[cfg(test)]
mod tests;
mod usage;
mod values;

pub use error::CommandLineError;
pub use escape::Unescaped;
pub use options::{
    Client, Options, Print, Tls, TlsProtocol, UriSource, Wlog, Workload, Wsess, Wsesslog, Wset,
};
pub use parse::Parsed;
pub use table::{Argument, OPTIONS, OptionEntry, Origin};
