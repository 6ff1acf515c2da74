//! `bench2graph`: pictures of results. See [`autobench_compat::bench2graph`].

use std::env;
use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use autobench_compat::bench2graph;
use loadgen_core::printable::PrintableWriter;

fn main() -> ExitCode {
    let args: Vec<OsString> = env::args_os().collect();
    bench2graph::main(
        &args,
        &mut io::stdin().lock(),
        &mut PrintableWriter::new(io::stdout().lock()),
        &mut PrintableWriter::new(io::stderr().lock()),
    )
    .into()
}
