//! Replies of an odd server as httperf 0.9.0 counted them, played in many splits;
//! then a table for each rule. Where this reader differs on purpose, it says so.

use super::harness::{End, Heard, Outcome, check_splits, replay};
use super::{BAD_CHUNK_LINES, Broken, INTERIM_LIMIT, LINES_LIMIT, TolerantReader};
use crate::protocol::{Progress, Truncated};

/// All ways to play the reply agree; the common outcome.
fn play(reply: &str) -> Outcome {
    check_splits(reply.as_bytes(), false, &[7, 3])
}

/// Header, content and footer bytes.
fn sizes(outcome: &Outcome) -> (u64, u64, u64) {
    (outcome.sizes.header, outcome.sizes.content, outcome.sizes.footer)
}

/// A reply that ends so, with this status and these sizes, without a notice.
#[track_caller]
fn counted(reply: &str, end: End, status: u32, expected: (u64, u64, u64)) -> Outcome {
    let outcome = play(reply);
    assert_eq!((outcome.end, outcome.status), (end, status), "{reply:?}");
    assert_eq!(sizes(&outcome), expected, "{reply:?}");
    assert_eq!(outcome.heard.notices, [""; 0], "{reply:?}");
    outcome
}

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

#[test]
fn sizes_as_httperf_printed_them() {
    use End::{Closed, Complete};
    let chunked = |body: &str| format!("{CHUNKED}{body}");
    for (reply, end, status, expected) in [
        (
            "HTTP/1.1 200 OK\r\nServer: odd\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbye\n"
                .to_owned(),
            Complete,
            200,
            (70, 4, 0),
        ),
        (chunked("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"), Complete, 200, (47, 11, 2)),
        (chunked("5;ext=1\r\nhello\r\n0\r\nX-T: abc\r\n\r\n"), Complete, 200, (47, 5, 12)),
        (chunked("5\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n"), Complete, 200, (47, 21, 2)),
        (chunked("000000000000000000005\r\nhello\r\n0\r\n\r\n"), Complete, 200, (47, 5, 2)),
        (
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 50\r\n\r\n".to_owned(),
            Complete,
            304,
            (49, 0, 0),
        ),
        ("HTTP/1.1 200 OK\nContent-Length: 3\n\nabc".to_owned(), Complete, 200, (35, 3, 0)),
        ("HTTP/1.0 200 OK\r\n\r\nuntil close".to_owned(), Closed, 200, (19, 11, 0)),
        // nginx.
        (
            "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sun, 22 Nov 2026 14:19:32 GMT\r\n\
          Content-Type: text/plain\r\nContent-Length: 7\r\nConnection: keep-alive\r\n\r\nposted\n"
                .to_owned(),
            Complete,
            200,
            (147, 7, 0),
        ),
        // Surplus bytes are not of this reply: httperf aborts if another call follows.
        (
            "HTTP/1.1 200 OK\r\nServer: odd\r\nContent-Length: 6\r\n\r\nhello\nSURPLUS".to_owned(),
            Complete,
            200,
            (51, 6, 0),
        ),
        // The same as httperf counts in one read; in many, it leaves out a part of
        // the status line.
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-Y: z\r\n\r\nabc".to_owned(),
            Complete,
            200,
            (46, 3, 0),
        ),
    ] {
        let outcome = counted(&reply, end, status, expected);
        let left = if reply.ends_with("SURPLUS") { 7 } else { 0 };
        assert_eq!(outcome.consumed, reply.len() - left, "{reply:?}");
    }
}

/// As httperf: told, and the length counts.
#[test]
fn an_unknown_coding_does_not_hide_the_length() {
    let outcome =
        play("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabcHTTP");
    assert_eq!((outcome.end, outcome.consumed), (End::Complete, 70));
    assert_eq!(outcome.heard.notices, ["coding identity"]);
}

#[test]
fn the_splits_of_the_odd_server() {
    for pieces in [
        [
            CHUNKED.split_at(29).0,
            CHUNKED.split_at(29).1,
            "5\r\nhel",
            "lo\r",
            "\n1",
            "0\r\n0123456789abcdef\r\n0",
            "\r\n\r",
            "\n",
        ]
        .as_slice(),
        &["HTT", "P/1.1 20", "0 OK\r\nContent-Length: 3\r\n", "X-Y: z\r\n\r\na", "bc"],
    ] {
        let mut lengths = pieces.iter().map(|piece| piece.len());
        let reply = pieces.concat();
        let outcome = replay(reply.as_bytes(), false, || (lengths.next().unwrap(), false));
        assert_eq!(outcome, play(&reply));
        assert_eq!(outcome.end, End::Complete);
    }
}

#[test]
fn lines_and_body_are_handed_out() {
    let outcome = play(&format!("{CHUNKED}5;ext=1\r\nhello\r\n2\r\n\r\n\r\n0\r\nX-T: abc\r\n\r\n"));
    let lines: Vec<_> = outcome.heard.lines.iter().map(|line| text(line)).collect();
    assert_eq!(lines, [r"HTTP/1.1 200 OK\r", r"Transfer-Encoding: chunked\r", r"\r"]);
    assert_eq!(text(&outcome.heard.body), r"hello\r\n");
    let outcome = play("HTTP/1.1 200 OK\nA: 1\n\nx");
    assert_eq!(outcome.heard.lines, [b"HTTP/1.1 200 OK".as_slice(), b"A: 1", b""]);
}

#[test]
fn a_stream_that_ends_early() {
    use Truncated::{BeforeHead, InBody, InHead};
    for (reply, cut) in [
        ("", BeforeHead),
        ("H", InHead),
        ("HTTP/1.1 200 OK\r\n", InHead),
        ("HTTP/1.1 200 OK\r\nA: 1\r\n\r", InHead),
        ("HTTP/1.1 100 Continue\r\n\r\n", InHead),
        // httperf counts this as a reply of 9 bytes.
        ("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this", InBody),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\nonly", InBody),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\n", InBody),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: 1\r\n", InBody),
    ] {
        assert_eq!(play(reply).end, End::Cut(cut), "{reply:?}");
    }
}

#[test]
fn interim_replies_do_not_count() {
    let after = "HTTP/1.1 200 OK\r\nServer: odd\r\nContent-Length: 9\r\n\r\nafter100\n";
    for interim in [
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n",
        "HTTP/1.1 100 A\r\n\r\nHTTP/1.1 199 B\nContent-Length: 3\nTransfer-Encoding: x\n\n",
    ] {
        let outcome = counted(&format!("{interim}{after}"), End::Complete, 200, (51, 9, 0));
        assert_eq!(outcome.heard.lines.len(), 4);
    }
    // What follows 101 is not HTTP.
    let upgrade = "HTTP/1.1 101 Switching\r\nContent-Length: 3\r\n\r\n";
    let outcome = counted(&format!("{upgrade}abc"), End::Complete, 101, (45, 0, 0));
    assert_eq!(outcome.consumed, upgrade.len());
    let mut reader = TolerantReader::new(false);
    for (bytes, begun) in [("HTTP/1.1 100 C\r\n\r\n", false), ("HTTP/1.1 2", false), ("00\n", true)]
    {
        let read = reader.advance(bytes.as_bytes(), &mut Heard::default());
        assert_eq!((read, reader.begun), (Ok((bytes.len(), Progress::More)), begun));
    }
}

#[test]
fn replies_without_a_body() {
    for status in ["204", "205", "304"] {
        let head = format!("HTTP/1.1 {status}\r\n{}\r\n", "Transfer-Encoding: chunked\r\n");
        let outcome = play(&format!("{head}5\r\nhello\r\n"));
        assert_eq!((outcome.end, outcome.consumed), (End::Complete, head.len()));
    }
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n";
    assert_eq!(sizes(&check_splits(head, true, &[5])), (41, 0, 0));
    // A length of 0 wins over chunks.
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n";
    counted(head, End::Complete, 200, (66, 0, 0));
}

#[test]
fn status_lines() {
    for (line, status, notices) in [
        ("HTTP/1.1 200", 200, vec![]),
        ("HTTP/22.0  \t0200", 200, vec![]),
        ("HTTP/1.1 404Not Found", 404, vec![]),
        ("HTTP/1.1 600 Odd", 600, vec!["BadStatus(600)"]),
        ("HTTP/1.1 99 Odd", 99, vec!["BadStatus(99)"]),
        ("HTTP/1.1 0", 0, vec!["BadStatus(0)"]),
        ("HTTP/1.1 99999999999", u32::MAX, vec!["BadStatus(4294967295)"]),
        ("THIS IS NOT HTTP", 599, vec!["status line THIS IS NOT HTTP"]),
        ("HTTP/2 200", 599, vec!["status line HTTP/2 200"]),
        ("http/1.1 200", 599, vec!["status line http/1.1 200"]),
        ("HTTP/1.1", 599, vec!["status line HTTP/1.1"]),
        ("HTTP/1.1 OK", 599, vec!["status line HTTP/1.1 OK"]),
        ("", 599, vec!["status line "]),
    ] {
        let outcome = play(&format!("{line}\r\nContent-Length: 3\r\n\r\nabc"));
        assert_eq!((outcome.end, outcome.status), (End::Complete, status), "{line}");
        assert_eq!(outcome.heard.notices, notices);
        assert_eq!(sizes(&outcome), (line.len() as u64 + 23, 3, 0));
    }
    // No length either: it ends where the server closes.
    let outcome = play("THIS IS NOT HTTP\r\n\r\n");
    assert_eq!((outcome.end, outcome.status), (End::Closed, 599));
}

#[test]
fn lengths() {
    for (fields, content) in [
        ("content-LENGTH:2", 2),
        ("Content-Length: +2", 2),
        ("Content-Length:\t02\t", 2),
        ("Content-Length: 2, 3", 2),
        ("Content-Length: 5\r\nContent-Length: 2", 2),
        // As if it were not there. httperf reads a word as 0, and a sign or what
        // does not fit as a length that never comes.
        ("Content-Length: 2\r\nContent-Length: x", 2),
        ("Content-Length: -2", 3),
        ("Content-Length: 99999999999999999999999", 3),
        ("Content-Length:", 3),
        ("Content-Length:\r\n 2", 3),
        // Not this name.
        ("Content-Length : 2", 3),
        ("Content-Lengths: 2", 3),
        ("Content-Length", 3),
        (" Content-Length: 2", 3),
        ("content\rlength: 2", 3),
    ] {
        let outcome = play(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\nabc"));
        assert_eq!(outcome.sizes.content, content, "{fields}");
        let end = if content == 2 { End::Complete } else { End::Closed };
        assert_eq!(outcome.end, end, "{fields}");
    }
    let huge = play("HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\nabc");
    assert_eq!(huge.end, End::Cut(Truncated::InBody));
}

#[test]
fn transfer_encodings() {
    for (value, notices) in [
        ("gzip", vec!["coding gzip"]),
        ("gzip, chunked", vec!["coding gzip, chunked"]),
        ("\t\"x\" ", vec![r#"coding \"x\""#]),
    ] {
        let head =
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: {value}\r\nContent-Length: 3\r\n\r\n");
        let outcome = play(&format!("{head}abc"));
        assert_eq!((outcome.end, outcome.sizes.content), (End::Complete, 3));
        assert_eq!(outcome.sizes.header, head.len() as u64);
        assert_eq!(outcome.heard.notices, notices);
    }
    // httperf does not know the word with a space behind it.
    let head = "HTTP/1.1 200 OK\r\ntransfer-ENCODING:\tChunked \r\nContent-Length: 9\r\n\r\n";
    counted(&format!("{head}3\r\nabc\r\n0\r\n\r\n"), End::Complete, 200, (head.len() as u64, 3, 2));
}

#[test]
fn chunk_lines() {
    for (body, content, notices) in [
        ("zz\r\nhello\r\n0\r\n\r\n", "", vec!["chunk line zz", "chunk line hello"]),
        ("\r\n\n  3 \r\nabc\r\n\r\n\n0A junk\n0123456789\n00\r\n\r\n", "abc0123456789", vec![]),
        ("0x3\r\nabc\r\n0x\r\n\r\n", "abc", vec![]),
        // Without a line end behind the data.
        ("3\r\nabc3\r\ndef0\r\n\r\n", "abcdef", vec![]),
        (" \r\n-3\n0\r\n\r\n", "", vec!["chunk line  ", "chunk line -3"]),
        ("fffffffffffffffff\r\n0\r\n\r\n", "", vec!["chunk line fffffffffffffffff"]),
    ] {
        let outcome = play(&format!("{CHUNKED}{body}"));
        assert_eq!(outcome.end, End::Complete, "{body:?}");
        assert_eq!(outcome.heard.body, content.as_bytes(), "{body:?}");
        assert_eq!(outcome.heard.notices, notices);
        assert_eq!(sizes(&outcome), (47, content.len() as u64, 2));
    }
}

#[test]
fn long_lines_are_cut_but_counted() {
    let reply = |length: usize| {
        let value = "a".repeat(length - 10);
        format!(
            "HTTP/1.1 200 OK\r\nServer: odd\r\nX-Long: {value}\r\nContent-Length: 6\r\n\r\nhello\n"
        )
    };
    let outcome = play(&reply(3010));
    assert_eq!(sizes(&outcome), (3061, 6, 0));
    assert_eq!(outcome.heard.notices, ["LongLine(3010, 1024)"]);
    assert_eq!(outcome.heard.lines[2].len(), 1023);
    assert!(outcome.heard.lines[2].starts_with(b"X-Long: aaa"));
    // From this length on httperf says so.
    assert_eq!(play(&reply(1023)).heard.notices, [""; 0]);
    assert_eq!(play(&reply(1024)).heard.notices, ["LongLine(1024, 1024)"]);
    // Chunk lines and trailers, too.
    let long = "e".repeat(2000);
    let outcome = play(&format!("{CHUNKED}3;{long}\r\nabc\r\n0\r\nX: {long}\r\n\r\n"));
    assert_eq!(outcome.heard.notices, ["LongLine(2004, 1024)", "LongLine(2005, 1024)"]);
    assert_eq!(sizes(&outcome), (47, 3, 2007));
}

#[test]
fn what_does_not_end_is_given_up() {
    let broken = |start: &str, more: &str, count: usize| {
        let bytes = [start.as_bytes(), &more.as_bytes().repeat(count)].concat();
        check_splits(&bytes, false, &[8192, 1, 3000]).end
    };
    let interim = "HTTP/1.1 100 C\r\n\r\n";
    let most = usize::from(INTERIM_LIMIT);
    assert_eq!(broken("", interim, most), End::Cut(Truncated::InHead));
    assert_eq!(broken("", interim, most + 1), End::Broken(Broken::TooManyInterim));
    let most = usize::from(BAD_CHUNK_LINES);
    assert_eq!(broken(CHUNKED, "z\r\n", most), End::Cut(Truncated::InBody));
    assert_eq!(broken(CHUNKED, "z\r\n", most + 1), End::Broken(Broken::BadChunkLines));
    let last_chunk = format!("{CHUNKED}0\r\n");
    for (start, line) in
        [("", "H"), ("", "A: 1\r\n"), (CHUNKED, "\r\n"), (CHUNKED, "1"), (&last_chunk, "A: 1\r\n")]
    {
        let count = LINES_LIMIT / line.len();
        assert!(matches!(broken(start, line, count), End::Cut(_)), "{line:?}");
        assert_eq!(broken(start, line, count + 1), End::Broken(Broken::EndlessLines), "{line:?}");
    }
    // Many chunks are no such lines.
    assert_eq!(broken(CHUNKED, "1\r\nx\r\n", LINES_LIMIT / 4), End::Cut(Truncated::InBody));
}
