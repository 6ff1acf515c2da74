//! Bytes as the lines have them: hexadecimal, in lower case.

use std::fmt;

/// So many bytes.
#[derive(Clone, Copy)]
pub(super) struct Hex<const N: usize>(pub(super) [u8; N]);

impl<const N: usize> Hex<N> {
    /// Reads them; `None` unless there are exactly so many, in lower case.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 2 * N {
            return None;
        }
        let mut bytes = [0; N];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = (digit(pair[0])? << 4) | digit(pair[1])?;
        }
        Some(Self(bytes))
    }
}

fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

impl<const N: usize> fmt::Display for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl<const N: usize> fmt::Debug for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_way_to_write_bytes() {
        let bytes = Hex([0x00, 0x9a, 0xff]);
        assert_eq!(bytes.to_string(), "009aff");
        assert_eq!(Hex::<3>::parse("009aff").unwrap().0, bytes.0);
        for text in ["", "009af", "009aff0", "009AFF", "00 aff", "009ag0", "+09aff", "é9aff"] {
            assert!(Hex::<3>::parse(text).is_none(), "{text}");
        }
    }
}
