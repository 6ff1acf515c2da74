//! `loadgen`: load an HTTP server, live-migrate it, report what its users felt.
//!
//! Everything that measures is in `loadgen-core`; this program reads the command
//! line, shows progress, writes results and chooses the exit code.

mod cli;
mod command;
mod exit;
mod interrupt;
mod messages;
mod options;
mod output;
mod progress;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};

use crate::cli::{Cli, Command};
use crate::exit::{Exit, Failure};

fn main() -> ExitCode {
    loadgen_core::secret::keep_key();
    let outcome = match parse() {
        Ok((cli, matches)) => dispatch(cli.command, &matches),
        Err(error) => return not_understood(&error),
    };
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) => failure.explain(),
    }
}

fn parse() -> Result<(Cli, clap::ArgMatches), clap::Error> {
    let matches = Cli::command().try_get_matches()?;
    Ok((Cli::from_arg_matches(&matches)?, matches))
}

/// Help and version are printed as clap does it. Its errors repeat what was given, so
/// they go the way of all messages.
fn not_understood(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let _ = error.print();
    } else {
        let text = error.to_string();
        messages::error(text.strip_prefix("error: ").unwrap_or(&text).trim_end());
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// One arm a subcommand: arguments in, exit status out.
fn dispatch(command: Command, matches: &clap::ArgMatches) -> Result<Exit, Failure> {
    let given = options::Given::of(matches);
    match command {
        Command::Run(args) => command::run::main(*args, &given),
        Command::Sweep(args) => command::sweep::main(&args),
        Command::Migrate(args) => command::migrate::main(*args),
        Command::Watch(args) => command::watch::main(&args),
        Command::Experiment(args) => command::experiment::main(args),
        Command::Target(args) => command::target::main(&args),
        Command::Predict(args) => command::predict::main(&args, &given),
        Command::Compare(args) => command::compare::main(&args),
        Command::Merge(args) => command::merge::main(&args),
        Command::Report(args) => command::report::main(&args),
        Command::Completions(args) => command::completions::main(&args),
        Command::Man(args) => command::man::main(&args),
    }
}
