//! What admins and the original autobenchd said to each other, byte for byte, with
//! ours in the place of the daemon.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use autobench_compat::daemon::{Daemon, Handle, Log, Settings};

use crate::common::{Fake, eventually, report};

/// A daemon of ours, and what it logs.
struct Served {
    fake: Fake,
    log: Arc<Mutex<Vec<u8>>>,
    handle: Handle,
    address: std::net::SocketAddr,
    thread: Option<JoinHandle<()>>,
}

struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn serve(reports: &[String]) -> Served {
    serve_with(reports, |_| {})
}

fn serve_with(reports: &[String], change: impl FnOnce(&mut Settings)) -> Served {
    let mut settings = Settings::at("127.0.0.1:0".parse().unwrap());
    change(&mut settings);
    let (fake, log) = (Fake::with(reports), Arc::default());
    let sink = Box::new(Shared(Arc::clone(&log)));
    let daemon =
        Daemon::bind(settings, Box::new(fake.clone()), Log::new(sink, true, false)).unwrap();
    let (handle, address) = (daemon.handle(), daemon.address());
    let thread = Some(std::thread::spawn(move || daemon.serve()));
    Served { fake, log, handle, address, thread }
}

impl Served {
    fn call(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    }

    fn logged(&self) -> String {
        String::from_utf8(self.log.lock().unwrap().clone()).unwrap()
    }

    fn stop(&mut self) {
        self.handle.stop();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Exactly so many bytes.
fn hear(stream: &mut TcpStream, bytes: usize) -> String {
    let mut heard = vec![0; bytes];
    stream.read_exact(&mut heard).unwrap();
    String::from_utf8(heard).unwrap()
}

fn hear_until(stream: &mut TcpStream, end: &str) -> String {
    let mut heard = String::new();
    while !heard.ends_with(end) {
        heard.push_str(&hear(stream, 1));
    }
    heard
}

fn hear_all(mut stream: TcpStream) -> String {
    let mut heard = String::new();
    let _ = stream.read_to_string(&mut heard);
    heard
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// What the admins of the captures send.
fn order(num_conn: u32, extra: &str, at_s: u64) -> String {
    format!(
        "--server 127.0.0.1 --uri \"/1k.html\" --num-conn {num_conn} --num-call 2 --timeout 2 \
         --rate 20 --port 8090 {extra}\n{at_s}\nEND_AB\n"
    )
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

/// The keys come in any order.
fn assert_same_answer(ours: &str, original: &str) {
    assert_eq!(sorted(ours), sorted(original));
    assert!(ours.starts_with("BENCH_COMPLETE\n") && ours.ends_with("\nEND_DATA\n"), "{ours}");
}

#[test]
fn ab_4_protocol_ok() {
    let first = "BENCH_COMPLETE\nstatus_200:40\nrep_rate_stdv:0.0\nrep_rate_avg:0.0\n\
                 req_rate:42.1\nstatus_500:0\nrep_time:0.8\nnet_io:54.7\nconn_rate:21.0\n\
                 status_300:0\npercent_errors:0\nstatus_100:0\nrep_rate_min:0.0\nstatus_400:0\n\
                 replies:40\nerrors:0\nrep_rate_max:0.0\nEND_DATA\n";
    let second = "BENCH_COMPLETE\nstatus_200:20\nrep_rate_stdv:0.0\nrep_rate_avg:0.0\n\
                  req_rate:43.5\nstatus_500:0\nrep_time:0.8\nnet_io:56.6\nconn_rate:21.8\n\
                  status_300:0\npercent_errors:0\nstatus_100:0\nrep_rate_min:0.0\nstatus_400:0\n\
                  replies:20\nerrors:0\nrep_rate_max:0.0\nEND_DATA\n";
    let served = serve(&[
        report("40 42.1 21.0 0.0 0.0 0.0 0.0 0.8 54.7 0", 40, 0),
        report("40 43.5 21.8 0.0 0.0 0.0 0.0 0.8 56.6 0", 20, 0),
    ]);
    let mut admin = served.call();
    admin.write_all(order(20, "", now_s()).as_bytes()).unwrap();
    assert_eq!(hear(&mut admin, 9), "ACCEPTED\n");
    assert_same_answer(&hear(&mut admin, first.len()), first);
    admin.write_all(order(10, "", 1_795_357_553).as_bytes()).unwrap();
    assert_eq!(hear(&mut admin, 9), "ACCEPTED\n");
    assert_same_answer(&hear(&mut admin, second.len()), second);

    let asked = served.fake.asked.lock().unwrap().clone();
    assert_eq!(
        asked[0],
        [
            "--verbose",
            "--server=127.0.0.1",
            "--uri=/1k.html",
            "--num-conns=20",
            "--num-calls=2",
            "--timeout=2",
            "--rate=20",
            "--port=8090"
        ]
    );
    assert_eq!(asked.len(), 2);
}

#[test]
fn ab_4_protocol_fail() {
    let served = serve(&[report("40 0.0 21.0 0.0 0.0 0.0 0.0 0.0 0.0 101", 0, 5)]);
    let mut admin = served.call();
    for extra in ["", " --bogus"] {
        admin.write_all(order(5, extra, now_s()).as_bytes()).unwrap();
        assert_eq!(hear(&mut admin, 23), "ACCEPTED\nBENCH_FAILED\n\n");
    }
    assert_eq!(served.fake.asked.lock().unwrap().len(), 1, "--bogus must not reach httperf");
    assert!(served.logged().contains("--bogus is not an option of httperf"));
}

#[test]
fn ab_4_protocol_abort() {
    let served = serve(&[]);
    let mut admin = served.call();
    admin.write_all(order(400, "", now_s()).as_bytes()).unwrap();
    assert_eq!(hear(&mut admin, 9), "ACCEPTED\n");
    eventually("the test runs", || served.fake.running.load(Ordering::SeqCst));
    admin.write_all(b"what?\nABORT\n").unwrap();
    assert_eq!(hear(&mut admin, 14), "BENCH_FAILED\n\n");
}

/// The original overlooks an `ABORT` that comes together with the command.
#[test]
fn ab_4_protocol_early() {
    let served = serve(&[]);
    let mut admin = served.call();
    admin.write_all(format!("{}ABORT\n", order(5, "", now_s() + 60)).as_bytes()).unwrap();
    assert_eq!(hear(&mut admin, 23), "ACCEPTED\nBENCH_FAILED\n\n");
}

#[test]
fn ab_4_protocol_eof() {
    let served = serve(&[]);
    let mut admin = served.call();
    admin.write_all(order(400, "", now_s()).as_bytes()).unwrap();
    assert_eq!(hear(&mut admin, 9), "ACCEPTED\n");
    eventually("the test runs", || served.fake.running.load(Ordering::SeqCst));
    admin.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(hear_all(admin), "");
    assert!(!served.fake.running.load(Ordering::SeqCst), "the test ends with its admin");
}

#[test]
fn a_test_waits_for_its_time() {
    let served = serve(&[report("40 42.1 21.0 0.0 0.0 0.0 0.0 0.8 54.7 0", 40, 0)]);
    let mut admin = served.call();
    let at_s = now_s() + 2;
    admin.write_all(order(1, "", at_s).as_bytes()).unwrap();
    assert_eq!(hear(&mut admin, 9), "ACCEPTED\n");
    assert_eq!(hear(&mut admin, 15), "BENCH_COMPLETE\n");
    assert!(now_s() >= at_s);
}

#[test]
fn samples_of_the_reply_rate_follow_the_figures() {
    let row = "40 42.1 21.0 39.5 39.8 40.0 0.3 0.8 54.7 0";
    let samples = "reply-rate = 39.5    \nreply-rate = 40.0    \n";
    let served = serve(&[format!("{samples}{}", report(row, 40, 0))]);
    let mut admin = served.call();
    admin.write_all(order(1, "", 0).as_bytes()).unwrap();
    let heard = hear_until(&mut admin, "END_DATA\n");
    assert!(heard.ends_with("rep_rate_sample_1:39.5\nrep_rate_sample_2:40\nEND_DATA\n"), "{heard}");
}

#[test]
fn tests_of_two_admins_take_turns() {
    let served = serve(&[]);
    let (mut first, mut second) = (served.call(), served.call());
    first.write_all(order(1, "", 0).as_bytes()).unwrap();
    eventually("the first runs", || served.fake.running.load(Ordering::SeqCst));
    second.write_all(order(2, "", 0).as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(served.fake.asked.lock().unwrap().len(), 1);
    first.write_all(b"ABORT\n").unwrap();
    assert_eq!(hear(&mut first, 23), "ACCEPTED\nBENCH_FAILED\n\n");
    assert_eq!(hear(&mut second, 9), "ACCEPTED\n");
    eventually("the second runs", || served.fake.asked.lock().unwrap().len() == 2);
}

#[test]
fn a_daemon_that_is_stopped_tells_its_admins() {
    // At an address of its own nobody else comes to listen when it is gone.
    let mut served = serve_with(&[], |at| at.address = "127.78.0.1:0".parse().unwrap());
    let mut admin = served.call();
    let idle = served.call();
    admin.write_all(order(400, "", 0).as_bytes()).unwrap();
    assert_eq!(hear(&mut admin, 9), "ACCEPTED\n");
    eventually("the test runs", || served.fake.running.load(Ordering::SeqCst));
    served.stop();
    assert_eq!(hear_all(admin), "BENCH_FAILED\n\n");
    assert_eq!(hear_all(idle), "");
    // A program that another test starts just now has the listening socket until it is
    // executed: between fork and exec it holds a copy of every descriptor.
    eventually("nobody listens", || TcpStream::connect(served.address).is_err());
}

#[test]
fn what_takes_too_much_is_cut_off() {
    // A line without end.
    let served = serve(&[]);
    let mut endless = served.call();
    let _ = endless.write_all(&vec![b'x'; 200_000]);
    assert_eq!(hear_all(endless), "");
    eventually("it is told", || served.logged().contains("a line longer than 65536 bytes"));
    // One admin too many.
    let served = serve_with(&[], |settings| settings.most_admins = 2);
    let (first, second, third) = (served.call(), served.call(), served.call());
    assert_eq!(hear_all(third), "");
    eventually("it is told", || served.logged().contains("there are too many admins"));
    drop((first, second));
    // Silence.
    let served = serve_with(&[], |settings| settings.idle = Duration::from_millis(300));
    assert_eq!(hear_all(served.call()), "");
    eventually("it is told", || served.logged().contains("silent for 300ms"));
}

#[test]
fn more_commands_than_wait_end_the_connection() {
    let served = serve(&[]);
    let mut admin = served.call();
    let _ = admin.write_all(order(1, "", 0).repeat(20).as_bytes());
    assert_eq!(hear_all(admin).replace("ACCEPTED\n", ""), "");
    eventually("it is told", || served.logged().contains("more than 8 commands wait"));
}

#[test]
fn clocks_that_differ_too_much_are_told() {
    let served = serve(&[]);
    let mut admin = served.call();
    admin.write_all(order(1, "", now_s() + 4000).as_bytes()).unwrap();
    assert_eq!(hear(&mut admin, 23), "ACCEPTED\nBENCH_FAILED\n\n");
    assert!(served.logged().contains("do the clocks of the machines agree?"));
}

#[test]
fn progress_is_told_as_the_original_tells_it() {
    let served = serve(&[report("40 42.1 21.0 0.0 0.0 0.0 0.0 0.8 54.7 0", 40, 0)]);
    let mut admin = served.call();
    let peer = admin.local_addr().unwrap();
    admin.write_all(order(1, "--uri /\x1b[2J", 0).as_bytes()).unwrap();
    eventually("the test is over", || served.logged().contains("Benchmark complete"));
    drop(admin);
    eventually("it is told", || served.logged().ends_with("Admin closed connection\n"));
    let log = served.logged();
    for line in [
        format!("Listening on {}", served.address),
        "\nWaiting for connection...".to_owned(),
        format!("Accepted connection from {peer}"),
        "Received command: --server 127.0.0.1 --uri \"/1k.html\" --num-conn 1 --num-call 2 \
         --timeout 2 --rate 20 --port 8090 --uri /?[2J"
            .to_owned(),
        "Start time: ".to_owned(),
        "Starting benchmark".to_owned(),
    ] {
        assert!(log.contains(&line), "{line:?} is not in {log}");
    }
}
