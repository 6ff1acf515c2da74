//! How a machine dirties its memory, by least squares over what looks at the bitmap found.
//!
//! The sum of squares is taken on a grid of dirty rates and working sets, which is drawn closer
//! around the best ones again and again. So it needs no derivatives (what is dirtied has a kink
//! where a working set has been gone through), and it shows what the looks do *not* tell: a
//! profile that stays low up to its end.

use super::fitted::{CONFIDENCE, Fitted};
use super::looks::Look;
use crate::model::migration::{Dirtying, Pattern};
use crate::stats::{Interval, t_quantile};

/// Points of each side of the grid.
const SIDE: usize = 9;
/// How often it is drawn closer.
const CLOSER: usize = 5;
/// How often the range of the base set is narrowed, to a half of it.
const BASE_NARROWER: usize = 4;
/// In which times a base set may be dirty again, in s.
const BASE_TIMES_S: [f64; 2] = [0.2, 0.6];
/// No look is taken to be better than this share of it: so well does a whole number of pages, a
/// slot and a clock of milliseconds allow.
const FLOOR: f64 = 0.01;

/// What was found of how a machine dirties its memory.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    pub(super) dirtying: Dirtying,
    pub(super) rate: Fitted,
    pub(super) working_set: Fitted,
    pub(super) base: Fitted,
    pub(super) base_time_s: f64,
    /// How far looks were off, as a share of them: the root of the mean square, and the worst.
    pub(super) off: (f64, f64),
    /// The variance of what is dirtied is so many times what is dirtied, in bytes.
    pub(super) scatter: f64,
    /// The sum of squares with the other pattern, as a multiple.
    pub(super) other_pattern: f64,
}

/// One point of the surface.
#[derive(Debug, Clone, Copy)]
struct Point {
    dirtying: Dirtying,
    squares: f64,
}

/// The best description of what looks found; `None` with none of them, or nothing dirtied.
pub(super) fn found(looks: &[Look]) -> Option<Found> {
    let rates = looks.iter().map(|look| look.dirtied / look.total_s());
    let fastest = rates.filter(|rate| rate.is_finite()).fold(0.0, f64::max);
    let most = looks.iter().map(|look| look.dirtied).fold(0.0, f64::max);
    if fastest <= 0.0 {
        return None;
    }
    let surfaces = [Pattern::RoundRobin, Pattern::Random]
        .map(|pattern| Surface::new(looks, pattern, fastest, most));
    let [one, other] = surfaces;
    let (best, other) =
        if one.best.squares <= other.best.squares { (one, other) } else { (other, one) };
    best.best.squares.is_finite().then(|| best.found(&other))
}

struct Surface<'a> {
    looks: &'a [Look],
    pattern: Pattern,
    best: Point,
    /// All that was tried.
    tried: Vec<Point>,
}

/// The ends of a range whose points lie apart by a factor.
#[derive(Debug, Clone, Copy)]
struct Range(f64, f64);

impl Range {
    fn points(self) -> impl Iterator<Item = f64> {
        let step = (self.1 / self.0).ln() / (SIDE - 1) as f64;
        (0..SIDE).map(move |k| self.0 * (step * k as f64).exp())
    }

    /// A third of it around a point.
    fn around(self, point: f64) -> Self {
        let half = (self.1 / self.0).ln() / 6.0;
        Self(point * (-half).exp(), point * half.exp())
    }
}

impl<'a> Surface<'a> {
    fn new(looks: &'a [Look], pattern: Pattern, fastest: f64, most: f64) -> Self {
        let start = Point { dirtying: Dirtying::new(0.0), squares: f64::INFINITY };
        let mut surface = Self { looks, pattern, best: start, tried: Vec::new() };
        let mut rates = Range(fastest / 50.0, fastest * 50.0);
        let mut sets = Range(most / 10.0, most * 30.0);
        for _ in 0..CLOSER {
            surface.walk(rates, sets, most);
            rates = rates.around(surface.best.dirtying.rate);
            if surface.best.dirtying.working_set.is_finite() {
                sets = sets.around(surface.best.dirtying.working_set);
            }
        }
        surface
    }

    fn walk(&mut self, rates: Range, sets: Range, most: f64) {
        for rate in rates.points() {
            for set in sets.points().chain([f64::INFINITY]) {
                for base_time_s in BASE_TIMES_S {
                    let dirtying =
                        Dirtying::new(rate).within(set, self.pattern).with_base_time_s(base_time_s);
                    let point = self.with_best_base(dirtying, most);
                    self.tried.push(point);
                    if point.squares < self.best.squares {
                        self.best = point;
                    }
                }
            }
        }
    }

    /// The base set from 0 to all that was dirtied, by narrowing.
    fn with_best_base(&self, dirtying: Dirtying, most: f64) -> Point {
        let of = |base: f64| {
            let dirtying = dirtying.with_base(base);
            Point { dirtying, squares: squares(self.looks, &dirtying) }
        };
        // Three looks or fewer cannot tell a base set from the others.
        let (mut low, mut high) = (0.0, if self.looks.len() > 3 { most } else { 0.0 });
        let mut best = of(0.0);
        for _ in 0..BASE_NARROWER {
            let step = (high - low) / 4.0;
            for k in 0..=4 {
                let point = of(low + step * f64::from(k));
                if point.squares < best.squares {
                    best = point;
                }
            }
            (low, high) = ((best.dirtying.base - step).max(0.0), best.dirtying.base + step);
        }
        best
    }

    fn found(&self, other: &Self) -> Found {
        let n = self.looks.len();
        // The rate, the working set, the base set.
        let freedom = n.checked_sub(3).filter(|freedom| *freedom > 0);
        let floor = floor(self.looks);
        let t = freedom.and_then(|freedom| t_quantile(freedom + 1, CONFIDENCE));
        let variance = freedom.map(|freedom| (self.best.squares / freedom as f64).max(floor));
        // F of 1 and n − 3 is the square of Student's t.
        let limit = self.best.squares
            + match (t, variance) {
                (Some(t), Some(variance)) => t * t * variance,
                // Too few for an estimate of their own: what the measurement allows.
                _ => 4.0 * floor,
            };
        // Which order it is need not be known.
        let tried = || self.tried.iter().chain(&other.tried);
        let within = || tried().filter(move |point| point.squares <= limit);
        let ends = |of: fn(&Dirtying) -> f64| {
            let values = || within().map(|point| of(&point.dirtying));
            (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max))
        };
        let set_ends = ends(|dirtying| dirtying.working_set);
        // If any larger set says the same of the passes, the largest does, with the rate and the
        // base set that go with it: longer passes than these then dirty no less than they will.
        let unbounded = within().filter(|point| point.dirtying.working_set.is_infinite());
        let unbounded = unbounded.min_by(|a, b| a.squares.total_cmp(&b.squares));
        let best = unbounded.unwrap_or(&self.best).dirtying;
        let is_sure = freedom.is_some();
        let fitted = |value: f64, (low, high): (f64, f64)| {
            let interval = Interval { low, high, coverage: CONFIDENCE.share() };
            Fitted::within(value, is_sure.then_some(interval), n)
        };
        let rate_ends = ends(|dirtying| dirtying.rate);
        let most_tried = tried().map(|point| point.dirtying.rate).fold(0.0, f64::max);
        let working_set = if set_ends.1.is_infinite() {
            // One that is larger than all that were tried says the same of the passes.
            let sets = tried().map(|point| point.dirtying.working_set);
            let largest = sets.filter(|set| set.is_finite()).fold(0.0, f64::max);
            let note = "the working set cannot be told from these passes: none was long enough for \
                        many pages to be written twice; only the least that it is is known";
            Fitted::at_least(self.best.dirtying.working_set.min(largest), set_ends.0, n)
                .saying(note)
        } else {
            fitted(best.working_set, set_ends)
        };
        let rate = if rate_ends.1 >= most_tried {
            let note = "the dirty rate cannot be told: all passes were long enough for the whole \
                        working set to be written; only the least that it is is known";
            Fitted::at_least(best.rate, rate_ends.0, n).saying(note)
        } else {
            fitted(best.rate, rate_ends)
        };
        let base = fitted(best.base, ends(|dirtying| dirtying.base));
        let shares = self.looks.iter().map(|look| {
            (look.expected(&best) - look.dirtied).abs() / look.dirtied.max(f64::MIN_POSITIVE)
        });
        let shares: Vec<f64> = shares.collect();
        let mean = shares.iter().map(|share| share * share).sum::<f64>() / n as f64;
        Found {
            dirtying: Dirtying { pattern: self.pattern, ..best },
            rate,
            working_set,
            base,
            base_time_s: best.base_time_s,
            scatter: variance.unwrap_or(0.0),
            off: (mean.sqrt(), shares.iter().copied().fold(0.0, f64::max)),
            other_pattern: (other.best.squares + floor) / (self.best.squares + floor),
        }
    }
}

/// The variance of a count grows with the count: squares are weighed by what was dirtied.
fn squares(looks: &[Look], dirtying: &Dirtying) -> f64 {
    let of = |look: &Look| (look.expected(dirtying) - look.dirtied).powi(2) / weight(look);
    looks.iter().map(of).sum()
}

/// A look that found nothing tells as much as one that found 64 KiB.
fn weight(look: &Look) -> f64 {
    look.dirtied.max(65_536.0)
}

/// The least variance that is believed.
fn floor(looks: &[Look]) -> f64 {
    let of = |look: &Look| (FLOOR * look.dirtied).powi(2) / weight(look);
    looks.iter().map(of).sum::<f64>() / looks.len() as f64
}
