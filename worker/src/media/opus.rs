//! Opus to 16 kHz mono, decoded at that rate directly: libopus does it cheaper and as well as a resampler behind it.

use super::packet::{TICKS_PER_MS, opus_ticks};

/// Samples per millisecond of what is made.
pub const SAMPLES_PER_MS: i64 = 16;
/// Opus makes up audio in steps of 2.5 ms.
const CONCEAL_STEP: usize = 40;
/// The longest Opus packet: 120 ms.
const LONGEST: usize = 1_920;

/// The decoder failed, or could not be made.
#[derive(Debug, thiserror::Error)]
#[error("libopus: {0}; the packet is concealed")]
pub struct OpusError(#[from] ::opus::Error);

/// A decoder with the memory of one stream.
#[derive(Debug)]
pub struct Decoder(::opus::Decoder);

impl Decoder {
    /// A fresh decoder.
    ///
    /// # Errors
    /// [`OpusError`] when libopus cannot allocate it.
    pub fn new() -> Result<Self, OpusError> {
        Ok(Self(::opus::Decoder::new(16_000, ::opus::Channels::Mono)?))
    }

    /// Forgets the stream.
    ///
    /// # Errors
    /// [`OpusError`] when libopus refuses.
    pub fn reset(&mut self) -> Result<(), OpusError> {
        Ok(self.0.reset_state()?)
    }

    /// Decodes a packet.
    ///
    /// # Errors
    /// [`OpusError`] when it is corrupt.
    pub fn decode(&mut self, packet: &[u8]) -> Result<Vec<i16>, OpusError> {
        let mut pcm = vec![0; opus_ticks(packet).map_or(LONGEST, samples)];
        let length = self.0.decode(packet, &mut pcm, false)?;
        pcm.truncate(length);
        Ok(pcm)
    }

    /// Decodes the copy of the packet before `carrier` that `carrier` holds.
    ///
    /// # Errors
    /// [`OpusError`] when it is corrupt.
    pub fn recover(&mut self, carrier: &[u8], ticks: i64) -> Result<Vec<i16>, OpusError> {
        let mut pcm = vec![0; samples(ticks)];
        self.0.decode(carrier, &mut pcm, true)?;
        Ok(pcm)
    }

    /// Makes up so much audio; what is left of a step of 2.5 ms is silence.
    ///
    /// # Errors
    /// [`OpusError`] when libopus refuses.
    pub fn conceal(&mut self, ticks: i64) -> Result<Vec<i16>, OpusError> {
        let mut pcm = vec![0; samples(ticks)];
        let whole = pcm.len() / CONCEAL_STEP * CONCEAL_STEP;
        if whole > 0 {
            self.0.decode(&[], &mut pcm[..whole], false)?;
        }
        Ok(pcm)
    }
}

/// Samples at 16 kHz of so many ticks of 48 kHz.
#[must_use]
pub fn samples(ticks: i64) -> usize {
    usize::try_from(ticks * SAMPLES_PER_MS / TICKS_PER_MS).unwrap_or(0)
}
