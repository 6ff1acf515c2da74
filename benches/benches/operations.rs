//! What the single operations of a call cost: encode, parse, schedule, record, and
//! the merge of two timelines after a run. In ns, by Criterion.
//!
//!     cargo bench -p loadgen-benches --bench operations

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use loadgen_benches::fixed_server;
use loadgen_core::fuzzing::{Recording, encode, parse_reply};
use loadgen_core::{Request, Schedule, Target};

fn request(c: &mut Criterion) {
    let target = Target::parse("http://127.0.0.1:8080/some/page").expect("a sound URL");
    let request = Request::get().with_header("Accept", "text/html");
    // Once a run, not once a call: connections share the bytes.
    c.bench_function("encode request", |b| b.iter(|| encode(black_box(&request), &target)));
}

fn reply(c: &mut Criterion) {
    let reply = fixed_server::reply();
    assert_eq!(parse_reply(&reply), Some((reply.len(), 200)));
    let mut chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..8 {
        chunked.extend_from_slice(b"80\r\n");
        chunked.extend_from_slice(&[b'x'; 128]);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    assert_eq!(parse_reply(&chunked), Some((chunked.len(), 200)));
    c.bench_function("parse reply of nginx", |b| b.iter(|| parse_reply(black_box(&reply))));
    c.bench_function("parse reply of 8 chunks", |b| b.iter(|| parse_reply(black_box(&chunked))));
}

fn schedule(c: &mut Criterion) {
    let mut group = c.benchmark_group("next start");
    group.throughput(Throughput::Elements(1));
    for (name, schedule) in [
        ("constant", Schedule::constant(3000.0)),
        ("uniform", Schedule::uniform(3000.0)),
        ("Poisson", Schedule::poisson(3000.0)),
    ] {
        let mut starts = schedule.starts(1, 0, 1);
        group.bench_function(name, |b| b.iter(|| black_box(starts.next())));
    }
    group.finish();
}

fn record(c: &mut Criterion) {
    let mut recording = Recording::new();
    c.bench_function("record call (offered, started, bytes, ended)", |b| {
        b.iter(|| recording.call(black_box(20_000)));
    });
}

fn merge(c: &mut Criterion) {
    // 10 s at 3000/s, of two workers.
    let worker = || {
        let mut recording = Recording::new();
        for i in 0..30_000 {
            recording.call(black_box(333_000 + i % 7));
        }
        recording
    };
    let whole = worker();
    c.bench_function("merge timelines of 10 s", |b| {
        b.iter_batched(
            || (whole.timeline(), whole.timeline()),
            |(mut one, other)| {
                one.merge(other);
                one
            },
            BatchSize::LargeInput,
        );
    });
}

criterion_group!(operations, request, reply, schedule, record, merge);
criterion_main!(operations);
