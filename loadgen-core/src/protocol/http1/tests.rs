//! A table for each rule of framing. Every reply in it is played in many splits.

use super::ReplyParser;
use super::error::ProtocolError;
use super::harness::{End, Outcome, check_splits};
use crate::protocol::{Progress, Truncated};

/// All ways to play the reply agree; the common outcome.
fn play(reply: &str) -> Outcome {
    check_splits(reply.as_bytes(), false, &[7, 3])
}

/// A reply that is complete by itself: how many bytes are left behind it.
fn complete(reply: &str) -> (u16, usize, bool) {
    let outcome = play(reply);
    assert_eq!(outcome.end, End::Complete, "{reply:?}");
    (outcome.status, reply.len() - outcome.consumed, outcome.keep_alive)
}

/// The end of a reply with these field lines and the body `12345`.
fn with_fields(fields: &str) -> Outcome {
    play(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n12345"))
}

fn failed(reply: &str) -> ProtocolError {
    match play(reply).end {
        End::Failed(error) => error,
        end => panic!("{end:?}: {reply:?}"),
    }
}

#[test]
fn plain_replies() {
    for (reply, expected) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345", (200, 0, true)),
        ("HTTP/1.1 200 OK\r\ncontent-LENGTH:5\r\n\r\n12345HTTP/1.1 2", (200, 10, true)),
        ("HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", (404, 0, true)),
        ("HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n", (404, 0, true)),
        ("HTTP/1.1 999 \u{e9}t\u{e9}\nA: \n\tb\nContent-Length: \t 2 \t\n\nxy", (999, 0, true)),
        ("\r\n\n\r\nHTTP/1.1 204 No Content\r\n\r\n", (204, 0, true)),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n12345", (304, 5, true)),
        ("HTTP/1.1 204 X\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n", (204, 3, true)),
        ("HTTP/1.1 204 X\r\nContent-Length: x\r\nContent-Length: 1, 2\r\n\r\n", (204, 0, true)),
    ] {
        assert_eq!(complete(reply), expected, "{reply:?}");
    }
    let reply = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    let outcome = check_splits(reply, true, &[5]);
    assert_eq!((outcome.end, outcome.keep_alive), (End::Complete, true));
    let outcome = check_splits(b"HTTP/1.1 200 OK\r\n\r\n", true, &[5]);
    assert_eq!((outcome.end, outcome.keep_alive), (End::Complete, true));
}

#[test]
fn status_lines_that_are_none() {
    for reply in [
        "HTTP/1.2 200 OK\r\n",
        "HTTP/2.0 200 OK\r\n",
        "HTTP/2 200\r\n",
        "http/1.1 200 OK\r\n",
        "HTTP/1.1  200 OK\r\n",
        "HTTP/1.1 20 OK\r\n",
        "HTTP/1.1 2000 OK\r\n",
        "HTTP/1.1 099 OK\r\n",
        "HTTP/1.1 +20 OK\r\n",
        "HTTP/1.1 200\r\rOK\r\n",
        "HTTP/1.1 200OK\r\n",
        " HTTP/1.1 200 OK\r\n",
        "\rHTTP/1.1 200 OK\r\n",
        "<html>",
        "SSH-2.0-OpenSSH",
        "H2",
        "\0",
    ] {
        assert_eq!(failed(reply), ProtocolError::BadStatusLine, "{reply:?}");
    }
    let binary = check_splits(b"\x15\x03\x01\0\x02\x02\x50", false, &[2]);
    assert_eq!(binary.end, End::Failed(ProtocolError::BadStatusLine));
}

#[test]
fn lines_that_are_no_fields() {
    for fields in [
        " A: b\r\n",
        "A\r\n",
        ": b\r\n",
        "A : b\r\n",
        "A b: c\r\n",
        "\u{e9}: b\r\n",
        "\r\r\n",
        "A\0:",
    ] {
        assert_eq!(with_fields(fields).end, End::Failed(ProtocolError::BadHeader), "{fields:?}");
    }
}

#[test]
fn content_lengths() {
    use ProtocolError::{BadContentLength, ConflictingLengths};
    for good in [
        "Content-Length: 5\r\n",
        "Content-Length: 0005\r\n",
        "Content-Length: 00000000000000000000000000005\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5, 05 ,5\r\n",
        "Content-Length:\r\n 5\r\n",
        "Content-Length: 5\n\t,\n 5\n",
        "X-Content-Length: 6\r\nContent-Length: 5\r\nContent-Lengths: 7\r\n",
        "Transfer-Encoding: identity\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nTransfer-Encoding:IDENTITY ,identity\r\n",
    ] {
        let outcome = with_fields(good);
        assert_eq!((outcome.end, outcome.keep_alive), (End::Complete, true), "{good:?}");
    }
    for (fields, error) in [
        ("Content-Length: 5\r\nContent-Length: 6\r\n", ConflictingLengths),
        ("Content-Length: 5, 6\r\n", ConflictingLengths),
        ("Content-Length: 5, 6, 5, x\r\n", ConflictingLengths),
        ("Content-Length:\r\n", BadContentLength),
        ("Content-Length: 5,\r\n", BadContentLength),
        ("Content-Length: +5\r\n", BadContentLength),
        ("Content-Length: -5\r\n", BadContentLength),
        ("Content-Length: 5 5\r\n", BadContentLength),
        ("Content-Length: 1\r\n 2\r\n", BadContentLength),
        ("Content-Length: 5;\r\n", BadContentLength),
        ("Content-Length: 0x5\r\n", BadContentLength),
        ("Content-Length: 18446744073709551616\r\n", BadContentLength),
        ("Content-Length: x\r\nContent-Length: 5\r\n", BadContentLength),
    ] {
        assert_eq!(with_fields(fields).end, End::Failed(error), "{fields:?}");
    }
    let largest = with_fields("Content-Length: 18446744073709551615\r\n");
    assert_eq!(largest.end, End::Cut(Truncated::InBody));
}

#[test]
fn connection_persistence() {
    for (version, fields, expected) in [
        ("1.1", "", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "CONNECTION: a,Close ,b\r\n", false),
        ("1.1", "Connection: keep-alive\r\nConnection: close\r\n", false),
        ("1.1", "Connection: closed\r\nX-Connection: close\r\n", true),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: keep-alive, close\r\n", false),
        ("1.0", "Keep-Alive: timeout=5\r\n", false),
    ] {
        let reply = format!("HTTP/{version} 200 OK\r\n{fields}Content-Length: 0\r\n\r\n");
        assert_eq!(complete(&reply), (200, 0, expected), "{reply:?}");
    }
}

#[test]
fn transfer_codings() {
    let chunked = "5\r\n12345\r\n0\r\n\r\n";
    for (head, expected) in [
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true),
        ("HTTP/1.1 200 OK\r\nTRANSFER-ENCODING:gzip ,\tChunked\r\n\r\n", true),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n", true),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip,\r\n chunked\r\n\r\n", true),
        // No coding at all, by an old name.
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity, chunked\r\n\r\n", true),
        // Both framings: the coding wins, the connection does not live on.
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", false),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: x\r\n\r\n", false),
        ("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n", false),
    ] {
        assert_eq!(complete(&format!("{head}{chunked}more")), (200, 4, expected), "{head:?}");
    }
    for fields in [
        "",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding:\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding: chunked;a=b\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n",
        "Transfer-Encoding: gzip\r\nContent-Length: 1\r\n",
        "Transfer-Encoding: gzip, identity\r\nContent-Length: 1\r\n",
        "Transfer-Encoding: identity\r\n",
    ] {
        let outcome = with_fields(fields);
        assert_eq!((outcome.end, outcome.keep_alive), (End::Closed, false), "{fields:?}");
        assert_eq!((outcome.status, outcome.in_head), (200, false));
    }
}

#[test]
fn chunks() {
    let play = |body: &str| {
        play(&format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}")).end
    };
    let long = format!("1;{}\r\nx\r\n0\r\n\r\n", "e".repeat(4096 - 4));
    for good in [
        "0\r\n\r\n",
        "000\n\n",
        "5\r\n12345\r\n0\r\n\r\n",
        "00000000000000000000005\r\n12345\r\n00000000000000000\r\n\r\n",
        "A \t;x=\"y;\"\r\n0123456789\n0000000000000001\nx\r\n0;q\r\nT: 1\r\n f\r\nU: 2\r\n\r\n",
        long.as_str(),
    ] {
        assert_eq!(play(good), End::Complete, "{good:?}");
    }
    let too_long = format!("1;{}\r\nx\r\n0\r\n\r\n", "e".repeat(4096 - 3));
    for (bad, error) in [
        ("\r\n", ProtocolError::BadChunk),
        (" 5\r\n12345", ProtocolError::BadChunk),
        ("g", ProtocolError::BadChunk),
        ("-1\r\n", ProtocolError::BadChunk),
        ("0x5\r\n", ProtocolError::BadChunk),
        ("5 5\r\n", ProtocolError::BadChunk),
        ("5\r\r\n", ProtocolError::BadChunk),
        ("5\r\n123456\r\n", ProtocolError::BadChunk),
        ("5\r\n12345\rx", ProtocolError::BadChunk),
        ("10000000000000000\r\n", ProtocolError::BadChunk),
        ("00010000000000000000\r\n", ProtocolError::BadChunk),
        (too_long.as_str(), ProtocolError::ChunkLineTooLarge),
        ("0\r\nT\r\n\r\n", ProtocolError::BadTrailer),
        ("0\r\n T: 1\r\n\r\n", ProtocolError::BadTrailer),
    ] {
        assert_eq!(play(bad), End::Failed(error), "{bad:?}");
    }
    for cut in ["", "5", "5\r\n", "5\r\n12345", "5\r\n12345\r", "ffffffffffffffff\r\n", "0\r\nT: 1"]
    {
        assert_eq!(play(cut), End::Cut(Truncated::InBody), "{cut:?}");
    }
}

#[test]
fn interim_replies() {
    let interim = "HTTP/1.1 103 Early Hints\r\nContent-Length: x\r\nConnection: close\r\n\r\n";
    let last = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(complete(&format!("HTTP/1.0 100\n\n{interim}{last}")), (200, 0, true));
    assert_eq!(complete(&format!("{}{last}", interim.repeat(100))), (200, 0, true));
    assert_eq!(failed(&format!("{}{last}", interim.repeat(101))), ProtocolError::TooManyInterim);
    assert_eq!(failed("HTTP/1.1 101 Switching\r\n\r\n"), ProtocolError::Upgraded);
    let between = play(interim);
    assert_eq!((between.end, between.status), (End::Cut(Truncated::InHead), 0));
}

#[test]
fn limits_of_head_and_trailers() {
    let limit = 64 * 1024;
    let field = |length: usize| format!("A: {}\r\n", "b".repeat(length - 5));
    let head = |length: usize| format!("HTTP/1.1 204 X\r\n{}\r\n", field(length - 18));
    assert_eq!(complete(&head(limit)), (204, 0, true));
    assert_eq!(failed(&head(limit + 1)), ProtocolError::HeadTooLarge);
    // A head that never ends, of one name, one value, many folds, many fields, a
    // long reason, or empty lines.
    for (start, endless) in [
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "A"),
        ("HTTP/1.1 200 OK\r\n", "A"),
        ("HTTP/1.1 200 OK\r\nA:", "b"),
        ("HTTP/1.1 200 OK\r\nA:", "\r\n "),
        ("HTTP/1.1 200 OK\r\n", "A:b\r\n"),
        ("HTTP/1.1 200 ", "OK"),
        ("", "\r\n"),
        ("", "\n"),
    ] {
        // The limit counts from the trailers on, if that is where it is endless.
        let (before, expected) = match start.strip_suffix("0\r\n") {
            Some(_) => (start.len(), ProtocolError::TrailersTooLarge),
            None => (0, ProtocolError::HeadTooLarge),
        };
        let reply = format!("{start}{}", endless.repeat(limit + 1));
        // Known as soon as the limit is reached, so that no buffer need be larger.
        assert_eq!(failed(&reply[..before + limit]), expected, "{start:?} {endless:?}");
        assert_eq!(failed(&reply[..before + limit + 1]), expected, "{start:?} {endless:?}");
    }
    let trailers = |length: usize| {
        let start = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
        format!("{start}{}\r\n", field(length - 2))
    };
    assert_eq!(complete(&trailers(limit)), (200, 0, true));
    assert_eq!(failed(&trailers(limit + 1)), ProtocolError::TrailersTooLarge);
}

#[test]
fn where_a_reply_was_cut() {
    for (reply, cut) in [
        ("", Truncated::BeforeHead),
        ("\r", Truncated::InHead),
        ("\r\n", Truncated::InHead),
        ("H", Truncated::InHead),
        ("HTTP/1.1 200 OK\r\n", Truncated::InHead),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r", Truncated::InHead),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Truncated::InBody),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n1234", Truncated::InBody),
    ] {
        let outcome = play(reply);
        assert_eq!((outcome.end, outcome.keep_alive), (End::Cut(cut), false), "{reply:?}");
        assert_eq!(outcome.in_head, cut != Truncated::InBody, "{reply:?}");
    }
}

#[test]
fn dropping_a_large_body() {
    let mut parser = ReplyParser::new(false);
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\nxx";
    assert_eq!(parser.discardable(), 0);
    assert_eq!(parser.advance(head), Ok((head.len(), Progress::More)));
    assert_eq!(parser.discardable(), 9_999_999_998);
    assert_eq!(parser.discarded(9_999_999_990), Progress::More);
    assert_eq!(parser.discarded(8), Progress::Done);
    assert!(parser.keep_alive());

    let mut parser = ReplyParser::new(false);
    assert_eq!(parser.advance(b"HTTP/1.1 200 OK\r\n\r\n"), Ok((19, Progress::More)));
    assert_eq!(parser.discardable(), u64::MAX);
    assert_eq!(parser.discarded(1 << 40), Progress::More);
    assert_eq!(parser.end_of_stream(), Ok(()));
    assert!(!parser.keep_alive());
}
