//! Fragments as GetMedia sends them: a Matroska document each, with the service's tags before and after the cluster.

use ebml_iterable::error::TagWriterError;
use ebml_iterable::{TagWriter, WriteOptions};
use webm_iterable::matroska_spec::{Master, MatroskaSpec, SimpleBlock};

/// The id of `Tags` (RFC 9559).
const TAGS: [u8; 4] = [0x12, 0x54, 0xC3, 0x67];

/// One audio track.
#[derive(Debug, Clone)]
pub struct AudioTrack {
    /// `A_OPUS`, `A_AAC`, `A_PCM/INT/LIT`, `A_MS/ACM`.
    pub codec: &'static str,
    /// What the codec needs to know besides.
    pub private: Vec<u8>,
    /// Hz.
    pub rate: f64,
    /// Channels.
    pub channels: u64,
    /// Bits of a sample, which only PCM has.
    pub bits: u64,
}

/// One fragment to be written.
#[derive(Debug, Clone)]
pub struct Fragment {
    /// A decimal that rises.
    pub number: u64,
    /// When the service got it, epoch ms.
    pub server_ms: i64,
    /// When the producer made it, epoch ms.
    pub producer_ms: i64,
    /// Frames with their begin after the fragment's, ms.
    pub frames: Vec<(i16, Vec<u8>)>,
}

/// A cluster as a producer sent it, which is a fragment, and what the service knows of it.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// A decimal that rises.
    pub number: u64,
    /// When the service got it, epoch ms.
    pub server_ms: i64,
    /// When the producer made it, epoch ms.
    pub producer_ms: i64,
    /// Nanoseconds per tick.
    pub scale: u64,
    /// Its begin, ticks.
    pub timestamp: u64,
    /// The `Tracks` element.
    pub tracks: MatroskaSpec,
    /// `SimpleBlock` and `BlockGroup` elements.
    pub blocks: Vec<MatroskaSpec>,
}

/// The head of a fragment and its frames: header, tags, and track 1 (a picture) besides track 2.
///
/// # Errors
/// When the document cannot be written.
pub fn head(fragment: &Fragment, track: &AudioTrack) -> Result<Vec<u8>, TagWriterError> {
    let picture = [0x55; 700];
    let frames = fragment.frames.iter().map(|(at, frame)| block(2, *at, frame));
    document(&Cluster {
        number: fragment.number,
        server_ms: fragment.server_ms,
        producer_ms: fragment.producer_ms,
        scale: 1_000_000,
        timestamp: u64::try_from(fragment.producer_ms).unwrap_or(0),
        tracks: MatroskaSpec::Tracks(Master::Full(vec![
            entry(1, 1, "V_MPEG4/ISO/AVC", Vec::new(), None),
            entry(2, 2, track.codec, track.private.clone(), Some((track.rate, track.channels, track.bits))),
        ])),
        blocks: std::iter::once(block(1, 0, &picture)).chain(frames).collect(),
    })
}

/// A cluster as GetMedia sends it: a document of its own.
///
/// # Errors
/// When the document cannot be written.
pub fn document(cluster: &Cluster) -> Result<Vec<u8>, TagWriterError> {
    let mut writer = TagWriter::new(Vec::new());
    writer.write(&MatroskaSpec::Ebml(Master::Full(vec![
        MatroskaSpec::EbmlVersion(1),
        MatroskaSpec::DocType("matroska".into()),
        MatroskaSpec::DocTypeVersion(2),
    ])))?;
    writer.write_advanced(&MatroskaSpec::Segment(Master::Start), WriteOptions::is_unknown_sized_element())?;
    writer.write(&MatroskaSpec::Info(Master::Full(vec![MatroskaSpec::TimestampScale(cluster.scale)])))?;
    writer.write(&tags(&[
        ("FRAGMENT_NUMBER", cluster.number.to_string()),
        ("SERVER_TIMESTAMP", seconds(cluster.server_ms)),
        ("PRODUCER_TIMESTAMP", seconds(cluster.producer_ms)),
    ]))?;
    writer.write(&cluster.tracks)?;
    writer.write_advanced(&MatroskaSpec::Cluster(Master::Start), WriteOptions::is_unknown_sized_element())?;
    writer.write(&MatroskaSpec::Timestamp(cluster.timestamp))?;
    for block in &cluster.blocks {
        writer.write(block)?;
    }
    writer.write(&MatroskaSpec::Cluster(Master::End))?;
    writer.flush()?;
    Ok(writer.get_ref().clone())
}

/// What follows a fragment that has been sent whole: how far behind this is, and where the next connection goes on.
///
/// # Errors
/// When it cannot be written.
pub fn tail(behind_ms: u64, token: &str) -> Result<Vec<u8>, TagWriterError> {
    part(&[("MILLIS_BEHIND_NOW", behind_ms.to_string()), ("CONTINUATION_TOKEN", token.to_owned())])
}

/// An error as it ends a connection.
///
/// # Errors
/// When it cannot be written.
pub fn failure(code: u32) -> Result<Vec<u8>, TagWriterError> {
    part(&[("ERROR_CODE", code.to_string()), ("ERROR_ID", "local".into())])
}

fn part(texts: &[(&str, String)]) -> Result<Vec<u8>, TagWriterError> {
    let mut writer = TagWriter::new(Vec::new());
    // The writer wants the path; only the tags themselves are sent.
    writer.write_advanced(&MatroskaSpec::Segment(Master::Start), WriteOptions::is_unknown_sized_element())?;
    writer.write(&tags(texts))?;
    writer.flush()?;
    let all = writer.get_ref();
    let begin = all.windows(TAGS.len()).position(|four| four == TAGS).unwrap_or(0);
    Ok(all.get(begin..).unwrap_or_default().to_vec())
}

fn tags(texts: &[(&str, String)]) -> MatroskaSpec {
    let tag = |(name, text): &(&str, String)| {
        MatroskaSpec::SimpleTag(Master::Full(vec![
            MatroskaSpec::TagName(format!("AWS_KINESISVIDEO_{name}")),
            MatroskaSpec::TagString(text.clone()),
        ]))
    };
    MatroskaSpec::Tags(Master::Full(vec![MatroskaSpec::Tag(Master::Full(texts.iter().map(tag).collect()))]))
}

fn entry(number: u64, kind: u64, codec: &str, private: Vec<u8>, audio: Option<(f64, u64, u64)>) -> MatroskaSpec {
    let mut parts = vec![
        MatroskaSpec::TrackNumber(number),
        MatroskaSpec::TrackUID(number),
        MatroskaSpec::TrackType(kind),
        MatroskaSpec::CodecID(codec.into()),
    ];
    if !private.is_empty() {
        parts.push(MatroskaSpec::CodecPrivate(private));
    }
    if let Some((rate, channels, bits)) = audio {
        parts.push(MatroskaSpec::Audio(Master::Full(vec![
            MatroskaSpec::SamplingFrequency(rate),
            MatroskaSpec::Channels(channels),
            MatroskaSpec::BitDepth(bits),
        ])));
    }
    MatroskaSpec::TrackEntry(Master::Full(parts))
}

fn block(track: u64, at_ms: i16, frame: &[u8]) -> MatroskaSpec {
    SimpleBlock::new_uncheked(frame, track, at_ms, false, None, false, true).into()
}

fn seconds(ms: i64) -> String {
    format!("{}.{:03}", ms / 1_000, ms % 1_000)
}
