//! The tracks of a document.

use bytes::Bytes;
use webm_iterable::matroska_spec::{Master, MatroskaSpec};

/// `TrackType` of audio (RFC 9559).
const AUDIO: u64 = 2;
/// The most channels that are believed.
const MOST_CHANNELS: u64 = 8;

/// How the frames of a track are encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Codec {
    /// `A_OPUS`.
    Opus,
    /// `A_AAC`; the description of the stream is in [`Track::private`].
    Aac,
    /// `A_PCM/INT/LIT`: little-endian integers of so many bits.
    Pcm(u16),
    /// `A_MS/ACM` of format 6: G.711 A-law.
    ALaw,
    /// `A_MS/ACM` of format 7: G.711 μ-law.
    MuLaw,
    /// Anything else, a picture for example.
    Other(String),
}

impl std::fmt::Display for Codec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Opus => f.write_str("Opus"),
            Self::Aac => f.write_str("AAC"),
            Self::Pcm(bits) => write!(f, "PCM of {bits} bits"),
            Self::ALaw => f.write_str("G.711 A-law"),
            Self::MuLaw => f.write_str("G.711 μ-law"),
            Self::Other(name) => f.write_str(name),
        }
    }
}

/// One track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    /// As the blocks name it.
    pub number: u64,
    /// How its frames are encoded.
    pub codec: Codec,
    /// Samples per second and channel.
    pub rate: u32,
    /// Channels.
    pub channels: u16,
    /// What the codec needs to know besides.
    pub private: Bytes,
}

impl Track {
    /// Whether it is audio that we can decode.
    #[must_use]
    pub fn is_decodable(&self) -> bool {
        let sane = (1_000..=384_000).contains(&self.rate);
        match self.codec {
            Codec::Opus => true,
            Codec::Aac | Codec::ALaw | Codec::MuLaw => sane,
            Codec::Pcm(bits) => sane && matches!(bits, 8 | 16 | 24 | 32),
            Codec::Other(_) => false,
        }
    }
}

/// All tracks of a `Tracks` element.
pub(super) fn read(entries: &[MatroskaSpec]) -> Vec<Track> {
    let read = |entry: &MatroskaSpec| {
        let MatroskaSpec::TrackEntry(Master::Full(parts)) = entry else { return None };
        Some(track(parts))
    };
    entries.iter().filter_map(read).collect()
}

/// The values of a `TrackEntry` as they stand there.
struct Raw<'a> {
    number: u64,
    kind: u64,
    codec: &'a str,
    private: &'a [u8],
    rate: f64,
    channels: u64,
    bits: u64,
}

fn track(parts: &[MatroskaSpec]) -> Track {
    let mut raw = Raw { number: 0, kind: 0, codec: "", private: &[], rate: 8_000.0, channels: 1, bits: 16 };
    collect(parts, &mut raw);
    let mut track = Track {
        number: raw.number,
        codec: Codec::Other(raw.codec.to_owned()),
        rate: rate(raw.rate),
        channels: u16::try_from(raw.channels.clamp(1, MOST_CHANNELS)).unwrap_or(1),
        private: Bytes::copy_from_slice(raw.private),
    };
    if raw.kind == AUDIO {
        track.codec = match raw.codec {
            "A_OPUS" => Codec::Opus,
            "A_PCM/INT/LIT" => Codec::Pcm(u16::try_from(raw.bits).unwrap_or(0)),
            "A_MS/ACM" => acm(&mut track),
            aac if aac == "A_AAC" || aac.starts_with("A_AAC/") => Codec::Aac,
            other => Codec::Other(other.to_owned()),
        };
    }
    track
}

fn collect<'a>(parts: &'a [MatroskaSpec], raw: &mut Raw<'a>) {
    for part in parts {
        #[expect(clippy::wildcard_enum_match_arm, reason = "a track has other parts, none of which matters")]
        match part {
            MatroskaSpec::TrackNumber(number) => raw.number = *number,
            MatroskaSpec::TrackType(kind) => raw.kind = *kind,
            MatroskaSpec::CodecID(codec) => raw.codec = codec,
            MatroskaSpec::CodecPrivate(private) => raw.private = private,
            MatroskaSpec::SamplingFrequency(rate) => raw.rate = *rate,
            MatroskaSpec::Channels(channels) => raw.channels = *channels,
            MatroskaSpec::BitDepth(bits) => raw.bits = *bits,
            MatroskaSpec::Audio(Master::Full(parts)) => collect(parts, raw),
            _ => {}
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped; NaN becomes 0, which is refused")]
fn rate(hertz: f64) -> u32 {
    hertz.clamp(0.0, 1_000_000.0) as u32
}

/// Reads the `WAVEFORMATEX` that describes an `A_MS/ACM` track: format, channels, rate, and bits at 14.
fn acm(track: &mut Track) -> Codec {
    let private = track.private.clone();
    let short = |at: usize| private.get(at..at + 2).map(|b| u16::from_le_bytes([b[0], b[1]]));
    let rate = private.get(4..8).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let (Some(format), Some(channels), Some(rate), Some(bits)) = (short(0), short(2), rate, short(14)) else {
        return Codec::Other("A_MS/ACM without a description".into());
    };
    (track.rate, track.channels) = (rate, channels.clamp(1, 8));
    match format {
        1 => Codec::Pcm(bits),
        6 => Codec::ALaw,
        7 => Codec::MuLaw,
        other => Codec::Other(format!("A_MS/ACM of format {other}")),
    }
}
