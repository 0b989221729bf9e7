//! A fragment as a producer sends it: a Matroska document with one track of Opus and one cluster.

use ebml_iterable::error::TagWriterError;
use ebml_iterable::{TagWriter, WriteOptions};
use webm_iterable::matroska_spec::{Master, MatroskaSpec, SimpleBlock};

/// Length of a frame, ms.
pub const FRAME_MS: i16 = 20;
/// What comes before the first sample in an Opus stream, samples at 48 kHz: libopus looks ahead so far.
const PRE_SKIP: u16 = 312;

/// The document of these frames, of which the first begins at `begin_ms` (epoch ms). At most 30 s of them.
///
/// # Errors
/// When it cannot be written.
pub fn fragment(begin_ms: u64, frames: &[Vec<u8>]) -> Result<Vec<u8>, TagWriterError> {
    let mut writer = TagWriter::new(Vec::new());
    writer.write(&MatroskaSpec::Ebml(Master::Full(vec![
        MatroskaSpec::EbmlVersion(1),
        MatroskaSpec::EbmlReadVersion(1),
        MatroskaSpec::DocType("matroska".into()),
        MatroskaSpec::DocTypeVersion(2),
        MatroskaSpec::DocTypeReadVersion(2),
    ])))?;
    writer.write_advanced(&MatroskaSpec::Segment(Master::Start), WriteOptions::is_unknown_sized_element())?;
    writer.write(&MatroskaSpec::Info(Master::Full(vec![
        MatroskaSpec::TimestampScale(1_000_000),
        MatroskaSpec::MuxingApp("sessionctl".into()),
        MatroskaSpec::WritingApp("sessionctl".into()),
    ])))?;
    writer.write(&MatroskaSpec::Tracks(Master::Full(vec![track()])))?;
    let mut cluster = vec![MatroskaSpec::Timestamp(begin_ms)];
    let starts = (0..).step_by(usize::from(FRAME_MS.unsigned_abs()));
    cluster.extend(
        starts.zip(frames).map(|(at, frame)| SimpleBlock::new_uncheked(frame, 1, at, false, None, false, true).into()),
    );
    writer.write(&MatroskaSpec::Cluster(Master::Full(cluster)))?;
    writer.flush()?;
    Ok(writer.get_ref().clone())
}

fn track() -> MatroskaSpec {
    // RFC 7845, section 5.1: version 1, one channel, 48 kHz, no gain.
    let head =
        [b"OpusHead\x01\x01".as_slice(), &PRE_SKIP.to_le_bytes(), &48_000_u32.to_le_bytes(), &[0, 0, 0]].concat();
    MatroskaSpec::TrackEntry(Master::Full(vec![
        MatroskaSpec::TrackNumber(1),
        MatroskaSpec::TrackUID(1),
        MatroskaSpec::TrackType(2),
        MatroskaSpec::CodecID("A_OPUS".into()),
        MatroskaSpec::CodecPrivate(head),
        MatroskaSpec::Audio(Master::Full(vec![MatroskaSpec::SamplingFrequency(48_000.0), MatroskaSpec::Channels(1)])),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fragment_is_one_document_with_its_frames_in_order() {
        let document = fragment(1_700_000_000_000, &[vec![7; 30], vec![8; 30]]).unwrap();
        assert!(document.starts_with(&[0x1A, 0x45, 0xDF, 0xA3]));
        let place = |byte: u8| document.windows(30).position(|part| part == [byte; 30]).unwrap();
        assert!(place(7) < place(8));
        assert_eq!(document[place(8) - 3..place(8) - 1], [0, 20], "20 ms after the begin");
    }
}
