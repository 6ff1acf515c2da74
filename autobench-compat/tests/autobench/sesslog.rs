//! `sesslog` against what the original was seen to do. Where the original wrote
//! garbage (` method=`, `408 method=-"`), the line is skipped and counted.

use autobench_compat::sesslog::{METHODS, Skip, convert, parse};
use proptest::prelude::*;

use crate::place::Place;

const SESSION: &str = "\
/a/b.html method=GET
/form?x=1 method=POST
/simple method=GET
* method=OPTIONS
";
const SKIPPED: &str = "sesslog: 3 of 7 lines skipped: 1 empty, 2 without a request\n";

#[test]
fn files() {
    let place = Place::new();
    place.replay(r#"sesslog access.log out.sess; echo "exit $?""#, "exit 0\n", SKIPPED, 0);
    assert_eq!(place.read("out.sess"), SESSION);
}

#[test]
fn standard_streams() {
    let place = Place::new();
    place.replay("sesslog access.log", SESSION, SKIPPED, 0);
    let stdout = format!("{SESSION}exit 0\n");
    place.replay(r#"sesslog < access.log; echo "exit $?""#, &stdout, SKIPPED, 0);
}

#[test]
fn usage_and_files_that_cannot_be_opened() {
    let place = Place::new();
    place.replay(
        r#"sesslog a b c; echo "exit $?""#,
        "exit 255\n",
        "Usage: cr_sesslog [<infile>] [<outfile>]\n",
        0,
    );
    place.replay(
        r#"sesslog nofile.log; echo "exit $?"; sesslog access.log /nonexistent/x; echo "exit $?""#,
        "exit 255\nexit 255\n",
        "nofile.log: No such file or directory\n/nonexistent/x: No such file or directory\n",
        0,
    );
}

#[test]
fn a_last_line_without_its_end_is_a_line() {
    Place::new().replay(
        r#"sesslog nonl.log; echo "[exit $?]""#,
        "/last method=GET\n[exit 0]\n",
        "",
        0,
    );
}

#[test]
fn a_log_is_not_overwritten_by_its_sessions() {
    let place = Place::new();
    let before = place.read("access.log");
    let printed = place.run("ln -s access.log link; sesslog access.log link");
    assert_eq!(printed.status, 255);
    assert!(printed.stderr.contains("name another file"), "{printed:?}");
    assert_eq!(place.read("access.log"), before);
}

#[test]
fn a_full_disk_is_told() {
    let place = Place::new();
    place.replay(
        "sesslog nonl.log /dev/full",
        "",
        "sesslog: cannot convert the log: No space left on device\n",
        255,
    );
}

#[test]
fn a_log_without_requests_is_told() {
    let printed = Place::new().run("echo x | sesslog");
    assert_eq!((printed.stdout.as_str(), printed.status), ("", 0));
    assert!(printed.stderr.contains("nothing to write"), "{printed:?}");
}

#[test]
fn methods_that_httperf_refuses_are_left_out() {
    let place = Place::new();
    place.replay(
        r#"echo 'h - - [d] "PATCH /a HTTP/1.1" 200 1
h - - [d] "PROPFIND /c HTTP/1.1" 207 1
h - - [d] "REPORT /d HTTP/1.1" 207 1
h - - [d] "TRACE /b HTTP/2" 200 1' | sesslog"#,
        "/c method=PROPFIND\n/d method=REPORT\n/b method=TRACE\n",
        "sesslog: 1 of 4 lines skipped: 1 with a method that httperf --wsesslog does not take\n",
        0,
    );
}

/// Both know the same methods: none is skipped that could be run, none is written that
/// could not.
#[test]
fn what_is_written_is_what_httperf_takes() {
    let words = ["CONNECT", "COPY", "LOCK", "MKCOL", "MOVE", "PATCH", "PROPPATCH", "SEARCH"];
    let folder = tempfile::tempdir().unwrap();
    for method in METHODS.into_iter().chain(words) {
        let log = format!("h - - [d] \"{method} /a HTTP/1.1\" 200 1\n");
        let mut session = Vec::new();
        convert(&mut log.as_bytes(), &mut session, None).unwrap();
        let file = folder.path().join(method);
        std::fs::write(&file, format!("/a method={method}\n")).unwrap();
        let taken = loadgen_core::httperf::read_sessions(&file, 0.0).is_ok();
        assert_eq!(taken, !session.is_empty(), "{method}");
    }
}

fn sessions(log: &str, gap_s: f64) -> (String, Vec<u64>) {
    let mut out = Vec::new();
    let skipped = convert(&mut log.as_bytes(), &mut out, Some(gap_s)).unwrap();
    let counts = [Skip::NoTime, Skip::TooManySessions].map(|skip| skipped.of(skip));
    (String::from_utf8(out).unwrap(), counts.to_vec())
}

fn line(client: &str, clock: &str, uri: &str) -> String {
    format!("{client} - - [10/Oct/2000:{clock} +0000] \"GET {uri} HTTP/1.1\" 200 1\n")
}

#[test]
fn clients_become_sessions() {
    let log = [
        line("::1", "10:00:00", "/a"),
        line("10.0.0.2", "10:00:00", "/b"),
        line("::1", "10:00:00", "/a.css"),
        // Logged when it ended, asked for earlier.
        line("::1", "10:00:07", "/c"),
        line("::1", "10:00:05", "/slow"),
        line("::1", "10:00:37", "/d"),
        line("::1", "10:01:08", "/later"),
        "h - - [d] \"GET / HTTP/1.1\" 200 1\n".into(),
    ]
    .concat();
    let (out, counts) = sessions(&log, 30.0);
    let expected = "\
/a method=GET think=5
\t/a.css method=GET
/slow method=GET think=2
/c method=GET think=30
/d method=GET

/b method=GET

/later method=GET
";
    assert_eq!(out, expected);
    assert_eq!(counts, [1, 0]);
}

#[test]
fn no_more_sessions_than_httperf_takes() {
    let log: String = (0..1005).map(|n| line(&format!("host{n}"), "10:00:00", "/")).collect();
    let (out, counts) = sessions(&log, 30.0);
    assert_eq!(out.split("\n\n").count(), 1000);
    assert_eq!(counts, [0, 5]);
}

#[test]
fn sessions_of_the_command_line() {
    let place = Place::new();
    let printed = place.run("sesslog --sessions 300 access.log out.sess; cat out.sess");
    assert_eq!(
        printed.stdout,
        "/a/b.html method=GET\n\n/form?x=1 method=POST\n\n/simple method=GET\n"
    );
    let counts = "4 of 7 lines skipped: 1 empty, 2 without a request, 1 without a time";
    assert!(printed.stderr.contains(counts), "{printed:?}");
    let bad = place.run("sesslog --sessions soon access.log");
    assert_eq!(bad.status, 255);
    assert!(bad.stderr.contains("'soon'"), "{bad:?}");
}

#[test]
fn help_and_version() {
    let place = Place::new();
    let help = place.run("sesslog --help");
    assert!(help.status == 0 && help.stdout.contains("--sessions GAP"), "{help:?}");
    assert!(place.run("sesslog --version").stdout.starts_with("sesslog (autobench-compat) "));
}

/// Bytes that are likely to look like a line of a log.
fn log_line() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..80),
        "[a\"\\\\ \\[\\]:/#-]{0,6}\\[10/Oct/2000:13:55:3[0-9] -0700\\] \"?(GET|POST|-|X)? ?[ -~]{0,12}( HTTP/1.1)?\"?"
            .prop_map(String::into_bytes),
        "(::1|h|1.2.3.4) - - \\[[ -~]{0,9}\\] \"(GET|PUT) /[!-~é]{0,9}( HTTP/[12])?\" 200"
            .prop_map(String::into_bytes),
    ]
}

proptest! {
    #[test]
    fn one_line_of_output_for_each_accepted_line(lines in prop::collection::vec(log_line(), 0..12)) {
        let lines: Vec<Vec<u8>> = lines
            .into_iter()
            .map(|line| line.into_iter().filter(|byte| !b"\r\n".contains(byte)).collect())
            .collect();
        let mut log = lines.join(&b'\n');
        log.push(b'\n');
        let accepted: Vec<_> = lines.iter().filter_map(|line| parse(line).ok()).collect();
        let mut out = Vec::new();
        let skipped = convert(&mut log.as_slice(), &mut out, None).unwrap();
        let rows: Vec<&[u8]> = out.split(|&byte| byte == b'\n').collect();
        prop_assert_eq!(rows.len(), accepted.len() + 1);
        prop_assert_eq!(skipped.total() + accepted.len() as u64, skipped.lines);
        for (row, entry) in rows.iter().zip(&accepted) {
            // Two words, as --wsesslog reads them, and no comment.
            let words: Vec<&[u8]> = row.split(u8::is_ascii_whitespace).collect();
            prop_assert_eq!(words.len(), 2);
            prop_assert_eq!(words[0], entry.request.uri);
            prop_assert!(!words[0].is_empty() && words[0][0] != b'#');
            prop_assert!(METHODS.contains(&entry.request.method));
        }
        let mut out = Vec::new();
        let grouped = convert(&mut log.as_slice(), &mut out, Some(5.0)).unwrap();
        let requests = out
            .split(|&byte| byte == b'\n')
            .filter(|row| !row.is_empty())
            .count();
        prop_assert_eq!(requests as u64 + grouped.total(), grouped.lines);
    }
}
