//! A slow consumer: how long its transfers take, and what the server feels of it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use loadgen_core::report::render_text;
use loadgen_core::target_server::{TargetOptions, TargetServer};
use loadgen_core::{Load, Plan, Precision, Report, Schedule, Target};

use crate::common::{LIMIT, run_until};

/// A server with small send buffers that tells how long each reply took to write.
fn server(body: usize) -> (SocketAddr, mpsc::Receiver<Duration>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, wrote) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let tell = tell.clone();
            thread::spawn(move || {
                let mut stream = stream.unwrap();
                socket2::SockRef::from(&stream).set_send_buffer_size(32 * 1024).unwrap();
                let mut reply =
                    format!("HTTP/1.1 200 OK\r\nContent-Length: {body}\r\n\r\n").into_bytes();
                reply.resize(reply.len() + body, b'x');
                while stream.read(&mut [0; 4096]).is_ok_and(|n| n > 0) {
                    let started = Instant::now();
                    if stream.write_all(&reply).is_err() {
                        return;
                    }
                    let _ = tell.send(started.elapsed());
                }
            });
        }
    });
    (address, wrote)
}

fn run(url: &str, rate: f64, connections: u32) -> Report {
    let target = Target::parse(url).unwrap();
    let stream =
        Load::established(Schedule::Closed).with_connections(connections).with_read_rate(rate);
    let plan = Plan::new(target, stream).with_timeout(LIMIT).with_precision(Precision::Low);
    run_until(plan, |so_far| so_far.started >= u64::from(connections), || ())
}

#[test]
fn a_transfer_takes_its_size_by_the_rate_and_the_server_feels_it() {
    for (rate, seconds) in [(64.0 * 1024.0, 4.0), (1024.0 * 1024.0, 1.5)] {
        let body = (rate * seconds) as usize;
        let (address, wrote) = server(body);
        let report = run(&format!("http://{address}/"), rate, 2);
        assert_eq!((report.counts.answered, report.counts.failed), (2, 0), "{:?}", report.errors);
        let times = &report.service_time;
        let (min, max) = (times.min_us.unwrap() / 1e6, times.max_us.unwrap() / 1e6);
        // That it is not slower either is tested with an invented time, beside the code.
        assert!(min > 0.9 * seconds && max < 2.0 * seconds + 15.0, "{rate}: {min} s, {max} s");
        for took in wrote.iter().take(2) {
            let took = took.as_secs_f64();
            assert!(took > 0.3 * seconds, "{rate}: the server wrote it in {took} s");
        }
        // The timeline has the bytes when they were read, not when they came.
        let windows = &report.timeline.windows;
        let busiest = windows.iter().map(|w| w.bytes_received).max().unwrap();
        let window_s = report.timeline.window_ms / 1e3;
        assert!((busiest as f64) < 2.0 * 2.0 * rate * window_s + 1e5, "{rate}: {busiest}");
        let text = render_text(&report).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains("each read at most at"), "{text}");
    }
}

#[test]
fn waiting_takes_no_cpu() {
    let (address, _) = server(64 * 1024);
    let report = run(&format!("http://{address}/"), 32.0 * 1024.0, 1);
    let cpu = report.cpu.user_s + report.cpu.system_s;
    assert!(report.duration_s > 1.5, "{}", report.duration_s);
    assert!(cpu < 0.5 * report.duration_s, "{cpu} s of {} s", report.duration_s);
}

#[test]
fn small_replies_chunks_and_closing_servers_are_read_to_their_end() {
    let options = [
        TargetOptions::new(),
        TargetOptions::new().with_body_bytes(20_000).with_chunk_bytes(999),
        TargetOptions::new().with_body_bytes(20_000).with_keepalive_limit(1),
        TargetOptions::new().with_body_bytes(200_000).with_chunk_bytes(100_000),
    ];
    for options in options {
        let server = TargetServer::bind(options).unwrap().spawn().unwrap();
        let report = run(&server.url(), 400_000.0, 3);
        let truth = server.stop().unwrap();
        assert_eq!(report.counts.failed + report.counts.unfinished, 0, "{:?}", report.errors);
        assert!(report.counts.answered >= 3, "{:?}", report.counts);
        assert_eq!(report.bytes.received, truth.bytes_sent);
    }
}
