//! What the tests of the programs share.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use autobench_compat::start::World;
use autobench_compat::tester::{TestError, TestRun, Tester};
use autobench_compat::{admin, autobench};

/// The configuration of the captures.
pub(crate) const CONF: &str = "# own test configuration
host1 = 127.0.0.1
host2 = localhost
uri1  = /1k.html
uri2  = /1k.html
port1 = 8090
port2 = 8090
low_rate  = 20
high_rate = 60
rate_step = 20
num_conn  = 40
num_call  = 2
timeout   = 2
output_fmt = tsv
clients = localhost:8099
";

/// A tester that has learnt its reports by heart and writes down what it is asked.
#[derive(Clone, Default)]
pub(crate) struct Fake {
    pub(crate) reports: Arc<Mutex<VecDeque<String>>>,
    pub(crate) asked: Arc<Mutex<Vec<Vec<String>>>>,
    /// Set while a test runs that has no report and so lasts until it is stopped.
    pub(crate) running: Arc<AtomicBool>,
}

impl Fake {
    pub(crate) fn with(reports: &[String]) -> Self {
        let fake = Self::default();
        fake.reports.lock().unwrap().extend(reports.iter().cloned());
        fake
    }
}

impl Tester for Fake {
    fn test(
        &self,
        arguments: &[String],
        stdout: &mut dyn Write,
        stop: &AtomicBool,
    ) -> Result<TestRun, TestError> {
        self.asked.lock().unwrap().push(arguments.to_vec());
        let report = self.reports.lock().unwrap().pop_front();
        if let Some(report) = report {
            stdout.write_all(report.as_bytes()).map_err(TestError::Output)?;
            return Ok(TestRun::default());
        }
        self.running.store(true, Ordering::SeqCst);
        // Long enough for any test that is to be stopped, and an end for others.
        for _ in 0..4000 {
            if stop.load(Ordering::SeqCst) {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.running.store(false, Ordering::SeqCst);
        Err(TestError::Stopped)
    }
}

/// httperf's report of which a row's nine cells were read, with so many replies. The
/// percentage of errors comes of `errors`.
pub(crate) fn report(row: &str, replies: u32, errors: u32) -> String {
    let cells: Vec<&str> = row.split_whitespace().collect();
    let [_, req, conn, min, avg, max, stddev, time, net, _] = cells[..] else {
        panic!("no row of one server: {row}");
    };
    format!(
        "httperf --timeout=2 --client=0/1 --server=127.0.0.1 --port=8090\n\
         Maximum connect burst length: 1\n\n\
         Total: connections 40 requests {replies} replies {replies} test-duration 1.951 s\n\n\
         Connection rate: {conn} conn/s (48.8 ms/conn, <=1 concurrent connections)\n\
         Connection time [ms]: min 0.3 avg 1.5 max 8.4 median 0.5 stddev 1.8\n\n\
         Request rate: {req} req/s (24.4 ms/req)\n\n\
         Reply rate [replies/s]: min {min} avg {avg} max {max} stddev {stddev} (0 samples)\n\
         Reply time [ms]: response {time} transfer 0.0\n\
         Reply status: 1xx=0 2xx={replies} 3xx=0 4xx=0 5xx=0\n\n\
         Net I/O: {net} KB/s (0.4*10^6 bps)\n\n\
         Errors: total {errors} client-timo 0 socket-timo 0 connrefused 0 connreset 0\n"
    )
}

/// What a program did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: u8,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A home directory with a configuration file.
pub(crate) fn home(conf: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join(".autobench.conf"), conf).unwrap();
    home
}

pub(crate) fn words(line: &str) -> Vec<String> {
    loadgen_core::shell_words::split(line).unwrap()
}

fn in_world(home: &str, run: impl FnOnce(&mut World<'_>) -> u8) -> Ran {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let master = PathBuf::from("/nonexistent/master");
    let status = run(&mut World { home, master: &master, out: &mut out, err: &mut err });
    Ran { status, out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap() }
}

/// Runs autobench with a configuration and a command line.
pub(crate) fn run_autobench(conf: &str, line: &str, fake: &Fake) -> Ran {
    let home = home(conf);
    in_world(home.path().to_str().unwrap(), |world| {
        autobench::run(&words(line), world, &|_| Some(Box::new(fake.clone())))
    })
}

/// Runs autobench_admin, whose tests start at once.
pub(crate) fn run_admin(conf: &str, line: &str) -> Ran {
    let home = home(conf);
    in_world(home.path().to_str().unwrap(), |world| admin::run(&words(line), world, 0))
}

/// Runs either in a home directory as it is.
pub(crate) fn run_at_home(home: &str, run: impl FnOnce(&mut World<'_>) -> u8) -> Ran {
    in_world(home, run)
}

/// What a program said, without its warnings that this machine was late, which are
/// honest.
pub(crate) fn but_lateness(said: &str) -> String {
    let lines = said.split_inclusive('\n');
    lines.filter(|line| !line.contains("this machine was the bottleneck")).collect()
}

/// Waits for something that happens soon.
pub(crate) fn eventually(what: &str, mut there: impl FnMut() -> bool) {
    for _ in 0..6000 {
        if there() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("not in 30 s: {what}");
}

/// A web server that answers every request with 100 bytes, for as long as the test runs.
pub(crate) fn web_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut asked = Vec::new();
                let mut buffer = [0; 4096];
                while let Ok(length @ 1..) = stream.read(&mut buffer) {
                    asked.extend_from_slice(&buffer[..length]);
                    while let Some(end) = asked.windows(4).position(|four| four == b"\r\n\r\n") {
                        asked.drain(..end + 4);
                        let head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n";
                        let reply = [head.as_bytes(), &[b'x'; 100]].concat();
                        if stream.write_all(&reply).is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    address
}

/// A port of loopback where nobody listens, and nobody can while it is held.
pub(crate) fn closed_port() -> (socket2::Socket, u16) {
    let held = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    held.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let port = held.local_addr().unwrap().as_socket_ipv4().unwrap().port();
    (held, port)
}
