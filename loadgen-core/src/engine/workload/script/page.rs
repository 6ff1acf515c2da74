//! The reply to a visit of a page: what it refers to.

use crate::session::{Found, Links, PageScanner};

/// A reply that is searched for references as it comes.
#[derive(Debug, Default)]
pub(crate) struct PageReply {
    /// Its head says that it is HTML.
    html: bool,
    scanner: PageScanner,
}

impl PageReply {
    /// A line of its head. A `Location` is fetched like an object.
    pub(crate) fn line(&mut self, links: &Links, line: &[u8], found: &mut dyn FnMut(Found<'_>)) {
        if let Some(value) = field(line, b"content-type:") {
            self.html = value.len() >= 9 && value[..9].eq_ignore_ascii_case(b"text/html");
        } else if let Some(value) = field(line, b"location:") {
            links.resolve(value, found);
        }
    }

    /// The next bytes of its body.
    pub(crate) fn body(&mut self, links: &Links, bytes: &[u8], found: &mut dyn FnMut(Found<'_>)) {
        if self.html {
            self.scanner.scan(links, bytes, found);
        }
    }
}

/// The value of a header line, if it has this name.
fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(lines: &[&str], body: &str) -> Vec<String> {
        let links = Links::new(b"/dir/page.html", b"h");
        let mut page = PageReply::default();
        let mut found = Vec::new();
        let mut keep = |f: Found<'_>| {
            if let Found::Fetch(uri) = f {
                found.push(String::from_utf8_lossy(uri).into_owned());
            }
        };
        for line in lines {
            page.line(&links, line.as_bytes(), &mut keep);
        }
        page.body(&links, body.as_bytes(), &mut keep);
        found
    }

    #[test]
    fn only_html_is_searched() {
        let body = "<img src=\"a.gif\">";
        assert_eq!(found(&["Content-Type: text/html; charset=x\r"], body), ["/dir/a.gif"]);
        assert!(found(&["Content-Type: text/plain\r"], body).is_empty());
        assert!(found(&[], body).is_empty());
    }

    #[test]
    fn a_location_is_fetched() {
        assert_eq!(found(&["LOCATION: /x\r"], ""), ["/x"]);
    }
}
