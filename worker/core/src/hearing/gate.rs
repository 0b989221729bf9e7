//! Whether somebody speaks: what opens a stream that was closed in a silence, and what closes it.

use crate::cx::Cx;

/// So much speech, ms, within [`ONSET_WINDOW_MS`] opens a stream that was closed in a silence.
const ONSET_MS: u64 = 60;
/// See [`ONSET_MS`]; less than the pre-roll, so that the first syllable is in it.
const ONSET_WINDOW_MS: u64 = 500;

/// Silent for so long that the stream is not worth its price; a click does not end that, speech does.
pub(crate) fn is_silent(cx: &Cx) -> bool {
    let levels = &cx.hearing.audio.levels;
    if cx.hearing.transcriber.waits_for_speech() {
        return levels.speech_within_ms(ONSET_WINDOW_MS) < ONSET_MS;
    }
    levels.silent_for_ms() >= cx.config.timing.silence_close_ms
}
