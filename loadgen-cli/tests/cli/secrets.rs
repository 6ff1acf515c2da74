//! Credentials are sent, and stand in nothing that is written: reports in every form,
//! messages, errors. A report that is repeated asks for them.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use crate::common::{Outcome, finish, loadgen};

/// Part of every secret of these tests.
const SECRET: &str = "hunter";

/// `user:hunter6` in base64.
const BASIC: &str = "dXNlcjpodW50ZXI2";

/// A server that keeps what it is asked.
struct Server {
    address: String,
    heard: Arc<Mutex<String>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let heard = Arc::new(Mutex::new(String::new()));
        let shared = Arc::clone(&heard);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let heard = Arc::clone(&shared);
                std::thread::spawn(move || {
                    let (mut buffer, mut asked) = ([0; 4096], String::new());
                    while let Ok(read @ 1..) = stream.read(&mut buffer) {
                        asked.push_str(&String::from_utf8_lossy(&buffer[..read]));
                        while let Some(end) = asked.find("\r\n\r\n") {
                            heard.lock().unwrap().extend(asked.drain(..end + 4));
                            let reply = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                            if stream.write_all(reply).is_err() {
                                return;
                            }
                        }
                    }
                });
            }
        });
        Self { address, heard }
    }

    fn heard(&self) -> String {
        std::mem::take(&mut self.heard.lock().unwrap())
    }
}

/// A folder with a file of headers and the state of the user.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        std::fs::write(place.path("headers"), "Cookie: s=hunter2\nX-Plain: seen\n").unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn name(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// The program with a secret in its environment, and a key that outlives it.
    fn run(&self, args: &[&str]) -> Outcome {
        let mut command = loadgen(args);
        command.env("XDG_STATE_HOME", self.path("state")).env("TOKEN", "hunter1");
        finish(command.spawn().unwrap())
    }
}

#[track_caller]
fn says_no_secret(outcome: Outcome) -> Outcome {
    for said in [&outcome.stdout, &outcome.stderr] {
        assert!(!said.contains(SECRET) && !said.contains(BASIC), "{said}");
    }
    outcome
}

#[track_caller]
fn has_no_secret(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(!text.contains(SECRET) && !text.contains(BASIC), "{text}");
    text
}

#[test]
fn credentials_are_sent_and_written_nowhere() {
    let (server, place) = (Server::start(), Place::new());
    let url = format!("HTTP://user:hunter6@{}?q", server.address);
    let (report, html) = (place.name("report.json"), place.name("report.html"));
    let file = format!("@{}", place.name("headers"));
    let secrets: Vec<&str> =
        ["-H", "X-Api-Key: env:TOKEN", "-H", &file, "-H", "X-Mine: hunter5"].to_vec();
    let load = ["--rate", "20", "-d", "300ms", "-o", &report, "--secret-header", "x-mine"];
    let args = [&["run", &url][..], &load, &secrets].concat();
    says_no_secret(place.run(&args).ran());
    let heard = server.heard();
    for line in [
        "GET /?q HTTP/1.1",
        "X-Api-Key: hunter1",
        "Cookie: s=hunter2",
        "X-Plain: seen",
        "X-Mine: hunter5",
        &format!("Authorization: Basic {BASIC}"),
    ] {
        assert!(heard.contains(&format!("{line}\r\n")), "{line}: {heard}");
    }
    let text = has_no_secret(Path::new(&report));
    assert_eq!(text.matches("«redacted»").count(), 4, "{text}");
    assert!(text.contains("seen"), "{text}");
    for form in
        [&["--format", "text"][..], &["--format", "json"], &["--html", &html], &["--csv", "-"]]
    {
        says_no_secret(place.run(&[&["report", &report][..], form].concat()).exits_with(0));
    }
    has_no_secret(Path::new(&html));
    let key = place.path("state/loadgen/fingerprint-key");
    assert_eq!(std::fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600);

    // The same again needs what the report does not hold.
    let refused = place.run(&["run", &report]).exits_with(2);
    says_no_secret(refused.says(&[
        "X-Api-Key, Cookie, X-Mine, Authorization",
        "env:NAME",
        "@FILE",
    ]));
    let cookie = ["-H", "Cookie: s=hunter2"];
    let basic = format!("Authorization: Basic {BASIC}");
    let given =
        [&["run", &report, "-H", &basic][..], &secrets[..2], &cookie, &secrets[4..]].concat();
    let again = says_no_secret(place.run(&given).ran());
    assert!(!again.stderr.contains("not that of the report"), "{}", again.stderr);
    assert!(server.heard().contains("X-Api-Key: hunter1\r\n"));
    let other = [&["run", &report, "-H", "X-Api-Key: hunter9"][..], &given[4..5], &given[2..4]];
    let other = [&other.concat()[..4], &given[2..4], &cookie, &secrets[4..]].concat();
    let other = says_no_secret(place.run(&other).ran());
    assert!(other.stderr.contains("the value of 'X-Api-Key' is not that of the report"));
    let plain = [&given[..], &["-H", "X-Plain: other"]].concat();
    place.run(&plain).exits_with(2).says(&["repeated as it is", "'X-Plain'"]);
}

#[test]
fn sweeps_and_httperf_keep_secrets_too() {
    let (server, place) = (Server::start(), Place::new());
    let url = format!("http://user:hunter6@{}/", server.address);
    let sweep = place.name("sweep.json");
    let steps = ["--pause", "0s", "-d", "200ms", "-o", &sweep, "-H"];
    let first = [&["sweep", &url, "--rates", "20"][..], &steps, &["Cookie: hunter2"]].concat();
    says_no_secret(place.run(&first).ran());
    has_no_secret(Path::new(&sweep));
    // A token that was renewed makes no other sweep.
    let resumed = [&["sweep", &url, "--rates", "20,40", "--resume", &sweep][..], &steps];
    let resumed = [&resumed.concat()[..], &["Cookie: hunter3"]].concat();
    says_no_secret(place.run(&resumed).ran());
    let text = has_no_secret(Path::new(&sweep));
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["points"].as_array().unwrap().len(), 2);

    let (host, port) = server.address.split_once(':').unwrap();
    let json = place.name("httperf.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_httperf"));
    command.args(["--server", host, "--port", port, "--num-conns", "2", "--json", &json]);
    command.args(["--add-header", "Authorization: hunter7\\nX-Plain: seen\\n"]);
    command.env("XDG_STATE_HOME", place.path("state"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let outcome = finish(command.spawn().unwrap()).exits_with(0);
    assert!(!outcome.stderr.contains(SECRET), "{}", outcome.stderr);
    assert!(server.heard().contains("Authorization: hunter7\r\n"));
    assert!(has_no_secret(Path::new(&json)).contains("seen"));
    // A report of httperf can be repeated, and asks in the same way.
    place.run(&["run", &json]).exits_with(2).says(&["the value of Authorization is secret"]);
    place.run(&["run", &json, "-H", "authorization: hunter7", "-q"]).ran();
    assert!(server.heard().contains("Authorization: hunter7\r\n"));
}

#[test]
fn no_error_betrays_a_secret() {
    let place = Place::new();
    std::fs::write(place.path("bad"), "hunter2\n").unwrap();
    let bad = format!("@{}", place.name("bad"));
    for (args, words) in [
        (&["run", "http://user:hunter6@h:x/", "-r", "5"][..], &["http://…@h:x/", "port"][..]),
        (&["run", "user:hunt/hunter6@h", "-r", "5"], &["…@h", "port"]),
        (&["run", "http://user:hunter6@h/", "-r", "5", "-k"], &["https"]),
        (&["run", "https://user:hunter6@h.invalid/", "-r", "5"], &["https://h.invalid/"]),
        (&["run", "http://user:hunter6@127.0.0.1:9/", "--rate", "x"], &["a rate"]),
        (&["migrate", "http://user:hunter6@127.0.0.1:9/"], &["http://…@127.0.0.1:9/"]),
        (&["run", "http://h/", "http://user:hunter6@h/"], &["unexpected", "http://…@h/"]),
        (&["run", "http://h/", "-r", "5", "-H", "hunter2"], &["NAME: VALUE"]),
        (&["run", "http://h/", "-r", "5", "-H", "Cookie: hunter2\n"], &[]),
        (&["run", "http://h/", "-r", "5", "-H", "Cookie: hunter2\rX"], &["header value"]),
        (&["run", "http://h/", "-r", "5", "-H", &bad], &["line 1"]),
        (&["run", "http://h/", "-r", "5", "-H", "@/no/such"], &["/no/such"]),
        (&["run", "http://h/", "-r", "5", "-H", "A: env:NO_SUCH"], &["'NO_SUCH'"]),
        (&["run", "http://h/", "-r", "5", "--secret-header", "X-Mine"], &["X-Mine", "-H"]),
    ] {
        let outcome = says_no_secret(place.run(args)).says(words);
        assert_ne!(outcome.code(), Some(0), "{args:?}");
    }
    let refused = place.run(&["run", "http://user:hunter6@127.0.0.1:9/", "-r", "5"]).exits_with(1);
    says_no_secret(refused.says(&["cannot connect to 127.0.0.1:9", "http://127.0.0.1:9/"]));
}
