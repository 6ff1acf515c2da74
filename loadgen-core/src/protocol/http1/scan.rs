//! Searches through eight bytes at a time, without unsafe code.
//!
//! The lines of a head are short (20 to 40 bytes), so a call into a vectorised
//! search for each of them costs more than it saves.

const ONES: u64 = 0x0101_0101_0101_0101;
const TOPS: u64 = 0x8080_8080_8080_8080;

/// The top bit of each byte below `limit` (at most 0x80). Exact up to and
/// including the lowest byte found; above it a borrow may add false ones, so
/// only the lowest set bit is to be used.
const fn below(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(ONES * limit as u64) & !word & TOPS
}

/// The top bit of each byte equal to `byte`; see [`below`].
const fn equal(word: u64, byte: u8) -> u64 {
    below(word ^ (ONES * byte as u64), 1)
}

/// The place of the first byte at or after `from` that `in_word` marks; `one`
/// is the same question for a single byte.
#[inline(always)]
fn find(
    bytes: &[u8],
    from: usize,
    in_word: impl Fn(u64) -> u64,
    one: impl Fn(u8) -> bool,
) -> Option<usize> {
    let mut rest = bytes.get(from..)?;
    while let Some((word, after)) = rest.split_first_chunk::<8>() {
        let hits = in_word(u64::from_le_bytes(*word));
        if hits != 0 {
            // Little-endian: the lowest bit is the earliest byte.
            return Some(bytes.len() - rest.len() + (hits.trailing_zeros() / 8) as usize);
        }
        rest = after;
    }
    let place = rest.iter().position(|byte| one(*byte))?;
    Some(bytes.len() - rest.len() + place)
}

/// The first line feed at or after `from`.
#[inline]
pub(super) fn line_feed(bytes: &[u8], from: usize) -> Option<usize> {
    find(bytes, from, |word| equal(word, b'\n'), |byte| byte == b'\n')
}

/// The first byte at or after `from` that ends a field name: the colon, or what
/// cannot be part of a name (space, control character, not ASCII).
#[inline]
pub(super) fn name_end(bytes: &[u8], from: usize) -> Option<usize> {
    // As `equal(word, b':') | below(word, b'!') | word & TOPS`, without what is
    // needed only to keep bytes from 0x80 on out of the first two.
    let in_word = |word: u64| {
        let colon = (word ^ (ONES * b':' as u64)).wrapping_sub(ONES);
        let space = word.wrapping_sub(ONES * b'!' as u64);
        (colon | space | word) & TOPS
    };
    find(bytes, from, in_word, |byte| byte == b':' || !matches!(byte, b'!'..0x80))
}

/// Whether `name`, of the same length and without control characters, is `lower`
/// but for the case of its letters. `lower` has small letters and hyphens only:
/// these are all the bytes that keep their meaning when bit 5 is set, and no other
/// byte above the control characters becomes one of them.
#[inline(always)]
pub(super) fn same_name<const N: usize>(name: &[u8], lower: &[u8; N]) -> bool {
    const CASE: u64 = ONES * 0x20;
    let Some(name) = name.first_chunk::<N>().filter(|_| name.len() == N) else { return false };
    let mut same = true;
    let mut at = 0;
    // The last word overlaps the one before it.
    while at < N {
        let start = at.min(N - 8);
        let (Some(a), Some(b)) =
            (name[start..].first_chunk::<8>(), lower[start..].first_chunk::<8>())
        else {
            return false;
        };
        same &= u64::from_le_bytes(*a) | CASE == u64::from_le_bytes(*b);
        at += 8;
    }
    same
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn like_one_byte_at_a_time(
            bytes in prop::collection::vec(
                prop_oneof![
                    4 => Just(b'a'),
                    1 => prop::sample::select(b"\t\n\x0b :;!~\x7f\x80\x8a\xba\xff\0".as_slice()),
                    1 => any::<u8>(),
                ],
                0..40,
            ),
            from in 0usize..45,
        ) {
            let place = |wanted: fn(u8) -> bool| {
                (from..bytes.len()).find(|place| wanted(bytes[*place]))
            };
            prop_assert_eq!(line_feed(&bytes, from), place(|byte| byte == b'\n'));
            prop_assert_eq!(
                name_end(&bytes, from),
                place(|byte| byte == b':' || byte <= b' ' || !byte.is_ascii())
            );
        }
    }

    #[test]
    fn names_of_any_case() {
        let lower = b"transfer-encoding";
        assert!(same_name(b"transfer-encoding", lower));
        assert!(same_name(b"TRANSFER-Encoding", lower));
        assert!(!same_name(b"transfer-encodin", lower));
        assert!(!same_name(b"transfer-encodings", lower));
        // Each byte counts: no other byte above the control characters passes.
        for place in 0..lower.len() {
            for byte in b'!'..=0xff {
                let mut name = *lower;
                name[place] = byte;
                assert_eq!(same_name(&name, lower), byte.eq_ignore_ascii_case(&lower[place]));
            }
        }
    }
}
