//! loadgen beside every load generator that is installed, row by row of the table
//! of goals: servers on core 0, clients on core 1, in turn, repeated, with foreign
//! load watched and disturbed runs done again. Writes a table in Markdown and every
//! figure of every run in JSON.
//!
//!     cargo build --release -p loadgen-cli -p loadgen-benches --bins
//!     target/release/side_by_side --out results
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the table is the result")]

mod by_load;
mod freeze;
mod goals;
mod grid;
mod many;
mod memory;
mod part;
mod repeat;
mod scaling;
mod setting;
mod tables;
mod tls;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use loadgen_benches::{CLIENT_CORE, pin};

use part::Part;
use setting::Setting;

#[derive(Parser)]
struct Args {
    /// Parts to be measured [default: all]
    #[arg(long, value_delimiter = ',')]
    only: Vec<Name>,
    /// Repetitions of each part, in turn; of the freeze test at most 3
    #[arg(long, default_value_t = 5)]
    runs: u32,
    /// Length of a run, in seconds
    #[arg(long, default_value_t = 3)]
    duration: u32,
    /// A look within two minutes or so: one repetition of one second
    #[arg(long, conflicts_with_all = ["runs", "duration"])]
    quick: bool,
    /// Runs that may be repeated, in all, because something else ran meanwhile
    #[arg(long, default_value_t = 20)]
    retries: u32,
    /// Folder for `side-by-side.md` and `side-by-side.json` [default: only print the table]
    #[arg(long)]
    out: Option<PathBuf>,
    /// The `loadgen` to be measured [default: the one beside this program]
    #[arg(long)]
    loadgen: Option<PathBuf>,
    /// Port of nginx, below those that the kernel gives to clients
    #[arg(long, default_value_t = 18_080)]
    port: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Closed loop over 64 kept-alive connections
    Closed,
    /// One call a connection
    Churn,
    /// Open loop against a server that freezes
    Freeze,
    /// Exactness of starts, as the server sees it
    Grid,
    /// Replies of 1 MiB
    Large,
    /// Memory of a connection
    Memory,
    /// 100,000 connections held at once
    Many,
    /// A second worker thread
    Scaling,
    /// https: closed loop over 16 kept-alive connections
    Tls,
    /// https: one call a connection
    Handshakes,
    /// https: memory of a connection
    TlsMemory,
}

impl Name {
    fn measure(self, setting: &Setting) -> Result<Part> {
        match self {
            Self::Closed => by_load::closed(setting),
            Self::Churn => by_load::churn(setting),
            Self::Freeze => freeze::measure(setting),
            Self::Grid => grid::measure(setting),
            Self::Large => by_load::large(setting),
            Self::Memory => memory::measure(setting),
            Self::Many => many::measure(setting),
            Self::Scaling => scaling::measure(setting),
            Self::Tls => tls::calls(setting),
            Self::Handshakes => tls::handshakes(setting),
            Self::TlsMemory => tls::memory(setting),
        }
    }
}

fn main() -> Result<()> {
    let args = Args::parse();
    let setting = Setting::new(&args)?;
    pin(CLIENT_CORE)?;
    let names = if args.only.is_empty() { Name::value_variants() } else { &args.only[..] };
    let mut parts = Vec::new();
    let mut text = String::new();
    for name in names {
        match name.measure(&setting) {
            Ok(part) => parts.push(part),
            // What the others have measured is worth keeping.
            Err(error) => eprintln!("{name:?}: {error:#}"),
        }
        // A run may be ended at any time: what was measured is in the files.
        text = write(&setting, &parts, args.out.as_deref())?;
    }
    print!("{text}");
    anyhow::ensure!(parts.len() == names.len(), "not every part could be measured: see above");
    Ok(())
}

/// Writes the results so far to the files of `folder`; gives the table.
fn write(setting: &Setting, parts: &[Part], folder: Option<&Path>) -> Result<String> {
    let goals = goals::judge(parts);
    let text = tables::markdown(setting, parts, &goals);
    if let Some(folder) = folder {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        fs::write(folder.join("side-by-side.md"), &text)?;
        let json = tables::json(setting, parts, &goals);
        fs::write(folder.join("side-by-side.json"), serde_json::to_string_pretty(&json)? + "\n")?;
    }
    Ok(text)
}
