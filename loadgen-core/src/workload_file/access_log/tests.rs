//! Lines of real servers, and what is no line of one.

use proptest::prelude::*;

use super::*;
use crate::request::Request;
use crate::target::Target;
use crate::workload_file::ListedRequest;

fn read_all(log: &[u8], change_state: bool) -> Result<(Vec<ListedRequest>, Replayed), String> {
    let (request, target) = (Request::get(), Target::parse("http://h/").unwrap());
    let base = Base { request: &request, target: &target };
    let mut all = Vec::new();
    let mut take = |_: u64, listed: ListedRequest| {
        listed.validate().unwrap();
        all.push(listed);
        Ok(())
    };
    let read = read(log, Path::new("a.log"), &base, change_state, &mut take);
    read.map(|replayed| (all, replayed)).map_err(|error| error.to_string())
}

fn told(line: &str) -> Result<(i64, String, String), &'static str> {
    let logged = parse(line.as_bytes(), true).map_err(Skip::name)?;
    Ok((logged.at_us, logged.method, logged.path))
}

fn ok(at_us: i64, method: &str, path: &str) -> Result<(i64, String, String), &'static str> {
    Ok((at_us, method.to_owned(), path.to_owned()))
}

#[test]
fn lines_of_text() {
    let at = 971_211_336_000_000;
    let time = "[10/Oct/2000:13:55:36 -0700]";
    for (line, expected) in [
        // Apache's manual, common and combined.
        (
            format!(r#"127.0.0.1 - frank {time} "GET /apache_pb.gif HTTP/1.0" 200 2326"#),
            ok(at, "GET", "/apache_pb.gif"),
        ),
        (
            format!(
                r#"::1 - - {time} "GET /a?b=c HTTP/1.1" 200 2326 "http://[::1]/" "Mo (X; [en])""#
            ),
            ok(at, "GET", "/a?b=c"),
        ),
        // vhost_combined.
        (
            format!(
                r#"www.example.com:443 10.0.0.1 - - {time} "POST /cart HTTP/2.0" 201 5 "-" "-""#
            ),
            ok(at, "POST", "/cart"),
        ),
        (
            format!(r#"h - - {time} "GET http://www.example.com/x?y HTTP/1.1" 200 1"#),
            ok(at, "GET", "/x?y"),
        ),
        (
            format!(r#"h - - {time} "GET http://www.example.com HTTP/1.1" 200 1"#),
            ok(at, "GET", "/"),
        ),
        (format!(r#"h - - {time} "OPTIONS * HTTP/1.1" 200 1"#), ok(at, "OPTIONS", "*")),
        (format!(r#"h - - {time} "GET /old" 200 1"#), ok(at, "GET", "/old")),
        (format!(r#"h - - {time} "GET /a b HTTP/1.1" 200 1"#), ok(at, "GET", "/a%20b")),
        (format!(r#"h - - {time} "GET /\"q\"\\ HTTP/1.1" 400 1"#), ok(at, "GET", "/\"q\"\\")),
        (format!(r#"h - - {time} "GET /\x22\xC3\xA4 HTTP/1.1" 400 1"#), ok(at, "GET", "/\"%C3%A4")),
        (format!(r#"h - - {time} "GET /ä HTTP/1.1" 200 1"#), ok(at, "GET", "/%C3%A4")),
        (format!(r#"h - - {time} "-" 408 0 "-" "-""#), Err("no-request")),
        (format!(r#"h - - {time} "" 400 0 "-" "-""#), Err("no-request")),
        (format!(r#"h - - {time} "\x16\x03\x01\x02\x00 \x01" 400 157"#), Err("no-request")),
        (format!(r#"h - - {time} "GET /never-ends"#), Err("no-request")),
        (format!(r#"h - - {time} GET /a HTTP/1.1 200"#), Err("no-request")),
        (format!(r#"h - - {time} "CONNECT evil:443 HTTP/1.1" 405 1"#), Err("no-path")),
        (r#"h - - [soon] "GET /a HTTP/1.1" 200 1"#.to_owned(), Err("no-time")),
        ("hello".to_owned(), Err("not-a-log-line")),
    ] {
        assert_eq!(told(&line), expected, "{line}");
    }
}

#[test]
fn lines_of_json() {
    let at = 1_795_734_928_250_000;
    for (line, expected) in [
        (
            r#"{"msec":"1795734928.250","request":"GET /a?b HTTP/1.1","status":200}"#,
            ok(at, "GET", "/a?b"),
        ),
        (
            r#"{"time_iso8601":"2026-11-27T00:15:30+01:00","request_method":"PUT","request_uri":"/x","request_time":"1.750"}"#,
            ok(at, "PUT", "/x"),
        ),
        (
            r#"{"time":"[27/Nov/2026:00:15:28.250 +0100]","method":"GET","request":"/u","query":"?q=1"}"#,
            ok(at, "GET", "/u?q=1"),
        ),
        (
            r#"{"@timestamp":"2026-11-26T23:15:28.250Z","verb":"GET","path":"/p","args":"c=d"}"#,
            ok(at, "GET", "/p?c=d"),
        ),
        (
            r#"{"@timestamp":"2026-11-26T23:15:28.250Z","verb":"GET","path":"/p?x","args":"-"}"#,
            ok(at, "GET", "/p?x"),
        ),
        // Caddy's.
        (
            r#"{"ts":1795734928.25,"request":{"method":"GET","host":"h","uri":"/c"},"status":200}"#,
            ok(at, "GET", "/c"),
        ),
        (r#"{"ts":"soon","request":"GET / HTTP/1.1"}"#, Err("no-time")),
        (r#"{"ts":1795734928.25,"status":200}"#, Err("no-request")),
        (r#"{"ts":1795734928.25,"method":"CONNECT","uri":"h:1"}"#, Err("no-path")),
        (r#"{"ts":1795734928.25,"#, Err("not-a-log-line")),
        // Apache's, and nginx's without escape=json: no JSON, strictly.
        (
            r#"{"ts":1795734928.25,"agent":"\x22\x5c\x01\\x41","request":"GET /caf\xc3\xa9\x22?\\x41\x41 HTTP/1.1"}"#,
            ok(at, "GET", r#"/caf%C3%A9"?\x41A"#),
        ),
        (r#"{"ts":1795734928.25,"method":"-","uri":"-"}"#, Err("no-request")),
        (r#"{"a":"\x22"}"#, Err("no-time")),
        (r#"{"a":"\x2g"}"#, Err("not-a-log-line")),
        (r#"{"a":"\x2"#, Err("not-a-log-line")),
        (r#"{"a":"\"#, Err("not-a-log-line")),
    ] {
        assert_eq!(told(line), expected, "{line}");
    }
}

const LOG: &str = r#"h - - [10/Oct/2000:13:55:37 +0000] "GET /second HTTP/1.1" 200 1
h - - [10/Oct/2000:13:55:36 +0000] "GET /first HTTP/1.1" 200 1
h - - [10/Oct/2000:13:55:36 +0000] "POST /cart HTTP/1.1" 200 1

noise
h - - [10/Oct/2000:13:55:36 +0000] "-" 408 0
h - - [10/Oct/2000:13:55:39 +0000] "HEAD /last HTTP/1.1" 200 1
"#;

#[test]
fn requests_come_by_their_times_and_what_was_left_out_is_counted() {
    let (all, replayed) = read_all(LOG.as_bytes(), false).unwrap();
    let paths: Vec<&str> = all.iter().map(|listed| listed.path.as_str()).collect();
    assert_eq!(paths, ["/first", "/second", "/last"]);
    assert!(all[2].request.is_head());
    // One in the middle of each second.
    assert_eq!(replayed.times, [0, 1_000_000_000, 3_000_000_000]);
    let skipped = [("not-a-log-line", 1), ("no-request", 1), ("changes-state", 1)];
    assert_eq!(replayed.skipped, skipped.map(|(why, n)| (why.to_owned(), n)).into());
    let (all, replayed) = read_all(LOG.as_bytes(), true).unwrap();
    assert_eq!((all[1].path.as_str(), replayed.times[1]), ("/cart", 500_000_000));
    assert_eq!(replayed.skipped.len(), 2);
}

#[test]
fn finer_times_stay_as_they_are() {
    let log = r#"{"msec":"1.000","request":"GET /a HTTP/1.1"}
{"msec":"1.000","request":"GET /b HTTP/1.1"}
{"msec":"1.007","request":"GET /c HTTP/1.1"}
"#;
    let (_, replayed) = read_all(log.as_bytes(), false).unwrap();
    assert_eq!(replayed.times, [0, 0, 7_000_000]);
}

#[test]
fn a_log_of_which_nothing_can_be_replayed_says_why() {
    for (log, reason) in [
        ("a\nb\n", "2 are no lines of an access log (the first is line 1)"),
        (
            "\nh - - [10/Oct/2000:13:55:36 +0000] \"POST /cart HTTP/1.1\" 200 1\n",
            "1 are of methods that change state (the first is line 2); those of methods that change state are, if the",
        ),
    ] {
        let error = read_all(log.as_bytes(), false).unwrap_err();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn a_file_is_told_by_its_first_line() {
    assert!(is_one(LOG.as_bytes()));
    assert!(
        !is_one(b"/a\n/b\n")
            && !is_one(b"GET /a\n")
            && !is_one(b"")
            && !is_one(b"{\"path\":\"/a\"}")
    );
}

proptest! {
    #[test]
    fn what_is_taken_can_be_sent(line: Vec<u8>) {
        let _ = parse(&line, true);
        let mut log = b"h [10/Oct/2000:13:55:36 +0000] \"GET /".to_vec();
        log.extend(line.iter().filter(|byte| **byte != b'\n'));
        log.extend(b"\" 200\n");
        // Its requests are validated when they are taken.
        let _ = read_all(&log, true);
    }

    #[test]
    fn times_are_in_order_and_a_second_spread_is_its_own(seconds in prop::collection::vec(0_i64..20, 1..60)) {
        let mut times: Vec<i64> = seconds.iter().map(|s| s * MICROS_A_SECOND).collect();
        times.sort_unstable();
        let spread = from_the_first(&times);
        prop_assert!(spread.is_sorted());
        prop_assert_eq!(spread[0], 0);
        let first = 500_000_000 / seconds.iter().filter(|s| **s == times[0] / MICROS_A_SECOND).count() as u64;
        for (at, spread) in times.iter().zip(&spread) {
            let second = (spread + first) / 1_000_000_000;
            prop_assert_eq!(second as i64, (at - times[0]) / MICROS_A_SECOND);
        }
    }
}
