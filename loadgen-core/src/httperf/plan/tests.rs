use std::ffi::OsString;
use std::fs;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::session::{ScriptedCall, UriWalker};

/// The options of a command line, without the program.
fn options(line: &[&str]) -> Options {
    let words: Vec<OsString> = ["httperf"].iter().chain(line).map(Into::into).collect();
    Options::parse(&words).unwrap().options.unwrap()
}

fn prepared(line: &[&str]) -> Prepared {
    prepare(&options(line), Vec::new()).unwrap()
}

fn sessions(line: &[&str]) -> Sessions {
    prepared(line).plan.sessions().unwrap().clone()
}

fn refused(line: &[&str]) -> String {
    let error = prepare(&options(line), Vec::new()).unwrap_err();
    String::from_utf8(error.message(b"httperf")).unwrap()
}

/// The head of a call as it goes over the wire.
fn wire(sessions: &Sessions, call: Option<&ScriptedCall>, host: Option<&str>) -> String {
    let head = &sessions.head;
    let mut uri = Vec::new();
    assert!(UriWalker::new(&sessions.uris).uri(0, &mut uri));
    let mut bytes = match call {
        Some(call) => [call.method.as_bytes(), b" ", &call.uri.0].concat(),
        None => [&head.method.0, b" " as &[u8], &uri].concat(),
    };
    bytes.extend(format!(" HTTP/1.{}\r\n", head.minor_version).into_bytes());
    bytes.extend_from_slice(&head.before_host);
    if let HostLine::Named(name) = &head.host {
        let name = host.map_or(&name.0[..], str::as_bytes);
        bytes.extend([b"Host: ", name, b"\r\n"].concat());
    }
    bytes.extend_from_slice(&head.after_host);
    if let Some(call) = call.filter(|call| !call.body.is_empty()) {
        bytes.extend(format!("Content-length: {}\r\n", call.body.len()).into_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    String::from_utf8(bytes).unwrap()
}

/// The `SH` lines that the original printed for these options.
#[test]
fn requests_on_the_wire() {
    let cases: &[(&[&str], &str)] = &[
        (
            &["--uri", "/post", "--method=POST"],
            "POST /post HTTP/1.1\r\nUser-Agent: httperf/0.9.0\r\nHost: 127.0.0.1\r\n\r\n",
        ),
        (
            &["--uri", "/headers", "--add-header", r"X-A: one\nX-B: t\\wo\106\n"],
            "GET /headers HTTP/1.1\r\nUser-Agent: httperf/0.9.0\r\nHost: 127.0.0.1\r\n\
             X-A: one\r\nX-B: t\\woF\r\n\r\n",
        ),
        (
            &["--uri", "/headers", "--add-header", r"X-A: a\qb\n"],
            "GET /headers HTTP/1.1\r\nUser-Agent: httperf/0.9.0\r\nHost: 127.0.0.1\r\n\
             X-A: aqb\r\n\r\n",
        ),
        (
            &["--uri", "/headers", "--add-header", "X-A: one"],
            "GET /headers HTTP/1.1\r\nUser-Agent: httperf/0.9.0\r\nHost: 127.0.0.1\r\n\
             X-A: one\r\n",
        ),
        (
            &["--method", "", "--uri", "/headers"],
            "GET /headers HTTP/1.1\r\nUser-Agent: httperf/0.9.0\r\nHost: 127.0.0.1\r\n\r\n",
        ),
        (
            &["--server-name", "www.example.com", "--uri", "/headers"],
            "GET /headers HTTP/1.1\r\nUser-Agent: httperf/0.9.0\r\nHost: www.example.com\r\n\r\n",
        ),
        (
            &["--uri", "/headers", "--http-version", "1.0"],
            "GET /headers HTTP/1.0\r\nUser-Agent: httperf/0.9.0\r\nConnection: keep-alive\r\n\
             Host: 127.0.0.1\r\n\r\n",
        ),
        // As 0.9.1 has it: 0.9.0 left an empty line behind, and with it the end of
        // the head.
        (
            &["--uri", "/echo", "--no-host-hdr", "--add-header", r"X-A: 1\n"],
            "GET /echo HTTP/1.1\r\nUser-Agent: httperf/0.9.0\r\nX-A: 1\r\n\r\n",
        ),
    ];
    for (line, head) in cases {
        let line = [&["--server", "127.0.0.1", "--port", "8090"], *line].concat();
        assert_eq!(wire(&sessions(&line), None, None), *head);
    }
}

#[test]
fn an_unknown_escape_is_warned_of() {
    let stderr = prepared(&["--add-header", r"X-A: a\qb\n"]).stderr;
    let text = "httperf: ignoring unknown escape sequence `\\q' in --add-header\n";
    assert_eq!(String::from_utf8(stderr).unwrap(), text);
}

/// A file in a directory of its own.
fn file(bytes: &[u8]) -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, bytes).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

#[test]
fn sessions_of_a_log_on_the_wire() {
    let (_folder, log) = file(include_bytes!("../testdata/sess2.log"));
    let line = format!("--wsesslog=3,0.1,{log}");
    let sessions = sessions(&["--server", "127.0.0.1", "--rate=5", &line, "--wset=3,0.5"]);
    assert_eq!(sessions.count, Some(3));
    assert_eq!(sessions.uris, Uris::Fixed { uri: "/".into() });
    let Script::Log { sessions: log } = &sessions.script else { panic!("no log") };
    let rest = "HTTP/1.1\r\nUser-Agent: httperf/0.9.0\r\nHost: 127.0.0.1\r\n";
    let calls: Vec<_> = log.iter().flat_map(|s| &s.bursts).flat_map(|b| &b.calls).collect();
    let heads: Vec<_> = calls.iter().map(|call| wire(&sessions, Some(call), None)).collect();
    assert_eq!(
        heads,
        [
            format!("POST /echo {rest}Content-length: 25\r\n\r\n"),
            format!("PUT /echo {rest}Content-length: 13\r\n\r\n"),
            format!("DELETE /echo {rest}Content-length: 22\r\n\r\n"),
            format!("OPTIONS /echo {rest}\r\n"),
            format!("TRACE /echo {rest}Content-length: 3\r\n\r\n"),
            format!("HEAD /echo {rest}\r\n"),
            format!("GET /echo {rest}\r\n"),
        ]
    );
}

#[test]
fn servers_and_headers_of_files() {
    let (_servers, servers) = file(b"127.0.0.1\0localhost\0");
    let (_headers, headers) = file(b"X-A: fromfile\r\nX-B: two\r\n");
    let line = ["--servers", &servers, "--port=8090", "--uri=/headers", "--add-header"];
    let line = [&line[..], &[r"X-C: 3\n", "--add-header-file", &headers]].concat();
    let Prepared { plan, stderr } = prepared(&line);
    assert!(stderr.is_empty());
    assert_eq!(plan.target().url(), "http://127.0.0.1:8090/");
    let sessions = plan.sessions().unwrap();
    assert_eq!(sessions.servers, ["127.0.0.1", "localhost"]);
    assert_eq!(
        wire(sessions, None, Some("localhost")),
        "GET /headers HTTP/1.1\r\nUser-Agent: httperf/0.9.0\r\nHost: localhost\r\n\
         X-C: 3\r\nX-A: fromfile\r\nX-B: two\r\n\r\n"
    );
    let stderr = prepared(&["--add-header-file", "no/file"]).stderr;
    let text = "httperf: failed to open header file no/file\n";
    assert_eq!(String::from_utf8(stderr).unwrap(), text);
}

#[test]
fn connections_by_default_are_one_after_the_other() {
    let Prepared { plan, .. } = prepared(&["--threads", "4"]);
    assert_eq!(*plan.load().schedule(), Schedule::Closed);
    assert_eq!((plan.load().connections(), plan.duration()), (1, None));
    let expected = Sessions {
        count: Some(1),
        head: Head {
            before_host: USER_AGENT.into(),
            host: "localhost".into(),
            ..Sessions::connections(1).head
        },
        socket: SocketOptions {
            send_buffer: Some(4096),
            receive_buffer: Some(16384),
            ..SocketOptions::default()
        },
        ..Sessions::connections(1).without_preflight()
    };
    assert_eq!(plan.sessions(), Some(&expected));
}

#[test]
fn arrivals_limits_and_samples() {
    let line = "--rate=100 --num-conns=500 --num-calls=12 --burst-length=4 --timeout=5 \
                --think-timeout=1 --client=1/4 --max-connections=7 --runtime=2 --hog \
                --close-with-reset --failure-status=503";
    let line: Vec<_> = line.split_whitespace().collect();
    let Prepared { plan, .. } = prepared(&line);
    let law = GapLaw::Constant { gap_s: 0.01 };
    assert_eq!(*plan.load().schedule(), Schedule::Drawn(Gaps { law, client: 1 }));
    assert_eq!(plan.load().connections(), MOST_CONNECTIONS);
    assert_eq!(plan.duration(), Some(Duration::from_secs(2)));
    let sessions = plan.sessions().unwrap();
    assert_eq!((sessions.count, sessions.open_connections), (Some(500), Some(7)));
    assert_eq!(sessions.script, Script::Connection { calls: 12, burst: 4 });
    assert_eq!(sessions.limits, Limits { timeout_s: 5.0, think_s: 1.0 });
    assert_eq!(sessions.sampling, Sampling { first_s: 2.5, every_s: 5.0 });
    assert!(sessions.socket.choose_ports && sessions.socket.close_with_reset);
    assert_eq!((sessions.failure_status, sessions.retry), (None, Retry::Never));
}

#[test]
fn sessions_and_their_room() {
    let wsess = sessions(&["--wsess=5,16,0.1", "--burst-length=8", "--rate=10"]);
    assert_eq!(wsess.script, Script::Bursts { calls: 16, burst: 8, think_s: 0.1 });
    assert_eq!((wsess.connections, wsess.calls_in_flight), (4, 32));
    assert_eq!((wsess.retry, wsess.cookies), (Retry::AfterReply, false));
    let line = "--wsess=5,4,0 --http-version=1.0 --retry-on-failure --session-cookies \
                --failure-status=503 --max-connections=2";
    let wsess = sessions(&line.split_whitespace().collect::<Vec<_>>());
    assert_eq!((wsess.connections, wsess.calls_in_flight), (2, 1));
    assert_eq!((wsess.retry, wsess.cookies), (Retry::Always, true));
    assert_eq!((wsess.failure_status, wsess.open_connections), (Some(503), None));
    let pages = sessions(&["--wsesspage=2,3,0.1"]);
    assert_eq!(pages.script, Script::Pages { visits: 3, think_s: 0.1 });
    assert_eq!(
        refused(&["--wsess=1,300,0", "--burst-length=150"]),
        "httperf.session_issue_call: too many calls pending!\n\
         \tIncrease --max-connections and/or --max-piped-calls.\n"
    );
    sessions(&["--wsess=1,129,0", "--burst-length=150"]);
}

#[test]
fn sources_of_uris() {
    let first = |line: &[&str]| {
        let mut uri = Vec::new();
        UriWalker::new(&sessions(line).uris).uri(0, &mut uri);
        String::from_utf8(uri).unwrap()
    };
    assert_eq!(first(&["--uri=/a b"]), "/a b");
    assert_eq!(first(&["--uri=/wset", "--wset=100,1.0", "--client=3/7"]), "/wset/1/0.html");
    // The original takes the first byte off instead of the slash.
    assert_eq!(first(&["--uri=/wset/", "--wset=10,0"]), "/wset/0.html");
    assert_eq!(first(&["--uri=/", "--wset=10,0"]), "/0.html");
    let (_folder, uris) = file(b"/1k.html\0/10k.bin\0");
    let wlog = format!("--wlog=y,{uris}");
    assert_eq!(first(&["--wset=10,0", &wlog]), "/1k.html");
    assert_eq!(first(&[&wlog, "--wset=10,0"]), "/0.html");
}

#[test]
fn files_and_names_that_are_refused() {
    assert_eq!(refused(&["--wlog=y,nofile"]), "httperf: can't open nofile\n");
    assert_eq!(refused(&["--wsesslog=1,0,nofile.log"]), "httperf: can't open nofile.log\n");
    assert_eq!(refused(&["--servers=nofile"]), "httperf: can't open nofile\n");
    let (_folder, empty) = file(b"");
    let line = format!("--wlog=y,{empty}");
    assert_eq!(refused(&[&line]), format!("httperf: file {empty} is empty\n"));
    for server in ["no host", "host/path", "", "a@b"] {
        assert_eq!(
            refused(&["--server", server]),
            format!("httperf.core_addr_intern: invalid server address {server}\n")
        );
    }
    let with_password = refused(&["--server", "user:hunter2@host"]);
    assert_eq!(with_password, "httperf.core_addr_intern: invalid server address …@host\n");
    assert!(refused(&["--port=0"]).contains("port"));
    let old = refused(&["--ssl-protocol=TLSv1.1"]);
    assert_eq!(old, "httperf: TLSv1.1 is not supported: use TLSv1.2, TLSv1.3 or auto\n");
}

#[test]
fn tls_as_asked_for() {
    let line = "--ssl-protocol=TLSv1.2 --tls-server-name=localhost --ssl-ciphers=A:B \
                --ssl-verify --ssl-ca-file=ca.pem --ssl-no-reuse";
    let Prepared { plan, .. } = prepared(&line.split_whitespace().collect::<Vec<_>>());
    assert_eq!(plan.target().url(), "https://localhost:443/");
    let tls = plan.tls().cloned().unwrap();
    let expected = Tls {
        version: Some(TlsVersion::V1_2),
        ciphers: Some("A:B".to_owned()),
        verify: true,
        ca_file: Some("ca.pem".into()),
        server_name: "localhost".into(),
        resume: false,
        stop_on_failure: true,
        ..Tls::default()
    };
    assert_eq!(tls, expected);
}

/// Whatever the numbers, what the options let through is a plan.
#[test]
fn extreme_numbers_are_plans() {
    for line in [
        &["--rate=1e300", "--num-conns=-5", "--num-calls=-1"][..],
        &["--period=e1e-300", "--num-calls=0", "--timeout=-1"],
        &["--timeout=1e300", "--think-timeout=1e300", "--rate=0"],
        &["--wsess=0,0,1e300", "--client=4294967294/4294967295"],
        &["--wset=0,1", "--client=7/9", "--send-buffer=-1"],
    ] {
        prepared(line);
    }
}
