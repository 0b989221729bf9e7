//! How loud the sounds were that were tried in vain: what is as loud needs no other try, whatever a detector takes it for.
//!
//! Music sounds like a voice. Who speaks over music is louder than it, by 3 dB where they are equally loud; who speaks after it is softer.

use super::level::Levels;

/// Loudness is that of so long, ms: a syllable is not more than a beat, a sentence is.
const WINDOW_MS: u64 = 2_000;
/// So much louder or softer is another sound, dB: half of what a voice adds to music that is as loud.
const OTHER_DB: f64 = 1.5;

/// The range of their loudness, dBFS.
#[derive(Debug, Default)]
pub(crate) struct Tried(Option<(f64, f64)>);

impl Tried {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The sound of the last so many milliseconds was tried as well.
    pub(crate) fn widen(&mut self, levels: &Levels, last_ms: u64) {
        let Some((least, most)) = levels.loudness_range(last_ms, WINDOW_MS) else { return };
        let (low, high) = self.0.unwrap_or((least, most));
        self.0 = Some((low.min(least), high.max(most)));
    }

    /// Whether the sound of now is as loud as they were.
    pub(crate) fn knows(&self, levels: &Levels) -> bool {
        let now = levels.loudness_range(WINDOW_MS, WINDOW_MS);
        let known = self.0.zip(now);
        known.is_some_and(|((low, high), (now, _))| (low - OTHER_DB..=high + OTHER_DB).contains(&now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Levels after so many seconds of each amplitude.
    fn heard(parts: &[(u64, i16)]) -> Levels {
        let (mut levels, mut at) = (Levels::default(), 0);
        for (seconds, amplitude) in parts {
            for _ in 0..seconds * 50 {
                levels.take(at, &[*amplitude; 320]);
                at += 20;
            }
        }
        levels
    }

    #[test]
    fn what_is_as_loud_is_known_and_what_is_louder_or_softer_is_not() {
        let mut tried = Tried::default();
        assert!(!tried.knows(&heard(&[(3, 1_000)])), "nothing was tried");
        tried.widen(&heard(&[(15, 1_000)]), 15_000);
        assert!(tried.knows(&heard(&[(3, 1_050)])));
        assert!(!tried.knows(&heard(&[(3, 1_000), (2, 1_414)])), "a voice over music as loud");
        assert!(!tried.knows(&heard(&[(3, 1_000), (2, 500)])), "a soft voice when the music is over");
    }

    #[test]
    fn a_sound_that_swells_and_falls_is_known_at_every_loudness_it_had() {
        let mut tried = Tried::default();
        tried.widen(&heard(&[(5, 300), (5, 3_000), (5, 300)]), 15_000);
        assert!([300, 700, 1_500, 3_000].iter().all(|amplitude| tried.knows(&heard(&[(2, *amplitude)]))));
        tried.widen(&heard(&[(15, 8_000)]), 15_000);
        assert!(tried.knows(&heard(&[(2, 5_000)])), "tries add up");
        assert!(!tried.knows(&heard(&[(2, 15_000)])));
    }
}
