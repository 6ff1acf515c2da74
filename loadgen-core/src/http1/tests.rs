//! A table for each rule of framing; properties for splits, ends and the oracle.

use proptest::collection::vec;
use proptest::prelude::*;

use super::harness::{End, Outcome, check_oracle, check_splits, whole};
use super::{Progress, ProtocolError, ReplyParser, Truncated};

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
    ] {
        let outcome = with_fields(good);
        assert_eq!((outcome.end, outcome.keep_alive), (End::Complete, true), "{good:?}");
    }
    for (fields, error) in [
        ("Content-Length: 5\r\nContent-Length: 6\r\n", ConflictingLengths),
        ("Content-Length: 5, 6\r\n", ConflictingLengths),
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
        ("00000000000000001\r\n", ProtocolError::BadChunk),
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
        let count = limit / endless.len() + 1;
        let error = failed(&format!("{start}{}", endless.repeat(count)));
        let expected = match start.ends_with("0\r\n") {
            true => ProtocolError::TrailersTooLarge,
            false => ProtocolError::HeadTooLarge,
        };
        assert_eq!(error, expected, "{start:?} {endless:?}");
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

/// A reply, whether it answers a HEAD, and whether its connection lives on.
#[derive(Debug, Clone)]
struct Generated {
    bytes: Vec<u8>,
    head_request: bool,
    status: u16,
    keep_alive: bool,
    until_close: bool,
}

#[derive(Debug, Clone)]
enum Framing {
    Length(Vec<u8>),
    Chunked(Vec<(Vec<u8>, String)>, Vec<String>),
    UntilClose(Vec<u8>),
    /// No body although there is this length.
    None(u64),
}

fn line_end() -> impl Strategy<Value = &'static str> {
    prop_oneof![3 => Just("\r\n"), 1 => Just("\n")]
}

/// A field that does not concern framing, perhaps folded; without its line end.
fn other_field() -> impl Strategy<Value = String> {
    ("X-[A-Za-z0-9_-]{0,14}", vec("[ -~\t]{0,30}", 1..3), line_end())
        .prop_map(|(name, folds, end)| format!("{name}:{}", folds.join(&format!("{end}\t "))))
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![any::<u8>(), prop::sample::select(b"\r\n0:HT".as_slice())], 0..60)
}

fn framing() -> impl Strategy<Value = Framing> {
    let chunk = (vec(any::<u8>(), 1..40), "( ?;[a-z]{1,5}(=[a-z0-9\"]{0,9})?){0,2}");
    prop_oneof![
        body().prop_map(Framing::Length),
        (vec(chunk, 0..4), vec(other_field(), 0..3))
            .prop_map(|(chunks, trailers)| Framing::Chunked(chunks, trailers)),
        body().prop_map(Framing::UntilClose),
        any::<u64>().prop_map(Framing::None),
    ]
}

prop_compose! {
    fn reply()(
        framing in framing(),
        head_request in any::<bool>(),
        old in any::<bool>(),
        connection in prop::option::of(prop::sample::select(
            ["close", "keep-alive", "Keep-Alive, x", "upgrade ,\tClose"].as_slice())),
        status in 200_u16..600,
        bodyless_status in prop::sample::select([204_u16, 304].as_slice()),
        reason in prop::option::of("[ -~]{0,12}"),
        interim in vec(prop::sample::select(
            ["100 Continue", "103 Early\r\nContent-Length: 7", "102"].as_slice()), 0..3),
        before in vec(other_field(), 0..3),
        after in vec(other_field(), 0..3),
        end in line_end(),
    ) -> Generated {
        let no_body = matches!(framing, Framing::None(_));
        let head_request = head_request && no_body;
        let status = match status {
            _ if no_body && !head_request => bodyless_status,
            204 | 304 => 200,
            other => other,
        };
        let mut lines = interim.iter().fold(String::new(), |lines, interim| {
            lines + &format!("HTTP/1.1 {interim}{end}{end}")
        });
        lines += if old { "HTTP/1.0 " } else { "HTTP/1.1 " };
        lines += &status.to_string();
        lines += &reason.map_or(String::new(), |reason| format!(" {reason}"));
        lines += end;
        let mut fields = before;
        fields.extend(connection.map(|value| format!("connection: {value}")));
        fields.extend(match &framing {
            Framing::Length(body) => Some(format!("Content-Length: {}", body.len())),
            Framing::None(length) => Some(format!("Content-Length:{end} {length}")),
            Framing::Chunked(..) => Some("Transfer-encoding:\tgzip, chunked".to_owned()),
            Framing::UntilClose(_) => None,
        });
        fields.extend(after);
        fields.push(String::new());
        lines += &fields.join(end);
        lines += end;
        let mut bytes = lines.into_bytes();
        match &framing {
            Framing::Length(body) | Framing::UntilClose(body) => bytes.extend(body),
            Framing::None(_) => {}
            Framing::Chunked(chunks, trailers) => {
                for (data, extension) in chunks {
                    bytes.extend(format!("{:X}{extension}{end}", data.len()).bytes());
                    bytes.extend(data);
                    bytes.extend(end.bytes());
                }
                bytes.extend(format!("00{end}").bytes());
                for trailer in trailers {
                    bytes.extend(format!("{trailer}{end}").bytes());
                }
                bytes.extend(end.bytes());
            }
        }
        let until_close = matches!(framing, Framing::UntilClose(_));
        let suspect = old && matches!(framing, Framing::Chunked(..));
        let persists = match connection {
            Some("close" | "upgrade ,\tClose") => false,
            Some(_) => true,
            None => !old,
        };
        let keep_alive = persists && !until_close && !suspect;
        Generated { bytes, head_request, status, keep_alive, until_close }
    }
}

/// A reply with a few bytes changed, cut out or put in.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), 0..3, any::<u8>());
    let pool = b"\r\n \t:,;0159afHTP/.\0\xff".as_slice();
    let change = (change, prop::option::of(prop::sample::select(pool)));
    (reply(), vec(change, 1..5)).prop_map(|(reply, changes)| {
        let mut bytes = reply.bytes;
        for ((place, kind, any), chosen) in changes {
            let byte = chosen.unwrap_or(any);
            let place = place.index(bytes.len().max(1));
            match kind {
                0 if place < bytes.len() => bytes[place] = byte,
                1 if place < bytes.len() => {
                    bytes.remove(place);
                }
                _ => bytes.insert(place.min(bytes.len()), byte),
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn valid_replies(reply in reply(), tail in body(), lengths in vec(0_usize..50, 0..6)) {
        check_oracle(&reply.bytes);
        let alone = check_splits(&reply.bytes, reply.head_request, &lengths);
        let end = if reply.until_close { End::Closed } else { End::Complete };
        prop_assert_eq!(
            alone,
            Outcome {
                end,
                consumed: reply.bytes.len(),
                status: reply.status,
                in_head: false,
                keep_alive: reply.keep_alive,
            }
        );
        if !reply.until_close {
            // What follows a reply is not touched.
            let followed = [reply.bytes, tail].concat();
            prop_assert_eq!(check_splits(&followed, reply.head_request, &lengths), alone);
            prop_assert_eq!(whole(&followed, reply.head_request), alone);
        }
    }

    #[test]
    fn damaged_replies(
        bytes in damaged(),
        head_request in any::<bool>(),
        lengths in vec(0_usize..50, 0..6),
    ) {
        check_splits(&bytes, head_request, &lengths);
        check_oracle(&bytes);
    }

    #[test]
    fn any_bytes(
        start in prop::sample::select(
            ["", "HTTP/1.1 200 ", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"].as_slice()),
        bytes in vec(prop_oneof![any::<u8>(), prop::sample::select(b"\r\n :0aA".as_slice())], 0..200),
        lengths in vec(0_usize..50, 0..6),
    ) {
        let bytes = [start.as_bytes(), &bytes].concat();
        check_splits(&bytes, false, &lengths);
        check_oracle(&bytes);
    }
}
