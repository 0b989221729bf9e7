//! What comes out of the analysis. All numbers are finite.

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
    /// Arousal; `None` when there was no speech to measure.
    pub arousal: Option<Arousal>,
    /// Pleasantness from −1 to 1. Always `None` here: prosody does not tell it. A model may fill it in.
    pub valence: Option<f64>,
    /// The word for the manner of speaking.
    pub category: Category,
    /// Where the word comes from.
    pub category_source: Source,
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
    /// Further facts that the index is made of.
    pub evidence: Evidence,
    /// What to keep in mind about this reading.
    pub flags: Flags,
}

/// How activated the voice is, relative to the speaker's own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arousal {
    /// 0 (subdued) to 1 (activated); 0.5 is how this speaker usually speaks.
    pub value: f64,
    /// 0 to 1; at most 0.4 until the baseline has heard enough.
    pub confidence: f64,
}

/// The manner of speaking, as far as prosody tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Category {
    /// As usual, or nothing else is certain enough.
    #[default]
    Neutral,
    /// Clearly more than usual: louder, higher, livelier, faster. Joy and anger both sound so.
    Activated,
    /// Clearly less than usual: softer, lower, flatter, slower. Sadness and calm both sound so.
    Subdued,
    /// Spoken without phonation, at whatever level.
    Whisper,
}

/// Where a category comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Source {
    /// From level, pitch, rate and timbre alone.
    #[default]
    Prosody,
}

/// Loudness of the speech.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Volume {
    /// The word: a whisper is told by phonation, the others relative to the speaker's baseline.
    pub level: VolumeLevel,
    /// Root mean square of the speech, dB re full scale (a full-scale sine is −3 dBFS).
    pub dbfs: f64,
    /// Decibels above the speaker's usual level.
    pub relative_db: f64,
}

/// How loud, in the product's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VolumeLevel {
    /// More than 4 dB above the speaker's usual level.
    Loud,
    /// Within 4 dB of it.
    Medium,
    /// More than 4 dB below it.
    Soft,
    /// Without phonation, at whatever level.
    Whisper,
}

/// Speaking rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// The word.
    pub classification: RateClass,
    /// What the word was decided by.
    pub basis: RateBasis,
    /// Words per minute by the word times that were reported; `None` without at least two words.
    pub wpm: Option<f64>,
    /// Syllable nuclei per second of speech; `None` when too little was voiced.
    pub syllables_per_second: Option<f64>,
}

/// How fast, in the product's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RateClass {
    /// Below 100 words per minute, or below 0.7 of the speaker's usual syllable rate.
    VerySlow,
    /// Below 130, or below 0.85.
    Slow,
    /// Below 160, or up to 1.15.
    Medium,
    /// Below 190, or up to 1.3.
    Fast,
    /// Above.
    VeryFast,
}

/// What a rate's word was decided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RateBasis {
    /// Words per minute, absolute.
    Words,
    /// Syllables per second, relative to the speaker's usual rate.
    Syllables,
}

/// Pitch of the voiced part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pitch {
    /// Median fundamental frequency, Hz.
    pub hz: f64,
    /// Semitones above the speaker's usual median.
    pub relative_semitones: f64,
    /// From the 20th to the 80th percentile, semitones.
    pub range_semitones: f64,
}

/// Further facts.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Evidence {
    /// Share of the speech that was voiced, 0 to 1.
    pub voiced_share: f64,
    /// Energy below 1 kHz over the energy from 1 to 5 kHz in the voiced part, dB: the smaller, the sharper the voice.
    pub tilt_db: f64,
    /// Speech over background noise, dB; `None` until both were heard.
    pub snr_db: Option<f64>,
    /// Loudness of the speech by the K weighting of EBU R 128, pauses left out, LUFS; `None` below −70.
    pub lufs: Option<f64>,
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
