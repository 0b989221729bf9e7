//! Speech from the rehearsal's speaker to the viewer through the local stack's relay of real sockets, which loses, delays, reorders and doubles RTP, from a seed.
//! `cargo test -p worker --test connections relay -- --ignored --nocapture` prints the table of docs/benchmarks.md.
#![allow(clippy::wildcard_enum_match_arm, reason = "a relay needs two of the rehearsal's events")]

use crate::viewer::sound::{correlation, speech};
use crate::viewer::{Service, Viewer};
use local_stack::kvs::Limits;
use local_stack::network::{Network, Roads, Seen};
use sessionctl::rehearse::record::{Event, SpeakerEvent};
use std::sync::Arc;
use std::time::Duration;

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

    let roads = Arc::new(Roads::new(seed));
    let service = Service::start_behind(Limits::default(), Some(roads.clone())).await;
    let mut viewer = Viewer::start(&service, 8_000).await;
    let mut tab = service.tab(speech, false).await;
    viewer.until("the audio flows", |seen| seen.flows()).await;
    roads.set(network);
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
    roads.set(Network::default());
    viewer.live(Duration::from_millis(500)).await;
    tab.close().await;
    viewer.live(Duration::from_millis(300)).await;
    let media = viewer.media();
    assert_eq!(media.concealed_ms, viewer.seen.made_up as u64 / 16, "what was made up is reported");
    assert_eq!(viewer.seen.peers, 1);
    let correlation = correlation(&said, &viewer.seen.pcm, at.unwrap());
    let heard_ms = viewer.seen.pcm.len() as i64 / 16;
    viewer.finish().await;
    let Seen { dropped, stamps, .. } = *roads.told().seen.values().next().unwrap();
    let (first, newest) = stamps.unwrap();
    let said_ms = i64::from(newest.wrapping_sub(first)) / 48 + 20;
    assert_eq!(media.media_ms as i64, heard_ms);
    assert!((said_ms - heard_ms).abs() <= 20, "{said_ms} ms were said, {heard_ms} ms were heard: {media:?}");
    Row { dropped, media, said_ms, heard_ms, correlation }
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
    let row = run(5, Network { loss: 0.05, burst: 3, jitter_ms: 200.0, doubled: 0.1 }, 43).await;
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
            Network { loss: 0.1, burst: 3, jitter_ms: 200.0, doubled: 0.1 },
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
