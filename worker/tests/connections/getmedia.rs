//! The real SDK client against the stand-in: speech as Opus in Matroska, read with GetMedia, broken off, resumed, and compared with its source.

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use bytes::Bytes;
use local_stack::kvs::mkv::{AudioTrack, Fragment, head, tail};
use local_stack::kvs::stream::{Feed, Stored};
use local_stack::kvs::{KvsConfig, serve_with};
use schemas::ids::StreamArn;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::mpsc;
use worker::ingest::{Start, StreamReceiver};
use worker::io::aws::http_client;
use worker::io::getmedia::{MediaMessage, MediaStream};
use worker_core::input::{AudioKind, MediaStreamEnd, MediaStreamEvent};
use worker_core::time::MediaInstant;

const ARN: &str = "arn:aws:kinesisvideo:us-east-1:111122223333:stream/hall/1700000000000";
const BEGIN: i64 = 1_700_000_000_000;
/// Encoder and decoder look ahead and resample inside: measured, samples.
const LATE: usize = 100;

fn speech() -> Vec<i16> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../samples/short.wav");
    let mut reader = hound::WavReader::open(path).unwrap();
    assert_eq!((reader.spec().sample_rate, reader.spec().channels), (16_000, 1));
    reader.samples::<i16>().map(Result::unwrap).collect()
}

fn packets(speech: &[i16]) -> Vec<Vec<u8>> {
    let mut encoder = opus::Encoder::new(16_000, opus::Channels::Mono, opus::Application::Voip).unwrap();
    encoder.set_bitrate(opus::Bitrate::Bits(48_000)).unwrap();
    speech.chunks_exact(320).map(|pcm| encoder.encode_vec(pcm, 1_200).unwrap()).collect()
}

/// Speech in fragments of 2 s, 20 ms a frame.
fn fragments(speech: &[i16]) -> Vec<Stored> {
    let frames = packets(speech);
    let track = AudioTrack { codec: "A_OPUS", private: b"OpusHead".to_vec(), rate: 48_000.0, channels: 1, bits: 16 };
    let fragment = |(n, frames): (usize, &[Vec<u8>])| {
        let producer_ms = BEGIN + n as i64 * 2_000;
        let frames = frames.iter().enumerate().map(|(i, frame)| (i as i16 * 20, frame.clone())).collect();
        let number = n as u64 + 1;
        let fragment = Fragment { number, server_ms: producer_ms + 2_100, producer_ms, frames };
        let bytes = [head(&fragment, &track).unwrap(), tail(0, &number.to_string()).unwrap()].concat();
        Stored { number, server_ms: fragment.server_ms, bytes: Bytes::from(bytes) }
    };
    frames.chunks(100).enumerate().map(fragment).collect()
}

async fn rig(feed: &Feed) -> (local_stack::kvs::Running, MediaStream) {
    let config = KvsConfig::new("us-east-1", "111122223333", "111122223333", "secret");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let running = serve_with(listener, config, BTreeMap::from([(ARN.to_owned(), feed.clone())])).await.unwrap();
    let sdk = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(running.url())
        .credentials_provider(Credentials::new("111122223333", "secret", None, None, "test"))
        .http_client(http_client())
        .load()
        .await;
    (running, MediaStream::new(&sdk, StreamArn::try_new(ARN).unwrap()))
}

/// Reads one connection until it ends or nothing more comes.
async fn read(stream: &MediaStream, start: Start, receiver: &mut StreamReceiver) -> Option<MediaStreamEnd> {
    let (said, mut messages) = mpsc::unbounded_channel();
    let _connection = stream.open(start, move |message| drop(said.send(message)));
    receiver.connected();
    loop {
        match tokio::time::timeout(Duration::from_millis(700), messages.recv()).await {
            Ok(Some(MediaMessage::Bytes(bytes))) => assert_eq!(receiver.push(&bytes, MediaInstant(0)), []),
            Ok(Some(MediaMessage::Event(MediaStreamEvent::Closed(end)))) => return Some(end),
            Ok(Some(MediaMessage::Event(MediaStreamEvent::Opened | MediaStreamEvent::Notice(_)))) => {}
            Ok(None) | Err(_) => return None,
        }
    }
}

fn correlation(a: &[i16], b: &[i16]) -> f64 {
    let dot = |x: &[i16], y: &[i16]| x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[tokio::test]
async fn speech_comes_whole_out_of_a_stream_that_breaks_off_in_mid_fragment() {
    let (speech, feed) = (speech(), Feed::default());
    let fragments = fragments(&speech);
    let (running, stream) = rig(&feed).await;
    let first = fragments[0].bytes.len();
    feed.push(fragments[0].clone());
    let mut receiver = StreamReceiver::default();
    // Broken off before any token came, then in the middle of the second fragment, then not at all.
    feed.cut_after(first / 2);
    assert!(read(&stream, receiver.start(), &mut receiver).await.is_some());
    assert!(matches!(receiver.start(), Start::Server(_)));
    fragments[1..].iter().cloned().for_each(|fragment| feed.push(fragment));
    feed.cut_after(first + fragments[1].bytes.len() / 2);
    assert!(read(&stream, receiver.start(), &mut receiver).await.is_some());
    assert_eq!(receiver.start(), Start::Token("1".into()));
    assert_eq!(read(&stream, receiver.start(), &mut receiver).await, None, "the stream waits for its producer");
    let mut heard = Vec::new();
    while let Some(at) = receiver.deadline() {
        let frame = receiver.poll(at).unwrap();
        assert_eq!(frame.kind, AudioKind::Decoded);
        heard.extend(frame.pcm);
    }
    let whole = speech.len() / 320 * 320;
    assert_eq!(heard.len(), whole, "every frame once");
    // What the codec costs is the codec's: the way through the stream changes no sample.
    let mut decoder = worker::media::opus::Decoder::new().unwrap();
    let direct: Vec<i16> = packets(&speech).iter().flat_map(|packet| decoder.decode(packet).unwrap()).collect();
    assert!(heard == direct, "as if decoded without a stream");
    let alike = correlation(&heard[LATE..], &speech[..whole - LATE]);
    assert!(alike > 0.85, "correlation with the source: {alike}");
    println!("{} ms heard, correlation with the source {alike:.3}", heard.len() / 16);
    running.stop().await;
}

#[tokio::test]
async fn errors_come_by_what_helps() {
    let feed = Feed::default();
    let (running, stream) = rig(&feed).await;
    let mut receiver = StreamReceiver::default();
    let lost = read(&stream, Start::Token("77".into()), &mut receiver).await;
    assert!(matches!(lost, Some(MediaStreamEnd::PlaceLost(_))), "{lost:?}");
    let readers: Vec<_> = (0..3).map(|_| stream.open(Start::Now, |_| {})).collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let fourth = read(&stream, Start::Now, &mut receiver).await;
    assert!(matches!(&fourth, Some(MediaStreamEnd::Busy(why)) if why.contains("three readers")), "{fourth:?}");
    drop(readers);
    running.stop().await;
}

#[test]
#[ignore = "writes the seed of the fuzz target; run it when the writer of fragments changes"]
fn the_seed_of_the_fuzz_target() {
    let track = AudioTrack { codec: "A_PCM/INT/LIT", private: Vec::new(), rate: 8_000.0, channels: 1, bits: 16 };
    let one = |number: u64| {
        let frames = (0..3).map(|n| (n * 20, vec![number as u8; 40])).collect();
        let at = BEGIN + number as i64 * 60;
        let fragment = Fragment { number, server_ms: at, producer_ms: at, frames };
        [head(&fragment, &track).unwrap(), tail(0, &number.to_string()).unwrap()].concat()
    };
    let seed = [vec![200], one(1), one(2)].concat();
    std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fuzz/corpus/mkv/pcm"), seed).unwrap();
}
