//! What hearing costs, without a network, a recogniser or listeners: `cargo run --release -p worker --example ingest -- PATH MINUTES`, where PATH is
//! `rtp` (RTP to PCM), `stream` (Matroska of GetMedia to PCM, writing it included), `session` (RTP to captions with
//! services that answer at once) or `none` (only what all of them begin with). Under `valgrind --tool=callgrind` the same counts instructions.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement for people")]

#[path = "../tests/endless/mod.rs"]
mod endless;

use endless::{Rtp, Stream, Whole, speech};
use worker::io::resources::measure;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap_or_else(|| "rtp".into());
    let minutes: u64 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(60);
    let mut minute: Box<dyn FnMut()> = match path.as_str() {
        "rtp" => {
            let mut rtp = Rtp::new(speech());
            Box::new(move || rtp.minute(|_, _| ()))
        }
        "stream" => {
            let mut stream = Stream::new(&speech());
            Box::new(move || (0..30).for_each(|_| stream.step(|_, _| ())))
        }
        "session" => {
            let mut whole = Whole::new(speech());
            Box::new(move || whole.minute())
        }
        "none" => {
            drop(speech());
            Box::new(|| ())
        }
        other => panic!("{other}: rtp, stream, session or none"),
    };
    let begin = measure().cpu_ms;
    for n in 1..=minutes {
        minute();
        if n % 10 == 0 || n == minutes {
            let now = measure();
            let per_minute = (now.cpu_ms - begin) as f64 / n as f64;
            println!(
                "{path}: {n} min of audio, {per_minute:.1} ms of processor time per minute, peak {} KiB",
                now.peak_memory_bytes / 1_024
            );
        }
    }
}
