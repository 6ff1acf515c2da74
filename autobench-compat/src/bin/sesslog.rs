//! `sesslog`: access logs into session files. See [`autobench_compat::sesslog`].

use std::env;
use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use autobench_compat::sesslog;
use loadgen_core::printable::PrintableWriter;

fn main() -> ExitCode {
    let args: Vec<OsString> = env::args_os().collect();
    sesslog::main(
        &args,
        &mut io::stdin().lock(),
        &mut io::stdout().lock(),
        &mut PrintableWriter::new(io::stderr().lock()),
    )
    .into()
}
