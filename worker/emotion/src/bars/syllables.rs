use super::fixtures::{utterances, welcome, welcome_syllables};
use super::{events, frames};
use crate::{Analyzer, Config, Event, Origin};
use schemas::voice::{RateBasis, RateClass};

/// Syllables per second of one recording as a segment.
fn rate(pcm: &[i16]) -> f64 {
    let mut analyzer = Analyzer::new(Config::default());
    analyzer.push(0, pcm, Origin::Received);
    analyzer.segment(1, 0, pcm.len() as u64 / 16);
    analyzer.flush();
    let segment = std::iter::from_fn(|| analyzer.poll()).find_map(|event| match event {
        Event::Segment { reading, .. } => reading.rate,
        Event::Second(_) | Event::Quality(_) => None,
    });
    segment.unwrap().syllables_per_second.unwrap()
}

/// Mean absolute error, %; the correlation with the truth is printed only, for the rates of a voice lie close together.
fn agreement(name: &str, pairs: &[(f64, f64)]) -> f64 {
    let count = pairs.len() as f64;
    let error = pairs.iter().map(|(is, truth)| 100.0 * (is / truth - 1.0).abs()).sum::<f64>() / count;
    let bias = pairs.iter().map(|(is, truth)| 100.0 * (is / truth - 1.0)).sum::<f64>() / count;
    let mean = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / count;
    let (mx, my) = (mean(|p| p.0), mean(|p| p.1));
    let sum = |of: &dyn Fn(f64, f64) -> f64| pairs.iter().map(|(x, y)| of(x - mx, y - my)).sum::<f64>();
    let r = sum(&|x, y| x * y) / (sum(&|x, _| x * x) * sum(&|_, y| y * y)).sqrt();
    println!("{name}: syllable rate off by {error:.1} % (bias {bias:+.1} %), r {r:.3}, {count} utterances");
    error
}

fn of(kind: &str) -> Vec<(f64, f64)> {
    let truth = |syllables: u32, ms: u32| f64::from(syllables) * 1_000.0 / f64::from(ms);
    utterances(kind).iter().map(|u| (rate(&u.pcm), truth(u.syllables, u.speech_ms))).collect()
}

/// The sentences of the demo's recording, cut in the middle of the pauses between them.
fn sentences() -> Vec<Vec<i16>> {
    let pcm = welcome();
    let quiet: Vec<bool> = pcm.chunks(160).map(|hop| hop.iter().all(|x| x.unsigned_abs() < 20)).collect();
    let mut cuts = vec![0];
    let mut run = 0;
    for (n, is_quiet) in quiet.iter().enumerate() {
        run = if *is_quiet { run + 1 } else { 0 };
        if run == 65 && n > 100 {
            cuts.push(n * 160 - 4_800);
        }
    }
    cuts.windows(2).map(|cut| pcm[cut[0]..cut[1]].to_vec()).collect()
}

#[test]
fn the_syllable_rate_of_espeak_is_right_to_a_twelfth() {
    let error = agreement("espeak", &of("espeak"));
    assert!(error <= 8.0, "{error}");
}

#[test]
fn the_syllable_rate_of_flite_is_right_to_a_sixth() {
    let mut pairs = of("flite-slt");
    let sentences = sentences();
    assert_eq!(sentences.len(), 10, "one cut after each sentence");
    for (pcm, (syllables, ms)) in sentences.iter().zip(welcome_syllables()) {
        pairs.push((rate(pcm), f64::from(syllables) * 1_000.0 / f64::from(ms)));
    }
    let error = agreement("flite", &pairs);
    assert!(error <= 17.0, "{error}");
}

#[test]
fn reported_words_give_the_rate_by_words() {
    let pcm = welcome();
    let mut analyzer = Analyzer::new(Config::default());
    analyzer.push(0, &pcm[..64_000], Origin::Received);
    (0..8).for_each(|n| analyzer.word(300 + n * 300, 600 + n * 300));
    analyzer.segment(9, 300, 2_700);
    let reading = std::iter::from_fn(|| analyzer.poll()).find_map(|event| match event {
        Event::Segment { id: 9, reading } => Some(reading),
        Event::Segment { .. } | Event::Second(_) | Event::Quality(_) => None,
    });
    let rate = reading.unwrap().rate.unwrap();
    assert_eq!(rate.wpm, Some(200.0));
    assert_eq!((rate.classification, rate.basis), (RateClass::VeryFast, RateBasis::Words));
}

#[test]
fn every_second_of_clear_speech_has_a_rate() {
    let pcm = welcome();
    assert!(frames(&pcm[..160_000]).iter().any(|f| f.is_voiced()));
    let all = events(&pcm, 320, Config::default());
    let seconds = super::seconds(&all);
    assert!(seconds.iter().filter(|r| r.rate.is_some()).count() * 10 >= seconds.len() * 9);
}
