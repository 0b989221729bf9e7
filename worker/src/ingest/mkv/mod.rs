//! What GetMedia sends, byte by byte: an endless row of Matroska documents, one per fragment, without sockets or clocks.
//!
//! *Guarantees*: the same bytes give the same events however they are cut; malformed bytes never panic and cost at most the fragment that they
//! are in, because the parser goes on at the next document. *Caveats*: of several audio tracks the first that can be decoded counts; EBML
//! lacing is refused (`webm-iterable` 0.7.1 computes its sizes unchecked).

mod track;

#[cfg(test)]
mod tests;

use bytes::{Buf, Bytes, BytesMut};
use ebml_iterable::{TagDecoder, tools};
pub use track::{Codec, Track};
use webm_iterable::matroska_spec::{Block, BlockLacing, Master, MatroskaSpec};

/// The first element of every document (RFC 8794).
const EBML: [u8; 4] = [0x1A, 0x45, 0xDF, 0xA3];
/// The largest element that is believed: a fragment has at most 50 MB (KVS limits).
const LARGEST_ELEMENT: usize = 64 << 20;
/// The most that waits for its end. No audio frame and no picture of a sensible camera is larger.
const MOST_WAITING: usize = 16 << 20;
/// How far into a document its name is looked for.
const NAME_WITHIN: usize = 64;

/// One thing that was read.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A document begins: the next fragment, or what the service says between two.
    Begin,
    /// The audio track of the document.
    Track(Track),
    /// The document holds tracks, but no audio that can be decoded; their codecs.
    NoAudio(Vec<String>),
    /// A tag of the service.
    Tag(Tag),
    /// One frame of the audio track.
    Frame {
        /// Its begin on the fragment's own clock, ms.
        at_ms: i64,
        /// As the encoder made it.
        data: Bytes,
    },
    /// These many bytes were no Matroska and were left out.
    Skipped(u64),
}

/// What the service says of a fragment, or of the connection (GetMedia API reference).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tag {
    /// The fragment's number, a decimal that rises.
    FragmentNumber(String),
    /// When the service got it, epoch ms.
    ServerTimestamp(i64),
    /// When the producer made it, epoch ms.
    ProducerTimestamp(i64),
    /// How far this connection is behind the newest fragment, ms.
    MillisBehindNow(u64),
    /// Where the next connection goes on.
    ContinuationToken(String),
    /// The connection ends with this error.
    ErrorCode(u32),
    /// Names the error to AWS's support.
    ErrorId(String),
}

/// The parser of one connection.
pub struct Parser {
    decoder: TagDecoder<MatroskaSpec>,
    input: BytesMut,
    /// Bytes at the front of `input` that were searched for a document already.
    searched: usize,
    /// Between documents: the next one is looked for.
    lost: bool,
    /// Bytes left out since the last event.
    skipped: u64,
    /// The decoder has not read anything yet.
    fresh: bool,
    document: Document,
    ready: std::collections::VecDeque<Event>,
}

/// What the document has said so far.
#[derive(Debug, Default)]
struct Document {
    track: Option<u64>,
    /// Nanoseconds per tick.
    scale: Option<u64>,
    cluster: u64,
}

impl std::fmt::Debug for Parser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parser").field("waiting", &self.input.len()).field("document", &self.document).finish()
    }
}

impl Default for Parser {
    fn default() -> Self {
        Self {
            decoder: decoder(),
            input: BytesMut::new(),
            searched: 0,
            lost: false,
            skipped: 0,
            fresh: true,
            document: Document::default(),
            ready: std::collections::VecDeque::new(),
        }
    }
}

fn decoder() -> TagDecoder<MatroskaSpec> {
    // A track and a tag are only of use when they are complete.
    let mut decoder = TagDecoder::new(&[MatroskaSpec::Tracks(Master::Start), MatroskaSpec::SimpleTag(Master::Start)]);
    decoder.set_max_allowable_tag_size(Some(LARGEST_ELEMENT));
    decoder
}

impl Parser {
    /// Takes in what came; ask [`Parser::next_event`] afterwards.
    pub fn push(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// The next event, `None` when more bytes are needed.
    pub fn next_event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.lost && !self.find_document() {
                return None;
            }
            match self.decoder.decode(&mut self.input) {
                Ok(Some(tag)) => {
                    (self.searched, self.fresh) = (0, false);
                    self.take(tag.tag);
                }
                Ok(None) if self.is_stuck() => self.start_over(),
                Ok(None) => return None,
                Err(error) => {
                    tracing::debug!(%error, "malformed Matroska: going on at the next document");
                    self.start_over();
                }
            }
        }
    }

    /// Whether what waits for its end never will: another document has begun in the middle of it, or it is too large.
    fn is_stuck(&mut self) -> bool {
        let from = self.searched.max(1);
        let (searched, found) = search(&self.input, from);
        self.searched = searched;
        found.is_some() || self.input.len() > MOST_WAITING
    }

    fn start_over(&mut self) {
        // A decoder that has refused the very first byte would refuse it again.
        if self.fresh && !self.input.is_empty() {
            self.skip(1);
        }
        (self.decoder, self.document) = (decoder(), Document::default());
        (self.lost, self.fresh, self.searched) = (true, true, 0);
    }

    fn skip(&mut self, count: usize) {
        self.input.advance(count.min(self.input.len()));
        self.skipped += count as u64;
    }

    /// Goes on to the next document; true when there is one.
    fn find_document(&mut self) -> bool {
        let (searched, found) = search(&self.input, 0);
        self.skip(found.unwrap_or(searched));
        if found.is_some() {
            self.lost = false;
            self.ready.push_back(Event::Skipped(std::mem::take(&mut self.skipped)));
        }
        found.is_some()
    }

    fn take(&mut self, tag: MatroskaSpec) {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the crate's enum has 250 elements; these are the ones that matter"
        )]
        match tag {
            MatroskaSpec::Ebml(Master::Start) => {
                self.document = Document::default();
                self.ready.push_back(Event::Begin);
            }
            MatroskaSpec::TimestampScale(scale) => self.document.scale = Some(scale),
            MatroskaSpec::Tracks(Master::Full(entries)) => self.choose(&entries),
            MatroskaSpec::Timestamp(ticks) => self.document.cluster = ticks,
            MatroskaSpec::SimpleBlock(data) | MatroskaSpec::Block(data) => self.block(data),
            MatroskaSpec::SimpleTag(Master::Full(parts)) => {
                self.ready.extend(tag_of(&parts).map(Event::Tag));
            }
            _ => {}
        }
    }

    fn choose(&mut self, entries: &[MatroskaSpec]) {
        let tracks = track::read(entries);
        match tracks.iter().find(|track| track.is_decodable()) {
            Some(track) => {
                self.document.track = Some(track.number);
                self.ready.push_back(Event::Track(track.clone()));
            }
            None => {
                let codecs = tracks.into_iter().map(|track| track.codec.to_string()).collect();
                self.ready.push_back(Event::NoAudio(codecs));
            }
        }
    }

    fn block(&mut self, data: Vec<u8>) {
        let Some((number, ticks, frames)) = frames(&data) else {
            self.ready.push_back(Event::Skipped(data.len() as u64));
            return;
        };
        if self.document.track != Some(number) {
            return;
        }
        let scale = i128::from(self.document.scale.unwrap_or(1_000_000));
        let at = (i128::from(self.document.cluster) + i128::from(ticks)) * scale / 1_000_000;
        let at_ms = i64::try_from(at).unwrap_or(i64::MAX);
        self.ready.extend(frames.into_iter().map(|data| Event::Frame { at_ms, data }));
    }
}

/// Where a document begins from there on, and up to where there is none for sure.
fn search(input: &[u8], from: usize) -> (usize, Option<usize>) {
    let mut at = from;
    while let Some(offset) = input.get(at..).and_then(|rest| rest.windows(EBML.len()).position(|four| four == EBML)) {
        let begin = at + offset;
        let head = &input[begin..input.len().min(begin + NAME_WITHIN)];
        if [b"matroska".as_slice(), b"webm"].iter().any(|name| head.windows(name.len()).any(|part| part == *name)) {
            return (begin, Some(begin));
        }
        if head.len() < NAME_WITHIN {
            // Its name may still come.
            return (begin, None);
        }
        at = begin + 1;
    }
    // The last bytes may be the begin of one.
    (input.len().saturating_sub(EBML.len() - 1).max(from.min(input.len())), None)
}

/// Track, ticks after the cluster's begin, and the frames of a block; `None` when it is malformed.
fn frames(data: &[u8]) -> Option<(u64, i16, Vec<Bytes>)> {
    let (_, width) = tools::read_vint(data).ok().flatten()?;
    // The crate reads two bytes of time and one of flags without looking whether they are there.
    if data.len() < width + 3 {
        return None;
    }
    let block = Block::try_from(data).ok()?;
    let payload = block.raw_frame_data();
    match block.lacing {
        Some(BlockLacing::Ebml) => return None,
        Some(BlockLacing::Xiph | BlockLacing::FixedSize) if payload.is_empty() => return None,
        Some(BlockLacing::Xiph | BlockLacing::FixedSize) | None => {}
    }
    let frames = block.read_frame_data().ok()?;
    Some((block.track, block.timestamp, frames.iter().map(|frame| Bytes::copy_from_slice(frame.data)).collect()))
}

/// What a tag says, `None` when it is not the service's.
fn tag_of(parts: &[MatroskaSpec]) -> Option<Tag> {
    let (mut name, mut text) = ("", "");
    for part in parts {
        #[expect(clippy::wildcard_enum_match_arm, reason = "a tag has other parts, none of which matters")]
        match part {
            MatroskaSpec::TagName(found) => name = found,
            MatroskaSpec::TagString(found) => text = found.trim(),
            _ => {}
        }
    }
    Some(match name.strip_prefix("AWS_KINESISVIDEO_")? {
        "FRAGMENT_NUMBER" => Tag::FragmentNumber(text.to_owned()),
        "SERVER_TIMESTAMP" | "SERVER_SIDE_TIMESTAMP" => Tag::ServerTimestamp(millis(text)?),
        "PRODUCER_TIMESTAMP" | "PRODUCER_SIDE_TIMESTAMP" => Tag::ProducerTimestamp(millis(text)?),
        "MILLIS_BEHIND_NOW" => Tag::MillisBehindNow(text.parse().ok()?),
        "CONTINUATION_TOKEN" => Tag::ContinuationToken(text.to_owned()),
        // The API reference and the service differ in the name.
        "ERROR_CODE" | "EXCEPTION_ERROR_CODE" => Tag::ErrorCode(text.parse().ok()?),
        "ERROR_ID" | "EXCEPTION_MESSAGE" => Tag::ErrorId(text.to_owned()),
        _ => return None,
    })
}

/// Milliseconds of `1700000000.123` seconds.
fn millis(seconds: &str) -> Option<i64> {
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    let whole: i64 = whole.parse().ok()?;
    whole.checked_mul(1_000)?.checked_add(digits.parse().ok()?)
}
