//! What callgrind wrote: the instructions of a whole run, and those within one
//! function and all that it calls.

use anyhow::{Context, Result, ensure};

/// The function of the engine's workers within which all is done that is done for a
/// call. What is outside of it comes by the time or by the batch, not by the call.
const HANDLER: &str = "::handle_events";

/// Functions within it whose work does not come by the call, either. How often they are
/// called depends on how fast the machine is, and under callgrind all are slow.
const BY_TIME: [&str; 2] = [
    // A call that met a pause of the generator: a round of calls may take as long. It is
    // the worker's, `<impl …Worker<P>>::owes`, which has that of the recorder within it.
    ">::owes",
    // A window of the timeline has ended.
    "::move_live_to",
];

/// Instructions of one run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) total: u64,
    /// Of them within the handler of events, without what comes by the time.
    pub(crate) handler: u64,
}

/// Reads a file that was written with `--compress-strings=no`: a line `cfn=` names
/// who is called, `calls=` says how often, and the last number of the line behind
/// that is the cost of all of it (callgrind's manual, "Callgrind Format
/// Specification").
pub(crate) fn read(text: &str) -> Result<Counts> {
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    let total = total.context("callgrind told no total")?.trim().parse()?;
    let mut handler = 0;
    let mut by_time = 0;
    let mut found = false;
    let mut lines = text.lines();
    let mut called = "";
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("cfn=") {
            called = name;
        } else if line.starts_with("calls=") {
            let cost = lines.next().and_then(|line| line.split(' ').next_back()).unwrap_or("");
            let cost = || cost.parse::<u64>().with_context(|| format!("no cost: {cost:?}"));
            // A name may be followed by its recursion or its disassembly.
            if called.contains("Worker") && called.contains(HANDLER) {
                found = true;
                handler += cost()?;
            } else if BY_TIME.iter().any(|name| called.contains(name)) {
                by_time += cost()?;
            }
        }
    }
    ensure!(
        found,
        "callgrind saw no call of a Worker{HANDLER}: was it inlined, or has it another name?"
    );
    Ok(Counts { total, handler: handler.saturating_sub(by_time) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "version: 1\npositions: line\nevents: Ir\n\
        fl=worker.rs\nfn=loadgen_core::engine::worker::Worker::work\n12 5\n\
        cfi=reading.rs\ncfn=loadgen_core::engine::worker::Worker<P>::handle_events\n\
        calls=3 0\n12 700\n13 8\n\
        cfn=loadgen_core::engine::worker::Worker::publish\ncalls=1 0\n14 90\n\
        fn=loadgen_core::engine::worker::Worker::warm_up\n\
        cfn=loadgen_core::engine::worker::Worker<P>::handle_events\ncalls=1 0\n+3 11\n\
        totals: 1000\n";

    #[test]
    fn all_calls_of_the_handler_are_added_up() {
        assert_eq!(read(FILE).unwrap(), Counts { total: 1000, handler: 711 });
    }

    #[test]
    fn what_comes_by_the_time_is_no_part_of_a_call() {
        let late = "fn=loadgen_core::engine::calls::<impl loadgen_core::engine::worker::Worker<P>>::\
            record\ncfn=loadgen_core::engine::own::<impl loadgen_core::engine::worker::Worker<P>>::\
            owes\ncalls=2 0\n3 60\n\
            fn=loadgen_core::engine::own::<impl loadgen_core::engine::worker::Worker<P>>::owes\n\
            cfn=loadgen_core::record::recorder::Recorder::owes\ncalls=2 0\n4 40\n\
            fn=loadgen_core::record::timeline::Timeline::ended\n\
            cfn=loadgen_core::record::timeline::Timeline::move_live_to\ncalls=1 0\n5 7\n\
            totals: ";
        let counts = read(&FILE.replace("totals: ", late)).unwrap();
        assert_eq!(counts, Counts { total: 1000, handler: 711 - 60 - 7 });
    }

    #[test]
    fn each_worker_has_a_handler() {
        for name in ["engine::session::SessionWorker", "engine::worker::Worker<P>"] {
            let file = FILE.replace("engine::worker::Worker", name);
            assert_eq!(read(&file).unwrap().handler, 711, "{name}");
        }
    }

    #[test]
    fn a_handler_that_is_not_there_is_an_error() {
        let error = read(&FILE.replace("handle_events", "other")).unwrap_err().to_string();
        assert!(error.contains("saw no call of a Worker::handle_events"), "{error}");
        assert!(read("events: Ir\n").is_err());
        assert!(read(&FILE.replace("Worker", "Server")).is_err());
    }
}
