//! One call as a line.

use std::io::Write;

use super::CallsFormat;
use crate::clock::Nanos;
use crate::record::{EndedCall, Outcome};

/// The columns of CSV.
pub(super) const HEAD: &str = "intended_s,started_s,sent_s,done_s,outcome,status,bytes,tag,\
                               population,connection,request,reused,retried,queued\n";

/// The columns of CSV with calls of several runs.
pub(super) fn head_of_runs() -> String {
    format!("run,{HEAD}")
}

/// Appends the line of a call, of the run with this number if there are several.
pub(super) fn write(
    out: &mut Vec<u8>,
    format: CallsFormat,
    (run, call): (Option<u32>, &EndedCall),
    tags: &[String],
) {
    // Writing to memory does not fail.
    let _ = match (format, run) {
        (CallsFormat::Csv, None) => Ok(()),
        (CallsFormat::Csv, Some(run)) => write!(out, "{run},"),
        (CallsFormat::JsonLines, None) => write!(out, "{{"),
        (CallsFormat::JsonLines, Some(run)) => write!(out, "{{\"run\":{run},"),
    };
    match format {
        CallsFormat::Csv => csv(out, call, tags),
        CallsFormat::JsonLines => json(out, call, tags),
    }
}

/// Seconds, to the nanosecond.
struct Seconds(Nanos);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:09}", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

/// What reports call an outcome.
fn outcome(outcome: Outcome) -> String {
    match outcome {
        Outcome::Answered(_) | Outcome::AsExpected(_) => "answered".to_owned(),
        Outcome::Wrong(_, miss) => format!("wrong-{}", miss.name()),
        Outcome::Failed(failure) => failure.class(),
        Outcome::Shed => "shed".to_owned(),
        Outcome::Unfinished => "unfinished".to_owned(),
    }
}

fn tag<'a>(call: &EndedCall, tags: &'a [String]) -> Option<&'a str> {
    tags.get(usize::from(call.record.tag)).map(String::as_str)
}

fn csv(out: &mut Vec<u8>, call: &EndedCall, tags: &[String]) {
    let record = &call.record;
    let optional = |text: Option<String>| text.unwrap_or_default();
    let tag = tag(call, tags).unwrap_or_default();
    let tag = match tag.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", tag.replace('"', "\"\"")),
        false => tag.to_owned(),
    };
    let _ = writeln!(
        out,
        "{},{},{},{},{},{},{},{},{},{},{},{},{},{}",
        Seconds(record.intended),
        Seconds(call.started),
        Seconds(record.sent),
        Seconds(record.done),
        outcome(record.outcome),
        optional(record.outcome.status().map(|status| status.to_string())),
        record.bytes,
        tag,
        record.population.name(),
        optional(call.connection.map(|connection| connection.to_string())),
        optional(call.request.map(|request| request.to_string())),
        u8::from(record.reused),
        u8::from(record.retried),
        u8::from(record.queued),
    );
}

/// What follows on the brace.
fn json(out: &mut Vec<u8>, call: &EndedCall, tags: &[String]) {
    let record = &call.record;
    let null = || "null".to_owned();
    let tag = tag(call, tags).and_then(|tag| serde_json::to_string(tag).ok());
    let _ = writeln!(
        out,
        "\"intended_s\":{},\"started_s\":{},\"sent_s\":{},\"done_s\":{},\"outcome\":\"{}\",\
         \"status\":{},\"bytes\":{},\"tag\":{},\"population\":\"{}\",\"connection\":{},\
         \"request\":{},\"reused\":{},\"retried\":{},\"queued\":{}}}",
        Seconds(record.intended),
        Seconds(call.started),
        Seconds(record.sent),
        Seconds(record.done),
        outcome(record.outcome),
        record.outcome.status().map_or_else(null, |status| status.to_string()),
        record.bytes,
        tag.unwrap_or_else(null),
        record.population.name(),
        call.connection.map_or_else(null, |connection| format!("\"{connection}\"")),
        call.request.map_or_else(null, |request| request.to_string()),
        record.reused,
        record.retried,
        record.queued,
    );
}
