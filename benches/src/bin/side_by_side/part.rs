//! What one part measured: figures by contestant and repetition.

use std::collections::BTreeMap;

use serde::Serialize;

/// Figures of one run by their keys, with units in them.
pub(crate) type Figures = BTreeMap<String, f64>;

/// A column of a part's table.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Column {
    /// Key of the figure.
    pub(crate) key: &'static str,
    pub(crate) heading: &'static str,
    /// Digits after the point.
    #[serde(skip)]
    pub(crate) digits: usize,
    /// Keys of the figures to compare with, shown behind slashes.
    pub(crate) truths: &'static [&'static str],
}

impl Column {
    pub(crate) const fn new(key: &'static str, heading: &'static str, digits: usize) -> Self {
        Self { key, heading, digits, truths: &[] }
    }
}

/// One tool, or one way of calling it.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Measured {
    pub(crate) name: String,
    /// By repetition; `None`: none that counts.
    pub(crate) runs: Vec<Option<Figures>>,
    /// Runs that were done again, since something else ran meanwhile.
    pub(crate) repeated: u32,
    /// Runs that count although something else ran meanwhile: no retries were left.
    pub(crate) disturbed: u32,
    /// Why there are no further runs.
    pub(crate) error: Option<String>,
}

impl Measured {
    /// A figure of all repetitions that have it.
    pub(crate) fn values(&self, key: &str) -> Vec<f64> {
        self.runs.iter().flatten().filter_map(|figures| figures.get(key).copied()).collect()
    }
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) title: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) contestants: Vec<Measured>,
    /// What is to be known of the figures.
    pub(crate) notes: Vec<String>,
}

impl Part {
    pub(crate) fn contestant(&self, name: &str) -> Option<&Measured> {
        self.contestants.iter().find(|measured| measured.name == name)
    }

    /// The ratios of a figure of two contestants in the same repetitions.
    pub(crate) fn ratios(&self, ours: &str, peer: &str, key: &str) -> Vec<f64> {
        let (Some(ours), Some(peer)) = (self.contestant(ours), self.contestant(peer)) else {
            return Vec::new();
        };
        let value = |figures: &Option<Figures>| figures.as_ref()?.get(key).copied();
        let pairs = ours.runs.iter().zip(&peer.runs);
        pairs.filter_map(|(a, b)| Some(value(a)? / value(b)?)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(name: &str, values: &[Option<f64>]) -> Measured {
        let runs = values.iter().map(|v| v.map(|v| Figures::from([("x".to_owned(), v)]))).collect();
        Measured { name: name.to_owned(), runs, ..Measured::default() }
    }

    #[test]
    fn ratios_are_those_of_the_same_repetition() {
        let part = Part {
            name: "closed",
            title: String::new(),
            columns: Vec::new(),
            contestants: vec![
                measured("a", &[Some(1.0), None, Some(3.0)]),
                measured("b", &[Some(2.0), Some(5.0), Some(4.0)]),
            ],
            notes: Vec::new(),
        };
        assert_eq!(part.ratios("a", "b", "x"), [0.5, 0.75]);
        assert!(part.ratios("a", "c", "x").is_empty());
        assert!(part.ratios("a", "b", "y").is_empty());
    }
}
