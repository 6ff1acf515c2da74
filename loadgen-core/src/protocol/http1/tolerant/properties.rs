//! Properties of the reader over generated, damaged and arbitrary bytes: splits do
//! not matter, the end is exact, the strict parser agrees on well-formed replies.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::harness as strict;
use super::harness::{End, check_splits};

/// A well-formed reply and whether it answers a HEAD. Without what the two read
/// differently on purpose: folds, a list of codings, the body of 205.
fn reply() -> impl Strategy<Value = (Vec<u8>, bool)> {
    let line_end = prop_oneof![3 => Just("\r\n"), 1 => Just("\n")];
    let field = "(X-|C|T|content-|Transfer-)[A-Za-z0-9]{1,14}: [ -~]{0,30}";
    let data =
        || vec(prop_oneof![any::<u8>(), prop::sample::select(b"\r\n0:HT".as_slice())], 0..60);
    let chunk = (vec(any::<u8>(), 1..40), "(;[a-z]{1,5}){0,2}");
    (
        (
            200_u32..600,
            "( [ -~]{0,12})?",
            any::<bool>(),
            vec(prop::sample::select(vec![100, 102, 103]), 0..3),
        ),
        (vec(field, 0..4), vec(field, 0..3), line_end, 0..4),
        (data(), vec(chunk, 0..4)),
    )
        .prop_map(
            |(
                (status, reason, head_request, interim),
                (fields, trailers, end, framing),
                (data, chunks),
            )| {
                let status = if status == 205 { 204 } else { status };
                let mut bytes = Vec::new();
                for status in interim {
                    bytes.extend(format!("HTTP/1.1 {status}{end}X: 1{end}{end}").bytes());
                }
                bytes.extend(format!("HTTP/1.1 {status}{reason}{end}").bytes());
                for field in &fields {
                    bytes.extend(format!("{field}{end}").bytes());
                }
                match framing {
                    0 if data.len() % 2 == 1 => bytes.extend(
                        format!(
                            "transfer-encoding: identity{end}content-length:{}{end}{end}",
                            data.len()
                        )
                        .bytes(),
                    ),
                    0 => bytes.extend(format!("content-length:{}{end}{end}", data.len()).bytes()),
                    1 => bytes.extend(format!("Transfer-Encoding: Chunked {end}{end}").bytes()),
                    _ => bytes.extend(end.bytes()),
                }
                if framing == 1 {
                    for (data, extension) in chunks {
                        let zeros = "0".repeat(data.len() * 7 % 23);
                        bytes.extend(format!("{zeros}{:X}{extension}{end}", data.len()).bytes());
                        bytes.extend(data);
                        bytes.extend(end.bytes());
                    }
                    bytes.extend(format!("00{end}").bytes());
                    for trailer in &trailers {
                        bytes.extend(format!("{trailer}{end}").bytes());
                    }
                    bytes.extend(end.bytes());
                } else {
                    bytes.extend(data);
                }
                (bytes, head_request)
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn as_the_strict_parser((bytes, head_request) in reply(), lengths in vec(0_usize..50, 0..6)) {
        let outcome = check_splits(&bytes, head_request, &lengths);
        let expected = strict::whole(&bytes, head_request);
        prop_assert_eq!(outcome.end, match expected.end {
            strict::End::Complete => End::Complete,
            strict::End::Closed => End::Closed,
            other => panic!("not well-formed: {other:?}"),
        });
        prop_assert_eq!(outcome.consumed, expected.consumed);
        prop_assert_eq!(outcome.status, u32::from(expected.status));
        // httperf tells of every coding but one.
        prop_assert!(outcome.heard.notices.iter().all(|notice| notice == "coding identity"));
    }

    #[test]
    fn damaged_replies(
        (bytes, head_request) in reply(),
        changes in vec((any::<prop::sample::Index>(), 0..3, prop_oneof![
            any::<u8>(),
            prop::sample::select(b"\r\n \t:,;0159afHTP/.\0\xff".as_slice()),
        ]), 1..5),
        lengths in vec(0_usize..50, 0..6),
    ) {
        let mut bytes = bytes;
        for (place, kind, byte) in changes {
            let place = place.index(bytes.len().max(1));
            match kind {
                0 if place < bytes.len() => bytes[place] = byte,
                1 if place < bytes.len() => {
                    bytes.remove(place);
                }
                _ => bytes.insert(place.min(bytes.len()), byte),
            }
        }
        check_splits(&bytes, head_request, &lengths);
    }

    #[test]
    fn any_bytes(
        start in prop::sample::select(
            ["", "HTTP/1.1 200 ", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"].as_slice()),
        bytes in vec(prop_oneof![any::<u8>(), prop::sample::select(b"\r\n :0aA".as_slice())], 0..200),
        lengths in vec(0_usize..50, 0..6),
    ) {
        check_splits(&[start.as_bytes(), &bytes].concat(), false, &lengths);
    }

    #[test]
    fn long_lines(lengths in vec(1000_usize..1100, 1..5), pieces in vec(0_usize..2000, 0..6)) {
        let mut reply = b"HTTP/1.1 200 OK\n".to_vec();
        for length in lengths {
            reply.extend(b"a".repeat(length));
            reply.extend(b"\r\n");
        }
        reply.extend(b"Content-Length: 0\n\n");
        prop_assert_eq!(check_splits(&reply, false, &pieces).end, End::Complete);
    }
}
