//! Two hours of a session in seconds: what is held at the end is what was held when everything that has a bound had reached it. The bytes are
//! counted, not estimated; those of libopus, which takes all that it needs when it is made, are not among them.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod endless;

use cap::Cap;
use endless::{Stream, Whole, nothing};
use std::alloc::System;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use worker::io::peer::{Peer, PeerMessage};
use worker_core::input::PeerEvent;

#[global_allocator]
static HELD: Cap<System> = Cap::new(System, usize::MAX);

/// Counted are the bytes of the whole process: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

const MINUTES: usize = 120;
/// The translations that are remembered, 1,024 of them, are complete after 34 minutes here, the lags of the percentiles after 28.
const WARM: usize = 40;
/// What may be held more at the end: five bytes of each sentence that was said and translated in between, or a hundredth of a byte of each packet.
const SLACK: usize = 6 << 10;

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Most that is held in the last ten minutes, above the most of the first ten after warming up.
fn growth(what: &str, mut minute: impl FnMut()) -> usize {
    let mut most = [0; MINUTES];
    for held in &mut most {
        minute();
        *held = HELD.allocated();
    }
    let tens: Vec<usize> = most.chunks(10).map(|ten| ten.iter().copied().max().unwrap_or(0)).collect();
    println!(
        "{what}: most held in each ten minutes, KiB: {:?}",
        tens.iter().map(|bytes| bytes >> 10).collect::<Vec<_>>()
    );
    tens[tens.len() - 1].saturating_sub(tens[WARM / 10])
}

#[test]
fn over_rtp_a_session_of_two_hours_holds_no_more_than_one_of_forty_minutes() {
    let _alone = alone();
    let mut whole = Whole::new(vec![nothing()]);
    let grown = growth("RTP and engine", || whole.minute());
    let media = whole.rtp.receiver.media();
    assert_eq!(
        media.media_ms.abs_diff(MINUTES as u64 * 60_000) / 100,
        0,
        "media time is that of the RTP clock: {media:?}"
    );
    assert!(media.lost > 6_000 && whole.session.finals >= 1_700, "it was a bad network and a long talk: {media:?}");
    assert!(whole.session.posts > 30 * whole.session.finals, "everybody got every caption");
    assert!(grown < SLACK, "{grown} bytes more are held");
}

#[test]
fn on_a_stream_a_session_of_two_hours_holds_no_more_than_one_of_forty_minutes() {
    let _alone = alone();
    let mut stream = Stream::new(&[nothing()]);
    let mut heard = 0;
    let grown = growth("stream", || (0..30).for_each(|_| stream.step(|frame, _| heard += frame.pcm.len())));
    assert!(heard.abs_diff(MINUTES * 960_000) <= 32_000, "{heard} samples");
    assert!(grown < SLACK, "{grown} bytes more are held");
}

#[test]
fn eight_bytes_kept_of_every_sentence_would_be_seen() {
    let _alone = alone();
    let (mut kept, mut minutes) = (Vec::with_capacity(8), 0);
    let grown = growth("eight bytes of each of fifteen sentences", || {
        minutes += 1;
        kept.extend((0..15).map(|n| Box::new(minutes * 15 + n)));
    });
    assert!(grown > SLACK, "{grown}");
}

/// A peer that makes its offer and is closed.
async fn offer_and_close() {
    let (said, mut messages) = tokio::sync::mpsc::unbounded_channel();
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let peer = Peer::start(loopback, 46_000..=46_099, async { Vec::new() }, move |message| drop(said.send(message)));
    let first = messages.recv().await;
    assert!(matches!(first, Some(PeerMessage::Event(PeerEvent::OfferReady(_)))), "{first:?}");
    peer.close().await;
}

#[test]
fn three_hundred_peers_that_made_an_offer_and_were_closed_leave_nothing_behind() {
    let _alone = alone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut held = Vec::new();
    for _tenth in 0..10 {
        (0..30).for_each(|_| runtime.block_on(offer_and_close()));
        held.push(HELD.allocated());
    }
    println!("peers: held after each thirty, KiB: {:?}", held.iter().map(|bytes| bytes >> 10).collect::<Vec<_>>());
    let grown = held[9].saturating_sub(held[1]);
    assert!(grown < SLACK, "{grown} bytes more are held after 240 peers");
}
