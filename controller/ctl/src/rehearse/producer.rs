//! The speaker as a producer of a KVS stream: 20 ms of sound every 20 ms, silence included, as Opus in fragments of a second.

use super::microphone::{Feed, encoder};
use super::mkv::{FRAME_MS, fragment};
use super::record::{Event, SpeakerEvent};
use super::stream::Line;
use crate::store;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Length of a fragment: the shortest that the service wants.
pub const FRAGMENT: Duration = Duration::from_secs(1);
/// Time between two frames.
const TICK: Duration = Duration::from_millis(FRAME_MS.unsigned_abs() as u64);
/// Frames of a fragment.
const FRAMES: usize = (FRAGMENT.as_millis() / TICK.as_millis()) as usize;
/// Largest Opus packet that is asked for, bytes.
const PACKET: usize = 1_275;

/// Runs until the speaker is gone or nobody listens to the events.
pub async fn run(
    speech: Vec<i16>,
    line: Line,
    speak: watch::Receiver<bool>,
    mut gone: watch::Receiver<bool>,
    events: mpsc::UnboundedSender<Event>,
) {
    let (fragments, to_send) = mpsc::unbounded_channel();
    tokio::select! {
        () = speak_on(speech, speak, &fragments, &events) => {}
        () = deliver(line, to_send, &events) => {}
        () = async { drop(gone.wait_for(|gone| *gone).await) } => {}
    }
}

/// Makes fragments in real time.
async fn speak_on(
    speech: Vec<i16>,
    mut speak: watch::Receiver<bool>,
    fragments: &mpsc::UnboundedSender<Vec<u8>>,
    events: &mpsc::UnboundedSender<Event>,
) {
    let trouble = |text: String| drop(events.send(Event::Trouble(text)));
    let mut encoder = match encoder() {
        Ok(encoder) => encoder,
        Err(e) => return trouble(format!("the Opus encoder cannot be made: {e}")),
    };
    let mut feed = Feed::new(speech);
    let (mut frames, mut begin_ms) = (Vec::with_capacity(FRAMES), store::now().0.unsigned_abs());
    // Deadlines come from the first tick, so a late wake-up is made up for and nothing drifts.
    let mut tick = tokio::time::interval(TICK);
    while !events.is_closed() {
        tick.tick().await;
        if *speak.borrow_and_update() {
            feed.speak();
        }
        let frame = feed.frame();
        if frame.begins {
            let _ = events.send(Event::Speaker(SpeakerEvent::SpeechBegan));
        }
        match encoder.encode_vec(&frame.pcm, PACKET) {
            Ok(packet) => frames.push(packet),
            Err(e) => return trouble(format!("the Opus encoder fails: {e}")),
        }
        if frames.len() == FRAMES {
            match fragment(begin_ms, &frames) {
                Ok(document) => drop(fragments.send(document)),
                Err(e) => return trouble(format!("a fragment cannot be written: {e}")),
            }
            frames.clear();
            begin_ms += u64::try_from(FRAGMENT.as_millis()).unwrap_or(0);
        }
        if frame.ends {
            let _ = events.send(Event::Speaker(SpeakerEvent::SpeechEnded));
        }
    }
}

/// Sends them, one after the other.
async fn deliver(line: Line, mut fragments: mpsc::UnboundedReceiver<Vec<u8>>, events: &mpsc::UnboundedSender<Event>) {
    let mut sent = false;
    while let Some(document) = fragments.recv().await {
        match line.put(document).await {
            Ok(()) if std::mem::replace(&mut sent, true) => {}
            Ok(()) => drop(events.send(Event::Speaker(SpeakerEvent::Connected))),
            Err(trouble) => drop(events.send(Event::Trouble(trouble))),
        }
    }
}
