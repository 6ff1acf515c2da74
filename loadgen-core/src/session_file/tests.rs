use std::fs;

use super::*;
use crate::session::Burst;

/// A file of this name and content, read with a think time of 1 s.
fn sessions_of(
    name: &str,
    content: impl AsRef<[u8]>,
) -> Result<Vec<ScriptedSession>, WorkloadFileError> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("body.bin"), b"\xffb").unwrap();
    let file = folder.path().join(name);
    fs::write(&file, content).unwrap();
    read_sessions(&file, Duration::from_secs(1))
}

/// The calls of a burst, a line each.
fn lines(burst: &Burst) -> Vec<String> {
    let line = |call: &crate::session::ScriptedCall| {
        let headers: String = call
            .headers
            .iter()
            .map(|header| format!(" {}={}", header.name(), header.sent().unwrap()))
            .collect();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        format!("{} {}{headers} {}", call.method, text(&call.uri), text(&call.body))
    };
    burst.calls.iter().map(line).collect()
}

#[test]
fn toml_says_what_it_says() {
    let text = r#"
        think = "250ms"
        [[session]]
        [[session.burst]]
        calls = ["/", "/a.css"]
        think = "2s"
        [[session.burst]]
        calls = [
          { path = "/cart", body = "item=1", headers = { Content-Type = "text/plain" } },
          { method = "PUT", path = "/raw?a=b", body_file = "body.bin" },
        ]
        [[session]]
        burst = [{ calls = [{ method = "PURGE", path = "/x" }] }]
    "#;
    let sessions = sessions_of("a.TOML", text).unwrap();
    let told: Vec<Vec<_>> = sessions
        .iter()
        .map(|session| session.bursts.iter().map(|b| (b.think_s, lines(b))).collect())
        .collect();
    let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        told,
        [
            vec![
                (2.0, lines(&["GET / ", "GET /a.css "])),
                (
                    0.25,
                    lines(&["POST /cart Content-Type=text/plain item=1", "PUT /raw?a=b \u{fffd}b"])
                )
            ],
            vec![(0.25, lines(&["PURGE /x "]))],
        ]
    );
    let plain = sessions_of("a.toml", "[[session]]\nburst = [{ calls = [\"/\"] }]").unwrap();
    assert_eq!(plain[0].bursts[0].think_s, 1.0);
}

#[test]
fn any_other_file_is_httperfs() {
    let sessions = sessions_of("a.log", "/ think=0.5\n /b method=POST contents='x'\n\n/c\n");
    let sessions = sessions.unwrap();
    assert_eq!(sessions.len(), 2);
    assert_eq!(sessions[0].bursts[0].think_s, 0.5);
    assert_eq!(lines(&sessions[0].bursts[0]), ["GET / ", "POST /b x"]);
    assert_eq!(sessions[1].bursts[0].think_s, 1.0);
    // More of them than httperf takes.
    assert_eq!(sessions_of("many", "/\n\n".repeat(1_001)).unwrap().len(), 1_001);
}

/// Each with its line and the words that lead to the mend.
#[test]
fn what_is_wrong_is_told_with_its_line() {
    let toml = "[[session]]\n[[session.burst]]\ncalls = ";
    let cases: &[(&str, String, Option<u64>, &str)] = &[
        ("a", "/\n/ thnik=1\n".into(), Some(2), "think=SECONDS"),
        ("a", "/\n/ method=BREW\n".into(), Some(2), "knows DELETE"),
        ("a", "/ contents=a\\\n".into(), Some(1), "ends in the body"),
        ("a", "# nothing\n\n".into(), None, "no session"),
        ("a", String::new(), None, "no session"),
        ("a", "[[session]]\n/ x\n".into(), Some(2), ".toml"),
        ("a.toml", String::new(), None, "[[session]]"),
        ("a.toml", "[[session]]\n".into(), Some(1), "burst"),
        ("a.toml", "[[session]]\nburst = []\n".into(), None, "[[session.burst]]"),
        ("a.toml", format!("{toml}[]"), None, "at least one call"),
        ("a.toml", format!("{toml}[\"a\"]"), Some(3), "'a' is no path"),
        ("a.toml", format!("{toml}[\"/a b\"]"), Some(3), "%20"),
        ("a.toml", format!("{toml}[3]"), Some(3), "a path, or a table"),
        ("a.toml", format!("{toml}[{{ path = \"/\", methd = \"X\" }}]"), Some(3), "methd"),
        ("a.toml", format!("{toml}[{{ method = \"X\" }}]"), Some(3), "path"),
        ("a.toml", format!("{toml}[{{ path = \"/\", method = \"A B\" }}]"), Some(3), "no method"),
        (
            "a.toml",
            format!("{toml}[{{ path = \"/\", headers = {{ \"A:\" = \"b\" }} }}]"),
            Some(3),
            "no name of a header",
        ),
        (
            "a.toml",
            format!("{toml}[{{ path = \"/\", headers = {{ A = \"b\\nc\" }} }}]"),
            Some(3),
            "one line",
        ),
        (
            "a.toml",
            format!("{toml}[{{ path = \"/\", body = \"\", body_file = \"b\" }}]"),
            Some(3),
            "not both",
        ),
        ("a.toml", format!("{toml}[\"/\"]\nthink = \"soon\""), Some(4), "soon"),
        ("a.toml", format!("{toml}[\"/\"]\nthink = 3"), Some(4), "string"),
        ("a.toml", format!("{toml}[\"/\""), Some(3), "unclosed array"),
        ("a.toml", "users = 3\n".into(), Some(1), "users"),
    ];
    for (name, content, line, words) in cases {
        match sessions_of(name, content).expect_err(content) {
            WorkloadFileError::Content { line: told, reason, .. } => {
                assert!(reason.contains(words), "{content}: {reason}");
                assert_eq!(told, *line, "{content}: {reason}");
            }
            other => panic!("{content}: {other}"),
        }
    }
    let error = sessions_of("a.toml", b"[[session]]\n# \xff\n").unwrap_err().to_string();
    assert!(error.contains("a.toml:2: TOML is UTF-8"), "{error}");
    let toml = format!("{toml}[{{ path = \"/\", body_file = \"none\" }}]");
    let error = sessions_of("a.toml", toml).unwrap_err().to_string();
    assert!(error.starts_with("cannot read ") && error.contains("none: No such"), "{error}");
    let error = read_sessions(Path::new("/nowhere/a"), Duration::ZERO).unwrap_err().to_string();
    assert_eq!(error, "cannot read /nowhere/a: No such file or directory (os error 2)");
}
