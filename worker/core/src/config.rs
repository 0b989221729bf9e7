//! What a worker is told at its start, and the numbers that its decisions use.

use schemas::ids::{Generation, SessionId, TaskArn};

/// Which unfinished captions are translated. In the speaker's own language partials always pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum PartialPolicy {
    /// None: a final is translated as a whole.
    Finals,
    /// A sentence, once, when its words are stable. The translator sees whole sentences, and nothing is translated twice.
    Sentences,
    /// A sentence or a clause, once, when its words are stable; in speech without marks, what is said between two pauses, or some words. The
    /// default: `docs/benchmarks.md` has the numbers.
    #[default]
    Clauses,
    /// The whole text again whenever it has changed, [`Timing::translate_gap_ms`] apart at least, and shown without its last
    /// [`EngineConfig::mask_words`] words.
    Live,
}

/// What is told of the speaker's voice. To infer emotions of people at work or in education is prohibited in the EU (AI Act,
/// Article 5(1)(f)), so words about the person are a decision of whoever runs the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum EmotionMode {
    /// Nothing.
    Off,
    /// Facts of the sound: volume, rate, pitch.
    #[default]
    Acoustic,
    /// The facts, and how excited the voice sounds, in a number and in a word.
    Emotion,
}

/// A model of the user's own that judges utterances, beside what the sound tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelSetting {
    /// What it is called, for the row.
    pub name: String,
    /// Of a longer utterance it is given the last so much, ms; never more than [`Timing::ring_ms`].
    pub longest_ms: u64,
}

/// When a transcription stream is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ListenPolicy {
    /// While at least one listener is there.
    #[default]
    WhenHeard,
    /// Always.
    Always,
}

/// Where the speaker's audio comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Source {
    /// A signaling channel: the worker is a viewer of the speaker's browser.
    #[default]
    Channel,
    /// A KVS stream, read with GetMedia.
    Stream,
}

/// Which of a session's options a request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CarriedOptions {
    /// All of them.
    All,
    /// None that the service may refuse: no custom vocabulary, no list to identify the language from, no terminology.
    #[default]
    Plain,
}

/// Why a setting is not one of those that exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownSetting {
    /// The text that was found.
    pub text: String,
    /// The texts that are allowed.
    pub allowed: &'static str,
}

impl std::fmt::Display for UnknownSetting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} is not a setting: use one of {}", self.text, self.allowed)
    }
}
impl std::error::Error for UnknownSetting {}

impl std::str::FromStr for PartialPolicy {
    type Err = UnknownSetting;
    fn from_str(text: &str) -> Result<Self, UnknownSetting> {
        match text {
            "finals" => Ok(Self::Finals),
            "sentences" => Ok(Self::Sentences),
            "clauses" => Ok(Self::Clauses),
            "live" => Ok(Self::Live),
            other => Err(UnknownSetting { text: other.into(), allowed: "finals, sentences, clauses, live" }),
        }
    }
}

impl std::str::FromStr for ListenPolicy {
    type Err = UnknownSetting;
    fn from_str(text: &str) -> Result<Self, UnknownSetting> {
        match text {
            "when-heard" => Ok(Self::WhenHeard),
            "always" => Ok(Self::Always),
            other => Err(UnknownSetting { text: other.into(), allowed: "when-heard, always" }),
        }
    }
}

impl std::str::FromStr for EmotionMode {
    type Err = UnknownSetting;
    fn from_str(text: &str) -> Result<Self, UnknownSetting> {
        match text {
            "off" => Ok(Self::Off),
            "acoustic" => Ok(Self::Acoustic),
            "emotion" => Ok(Self::Emotion),
            other => Err(UnknownSetting { text: other.into(), allowed: "off, acoustic, emotion" }),
        }
    }
}

/// Spans of time, all in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// Audio in one event to Transcribe; 50 to 200 is advised (Transcribe developer guide).
    pub chunk_ms: u64,
    /// Between two writes of our row.
    pub heartbeat_ms: u64,
    /// Between two reads of the listeners while captions flow: with the index's delay, a join is served within a second.
    pub audience_ms: u64,
    /// The same while there is nothing to hear: the session is paused, or the speaker is away.
    pub audience_idle_ms: u64,
    /// The same after a read that failed.
    pub audience_failed_ms: u64,
    /// A lease that is not confirmed for so long is over: another worker may hold the session.
    pub lease_ms: u64,
    /// A worker whose table does not answer goes on for so long after its lease was confirmed last, see `life/lease.rs`.
    pub stay_ms: u64,
    /// Before an unanswered offer is sent again; rises to [`Timing::offer_retry_max_ms`].
    pub offer_retry_ms: u64,
    /// Longest span between two offers.
    pub offer_retry_max_ms: u64,
    /// After so long an unanswered peer is replaced: its relay credentials live five minutes (KVS quotas).
    pub peer_fresh_ms: u64,
    /// So long without RTP means that the speaker is gone or somewhere else: a fresh peer is offered.
    pub stall_ms: u64,
    /// A connection that is answered must be up, and carry audio, within so long.
    pub connect_ms: u64,
    /// Signaling is renewed before its hour is over (KVS quotas).
    pub signaling_renew_ms: u64,
    /// A session whose speaker never comes ends after so long.
    pub speaker_never_ms: u64,
    /// A session whose speaker went away ends after so long.
    pub speaker_gone_ms: u64,
    /// The same while the session is paused.
    pub speaker_gone_paused_ms: u64,
    /// Without audio for so long, silence is sent to keep the stream and to close the last segment.
    pub keepalive_after_ms: u64,
    /// Without audio for so long, the stream is closed; it is reopened with the first packet.
    pub idle_close_ms: u64,
    /// When no word is understood and no voice is found for so long, the stream is closed, although packets come; it is reopened where
    /// a voice begins (`hearing/gate.rs`). Each stream is billed for 15 s at least (Transcribe pricing), so less than that never pays.
    pub silence_close_ms: u64,
    /// Audio before the onset of speech that the reopened stream gets: the first syllable may be too soft to be noticed.
    pub onset_preroll_ms: u64,
    /// Audio that is kept to be replayed to the next stream.
    pub ring_ms: u64,
    /// Audio before the first listener that is transcribed all the same, so that they do not begin in mid-sentence.
    pub preroll_ms: u64,
    /// A stream is renewed at the next silence after so long, and without one ten minutes later: Transcribe ends it at 4 h.
    pub rotate_after_ms: u64,
    /// An open stream that says nothing for so long, although the speaker speaks, is replaced; the next time after twice as
    /// long. Well before the controller would replace the worker.
    pub stream_mute_ms: u64,
    /// A stream that did not open, or does not end, within so long is dropped.
    pub stream_patience_ms: u64,
    /// Least span between two partials of a segment: 5 per second (product rule).
    pub partial_gap_ms: u64,
    /// Least span between two translations of partials whose words may still change, per language.
    pub translate_gap_ms: u64,
    /// An answer of the user's model that comes later after the facts of the utterance is not told any more.
    pub model_late_ms: u64,
    /// A model that does not answer for so long, its loading included, is given up.
    pub model_patience_ms: u64,
    /// An unfinished segment that does not move for so long becomes final (product rule: 15 s).
    pub segment_stale_ms: u64,
    /// A stream stays open for so long after the last listener has gone.
    pub linger_ms: u64,
    /// A final is shown in the original when it is not translated after so long, retries included.
    pub translate_limit_ms: u64,
    /// Its translation still follows as a revision when it comes within so long in all.
    pub translate_revise_ms: u64,
    /// A final that is not translated after so long holds up no later one that is: its original goes out before that.
    pub translate_order_ms: u64,
    /// One attempt to translate a partial.
    pub translate_patience_ms: u64,
    /// A listener may be missing from the index for so long without being forgotten.
    pub listener_grace_ms: u64,
    /// A connection younger than this may answer 410 before it is ready.
    pub connection_young_ms: u64,
    /// A post without outcome is given up after so long.
    pub post_patience_ms: u64,
    /// At a stop: for the last results and translations.
    pub flush_ms: u64,
    /// At a stop: for the last posts, after the flush.
    pub farewell_ms: u64,
    /// At a stop: for the last write.
    pub last_write_ms: u64,
}

impl Default for Timing {
    fn default() -> Self {
        const SECOND: u64 = 1_000;
        const MINUTE: u64 = 60_000;
        Self {
            chunk_ms: 100,
            heartbeat_ms: 2 * SECOND,
            audience_ms: 700,
            audience_idle_ms: 2 * SECOND,
            audience_failed_ms: 3 * SECOND,
            lease_ms: 30 * SECOND,
            stay_ms: 5 * MINUTE,
            offer_retry_ms: 3 * SECOND,
            offer_retry_max_ms: 10 * SECOND,
            peer_fresh_ms: 4 * MINUTE,
            stall_ms: 2 * SECOND,
            connect_ms: 15 * SECOND,
            signaling_renew_ms: 55 * MINUTE,
            speaker_never_ms: 10 * MINUTE,
            speaker_gone_ms: 5 * MINUTE,
            speaker_gone_paused_ms: 30 * MINUTE,
            keepalive_after_ms: 500,
            idle_close_ms: 30 * SECOND,
            silence_close_ms: 30 * SECOND,
            onset_preroll_ms: SECOND,
            linger_ms: MINUTE,
            ring_ms: 30 * SECOND,
            preroll_ms: 3 * SECOND,
            rotate_after_ms: 225 * MINUTE,
            stream_mute_ms: 12 * SECOND,
            stream_patience_ms: 10 * SECOND,
            partial_gap_ms: 200,
            translate_gap_ms: 700,
            model_late_ms: 3 * SECOND,
            model_patience_ms: MINUTE,
            segment_stale_ms: 15 * SECOND,
            translate_limit_ms: 3 * SECOND,
            translate_revise_ms: 10 * SECOND,
            translate_order_ms: SECOND,
            translate_patience_ms: 2_500,
            listener_grace_ms: 5 * SECOND,
            connection_young_ms: 10 * SECOND,
            post_patience_ms: 30 * SECOND,
            flush_ms: 6 * SECOND,
            farewell_ms: 2 * SECOND,
            last_write_ms: 6 * SECOND,
        }
    }
}

/// What the engine is told at its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineConfig {
    /// The session.
    pub session: SessionId,
    /// The launch that this worker is.
    pub generation: Generation,
    /// Version of the binary, for the row.
    pub version: String,
    /// The task that it runs in, when ECS tells it.
    pub task_arn: Option<TaskArn>,
    /// Where the audio comes from.
    pub source: Source,
    /// Which partials are translated.
    pub partials: PartialPolicy,
    /// What is told of the voice.
    pub emotion: EmotionMode,
    /// The user's own model of the voice; only asked in the mode `emotion`.
    pub model: Option<ModelSetting>,
    /// Whether the microphone is known to level the loudness by itself; otherwise that is found out from the sound.
    pub agc_on: bool,
    /// Whether the quality of the speaker's audio is watched, and the speaker warned.
    pub audio_quality: bool,
    /// When a stream is paid for.
    pub listen: ListenPolicy,
    /// Posts in flight at once, at most (product rule: 100).
    pub posts_in_flight: usize,
    /// Finals that a listener who has just come gets at once.
    pub catch_up_finals: usize,
    /// Words at the end of a translated partial that are held back by [`PartialPolicy::Live`] (mask-k).
    pub mask_words: usize,
    /// Characters sent to Translate in any minute, at most. Near it partials are not translated, beyond it finals neither.
    pub translate_characters_per_minute: u64,
    /// Whether streams carry options that Transcribe may refuse; then they are opened without, and the row says so.
    pub stream_options: CarriedOptions,
    /// The same of translations.
    pub translation_options: CarriedOptions,
    /// Options that could not be read, for the row.
    pub notes: Vec<String>,
    /// Spans of time.
    pub timing: Timing,
}

impl EngineConfig {
    /// The defaults for this session and launch.
    #[must_use]
    pub fn new(session: SessionId, generation: Generation, version: impl Into<String>) -> Self {
        Self {
            session,
            generation,
            version: version.into(),
            task_arn: None,
            source: Source::default(),
            partials: PartialPolicy::default(),
            emotion: EmotionMode::default(),
            model: None,
            agc_on: false,
            audio_quality: true,
            listen: ListenPolicy::default(),
            posts_in_flight: 100,
            catch_up_finals: 2,
            mask_words: 3,
            // Five languages at 160 words a minute are about 5,000 with finals only, 10,000 with clauses, 30,000 live.
            translate_characters_per_minute: 60_000,
            stream_options: CarriedOptions::default(),
            translation_options: CarriedOptions::default(),
            notes: Vec::new(),
            timing: Timing::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_does_not_exist_is_named_with_those_that_do() {
        let error = "fast".parse::<PartialPolicy>().unwrap_err();
        assert_eq!(error.to_string(), "\"fast\" is not a setting: use one of finals, sentences, clauses, live");
        assert_eq!("acoustic".parse(), Ok(EmotionMode::Acoustic));
    }
}
