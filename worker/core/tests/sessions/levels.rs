//! The gate before real speech at any level over any sound; the whole table is `make bench ARGS=hearing-levels`.

use crate::world::hall::{Case, Outcome, bill_s};
use crate::world::sounds::Sound;

/// The outcome of each case, of which none but first sentences may be missed.
fn none_is_missed(cases: impl Iterator<Item = Case>) -> Vec<Outcome> {
    let outcomes: Vec<(Case, Outcome)> = cases.map(|case| (case, case.run())).collect();
    let missed: Vec<_> = outcomes.iter().filter(|(_, outcome)| outcome.missed > 0).collect();
    assert!(missed.is_empty(), "{missed:#?}");
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

fn over(sound: Sound) {
    let levels = [(-70.0, 0.0), (-70.0, 20.0), (-55.0, 10.0), (-40.0, 0.0), (-20.0, 0.0), (-20.0, 20.0)];
    none_is_missed(levels.into_iter().map(|(dbfs, snr_db)| Case { sound, dbfs, snr_db, pause_s: 70 }));
}

#[test]
fn speech_at_any_level_over_pink_noise_is_heard_after_a_pause() {
    over(Sound::Pink);
}

#[test]
fn speech_at_any_level_over_hum_is_heard_after_a_pause() {
    over(Sound::Hum);
}

#[test]
fn speech_at_any_level_over_music_is_heard_after_a_pause() {
    over(Sound::Music);
}

#[test]
fn speech_at_any_level_over_applause_is_heard_after_a_pause() {
    over(Sound::Applause);
}

#[test]
fn loud_speech_over_music_twenty_decibels_below_is_heard_after_three_minutes() {
    let case = Case { sound: Sound::Music, dbfs: -20.0, snr_db: 20.0, pause_s: 180 };
    let outcomes = none_is_missed([case].into_iter());
    assert_eq!(outcomes[0].first_missed, 0, "{outcomes:?}");
}

#[test]
fn what_is_said_wholly_while_a_vain_try_rests_is_heard() {
    // The pauses end anywhere between two tries of the music.
    let pauses = (108..=160).step_by(8);
    none_is_missed(pauses.map(|pause_s| Case { sound: Sound::Music, dbfs: -30.0, snr_db: 0.0, pause_s }));
}

/// What ten minutes of this sound cost after the last word of a talk.
fn ten_minutes_cost(sound: Sound, dbfs: f64, most_s: u64) {
    let billed_s = bill_s(sound, dbfs, 600);
    assert!((90..=most_s).contains(&billed_s), "{} at {dbfs} dBFS: {billed_s} s of ten minutes", sound.name());
}

#[test]
fn noise_is_paid_for_a_quarter_of_the_time_beside_the_first_two_minutes() {
    ten_minutes_cost(Sound::Pink, -72.0, 120 + 480 / 4);
    ten_minutes_cost(Sound::Applause, -25.0, 120 + 480 / 4);
}

#[test]
fn what_sounds_like_a_voice_is_paid_for_four_tenths_of_the_time_beside_the_first_two_minutes() {
    // A detector that begins in the middle of a hum takes it for a voice now and then.
    ten_minutes_cost(Sound::Hum, -50.0, 120 + 480 * 4 / 10);
    ten_minutes_cost(Sound::Music, -25.0, 120 + 480 * 4 / 10);
}
