//! The quality of the audio, second by second of media time.

use crate::frame::{FLOOR_DBFS, Frame};
use crate::hops::{HOP, HOP_MS};
use crate::result::Quality;

/// Frames per report.
const SECOND: u64 = 100;
/// Below this it is silence, dBFS.
const SILENCE_DBFS: f64 = -50.0;

/// The second that is being filled.
#[derive(Debug, Default)]
pub(crate) struct Seconds {
    frames: u64,
    received: u64,
    speech: u64,
    power: f64,
    clipped: u64,
    silent_ms: u64,
}

impl Seconds {
    /// Takes the frame with this number; a report when it ends a second.
    pub(crate) fn take(
        &mut self,
        index: u64,
        frame: &Frame,
        snr_db: Option<f64>,
        echo_db: Option<f64>,
    ) -> Option<Quality> {
        self.frames += 1;
        if frame.received {
            self.received += 1;
            self.power += f64::from(frame.mean_square);
            self.clipped += u64::from(frame.clipped);
        }
        self.speech += u64::from(frame.is_speech());
        (index % SECOND == SECOND - 1).then(|| self.report(index + 1, snr_db, echo_db))
    }

    fn report(&mut self, end: u64, snr_db: Option<f64>, echo_db: Option<f64>) -> Quality {
        let received = self.received.max(1) as f64;
        let dbfs = (10.0 * (self.power / received).max(1e-30).log10()).max(f64::from(FLOOR_DBFS));
        if self.received > 0 {
            self.silent_ms = if dbfs < SILENCE_DBFS { self.silent_ms + self.received * HOP_MS } else { 0 };
        }
        let quality = Quality {
            start_ms: (end - self.frames) * HOP_MS,
            end_ms: end * HOP_MS,
            received_ms: self.received * HOP_MS,
            speech_ms: self.speech * HOP_MS,
            dbfs,
            snr_db,
            clipped_share: self.clipped as f64 / (received * HOP as f64),
            echo_db,
            silent_ms: self.silent_ms,
        };
        *self = Self { silent_ms: self.silent_ms, ..Self::default() };
        quality
    }
}
