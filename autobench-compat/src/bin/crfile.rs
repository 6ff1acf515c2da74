//! `crfile`: files of random text. See [`autobench_compat::crfile`].

use std::env;
use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use autobench_compat::crfile;
use loadgen_core::printable::PrintableWriter;

fn main() -> ExitCode {
    let args: Vec<OsString> = env::args_os().collect();
    let stdout = &mut PrintableWriter::new(io::stdout().lock());
    crfile::main(&args, stdout, &mut PrintableWriter::new(io::stderr().lock())).into()
}
