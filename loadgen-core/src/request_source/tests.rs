use std::panic::panic_any;

use proptest::prelude::*;

use super::*;

fn target() -> Target {
    Target::parse("http://u:p@h:81/p?q").unwrap()
}

fn written(out: &RequestBuf) -> (String, Written) {
    let mut bytes = b"left over".to_vec();
    let written = out.write(&mut bytes);
    (String::from_utf8(bytes).unwrap(), written)
}

/// A name of a header, among them those that requests have by themselves.
fn name() -> impl Strategy<Value = String> {
    const KNOWN: [&str; 6] = [
        "host",
        "User-Agent",
        "authorization",
        "Connection",
        "content-length",
        "Transfer-Encoding",
    ];
    prop_oneof![prop::sample::select(&KNOWN[..]).prop_map(str::to_owned), "[a-zA-Z-]{1,12}"]
}

proptest! {
    /// What is made is, to the byte, what a list with the same request would send.
    #[test]
    fn requests_are_those_of_a_list(
        base in prop::collection::vec((name(), "[ -~]{0,12}"), 0..4),
        own in prop::collection::vec((name(), "[ -~]{0,12}"), 0..4),
        method in prop::sample::select(&["GET", "HEAD", "POST", "PUT", "PATCH"][..]),
        path in prop::option::of("/[a-z?=]{0,9}"),
        body in prop::collection::vec(any::<u8>(), 0..9),
        by_proxy in any::<bool>(),
    ) {
        let target = match by_proxy {
            true => target().with_proxy("http://a:b@127.0.0.1:3128".parse().unwrap()),
            false => target(),
        };
        let with = |request: Request, headers: &[(String, String)]| {
            headers.iter().fold(request, |request, (name, value)| request.with_header(name, value))
        };
        let plain = with(Request::get(), &base);
        let mut listed = with(Request::get().with_method(method).with_body(body.clone()), &own)
            .over(&plain);
        let mut out = RequestBuf::new(&plain, &target, 0);
        // What was there before does not matter.
        out.set_method("X").unwrap().set_path("/x").unwrap().add_header("Y", "y").unwrap();
        out.clear();
        out.set_method(method).unwrap().set_body(&body).unwrap();
        own.iter().for_each(|(name, value)| { out.add_header(name, value).unwrap(); });
        if let Some(path) = &path {
            out.set_path(path).unwrap();
            listed = listed.with_path(path);
        }
        let mut bytes = Vec::new();
        let written = out.write(&mut bytes);
        let expected = listed.encode(&target, false);
        // Lines that the list replaces stand elsewhere: the order of headers of different
        // names has no meaning (RFC 9110 §5.3).
        let sorted = |bytes: &[u8], head: usize| {
            let text = String::from_utf8(bytes[..head].to_vec()).unwrap();
            let mut lines: Vec<String> = text.split("\r\n").map(str::to_owned).collect();
            lines[1..].sort();
            (lines, bytes[head..].to_vec())
        };
        prop_assert_eq!(sorted(&bytes, written.head), sorted(&expected.bytes, expected.head));
        prop_assert_eq!(written.is_head, listed.is_head());
        prop_assert_eq!(written.is_idempotent, listed.is_idempotent());
        let has_connection = listed.headers().iter().any(|header| header.is_named("connection"));
        prop_assert_eq!(written.has_connection, has_connection);
    }
}

#[test]
fn what_is_refused_leaves_it_as_it_was() {
    let mut out = RequestBuf::new(&Request::get(), &target(), 2);
    out.set_path("/a").unwrap().add_header("X", "1").unwrap().set_tag(1).unwrap();
    let before = written(&out).0;
    for refused in [
        out.set_method("GE T").map(drop),
        out.set_method("").map(drop),
        out.set_path("/a b").map(drop),
        out.set_path("/a\r\nX: y").map(drop),
        out.set_path("a").map(drop),
        out.set_path("").map(drop),
        out.add_header("X Y", "1").map(drop),
        out.add_header("X", "1\r\nY: 2").map(drop),
        out.add_header("X", "\0").map(drop),
        out.set_tag(2).map(drop),
    ] {
        assert!(refused.is_err());
    }
    let secret = out.add_header("Cookie", "hunter2\n").unwrap_err();
    assert!(!secret.to_string().contains("hunter2"), "{secret}");
    let (after, said) = written(&out);
    assert_eq!((after, said.tag), (before, 2));
    out.set_path("*").unwrap();
    out.add_header("Authorization", "hunter2").unwrap();
    assert!(!format!("{out:?}").contains("hunter2"));
}

#[test]
fn it_begins_as_the_request_of_the_plan() {
    let request = Request::get().with_method("PUT").with_path("/mine").with_body(b"x".to_vec());
    let mut out = RequestBuf::new(&request, &target(), 1);
    let expected = String::from_utf8(request.encode(&target(), false).bytes).unwrap();
    assert_eq!(written(&out).0, expected);
    out.set_body(b"longer").unwrap().set_tag(0).unwrap();
    out.clear();
    assert_eq!((written(&out).0, written(&out).1.tag), (expected, 0));
}

#[test]
fn why_there_is_no_request_is_told_as_the_programs() {
    let mut out = RequestBuf::new(&Request::get(), &target(), 0);
    let mut asked = |mut source: Box<dyn RequestSource>| {
        ask(&mut *source, Arrival { number: 7, load: 0 }, &mut out).unwrap_err()
    };
    let fails = |_: Arrival, _: &mut RequestBuf| -> Result<(), SourceError> { Err("dry".into()) };
    let said = asked(Box::new(fails));
    assert_eq!(said, "the program's source of requests has none for arrival 7: dry");
    let wrong = |_: Arrival, out: &mut RequestBuf| {
        out.set_path("x")?;
        Ok(())
    };
    assert!(asked(Box::new(wrong)).contains("path, which begins with '/'"));
    let of_length = |own: Option<&'static str>, base: Option<&str>, body: &'static [u8]| {
        let request =
            base.map_or(Request::get(), |base| Request::get().with_header("Content-Length", base));
        let mut out = RequestBuf::new(&request, &target(), 0);
        let mut source = move |_: Arrival, out: &mut RequestBuf| -> Result<(), SourceError> {
            out.add_header("X", "Content-Length: 1")?.set_body(body)?;
            if let Some(own) = own {
                out.add_header("content-LENGTH", own)?.add_header("Y", "z")?;
            }
            Ok(())
        };
        ask(&mut source, Arrival { number: 7, load: 0 }, &mut out)
    };
    for (own, base) in [(Some("3"), None), (Some("3"), Some("9")), (None, Some("3")), (None, None)]
    {
        of_length(own, base, b"abc").unwrap();
    }
    for (own, base) in [(Some("4"), None), (Some("4"), Some("3")), (None, Some("4"))] {
        let said = of_length(own, base, b"abc").unwrap_err();
        assert!(
            said.contains("Content-Length cannot be sent: '4 (the body has 3 bytes)'"),
            "{said}"
        );
    }
    let panics =
        |_: Arrival, _: &mut RequestBuf| -> Result<(), SourceError> { panic_any("its own fault") };
    let said = asked(Box::new(panics));
    assert_eq!(said, "the program's source of requests panicked at arrival 7: its own fault");
}
