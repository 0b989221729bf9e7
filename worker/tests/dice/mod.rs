//! Chance that comes the same each time, and what a network does to packets by chance.
#![allow(dead_code, reason = "each test file uses its part")]

/// Numbers from a seed (splitmix64).
pub struct Dice(pub u64);

impl Dice {
    /// The next, from 0 to 1.
    pub fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// What a network does to RTP.
#[derive(Debug, Clone, Copy, Default)]
pub struct Network {
    /// Share of the packets.
    pub loss: f64,
    /// Packets that are lost together.
    pub burst: u32,
    /// Each packet is late by up to so much, ms, which reorders those that are closer together.
    pub jitter_ms: f64,
    /// Share of the packets that come twice.
    pub doubled: f64,
    /// Whether the speaker sends RED, where a test makes the packets itself.
    pub red: bool,
}

impl Network {
    /// Whether the next packet is lost; `left` is what is left of the burst.
    pub fn loses(&self, dice: &mut Dice, left: &mut u32) -> bool {
        let length = self.burst.max(1);
        if *left == 0 && dice.roll() < self.loss / f64::from(length) {
            *left = length;
        }
        let lost = *left > 0;
        *left = left.saturating_sub(1);
        lost
    }

    /// How late a packet is, ms.
    pub fn late_ms(&self, dice: &mut Dice) -> f64 {
        dice.roll() * self.jitter_ms
    }
}
