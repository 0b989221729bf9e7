use super::fixtures::{utterances, welcome};
use super::{events, seconds};
use crate::{Analyzer, Config, Event, Origin};

#[test]
fn the_first_reading_comes_soon_after_speech_begins_and_each_soon_after_its_second() {
    let (mut first, mut late) = (0, 0);
    for utterance in utterances("flite-slt").iter().chain(&utterances("espeak")) {
        let onset = utterance.pcm.iter().position(|x| x.unsigned_abs() > 200).unwrap() as u64 / 16;
        let mut analyzer = Analyzer::new(Config::default());
        let mut count = 0;
        for (n, piece) in (0_u64..).zip(utterance.pcm.chunks(320)) {
            analyzer.push(n * 20, piece, Origin::Received);
            for event in std::iter::from_fn(|| analyzer.poll()) {
                let now = n * 20 + 20;
                if let Event::Second(reading) = event {
                    first = if count == 0 { first.max(now - onset) } else { first };
                    late = late.max(now - reading.end_ms);
                    count += 1;
                }
            }
        }
        assert!(count >= 2);
    }
    println!("first reading {first} ms after onset at most, each {late} ms after its second at most");
    assert!(first <= 1_200 && late <= 150, "{first} {late}");
}

#[test]
fn what_was_concealed_is_not_measured_as_speech() {
    let pcm = welcome();
    let mut analyzer = Analyzer::new(Config::default());
    for (n, piece) in (0_u64..).zip(pcm[..320_000].chunks(320)) {
        // All of it sounds like speech; from 5 to 9 s the decoder made it up.
        let origin = if (250..450).contains(&n) { Origin::Concealed } else { Origin::Received };
        analyzer.push(n * 20, piece, origin);
    }
    analyzer.segment(1, 5_000, 9_000);
    let events: Vec<_> = std::iter::from_fn(|| analyzer.poll()).collect();
    let segment = events.iter().find_map(|e| if let Event::Segment { reading, .. } = e { Some(reading) } else { None });
    let segment = segment.unwrap();
    assert_eq!((segment.speech_ms, segment.volume, segment.arousal, segment.pitch), (0, None, None, None));
    assert!(seconds(&events).iter().all(|r| r.end_ms <= 6_000 || r.start_ms >= 9_000), "no second of it");
    let quality = events.iter().filter_map(|e| if let Event::Quality(q) = e { Some(q) } else { None });
    assert_eq!(quality.filter(|q| q.received_ms == 0).count(), 4);
}

#[test]
fn one_lost_packet_costs_a_tenth_of_a_second_and_no_more() {
    let pcm = welcome();
    let speech = |lost: Option<u64>| {
        let mut analyzer = Analyzer::new(Config::default());
        for (n, piece) in (0_u64..).zip(pcm[..160_000].chunks(320)) {
            let (piece, origin) =
                if lost == Some(n) { (&[0; 320][..], Origin::Concealed) } else { (piece, Origin::Received) };
            analyzer.push(n * 20, piece, origin);
        }
        analyzer.history().between(0, u64::MAX).filter(|f| f.is_speech()).count()
    };
    let cost = speech(None) - speech(Some(80));
    assert!((2..=10).contains(&cost), "{cost} frames");
}

#[test]
fn a_segment_that_is_reported_before_its_audio_is_answered_after_it_and_one_long_gone_without_measurements() {
    let pcm = welcome();
    let mut analyzer = Analyzer::new(Config::default());
    analyzer.segment(5, 0, 3_000);
    analyzer.push(0, &pcm[..32_000], Origin::Received);
    let segments = |analyzer: &mut Analyzer| {
        std::iter::from_fn(|| analyzer.poll())
            .filter_map(|e| if let Event::Segment { id, reading } = e { Some((id, reading)) } else { None })
            .collect::<Vec<_>>()
    };
    assert_eq!(segments(&mut analyzer), []);
    analyzer.push(2_000, &pcm[32_000..64_000], Origin::Received);
    let answered = segments(&mut analyzer);
    assert!(answered.len() == 1 && answered[0].0 == 5 && answered[0].1.speech_ms > 1_500);
    analyzer.push(1_000_000, &pcm[..64_000], Origin::Received);
    analyzer.segment(6, 0, 3_000);
    let answered = segments(&mut analyzer);
    assert!(answered.len() == 1 && answered[0].1.speech_ms == 0 && answered[0].1.volume.is_none());
}

#[test]
fn a_reading_of_every_second_of_speech_and_quality_of_every_second() {
    let events = events(&welcome(), 320, Config::default());
    let speech: u64 = seconds(&events).iter().map(|r| r.speech_ms).sum();
    let quality: Vec<_> =
        events.iter().filter_map(|e| if let Event::Quality(q) = e { Some(q) } else { None }).collect();
    let heard: u64 = quality.iter().map(|q| q.speech_ms).sum();
    assert!(speech * 100 >= heard * 97 && heard > 30_000, "{speech} of {heard}");
    assert!(quality.windows(2).all(|q| q[0].end_ms == q[1].start_ms) && quality.len() >= 47);
}
