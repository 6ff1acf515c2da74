//! One call as a line.

use std::borrow::Cow;
use std::io::Write;

use super::CallsFormat;
use crate::clock::Nanos;
use crate::record::{EndedCall, Outcome};

/// The columns of CSV.
pub(super) const HEAD: &str = "intended_s,started_s,sent_s,done_s,outcome,status,bytes,tag,\
                               population,connection,request,reused,retried,queued,load\n";

/// The columns of CSV with calls of several runs.
pub(super) fn head_of_runs() -> String {
    format!("run,{HEAD}")
}

/// Appends the line of a call, of the run with this number if there are several.
pub(super) fn write(
    out: &mut Vec<u8>,
    format: CallsFormat,
    (run, call): (Option<u32>, &EndedCall),
    names: &Names,
) {
    // Writing to memory does not fail.
    let _ = match (format, run) {
        (CallsFormat::Csv, None) => Ok(()),
        (CallsFormat::Csv, Some(run)) => write!(out, "{run},"),
        (CallsFormat::JsonLines, None) => write!(out, "{{"),
        (CallsFormat::JsonLines, Some(run)) => write!(out, "{{\"run\":{run},"),
    };
    match format {
        CallsFormat::Csv => csv(out, call, names),
        CallsFormat::JsonLines => json(out, call, names),
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

/// What numbers of a call stand for.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) tags: Vec<String>,
    pub(super) loads: Vec<String>,
}

impl Names {
    fn tag(&self, call: &EndedCall) -> Option<&str> {
        self.tags.get(usize::from(call.record.tag)).map(String::as_str)
    }

    fn load(&self, call: &EndedCall) -> Option<&str> {
        self.loads.get(usize::from(call.record.load)).map(String::as_str)
    }
}

/// A field of CSV (RFC 4180 §2).
fn quoted(text: Option<&str>) -> Cow<'_, str> {
    let text = text.unwrap_or_default();
    match text.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")).into(),
        false => text.into(),
    }
}

fn csv(out: &mut Vec<u8>, call: &EndedCall, names: &Names) {
    let record = &call.record;
    let optional = |text: Option<String>| text.unwrap_or_default();
    let _ = writeln!(
        out,
        "{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}",
        Seconds(record.intended),
        Seconds(call.started),
        Seconds(record.sent),
        Seconds(record.done),
        outcome(record.outcome),
        optional(record.outcome.status().map(|status| status.to_string())),
        record.bytes,
        quoted(names.tag(call)),
        record.population.name(),
        optional(call.connection.map(|connection| connection.to_string())),
        optional(call.request.map(|request| request.to_string())),
        u8::from(record.reused),
        u8::from(record.retried),
        u8::from(record.queued),
        quoted(names.load(call)),
    );
}

/// What follows on the brace.
fn json(out: &mut Vec<u8>, call: &EndedCall, names: &Names) {
    let record = &call.record;
    let null = || "null".to_owned();
    let json = |name: Option<&str>| name.and_then(|name| serde_json::to_string(name).ok());
    let _ = writeln!(
        out,
        "\"intended_s\":{},\"started_s\":{},\"sent_s\":{},\"done_s\":{},\"outcome\":\"{}\",\
         \"status\":{},\"bytes\":{},\"tag\":{},\"population\":\"{}\",\"connection\":{},\
         \"request\":{},\"reused\":{},\"retried\":{},\"queued\":{},\"load\":{}}}",
        Seconds(record.intended),
        Seconds(call.started),
        Seconds(record.sent),
        Seconds(record.done),
        outcome(record.outcome),
        record.outcome.status().map_or_else(null, |status| status.to_string()),
        record.bytes,
        json(names.tag(call)).unwrap_or_else(null),
        record.population.name(),
        call.connection.map_or_else(null, |connection| format!("\"{connection}\"")),
        call.request.map_or_else(null, |request| request.to_string()),
        record.reused,
        record.retried,
        record.queued,
        json(names.load(call)).unwrap_or_else(null),
    );
}
