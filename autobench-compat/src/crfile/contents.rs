//! What stands in the file: random characters, in blocks, so that the disk and
//! not the program is the limit.

use std::hash::{BuildHasher, RandomState};
use std::io::{self, Seek, SeekFrom, Write};

use loadgen_core::random::SplitMix64;

use super::Order;

const BLOCK: usize = 256 * 1024;

/// Writes the content that the order asks for.
pub(super) fn write(file: &mut (impl Write + Seek), order: &Order) -> io::Result<()> {
    let size = u64::try_from(order.size).unwrap_or(0);
    // Seeds differ from run to run; nothing here is a secret.
    let mut random = SplitMix64::new(RandomState::new().hash_one(std::process::id()));
    if order.sparse {
        file.seek(SeekFrom::Start(size.saturating_sub(1)))?;
        let mut last = [0];
        fill(&mut random, &mut last);
        return file.write_all(&last);
    }
    let mut block = vec![0; BLOCK];
    let mut written = 0;
    while written < size {
        let length = usize::try_from(size - written).unwrap_or(BLOCK).min(BLOCK);
        let part = block.get_mut(..length).unwrap_or_default();
        fill(&mut random, part);
        if let Some(wrap) = order.wrap {
            break_lines(part, written, wrap);
        }
        file.write_all(part)?;
        written += length as u64;
    }
    Ok(())
}

/// Puts line feeds at the ends of lines; `offset` is where in the file `part` begins.
fn break_lines(part: &mut [u8], offset: u64, wrap: u64) {
    let first = wrap - 1 - offset % wrap;
    let (Ok(first), Ok(wrap)) = (usize::try_from(first), usize::try_from(wrap)) else { return };
    for end in part.iter_mut().skip(first).step_by(wrap) {
        *end = b'\n';
    }
}

/// Characters from blank to `~`. 16 bits a character make them equally
/// likely to 1 in 700.
fn fill(random: &mut SplitMix64, text: &mut [u8]) {
    for four in text.chunks_mut(4) {
        let mut bits = random.draw();
        for character in four {
            *character = b' ' + (((bits & 0xffff) * 95) >> 16) as u8;
            bits >>= 16;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn written(size: i64, sparse: bool, wrap: Option<u64>) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        write(&mut file, &Order { file: "x".into(), size, sparse, wrap }).unwrap();
        file.into_inner()
    }

    #[test]
    fn all_printable_characters_evenly() {
        let text = written(950_000, false, None);
        let mut counts = [0_u32; 256];
        text.iter().for_each(|&character| counts[usize::from(character)] += 1);
        for (character, count) in counts.into_iter().enumerate() {
            if (32..=126).contains(&character) {
                // 10 000 each; the deviation of a fair draw is 100.
                assert!((9_300..10_700).contains(&count), "{character}: {count}");
            } else {
                assert_eq!(count, 0, "{character}");
            }
        }
        assert_ne!(written(100, false, None), written(100, false, None));
    }

    #[test]
    fn lines_go_on_across_blocks() {
        for wrap in [2, 7, 80, 1000, 300_000] {
            let size = 2 * BLOCK as i64 + 333;
            let text = written(size, false, Some(wrap));
            assert_eq!(text.len() as i64, size);
            for (at, &character) in text.iter().enumerate() {
                let end = (at as u64 + 1).is_multiple_of(wrap);
                assert_eq!(character == b'\n', end, "wrap {wrap}, byte {at}");
            }
        }
        assert!(!written(10, false, Some(u64::MAX)).contains(&b'\n'));
    }

    #[test]
    fn sizes_below_one() {
        assert_eq!(written(0, false, None), b"");
        assert_eq!(written(-7, false, Some(20)), b"");
        assert_eq!(written(-7, true, None).len(), 1);
        assert_eq!(written(0, true, None).len(), 1);
        let sparse = written(50, true, Some(5));
        assert!(sparse.iter().take(49).all(|&byte| byte == 0) && sparse[49] >= b' ');
    }
}
