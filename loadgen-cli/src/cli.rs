//! The command line as a whole: the list of subcommands and what `--help` says
//! of the program. The options of each subcommand stand in its own file.

use clap::{Parser, Subcommand};

use crate::command::{
    compare, completions, experiment, man, merge, migrate, predict, report, run, sweep, target,
    watch,
};

/// Load an HTTP server, live-migrate its virtual machine, report what its users felt
#[derive(Debug, Parser)]
#[command(name = "loadgen", version, propagate_version = true, after_long_help = AFTER)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(Box<run::Args>),
    Sweep(Box<sweep::Args>),
    Migrate(Box<migrate::Args>),
    Watch(Box<watch::Args>),
    Experiment(experiment::Args),
    Predict(Box<predict::Args>),
    Target(target::Args),
    Report(report::Args),
    Compare(compare::Args),
    Merge(merge::Args),
    Completions(completions::Args),
    Man(man::Args),
}

const AFTER: &str = "\
Results go to stdout, progress and messages to stderr.

Exit codes:
  0            done (a degraded run too: the reservations are on stderr)
  1            the run failed, or its report could not be written where it should
  2            usage: the command line or a file named by it makes no sense
  3            an objective (--slo) or a gate was breached or could not be judged, or the run was
               given up by --abort-if, or an experiment by a limit of its plan
  4            the run is not valid: its figures do not say what they seem to say; or trials of an
               experiment are missing
  129/130/143  interrupted by SIGHUP/SIGINT/SIGTERM; the partial report was written

Examples:
  loadgen migrate                              a simulated migration under load
  loadgen run http://127.0.0.1:8080/ --rate 1000 --duration 30s
  loadgen sweep http://127.0.0.1:8080/ --rates 100..2000/100 -o sweep.html
  loadgen migrate http://10.0.0.5/ --trigger qmp:/run/vm.sock,to=tcp:10.0.0.2:4444
  loadgen watch http://10.0.0.5/                tells when it freezes, until Ctrl-C
  loadgen experiment --init study.toml         a plan of many migrations, to begin with
  loadgen predict --memory 2GiB --dirty 40MiB/s --bandwidth 1Gbit/s
  loadgen report report.json --html report.html
  loadgen merge out/shard-*.json -o report.json    the parts of a load that several machines made";
