//! What the original autobench_admin printed and sent, printed and sent again by ours;
//! the daemons are played, by what the original ones answered, or are ours.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use autobench_compat::admin;
use autobench_compat::daemon::{Daemon, Log, Settings};

use crate::common::{CONF, Fake, Ran, closed_port, eventually, report, run_admin, run_at_home};

const COLUMNS: [&str; 14] = [
    "req_rate",
    "con_rate",
    "min_rep_rate",
    "avg_rep_rate",
    "max_rep_rate",
    "stddev_rep_rate",
    "resp_time",
    "net_io",
    "errors",
    "status_100",
    "status_200",
    "status_300",
    "status_400",
    "status_500",
];

fn header(hosts: &[&str], separator: &str) -> String {
    let names = hosts.iter().flat_map(|host| COLUMNS.map(|name| format!("{name}_{host}")));
    let names: Vec<String> = std::iter::once("dem_req_rate".to_owned()).chain(names).collect();
    names.join(separator) + "\n"
}

/// The original daemon: for each test there is one connection, which it accepts and
/// answers with the next of its answers. Returns its port, and then what it was told.
fn original(answers: Vec<String>) -> (u16, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        let mut told = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut command = String::new();
            while !command.ends_with("END_AB\n") {
                assert!(reader.read_line(&mut command).unwrap() > 0, "no command: {command}");
            }
            told.push(command);
            stream.write_all(b"ACCEPTED\n").unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            if !answer.is_empty() {
                // The admin ends the connection.
                let _ = reader.read_to_end(&mut Vec::new());
            }
        }
        told
    });
    (port, thread)
}

/// An answer of the original daemon: the cells of a row, and its replies.
fn answer(row: &str, replies: u32) -> String {
    let cells: Vec<&str> = row.split_whitespace().collect();
    let [req, conn, time, net] = cells[..] else { panic!("{row}") };
    format!(
        "BENCH_COMPLETE\nstatus_200:{replies}\nrep_rate_stdv:0.0\nrep_rate_avg:0.0\n\
         req_rate:{req}\nstatus_500:0\nrep_time:{time}\nnet_io:{net}\nconn_rate:{conn}\n\
         status_300:0\npercent_errors:0\nstatus_100:0\nrep_rate_min:0.0\nstatus_400:0\n\
         replies:{replies}\nerrors:0\nrep_rate_max:0.0\nEND_DATA\n"
    )
}

/// stderr without what changes from run to run: the dates before the rates, and the
/// start times.
fn steady(err: &str) -> Vec<String> {
    let lines: Vec<&str> = err.lines().collect();
    let next = lines.iter().skip(1).chain([&""]);
    lines
        .iter()
        .zip(next)
        .filter(|(_, next)| !next.starts_with("Testing server"))
        .map(|(line, _)| if line.starts_with("  Time   : ") { "  Time   : T" } else { line })
        .map(str::to_owned)
        .collect()
}

/// A command without its start time.
fn timeless(command: &str) -> String {
    let lines: Vec<&str> = command.split('\n').collect();
    let [arguments, time, end, ""] = lines[..] else { panic!("{command:?}") };
    assert!(time.parse::<u64>().unwrap() > 1_700_000_000);
    format!("{arguments}\nT\n{end}\n")
}

fn line(host: &str, num_conn: u32, rate: &str) -> String {
    format!(
        "--server {host} --uri \"/1k.html\" --num-conn {num_conn} --num-call 2 --timeout 2 \
         --rate {rate} --port 8090 "
    )
}

#[test]
fn ab_50_two_clients() {
    let rows = |a: &str, b: &str| vec![answer(a, 40), answer(b, 40)];
    let (first, heard) = original(rows("21.0 10.5 0.5 27.3", "42.0 21.0 0.7 54.6"));
    let (second, _) = original(rows("21.0 10.5 0.7 27.3", "41.9 20.9 0.9 54.5"));
    let clients = format!("--clients 127.0.0.1:{first},localhost:{second}");
    let ran = run_admin(CONF, &format!("--single_host {clients} --high_rate 40"));
    assert_eq!(
        ran.out,
        header(&["127.0.0.1"], "\t")
            + "40\t42\t21\t0\t0\t0\t0\t0.6\t54.6\t0\t0\t80\t0\t0\t0\n\
               80\t83.9\t41.9\t0\t0\t0\t0\t0.8\t109.1\t0\t0\t80\t0\t0\t0\n"
    );
    assert_eq!(
        steady(&ran.err),
        [
            "Testing server 127.0.0.1 at rate: 20",
            "Testing server 127.0.0.1 at rate: 40",
            "Benchmark complete"
        ]
    );
    assert_eq!(ran.err.lines().count(), 5, "a date before each rate: {}", ran.err);
    assert_eq!(ran.status, 0);
    let told: Vec<String> = heard.join().unwrap().iter().map(|told| timeless(told)).collect();
    let expected = ["10", "20"].map(|rate| line("127.0.0.1", 20, rate) + "\nT\nEND_AB\n");
    assert_eq!(told, expected);
}

#[test]
fn ab_51_one_client_csv_two_hosts() {
    let (port, heard) =
        original(vec![answer("41.0 20.5 0.9 53.3", 80), answer("41.0 20.5 1.0 53.3", 80)]);
    let arguments =
        format!("--clients localhost:{port} --output_fmt csv --high_rate 20 --debug --quiet");
    let ran = run_admin(CONF, &arguments);
    assert_eq!(
        ran.out,
        header(&["127.0.0.1", "localhost"], ",")
            + "40,41,20.5,0,0,0,0,0.9,53.3,0,0,80,0,0,0,41,20.5,0,0,0,0,1,53.3,0,0,80,0,0,0\n"
    );
    let of_test = |host| {
        vec![
            format!("Opened connection to localhost:{port}"),
            format!("  Command: {}", line(host, 40, "20")),
            "  Time   : T".to_owned(),
            "Issued start command to: localhost".to_owned(),
            "localhost accepted command".to_owned(),
        ]
    };
    let mut expected = vec!["Testing server 127.0.0.1 at rate: 20".to_owned()];
    expected.extend(of_test("127.0.0.1"));
    expected.push("About to test localhost at rate: 20".to_owned());
    expected.extend(of_test("localhost"));
    expected.push("Benchmark complete".to_owned());
    assert_eq!(steady(&ran.err), expected);
    assert_eq!(heard.join().unwrap().len(), 2);
}

/// The original used only the second of two clients on one host; ours uses both.
#[test]
fn ab_52_same_host_two_ports() {
    let (first, _) = original(vec![answer("21.0 10.5 0.3 26.6", 40)]);
    let (second, _) = original(vec![answer("20.0 10.0 0.3 26.7", 40)]);
    let clients = format!("--clients localhost:{first},localhost:{second}");
    let ran = run_admin(CONF, &format!("--single_host {clients} --high_rate 20 --debug"));
    assert_eq!(
        ran.out,
        header(&["127.0.0.1"], "\t") + "40\t41\t20.5\t0\t0\t0\t0\t0.3\t53.3\t0\t0\t80\t0\t0\t0\n"
    );
    assert!(ran.err.contains(&format!("localhost:{second} accepted command")), "{}", ran.err);
}

/// Connections that cannot be divided by the clients ended the original's run.
#[test]
fn ab_53_fractional_num_conn() {
    let (first, one) = original(vec![answer("21.0 10.5 0.3 26.6", 26)]);
    let (second, other) = original(vec![answer("20.0 10.0 0.3 26.7", 24)]);
    let clients = format!("--clients 127.0.0.1:{first},localhost:{second}");
    let arguments = format!("--single_host {clients} --num_conn 25 --high_rate 20 --debug");
    let ran = run_admin(CONF, &arguments);
    assert_eq!(ran.status, 0);
    for (heard, num_conn) in [(one, 13), (other, 12)] {
        let told = timeless(&heard.join().unwrap()[0]);
        assert_eq!(told, line("127.0.0.1", num_conn, "10") + "\nT\nEND_AB\n");
    }
}

/// Both arithmetics agree where the clients are alike.
#[test]
fn ab_54_const_test_time() {
    let sampled = |time| {
        answer(&format!("20.2 10.1 {time} 26.3"), 200)
            .replace("rep_rate_min:0.0", "rep_rate_min:20.0")
            .replace("rep_rate_avg:0.0", "rep_rate_avg:20.0")
            .replace("rep_rate_max:0.0", "rep_rate_max:20.0")
    };
    for merge in ["", "--original-merge"] {
        let (first, heard) = original(vec![sampled("0.6")]);
        let (second, _) = original(vec![sampled("0.7")]);
        let clients = format!("--clients 127.0.0.1:{first},localhost:{second}");
        let ran = run_admin(
            CONF,
            &format!("--single_host {clients} --const_test_time 10 --low 20 --high 20 {merge}"),
        );
        assert_eq!(
            ran.out,
            header(&["127.0.0.1"], "\t")
                + "40\t40.4\t20.2\t40\t40\t40\t0\t0.65\t52.6\t0\t0\t400\t0\t0\t0\n"
        );
        let told = timeless(&heard.join().unwrap()[0]);
        assert_eq!(told, line("127.0.0.1", 100, "10") + "\nT\nEND_AB\n");
    }
}

#[test]
fn the_arithmetics_differ_where_the_clients_do() {
    let row = |merge| {
        let (first, _) = original(vec![answer("30.0 15.0 1.0 20.0", 300)]);
        let (second, _) = original(vec![answer("10.0 5.0 9.0 20.0", 100)]);
        let clients = format!("--clients 127.0.0.1:{first},localhost:{second}");
        let ran = run_admin(CONF, &format!("--single_host {clients} --high 20 {merge}"));
        ran.out.lines().last().unwrap().split('\t').nth(7).unwrap().to_owned()
    };
    assert_eq!(row("--original-merge"), "5");
    assert_eq!(row(""), "3");
}

fn assert_ended(ran: &Ran, status: u8, err: &[&str]) {
    assert_eq!(ran.out, header(&["127.0.0.1"], "\t"), "the header, and no row");
    assert_eq!(steady(&ran.err), err);
    assert_eq!(ran.status, status);
}

#[test]
fn ab_55_58_clients_that_are_not_there() {
    let announced = "Testing server 127.0.0.1 at rate: 20";
    let (_held, port) = closed_port();
    let ran = run_admin(CONF, &format!("--single_host --clients 127.0.0.1:{port} --high 20"));
    let refused = format!("Connection to 127.0.0.1:{port} failed: Connection refused");
    assert_ended(&ran, 111, &[announced, &refused]);

    let line = "--single_host --clients no.such.host.invalid:1 --high 20";
    let unknown = "Invalid host: no.such.host.invalid: no such name";
    assert_ended(&run_admin(CONF, line), 255, &[announced, unknown]);
}

#[test]
fn ab_56_clients_that_fail() {
    let announced = "Testing server 127.0.0.1 at rate: 20";
    for (answer, told) in [
        ("BENCH_FAILED\n\n", "FATAL: client localhost sent BENCH_FAILED"),
        ("", "FATAL: client localhost closed connection"),
    ] {
        let (port, _) = original(vec![answer.to_owned()]);
        let ran = run_admin(CONF, &format!("--single_host --clients localhost:{port} --high 20"));
        assert_ended(&ran, 255, &[announced, told]);
    }
}

/// One client's failure does not wait for the others.
#[test]
fn a_failure_ends_the_tests_of_the_others() {
    let busy = Fake::default();
    let daemon = daemon(&busy);
    let failing = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = failing.local_addr().unwrap().port();
    let running = busy.running;
    std::thread::spawn(move || {
        let (mut stream, _) = failing.accept().unwrap();
        eventually("the other's test runs", || running.load(Ordering::SeqCst));
        stream.write_all(b"ACCEPTED\nBENCH_FAILED\n\n").unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let line =
        format!("--single_host --high 20 --clients localhost:{},127.0.0.1:{port}", daemon.port);
    let (sender, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(run_admin(CONF, &line)));
    let ran = ended.recv_timeout(Duration::from_secs(15)).expect("it does not wait for the other");
    let announced = "Testing server 127.0.0.1 at rate: 20";
    assert_ended(&ran, 255, &[announced, "FATAL: client 127.0.0.1 sent BENCH_FAILED"]);
}

#[test]
fn ab_57_59_version_and_first_use() {
    let home = tempfile::tempdir().unwrap();
    let ask = |arguments: &[String]| {
        run_at_home(home.path().to_str().unwrap(), |world| admin::run(arguments, world, 0))
    };
    let ran = ask(&[]);
    assert_eq!((ran.status, ran.out.as_str()), (0, ""));
    assert_eq!(
        ran.err,
        format!(
            "Autobench configuration file not found\n - installing new copy in \
             {}/.autobench.conf\nInstallation complete - please rerun autobench_admin\n",
            home.path().display()
        )
    );
    let ran = ask(&["--version".to_owned()]);
    assert_eq!(
        ran.out,
        "autobench_admin 2.1.1\nCopyright (C) Julian T. J. Midgley <jtjm@xenoclast.org> 2003\n"
    );
}

#[test]
fn what_cannot_be_tested_is_told() {
    for (line, told) in [
        ("--clients=x:y", "Fatal: client 'x:y' is not HOST:PORT\n"),
        ("--const_test_time 5", "--const_test_time must be >= 10. See autobench(1) for details\n"),
        ("--output_fmt xml", "Output Format 'xml' not supported (known: csv, tsv)\n"),
    ] {
        let ran = run_admin(CONF, line);
        assert_eq!((ran.status, ran.err.as_str(), ran.out.as_str()), (255, told, ""));
    }
}

struct Running {
    port: u16,
    handle: autobench_compat::daemon::Handle,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.stop();
    }
}

fn daemon(fake: &Fake) -> Running {
    let settings = Settings::at("127.0.0.1:0".parse().unwrap());
    let log = Log::new(Box::new(std::io::sink()), false, false);
    let daemon = Daemon::bind(settings, Box::new(fake.clone()), log).unwrap();
    let running = Running { port: daemon.address().port(), handle: daemon.handle() };
    std::thread::spawn(move || daemon.serve());
    running
}

/// Ours with ours: the samples of the reply rate travel, so that its spread is right.
#[test]
fn two_daemons_of_ours() {
    let sampled = |samples: [&str; 2], row| {
        let [a, b] = samples;
        format!("reply-rate = {a}    \nreply-rate = {b}    \n{}", report(row, 80, 0))
    };
    let row = "40 20.4 10.2 10.0 20.0 30.0 14.1 0.8 27.0 0";
    let fakes = [["10.0", "30.0"], ["30.0", "10.0"]]
        .map(|samples| Fake::with(&[sampled(samples, row), sampled(samples, row)]));
    let daemons = [daemon(&fakes[0]), daemon(&fakes[1])];
    let clients = format!("--clients 127.0.0.1:{},127.0.0.1:{}", daemons[0].port, daemons[1].port);
    let ran = run_admin(CONF, &format!("--single_host {clients} --high_rate 20"));
    assert_eq!(
        ran.out,
        header(&["127.0.0.1"], "\t")
            + "40\t40.8\t20.4\t40\t40\t40\t0\t0.8\t54\t0\t0\t160\t0\t0\t0\n"
    );
    let arguments = format!("--single_host {clients} --high_rate 20 --original-merge");
    let ran = run_admin(CONF, &arguments);
    assert!(ran.out.ends_with("\n40\t40.8\t20.4\t20\t40\t60\t28.2\t0.8\t54\t0\t0\t160\t0\t0\t0\n"));
    for fake in &fakes {
        let asked = fake.asked.lock().unwrap();
        assert!(asked.iter().all(|asked| asked.contains(&"--rate=10".to_owned())), "{asked:?}");
    }
}
