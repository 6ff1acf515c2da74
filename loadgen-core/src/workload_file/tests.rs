use std::fs;

use proptest::prelude::*;

use super::*;
use crate::Target;
use crate::request::Request;

/// What a list came to: the lines that tell its requests, or the error.
fn read_list(mut list: RequestList, base: &Request) -> Result<Vec<String>, String> {
    let target = Target::parse("http://h:81/{{id}}/x").unwrap();
    let mut lines = Vec::new();
    let mut each = |listed: ListedRequest| {
        let bytes = listed.request.clone().with_path(&listed.path).encode(&target, false).bytes;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let agent = format!("Host: h:81\r\nUser-Agent: {}\r\n", crate::request::USER_AGENT);
        let mut line = text.replace(" HTTP/1.1\r\n", "|").replace(&agent, "").replace("\r\n", "|");
        line.extend(listed.tag.iter().map(|tag| format!(" #{tag}")));
        if listed.weight != 1.0 {
            line.push_str(&format!(" *{}", listed.weight));
        }
        lines.push(line);
    };
    list.read(base, &target, &mut each).map_err(|error| error.to_string())?;
    assert_eq!(list.count(), Some(lines.len() as u64));
    Ok(lines)
}

/// A folder with these files.
fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

fn of_file(content: &[u8], base: &Request) -> Result<Vec<String>, String> {
    let folder = folder(&[("f", content), ("body.bin", b"b1\xff")]);
    let list = RequestList::file(folder.path().join("f"));
    let prefix = format!("{}/", folder.path().display());
    read_list(list, base).map_err(|error| error.replace(&prefix, ""))
}

fn with_data(content: &[u8], data: &[u8]) -> Result<Vec<String>, String> {
    let folder = folder(&[("f", content), ("d.csv", data)]);
    let at = |name: &str| folder.path().join(name);
    let prefix = format!("{}/", folder.path().display());
    read_list(RequestList::file(at("f")).with_data(at("d.csv")), &Request::get())
        .map_err(|error| error.replace(&prefix, ""))
}

#[test]
fn urls_a_line() {
    let text = "# a comment\n/a?b=c\r\n\n  http://H:81/d \nDELETE /e\nHEAD http://h:81\n";
    let expected = ["GET /a?b=c||", "GET /d||", "DELETE /e||", "HEAD /||"];
    assert_eq!(of_file(text.as_bytes(), &Request::get()).unwrap(), expected);
    let base = Request::get().with_method("HEAD").with_header("A", "b");
    assert_eq!(of_file(b"/x\nGET /y", &base).unwrap(), ["HEAD /x|A: b||", "GET /y|A: b||"]);
}

#[test]
fn paths_that_end_with_nul() {
    assert_eq!(
        of_file(b"/a\0/b\0\0/c", &Request::get()).unwrap(),
        ["GET /a||", "GET /b||", "GET /c||"]
    );
}

#[test]
fn json_a_line() {
    let text = r#"
        {"path": "/a"}
        {"url": "http://h:81/b", "method": "PUT", "body": "xy", "headers": {"A": "own", "B": "c"}}

        {"path": "/c", "body_file": "body.bin", "tag": "upload", "weight": 0.5}
    "#;
    let base = Request::get().with_header("a", "all");
    let lines = of_file(text.as_bytes(), &base).unwrap();
    assert_eq!(
        lines,
        [
            "GET /a|a: all||",
            "PUT /b|A: own|B: c|Content-Length: 2||xy",
            "POST /c|a: all|Content-Length: 3||b1\u{fffd} #upload *0.5",
        ]
    );
}

#[test]
fn data_fills_templates() {
    let text = r#"{"path": "/{{id}}?q={{ name }}", "headers": {"X": "{{id}}{{id}}"}, "tag": "{{name}}"}
        {"path": "/plain", "method": "POST", "body": "{{name}}"}"#;
    let data = b"id, name\n7,\"a,b\"\n8,c\n";
    assert_eq!(
        with_data(text.as_bytes(), data).unwrap(),
        [
            "GET /7?q=a,b|X: 77|| #a,b",
            "POST /plain|Content-Length: 3||a,b",
            "GET /8?q=c|X: 88|| #c",
            "POST /plain|Content-Length: 1||c",
        ]
    );
    // A value that is empty is no text.
    assert_eq!(with_data(b"/a{{x}}", b"x,y\n\"\",b\n").unwrap(), ["GET /a||"]);
    // Braces that begin nothing stay.
    assert_eq!(with_data(b"/a{{x", b"x\n1\n").unwrap(), ["GET /a{{x||"]);
    let folder = folder(&[("d.csv", b"id\n1\n2\n")]);
    let list = RequestList::of_data(folder.path().join("d.csv"));
    let base = Request::get().with_method("POST").with_body(b"v={{id}}".to_vec());
    assert_eq!(
        read_list(list, &base).unwrap(),
        ["POST /1/x|Content-Length: 3||v=1", "POST /2/x|Content-Length: 3||v=2"]
    );
}

#[test]
fn a_file_that_was_changed_is_not_taken_for_the_same() {
    let folder = folder(&[("f", b"/a\n/b\n")]);
    let file = folder.path().join("f");
    let target = Target::parse("http://h/").unwrap();
    let mut list = RequestList::file(&file);
    list.read(&Request::get(), &target, &mut |_| {}).unwrap();
    let kept = serde_json::to_string(&list).unwrap();
    let mut again: RequestList = serde_json::from_str(&kept).unwrap();
    assert_eq!(again, list);
    again.read(&Request::get(), &target, &mut |_| {}).unwrap();
    fs::write(&file, b"/a\n/c\n").unwrap();
    let error = again.read(&Request::get(), &target, &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("not what the report was made with"), "{error}");
}

#[test]
fn at_most_a_million() {
    assert_eq!(of_file(&b"/\n".repeat(1_000_000), &Request::get()).unwrap().len(), 1_000_000);
    let error = of_file(&b"/\n".repeat(1_000_001), &Request::get()).unwrap_err();
    assert_eq!(error, "f: a load has at most 1,000,000 requests");
    let rows = [b"x\n".as_slice(), &b"1\n".repeat(2_000)].concat();
    let error = with_data(&b"/\n".repeat(600), &rows).unwrap_err();
    assert_eq!(error, "f: a load has at most 1,000,000 requests");
}

/// What is wrong, where, and what would be right.
#[test]
fn wrong_files_are_told_with_their_line() {
    let cases: [(&str, &str); 20] = [
        ("", "f: there is no request"),
        ("# nothing\n\n", "f: there is no request"),
        ("/a\nb\n", "f:2: 'b' is no URL: write a path that begins with '/'"),
        ("/a\n/b c d\n", "f:2: a line is a URL or a path"),
        ("/a\nG@T /b\n", "f:2: a line is a URL or a path"),
        ("/a\n\nftp://h/x\n", "f:3: "),
        ("http://other:81/\n", "f:1: 'http://other:81/' is of another server"),
        ("http://h/\n", "f:1: 'http://h/' is of another server"),
        ("https://h:81/\n", "f:1: 'https://h:81/' is of another server"),
        ("/a\n/b\u{7f}\n", "f:2: the request's path cannot be sent"),
        (
            "{\"path\": \"/a\"}\n{\"path\": 3}\n",
            "f:2: invalid type: integer `3`, expected a string",
        ),
        (
            "{\"path\": \"/a\", \"methd\": \"X\"}",
            "f:1: unknown field `methd`, expected one of `method`",
        ),
        ("{\"method\": \"GET\"}", "f:1: it has neither a url nor a path"),
        ("{\"path\": \"/\", \"url\": \"/\"}", "f:1: it has a url and a path"),
        (
            "{\"path\": \"/\", \"body\": \"\", \"body_file\": \"x\"}",
            "f:1: it has a body and a body_file",
        ),
        (
            "{\"path\": \"/\", \"method\": \"G T\"}",
            "f:1: the request's method cannot be sent: 'G T'",
        ),
        ("{\"path\": \"/\", \"headers\": {\"a b\": \"\"}}", "f:1: the request's header name"),
        ("{\"path\": \"/\", \"headers\": {\"a\": \"b\\nc\"}}", "f:1: the request's header value"),
        ("{\"path\": \"/\", \"weight\": -1}", "f:1: the weight of a request must be from 0"),
        ("{\"path\": \"/\", \"tag\": \"\"}", "f:1: the name of a tag must be from 1 to 64 bytes"),
    ];
    for (content, words) in cases {
        let error = of_file(content.as_bytes(), &Request::get()).unwrap_err();
        assert!(error.starts_with(words), "{content}: {error}");
    }
    let error = of_file(b"/a\n/\xff\n", &Request::get()).unwrap_err();
    assert!(error.starts_with("f:2: this is not UTF-8"), "{error}");
    let error = of_file(b"{\"path\": \"/a\"", &Request::get()).unwrap_err();
    assert!(error.starts_with("f:1: EOF while parsing an object"), "{error}");
    let none = of_file(b"{\"path\": \"/\", \"body_file\": \"none\"}", &Request::get()).unwrap_err();
    assert!(none.starts_with("cannot read none: No such file"), "{none}");
}

#[test]
fn wrong_data_is_told_with_its_line() {
    let cases: [(&str, &str, &str); 9] = [
        ("/{{y}}", "x\n1\n", "f:1: there is no column 'y' for '{{y}}': the data has x"),
        (
            "/a\n/{{x}}",
            "x\na b\n",
            "f:2: the request's path cannot be sent: '/a b' (with row 1 of the data)",
        ),
        (
            "{\"path\": \"/\", \"headers\": {\"A\": \"{{x}}\"}}",
            "x\n\"a\nb\"\n",
            "f:1: the request's header value",
        ),
        ("{{x}}", "x\nb\n", "f:1: the request's path, which begins with '/', cannot be sent: 'b'"),
        ("/", "x\n", "d.csv: there is no row of data"),
        ("/", "", "d.csv: there is no row of data"),
        ("/", "x,x\n1,2\n", "d.csv:1: two columns are called 'x'"),
        ("/", "x,\n1,2\n", "d.csv:1: column 2 has no name"),
        ("/", "x,y\n1,2\n3\n", "d.csv:3: this row has 1 values, and there are 2 columns"),
    ];
    for (content, data, words) in cases {
        let error = with_data(content.as_bytes(), data.as_bytes()).unwrap_err();
        assert!(error.starts_with(words), "{content}: {error}");
    }
    let error = with_data(b"/", b"x\n\xff\n").unwrap_err();
    assert_eq!(error, "d.csv:2: this is not UTF-8");
}

proptest! {
    #[test]
    fn any_bytes_are_a_list_or_an_error(
        content in prop_oneof![any::<Vec<u8>>(), "[{}\"/a-z:, \\n\0]{0,200}".prop_map(String::into_bytes)],
        data in "[a-c,\"\\n]{0,40}",
    ) {
        for result in [of_file(&content, &Request::get()), with_data(&content, data.as_bytes())] {
            if let Err(error) = result {
                prop_assert!(error.contains("f:") || error.contains("d.csv:") || error.contains("cannot read"), "{error}");
            }
        }
    }
}
