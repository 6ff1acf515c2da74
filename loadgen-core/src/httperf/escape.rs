//! Escapes in the text of `--add-header`.

/// The text with its escapes replaced, and the letters of those that mean
/// nothing (0 for a backslash at the very end).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unescaped {
    /// The bytes for the wire.
    pub bytes: Vec<u8>,
    /// Each is worth a [warning](Unescaped::warnings).
    pub unknown: Vec<u8>,
}

impl Unescaped {
    /// `\n` is CR LF, `\r` CR, `\a` LF, `\\` a backslash, and `\` with octal
    /// digits, however many, the byte of that value. An unknown letter stands for
    /// itself.
    #[must_use]
    pub fn of(text: &[u8]) -> Self {
        let mut this = Self::default();
        let mut rest = text;
        while let Some((byte, next)) = rest.split_first() {
            rest = next;
            if *byte != b'\\' {
                this.bytes.push(*byte);
                continue;
            }
            match rest.split_first() {
                Some((b'0'..=b'9', _)) => rest = this.octal(rest),
                Some((letter, next)) => {
                    rest = next;
                    this.letter(*letter);
                }
                // The original would send what follows in its memory.
                None => this.unknown.push(0),
            }
        }
        this
    }

    fn letter(&mut self, letter: u8) {
        match letter {
            b'n' => self.bytes.extend_from_slice(b"\r\n"),
            b'r' => self.bytes.push(b'\r'),
            b'a' => self.bytes.push(b'\n'),
            b'\\' => self.bytes.push(b'\\'),
            other => {
                self.unknown.push(other);
                self.bytes.push(other);
            }
        }
    }

    /// Of a number above 255 the last 8 bits; of no digit (`\8`) 0, as in the
    /// original.
    fn octal<'a>(&mut self, text: &'a [u8]) -> &'a [u8] {
        let count = text.iter().take_while(|b| matches!(b, b'0'..=b'7')).count();
        let (digits, rest) = text.split_at_checked(count).unwrap_or((text, b""));
        let value = digits.iter().try_fold(0_u64, |value, digit| {
            value.checked_mul(8).map(|value| value + u64::from(digit - b'0'))
        });
        self.bytes.push((value.unwrap_or(u64::MAX) & 0xff) as u8);
        rest
    }

    /// What to print to standard error when the run starts, once.
    #[must_use]
    pub fn warnings(&self, program: &[u8]) -> Vec<u8> {
        let warning = |letter: &u8| {
            let escape = [b": ignoring unknown escape sequence `\\" as &[u8], &[*letter]].concat();
            [program, &escape, b"' in --add-header\n"].concat()
        };
        self.unknown.iter().flat_map(warning).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Each as the original sent it.
    #[test]
    fn as_on_the_wire() {
        for (text, bytes, unknown) in [
            (r"X-A: one\nX-B: t\\wo\106\n", b"X-A: one\r\nX-B: t\\woF\r\n" as &[u8], ""),
            (r"X-A: a\qb\n", b"X-A: aqb\r\n", "q"),
            (r"A: \x\r\a\\.\n", b"A: x\r\n\\.\r\n", "x"),
            (r"a\400b\0c\n", b"a\0b\0c\r\n", ""),
            (r"A: \8\9x\n", b"A: \x008\x009x\r\n", ""),
            (r"A: \101\1012\n", b"A: A\n\r\n", ""),
            (r"A: \377\1777777777777777777777777\n", b"A: \xff\xff\r\n", ""),
            ("", b"", ""),
            (r"a\", b"a", "\0"),
        ] {
            let unescaped = Unescaped::of(text.as_bytes());
            assert_eq!(unescaped.bytes, bytes, "{text}");
            assert_eq!(unescaped.unknown, unknown.as_bytes(), "{text}");
        }
        assert_eq!(
            Unescaped::of(br"\q\e").warnings(b"httperf"),
            b"httperf: ignoring unknown escape sequence `\\q' in --add-header\n\
              httperf: ignoring unknown escape sequence `\\e' in --add-header\n"
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_and_plain_text_stays(text: Vec<u8>) {
            let unescaped = Unescaped::of(&text);
            if !text.contains(&b'\\') {
                prop_assert_eq!(unescaped, Unescaped { bytes: text, unknown: vec![] });
            }
        }
    }
}
