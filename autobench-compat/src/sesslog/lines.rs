//! Lines of a log, of bounded length.

use std::io::{self, BufRead};

/// Longest line that is looked at, in bytes. Servers limit requests to 8 KiB or so.
const LONGEST_LINE: usize = 64 * 1024;

/// Reads the next line into `line`, without its end (LF, CR LF or the end of
/// the log). `None` at the end of the log; `Some(false)` if the line was too
/// long, and its rest was passed over.
pub(super) fn next(log: &mut dyn BufRead, line: &mut Vec<u8>) -> io::Result<Option<bool>> {
    line.clear();
    let mut complete = true;
    let mut seen = false;
    loop {
        let buffer = match log.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            buffer => buffer?,
        };
        if buffer.is_empty() {
            break;
        }
        seen = true;
        let end = buffer.iter().position(|&byte| byte == b'\n');
        let text = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
        if line.len() + text.len() <= LONGEST_LINE {
            line.extend_from_slice(text);
        } else {
            complete = false;
        }
        let used = text.len() + usize::from(end.is_some());
        log.consume(used);
        if end.is_some() {
            break;
        }
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(seen.then_some(complete))
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    #[test]
    fn any_ends_and_any_length() {
        let long = "x".repeat(LONGEST_LINE);
        let log = format!("a\n\nb\r\n{long}\n{long}y\nlast");
        for capacity in [1, 3, 1 << 20] {
            let mut log = BufReader::with_capacity(capacity, log.as_bytes());
            let mut line = Vec::new();
            let mut lines = Vec::new();
            while let Some(complete) = next(&mut log, &mut line).unwrap() {
                lines.push(complete.then(|| String::from_utf8(line.clone()).unwrap()));
            }
            let whole = |text: &str| Some(text.to_owned());
            assert_eq!(
                lines,
                [whole("a"), whole(""), whole("b"), whole(&long), None, whole("last")]
            );
        }
    }
}
