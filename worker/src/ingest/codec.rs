//! Frames of an audio track to 16 kHz mono, whatever their codec and rate.

use super::mkv::{Codec, Track};
use crate::media::opus::{self, OpusError};
use crate::media::packet::opus_ticks;
use rubato::audioadapter_buffers::owned::InterleavedOwned;
use rubato::{Fft, FixedSync, Resampler as _};
use symphonia_codec_aac::AacDecoder;
use symphonia_core::codecs::audio::well_known::CODEC_ID_AAC;
use symphonia_core::codecs::audio::{AudioCodecParameters, AudioDecoder as _, AudioDecoderOptions};
use symphonia_core::packet::PacketRef;
use symphonia_core::units::{Duration, Timestamp};

/// The rate that is made, Hz.
const RATE: u32 = 16_000;
/// Resampling works on so many parts of a second at once: 20 ms.
const PARTS: u32 = 50;

/// Why a track or a frame cannot be decoded.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// libopus refused.
    #[error(transparent)]
    Opus(#[from] OpusError),
    /// The AAC decoder refused.
    #[error("AAC: {0}; only AAC-LC of one or two channels can be decoded")]
    Aac(#[from] symphonia_core::errors::Error),
    /// The rate cannot be changed.
    #[error("{0} Hz cannot become 16 kHz: {1}")]
    Rate(u32, String),
    /// The track is of no codec that we know.
    #[error("no decoder for {0}; use Opus, AAC-LC, G.711 or PCM")]
    Unknown(Codec),
}

enum Decoder {
    Opus(opus::Decoder),
    Aac(Box<AacDecoder>),
    Pcm(u16),
    ALaw,
    MuLaw,
}

/// The decoder of one track.
pub struct TrackDecoder {
    track: Track,
    decoder: Decoder,
    resampler: Option<Resampler>,
}

impl std::fmt::Debug for TrackDecoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrackDecoder").field("track", &self.track).finish_non_exhaustive()
    }
}

impl TrackDecoder {
    /// A decoder for this track.
    ///
    /// # Errors
    /// [`CodecError`], by what is missing.
    pub fn new(track: &Track) -> Result<Self, CodecError> {
        let decoder = match &track.codec {
            Codec::Opus => Decoder::Opus(opus::Decoder::new()?),
            Codec::Aac => Decoder::Aac(Box::new(aac(track)?)),
            Codec::Pcm(bits) => Decoder::Pcm(*bits),
            Codec::ALaw => Decoder::ALaw,
            Codec::MuLaw => Decoder::MuLaw,
            Codec::Other(_) => return Err(CodecError::Unknown(track.codec.clone())),
        };
        let rate = match &decoder {
            Decoder::Opus(_) => RATE,
            // What the stream says of itself is right where the container is not.
            Decoder::Aac(aac) => aac.codec_params().sample_rate.unwrap_or(track.rate),
            Decoder::Pcm(_) | Decoder::ALaw | Decoder::MuLaw => track.rate,
        };
        let resampler = if rate == RATE { None } else { Some(Resampler::new(rate)?) };
        Ok(Self { track: track.clone(), decoder, resampler })
    }

    /// Whether it decodes this track too.
    #[must_use]
    pub fn fits(&self, track: &Track) -> bool {
        // The number of a track may change from fragment to fragment without a meaning.
        Track { number: self.track.number, ..track.clone() } == self.track
    }

    /// Decodes a frame. What is still in the resampler comes with the next; see [`TrackDecoder::pending`].
    ///
    /// # Errors
    /// [`CodecError`] when it is corrupt.
    pub fn decode(&mut self, frame: &[u8]) -> Result<Vec<i16>, CodecError> {
        let channels = usize::from(self.track.channels);
        let mono = match &mut self.decoder {
            Decoder::Opus(opus) => return Ok(opus.decode(frame)?),
            Decoder::Aac(aac) => decode_aac(aac, frame)?,
            Decoder::Pcm(bits) => mix(pcm(frame, *bits), channels),
            Decoder::ALaw => mix(frame.iter().map(|byte| to_float(a_law(*byte))).collect(), channels),
            Decoder::MuLaw => mix(frame.iter().map(|byte| to_float(mu_law(*byte))).collect(), channels),
        };
        let samples = match &mut self.resampler {
            Some(resampler) => resampler.push(mono)?,
            None => mono,
        };
        Ok(samples.into_iter().map(to_pcm).collect())
    }

    /// Samples at 16 kHz that were taken in and not given out yet.
    #[must_use]
    pub fn pending(&self) -> u64 {
        self.resampler.as_ref().map_or(0, Resampler::pending)
    }

    /// How long a frame is that cannot be decoded, samples at 16 kHz.
    #[must_use]
    pub fn length(&self, frame: &[u8]) -> usize {
        let at_16k = |samples: usize| samples * RATE as usize / self.track.rate.max(1) as usize;
        match &self.decoder {
            Decoder::Opus(_) => opus_ticks(frame).map_or(0, opus::samples),
            Decoder::Aac(_) => at_16k(1_024),
            Decoder::Pcm(bits) => {
                at_16k(frame.len() / usize::from(*bits / 8).max(1) / usize::from(self.track.channels))
            }
            Decoder::ALaw | Decoder::MuLaw => at_16k(frame.len() / usize::from(self.track.channels)),
        }
    }
}

fn aac(track: &Track) -> Result<AacDecoder, CodecError> {
    let mut parameters = AudioCodecParameters::new();
    parameters.for_codec(CODEC_ID_AAC).with_sample_rate(track.rate).with_extra_data(track.private.to_vec().into());
    Ok(AacDecoder::try_new(&parameters, &AudioDecoderOptions::default())?)
}

fn decode_aac(aac: &mut AacDecoder, frame: &[u8]) -> Result<Vec<f32>, CodecError> {
    let packet = PacketRef::new(0, Timestamp::ZERO, Duration::ZERO, frame);
    let buffer = aac.decode_ref(&packet)?;
    let channels = buffer.num_planes();
    let mut interleaved: Vec<f32> = Vec::new();
    buffer.copy_to_vec_interleaved(&mut interleaved);
    Ok(mix(interleaved, channels))
}

fn pcm(bytes: &[u8], bits: u16) -> Vec<f32> {
    let signed = |bytes: &[u8]| {
        // Into the upper bytes, so that the sign is the sign.
        let mut wide = [0; 4];
        wide[4 - bytes.len()..].copy_from_slice(bytes);
        #[expect(clippy::cast_precision_loss, reason = "24 bits are more than a voice has")]
        let value = i32::from_le_bytes(wide) as f32;
        value / 2_147_483_648.0
    };
    match bits {
        // Eight bits have no sign (RFC 9559).
        8 => bytes.iter().map(|byte| (f32::from(*byte) - 128.0) / 128.0).collect(),
        16 | 24 | 32 => bytes.chunks_exact(usize::from(bits / 8)).map(signed).collect(),
        _ => Vec::new(),
    }
}

/// G.711: three bits of exponent and four of mantissa.
fn a_law(byte: u8) -> i16 {
    let bits = byte ^ 0x55;
    let (exponent, mantissa) = ((bits >> 4) & 7, i16::from(bits & 15));
    let size = if exponent == 0 { (mantissa << 4) + 8 } else { ((mantissa << 4) + 0x108) << (exponent - 1) };
    if bits & 0x80 == 0 { -size } else { size }
}

/// G.711, with the bias of 132.
fn mu_law(byte: u8) -> i16 {
    let bits = !byte;
    let (exponent, mantissa) = ((bits >> 4) & 7, i16::from(bits & 15));
    let size = (((mantissa << 3) + 0x84) << exponent) - 0x84;
    if bits & 0x80 == 0 { size } else { -size }
}

fn mix(interleaved: Vec<f32>, channels: usize) -> Vec<f32> {
    if channels <= 1 {
        return interleaved;
    }
    #[expect(clippy::cast_precision_loss, reason = "a number of channels")]
    let mean = |samples: &[f32]| samples.iter().sum::<f32>() / channels as f32;
    interleaved.chunks_exact(channels).map(mean).collect()
}

fn to_float(sample: i16) -> f32 {
    f32::from(sample) / 32_768.0
}

#[expect(clippy::cast_possible_truncation, reason = "clamped to the range of i16; NaN becomes 0")]
fn to_pcm(sample: f32) -> i16 {
    (sample * 32_768.0).clamp(-32_768.0, 32_767.0) as i16
}

/// A stream of samples to another rate; sample for sample in time, only later.
struct Resampler {
    fft: Fft<f32>,
    rate: u32,
    input: Vec<f32>,
    /// Output that only shows the resampler's own delay.
    delay: usize,
}

impl Resampler {
    fn new(rate: u32) -> Result<Self, CodecError> {
        let chunk = (rate / PARTS).max(1) as usize;
        let fft = Fft::<f32>::new(rate as usize, RATE as usize, chunk, 1, FixedSync::Both)
            .map_err(|e| CodecError::Rate(rate, e.to_string()))?;
        let delay = fft.output_delay();
        Ok(Self { fft, rate, input: Vec::new(), delay })
    }

    fn push(&mut self, mono: Vec<f32>) -> Result<Vec<f32>, CodecError> {
        let fault = |e: &dyn std::fmt::Display| CodecError::Rate(self.rate, e.to_string());
        self.input.extend(mono);
        let mut output = Vec::new();
        let mut used = 0;
        while self.input.len() - used >= self.fft.input_frames_next() {
            let frames = self.fft.input_frames_next();
            let part = self.input[used..used + frames].to_vec();
            let part = InterleavedOwned::new_from(part, 1, frames).map_err(|e| fault(&e))?;
            output.extend(self.fft.process(&part, None).map_err(|e| fault(&e))?.take_data());
            used += frames;
        }
        self.input.drain(..used);
        let late = self.delay.min(output.len());
        self.delay -= late;
        output.drain(..late);
        Ok(output)
    }

    fn pending(&self) -> u64 {
        let waiting = self.input.len() as u64 * u64::from(RATE) / u64::from(self.rate);
        // What has been left out of the output is still inside.
        waiting + (self.fft.output_delay() - self.delay) as u64
    }
}
