//! The gate: whether somebody speaks, so that a stream is worth its price. It alone opens and closes a stream for speech or silence.
//!
//! *Flow*: words that the recogniser understood are speech, whatever the sound is like. While none come, a detector of voices listens that begins
//! anew then, so that neither a level nor what was loud before makes it deaf. Without a word and without a voice for `silence_close_ms` the
//! stream closes; with a voice and without a word after [`VAIN_MS`]. A voice opens it again, from where that voice began; a sound
//! without a voice is tried now and then all the same. A try that understands nothing within [`TRY_MS`] is in vain: the next one waits.
//! *Guarantees*: nothing that was loud, and no level, makes it deaf; a sound in which no voice is found is paid for [`TRY_MS`] in each [`TRY_EVERY_MS`]
//! and [`TRY_MS`]; a voice in which nothing was understood (music, mostly) for [`TRY_MS`] in each [`VOICE_RESTS_MS`] and [`TRY_MS`], beside what begins a try;
//! speech that is louder than what was tried in vain, or comes after it, waits for no try.
//! *Caveats*: music in which somebody sings, and noise in which the recogniser finds words, is speech. Speech softer than the music under
//! it is unheard for [`VOICE_RESTS_MS`] at most.

use super::level::Levels;
use super::tried::Tried;
use crate::cx::Cx;
use crate::input::AudioFrame;
use crate::outbox::earliest;
use crate::time::MediaInstant;
use worker_emotion::Detector;

/// Without a word for so long, the detector listens, ms: while somebody is understood it costs nothing, with finals alone (one in 4 s) as well.
const LISTENS_AFTER_MS: u64 = 5_000;
/// So much of a voice, ms, within [`VOICE_WINDOW_MS`] is speech. Of noise at 0 dB no more may stand out than a few vowels of a sentence;
/// steady noise alone gives less in hours (`worker/emotion/src/bars/detector.rs`).
const VOICE_MS: u64 = 160;
/// See [`VOICE_MS`]; the length of a short sentence.
const VOICE_WINDOW_MS: u64 = 2_000;
/// A voice goes on over pauses of so long, ms: an opened stream begins before the first that was heard of it.
const VOICE_PAUSE_MS: u64 = 3_000;
/// A voice of which no word is understood for so long, ms, is none that the recogniser understands. Longer than the patience with a mute
/// stream, so that one that is broken was replaced before.
const VAIN_MS: u64 = 60_000;
/// A stream that was opened to try is given so long to understand something, ms: what Transcribe bills for each stream at least.
const TRY_MS: u64 = 15_000;
/// A sound without a voice is tried so long after the last try, ms.
const TRY_EVERY_MS: u64 = 60_000;
/// The same of a voice like the one that was tried in vain.
const VOICE_RESTS_MS: u64 = 30_000;
/// Without a stream for so long, ms, what was said was not heard, so it cannot have been in vain.
const DEAF_MS: u64 = 5_000;
/// So long before now a stream begins that a voice opens, ms, at most …
const MOST_ONSET_MS: u64 = 12_000;
/// … and after tries in vain: what told it from them takes two seconds.
const NEW_ONSET_MS: u64 = 4_000;
/// Words of what was sent last may come after the stream was closed: so long before that they count, ms.
const LATE_WORDS_MS: u64 = 10_000;

/// What is known of who speaks.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    detector: Option<Box<Detector>>,
    state: State,
    /// The end of the last word that was understood, and of the last voice that was found, ms of media time.
    understood_ms: u64,
    voice_ms: u64,
    /// Streams have heard everything from here on.
    hears_from_ms: u64,
    /// Since when none hears.
    deaf_since: Option<MediaInstant>,
    /// Since when a sound goes on in which nothing was understood.
    pub(crate) unheard_since: Option<MediaInstant>,
    /// The sounds that were tried in vain since something was understood last.
    tried: Tried,
}

#[derive(Debug, Clone, Copy, Default)]
enum State {
    /// Nobody is expected to be heard: no audio comes, the session is paused or ends. Whoever comes back is expected to speak.
    #[default]
    Away,
    /// Somebody speaks.
    Open,
    /// Nobody does, as far as one knows.
    Closed(Closed),
    /// A stream is open to try.
    Trying {
        /// Since when it hears.
        since: MediaInstant,
        /// Its audio begins here, ms of media time.
        from_ms: u64,
    },
}

#[derive(Debug, Clone, Copy)]
struct Closed {
    /// Up to here everything was sent, ms of media time.
    sent_ms: u64,
    /// A sound without a voice is tried then; `None` in digital silence.
    try_at: Option<MediaInstant>,
    /// A voice like one that was tried in vain is none before.
    voice_at: MediaInstant,
}

impl Gate {
    /// Whether it only tries: a stream that says nothing then is not broken.
    pub(crate) fn tries(&self) -> bool {
        matches!(self.state, State::Trying { .. })
    }

    fn hears_voice(&self) -> bool {
        self.detector.as_ref().is_some_and(|detector| detector.speech_within_ms(VOICE_WINDOW_MS) >= VOICE_MS)
    }

    /// A word was understood: whatever was tried before says nothing of what comes.
    fn open(&mut self) {
        (self.state, self.tried, self.unheard_since) = (State::Open, Tried::default(), None);
    }

    /// Nothing was understood of what the last so many milliseconds were like.
    fn close_in_vain(&mut self, now: MediaInstant, levels: &Levels, of_last_ms: u64) {
        let voice = self.voice_ms + of_last_ms > levels.end_ms();
        if voice {
            self.tried.widen(levels, of_last_ms);
        }
        let voice_at = if voice { now.plus_ms(VOICE_RESTS_MS) } else { now };
        let try_at = Some(now.plus_ms(TRY_EVERY_MS));
        self.state = State::Closed(Closed { sent_ms: levels.end_ms(), try_at, voice_at });
        // It begins anew: a bang in what it heard so far would make it deaf for a minute.
        self.detector = None;
    }

    /// Where a voice that is heard now began, ms of media time. Where a sound like a voice goes on, only its last moments can be new.
    fn onset_ms(&self, end_ms: u64) -> u64 {
        let since_ms = self.detector.as_ref().map_or(0, |detector| detector.speech_since_ms(VOICE_PAUSE_MS));
        let most_ms = if self.tried.is_empty() { MOST_ONSET_MS } else { NEW_ONSET_MS };
        end_ms.saturating_sub(since_ms.min(most_ms))
    }
}

/// A frame of audio that is heard.
pub(crate) fn take(cx: &mut Cx, frame: &AudioFrame) {
    let (end_ms, gate) = (cx.hearing.audio.levels.end_ms(), &mut cx.hearing.gate);
    match gate.state {
        State::Away => {
            (gate.voice_ms, gate.hears_from_ms, gate.detector) = (end_ms, end_ms, None);
            gate.open();
        }
        State::Open | State::Closed(_) | State::Trying { .. } => {}
    }
    if end_ms.saturating_sub(gate.understood_ms) < LISTENS_AFTER_MS {
        gate.detector = None;
        return;
    }
    gate.detector.get_or_insert_default().push(frame.start_ms, &frame.pcm);
    if gate.hears_voice() {
        gate.voice_ms = end_ms;
    }
}

/// Words were understood that end at this moment of media time.
pub(crate) fn understood(cx: &mut Cx, end_ms: u64) {
    let audio = &mut cx.hearing.audio;
    audio.levels.understood(end_ms);
    let (gate, now_ms) = (&mut cx.hearing.gate, audio.levels.end_ms());
    gate.understood_ms = gate.understood_ms.max(end_ms.min(now_ms));
    match gate.state {
        State::Trying { from_ms, .. } if gate.understood_ms > from_ms => gate.open(),
        // The last words of a stream that was closed too early: the next one begins where it ended.
        State::Closed(closed)
            if gate.understood_ms + LATE_WORDS_MS > closed.sent_ms.max(now_ms.saturating_sub(TRY_MS)) =>
        {
            audio.onset_ms = closed.sent_ms;
            gate.open();
        }
        State::Away | State::Open | State::Closed(_) | State::Trying { .. } => {}
    }
}

/// Opens and closes.
pub(crate) fn run(cx: &mut Cx) {
    let (now, here, hears) = (cx.now, is_here(cx), cx.hearing.lanes.hears());
    let (audio, gate) = (&mut cx.hearing.audio, &mut cx.hearing.gate);
    let end_ms = audio.levels.end_ms();
    let deaf_since = *gate.deaf_since.get_or_insert(now);
    if hears {
        gate.deaf_since = None;
    } else if now.since(deaf_since) >= DEAF_MS {
        gate.hears_from_ms = end_ms;
    }
    match gate.state {
        _ if !here => (gate.state, gate.unheard_since) = (State::Away, None),
        State::Away => {}
        State::Open => {
            let close_ms = cx.config.timing.silence_close_ms;
            if end_ms.saturating_sub(gate.understood_ms.max(gate.voice_ms)) >= close_ms {
                gate.state = State::Closed(Closed { sent_ms: end_ms, try_at: None, voice_at: now });
            } else if end_ms.saturating_sub(gate.understood_ms.max(gate.hears_from_ms)) >= close_ms.max(VAIN_MS) {
                gate.close_in_vain(now, &audio.levels, VAIN_MS / 2);
                cx.out.fact("voice_not_understood", format!("no word of it for {} s", VAIN_MS / 1_000));
            }
        }
        // Only what is heard is tried.
        State::Trying { from_ms, .. } if !hears => gate.state = State::Trying { since: now, from_ms },
        State::Trying { since, .. } if now >= since.plus_ms(TRY_MS) => gate.close_in_vain(now, &audio.levels, TRY_MS),
        State::Trying { .. } => {}
        State::Closed(closed) if !audio.levels.sounds() => {
            gate.unheard_since = None;
            gate.state = State::Closed(Closed { try_at: None, ..closed });
        }
        State::Closed(closed) => {
            gate.unheard_since.get_or_insert(now);
            let try_at = closed.try_at.unwrap_or(now.plus_ms(TRY_EVERY_MS));
            let voice = gate.hears_voice();
            let new = voice && !gate.tried.knows(&audio.levels);
            if now >= try_at || new || (voice && now >= closed.voice_at) {
                let onset_ms = if new { gate.onset_ms(end_ms) } else { end_ms };
                // What was said while the last stream closed is not left out.
                let from_ms = if onset_ms < closed.sent_ms + NEW_ONSET_MS { closed.sent_ms } else { onset_ms };
                audio.onset_ms = from_ms;
                gate.state = State::Trying { since: now, from_ms };
                cx.out.fact("speech_tried", if voice { "a voice" } else { "a sound without a voice" });
            } else {
                gate.state = State::Closed(Closed { try_at: Some(try_at), ..closed });
            }
        }
    }
}

/// When a try begins, or ends.
pub(crate) fn due(cx: &Cx) -> Option<MediaInstant> {
    let gate = &cx.hearing.gate;
    match gate.state {
        _ if !is_here(cx) => None,
        State::Trying { since, .. } => cx.hearing.lanes.hears().then(|| since.plus_ms(TRY_MS)),
        State::Closed(closed) if cx.hearing.audio.levels.sounds() => {
            earliest([closed.try_at, gate.hears_voice().then_some(closed.voice_at)])
        }
        State::Away | State::Open | State::Closed(_) => None,
    }
}

/// Whether there is anybody who may be heard.
fn is_here(cx: &Cx) -> bool {
    let quiet = cx.hearing.audio.quiet_for(cx.now);
    let comes = quiet.is_some_and(|ms| ms < cx.config.timing.idle_close_ms);
    comes && cx.life.cycle.is_serving() && !cx.life.cycle.is_paused()
}

/// Whether nobody speaks, so that no stream is worth its price.
pub(crate) fn is_silent(cx: &Cx) -> bool {
    matches!(cx.hearing.gate.state, State::Closed(_))
}
