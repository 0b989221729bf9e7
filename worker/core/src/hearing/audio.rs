//! Audio as it comes: when it was spoken, how loud it is, whether it is speech, and the last half minute of it.

use super::clock::SpokenClock;
use super::level::Levels;
use super::ring::Ring;
use crate::input::{AudioFrame, AudioKind};
use crate::time::MediaInstant;

/// Samples per millisecond at 16 kHz.
pub(crate) const SAMPLES_PER_MS: u64 = 16;

/// Everything that is known of the audio so far.
#[derive(Debug)]
pub(crate) struct Audio {
    /// The last stretch, to be sent and replayed.
    pub(crate) ring: Ring,
    /// When each millisecond was spoken.
    pub(crate) clock: SpokenClock,
    /// Loudness and speech.
    pub(crate) levels: Levels,
    /// When the last packet's audio came.
    pub(crate) heard_at: Option<MediaInstant>,
    /// When the last speech came, by loudness: the controller asks for words where somebody is clearly heard, and only there.
    pub(crate) speech_at: Option<MediaInstant>,
    /// Where what the gate opened for began, ms of media time.
    pub(crate) onset_ms: u64,
    /// The last stretch of silence that fills a gap: its first media sample and the one after it.
    fill: (u64, u64),
}

impl Audio {
    pub(crate) fn new(ring_ms: u64) -> Self {
        Self {
            ring: Ring::new(ring_ms),
            clock: SpokenClock::default(),
            levels: Levels::default(),
            heard_at: None,
            speech_at: None,
            onset_ms: 0,
            fill: (0, 0),
        }
    }

    /// Takes in a frame that is to be transcribed.
    pub(crate) fn take(&mut self, frame: &AudioFrame, now: MediaInstant) {
        self.notice(frame, now);
        let start = frame.start_ms * SAMPLES_PER_MS;
        self.ring.push(start, &frame.pcm);
        if frame.kind == AudioKind::Filled {
            let begin = if self.fill.1 == start { self.fill.0 } else { start };
            self.fill = (begin, start + frame.pcm.len() as u64);
        }
        if self.levels.take(frame.start_ms, &frame.pcm) {
            self.speech_at = Some(now);
        }
    }

    /// Takes in that audio flows, without keeping any of it.
    pub(crate) fn notice(&mut self, frame: &AudioFrame, now: MediaInstant) {
        match frame.kind {
            AudioKind::Decoded | AudioKind::Concealed => {
                self.heard_at = Some(now);
                let end_ms = frame.start_ms + frame.pcm.len() as u64 / SAMPLES_PER_MS;
                self.clock.observe(end_ms, now);
            }
            AudioKind::Filled => {}
        }
    }

    /// This media sample, or the end of the filled gap that it lies in.
    pub(crate) fn after_fill(&self, sample: u64) -> u64 {
        let (begin, end) = self.fill;
        if (begin..end).contains(&sample) { end } else { sample }
    }

    /// Whether nobody has spoken for so long, or no audio has come. By loudness: a worker that leaves has a second to wait, not half a minute, and
    /// the next one hears on where a soft speaker was cut.
    pub(crate) fn is_silent_for(&self, ms: u64, now: MediaInstant) -> bool {
        self.levels.silent_for_ms() >= ms || self.quiet_for(now).is_none_or(|quiet| quiet >= ms)
    }
    /// Milliseconds without a packet; `None` before the first.
    pub(crate) fn quiet_for(&self, now: MediaInstant) -> Option<u64> {
        self.heard_at.map(|at| now.since(at))
    }
}
