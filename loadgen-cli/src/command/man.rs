//! `loadgen man`: the manual as roff pages.

use anyhow::Context;
use clap::CommandFactory;
use std::path::PathBuf;

use crate::cli::Cli;
use crate::exit::{Exit, Failure};
use crate::output::to_stdout;

/// Print the manual page, or write one page a subcommand into a directory
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  loadgen man | man -l -
  loadgen man --dir /usr/local/share/man/man1")]
pub(crate) struct Args {
    /// Directory for loadgen.1, loadgen-run.1, …; without it loadgen.1 goes to stdout
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(crate) fn main(args: &Args) -> Result<Exit, Failure> {
    let command = Cli::command().disable_help_subcommand(true);
    match &args.dir {
        Some(dir) => clap_mangen::generate_to(command, dir)
            .with_context(|| format!("cannot write manual pages to '{}'", dir.display()))?,
        None => {
            let mut page = Vec::new();
            let render = clap_mangen::Man::new(command).render(&mut page);
            render.context("cannot render the manual page")?;
            to_stdout(&String::from_utf8_lossy(&page)).context("cannot write to stdout")?;
        }
    }
    Ok(Exit::Done)
}
