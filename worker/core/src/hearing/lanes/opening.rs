//! How a stream is opened: from where, and with which of the session's options.

use super::{Lane, Lanes};
use crate::config::CarriedOptions;
use crate::hearing::SAMPLES_PER_MS;
use crate::hearing::demand::{Begin, Moment};
use crate::hearing::stream::Stream;
use crate::input::{StreamEnd, StreamId};
use crate::outbox::Outbox;
use crate::output::Output;
use schemas::ids::Language;

/// A replay begins so long before the last word that is final, ms: its time may be told too late, and a recogniser needs to hear how a word
/// begins. What was final is known again by its place (`text/results.rs`).
const REPLAY_OVERLAP_MS: u64 = 500;

impl Lanes {
    /// Another lane, which begins at this media sample.
    pub(super) fn open(&mut self, cursor: u64, language: &Language, at: &Moment, out: &mut Outbox) {
        let id = StreamId(self.next_id);
        self.next_id += 1;
        self.streams += 1;
        out.push(Output::OpenStream { id, language: language.clone(), options: self.options });
        out.fact("stream_opening", format!("stream {} from {} ms of media time", id.0, cursor / SAMPLES_PER_MS));
        let stream = Stream::new(id, language.clone(), cursor, self.heard_until, self.usual_ms, at.now);
        self.lanes.push_back(Lane::new(stream));
    }

    /// Where the next stream begins: nothing is left out but silence that fills a gap.
    pub(super) fn first_sample(&self, begin: Begin, at: &Moment, out: &mut Outbox) -> u64 {
        let ring = &at.audio.ring;
        let wanted = match begin {
            Begin::Watermark => self.watermark.saturating_sub(REPLAY_OVERLAP_MS * SAMPLES_PER_MS),
            Begin::Preroll => self.watermark.max(ring.end().saturating_sub(at.timing.preroll_ms * SAMPLES_PER_MS)),
            Begin::At(sample) => self.watermark.max(sample),
            Begin::Onset(sample) => {
                let heard = self.watermark.max(sample);
                let preroll = at.audio.onset_ms.saturating_sub(at.timing.onset_preroll_ms) * SAMPLES_PER_MS;
                heard.max(preroll.min(ring.end()))
            }
        };
        let cursor = wanted.max(ring.first());
        let (from_ms, until_ms) = (wanted.max(self.watermark) / SAMPLES_PER_MS, cursor / SAMPLES_PER_MS);
        if self.watermark > 0 && at.audio.levels.speech_dbfs(from_ms, until_ms).is_some() {
            out.warn(
                "audio_dropped",
                format!("speech within {} ms had left the buffer", until_ms.saturating_sub(from_ms)),
            );
        }
        at.audio.after_fill(cursor)
    }

    /// A refusal before the first result may be of the options only: the next stream is opened at once without them. When it is refused as well, they
    /// were not the reason, and come again with the retry.
    pub(super) fn give_up_options(&mut self, end: &StreamEnd, out: &mut Outbox) -> Option<u64> {
        match (end, self.options, &self.refused_options) {
            (StreamEnd::Refused(detail), CarriedOptions::All, _) => {
                out.warn("options_refused", format!("{detail}; the next stream opens without them"));
                (self.options, self.refused_options) = (CarriedOptions::Plain, Some(detail.clone()));
                Some(0)
            }
            (StreamEnd::Refused(_), CarriedOptions::Plain, Some(_)) => {
                (self.options, self.refused_options) = (CarriedOptions::All, None);
                None
            }
            (StreamEnd::Refused(_), CarriedOptions::Plain, None) => None,
            (
                StreamEnd::Clean
                | StreamEnd::LimitExceeded(_)
                | StreamEnd::Throttled(_)
                | StreamEnd::Idle(_)
                | StreamEnd::Fault(_),
                CarriedOptions::All | CarriedOptions::Plain,
                _,
            ) => None,
        }
    }
}
