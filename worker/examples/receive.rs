//! The worker's own ears and nothing else, as a process: WebRTC, jitter buffer and Opus to 16 kHz PCM, for comparison with others that do this job.
//!
//! `cargo run --release -p worker --example receive` prints one line, `{"offer": SDP}`, and takes one, `{"answer": SDP}`. When its standard
//! input ends, it prints what it heard: `{"samples": …, "packets": …, "lost": …}`. `scripts/bench/benches/ingest.py` runs and measures it.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement")]

use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use worker::io::peer::{Peer, PeerMessage};
use worker::media::AudioReceiver;
use worker_core::input::PeerEvent;
use worker_core::time::MediaInstant;

/// As the worker's own main: one thread.
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (report, mut messages) = mpsc::unbounded_channel();
    let told = move |message| drop(report.send(message));
    let peer = Peer::start(IpAddr::V4(Ipv4Addr::LOCALHOST), 43_000..=43_999, async { Vec::new() }, told);
    let mut answers = answers();
    let mut ears = Ears { receiver: AudioReceiver::new().unwrap(), zero: Instant::now(), samples: 0 };
    loop {
        tokio::select! {
            Some(message) = messages.recv() => match message {
                PeerMessage::Event(PeerEvent::OfferReady(sdp)) => println!("{}", json!({ "offer": sdp })),
                PeerMessage::Rtp(packet) => {
                    ears.receiver.push(&packet, ears.now());
                    ears.hear();
                }
                PeerMessage::Event(_) | PeerMessage::Path(_) => {}
            },
            () = ears.due() => ears.hear(),
            answer = answers.recv() => match answer {
                Some(sdp) => peer.answer(sdp),
                None => break,
            },
        }
    }
    peer.close().await;
    let media = ears.receiver.media();
    println!("{}", json!({ "samples": ears.samples, "packets": media.packets, "lost": media.lost }));
}

/// The answers from standard input; closed when that ends.
fn answers() -> mpsc::UnboundedReceiver<String> {
    let (lines, answers) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            let said: Value = serde_json::from_str(&line).unwrap();
            drop(lines.send(said["answer"].as_str().unwrap().to_owned()));
        }
    });
    answers
}

/// The jitter buffer with the decoder, and the clock that it goes by.
struct Ears {
    receiver: AudioReceiver,
    zero: Instant,
    samples: usize,
}

impl Ears {
    fn now(&self) -> MediaInstant {
        MediaInstant(self.zero.elapsed().as_millis() as u64)
    }

    /// Comes back when the buffer wants to be asked.
    async fn due(&self) {
        match self.receiver.deadline() {
            Some(at) => tokio::time::sleep_until((self.zero + Duration::from_millis(at.0)).into()).await,
            None => std::future::pending().await,
        }
    }

    fn hear(&mut self) {
        let now = self.now();
        while let Some(frame) = self.receiver.poll(now) {
            self.samples += frame.pcm.len();
        }
    }
}
