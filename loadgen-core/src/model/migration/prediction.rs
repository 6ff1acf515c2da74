//! What a model says of a migration.

/// One look over the dirtied pages, sent while the machine runs.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Pass {
    /// How long it takes, in s.
    pub length_s: f64,
    /// What is sent in it, in bytes on the wire.
    pub sent: f64,
    /// What is left to be sent at its end, in bytes of memory.
    pub left: f64,
}

/// What a model says of one migration.
///
/// `total_s` is `prepare_s` + `copying_s` + `downtime_s` + `pulling_s`: they follow each other.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Prediction {
    /// Whether copying comes to an end by itself. If not, all figures are those of the moment when
    /// the model gave it up and stopped the machine all the same.
    pub converges: bool,
    /// Before the first byte of memory is sent, in s.
    pub prepare_s: f64,
    /// What is sent while the machine runs at its source.
    pub passes: Vec<Pass>,
    /// All of the passes, in s.
    pub copying_s: f64,
    /// Memory left when the machine is stopped, in bytes.
    pub left: f64,
    /// From the stop until it runs again, in s.
    pub downtime_s: f64,
    /// From then until all memory has come, in s; 0 but for post-copy. In this time the machine is
    /// slower: it waits for each page that it touches too early.
    pub pulling_s: f64,
    /// How long it waits for such pages in all, in s, if its faults are known; a part of
    /// `pulling_s`.
    pub stalled_s: f64,
    /// All that is sent, in bytes on the wire.
    pub sent: f64,
    /// All of it, in s.
    pub total_s: f64,
}

impl Prediction {
    /// With the sum of its parts.
    pub(super) fn summed(mut self) -> Self {
        self.total_s = self.prepare_s + self.copying_s + self.downtime_s + self.pulling_s;
        self
    }
}
