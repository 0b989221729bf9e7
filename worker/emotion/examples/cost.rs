//! What the whole analysis of a recording costs: `cost FILE.wav [MINUTES]` (16 kHz, 16 bit, mono), pushed in pieces of 20 ms.
//! Prints the processor time per minute of audio when the system tells it (`/proc/self/stat`), and what was found.

use std::error::Error;
use worker_emotion::{Analyzer, Config, Event, Origin};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or("usage: cost FILE.wav [MINUTES]")?;
    let minutes: usize = args.next().map_or(Ok(1), |n| n.parse())?;
    let pcm = hound::WavReader::open(path)?.into_samples::<i16>().collect::<Result<Vec<_>, _>>()?;
    let pieces = minutes * 3_000;
    let mut analyzer = Analyzer::new(Config::default());
    let (mut seconds, mut speech_ms) = (0, 0);
    let before = cpu_ms();
    let pcm = &pcm[..pcm.len() / 320 * 320];
    for (n, piece) in pcm.chunks_exact(320).cycle().take(pieces).enumerate() {
        analyzer.push(n as u64 * 20, piece, Origin::Received);
        while let Some(event) = analyzer.poll() {
            match event {
                Event::Second(reading) => {
                    seconds += 1;
                    speech_ms += reading.speech_ms;
                }
                Event::Segment { .. } | Event::Quality(_) => {}
            }
        }
    }
    let cost = cpu_ms().zip(before).map(|(after, before)| (after - before) / minutes as f64);
    report(minutes, seconds, speech_ms, cost);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "an example is for reading")]
fn report(minutes: usize, seconds: usize, speech_ms: u64, cost: Option<f64>) {
    println!("{minutes} min of audio: {seconds} readings, {speech_ms} ms of speech");
    if let Some(cost) = cost {
        println!("processor time per minute of audio: {cost:.1} ms");
    }
}

/// Processor time of this process so far, ms, in steps of 10.
#[expect(clippy::disallowed_methods, reason = "an example is a shell")]
fn cpu_ms() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    Some(ticks * 10.0)
}
