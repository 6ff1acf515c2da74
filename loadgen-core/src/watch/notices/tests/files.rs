//! A file that somebody writes.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;

fn file(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notices");
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn heard(path: &Path) -> Heard {
    Heard::of(path.to_str().unwrap())
}

#[test]
fn lines_that_are_appended_are_told_and_what_was_there_is_not() {
    let (_folder, path) = file("old\n");
    let mut heard = heard(&path);
    heard.change("node drained", || append(&path, "node drained\n"));
    assert_eq!(heard.last().source, "file");
    append(&path, "half");
    // It waits for its end, and that is its time.
    heard.change("half of it", || append(&path, " of it\n\n{\"event\":\"thi"));
}

#[test]
fn a_line_waits_for_its_end() {
    let (_folder, path) = file("old\n{\"event\":");
    let mut heard = heard(&path);
    append(&path, "\"begun before\",\"by\":\"me\"}\nhal");
    assert_eq!(heard.next(1), ["begun before"]);
    assert_eq!(heard.last().attributes["by"], "me");
    heard.change("half", || append(&path, "f\n"));
    append(&path, "one\ntwo\r\n\nthree\n");
    assert_eq!(heard.next(3), ["one", "two", "three"]);
    assert_eq!(heard.notices.trouble(), None);
}

#[test]
fn a_file_that_is_cut_off_and_one_that_is_replaced() {
    let (folder, path) = file("old, and longer than what comes\n");
    let mut heard = heard(&path);
    File::create(&path).unwrap();
    // Whatever it is seen as, shorter or with a new line.
    heard.change("new", || append(&path, "new\n"));
    heard.change("more", || append(&path, "more\n"));
    // The old one has a line more when it goes, and one without an end.
    let away = folder.path().join("notices.1");
    append(&path, "last\nof the old");
    fs::rename(&path, &away).unwrap();
    append(&path, "first\n");
    assert_eq!(heard.next(3), ["last", "of the old", "first"]);
    heard.change("second", || append(&path, "second\n"));
    // Replaced in one step.
    fs::write(&away, "third\n").unwrap();
    heard.change("third", || fs::rename(&away, &path).unwrap());
    assert_eq!(heard.notices.trouble(), None);
}

#[test]
fn a_file_that_comes_and_goes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("later");
    let mut heard = heard(&path);
    let trouble = heard.notices.trouble().unwrap();
    assert!(trouble.contains("later is not there yet"), "{trouble}");
    heard.change("first", || append(&path, "first\n"));
    for name in ["second", "third"] {
        fs::remove_file(&path).unwrap();
        heard.trouble("is gone");
        assert_eq!(heard.notices.trouble(), None);
        heard.change(name, || append(&path, &format!("{name}\n")));
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    heard.trouble("not a regular file");
}

#[test]
fn lines_without_end_and_bytes_that_are_no_text() {
    let (_folder, path) = file("");
    let mut heard = heard(&path);
    let mut bytes = vec![b'x'; 200_000];
    bytes.extend(b"\na\xffb\n");
    OpenOptions::new().append(true).open(&path).unwrap().write_all(&bytes).unwrap();
    assert_eq!(heard.next(1), ["a\u{fffd}b"]);
    heard.trouble("longer than 64 KiB");
    // Very much at once, which is read in several looks; it stays bounded.
    let lines = "y\n".repeat(5 << 20);
    append(&path, &lines);
    append(&path, "z\n");
    heard.trouble("were dropped");
    assert_eq!(heard.notices.take().len(), 10_000);
}

#[test]
fn what_cannot_be_followed_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let error = refusal(folder.path().join("no/notices").to_str().unwrap());
    assert!(error.contains("there is no folder") && error.contains("make it"), "{error}");
    let error = refusal(folder.path().to_str().unwrap());
    assert!(error.contains("not a regular file"), "{error}");
    let error = refusal("/dev/zero");
    assert!(error.contains("not a regular file"), "{error}");
}
