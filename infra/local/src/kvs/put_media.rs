//! `PutMedia`: Matroska from a producer, one endless request as the producer SDKs make it, or a request per fragment. Each cluster is a fragment.
//!
//! *Caveat*: the acknowledgements come when the request ends, and all of them then; AWS sends them as fragments arrive.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use bytes::BytesMut;
use ebml_iterable::TagDecoder;
use futures_util::StreamExt;
use serde_json::json;
use webm_iterable::matroska_spec::{Master, MatroskaSpec};

use super::control::Refusal;
use super::mkv::{Cluster, document, tail};
use super::service::Service;
use super::stream::{Feed, Stored, find, puts};

/// Nanoseconds of a millisecond, which is a tick unless the document says otherwise.
const TICK: u64 = 1_000_000;

/// Takes in what a producer sends, until it ends.
pub(super) async fn put_media(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let named = (header("x-amzn-stream-arn"), header("x-amzn-stream-name"));
    let feed = find(&service, named, puts, |_arn, entry| Ok(entry.feed.clone()))?;
    let relative = header("x-amzn-fragment-timecode-type") == Some("RELATIVE");
    let start = header("x-amzn-producer-start-timestamp").and_then(|at| at.parse::<f64>().ok()).unwrap_or(0.0);
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds since 1970")]
    let start_ms = if relative { (start * 1_000.0) as i64 } else { 0 };
    let mut producer = Producer { splitter: Splitter::default(), feed, start_ms, said: String::new() };
    let mut parts = body.into_data_stream();
    // A producer that hangs up has sent what it has sent.
    while let Some(Ok(part)) = parts.next().await {
        if !producer.take(&part, service.epoch_ms()) {
            break;
        }
    }
    let rest = producer.splitter.close();
    producer.store(rest, service.epoch_ms());
    Ok(([("content-type", "application/json")], producer.said).into_response())
}

struct Producer {
    splitter: Splitter,
    feed: Feed,
    start_ms: i64,
    said: String,
}

impl Producer {
    /// Takes in a part; false when it is no Matroska.
    fn take(&mut self, part: &Bytes, now_ms: i64) -> bool {
        match self.splitter.push(part) {
            Ok(whole) => {
                whole.into_iter().for_each(|cluster| self.store(Some(cluster), now_ms));
                true
            }
            Err(error) => {
                tracing::debug!(%error, "a producer sends no Matroska");
                self.say(&json!({ "EventType": "ERROR", "ErrorId": 4006, "ErrorCode": "INVALID_MKV_DATA" }));
                false
            }
        }
    }

    fn store(&mut self, cluster: Option<Raw>, now_ms: i64) {
        let Some(Raw { scale, timestamp, tracks, blocks }) = cluster else { return };
        let at_ms = i64::try_from(u128::from(timestamp) * u128::from(scale) / u128::from(TICK)).unwrap_or(i64::MAX);
        let number = self.feed.next_number();
        let cluster = Cluster {
            number,
            server_ms: now_ms,
            producer_ms: at_ms.saturating_add(self.start_ms),
            scale,
            timestamp,
            tracks,
            blocks,
        };
        match document(&cluster).and_then(|head| Ok([head, tail(0, &number.to_string())?].concat())) {
            Ok(bytes) => {
                self.feed.push(Stored { number, server_ms: now_ms, bytes: bytes.into() });
                for event in ["RECEIVED", "PERSISTED"] {
                    self.say(
                        &json!({ "EventType": event, "FragmentTimecode": at_ms, "FragmentNumber": number.to_string() }),
                    );
                }
            }
            Err(error) => tracing::warn!(%error, "a fragment cannot be written"),
        }
    }

    fn say(&mut self, event: &serde_json::Value) {
        self.said.push_str(&event.to_string());
        self.said.push('\n');
    }
}

/// A cluster as it came.
#[derive(Debug)]
struct Raw {
    scale: u64,
    timestamp: u64,
    tracks: MatroskaSpec,
    blocks: Vec<MatroskaSpec>,
}

/// Cuts a stream at its clusters.
struct Splitter {
    decoder: TagDecoder<MatroskaSpec>,
    input: BytesMut,
    scale: u64,
    tracks: Option<MatroskaSpec>,
    open: Option<(u64, Vec<MatroskaSpec>)>,
}

impl Default for Splitter {
    fn default() -> Self {
        let whole = [MatroskaSpec::Tracks(Master::Start), MatroskaSpec::BlockGroup(Master::Start)];
        Self { decoder: TagDecoder::new(&whole), input: BytesMut::new(), scale: TICK, tracks: None, open: None }
    }
}

impl Splitter {
    fn push(&mut self, bytes: &[u8]) -> Result<Vec<Raw>, String> {
        self.input.extend_from_slice(bytes);
        let mut whole = Vec::new();
        while let Some(tag) = self.decoder.decode(&mut self.input).map_err(|error| error.to_string())? {
            whole.extend(self.take(tag.tag));
        }
        Ok(whole)
    }

    fn take(&mut self, tag: MatroskaSpec) -> Option<Raw> {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the crate's enum has 250 elements; these are the ones that matter"
        )]
        match tag {
            MatroskaSpec::TimestampScale(scale) => self.scale = scale.max(1),
            MatroskaSpec::Tracks(Master::Full(_)) => self.tracks = Some(tag),
            MatroskaSpec::Cluster(Master::Start) => {
                let before = self.close();
                self.open = Some((0, Vec::new()));
                return before;
            }
            MatroskaSpec::Cluster(Master::End) | MatroskaSpec::Ebml(Master::Start) => return self.close(),
            MatroskaSpec::Timestamp(ticks) => {
                if let Some((at, _)) = &mut self.open {
                    *at = ticks;
                }
            }
            MatroskaSpec::SimpleBlock(_) | MatroskaSpec::BlockGroup(Master::Full(_)) => {
                if let Some((_, blocks)) = &mut self.open {
                    blocks.push(tag);
                }
            }
            _ => {}
        }
        None
    }

    /// The cluster that is open, if it holds anything.
    fn close(&mut self) -> Option<Raw> {
        let (timestamp, blocks) = self.open.take()?;
        let tracks = self.tracks.clone()?;
        (!blocks.is_empty()).then_some(Raw { scale: self.scale, timestamp, tracks, blocks })
    }
}
