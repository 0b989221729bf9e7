//! What sending audio to Transcribe costs in processor time, by the length of an audio event: the real client (it signs each event)
//! against a server on loopback that swallows everything, at twenty times real time. Only the worker's thread counts, and of
//! several rounds the least, so that other work on the machine does not.
//!
//! `cargo run --release -p worker --example chunk_cost -- 5` (rounds; 3 s for each length)
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods, missing_docs, reason = "a bench")]

use aws_credential_types::Credentials;
use schemas::ids::Language;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;
use tokio::sync::mpsc;
use worker::io::{aws, transcribe};
use worker_core::input::{StreamEnd, TranscribeEvent};

const AUDIO_MS: u64 = 60_000;
const FASTER: u64 = 20;
const LENGTHS_MS: [u64; 5] = [50, 80, 100, 150, 200];

/// Accepts streams, and ends each cleanly when its audio ends.
fn swallow() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            std::thread::spawn(move || stream(socket.unwrap()));
        }
    });
    address
}

fn stream(mut socket: TcpStream) {
    let mut held = Vec::new();
    let mut chunk = [0; 65_536];
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut answered = false;
    while let Ok(count @ 1..) = socket.read(&mut chunk) {
        held.extend_from_slice(&chunk[..count]);
        if !answered && held.windows(4).any(|window| window == b"\r\n\r\n") {
            socket.write_all(head.as_bytes()).unwrap();
            answered = true;
        }
        if held.ends_with(b"\r\n0\r\n\r\n") {
            socket.write_all(b"0\r\n\r\n").unwrap();
            return;
        }
        let kept = held.len().saturating_sub(16);
        if answered {
            held.drain(..kept);
        }
    }
}

/// Processor time of this thread, ns.
fn spent() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse().unwrap()
}

/// A minute of audio in events of this length; the processor time that it took, ns.
async fn minute(sdk: &aws_config::SdkConfig, chunk_ms: u64) -> u64 {
    let (events, mut inbox) = mpsc::unbounded_channel();
    let report = move |event| drop(events.send(event));
    let mut stream = transcribe::open(sdk, &Language::try_new("en").unwrap(), transcribe::Options::default(), report);
    assert_eq!(inbox.recv().await, Some(TranscribeEvent::Opened));
    let mut pace = tokio::time::interval(Duration::from_micros(chunk_ms * 1_000 / FASTER));
    let begun = spent();
    for _ in 0..AUDIO_MS / chunk_ms {
        pace.tick().await;
        stream.send(vec![1_000; usize::try_from(chunk_ms * 16).unwrap()]).unwrap();
    }
    stream.end();
    assert_eq!(inbox.recv().await, Some(TranscribeEvent::Closed(StreamEnd::Clean)));
    spent() - begun
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let rounds: usize = std::env::args().nth(1).map_or(3, |text| text.parse().unwrap());
    let sdk = aws_config::defaults(aws_config::BehaviorVersion::latest())
        .credentials_provider(Credentials::new("id", "secret", None, None, "bench"))
        .region("us-east-1")
        .endpoint_url(format!("http://{}", swallow()))
        .http_client(aws::http_client())
        .load()
        .await;
    let mut least = LENGTHS_MS.map(|_| u64::MAX);
    for _ in 0..rounds {
        for (least, chunk_ms) in least.iter_mut().zip(LENGTHS_MS) {
            *least = (*least).min(minute(&sdk, chunk_ms).await);
        }
    }
    println!("| chunk, ms | processor ms per minute of audio | to 100 ms |\n|---|---|---|");
    for (ns, chunk_ms) in least.iter().zip(LENGTHS_MS) {
        println!("| {chunk_ms} | {:.1} | {:.2} |", *ns as f64 / 1e6, *ns as f64 / least[2] as f64);
    }
}
