//! Programs of shell that the tests write.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Writes a program. It is `install` that writes it, since what this process has open
/// for writing is open, too, in every child that another test starts just then, and the
/// kernel runs nothing that somebody may write to.
pub(crate) fn write(path: &Path, script: &str) {
    let mut install = Command::new("install")
        .args(["-m", "755", "/dev/stdin"])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    install.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(install.wait().unwrap().success(), "{}", path.display());
}
