//! `bench2graph`: pictures of results. See [`autobench_compat::bench2graph`].

use std::env;
use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use autobench_compat::bench2graph;

fn main() -> ExitCode {
    let args: Vec<OsString> = env::args_os().collect();
    bench2graph::main(
        &args,
        &mut io::stdin().lock(),
        &mut io::stdout().lock(),
        &mut io::stderr().lock(),
    )
    .into()
}
