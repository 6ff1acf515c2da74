//! The factorial design: which combinations of levels are tried, how often, and in which order.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::DesignError;
use crate::random::SplitMix64;

/// Cells that a design may have: nobody waits for more.
const MOST_CELLS: usize = 10_000;

/// Trials that a design may have.
const MOST_TRIALS: u64 = 1_000_000;

/// Names that mean something else in placeholders.
const RESERVED: [(&str, &str); 4] = [
    ("trial", "the number of the trial"),
    ("block", "the number of the block"),
    ("attempt", "the number of the attempt"),
    ("dir", "the folder of the trial"),
];

/// One value of a factor, as it is written: `512MiB`, `pre-copy`, `0.5`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Level(String);

impl Level {
    /// The text that stands for it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for Level {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is varied, and over which levels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Factor {
    /// Its name, as placeholders and the environment of hooks have it: letters, digits and `_`.
    pub name: String,
    /// Its levels, no two the same.
    pub levels: Vec<Level>,
}

impl Factor {
    /// A factor of these levels.
    pub fn new<L: Into<Level>>(name: &str, levels: impl IntoIterator<Item = L>) -> Self {
        Self { name: name.to_owned(), levels: levels.into_iter().map(Into::into).collect() }
    }
}

/// One combination of levels: one of each factor, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    index: usize,
    levels: Vec<(String, Level)>,
}

impl Cell {
    /// Its place among the cells of the design, from 0.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// The factors and their levels.
    pub fn levels(&self) -> impl Iterator<Item = (&str, &Level)> {
        self.levels.iter().map(|(name, level)| (&**name, level))
    }

    /// The same as a map.
    #[must_use]
    pub fn to_levels(&self) -> BTreeMap<String, String> {
        self.levels().map(|(name, level)| (name.to_owned(), level.to_string())).collect()
    }

    /// The level of a factor.
    #[must_use]
    pub fn level(&self, factor: &str) -> Option<&Level> {
        self.levels().find(|(name, _)| *name == factor).map(|(_, level)| level)
    }
}

impl fmt::Display for Cell {
    /// `memory=512MiB strategy=pre-copy`; of a design without factors: `all`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.levels.is_empty() {
            return f.write_str("all");
        }
        for (place, (name, level)) in self.levels.iter().enumerate() {
            let before = if place > 0 { " " } else { "" };
            write!(f, "{before}{name}={level}")?;
        }
        Ok(())
    }
}

/// Every combination of the levels of some factors, tried once in each of a number of blocks.
///
/// A machine drifts: it warms up, its neighbours come and go. In a block every cell has its turn
/// once, in an order of its own, so that drift falls on all cells alike; comparisons are made
/// within blocks (Box, Hunter & Hunter, *Statistics for Experimenters*, ch. 4).
///
/// ```
/// use loadgen_core::experiment::{Design, Factor};
///
/// let design = Design::new(7)
///     .with_factor(Factor::new("memory", ["512MiB", "1GiB"]))
///     .with_factor(Factor::new("strategy", ["pre-copy", "post-copy"]));
/// assert_eq!(design.cells()?.len(), 4);
/// assert_eq!(design.order(0)?.len(), 4);
/// # Ok::<(), loadgen_core::experiment::DesignError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Design {
    factors: Vec<Factor>,
    blocks: u32,
    warm_up_blocks: u32,
    seed: u64,
}

impl Design {
    /// One of a single cell, that is tried `trials` times.
    #[must_use]
    pub fn new(trials: u32) -> Self {
        Self { factors: Vec::new(), blocks: trials, warm_up_blocks: 0, seed: 1 }
    }

    /// Adds a factor: there are as many times more cells as it has levels.
    #[must_use]
    pub fn with_factor(mut self, factor: Factor) -> Self {
        self.factors.push(factor);
        self
    }

    /// Adds a level to a factor, which is added if there is none of this name.
    #[must_use]
    pub fn with_level(mut self, factor: &str, level: impl Into<Level>) -> Self {
        match self.factors.iter_mut().find(|known| known.name == factor) {
            Some(known) => known.levels.push(level.into()),
            None => self.factors.push(Factor::new(factor, [level])),
        }
        self
    }

    /// So many blocks before the others are kept and shown, and count for nothing: the first
    /// trial after a start of the testbed is like no other.
    #[must_use]
    pub fn with_warm_up_blocks(mut self, blocks: u32) -> Self {
        self.warm_up_blocks = blocks;
        self
    }

    /// From which the order within blocks follows; 1 unless it is set.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The factors.
    #[must_use]
    pub fn factors(&self) -> &[Factor] {
        &self.factors
    }

    /// Trials of each cell that count.
    #[must_use]
    pub fn trials(&self) -> u32 {
        self.blocks
    }

    /// Blocks before those.
    #[must_use]
    pub fn warm_up_blocks(&self) -> u32 {
        self.warm_up_blocks
    }

    /// All blocks, with those of the warm-up, which come first.
    #[must_use]
    pub fn blocks(&self) -> u32 {
        self.blocks.saturating_add(self.warm_up_blocks)
    }

    /// From which the order within blocks follows.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// How many combinations of levels there are.
    #[must_use]
    pub fn cell_count(&self) -> usize {
        let levels = self.factors.iter().map(|factor| factor.levels.len());
        levels.fold(1, usize::saturating_mul)
    }

    /// All combinations of levels, the last factor varying fastest.
    ///
    /// # Errors
    /// [`DesignError`] if the design is none.
    pub fn cells(&self) -> Result<Vec<Cell>, DesignError> {
        self.validate()?;
        let mut cells: Vec<Vec<(String, Level)>> = vec![Vec::new()];
        for factor in &self.factors {
            let with = |cell: &Vec<(String, Level)>, level: &Level| {
                let own = (factor.name.clone(), level.clone());
                cell.iter().cloned().chain([own]).collect()
            };
            let of_cell = |cell: &Vec<_>| -> Vec<_> {
                factor.levels.iter().map(|level| with(cell, level)).collect()
            };
            cells = cells.iter().flat_map(of_cell).collect();
        }
        let numbered = cells.into_iter().enumerate();
        Ok(numbered.map(|(index, levels)| Cell { index, levels }).collect())
    }

    /// The places of the cells in the order of a block, from the seed: Fisher and Yates'
    /// shuffle (Knuth, TAOCP vol. 2, §3.4.2, algorithm P).
    ///
    /// # Errors
    /// [`DesignError`] if the design is none.
    pub fn order(&self, block: u32) -> Result<Vec<usize>, DesignError> {
        self.validate()?;
        Ok(self.shuffled(block))
    }

    /// The same of a design that is known to be one.
    pub(super) fn shuffled(&self, block: u32) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.cell_count()).collect();
        // Each block has numbers of its own, so that one can be had without those before.
        let of_block = SplitMix64::new(self.seed ^ u64::from(block) << 32).draw();
        let mut random = SplitMix64::new(of_block);
        for last in (1..order.len()).rev() {
            let most = last as u64 + 1;
            // What would make some places likelier is drawn again.
            let fair = u64::MAX - u64::MAX % most;
            let drawn = std::iter::repeat_with(|| random.draw()).find(|drawn| *drawn < fair);
            order.swap(last, (drawn.unwrap_or_default() % most) as usize);
        }
        order
    }

    pub(super) fn validate(&self) -> Result<(), DesignError> {
        if self.blocks == 0 {
            return Err(DesignError::NoTrials);
        }
        if i64::try_from(self.seed).is_err() {
            return Err(DesignError::Seed { seed: self.seed });
        }
        for (place, factor) in self.factors.iter().enumerate() {
            let name = || factor.name.clone();
            let of_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            if factor.name.is_empty() || !factor.name.bytes().all(of_name) {
                return Err(DesignError::Name { name: name() });
            }
            let reserved = RESERVED.iter().find(|(own, _)| factor.name.eq_ignore_ascii_case(own));
            if let Some((_, what)) = reserved {
                return Err(DesignError::Reserved { name: name(), what });
            }
            let same = |other: &Factor| other.name.eq_ignore_ascii_case(&factor.name);
            if self.factors[..place].iter().any(same) {
                return Err(DesignError::Twice { name: name() });
            }
            if factor.levels.is_empty() {
                return Err(DesignError::NoLevels { name: name() });
            }
            for (place, level) in factor.levels.iter().enumerate() {
                if factor.levels[..place].contains(level) {
                    return Err(DesignError::SameLevel { name: name(), level: level.to_string() });
                }
            }
        }
        let cells = self.cell_count();
        if cells > MOST_CELLS {
            return Err(DesignError::Cells { cells, most: MOST_CELLS });
        }
        let trials = (cells as u64).saturating_mul(u64::from(self.blocks()));
        if trials > MOST_TRIALS {
            return Err(DesignError::Trials { trials, most: MOST_TRIALS });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_by_three() -> Design {
        Design::new(5)
            .with_factor(Factor::new("memory", ["1", "2"]))
            .with_factor(Factor::new("strategy", ["a", "b", "c"]))
    }

    #[test]
    fn every_combination_is_a_cell() {
        let cells = two_by_three().cells().unwrap();
        let shown: Vec<String> = cells.iter().map(ToString::to_string).collect();
        assert_eq!(shown[0], "memory=1 strategy=a");
        assert_eq!(shown[5], "memory=2 strategy=c");
        assert_eq!(cells[4].level("strategy").map(Level::as_str), Some("b"));
        assert_eq!((cells[4].level("x"), cells[4].index()), (None, 4));
        assert_eq!(Design::new(1).cells().unwrap()[0].to_string(), "all");
    }

    /// A plan that was made yesterday has the same order today.
    #[test]
    fn each_block_holds_every_cell_once_in_an_order_that_the_seed_tells() {
        let design = two_by_three();
        let mut seen = std::collections::BTreeSet::new();
        for block in 0..50 {
            let order = design.order(block).unwrap();
            assert_eq!(order, design.order(block).unwrap());
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3, 4, 5]);
            seen.insert(order);
        }
        assert!(seen.len() > 40, "{}", seen.len());
        assert_ne!(design.order(0), design.with_seed(2).order(0));
    }

    /// Every cell comes first about as often as any other.
    #[test]
    fn the_order_is_fair() {
        let design = two_by_three();
        let mut first = [0_u32; 6];
        for block in 0..6_000 {
            first[design.order(block).unwrap()[0]] += 1;
        }
        // Six standard deviations of a binomial law.
        assert!(first.iter().all(|count| count.abs_diff(1_000) < 180), "{first:?}");
    }

    #[test]
    fn what_is_no_design_is_refused() {
        let with = |factor| Design::new(1).with_factor(factor).cells().unwrap_err().to_string();
        assert!(with(Factor::new("a-b", ["1"])).contains("'a-b'"));
        assert!(with(Factor::new("", ["1"])).contains("''"));
        assert!(with(Factor::new("a", [""; 0])).contains("no level"));
        assert!(with(Factor::new("a", ["1", "2", "1"])).contains("'1' twice"));
        let twice = two_by_three().with_factor(Factor::new("Memory", ["3"]));
        assert!(twice.cells().unwrap_err().to_string().contains("two factors"));
        assert!(Design::new(0).order(0).is_err());
        assert!(with(Factor::new("Trial", ["1"])).contains("the number of the trial"));
        let seed = Design::new(1).with_seed(u64::MAX).cells().unwrap_err().to_string();
        assert!(seed.contains("18446744073709551615"), "{seed}");
        let many = Factor::new("many", (0..200).map(|level| level.to_string()));
        let more = Factor { name: "more".to_owned(), ..many.clone() };
        let said = Design::new(1).with_factor(many).with_factor(more).cells().unwrap_err();
        assert!(said.to_string().contains("40,000"), "{said}");
    }
}
