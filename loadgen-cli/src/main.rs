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

use clap::{CommandFactory, FromArgMatches};

use crate::cli::{Cli, Command};
use crate::exit::{Exit, Failure};

fn main() -> ExitCode {
    let matches = Cli::command().get_matches();
    let outcome = match Cli::from_arg_matches(&matches) {
        Ok(cli) => dispatch(cli.command, &matches),
        Err(error) => error.exit(),
    };
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) => failure.explain(),
    }
}

/// One arm a subcommand: arguments in, exit status out.
fn dispatch(command: Command, matches: &clap::ArgMatches) -> Result<Exit, Failure> {
    let given = options::Given::of(matches);
    match command {
        Command::Run(args) => command::run::main(*args, &given),
        Command::Sweep(args) => command::sweep::main(&args),
        Command::Migrate(args) => command::migrate::main(*args),
        Command::Target(args) => command::target::main(&args),
        Command::Report(args) => command::report::main(&args),
        Command::Completions(args) => command::completions::main(&args),
        Command::Man(args) => command::man::main(&args),
    }
}
