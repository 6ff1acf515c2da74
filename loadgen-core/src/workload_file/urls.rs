//! Lists of URLs: one a line, or as httperf's `--wlog` has them.

use std::path::Path;

use super::entry::{Base, Take};
use crate::error::WorkloadFileError;
use crate::request::is_token;

/// A URL or a path a line, with the method before it if it is another than the plan's.
pub(super) fn lines(
    bytes: &[u8],
    file: &Path,
    base: &Base<'_>,
    take: Take<'_>,
) -> Result<(), WorkloadFileError> {
    for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let wrong = |reason: String| WorkloadFileError::content(file, Some(number), reason);
        let line = std::str::from_utf8(line)
            .map_err(|_| wrong("this is not UTF-8: write other bytes as %XX".to_owned()))?;
        let mut words = line.split_ascii_whitespace();
        let (method, url) = match (words.next(), words.next(), words.next()) {
            (None, ..) => continue,
            (Some(comment), ..) if comment.starts_with('#') => continue,
            (Some(url), None, _) => (None, url),
            (Some(method), Some(url), None) if is_token(method) => (Some(method), url),
            _ => {
                let reason = "a line is a URL or a path, or a method and one of these: blanks in \
                              it are written %20";
                return Err(wrong(reason.to_owned()));
            }
        };
        let path = base.path(url).map_err(wrong)?;
        let mut listed = base.plain(&path);
        if let Some(method) = method {
            listed.request = listed.request.with_method(method);
        }
        take(number, listed)?;
    }
    Ok(())
}

/// Paths that end with a NUL byte each; the number of an entry stands in for its line.
pub(super) fn wlog(bytes: &[u8], base: &Base<'_>, take: Take<'_>) -> Result<(), WorkloadFileError> {
    let entries = bytes.split(|byte| *byte == 0).filter(|entry| !entry.trim_ascii().is_empty());
    (1..).zip(entries).try_for_each(|(number, entry)| {
        take(number, base.plain(String::from_utf8_lossy(entry).trim_ascii()))
    })
}
