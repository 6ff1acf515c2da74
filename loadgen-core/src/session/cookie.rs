//! The cookie of a session: the last one that the server set is sent back as it
//! is. There is no matching of paths, domains or times.

use super::Notice;

/// Most bytes of a cookie that are kept.
const COOKIE_LIMIT: usize = 245;
const SET_COOKIE: &[u8] = b"Set-Cookie:";
const COOKIE: &[u8] = b"Cookie: ";
const LINE_END: &[u8] = b"\r\n";

/// At most one cookie, as the line that sends it. Holds no memory until a server
/// sets one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct CookieJar {
    /// Empty, or a header line with its line end.
    line: Vec<u8>,
}

impl CookieJar {
    /// Looks at a line of a reply's head, without its line feed. A cookie in it
    /// takes the place of the one before: the text up to the first semicolon. An
    /// empty one leaves none. One that is too long is cut, which the notice says.
    #[inline]
    pub(crate) fn take(&mut self, header_line: &[u8]) -> Option<Notice<'static>> {
        if !matches!(header_line.first(), Some(b'S' | b's')) {
            return None;
        }
        let (name, value) = header_line.split_at_checked(SET_COOKIE.len())?;
        if !name.eq_ignore_ascii_case(SET_COOKIE) {
            return None;
        }
        // A carriage return within a cookie would break the line that sends it.
        let end = value.iter().position(|byte| matches!(byte, b';' | b'\r'));
        let text = value.get(..end.unwrap_or(value.len())).unwrap_or_default().trim_ascii();
        let kept = text.get(..COOKIE_LIMIT).unwrap_or(text);
        self.line.clear();
        if !kept.is_empty() {
            for part in [COOKIE, kept, LINE_END] {
                self.line.extend_from_slice(part);
            }
        }
        (kept.len() < text.len()).then_some(Notice::LongCookie(COOKIE_LIMIT))
    }

    /// The line that sends the cookie, with its line end.
    pub(crate) fn line(&self) -> Option<&[u8]> {
        (!self.line.is_empty()).then_some(self.line.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sent(lines: &[&str]) -> Option<String> {
        let mut jar = CookieJar::default();
        for line in lines {
            assert_eq!(jar.take(line.as_bytes()), None);
        }
        jar.line().map(|line| String::from_utf8_lossy(line).into_owned())
    }

    #[test]
    fn the_last_cookie_without_its_attributes() {
        let cookie = |text: &str| Some(format!("Cookie: {text}\r\n"));
        assert_eq!(sent(&["HTTP/1.1 200 OK\r", "Server: odd\r", ""]), None);
        assert_eq!(sent(&["Set-Cookie: sid=abc123; Path=/; HttpOnly\r"]), cookie("sid=abc123"));
        assert_eq!(
            sent(&["Set-Cookie: first=1; path=/\r", "set-cookie: second=2\r", "X: y\r"]),
            cookie("second=2")
        );
        assert_eq!(sent(&["SET-COOKIE:a=b c;d"]), cookie("a=b c"));
        assert_eq!(sent(&["Set-Cookie: a=1\rX: y"]), cookie("a=1"));
        assert_eq!(sent(&["Set-Cookie: a=1", "Set-Cookie: ; path=/\r"]), None);
        assert_eq!(sent(&["Set-Cookie2: a=1", "Set-Cookie a=1", "Set-Cookie"]), None);
    }

    #[test]
    fn a_long_cookie_is_cut() {
        let mut jar = CookieJar::default();
        let text = "a".repeat(245);
        assert_eq!(jar.take(format!("Set-Cookie: {text}\r").as_bytes()), None);
        let line = format!("Cookie: {text}\r\n");
        assert_eq!(jar.line(), Some(line.as_bytes()));
        let notice = jar.take(format!("Set-Cookie: {text}b; path=/\r").as_bytes());
        assert_eq!(notice, Some(Notice::LongCookie(245)));
        assert_eq!(jar.line(), Some(line.as_bytes()));
    }

    proptest! {
        #[test]
        fn one_short_line_whatever_comes(value in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut line = b"sEt-cOOkie:".to_vec();
            line.extend(value.iter().filter(|byte| **byte != b'\n'));
            let mut jar = CookieJar::default();
            jar.take(&line);
            if let Some(sent) = jar.line() {
                prop_assert!(sent.starts_with(b"Cookie: ") && sent.ends_with(b"\r\n"));
                prop_assert!((11..=8 + 245 + 2).contains(&sent.len()));
                let ends = sent.iter().filter(|byte| matches!(byte, b'\r' | b'\n' | b';'));
                prop_assert_eq!(ends.count(), 2);
            }
        }
    }
}
