//! How histograms are written down, of a process whose record is to be merged with others: as in
//! reports, HdrHistogram V2, deflated, base64. All else of a record is written as it stands.
//!
//! What is read back has the same buckets, and so the same quantiles, ends and mean.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::ZlibDecoder;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer as Reader, Serializer as _, V2DeflateSerializer};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize as _, Deserializer, Serialize, Serializer};

/// The largest that is read, unpacked: of five digits over all of 64 bits, with 9 bytes a bucket.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// A histogram as text; `None` if it cannot be written, which is a defect.
pub(crate) fn encoded(histogram: &Histogram<u64>) -> Option<String> {
    let mut bytes = Vec::new();
    // Into memory and from u64 counts there is nothing that could fail.
    V2DeflateSerializer::new().serialize(histogram, &mut bytes).ok()?;
    Some(STANDARD.encode(bytes))
}

/// The histogram of a text; `None` if it is none. A short text cannot make it a large one.
pub(crate) fn decoded(text: &str) -> Option<Histogram<u64>> {
    Header::unpack(text)?.1
}

/// What stands before the counts of a histogram: HdrHistogram V2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    digits: u32,
    low: u64,
    high: u64,
}

impl Header {
    /// Cookie, length of the counts, offset, digits, low, high, ratio.
    const LENGTH: usize = 40;

    fn of(histogram: &Histogram<u64>) -> Self {
        let (low, high) = (histogram.low(), histogram.high());
        Self { digits: histogram.sigfig().into(), low, high }
    }

    /// With the histogram, if there is one.
    fn unpack(text: &str) -> Option<(Self, Option<Histogram<u64>>)> {
        let packed = STANDARD.decode(text).ok()?;
        // A cookie, and how many bytes are packed.
        let mut bytes = Vec::new();
        ZlibDecoder::new(packed.get(8..)?).take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
        let number = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
        let long = |at: usize| bytes.get(at..at + 8)?.try_into().ok().map(u64::from_be_bytes);
        // The length is believed by whoever reads the counts.
        if number(4)? as usize != bytes.len().checked_sub(Self::LENGTH)? {
            return None;
        }
        let header = Self { digits: number(12)?, low: long(16)?, high: long(24)? };
        Some((header, Reader::new().deserialize(&mut bytes.as_slice()).ok()))
    }
}

/// `None` where it is empty: most are.
fn write<S: Serializer>(histogram: &Histogram<u64>, to: S) -> Result<S::Ok, S::Error> {
    let text = match histogram.is_empty() {
        true => None,
        false => Some(encoded(histogram).ok_or_else(|| S::Error::custom("a histogram"))?),
    };
    text.serialize(to)
}

/// Into an empty one of the right bounds.
fn read<'de, D: Deserializer<'de>>(
    from: D,
    mut empty: Histogram<u64>,
) -> Result<Histogram<u64>, D::Error> {
    if let Some(text) = Option::<String>::deserialize(from)? {
        let told = Header::unpack(&text).filter(|(header, _)| *header == Header::of(&empty));
        let told = told.and_then(|(_, told)| told).filter(|told| empty.add(told).is_ok());
        told.ok_or_else(|| D::Error::custom("this is no histogram of times up to an hour"))?;
    }
    Ok(empty)
}

/// Of three digits.
pub(super) mod histogram {
    use super::super::load::{Histogram, histogram};
    use super::{Deserializer, Serializer, read, write};

    pub(crate) fn serialize<S: Serializer>(from: &Histogram, to: S) -> Result<S::Ok, S::Error> {
        write(from, to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Histogram, D::Error> {
        read(from, histogram())
    }
}

/// Of three digits, where there need not be one.
pub(super) mod some_histogram {
    use super::super::load::{Histogram, histogram};
    use super::{Deserializer, Serialize as _, Serializer, read, write};

    #[expect(clippy::ref_option, reason = "serde asks for it like this")]
    pub(crate) fn serialize<S: Serializer>(
        from: &Option<Box<Histogram>>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match from {
            Some(histogram) => write(histogram, to),
            None => None::<String>.serialize(to),
        }
    }

    /// An empty one is none: it counts from the first time that there is.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Box<Histogram>>, D::Error> {
        let histogram = read(from, histogram())?;
        Ok((!histogram.is_empty()).then(|| Box::new(histogram)))
    }
}

/// Of two digits.
pub(super) mod coarse_histogram {
    use super::super::load::Histogram;
    use super::super::tags::coarse_histogram;
    use super::{Deserializer, Serializer, read, write};

    pub(crate) fn serialize<S: Serializer>(from: &Histogram, to: S) -> Result<S::Ok, S::Error> {
        write(from, to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Histogram, D::Error> {
        read(from, coarse_histogram())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use serde::{Deserialize, Serialize};

    use super::super::load::histogram;
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Times(#[serde(with = "super::histogram")] Histogram<u64>);

    #[test]
    fn a_histogram_comes_back_with_all_that_is_told_of_it() {
        let mut times = Times(histogram());
        for ns in [1, 999, 1_234_567, 1_234_567, 3_600_000_000_000, u64::MAX] {
            times.0.saturating_record(ns);
        }
        let back: Times = serde_json::from_str(&serde_json::to_string(&times).unwrap()).unwrap();
        assert_eq!(back.0, times.0);
        let told = |of: &Histogram<u64>| (of.min(), of.max(), of.len(), of.value_at_quantile(0.5));
        assert_eq!(told(&back.0), told(&times.0));
        assert_eq!(serde_json::to_string(&Times(histogram())).unwrap(), "null");
        assert!(serde_json::from_str::<Times>("null").unwrap().0.is_empty());
        for text in ["\"\"", "\"AAAA\"", "\"?\"", "7"] {
            assert!(serde_json::from_str::<Times>(text).is_err(), "{text}");
        }
        // Of longer times than are recorded, or of other digits.
        for (high, digits) in [(u64::MAX / 2, 3), (3_600_000_000_000, 1)] {
            let mut other = Histogram::<u64>::new_with_bounds(1, high, digits).unwrap();
            other.record(high / 2).unwrap();
            let text = encoded(&other).unwrap();
            assert_eq!(decoded(&text), Some(other));
            assert!(serde_json::from_str::<Times>(&format!("\"{text}\"")).is_err(), "{digits}");
        }
    }

    /// Some bytes that say that there are many more.
    #[test]
    fn a_short_text_takes_little_memory() {
        let mut bytes = Vec::new();
        for word in [0x1c84_9303_u32, 3 << 29, 0, 3] {
            bytes.extend(word.to_be_bytes());
        }
        bytes.extend([1, 3_600_000_000_000, 1.0_f64.to_bits()].map(u64::to_be_bytes).concat());
        let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        packed.write_all(&bytes).unwrap();
        let packed = packed.finish().unwrap();
        let head = [0x1c84_9304_u32, packed.len() as u32].map(u32::to_be_bytes).concat();
        let text = STANDARD.encode([head, packed].concat());
        assert!(text.len() < 100 && decoded(&text).is_none());
        assert!(serde_json::from_str::<Times>(&format!("\"{text}\"")).is_err());
    }
}
