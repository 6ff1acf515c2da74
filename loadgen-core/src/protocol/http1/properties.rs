//! Properties of the reply parser over generated, damaged and arbitrary bytes:
//! splits do not matter, the end is exact, httparse agrees.

use proptest::collection::vec;
use proptest::prelude::*;

use super::harness::{End, Outcome, check_oracle, check_splits, whole};

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
        // The old word for no coding changes nothing.
        let identity = matches!(&framing, Framing::Length(body) if body.len() % 2 == 1);
        fields.extend(identity.then(|| "Transfer-Encoding: Identity".to_owned()));
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
                    let zeros = "0".repeat(data.len() * 7 % 23);
                    bytes.extend(format!("{zeros}{:X}{extension}{end}", data.len()).bytes());
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
