//! Files of calls: what stands in them, and what becomes of it on a full or slow disk.

use std::sync::{Condvar, Mutex};

use super::*;
use crate::report::sample;
use crate::{CallRecord, Cause, ConnectionId, Failure, Miss, Outcome, Population, record::Phase};

fn call(intended: u64, outcome: Outcome) -> EndedCall {
    EndedCall {
        record: CallRecord {
            intended,
            sent: intended + 1_500,
            done: intended + 2_000_000_000,
            bytes: 99,
            outcome,
            load: 0,
            population: Population::Fresh,
            tag: 1,
            reused: false,
            retried: false,
            queued: true,
        },
        started: intended + 7,
        connection: Some(ConnectionId { thread: 2, place: 3, used: 4 }),
        request: Some(5),
    }
}

fn calls() -> Vec<EndedCall> {
    let timeout = Failure::new(Phase::Head, Cause::Timeout);
    let mut calls: Vec<EndedCall> = [
        Outcome::Answered(503),
        Outcome::AsExpected(404),
        Outcome::Wrong(200, Miss::Body),
        Outcome::Failed(timeout),
        Outcome::Shed,
        Outcome::Unfinished,
    ]
    .map(|outcome| call(1_000_000_001, outcome))
    .into();
    calls[4].connection = None;
    calls[4].request = None;
    calls[5].record.tag = 0;
    calls[5].record.load = 1;
    calls
}

fn names() -> Names {
    let tags = ["untagged", "a,\"b\""].map(str::to_owned).into();
    Names { tags, loads: ["load", "c,d"].map(str::to_owned).into() }
}

fn lines(format: CallsFormat, run: Option<u32>, names: &Names) -> String {
    let mut text = Vec::new();
    calls().iter().for_each(|call| line::write(&mut text, format, (run, call), names));
    String::from_utf8(text).unwrap()
}

#[test]
fn lines_of_csv() {
    let text = lines(CallsFormat::Csv, None, &names());
    let columns = line::HEAD.trim_end().split(',').count();
    let begin = "1.000000001,1.000000008,1.000001501,3.000000001";
    let expected = [
        format!("{begin},answered,503,99,\"a,\"\"b\"\"\",fresh,2:3:4,5,0,0,1,load"),
        format!("{begin},answered,404,99,\"a,\"\"b\"\"\",fresh,2:3:4,5,0,0,1,load"),
        format!("{begin},wrong-body,200,99,\"a,\"\"b\"\"\",fresh,2:3:4,5,0,0,1,load"),
        format!("{begin},head-timeout,,99,\"a,\"\"b\"\"\",fresh,2:3:4,5,0,0,1,load"),
        format!("{begin},shed,,99,\"a,\"\"b\"\"\",fresh,,,0,0,1,load"),
        format!("{begin},unfinished,,99,untagged,fresh,2:3:4,5,0,0,1,\"c,d\""),
    ];
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    // Without tags no value holds a comma.
    assert!(
        lines(CallsFormat::Csv, None, &Names::default())
            .lines()
            .all(|line| line.split(',').count() == columns)
    );
}

#[test]
fn lines_of_json_have_the_same() {
    let text = lines(CallsFormat::JsonLines, None, &names());
    for (line, call) in text.lines().zip(calls()) {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let mut keys: Vec<&String> = value.as_object().unwrap().keys().collect();
        keys.sort();
        let mut names: Vec<&str> = line::HEAD.trim_end().split(',').collect();
        names.sort_unstable();
        assert_eq!(keys, names);
        assert_eq!(value["intended_s"], 1.000_000_001);
        assert_eq!(value["status"].as_u64(), call.record.outcome.status().map(u64::from));
        assert_eq!(value["connection"].as_str().is_some(), call.connection.is_some());
        assert_eq!(value["queued"], true);
    }
    assert!(text.contains(r#""tag":"a,\"b\"""#), "{text}");
    assert!(lines(CallsFormat::JsonLines, None, &Names::default()).contains("\"tag\":null"));
}

#[test]
fn lines_of_several_runs_say_of_which() {
    let head = line::head_of_runs();
    let text = lines(CallsFormat::Csv, Some(3), &Names::default());
    assert!(head.starts_with("run,intended_s,"), "{head}");
    for line in text.lines() {
        assert!(line.starts_with("3,1.000000001,"), "{line}");
        assert_eq!(line.split(',').count(), head.split(',').count());
    }
    for line in lines(CallsFormat::JsonLines, Some(3), &Names::default()).lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!((&value["run"], &value["intended_s"]), (&3.into(), &1.000_000_001.into()));
    }
}

/// A disk that takes so many bytes, and those only when it is let.
struct Disk {
    left: usize,
    gate: Arc<(Mutex<bool>, Condvar)>,
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (open, changed) = &*self.gate;
        drop(changed.wait_while(open.lock().unwrap(), |open| !*open).unwrap());
        if self.left == 0 {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        let n = bytes.len().min(self.left);
        self.left -= n;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn disk(left: usize, open: bool) -> (CallsFile, Arc<(Mutex<bool>, Condvar)>) {
    let gate = Arc::new((Mutex::new(open), Condvar::new()));
    let disk = Disk { left, gate: Arc::clone(&gate) };
    let file = CallsFile::start(
        Path::new("calls.csv"),
        (CallsFormat::Csv, line::HEAD.to_owned()),
        Box::new(disk),
    );
    (file.unwrap(), gate)
}

fn open(gate: &(Mutex<bool>, Condvar)) {
    *gate.0.lock().unwrap() = true;
    gate.1.notify_all();
}

#[test]
fn a_slow_disk_makes_nobody_wait_and_what_it_missed_is_counted() {
    let (file, gate) = disk(usize::MAX, false);
    let Names { tags, loads } = names();
    let mut sink = file.sink(&SinkContext { worker: 0, tags: &tags, loads: &loads });
    // Far more than may wait: if a worker waited for the disk, this would not end.
    let all = (3 * WAITING * BATCH) as u64;
    (0..all).for_each(|k| sink.call(&call(k, Outcome::Answered(200))));
    drop(sink);
    open(&gate);
    let mut report = sample::plain();
    file.finish(&mut report);
    let told = report.calls_file.unwrap();
    assert_eq!(told.written + told.left_out, all);
    assert!(told.written >= (WAITING * BATCH) as u64 && told.left_out > 0, "{told:?}");
    assert_eq!(told.error, None);
    assert_eq!(report.verdict.status, VerdictStatus::Degraded);
    assert!(report.verdict.reasons.iter().any(|why| why.contains("too slow")), "{told:?}");
}

#[test]
fn a_full_disk_ends_the_file_and_not_the_run() {
    for left in [0, 10, 1 << 18, 1 << 20] {
        let (file, _gate) = disk(left, true);
        let mut sink = file.sink(&SinkContext { worker: 0, tags: &[], loads: &[] });
        let all = 40_000;
        (0..all).for_each(|k| sink.call(&call(k, Outcome::Answered(200))));
        drop(sink);
        let mut report = sample::plain();
        file.finish(&mut report);
        let told = report.calls_file.unwrap();
        assert!(told.error.as_ref().unwrap().contains("no storage space"), "{told:?}");
        assert!(told.written * 60 <= left as u64, "{told:?}");
        assert_eq!(told.written + told.left_out, all, "{told:?}");
        assert!(report.verdict.reasons.iter().any(|why| why.contains("could not be written")));
    }
}

#[test]
fn the_ending_of_the_name_tells_the_format() {
    for (name, format) in [
        ("a.csv", CallsFormat::Csv),
        ("a", CallsFormat::Csv),
        ("a.jsonl", CallsFormat::JsonLines),
        ("/tmp/a.ndjson", CallsFormat::JsonLines),
    ] {
        assert_eq!(CallsFormat::of(Path::new(name)), format);
    }
}
