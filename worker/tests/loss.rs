//! Speech through a network that loses, delays, reorders and doubles, at full speed and from a seed: what comes out is as long as what went in,
//! sounds like it, and what was made up is reported. `cargo test -p worker --release --test loss -- --ignored --nocapture` prints the table of docs/benchmarks.md.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod lossy;

use bytes::Bytes;
use local_stack::network::Network;
use lossy::{Heard, carry, encode, hear, send, speech};
use schemas::worker::Media;
use worker::media::packet::has_fec;

/// Pearson correlation of what was heard with what was said, at the codec's delay.
fn correlation(said: &[i16], heard: &[i16]) -> f64 {
    let at = |delay: usize| {
        let pairs = said.iter().take(10 * 16_000).zip(&heard[delay..]).map(|(a, b)| (f64::from(*a), f64::from(*b)));
        let (xy, xx, yy) = pairs.fold((0.0, 0.0, 0.0), |(xy, xx, yy), (a, b)| (xy + a * b, xx + a * a, yy + b * b));
        xy / f64::sqrt(xx * yy)
    };
    (0..200).step_by(2).map(at).fold(0.0, f64::max)
}

struct Row {
    heard: Heard,
    dropped: u64,
    correlation: f64,
}

/// With RED or with Opus alone.
fn run(speech: &[i16], packets: &[Bytes], (network, red): (Network, bool), seed: u64) -> Row {
    let (arrivals, dropped) = carry(&send(packets, red), network, seed);
    let heard = hear(&arrivals);
    let (said_ms, heard_ms) = (speech.len() as i64 / 16, heard.pcm.len() as i64 / 16);
    assert!((said_ms - heard_ms).abs() <= 20, "{said_ms} ms were said, {heard_ms} ms were heard");
    assert_eq!(heard.media.media_ms, heard_ms as u64);
    assert_eq!(heard.media.concealed_ms, heard.concealed_ms, "what was made up is reported");
    let correlation = correlation(speech, &heard.pcm);
    Row { heard, dropped, correlation }
}

/// So much is enough for a test; the table takes all.
fn begin(speech: &[i16]) -> &[i16] {
    &speech[..speech.len().min(10 * 16_000)]
}

#[test]
fn without_loss_nothing_is_made_up() {
    let speech = speech();
    let speech = begin(&speech);
    let row = run(speech, &encode(speech), (Network::default(), false), 1);
    assert_eq!((row.heard.media.lost, row.heard.concealed_ms), (0, 0));
    assert!(row.correlation > 0.85, "{}", row.correlation);
}

#[test]
fn loss_is_counted_as_it_was_and_red_hides_nearly_all_of_it() {
    let speech = speech();
    let speech = begin(&speech);
    let packets = encode(speech);
    for (loss, seed) in [(0.05, 2), (0.1, 3), (0.2, 4)] {
        let fec = run(speech, &packets, (Network { loss, burst: 1, ..Network::default() }, false), seed);
        let red = run(speech, &packets, (Network { loss, burst: 1, ..Network::default() }, true), seed);
        for row in [&fec, &red] {
            let media = &row.heard.media;
            assert_eq!(media.lost, row.dropped);
            assert_eq!(media.fec_recovered + media.red_recovered + media.concealed_ms / 20, row.dropped);
        }
        let share = |row: &Row| row.heard.concealed_ms as f64 / (row.heard.pcm.len() as f64 / 16.0);
        assert!(share(&fec) < loss * 0.6, "{}", share(&fec));
        assert!(share(&red) < loss * loss * 1.5, "{}", share(&red));
        assert!(red.correlation > 0.8, "{}", red.correlation);
    }
}

/// How much is to be made up with Opus alone: a packet whose next one is lost too, or holds no copy of it, is nowhere.
#[test]
fn opus_alone_gives_back_every_lost_packet_of_which_a_copy_came() {
    let speech = speech();
    let packets = encode(&speech);
    for (burst, seed) in [(1, 7), (3, 8)] {
        let network = Network { loss: 0.2, burst, ..Network::default() };
        let sent = send(&packets, false);
        let (arrivals, dropped) = carry(&sent, network, seed);
        let came = |n: usize| arrivals.iter().any(|(_, packet)| packet.sequence == sent[n].sequence);
        let copied = (1..sent.len()).filter(|n| !came(n - 1) && came(*n) && has_fec(&sent[*n].payload)).count() as u64;
        let media = hear(&arrivals).media;
        assert_eq!(media.fec_recovered, copied, "of {dropped} in bursts of {burst}");
        assert_eq!(media.concealed_ms, (dropped - copied) * 20);
    }
}

#[test]
fn bursts_jitter_and_duplicates_leave_the_length_exact() {
    let speech = speech();
    let speech = begin(&speech);
    let packets = encode(speech);
    let burst = run(speech, &packets, (Network { loss: 0.1, burst: 3, ..Network::default() }, true), 5);
    assert_eq!(burst.heard.media.lost, burst.dropped);
    // 15 ms reorder nothing; 50 ms reorder up to three packets, within the hold; 200 ms are more than the hold allows.
    for (jitter_ms, most_share) in [(15.0, 0.0), (50.0, 0.02), (200.0, 0.7)] {
        let row = run(speech, &packets, (Network { jitter_ms, doubled: 0.1, ..Network::default() }, true), 6);
        let share = row.heard.concealed_ms as f64 * 16.0 / row.heard.pcm.len() as f64;
        assert!(share <= most_share, "{jitter_ms} ms: {share} {:?}", row.heard.media);
        assert!(row.heard.media.duplicates + row.heard.media.late > 0);
    }
}

#[test]
fn a_browser_without_red_on_a_path_of_200_ms_jitter_has_less_than_3_percent_made_up_and_with_red_no_more_delay() {
    let speech = speech();
    let packets = encode(&speech);
    let network = Network { jitter_ms: 200.0, doubled: 0.1, ..Network::default() };
    for seed in [42, 43, 44] {
        let plain = run(&speech, &packets, (network, false), seed);
        let share = plain.heard.concealed_ms as f64 * 16.0 / plain.heard.pcm.len() as f64;
        assert!(share < 0.03, "{share} {:?}", plain.heard.media);
        let red = run(&speech, &packets, (network, true), seed);
        assert!(red.heard.media.buffer_ms <= 60.0, "{:?}", red.heard.media);
    }
}

#[test]
#[ignore = "prints the table of docs/benchmarks.md"]
#[allow(clippy::print_stdout, reason = "it prints a table")]
fn table() {
    let speech = speech();
    let packets = encode(&speech);
    println!(
        "| network | dropped | RED | FEC | made up | share | correlation | mean wait |\n|---|---|---|---|---|---|---|---|"
    );
    let loss = |loss, burst, red| (Network { loss, burst, ..Network::default() }, red);
    let jitter = |jitter_ms, red| (Network { jitter_ms, doubled: 0.1, ..Network::default() }, red);
    let cases = [
        ("no loss", loss(0.0, 1, false)),
        ("5 %, Opus", loss(0.05, 1, false)),
        ("5 %, RED", loss(0.05, 1, true)),
        ("10 %, Opus", loss(0.1, 1, false)),
        ("10 %, RED", loss(0.1, 1, true)),
        ("20 %, Opus", loss(0.2, 1, false)),
        ("20 %, RED", loss(0.2, 1, true)),
        ("10 % in bursts of 3, Opus", loss(0.1, 3, false)),
        ("10 % in bursts of 3, RED", loss(0.1, 3, true)),
        ("20 % in bursts of 3, Opus", loss(0.2, 3, false)),
        ("20 % in bursts of 3, RED", loss(0.2, 3, true)),
        ("jitter 50 ms, 10 % doubled, RED", jitter(50.0, true)),
        ("jitter 200 ms, 10 % doubled, Opus", jitter(200.0, false)),
        ("jitter 200 ms, 10 % doubled, RED", jitter(200.0, true)),
    ];
    for (name, network) in cases {
        let Row { heard, dropped, correlation } = run(&speech, &packets, network, 42);
        let share = heard.concealed_ms as f64 * 1_600.0 / heard.pcm.len() as f64;
        let Media { red_recovered, fec_recovered, buffer_ms, .. } = heard.media;
        println!(
            "| {name} | {dropped} | {red_recovered} | {fec_recovered} | {} ms | {share:.2} % | {correlation:.3} | {buffer_ms:.0} ms |",
            heard.concealed_ms
        );
    }
}
