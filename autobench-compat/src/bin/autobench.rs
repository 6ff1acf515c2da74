//! `autobench`: see the library.

use std::io::{stderr, stdout};
use std::path::Path;
use std::process::ExitCode;

use autobench_compat::autobench;
use autobench_compat::config::MASTER;
use autobench_compat::start::World;
use loadgen_core::printable::PrintableWriter;

fn main() -> ExitCode {
    let arguments: Vec<String> =
        std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let home = std::env::var("HOME").unwrap_or_default();
    loadgen_core::secret::keep_key();
    let (mut out, mut err) = (PrintableWriter::new(stdout()), PrintableWriter::new(stderr()));
    let mut world = World { home: &home, master: Path::new(MASTER), out: &mut out, err: &mut err };
    ExitCode::from(autobench::run(&arguments, &mut world, &autobench::tester))
}
