//! Options that several subcommands share, in groups that are headings of the
//! help. Quantities are parsed by `loadgen_core::units`, so that they are
//! written the same way everywhere.

mod checks;
mod connections;
mod headers;
mod load;
mod measuring;
mod output;
mod place;
mod reach;
mod requests;
mod sessions;
mod sharding;
mod target;
mod tls;
mod workload;

use clap::ArgMatches;
use clap::parser::ValueSource;

pub(crate) use checks::CheckOptions;
pub(crate) use connections::ConnectionOptions;
pub(crate) use load::{LoadOptions, PrecisionArg};
pub(crate) use measuring::{CallsLogOptions, MeasuringOptions};
pub(crate) use output::{Format, OutputOptions};
pub(crate) use reach::reach_rate;
pub(crate) use requests::RequestOptions;
pub(crate) use sessions::SessionOptions;
pub(crate) use sharding::ShardingOptions;
pub(crate) use target::TargetOptions;
pub(crate) use workload::Workload;

/// A number, or a percentage: `0.05`, `5%`.
pub(crate) fn number_or_percent(text: &str) -> Option<f64> {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    match text.strip_suffix('%') {
        Some(percent) => number(percent).map(|percent| percent / 100.0),
        None => number(text),
    }
}

/// The options that stand on the command line, as opposed to defaults.
#[derive(Debug)]
pub(crate) struct Given(Vec<String>);

impl Given {
    /// The ids of the options given to the subcommand.
    pub(crate) fn of(matches: &ArgMatches) -> Self {
        let Some((_, matches)) = matches.subcommand() else { return Self(Vec::new()) };
        let given = |id: &&clap::Id| {
            matches.try_contains_id(id.as_str()).unwrap_or(false)
                && matches.value_source(id.as_str()) == Some(ValueSource::CommandLine)
        };
        Self(matches.ids().filter(given).map(|id| id.as_str().replace('_', "-")).collect())
    }

    /// Whether an option is given.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.0.iter().any(|given| given == id)
    }

    /// Options given that are not among `allowed`, as they are written.
    pub(crate) fn other_than(&self, allowed: &[&str]) -> Vec<String> {
        let other =
            |id: &&String| !allowed.contains(&id.as_str()) && !id.starts_with(char::is_uppercase);
        self.0.iter().filter(other).map(|id| format!("--{id}")).collect()
    }
}
