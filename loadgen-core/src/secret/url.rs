//! Passwords in URLs (`http://user:password@host/`), for texts that name a URL.

/// What stands in place of user and password.
const HIDDEN: &str = "…";

/// A text without the users and passwords of the URLs in it.
#[must_use]
pub fn without_passwords(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(scheme_end) = rest.find("://").map(|at| at + 3) {
        let (before, after) = rest.split_at(scheme_end);
        clean.push_str(before);
        // No quote ends it: a password may hold one, and too much hidden is no harm.
        let ends = |c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#');
        let authority = &after[..after.find(ends).unwrap_or(after.len())];
        rest = match authority.rfind('@') {
            Some(at) => {
                clean.push_str(HIDDEN);
                &after[at..]
            }
            None => after,
        };
    }
    clean + rest
}

/// A URL that could not be read, for a message. Where its host and port make no sense,
/// everything up to a later `@` may be a password that holds a `/`.
pub(crate) fn shown_url(url: &str) -> String {
    let shown = without_passwords(url);
    let start = shown.find("://").map_or(0, |at| at + 3);
    let after = &shown[start..];
    let authority = &after[..after.find(['/', '?', '#']).unwrap_or(after.len())];
    let host_ends = authority.rfind(']').unwrap_or(0);
    let port = authority[host_ends..].split_once(':').map_or("", |(_, port)| port);
    let is_odd = port.bytes().any(|byte| !byte.is_ascii_digit());
    match after.rfind('@') {
        Some(at) if is_odd || !shown.contains("://") => {
            format!("{}{HIDDEN}{}", &shown[..start], &after[at..])
        }
        _ => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_left_out() {
        for (text, shown) in [
            ("http://u:p@h/x", "http://…@h/x"),
            ("cannot load 'HTTPS://u:p@q@h:1': no", "cannot load 'HTTPS://…@h:1': no"),
            ("http://a/ and http://u@b?c", "http://a/ and http://…@b?c"),
            ("http://u:it's-secret@h/", "http://…@h/"),
            ("'http://u:<p>\"w@h/': no", "'http://…@h/': no"),
            ("'http://h': no, \"http://h\"", "'http://h': no, \"http://h\""),
            ("http://h/@x", "http://h/@x"),
            ("mail a@b, http://h", "mail a@b, http://h"),
            ("", ""),
        ] {
            assert_eq!(without_passwords(text), shown);
        }
        assert_eq!(shown_url("http://u:pa/ss@h/"), "http://…@h/");
        assert_eq!(shown_url("http://u:p#s@h/"), "http://…@h/");
        assert_eq!(shown_url("u:p@h"), "…@h");
        assert_eq!(shown_url("http://h:80/a@b"), "http://h:80/a@b");
        assert_eq!(shown_url("http://[::1]:80/a@b"), "http://[::1]:80/a@b");
    }
}
