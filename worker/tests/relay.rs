//! Speech from the rehearsal's speaker to the viewer through a relay of real sockets that loses, delays, reorders and doubles RTP, from a seed.
//! `cargo test -p worker --test relay -- --ignored --nocapture` prints the table of docs/benchmarks.md.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a relay needs two of the rehearsal's events")]

mod dice;
mod viewer;

use dice::{Dice, Network};
use local_stack::kvs::Limits;
use sessionctl::rehearse::record::{Event, SpeakerEvent};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::UdpSocket;
use viewer::sound::{correlation, speech};
use viewer::{Service, Viewer};

/// What the relay saw.
#[derive(Debug, Default)]
struct Tap {
    network: Network,
    dropped: u64,
    doubled: u64,
    /// RTP timestamps of the first and the newest packet that were passed on.
    first: Option<u32>,
    newest: Option<u32>,
    /// Where the viewer is.
    viewer: Option<SocketAddr>,
    speaker: Option<SocketAddr>,
}

/// Between the speaker, who takes it for the viewer, and the viewer.
#[derive(Clone)]
struct Relay {
    tap: Arc<Mutex<Tap>>,
    port: u16,
}

impl Relay {
    async fn start(seed: u64) -> Self {
        let (front, back) =
            (UdpSocket::bind("127.0.0.1:0").await.unwrap(), UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let relay = Self { tap: Arc::default(), port: front.local_addr().unwrap().port() };
        tokio::spawn(relay.clone().run(Arc::new(front), Arc::new(back), Dice(seed)));
        relay
    }

    /// The offer with the relay in the place of the viewer.
    fn rewrite(&self, sdp: &str) -> String {
        let mut lines = Vec::new();
        for line in sdp.lines() {
            let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            if line.starts_with("a=candidate:") {
                let viewer = SocketAddr::new(words[4].parse().unwrap(), words[5].parse().unwrap());
                self.tap.lock().unwrap().viewer = Some(viewer);
                words[5] = self.port.to_string();
            }
            lines.push(words.join(" "));
        }
        lines.join("\r\n") + "\r\n"
    }

    async fn run(self, front: Arc<UdpSocket>, back: Arc<UdpSocket>, mut dice: Dice) {
        let (mut from_speaker, mut from_viewer, mut burst) = ([0; 2_048], [0; 2_048], 0);
        loop {
            tokio::select! {
                Ok((length, speaker)) = front.recv_from(&mut from_speaker) => {
                    let packet = &from_speaker[..length];
                    let copies = self.judge(packet, speaker, &mut dice, &mut burst);
                    let Some(viewer) = self.tap.lock().unwrap().viewer else { continue };
                    for delay in copies {
                        let (back, packet) = (back.clone(), packet.to_vec());
                        if delay.is_zero() {
                            let _ = back.send_to(&packet, viewer).await;
                            continue;
                        }
                        tokio::spawn(async move {
                            tokio::time::sleep(delay).await;
                            let _ = back.send_to(&packet, viewer).await;
                        });
                    }
                }
                Ok((length, _)) = back.recv_from(&mut from_viewer) => {
                    let speaker = self.tap.lock().unwrap().speaker;
                    if let Some(speaker) = speaker {
                        let _ = front.send_to(&from_viewer[..length], speaker).await;
                    }
                }
            }
        }
    }

    /// After how long each copy of a packet is passed on; ICE, DTLS and RTCP pass at once.
    fn judge(&self, packet: &[u8], speaker: SocketAddr, dice: &mut Dice, burst: &mut u32) -> Vec<Duration> {
        let mut tap = self.tap.lock().unwrap();
        tap.speaker = Some(speaker);
        // RFC 7983 and RFC 5761.
        let is_rtp = (128..192).contains(&packet[0]) && !(192..224).contains(&packet[1]) && packet.len() >= 12;
        if !is_rtp {
            return vec![Duration::ZERO];
        }
        let network = tap.network;
        if network.loses(dice, burst) {
            tap.dropped += 1;
            return Vec::new();
        }
        let timestamp = u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
        tap.first.get_or_insert(timestamp);
        tap.newest = Some(timestamp);
        let mut late = || Duration::from_secs_f64(network.late_ms(dice) / 1_000.0);
        let mut copies = vec![late()];
        if network.doubled > 0.0 {
            let again = late();
            if dice.roll() < network.doubled {
                tap.doubled += 1;
                copies.push(again);
            }
        }
        copies
    }
}

/// What came of it.
struct Row {
    dropped: u64,
    media: schemas::worker::Media,
    /// Length of what was said, by the speaker's RTP clock, and of what was heard, ms.
    said_ms: i64,
    heard_ms: i64,
    correlation: f64,
}

/// Speech of so many seconds through such a network.
async fn run(seconds: usize, network: Network, seed: u64) -> Row {
    let (speech, said) = speech(seconds);

    let service = Service::start(Limits::default()).await;
    let relay = Relay::start(seed).await;
    let mut viewer = Viewer::start(&service, 8_000).await;
    let rewriting = relay.clone();
    viewer.rewrite = Box::new(move |sdp| rewriting.rewrite(&sdp));
    let mut tab = service.tab(speech, false).await;
    viewer.until("the audio flows", |seen| seen.flows()).await;
    relay.tap.lock().unwrap().network = network;
    tab.speak.send_replace(true);
    let mut at = None;
    viewer
        .until("all is said", |seen| {
            while let Ok(event) = tab.events.try_recv() {
                match event {
                    Event::Speaker(SpeakerEvent::SpeechBegan) => at = Some(seen.pcm.len()),
                    Event::Speaker(SpeakerEvent::SpeechEnded) => return true,
                    _other => {}
                }
            }
            false
        })
        .await;
    // The rest comes without trouble, so that the end is known exactly.
    relay.tap.lock().unwrap().network = Network::default();
    viewer.live(Duration::from_millis(500)).await;
    tab.close().await;
    viewer.live(Duration::from_millis(300)).await;
    let media = viewer.media();
    assert_eq!(media.concealed_ms, viewer.seen.made_up as u64 / 16, "what was made up is reported");
    assert_eq!(viewer.seen.peers, 1);
    let correlation = correlation(&said, &viewer.seen.pcm, at.unwrap());
    let heard_ms = viewer.seen.pcm.len() as i64 / 16;
    viewer.finish().await;
    let tap = relay.tap.lock().unwrap();
    let said_ms = i64::from(tap.newest.unwrap().wrapping_sub(tap.first.unwrap())) / 48 + 20;
    assert_eq!(media.media_ms as i64, heard_ms);
    assert!((said_ms - heard_ms).abs() <= 20, "{said_ms} ms were said, {heard_ms} ms were heard: {media:?}");
    Row { dropped: tap.dropped, media, said_ms, heard_ms, correlation }
}

#[tokio::test]
async fn a_fifth_of_the_packets_is_lost_and_the_length_stays_exact() {
    let row = run(5, Network { loss: 0.2, ..Network::default() }, 42).await;
    assert!(row.dropped > 20, "the relay loses: {}", row.dropped);
    assert_eq!(row.media.lost, row.dropped, "what was lost is reported");
    let recovered = row.media.red_recovered + row.media.fec_recovered;
    assert_eq!(recovered + row.media.concealed_ms / 20, row.dropped, "and so is what became of it: {:?}", row.media);
    assert!(row.correlation > 0.75, "{}", row.correlation);
}

#[tokio::test]
async fn packets_that_are_late_doubled_and_out_of_order_leave_the_length_exact() {
    let row = run(5, Network { loss: 0.05, burst: 3, jitter_ms: 200.0, doubled: 0.1, ..Network::default() }, 43).await;
    assert!(row.media.duplicates + row.media.late > 0 && row.media.jitter_ms > 10.0, "{:?}", row.media);
    assert!(row.correlation > 0.5, "{}", row.correlation);
}

#[tokio::test]
#[ignore = "prints the table of docs/benchmarks.md; four minutes"]
#[allow(clippy::print_stdout, reason = "it prints a table")]
async fn table() {
    println!(
        "| network | dropped | lost | RED | FEC | made up | jitter | wait | length said / heard | correlation |\n|---|---|---|---|---|---|---|---|---|---|"
    );
    let loss = |loss, burst| Network { loss, burst, ..Network::default() };
    let cases = [
        ("no loss", loss(0.0, 1)),
        ("5 %", loss(0.05, 1)),
        ("10 %", loss(0.1, 1)),
        ("20 %", loss(0.2, 1)),
        ("10 % in bursts of 3", loss(0.1, 3)),
        ("20 % in bursts of 3", loss(0.2, 3)),
        ("jitter 50 ms, 10 % doubled", Network { jitter_ms: 50.0, doubled: 0.1, ..Network::default() }),
        ("jitter 200 ms, 10 % doubled", Network { jitter_ms: 200.0, doubled: 0.1, ..Network::default() }),
        (
            "10 % in bursts of 3, jitter 200 ms, 10 % doubled",
            Network { loss: 0.1, burst: 3, jitter_ms: 200.0, doubled: 0.1, ..Network::default() },
        ),
    ];
    for (name, network) in cases {
        let Row { dropped, media, said_ms, heard_ms, correlation } = run(14, network, 42).await;
        println!(
            "| {name} | {dropped} | {} | {} | {} | {} ms | {:.0} ms | {:.0} ms | {said_ms} / {heard_ms} ms | {correlation:.3} |",
            media.lost, media.red_recovered, media.fec_recovered, media.concealed_ms, media.jitter_ms, media.buffer_ms
        );
    }
}
