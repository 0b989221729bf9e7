//! A stream that takes audio and says nothing although the speaker speaks.
//!
//! That somebody speaks is judged by loudness: where music or noise is taken for speech, a stream is replaced in vain, seldom; the broken
//! stream of a speaker who is too soft for that the gate ends after a minute. A stream that only tries a sound is left to the gate.

use super::demand::Moment;
use super::stream::Stream;
use crate::time::MediaInstant;

/// So much of the time must have been speech: music and noise are sometimes taken for it, but not for as long.
const SPEECH_SHARE: u64 = 3;
/// However often it happens, the patience is not longer than this many times the first.
const MOST: u64 = 8;

/// How often in a row streams were mute.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mute {
    factor: u64,
}

impl Default for Mute {
    fn default() -> Self {
        Self { factor: 1 }
    }
}

impl Mute {
    /// Once more: a speaker who is not understood at all is no reason to open a stream every few seconds.
    pub(crate) fn again(self) -> Self {
        Self { factor: (self.factor * 2).min(MOST) }
    }
}

/// When this stream should have said something, if somebody has spoken until then.
pub(crate) fn mute_at(stream: &Stream, mute: Mute, at: &Moment) -> Option<MediaInstant> {
    let patience = at.timing.stream_mute_ms * mute.factor;
    let due = stream.spoke_at.plus_ms(patience);
    let speaks = || at.audio.levels.speech_within_ms(patience) >= patience / SPEECH_SHARE;
    (stream.opened && !at.tries && (at.now < due || speaks())).then_some(due)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_doubles_and_is_bounded() {
        let factors: Vec<u64> =
            std::iter::successors(Some(Mute::default()), |mute| Some(mute.again())).take(6).map(|m| m.factor).collect();
        assert_eq!(factors, [1, 2, 4, 8, 8, 8]);
    }
}
