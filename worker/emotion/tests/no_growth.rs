//! Memory is fixed from the start, however long the talk.

use cap::Cap;
use std::alloc::System;
use worker_emotion::{Analyzer, Config, Event, Origin};

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

#[test]
fn an_hour_of_talk_allocates_nothing_after_its_beginning() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../samples/welcome.wav");
    let pcm: Vec<i16> = hound::WavReader::open(path).unwrap().into_samples().map(Result::unwrap).collect();
    let pcm = &pcm[..pcm.len() / 320 * 320];
    let mut analyzer = Analyzer::new(Config::default());
    let (mut at_ms, mut seconds, mut segments) = (0, 0, 0);
    let mut before = None;
    for minute in 0..75 {
        for (n, piece) in pcm.chunks(320).enumerate() {
            let origin = if n % 97 == 0 { Origin::Concealed } else { Origin::Received };
            analyzer.push(at_ms, piece, origin);
            at_ms += 20;
            if n % 20 == 0 {
                analyzer.word(at_ms.saturating_sub(300), at_ms);
            }
            if n % 200 == 0 {
                analyzer.segment(n as u64, at_ms.saturating_sub(4_000), at_ms);
            }
            while let Some(event) = analyzer.poll() {
                match event {
                    Event::Second(_) => seconds += 1,
                    Event::Segment { .. } => segments += 1,
                    Event::Quality(_) => {}
                }
            }
        }
        if minute == 0 {
            before = Some(MEMORY.allocated());
        }
    }
    println!("{} bytes after {} min, {seconds} readings, {segments} segments", MEMORY.allocated(), at_ms / 60_000);
    assert_eq!(Some(MEMORY.allocated()), before);
    assert!(at_ms > 3_500_000 && seconds > 2_000 && segments > 800);
}
