//! Random numbers that a seed tells: SplitMix64 (Steele, Lea & Flood, OOPSLA 2014). The
//! `k`-th number of a seed can be had without those before it.

/// What one number lies behind the one before it, before it is mixed.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The numbers of a seed, one after the other.
#[derive(Debug, Clone)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// All 64 bits of the seed count.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mixed(self.0)
    }

    /// The next number, uniform in [0, 1).
    #[cfg(test)]
    pub(crate) fn unit(&mut self) -> f64 {
        fraction(self.draw())
    }

    /// The next number, uniform in the logarithm.
    #[cfg(test)]
    pub(crate) fn log(&mut self, low: f64, high: f64) -> f64 {
        low * (high / low).powf(self.unit())
    }

    /// One or the other.
    #[cfg(test)]
    pub(crate) fn flip(&mut self) -> bool {
        self.draw() & 1 == 0
    }
}

/// The `k`-th number of a seed.
pub(crate) fn number(seed: u64, k: u64) -> u64 {
    mixed(seed.wrapping_add(k.wrapping_add(1).wrapping_mul(STEP)))
}

/// The `k`-th number of a seed, uniform in [0, 1).
pub(crate) fn unit(seed: u64, k: u64) -> f64 {
    fraction(number(seed, k))
}

fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The upper 53 bits, which a double holds exactly.
fn fraction(number: u64) -> f64 {
    (number >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_reference() {
        // The first of seed 1234567, as published with xoshiro's reference code.
        let mut random = SplitMix64::new(1_234_567);
        let numbers = [(); 5].map(|()| random.draw());
        assert_eq!(
            numbers,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423,
                4_593_380_528_125_082_431,
                16_408_922_859_458_223_821,
            ]
        );
    }

    #[test]
    fn a_number_can_be_had_without_those_before_it() {
        for seed in [0, 7, u64::MAX] {
            let mut random = SplitMix64::new(seed);
            for k in 0..100 {
                assert_eq!(random.unit(), unit(seed, k), "{seed} {k}");
            }
        }
    }
}
