//! Looks for texts in a body that comes in pieces, and keeps none of them.

use memchr::memmem::Finder;

use super::Expected;
use crate::protocol::Sink;
use crate::raw_text::RawText;

/// A text that bodies should have, or should not.
#[derive(Debug)]
pub(super) struct Text {
    finder: Finder<'static>,
    /// `[n]`: how many bytes of the text stand at the end of its first `n + 1` bytes, other
    /// than all of these (Knuth, Morris & Pratt, SIAM J. Comput. 6(2), 1977).
    again: Box<[u32]>,
    is_wanted: bool,
}

impl Text {
    pub(super) fn new(text: &RawText, is_wanted: bool) -> Self {
        let mut again = vec![0_u32; text.len()];
        let mut matched = 0;
        for at in 1..text.len() {
            while matched > 0 && text[at] != text[matched] {
                matched = again[matched - 1] as usize;
            }
            matched += usize::from(text[at] == text[matched]);
            again[at] = matched as u32;
        }
        Self { finder: Finder::new(&text[..]).into_owned(), again: again.into(), is_wanted }
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    fn len(&self) -> usize {
        self.again.len()
    }

    /// How many bytes of the text stand at the end of what came, after these bytes: all of
    /// them once it was found.
    fn after(&self, matched: usize, bytes: &[u8]) -> usize {
        let most = self.len() - 1;
        // What began in an earlier piece ends among the first bytes of this one.
        let begin = &bytes[..most.min(bytes.len())];
        let matched = self.walked(matched, begin);
        if matched == self.len() || begin.len() == bytes.len() {
            return matched;
        }
        match self.finder.find(bytes) {
            Some(_) => self.len(),
            None => self.walked(0, &bytes[bytes.len() - most..]),
        }
    }

    fn walked(&self, mut matched: usize, bytes: &[u8]) -> usize {
        for byte in bytes {
            matched = self.step(matched, *byte);
            if matched == self.len() {
                break;
            }
        }
        matched
    }

    fn step(&self, mut matched: usize, byte: u8) -> usize {
        let text = self.finder.needle();
        while matched > 0 && text[matched] != byte {
            matched = self.again[matched - 1] as usize;
        }
        matched + usize::from(text[matched] == byte)
    }
}

/// What was seen of a body so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct BodyScan {
    size: u64,
    /// Of each text, how many of its bytes stand at the end of what came; all of them: it
    /// was found.
    matched: Vec<u32>,
}

impl BodyScan {
    /// Another body begins.
    pub(crate) fn begin(&mut self, expected: &Expected) {
        self.size = 0;
        self.matched.clear();
        self.matched.resize(expected.texts.len(), 0);
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn has(&self, number: usize, text: &Text) -> bool {
        self.matched.get(number).is_some_and(|matched| *matched as usize == text.len())
    }

    pub(crate) fn add(&mut self, expected: &Expected, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        for (matched, text) in self.matched.iter_mut().zip(&expected.texts) {
            if (*matched as usize) < text.len() {
                *matched = text.after(*matched as usize, bytes) as u32;
            }
        }
    }
}

/// Takes the body of a reply.
pub(crate) struct Scanning<'a> {
    pub(crate) expected: &'a Expected,
    pub(crate) scan: &'a mut BodyScan,
}

impl Sink for Scanning<'_> {
    const TAKES_BODY: bool = true;

    fn body(&mut self, bytes: &[u8]) {
        self.scan.add(self.expected, bytes);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::expectation::Expectation;

    fn found(text: &str, pieces: &[&[u8]]) -> bool {
        let expected = Expected::new([&Expectation::BodyHas(text.into())]);
        let mut scan = BodyScan::default();
        scan.begin(&expected);
        pieces.iter().for_each(|piece| scan.add(&expected, piece));
        scan.has(0, &expected.texts[0])
    }

    #[test]
    fn a_text_is_found_across_pieces() {
        assert!(found("abc", &[b"xxa", b"b", b"", b"cxx"]));
        assert!(found("aab", &[b"aa", b"ab"]));
        assert!(found("a", &[b"", b"a"]));
        assert!(!found("abc", &[b"ab", b"xc"]));
        assert!(found("abab", &[b"aba", b"bab"]));
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(
            text in "[ab]{1,6}",
            body in "[ab]{0,60}",
            cuts in prop::collection::vec(0_usize..61, 0..8),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
            cuts.extend([0, body.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> =
                cuts.windows(2).map(|pair| &body.as_bytes()[pair[0]..pair[1]]).collect();
            prop_assert_eq!(found(&text, &pieces), body.contains(&text));
        }
    }
}
