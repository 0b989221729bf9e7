//! SplitMix64 (Steele, Lea and Flood 2014): 64 bits of state, one multiplication and three shifts per number; good enough to draw
//! faults from, and the same on every machine.

/// The source of chance.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// The source of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }
    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    /// A whole number from `low` up to, but not including, `high`.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = u64::try_from(high - low).unwrap_or(1).max(1);
        low + i64::try_from(self.bits() % width).unwrap_or(0)
    }
    /// True in so many of 100,000 cases.
    pub fn chance(&mut self, of_100_000: u32) -> bool {
        of_100_000 > 0 && self.bits() % 100_000 < u64::from(of_100_000)
    }
}

#[cfg(test)]
mod tests {
    use super::Rng;

    #[test]
    fn the_numbers_are_those_of_the_published_generator() {
        let mut rng = Rng::new(1_234_567);
        assert_eq!(rng.bits(), 6_457_827_717_110_365_317);
        assert_eq!(rng.bits(), 3_203_168_211_198_807_973);
    }
}
