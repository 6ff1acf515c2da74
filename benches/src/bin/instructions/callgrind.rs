//! What callgrind wrote: the instructions of a whole run, and those within one
//! function and all that it calls.

use anyhow::{Context, Result, ensure};

/// The engine's function within which all is done that is done for a call. What is
/// outside of it comes by the time or by the batch, not by the call.
const HANDLER: &str = "Worker::handle_events";

/// Instructions of one run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) total: u64,
    /// Of them within the handler of events.
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
    let mut found = false;
    let mut lines = text.lines();
    let mut called = "";
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("cfn=") {
            called = name;
        } else if line.starts_with("calls=") {
            let cost = lines.next().and_then(|line| line.split(' ').next_back()).unwrap_or("");
            // A name may be followed by its recursion or its disassembly.
            if called.contains(HANDLER) {
                found = true;
                handler += cost.parse::<u64>().with_context(|| format!("no cost: {cost:?}"))?;
            }
        }
    }
    ensure!(found, "callgrind saw no call of {HANDLER}: was it inlined, or has it another name?");
    Ok(Counts { total, handler })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "version: 1\npositions: line\nevents: Ir\n\
        fl=worker.rs\nfn=loadgen_core::engine::worker::Worker::work\n12 5\n\
        cfi=reading.rs\ncfn=loadgen_core::engine::worker::Worker::handle_events\n\
        calls=3 0\n12 700\n13 8\n\
        cfn=loadgen_core::engine::worker::Worker::publish\ncalls=1 0\n14 90\n\
        fn=loadgen_core::engine::worker::Worker::warm_up\n\
        cfn=loadgen_core::engine::worker::Worker::handle_events\ncalls=1 0\n+3 11\n\
        totals: 1000\n";

    #[test]
    fn all_calls_of_the_handler_are_added_up() {
        assert_eq!(read(FILE).unwrap(), Counts { total: 1000, handler: 711 });
    }

    #[test]
    fn a_handler_that_is_not_there_is_an_error() {
        let error = read(&FILE.replace("handle_events", "other")).unwrap_err().to_string();
        assert!(error.contains("saw no call of Worker::handle_events"), "{error}");
        assert!(read("events: Ir\n").is_err());
    }
}
