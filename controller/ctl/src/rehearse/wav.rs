//! Any WAV file to what a microphone gives: 48 kHz mono.

use hound::{SampleFormat, WavReader};
use rubato::audioadapter_buffers::owned::InterleavedOwned;
use rubato::{Fft, FixedSync, Resampler};
use std::io::Read;
use std::path::Path;

/// The Opus clock.
pub const RATE: u32 = 48_000;
/// Samples of one 20 ms frame.
pub const FRAME: usize = 960;
/// Longest speech that is read, so that a mistaken file does not fill the memory.
const MOST: std::time::Duration = std::time::Duration::from_secs(4 * 3600);
/// Input frames of one resampling step.
const CHUNK: usize = 1024;

/// Why a file cannot be played, in one line.
#[derive(Debug, thiserror::Error)]
pub enum AudioError {
    /// It cannot be opened.
    #[error("{path}: {detail}; name a WAV file that exists and may be read")]
    Open {
        /// As given.
        path: String,
        /// What the system says.
        detail: String,
    },
    /// It is not what the name says.
    #[error(
        "{path}: not a WAV file that can be played ({detail}); convert it, for example with ffmpeg -i IN -ar 48000 -ac 1 OUT.wav"
    )]
    Format {
        /// As given.
        path: String,
        /// What is wrong.
        detail: String,
    },
}

/// Reads the file at [`RATE`].
///
/// # Errors
/// [`AudioError`], in one line.
pub fn load(path: &Path) -> Result<Vec<i16>, AudioError> {
    load_at(path, RATE)
}

/// Reads the file at this rate, Hz.
///
/// # Errors
/// [`AudioError`], in one line.
pub fn load_at(path: &Path, rate: u32) -> Result<Vec<i16>, AudioError> {
    let name = path.display().to_string();
    let open = |detail: String| AudioError::Open { path: name.clone(), detail };
    let file = std::fs::File::open(path).map_err(|e| open(e.to_string()))?;
    if file.metadata().is_ok_and(|m| m.is_dir()) {
        return Err(open("is a directory".into()));
    }
    decode_at(std::io::BufReader::new(file), rate).map_err(|detail| AudioError::Format { path: name, detail })
}

/// Reads WAV bytes: PCM of 8 to 32 bits or 32-bit float, any rate, any number of channels.
///
/// # Errors
/// What is wrong with them.
pub fn decode(bytes: impl Read) -> Result<Vec<i16>, String> {
    decode_at(bytes, RATE)
}

fn decode_at(bytes: impl Read, rate: u32) -> Result<Vec<i16>, String> {
    let mut reader = WavReader::new(bytes).map_err(|e| e.to_string())?;
    let spec = reader.spec();
    let channels = usize::from(spec.channels);
    if channels == 0 || spec.sample_rate < 1_000 {
        return Err(format!("{channels} channels at {} Hz", spec.sample_rate));
    }
    if u64::from(reader.duration()) > MOST.as_secs() * u64::from(spec.sample_rate) {
        return Err(format!("longer than {} hours", MOST.as_secs() / 3600));
    }
    let samples = floats(&mut reader)?;
    let mono: Vec<f32> = samples.chunks_exact(channels).map(mean).collect();
    if mono.is_empty() {
        return Err("it holds no sound".into());
    }
    let resampled = resample(mono, spec.sample_rate, rate)?;
    Ok(resampled.into_iter().map(to_pcm).collect())
}

fn floats<R: Read>(reader: &mut WavReader<R>) -> Result<Vec<f32>, String> {
    let spec = reader.spec();
    match spec.sample_format {
        SampleFormat::Float => reader.samples::<f32>().collect::<Result<_, _>>().map_err(|e| e.to_string()),
        SampleFormat::Int => {
            #[expect(clippy::cast_precision_loss, reason = "a power of two is exact")]
            let scale = 1.0 / (1_u64 << (spec.bits_per_sample.clamp(1, 32) - 1)) as f32;
            #[expect(clippy::cast_precision_loss, reason = "24 bits are more than a voice has")]
            let scaled = reader.samples::<i32>().map(|s| s.map(|s| s as f32 * scale));
            scaled.collect::<Result<_, _>>().map_err(|e| e.to_string())
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a number of channels")]
fn mean(samples: &[f32]) -> f32 {
    samples.iter().sum::<f32>() / samples.len() as f32
}

fn resample(mono: Vec<f32>, rate: u32, wanted: u32) -> Result<Vec<f32>, String> {
    if rate == wanted {
        return Ok(mono);
    }
    let fault = |e: &dyn std::fmt::Display| format!("{rate} Hz cannot be resampled: {e}");
    let (from, to) = (rate as usize, wanted as usize);
    let mut resampler = Fft::<f32>::new(from, to, CHUNK, 1, FixedSync::Both).map_err(|e| fault(&e))?;
    let frames = mono.len();
    let input = InterleavedOwned::new_from(mono, 1, frames).map_err(|e| fault(&e))?;
    let output = resampler.process_all(&input, frames, None).map_err(|e| fault(&e))?;
    Ok(output.take_data())
}

#[expect(clippy::cast_possible_truncation, reason = "clamped to the range of i16; NaN becomes 0")]
fn to_pcm(sample: f32) -> i16 {
    (sample * 32_768.0).clamp(-32_768.0, 32_767.0) as i16
}

/// Length of so many samples, ms.
#[must_use]
pub fn length_ms(samples: usize) -> u64 {
    samples as u64 * 1000 / u64::from(RATE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hound::{WavSpec, WavWriter};
    use proptest::prelude::*;
    use std::io::Cursor;

    fn spec(channels: u16, sample_rate: u32, bits_per_sample: u16, sample_format: SampleFormat) -> WavSpec {
        WavSpec { channels, sample_rate, bits_per_sample, sample_format }
    }

    /// One second of a 440 Hz tone at half scale on every channel.
    fn tone(spec: WavSpec) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut bytes, spec).unwrap();
        for n in 0..spec.sample_rate {
            let x = 0.5 * (std::f32::consts::TAU * 440.0 * n as f32 / spec.sample_rate as f32).sin();
            for _ in 0..spec.channels {
                match spec.sample_format {
                    SampleFormat::Float => writer.write_sample(x).unwrap(),
                    SampleFormat::Int => {
                        let full = (1_u64 << (spec.bits_per_sample - 1)) as f32;
                        writer.write_sample((x * full) as i32).unwrap();
                    }
                }
            }
        }
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    fn rms(samples: &[i16]) -> f64 {
        (samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / samples.len() as f64).sqrt() / 32_768.0
    }

    #[test]
    fn every_common_format_becomes_the_same_second_of_sound() {
        use SampleFormat::{Float, Int};
        for (channels, rate, bits, format) in [
            (1, 48_000, 16, Int),
            (2, 44_100, 16, Int),
            (1, 16_000, 16, Int),
            (1, 8_000, 8, Int),
            (2, 96_000, 24, Int),
            (1, 22_050, 32, Int),
            (1, 44_100, 32, Float),
            (6, 48_000, 16, Int),
            (1, 11_025, 16, Int),
        ] {
            let pcm = decode(Cursor::new(tone(spec(channels, rate, bits, format)))).unwrap();
            assert!(pcm.len().abs_diff(48_000) <= 2, "{rate} Hz {bits} bits: {} samples", pcm.len());
            let level = rms(&pcm[4_800..43_200]);
            assert!((level - 0.353).abs() < 0.01, "{rate} Hz {bits} bits {channels} channels: {level}");
        }
    }

    #[test]
    fn a_file_that_is_no_wav_says_so_in_one_line() {
        for bytes in [&b""[..], b"RIFF", b"ID3\x04 this is an mp3 file, is it not?", &[0; 4096]] {
            assert!(!decode(Cursor::new(bytes)).unwrap_err().contains('\n'));
        }
    }

    #[test]
    fn a_wav_without_sound_is_refused() {
        let mut bytes = Cursor::new(Vec::new());
        WavWriter::new(&mut bytes, spec(1, 16_000, 16, SampleFormat::Int)).unwrap().finalize().unwrap();
        assert_eq!(decode(Cursor::new(bytes.into_inner())).unwrap_err(), "it holds no sound");
    }

    #[test]
    fn a_missing_file_names_itself() {
        let line = load(Path::new("no-such-file.wav")).unwrap_err().to_string();
        assert!(line.starts_with("no-such-file.wav: ") && !line.contains('\n'), "{line}");
    }

    proptest! {
        #[test]
        fn no_bytes_can_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), keep in 0usize..60) {
            let mut wav = tone(spec(1, 8_000, 16, SampleFormat::Int));
            wav.truncate(keep);
            wav.extend(bytes);
            let _ = decode(Cursor::new(wav));
        }
    }
}
