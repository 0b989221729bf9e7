//! Whether somebody speaks: what opens a stream that was closed in a silence, and what closes it.
//!
//! *Flow*: while a stream is open, loudness and the words that come tell whether somebody speaks. While it is closed for a silence, a detector
//! of voices listens that begins anew with that silence, so that neither a level nor what was loud before makes it deaf. *Guarantees*: speech opens a
//! stream at any level, within its first sentence; a sound in which no speech is found is tried for [`PROBE_MS`] once in [`PROBE_EVERY_MS`], and
//! a stream that was opened for a voice alone ends after as long, unless something is understood: noise is never paid for without end, and nothing
//! is unheard without end. *Caveat*: music in which somebody sings is speech.

use crate::cx::Cx;
use crate::input::AudioFrame;
use crate::outbox::earliest;
use crate::time::MediaInstant;
use worker_emotion::Detector;

/// So much that stands out of the noise, ms, within [`ONSET_WINDOW_MS`] opens a stream that was closed in a silence.
const ONSET_MS: u64 = 60;
/// So much of a voice does, however soft. Bars of the detector say how often noise does (`worker/emotion`).
const VOICE_MS: u64 = 160;
/// See [`ONSET_MS`]; less than the pre-roll, so that the first syllable is in it.
const ONSET_WINDOW_MS: u64 = 500;
/// A stream that was opened to try is given so long to understand something, ms.
const PROBE_MS: u64 = 15_000;
/// A sound without speech is tried so often, ms.
const PROBE_EVERY_MS: u64 = 60_000;
/// After a try in vain a voice opens no stream for so long, ms: what sounds like one and says nothing is paid for half of the time at most.
const VOICE_RESTS_MS: u64 = 15_000;

/// What is known of a silence that no stream hears.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    detector: Option<Box<Detector>>,
    /// Since when a sound goes on in which nothing was understood.
    pub(crate) unheard_since: Option<MediaInstant>,
    /// The next try because of the sound alone.
    probe_at: Option<MediaInstant>,
    voice_not_before: MediaInstant,
    probe: Option<Probe>,
}

/// A stream that is open to try.
#[derive(Debug, Clone, Copy)]
struct Probe {
    since: MediaInstant,
    /// Speech after this moment of media time ends the try: it has found some.
    media_ms: u64,
}

/// A frame of audio that is heard.
pub(crate) fn take(cx: &mut Cx, frame: &AudioFrame) {
    let waits = cx.hearing.lanes.waits_for_speech() && cx.hearing.gate.probe.is_none();
    let gate = &mut cx.hearing.gate;
    if waits {
        gate.detector.get_or_insert_default().push(frame.start_ms, &frame.pcm);
    } else {
        gate.detector = None;
    }
}

/// Begins a try, and ends it.
pub(crate) fn run(cx: &mut Cx) {
    let (now, sounds, waits) = (cx.now, sounds(cx), cx.hearing.lanes.waits_for_speech());
    let levels = &cx.hearing.audio.levels;
    let (end_ms, spoken_ms) = (levels.end_ms(), levels.end_ms() - levels.silent_for_ms());
    let gate = &mut cx.hearing.gate;
    if let Some(probe) = gate.probe {
        if spoken_ms > probe.media_ms {
            (gate.probe, gate.unheard_since) = (None, None);
        } else if now >= probe.since.plus_ms(PROBE_MS) {
            gate.probe = None;
            (gate.probe_at, gate.voice_not_before) = (Some(now.plus_ms(PROBE_EVERY_MS)), now.plus_ms(VOICE_RESTS_MS));
        }
    } else if !waits || !sounds {
        if levels.silent_for_ms() < PROBE_MS || !sounds {
            (gate.unheard_since, gate.probe_at) = (None, None);
        }
    } else {
        gate.unheard_since.get_or_insert(now);
        let due = *gate.probe_at.get_or_insert(now.plus_ms(PROBE_EVERY_MS));
        let voice = gate.detector.as_ref().is_some_and(|d| d.speech_within_ms(ONSET_WINDOW_MS) >= VOICE_MS);
        if now >= due || (voice && now >= gate.voice_not_before) {
            gate.probe = Some(Probe { since: now, media_ms: end_ms });
            cx.out.fact("speech_tried", if voice { "a voice" } else { "a sound without a voice" });
        }
    }
}

/// When a try begins, or ends.
pub(crate) fn due(cx: &Cx) -> Option<MediaInstant> {
    let gate = &cx.hearing.gate;
    let over = gate.probe.map(|probe| probe.since.plus_ms(PROBE_MS));
    let waits = gate.probe.is_none() && cx.hearing.lanes.waits_for_speech() && sounds(cx);
    let voice = gate.detector.as_ref().is_some_and(|d| d.speech_within_ms(ONSET_WINDOW_MS) >= VOICE_MS);
    let begins = earliest([gate.probe_at, voice.then_some(gate.voice_not_before)]);
    earliest([over, begins.filter(|_| waits)])
}

/// Whether audio comes that is more than digital silence.
fn sounds(cx: &Cx) -> bool {
    cx.life.cycle.is_serving() && !cx.life.cycle.is_paused() && cx.hearing.audio.levels.sounds()
}

/// Silent for so long that the stream is not worth its price; a click does not end that, speech does.
pub(crate) fn is_silent(cx: &Cx) -> bool {
    let levels = &cx.hearing.audio.levels;
    if cx.hearing.gate.probe.is_some() {
        return false;
    }
    if cx.hearing.lanes.waits_for_speech() {
        return levels.speech_within_ms(ONSET_WINDOW_MS) < ONSET_MS;
    }
    levels.silent_for_ms() >= cx.config.timing.silence_close_ms
}
