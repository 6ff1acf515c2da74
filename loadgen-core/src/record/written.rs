//! How histograms are written down, of a process whose record is to be merged with others: as in
//! reports, HdrHistogram V2, deflated, base64. All else of a record is written as it stands.
//!
//! What is read back has the same buckets, and so the same quantiles, ends and mean.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer as Reader, Serializer as _, V2DeflateSerializer};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize as _, Deserializer, Serialize, Serializer};

/// A histogram as text; `None` if it cannot be written, which is a defect.
pub(crate) fn encoded(histogram: &Histogram<u64>) -> Option<String> {
    let mut bytes = Vec::new();
    // Into memory and from u64 counts there is nothing that could fail.
    V2DeflateSerializer::new().serialize(histogram, &mut bytes).ok()?;
    Some(STANDARD.encode(bytes))
}

/// The histogram of a text; `None` if it is none.
pub(crate) fn decoded(text: &str) -> Option<Histogram<u64>> {
    let bytes = STANDARD.decode(text).ok()?;
    Reader::new().deserialize(&mut bytes.as_slice()).ok()
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
        let told = decoded(&text).filter(|told| empty.add(told).is_ok());
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
        // Of longer times than are recorded.
        let mut longer = Histogram::<u64>::new_with_bounds(1, u64::MAX / 2, 3).unwrap();
        longer.record(u64::MAX / 4).unwrap();
        let text = format!("\"{}\"", encoded(&longer).unwrap());
        assert!(serde_json::from_str::<Times>(&text).is_err());
    }
}
