//! What a page is made of: finds the objects that a browser would fetch with it,
//! while the page arrives.
//!
//! Looked at are the `src` of `<img>`, `<frame>` and `<iframe>`, outside of
//! comments. No other rules of HTML are known: scripts are text, character
//! references stay as they are.

/// Most bytes of a URI; a longer one is passed over.
const URI_LIMIT: usize = 1023;
/// More bytes than the longest name that matters.
const NAME_LIMIT: usize = 8;

/// What a reference leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// An object of the same server: the URI to request.
    Fetch(&'a [u8]),
    /// An object of another server, which is not fetched: the reference itself.
    Foreign(&'a [u8]),
}

/// Resolves the references of the pages of one server.
#[derive(Debug, Clone)]
pub(crate) struct Links {
    /// `http://` and the name of the server.
    origin: Vec<u8>,
    /// The URI of the page up to its last slash.
    directory: Vec<u8>,
}

impl Links {
    /// For the page `base` of `server`, a name as it stands in references: without
    /// a port.
    pub(crate) fn new(base: &[u8], server: &[u8]) -> Self {
        let slash = base.iter().rposition(|byte| *byte == b'/');
        let directory = base.get(..slash.map_or(0, |slash| slash + 1)).unwrap_or_default();
        Self { origin: [b"http://", server].concat(), directory: directory.to_vec() }
    }

    /// Tells `found` where a reference leads: one of `src`, or of a `Location` line.
    /// One that is empty, or that would break a request line, leads nowhere.
    pub(crate) fn resolve(&self, reference: &[u8], found: &mut dyn FnMut(Found<'_>)) {
        let reference = reference.trim_ascii();
        if reference.is_empty() || reference.iter().any(|byte| matches!(byte, 0..=b' ' | 0x7f)) {
            return;
        }
        if reference.contains(&b':') {
            match reference.strip_prefix(self.origin.as_slice()) {
                Some(path @ [b'/', ..]) => found(Found::Fetch(path)),
                _ => found(Found::Foreign(reference)),
            }
        } else if reference.starts_with(b"/") {
            found(Found::Fetch(reference));
        } else {
            found(Found::Fetch(&[self.directory.as_slice(), reference].concat()));
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Text,
    /// So many bytes of `<!--`, at least the first.
    Opening(u8),
    /// So many hyphens came last, 2 standing for more.
    Comment(u8),
    TagName,
    /// Between attributes.
    Tag,
    AttributeName,
    AfterName,
    BeforeValue,
    /// A value that ends with this quote.
    Quoted(u8),
    /// A value that ends at white space or the end of the tag.
    Bare,
}

/// The state of one page between its pieces. Keeps no more than one value.
#[derive(Debug, Clone, Default)]
pub(crate) struct PageScanner {
    state: State,
    name: Name,
    /// Whether the tag's `src` is wanted and has not come.
    embeds: bool,
    /// Whether the value is wanted.
    wanted: bool,
    /// The value so far, with at most one byte more than [`URI_LIMIT`].
    value: Vec<u8>,
}

/// The start of a name in small letters.
#[derive(Debug, Clone, Copy, Default)]
struct Name {
    bytes: [u8; NAME_LIMIT],
    length: u8,
}

impl PageScanner {
    /// Looks through the next bytes of the page and tells `found` of each reference
    /// that is complete.
    pub(crate) fn scan(&mut self, links: &Links, bytes: &[u8], found: &mut dyn FnMut(Found<'_>)) {
        for byte in bytes {
            self.step(*byte, links, found);
        }
    }

    #[inline]
    fn step(&mut self, byte: u8, links: &Links, found: &mut dyn FnMut(Found<'_>)) {
        self.state = match (self.state, byte) {
            (State::Text, b'<') => State::Opening(1),
            (State::Text, _) => State::Text,

            (State::Opening(1), b'!') => State::Opening(2),
            (State::Opening(2), b'-') => State::Opening(3),
            // The hyphens that begin a comment may also end it.
            (State::Opening(3), b'-') => State::Comment(2),
            (State::Opening(1), b'<') => State::Opening(1),
            (State::Opening(1), b'a'..=b'z' | b'A'..=b'Z') => {
                self.name = Name::default();
                self.name.push(byte);
                State::TagName
            }
            // The end of an element has no attributes that matter.
            (State::Opening(1), b'/') | (State::Opening(2 | 3), _) if byte != b'>' => {
                self.embeds = false;
                State::Tag
            }
            (State::Opening(_), _) => State::Text,

            (State::Comment(hyphens), b'-') => State::Comment((hyphens + 1).min(2)),
            (State::Comment(2), b'>') => State::Text,
            (State::Comment(_), _) => State::Comment(0),

            (State::TagName, b'>') => State::Text,
            (State::TagName, b'/' | b' ' | b'\t' | b'\r' | b'\n' | 0x0c) => {
                self.embeds = matches!(self.name.get(), b"img" | b"frame" | b"iframe");
                State::Tag
            }
            (State::TagName, _) => {
                self.name.push(byte);
                State::TagName
            }

            (State::Tag | State::AttributeName | State::AfterName | State::BeforeValue, b'>') => {
                State::Text
            }
            (State::AttributeName | State::AfterName, b'=') => {
                self.wanted = self.embeds && self.name.get() == b"src";
                State::BeforeValue
            }
            (State::AttributeName | State::AfterName, byte) if byte.is_ascii_whitespace() => {
                State::AfterName
            }
            (State::Tag | State::BeforeValue, byte) if byte.is_ascii_whitespace() => self.state,
            (State::Tag | State::AttributeName | State::AfterName, b'/') => State::Tag,
            (State::Tag | State::AfterName, _) => {
                self.name = Name::default();
                self.name.push(byte);
                State::AttributeName
            }
            (State::AttributeName, _) => {
                self.name.push(byte);
                State::AttributeName
            }

            (State::BeforeValue, b'"' | b'\'') => State::Quoted(byte),
            (State::BeforeValue, _) => {
                self.keep(byte);
                State::Bare
            }
            (State::Quoted(quote), byte) if byte == quote => {
                self.value_complete(links, found);
                State::Tag
            }
            (State::Bare, b'>') => {
                self.value_complete(links, found);
                State::Text
            }
            (State::Bare, byte) if byte.is_ascii_whitespace() => {
                self.value_complete(links, found);
                State::Tag
            }
            (State::Quoted(_) | State::Bare, _) => {
                self.keep(byte);
                self.state
            }
        };
    }

    fn keep(&mut self, byte: u8) {
        if self.wanted && self.value.len() <= URI_LIMIT {
            self.value.push(byte);
        }
    }

    fn value_complete(&mut self, links: &Links, found: &mut dyn FnMut(Found<'_>)) {
        if !self.wanted {
            return;
        }
        if self.value.len() <= URI_LIMIT {
            links.resolve(&self.value, found);
        }
        self.value.clear();
        self.wanted = false;
        // The first `src` of a tag counts.
        self.embeds = false;
    }
}

impl Name {
    fn push(&mut self, byte: u8) {
        // A name that fills it is none of those that matter.
        if let Some(place) = self.bytes.get_mut(usize::from(self.length)) {
            *place = byte.to_ascii_lowercase();
            self.length += 1;
        }
    }

    fn get(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// What is found in the page `/dir/page.html` that comes in pieces of these
    /// lengths; foreign references in brackets.
    fn found(page: &[u8], lengths: &[usize]) -> Vec<String> {
        let links = Links::new(b"/dir/page.html", b"127.0.0.1");
        let mut scanner = PageScanner::default();
        let mut found = Vec::new();
        let mut tell = |one: Found<'_>| {
            found.push(match one {
                Found::Fetch(uri) => String::from_utf8_lossy(uri).into_owned(),
                Found::Foreign(uri) => format!("[{}]", String::from_utf8_lossy(uri)),
            });
        };
        let mut rest = page;
        let mut turn = 0;
        while !rest.is_empty() {
            let length = lengths.get(turn % lengths.len().max(1)).copied().unwrap_or(1);
            let (piece, after) = rest.split_at(length.clamp(1, rest.len()));
            scanner.scan(&links, piece, &mut tell);
            assert!(scanner.value.len() <= URI_LIMIT + 1);
            (rest, turn) = (after, turn + 1);
        }
        found
    }

    fn whole(page: &str) -> Vec<String> {
        found(page.as_bytes(), &[usize::MAX])
    }

    #[test]
    fn the_page_of_the_odd_server() {
        let page = "<html><!-- c --><img src=\"a.gif\"><IMG SRC=b.gif ><a href=\"x.html\">x</a>\
            <frame src=\"http://127.0.0.1/c.gif\"><iframe src=\"http://other/d.gif\"></html>\n";
        let expected = ["/dir/a.gif", "/dir/b.gif", "/c.gif", "[http://other/d.gif]"];
        assert_eq!(whole(page), expected);
        assert_eq!(found(page.as_bytes(), &[]), expected);
    }

    #[test]
    fn tags_and_values() {
        for (page, expected) in [
            ("<img src='/a.gif'><iframe\n\tSrC = \"/b\" >", vec!["/a.gif", "/b"]),
            ("<img alt=\">\" src=/a.gif><img src=/b/>", vec!["/a.gif", "/b/"]),
            ("<img/src=/a.gif alt=x src=/b.gif>", vec!["/a.gif"]),
            ("<img src src=/a.gif><img hidden src =/b.gif>", vec!["/a.gif", "/b.gif"]),
            ("<img src=\" /a.gif\n\">", vec!["/a.gif"]),
            ("<<img src=/a.gif>", vec!["/a.gif"]),
            ("if (a < b) <img src=/a.gif>", vec!["/a.gif"]),
            ("<!doctype html><img src=/a.gif>", vec!["/a.gif"]),
            ("<!><!-><!--><!---><img src=/a.gif>", vec!["/a.gif"]),
            ("<!-- <img src=/a.gif> -- > --><img src=/b.gif>", vec!["/b.gif"]),
            ("</img src=/a.gif><image src=/b><img2 src=/c><script src=/d>", vec![]),
            ("<img srcset=/a.gif data-src=/b.gif>src=/c.gif", vec![]),
            ("<img src=\"\"><img src=><img src=\"/a b\"><img src='/a\r\nb'>", vec![]),
            ("<img src=/unfinished", vec![]),
        ] {
            assert_eq!(whole(page), expected, "{page}");
            assert_eq!(found(page.as_bytes(), &[1]), expected, "{page}");
        }
    }

    #[test]
    fn references() {
        let links = |base: &str, reference: &str| {
            let mut result = String::new();
            Links::new(base.as_bytes(), b"www").resolve(reference.as_bytes(), &mut |found| {
                result = format!("{found:?}");
            });
            result
        };
        let fetch = |uri: &str| format!("{:?}", Found::Fetch(uri.as_bytes()));
        let foreign = |uri: &str| format!("{:?}", Found::Foreign(uri.as_bytes()));
        assert_eq!(links("/page.html", "a.gif"), fetch("/a.gif"));
        assert_eq!(links("/a/b/", "c?d"), fetch("/a/b/c?d"));
        assert_eq!(links("page.html", "a.gif"), fetch("a.gif"));
        assert_eq!(links("/a/b", "/404"), fetch("/404"));
        assert_eq!(links("/a/b", "http://www/x:y"), fetch("/x:y"));
        for uri in ["http://www", "http://www2/a", "https://www/a", "data:,x", "/a:b"] {
            assert_eq!(links("/", uri), foreign(uri));
        }
        assert_eq!(links("/", "\t "), "");
    }

    #[test]
    fn long_values_are_passed_over() {
        let page = |length: usize| format!("<img src=/{}><img src=/a>", "x".repeat(length - 1));
        assert_eq!(whole(&page(1023)).len(), 2);
        assert_eq!(whole(&page(1024)), ["/a"]);
        assert_eq!(whole(&page(100_000)), ["/a"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn splits_do_not_matter(
            parts in vec(prop_oneof![
                4 => prop::sample::select(
                    ["<img ", "<IFRAME\n", "<a ", "</", "src", "=", "\"", "'", ">", "<!--", "--", "-->", "/", "a.gif", " ", "http://127.0.0.1/", "x:"].as_slice(),
                ).prop_map(|part| part.as_bytes().to_vec()),
                1 => vec(any::<u8>(), 0..4),
            ], 0..60),
            lengths in vec(0_usize..12, 0..6),
        ) {
            let page = parts.concat();
            prop_assert_eq!(found(&page, &lengths), found(&page, &[usize::MAX]));
        }

        #[test]
        fn each_object_is_found(
            objects in vec(("[a-z0-9./?&=_-]{1,20}", 0_usize..3, "[a-z <&;'\"]{0,10}"), 0..10),
        ) {
            let mut page = String::new();
            for (uri, quoting, text) in &objects {
                let quote = ["\"", "'", ""][*quoting];
                page += &format!("<img src={quote}{uri}{quote}>{}<br>", text.replace('<', ""));
            }
            let expected: Vec<_> = objects.iter().map(|(uri, ..)| {
                if uri.starts_with('/') { uri.clone() } else { format!("/dir/{uri}") }
            }).collect();
            prop_assert_eq!(whole(&page), expected);
        }
    }
}
