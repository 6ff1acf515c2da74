use proptest::prelude::*;

use super::*;

/// A session: its bursts with their think times, a burst the lines
/// `METHOD URI BODY` of its calls.
type Brief = Vec<(f64, Vec<String>)>;

fn read(bytes: &[u8]) -> Result<Vec<Brief>, String> {
    let brief = |call: &ScriptedCall| {
        let body = text(&call.body);
        let gap = if body.is_empty() { "" } else { " " };
        format!("{} {}{gap}{body}", call.method, text(&call.uri))
    };
    let sessions =
        parse(bytes, Path::new("f"), 0.1, MOST_SESSIONS).map_err(|error| error.to_string())?;
    let bursts = |session: &ScriptedSession| {
        let calls = |burst: &Burst| (burst.think_s, burst.calls.iter().map(brief).collect());
        session.bursts.iter().map(calls).collect()
    };
    Ok(sessions.iter().map(bursts).collect())
}

fn burst(think_s: f64, calls: &[&str]) -> (f64, Vec<String>) {
    (think_s, calls.iter().map(|&call| call.to_owned()).collect())
}

/// The calls of a file in order, as the original sent them.
fn calls(bytes: &[u8]) -> Vec<String> {
    read(bytes).unwrap().into_iter().flatten().flat_map(|burst| burst.1).collect()
}

#[test]
fn sessions_of_bursts() {
    assert_eq!(
        read(include_bytes!("../testdata/sess.log")).unwrap(),
        [
            vec![
                burst(0.2, &["GET /foo.html", "GET /pict1.gif", "GET /pict2.gif"]),
                burst(0.1, &["POST /foo2.html Post data", "GET /pict3.gif", "GET /pict4.gif"]),
            ],
            vec![
                burst(0.1, &["POST /foo3.html Multiline\ndata"]),
                burst(0.1, &["HEAD /foo1.html"])
            ],
        ]
    );
    let five = ["GET /slow?0.3"; 5];
    let par = read(include_bytes!("../testdata/par.log")).unwrap();
    assert_eq!(par, [vec![burst(0.1, &[&["GET /"], &five[..]].concat())]]);
    assert_eq!(
        read(include_bytes!("../testdata/slow.log")).unwrap(),
        [vec![burst(0.1, &["GET /", "GET /slow?0.1", "GET /slow?2"]), burst(0.1, &["GET /"])]]
    );
}

#[test]
fn quotes_escapes_and_comments() {
    assert_eq!(
        read(include_bytes!("../testdata/sess2.log")).unwrap(),
        [
            vec![
                burst(0.1, &["POST /echo single \"quoted\" 'x' \\ end"]),
                burst(0.1, &["PUT /echo bare word\ttab"]),
                burst(0.1, &["DELETE /echo line1\nline2 \"esc\" 'in'"]),
                // Indented: it belongs to the burst before it.
                burst(0.1, &["OPTIONS /echo", "TRACE /echo a b"]),
            ],
            vec![burst(0.1, &["HEAD /echo"])],
            vec![burst(0.1, &["GET /echo"])],
        ]
    );
    let propfind = include_bytes!("../testdata/propfind.log");
    assert_eq!(calls(propfind), ["PROPFIND /a", "REPORT /b x"]);
}

/// What the original sent for these files.
#[test]
fn odd_files() {
    let cases: &[(&[u8], &[&str])] = &[
        (b"/a method=POST contents=x\r\n\r\n/b\r\n", &["POST /a x\r", "GET /b"]),
        (b"/a think=0.01x\n", &["GET /a"]),
        (b"/a think=-1\n/b think=nan\n", &["GET /a", "GET /b"]),
        (b"/a method=POST contents=\"abc def\n/b\n", &["POST /a abc def\n", "GET /b"]),
        (b"/a method=POST contents='abc def\n\t/b\n", &["POST /a abc def\n", "GET /b"]),
        (b"/a method=POST contents=abc\\", &["POST /a abc"]),
        (b"/a method=POST contents=abc", &["POST /a abc"]),
        (b"/a method=POST contents=\"abc", &["POST /a abc"]),
        (b"/a method=POST contents=\"\"\n/b contents=\"\\n", &["POST /a", "GET /b \n"]),
        (b"/a method=POST contents=a\"b c\"d'e f' method=PUT\n", &["PUT /a ab cde f"]),
        (b"/a contents=one contents=two method=PUT\n", &["PUT /a two"]),
        (b"/a contents=a\0b\n/c contents=ab\0cd\n", &["GET /a a", "GET /c ab"]),
        (b"/a\0/x\n", &["GET /a"]),
        (b"\0\n/b\n", &["GET /b"]),
        (b"/a contents=ab\\\ncd\" ef\\\n gh\" think=0\n/b\n", &["GET /a ab\ncd ef\n gh", "GET /b"]),
        (b"/a contents=ab\\\n\n/b\n", &["GET /a ab\n", "GET /b"]),
        (b"  /a\n/b\n", &["GET /a", "GET /b"]),
        (b"/a contents=\\\"a\\'\\x\\\\\\ b\\n\\r\\t\n", &["GET /a \"a'x\\ b\n\r\t"]),
        (b"/a contents=\"a\"think=0\n", &["GET /a athink=0"]),
        (b"/a\tmethod=PUT\tcontents=b\tthink=0\n", &["PUT /a b"]),
        (b"method=GET think=1\n", &["GET method=GET"]),
        (b"/a contents=\"a\rb\" \r\n", &["GET /a a\rb"]),
        (b"/a contents=a\x0bb\n", &["GET /a a\x0bb"]),
        (b"/a method=POSTcontents=x think=.5\n", &["POST /a"]),
        (b"/a think=1contents=x\n", &["GET /a"]),
        (b"/echo method=GETX\n", &["GET /echo"]),
        (b"# c\n/a\n #x\n", &["GET /a", "GET #x"]),
    ];
    for (file, sent) in cases {
        assert_eq!(calls(file), *sent, "{}", text(file));
    }
}

/// What the original said of these files, but for the first two, on which it
/// crashed.
#[test]
fn files_that_are_refused() {
    let without = "f does not contain any sessions; a session is one or more lines that begin \
                   with a URI";
    let many = b"/a\n\n".repeat(1001);
    let cases: &[(&[u8], &str)] = &[
        (b"", without),
        (b"# nothing\n\n", without),
        (b"/a method=FOO\n", "did not recognize method 'FOO' in f"),
        (b"/a method=get\n", "did not recognize method 'get' in f"),
        (b"/b method=PO\0ST\n", "did not recognize method 'PO' in f"),
        (b"/a method= GET\n/b\n", "did not recognize arg 'method=' in f"),
        (b"/a bogus=1\n", "did not recognize arg 'bogus=1' in f"),
        (b"/a think=abc\n", "did not recognize arg 'think=abc' in f"),
        (b"/a think= 0.01\n", "did not recognize arg 'think=' in f"),
        (b"/a method=POST contents=\n", "did not recognize arg 'contents=' in f"),
        (b"/a contents=\"open\\\n", "premature EOF seen in 'f'"),
        (b"/a\n\x0b/b\n\x0c\n/c\r/d\n", "did not recognize arg '/d' in f"),
        (&many, "too many sessions (1001) specified in f"),
    ];
    for (file, message) in cases {
        assert_eq!(read(file).unwrap_err(), *message);
    }
    assert_eq!(read(&many[4..]).unwrap().len(), 1000);
    let error = read_sessions(Path::new("nofile.log"), 0.0).unwrap_err();
    assert_eq!(error.to_string(), "can't open nofile.log");
}

#[test]
fn a_long_line_is_several() {
    let line = |start: &str, total: usize, end: &str| {
        let fill = "y".repeat(total - start.len() - end.len());
        format!("{start}{fill}{end}").into_bytes()
    };
    let start = "/echo method=POST contents=";
    let over = [line(start, 12_000, "\n"), b"/echo\n".to_vec()].concat();
    let sizes: Vec<_> = calls(&over).iter().map(String::len).collect();
    assert_eq!(sizes, ["POST /echo ".len() + 9_972, "GET ".len() + 2_000, "GET /echo".len()]);
    // The line end just fits, or is a line of its own: a blank one.
    let fits = [line("/a contents=", 9_999, "\n"), b"\t/b\n".to_vec()].concat();
    assert_eq!(read(&fits).unwrap().len(), 1);
    let fits_not = [line("/a contents=", 10_000, "\n"), b"\t/b\n".to_vec()].concat();
    assert_eq!(read(&fits_not).unwrap().len(), 2);
    // A body that goes on is longer than any line.
    let goes_on = [line("/a contents=", 9_000, "\\\n"), line("", 9_000, "\n")].concat();
    let body =
        &parse(&goes_on, Path::new("f"), 0.0, MOST_SESSIONS).unwrap()[0].bursts[0].calls[0].body;
    assert_eq!(body.len(), 9_000 - "/a contents=".len() - 1 + 8_999);
}

#[test]
fn the_last_think_time_of_a_burst_counts() {
    let file = b"/a think=3\n\t/b think=0.5\n\t/c\n/d\n/e think=1e300\n";
    let think: Vec<_> = read(file).unwrap()[0].iter().map(|burst| burst.0).collect();
    assert_eq!(think, [0.5, 0.1, LONGEST_THINK_S]);
}

proptest! {
    #[test]
    fn any_bytes_are_sessions_or_an_error(bytes: Vec<u8>) {
        sound(&bytes)?;
    }

    #[test]
    fn what_looks_like_sessions_is_sessions_or_an_error(
        text in "([/#\"'\\\\ab \\t\\n]|contents=|method=POST|think=[0-9.a-z]{0,9}){0,60}"
    ) {
        sound(text.as_bytes())?;
    }
}

/// Whatever comes out can be carried out.
fn sound(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(sessions) = parse(bytes, Path::new("f"), 0.0, MOST_SESSIONS) {
        let script = crate::session::Script::Log { sessions: sessions.clone() };
        prop_assert!(script.validate().is_ok());
        for call in sessions.iter().flat_map(|s| &s.bursts).flat_map(|b| &b.calls) {
            prop_assert!(!call.uri.is_empty() && !call.uri.iter().any(is_space));
        }
    }
    Ok(())
}

#[test]
fn errors_know_their_line() {
    let line = |text: &[u8]| match parse(text, Path::new("f"), 0.0, 10).unwrap_err() {
        FileError::Argument { line, .. }
        | FileError::Method { line, .. }
        | FileError::EndOfFile { line, .. } => line,
        other => panic!("{other}"),
    };
    assert_eq!(line(b"/ what=1"), 1);
    assert_eq!(line(b"# c\n\n/\n /b method=BREW\n/\n"), 4);
    // Of a body, the line on which it begins; behind one, the line of the word.
    assert_eq!(line(b"/\n/ contents=a\\\nb\\\n"), 2);
    assert_eq!(line(b"/\n/ contents=a\\\nb what\n"), 3);
}
