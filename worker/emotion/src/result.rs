//! What comes out of the analysis. All numbers are finite; words and units are those of the messages to listeners, not yet rounded.

use schemas::voice::{Category, Judgement, Pitch, Rate, Volume};

/// Something was measured.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// About one second in which the speaker spoke.
    Second(Reading),
    /// A caption segment that was reported by [`crate::Analyzer::segment`].
    Segment {
        /// The number it was reported with.
        id: u64,
        /// The whole of it. Without any measured speech in it, only the rate by words may be there.
        reading: Reading,
    },
    /// The quality of one second of audio, speech or not; they follow each other without a gap.
    Quality(Quality),
}

/// How a stretch of speech sounded.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Begin in media time, ms.
    pub start_ms: u64,
    /// End in media time, ms.
    pub end_ms: u64,
    /// Milliseconds of measured speech in it; what was concealed or filled does not count.
    pub speech_ms: u64,
    /// How activated the voice is: 0.5 is how this speaker usually speaks. `None` when there was no speech to measure; the confidence is at most
    /// 0.4 until the baseline has heard enough.
    pub arousal: Option<Judgement>,
    /// The word for the manner of speaking, from level, pitch, rate and timbre alone.
    pub category: Category,
    /// How sure the word is, 0 to 1.
    pub category_confidence: f64,
    /// How far from neutral, 0 to 1: twice the distance of arousal from one half.
    pub intensity: f64,
    /// Loudness; `None` when there was no speech to measure.
    pub volume: Option<Volume>,
    /// Speaking rate; `None` when neither words nor syllables tell one.
    pub rate: Option<Rate>,
    /// Pitch; `None` when nothing was voiced.
    pub pitch: Option<Pitch>,
    /// Loudness of the speech by the K weighting of EBU R 128, pauses left out, LUFS; `None` below −70. Said of the microphone, not of the
    /// speaker: unlike `volume` it is on a scale that others share.
    pub lufs: Option<f64>,
    /// What to keep in mind about this reading.
    pub flags: Flags,
}

/// What to keep in mind about a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Flags {
    /// The speaker's usual voice is not known yet (less than 20 s of speech).
    pub baseline_warming: bool,
    /// Level is evened out by automatic gain control, reported or suspected: it has no weight in arousal.
    pub agc_suspected: bool,
    /// Speech stands less than 5 dB out of the noise.
    pub low_snr: bool,
    /// Less than 0.4 s of speech.
    pub short: bool,
    /// More than 1 % of the samples of the speech are at 98 % of full scale or above.
    pub clipped: bool,
}

/// The quality of a second of audio.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// Begin in media time, ms.
    pub start_ms: u64,
    /// End in media time, ms.
    pub end_ms: u64,
    /// Milliseconds of it that were received; the rest was concealed or filled, and is not measured.
    pub received_ms: u64,
    /// Milliseconds of it that were speech.
    pub speech_ms: u64,
    /// Root mean square of what was received, dB re full scale, at least −96.
    pub dbfs: f64,
    /// Speech over background noise over the last half minute, dB; `None` until half a second of both was heard.
    pub snr_db: Option<f64>,
    /// Share of the received samples at 98 % of full scale or above, 0 to 1.
    pub clipped_share: f64,
    /// Level of the strongest echo with a delay of 50 to 500 ms re the direct voice over the last seconds, dB, at least −40;
    /// `None` until some four seconds of speech were heard.
    pub echo_db: Option<f64>,
    /// Received audio below −50 dBFS without a break, ms, up to this second's end. What was not received neither adds nor resets.
    pub silent_ms: u64,
}
