use super::fixtures::welcome;
use super::noise::{rms, with_noise};
use super::{events, gained, to_f64, to_i16};
use crate::{Config, Event, Quality};

fn qualities(pcm: &[i16]) -> Vec<Quality> {
    events(pcm, 320, Config::default())
        .into_iter()
        .filter_map(|e| if let Event::Quality(q) = e { Some(q) } else { None })
        .collect()
}

#[test]
fn the_noise_ratio_is_right_to_three_decibels() {
    let clean: Vec<f64> = to_f64(&welcome()).iter().map(|x| x * 0.4).collect();
    // Against the speech alone, without the pauses in which there is none.
    let loud: Vec<f64> = clean.chunks(160).filter(|hop| rms(hop) > 0.004).flatten().copied().collect();
    let correction = 20.0 * (rms(&loud) / rms(&clean)).log10();
    for snr in [30.0, 20.0, 10.0, 5.0] {
        let last = *qualities(&to_i16(&with_noise(&clean, snr, 11))).last().unwrap();
        let (is, should) = (last.snr_db.unwrap(), snr + correction);
        println!("SNR {should:.1} dB is estimated as {is:.1} dB");
        assert!((is - should).abs() <= 3.0, "{is} {should}");
    }
}

#[test]
fn an_echo_is_found_with_its_level_and_none_where_there_is_none() {
    let clean: Vec<f64> = to_f64(&welcome()).iter().map(|x| x * 0.5).collect();
    for (delay_ms, db) in [(80, -12.0), (200, -10.0), (330, -6.0)] {
        let gain = 10.0_f64.powf(db / 20.0);
        let delayed = |n: usize| n.checked_sub(delay_ms * 16).map_or(0.0, |n| clean[n] * gain);
        let pcm: Vec<f64> = clean.iter().enumerate().map(|(n, x)| x + delayed(n)).collect();
        let echo = qualities(&to_i16(&pcm)).last().unwrap().echo_db.unwrap();
        println!("an echo of {db} dB after {delay_ms} ms is measured as {echo:.1} dB");
        assert!((echo - db).abs() <= 3.0, "{echo} {db}");
    }
    let most = qualities(&to_i16(&clean)).iter().filter_map(|q| q.echo_db).fold(-99.0, f64::max);
    println!("without an echo: {most:.1} dB at most");
    assert!(most < -18.0, "{most}");
}

#[test]
fn clipping_is_counted_and_silence_is_timed() {
    let clean = qualities(&welcome()[..160_000]);
    assert!(clean.iter().all(|q| q.clipped_share < 0.001));
    let clipped = qualities(&gained(&welcome()[..160_000], 14.0));
    assert!(clipped.iter().any(|q| q.clipped_share > 0.01));
    let silence = qualities(&[3; 16_000 * 8]);
    assert_eq!(silence.iter().map(|q| q.silent_ms).max(), Some(8_000));
    assert!(clean.iter().all(|q| q.silent_ms <= 1_000));
}
