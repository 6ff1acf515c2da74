//! Where pre-copy would come to an end by itself, and where not.

use super::scenario::Scenario;
use crate::model::error::ModelError;

/// Halvings of the interval in which the edge lies: more digits than anyone reads.
const HALVINGS: u32 = 40;

/// Doublings until it is given up to find an edge: 10¹² times what there is.
const DOUBLINGS: u32 = 40;

/// The edges of what converges, each with all else as it is.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Thresholds {
    /// From which bandwidth on it converges, in bytes a second.
    pub bandwidth: Edge,
    /// Up to which dirty rate it converges, in bytes a second.
    pub dirty_rate: Edge,
    /// From which limit on the downtime on it converges, in s.
    pub limit_s: Edge,
}

/// Where something begins or ends to converge.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Edge {
    /// It converges at every value.
    Always,
    /// It converges at none.
    Never,
    /// At this value it still does, and not far beyond.
    At(f64),
}

impl Edge {
    /// The value, if there is one.
    #[must_use]
    pub fn value(self) -> Option<f64> {
        match self {
            Self::At(value) => Some(value),
            Self::Always | Self::Never => None,
        }
    }
}

impl Scenario {
    /// Where pre-copy would converge: by the model itself, between a case that converges and one
    /// that does not.
    ///
    /// ```
    /// use loadgen_core::model::migration::{Dirtying, Pattern};
    /// use loadgen_core::model::strategies::Scenario;
    ///
    /// // 60 are dirtied in a second and 32 are sent; 128 do not fit under 0.3 · 32.
    /// let dirtying = Dirtying::new(60.0).within(128.0, Pattern::RoundRobin);
    /// let edges = Scenario::new(512.0, 32.0, dirtying).thresholds()?;
    /// // A little less than is dirtied: what waits is not dirtied anew. 60 (1 − 0.3 R/128) = R.
    /// assert!((50.0..56.0).contains(&edges.bandwidth.value().unwrap()));
    /// assert!((32.0..36.0).contains(&edges.dirty_rate.value().unwrap()));
    /// # Ok::<(), loadgen_core::model::ModelError>(())
    /// ```
    ///
    /// # Errors
    /// [`ModelError`] for a number that is out of its range.
    pub fn thresholds(&self) -> Result<Thresholds, ModelError> {
        let of = |scenario: Self| Ok(scenario.pre_copy().by_slots()?.converges);
        let bandwidth = |bandwidth: f64| of(self.over(bandwidth));
        let dirty_rate = |rate: f64| of(self.dirtied_at(rate));
        let limit = |limit_s: f64| of(self.clone().with_limit_s(limit_s));
        Ok(Thresholds {
            bandwidth: edge(self.bandwidth, bandwidth, true)?,
            dirty_rate: edge(self.dirtying.rate.max(self.bandwidth / 1e3), dirty_rate, false)?,
            limit_s: edge(self.limit_s, limit, true)?,
        })
    }
}

/// Where `holds` changes, around `from`; it holds above the edge if `above`, else below. The side
/// on which it holds is told.
fn edge(
    from: f64,
    holds: impl Fn(f64) -> Result<bool, ModelError>,
    above: bool,
) -> Result<Edge, ModelError> {
    let (mut good, mut bad) = (from, from);
    let is_good = holds(from)?;
    // Away from where it is, to the other side.
    let up = is_good != above;
    for doubling in 0..=DOUBLINGS {
        if doubling == DOUBLINGS {
            return Ok(if is_good { Edge::Always } else { Edge::Never });
        }
        let next = if up { good.max(bad) * 2.0 } else { good.min(bad) / 2.0 };
        let next_is_good = holds(next)?;
        if next_is_good {
            good = next;
        } else {
            bad = next;
        }
        if next_is_good != is_good {
            break;
        }
        // The other end follows.
        (good, bad) = (next, next);
    }
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(good, bad);
        if holds(middle)? { good = middle } else { bad = middle }
    }
    Ok(Edge::At(good))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::migration::{Dirtying, Pattern};

    fn scenario(rate: f64, set: f64) -> Scenario {
        Scenario::new(512.0, 32.0, Dirtying::new(rate).within(set, Pattern::RoundRobin))
    }

    #[test]
    fn an_edge_lies_between_what_converges_and_what_does_not() {
        for rate in [5.0, 30.0, 60.0, 200.0] {
            let scenario = scenario(rate, 128.0);
            let edges = scenario.thresholds().unwrap();
            let converges = |s: &Scenario| s.pre_copy().by_slots().unwrap().converges;
            let bandwidth = edges.bandwidth.value().unwrap();
            assert!(
                converges(&scenario.over(bandwidth))
                    && !converges(&scenario.over(bandwidth * 0.95))
            );
            let dirty = edges.dirty_rate.value().unwrap();
            assert!(converges(&scenario.dirtied_at(dirty)));
            assert!(!converges(&scenario.dirtied_at(dirty * 1.05)));
        }
    }

    /// A set that fits under the threshold converges at any rate.
    #[test]
    fn a_small_set_has_no_edge_of_the_rate() {
        let edges = scenario(20.0, 8.0).thresholds().unwrap();
        assert_eq!(edges.dirty_rate, Edge::Always);
        assert!(edges.bandwidth.value().unwrap() < 32.0);
    }

    /// A little less than what the whole set takes: a part of it is still waiting when it is looked
    /// at.
    #[test]
    fn a_limit_that_holds_nearly_the_whole_set_is_enough() {
        let limit_s = scenario(200.0, 64.0).thresholds().unwrap().limit_s.value().unwrap();
        assert!((1.5..=2.0).contains(&limit_s), "{limit_s}");
    }

    #[test]
    fn what_is_not_dirtied_always_converges() {
        let edges = scenario(0.0, 64.0).thresholds().unwrap();
        assert_eq!((edges.bandwidth, edges.limit_s), (Edge::Always, Edge::Always));
    }
}
