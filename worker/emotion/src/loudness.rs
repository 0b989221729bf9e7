//! Loudness by EBU R 128's K weighting, hop by hop.

use crate::hops::{HOP, HOP_MS};
use ebur128::{EbuR128, Mode};

/// Told of silence, and should the meter fail, LUFS.
const LEAST_LUFS: f32 = -120.0;

/// The meter; it keeps the last 400 ms.
pub(crate) struct Loudness {
    meter: Option<EbuR128>,
}

impl Loudness {
    pub(crate) fn new() -> Self {
        // One channel at 16 kHz is within what the meter takes.
        Self { meter: EbuR128::new(1, 16_000, Mode::M).ok() }
    }

    /// Takes a hop; its own loudness, LUFS.
    pub(crate) fn take(&mut self, pcm: &[i16; HOP]) -> f32 {
        let Some(meter) = &mut self.meter else { return LEAST_LUFS };
        if meter.add_frames_i16(pcm).is_err() {
            return LEAST_LUFS;
        }
        meter.loudness_window(HOP_MS as u32).map_or(LEAST_LUFS, |lufs| (lufs as f32).max(LEAST_LUFS))
    }
}
