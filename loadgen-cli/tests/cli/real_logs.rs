//! Logs that nginx and Apache themselves write are replayed: what a client asked for, good and
//! bad, once by hand and then again from each log.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::common::run;
use crate::require::require;

/// What a client sends, each over a connection of its own.
const SENT: [&[u8]; 11] = [
    b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    b"GET /a?q=%22x%22&r=1 HTTP/1.1\r\nHost: h\r\nReferer: http://r/\"\\\r\n\
      User-Agent: a \"quoted\\\" one [x] - \r\nConnection: close\r\n\r\n",
    b"HEAD /b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    b"POST /cart HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx",
    b"GET /x\"y HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    b"GET /caf\xc3\xa9?[1]=\\ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    b"DELETE /d HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    // A TLS hello at a plain port.
    b"\x16\x03\x01\x00\x2e\x01\x00\x00\x2a\x03\x03\"\n\r\n\r\n",
    b"OPTIONS /o HTTP/1.0\r\n\r\n",
    b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\nConnection: close\r\n\r\n",
    b"GET http://h/whole?url HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
];

/// The requests of it that are made again, in order.
const AGAIN: [&str; 7] = [
    "GET /",
    "GET /a?q=%22x%22&r=1",
    "HEAD /b",
    "GET /x\"y",
    "GET /caf%C3%A9?[1]=\\",
    "OPTIONS /o",
    "GET /whole?url",
];

/// How many of the others are left out since they change state, have no path, are no request:
/// of a log with request lines.
const OF_LINES: [u64; 3] = [2, 1, 1];

/// A server in the foreground, with its logs in a folder of its own.
struct Server {
    child: Child,
    folder: TempDir,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts it with this configuration; `None` if its port is somebody's by now.
    fn try_start(
        name: &str,
        arguments: &[&str],
        configuration: fn(&Path, u16) -> String,
    ) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("html")).unwrap();
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        fs::write(folder.path().join("conf"), configuration(folder.path(), port)).unwrap();
        let child = Command::new(name)
            .current_dir(folder.path())
            .args(arguments)
            .env("PATH", path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.path().join("said")).unwrap())
            .spawn()
            .unwrap();
        let mut server = Self { child, folder, port };
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            let is_gone = server.child.try_wait().unwrap().is_some();
            if is_gone || begun.elapsed() > Duration::from_secs(30) {
                eprintln!("{name}: {}", server.read("said"));
                return None;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(server)
    }

    fn read(&self, name: &str) -> String {
        let bytes = fs::read(self.folder.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Sends something, and waits until the server has ended the connection.
    fn send(&self, bytes: &[u8]) {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(bytes).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    }

    /// The requests in its log of requests by this agent, once there are so many.
    fn requests_of(&self, agent: &str, n: usize) -> Vec<String> {
        let begun = Instant::now();
        loop {
            let log = self.read("asked");
            let of_agent =
                log.lines().filter_map(|line| line.strip_prefix(agent)?.strip_prefix('|'));
            let requests: Vec<String> = of_agent
                .map(|request| {
                    request
                        .trim_end_matches(" HTTP/1.1")
                        .replace("\\x22", "\"")
                        .replace("\\\"", "\"")
                })
                .map(|request| request.replace("\\x5C", "\\").replace("\\\\", "\\"))
                .collect();
            if requests.len() >= n || begun.elapsed() > Duration::from_secs(30) {
                return requests;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn path() -> String {
    format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default())
}

fn is_there(program: &str) -> bool {
    Command::new(program).env("PATH", path()).arg("-v").stderr(Stdio::null()).status().is_ok()
}

fn nginx(_folder: &Path, port: u16) -> String {
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {kind};\n"))
        .concat();
    format!(
        r#"daemon off; master_process off; pid pid; error_log error.log;
events {{ worker_connections 256; }}
http {{
  {temporary}
  log_format common '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent';
  log_format hosts '$host:$server_port $remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"';
  log_format json escape=json '{{"time_iso8601":"$time_iso8601","msec":"$msec","request":"$request","status":$status,"request_time":"$request_time","agent":"$http_user_agent","referer":"$http_referer"}}';
  log_format parts escape=json '{{"time":"$time_iso8601","request_method":"$request_method","request_uri":"$request_uri","status":"$status"}}';
  log_format asked '$http_user_agent|$request';
  access_log common common;
  access_log combined combined;
  access_log hosts hosts;
  access_log json.log json;
  access_log parts.log parts;
  access_log asked asked;
  server {{ listen 127.0.0.1:{port}; root html; }}
}}
"#
    )
}

fn apache(folder: &Path, port: u16) -> String {
    let folder = folder.display();
    format!(
        r#"ServerRoot {folder}
ServerName h
Listen 127.0.0.1:{port}
PidFile {folder}/pid
DefaultRuntimeDir {folder}
ErrorLog {folder}/error.log
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
User nobody
Group nogroup
DocumentRoot {folder}/html
LogFormat "%h %l %u %t \"%r\" %>s %O" common
LogFormat "%h %l %u %t \"%r\" %>s %O \"%{{Referer}}i\" \"%{{User-Agent}}i\"" combined
LogFormat "%v:%p %h %l %u %t \"%r\" %>s %O \"%{{Referer}}i\" \"%{{User-Agent}}i\"" hosts
LogFormat "{{\"time\":\"%{{%Y-%m-%dT%H:%M:%S%z}}t\",\"method\":\"%m\",\"uri\":\"%U\",\"query\":\"%q\",\"status\":\"%>s\"}}" parts
LogFormat "%{{User-Agent}}i|%r" asked
CustomLog {folder}/common common
CustomLog {folder}/combined combined
CustomLog {folder}/hosts hosts
CustomLog {folder}/parts.log parts
CustomLog {folder}/asked asked
"#
    )
}

/// Each log of the server is replayed to it, at its own times and at a rate.
fn are_replayed(server: &Server, logs: &[(&str, [u64; 3])]) {
    let was: Vec<usize> = logs.iter().map(|(name, _)| server.read(name).len()).collect();
    SENT.iter().for_each(|sent| server.send(sent));
    let end = format!("the end of {}", logs[0].0);
    server.send(format!("GET /end HTTP/1.0\r\nUser-Agent: {end}\r\n\r\n").as_bytes());
    assert_eq!(server.requests_of(&end, 1).len(), 1, "{}", server.read("asked"));
    // As the server wrote them up to here: what is replayed comes into them, too.
    let written = logs.iter().zip(was).map(|((name, _), was)| server.read(name).split_off(was));
    let before: Vec<String> = written.collect();
    for ((name, left_out), log) in logs.iter().zip(before) {
        eprintln!("{name}:\n{log}");
        let log: Vec<&str> = log.lines().filter(|line| !line.contains("/end")).collect();
        let file = server.folder.path().join(format!("again-{name}"));
        fs::write(&file, format!("{}\n", log.join("\n"))).unwrap();
        for how in [&["--speed", "5x"][..], &["--rate", "100"]] {
            let agent = format!("{name}{}", how[0]);
            let (url, header) =
                (format!("http://127.0.0.1:{}/", server.port), format!("User-Agent: {agent}"));
            let args = ["run", &url, "--replay", file.to_str().unwrap(), "-H", &header, "-c", "1"];
            let more = ["--once", "--format", "json", "-q"];
            let report = run(args.iter().chain(how).chain(&more)).ran().json();
            assert_eq!(report["counts"]["answered"], AGAIN.len(), "{name}: {}", report["errors"]);
            let skipped = &report["plan"]["requests"]["found"]["skipped"];
            let told = ["changes-state", "no-path", "no-request"].map(|why| &skipped[why]);
            let told = told.map(|n| n.as_u64().unwrap_or(0));
            assert_eq!(told, *left_out, "{name}: {skipped}");
            assert!(skipped["not-a-log-line"].is_null() && skipped["no-time"].is_null());
            assert_eq!(server.requests_of(&agent, AGAIN.len()), AGAIN, "{name}, {how:?}");
        }
    }
}

fn start(name: &str, arguments: &[&str], configuration: fn(&Path, u16) -> String) -> Server {
    let mut tries = (0..5).filter_map(|_| Server::try_start(name, arguments, configuration));
    tries.next().unwrap()
}

#[test]
fn logs_of_nginx_are_replayed() {
    if !require(is_there("nginx"), "nginx", "nginx-light") {
        return;
    }
    let server = start("nginx", &["-p", ".", "-c", "conf", "-e", "error.log"], nginx);
    // Of what it refuses it tells no parts, not even the method.
    are_replayed(&server, &[("parts.log", [2, 0, 2])]);
    let of_lines = ["common", "combined", "hosts", "json.log"].map(|name| (name, OF_LINES));
    are_replayed(&server, &of_lines);
}

#[test]
fn logs_of_apache_are_replayed() {
    if !require(is_there("apache2"), "Apache", "apache2-bin") {
        return;
    }
    let server = start("apache2", &["-X", "-d", ".", "-f", "conf"], apache);
    // Here CONNECT has the path of the server's root.
    are_replayed(&server, &[("parts.log", [3, 0, 1])]);
    let of_lines = ["common", "combined", "hosts"].map(|name| (name, OF_LINES));
    are_replayed(&server, &of_lines);
}
