//! Every call in a file of one's own, as it ends: here those that took longer than 50 ms, from
//! their intended start. Against the built-in server, which stands still now and then, or the URL
//! that is given.
//!
//! ```sh
//! cargo run --release -p loadgen-core --example raw_calls [URL [FILE]]
//! ```
#![allow(clippy::print_stdout, reason = "its result")]

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::time::Duration;

use loadgen_core::target_server::{TargetOptions, TargetServer};
use loadgen_core::{CallSink, EndedCall, Engine, Load, Plan, Schedule};

/// That of one worker.
struct SlowCalls(BufWriter<File>);

impl CallSink for SlowCalls {
    fn call(&mut self, call: &EndedCall) {
        let call = call.record;
        let took_ms = call.done.saturating_sub(call.intended) / 1_000_000;
        if took_ms > 50 {
            let at_s = call.intended as f64 / 1e9;
            let _ = writeln!(self.0, "{at_s:.3},{took_ms},{:?}", call.outcome);
        }
    }

    fn flush(&mut self) {
        let _ = self.0.flush();
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let every = Duration::from_millis(400);
    let options = TargetOptions::new().with_freeze(Duration::from_millis(200), every);
    let server = TargetServer::bind(options)?.spawn()?;
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().unwrap_or_else(|| server.url());
    let folder = std::env::temp_dir().join(format!("slow-calls-{}", std::process::id()));
    let folder = arguments.next().map_or(folder, PathBuf::from);
    std::fs::create_dir_all(&folder)?;

    let load = Load::established(Schedule::constant(100.0));
    let plan = Plan::new(url.parse()?, load).with_duration(Duration::from_secs(1)).with_threads(2);
    let files = [0, 1].map(|worker| folder.join(format!("worker-{worker}.csv")));
    let mut open = files.iter().map(File::create).collect::<Result<Vec<_>, _>>()?.into_iter();
    let engine = Engine::new(plan)?.with_call_sinks(|_| {
        Box::new(SlowCalls(BufWriter::new(open.next().expect("one for each worker"))))
    });
    engine.run()?;
    let lines = |file| std::fs::read_to_string(file).map(|text| text.lines().count());
    println!("{} slow calls in {}", lines(&files[0])? + lines(&files[1])?, folder.display());
    Ok(())
}
