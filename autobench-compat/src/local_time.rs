//! Local time in messages, asked of `date`, which knows the time zones.

use std::process::{Command, Stdio};

/// What `date` prints with these arguments, with its line end; nothing if there is
/// no such program.
#[must_use]
pub fn date(arguments: &[&str]) -> String {
    Command::new("date")
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default()
}

/// Hour, minute and second of a Unix time, as the original shows them: `9:5:0`.
#[must_use]
pub fn clock_time(unix_s: u64) -> String {
    date(&["-d", &format!("@{unix_s}"), "+%-H:%-M:%-S"]).trim_end().to_owned()
}
