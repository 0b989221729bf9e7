//! How often a voice that speaks as usual is called something else: `neutral FILE.wav …` (16 kHz, 16 bit, mono), each a speaker of its own.
//! Prints, per file, the seconds after the usual voice is known, how many of them are not called neutral, and how far the voice is from usual.

use schemas::voice::Category;
use std::error::Error;
use worker_emotion::{Analyzer, Config, Event, Origin};

fn main() -> Result<(), Box<dyn Error>> {
    for path in std::env::args().skip(1) {
        let pcm = hound::WavReader::open(&path)?.into_samples::<i16>().collect::<Result<Vec<_>, _>>()?;
        let mut analyzer = Analyzer::new(Config::default());
        let (mut judged, mut other) = (0_u32, 0_u32);
        let mut values = Vec::new();
        for (at_ms, piece) in (0..).step_by(20).zip(pcm.chunks_exact(320)) {
            analyzer.push(at_ms, piece, Origin::Received);
            while let Some(event) = analyzer.poll() {
                match event {
                    Event::Second(reading) if !reading.flags.baseline_warming => {
                        judged += 1;
                        other += u32::from(reading.category != Category::Neutral);
                        values.extend(reading.arousal.map(|arousal| arousal.value));
                    }
                    Event::Second(_) | Event::Segment { .. } | Event::Quality(_) => {}
                }
            }
        }
        report(&path, judged, other, &mut values);
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "an example is for reading")]
fn report(path: &str, judged: u32, other: u32, values: &mut [f64]) {
    values.sort_by(f64::total_cmp);
    let at = |share: usize| values.get(values.len() * share / 100).copied().unwrap_or(0.5);
    let share = 100.0 * f64::from(other) / f64::from(judged.max(1));
    println!(
        "{path}: {other} of {judged} seconds are not called neutral ({share:.1} %); arousal p5 {:.2}, p50 {:.2}, p95 {:.2}",
        at(5),
        at(50),
        at(95)
    );
}
