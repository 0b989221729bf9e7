//! The steps of a renewal: what [`crate::hearing::renewal`] holds is begun here, taken over, and given up.

use super::{State, Transcriber, describe};
use crate::hearing::Heard;
use crate::hearing::SAMPLES_PER_MS;
use crate::hearing::demand::{Begin, Moment};
use crate::hearing::renewal::{Over, Renewal};
use crate::hearing::stream::{Stream, send_rest, to_heard};
use crate::input::{StreamEnd, TranscribeEvent};
use crate::outbox::Outbox;
use crate::output::Output;
use crate::time::MediaInstant;

/// Silence that is a good moment to renew a stream, ms.
const ROTATE_SILENCE_MS: u64 = 700;
/// A renewal that failed is tried again after so long, ms.
const ROTATE_RETRY_MS: u64 = 60_000;

impl Transcriber {
    /// Opens the stream that takes over here; the old one waits, and ends when the new one is open.
    pub(super) fn renew(&mut self, at: &Moment, out: &mut Outbox) {
        let State::Open(old) = &mut self.state else { return };
        self.sent_samples += send_rest(old, at.audio, out);
        self.heard_until = self.heard_until.max(old.cursor);
        let (cursor, language) = (old.cursor, old.language.clone());
        let stream = self.announce(cursor, &language, at, out);
        self.renewal = Renewal::Coming(stream);
    }

    /// Something came from the stream that takes over, or from the one that was taken over.
    pub(super) fn on_renewal(&mut self, event: TranscribeEvent, at: &Moment, out: &mut Outbox) -> Vec<Heard> {
        match event {
            TranscribeEvent::Opened => {
                self.take_over(at, out);
                Vec::new()
            }
            TranscribeEvent::Result(result) => {
                let heard = self.renewal.stream().map(|stream| to_heard(stream, &result));
                heard.into_iter().collect()
            }
            TranscribeEvent::Closed(end) => {
                let whole = end == StreamEnd::Clean;
                if self.renewal.is_coming() {
                    out.fact("renewal_failed", format!("{}; the old stream goes on", describe(&end)));
                    self.renew_after = at.now.plus_ms(ROTATE_RETRY_MS);
                }
                self.renewal_over(whole, at, out)
            }
        }
    }

    /// The new stream is open: the old one ends, and gives its last words.
    pub(super) fn take_over(&mut self, at: &Moment, out: &mut Outbox) {
        let State::Open(old) = &mut self.state else { return };
        let Some(mut new) = self.renewal.take_coming() else { return };
        new.opened = true;
        std::mem::swap(old, &mut new);
        out.push(Output::EndStream(new.id));
        out.fact("stream_renewed", format!("stream {} takes over from stream {}", old.id.0, new.id.0));
        self.renewal = Renewal::going(new, at.now);
    }

    /// The renewal has come to its end; when the last words of the old stream may be missing, they are replayed.
    pub(super) fn renewal_over(&mut self, whole: bool, at: &Moment, out: &mut Outbox) -> Vec<Heard> {
        match self.renewal.over() {
            Over::Abandoned => Vec::new(),
            Over::Went { until_sample, held } => {
                let unheard = (self.watermark / SAMPLES_PER_MS, until_sample / SAMPLES_PER_MS);
                if whole || at.audio.levels.speech_dbfs(unheard.0, unheard.1).is_none() {
                    return held;
                }
                if let State::Open(stream) | State::Ending { stream, .. } = &self.state {
                    out.push(Output::DropStream(stream.id));
                }
                out.fact("stream_closed", "the last words before a renewal are replayed");
                self.state = State::Closed { not_before: at.now, begin: Begin::Watermark };
                Vec::new()
            }
        }
    }

    /// The other stream has not opened, or not ended, in time.
    pub(super) fn give_up_renewal(&mut self, at: &Moment, out: &mut Outbox) -> Vec<Heard> {
        if self.renewal.deadline().is_none_or(|until| at.now < until) {
            return Vec::new();
        }
        if self.renewal.is_coming() {
            self.renew_after = at.now.plus_ms(ROTATE_RETRY_MS);
        }
        if let Some(stream) = self.renewal.stream() {
            out.push(Output::DropStream(stream.id));
        }
        self.renewal_over(false, at, out)
    }
}

/// When a stream is old, if nobody speaks now.
pub(super) fn renews_at(stream: &Stream, at: &Moment) -> Option<MediaInstant> {
    let quiet = stream.opened && at.audio.levels.silent_for_ms() >= ROTATE_SILENCE_MS;
    quiet.then(|| stream.since.plus_ms(at.timing.rotate_after_ms))
}
