//! Streams: opened when somebody listens, renewed without losing or doubling a word.

use crate::world::{Talk, World, config, language};
use schemas::reason::Cause;
use schemas::worker::{Desired, Rung};
use worker_core::EngineConfig;
use worker_core::config::{CarriedOptions, ListenPolicy};
use worker_core::input::StreamEnd;

/// A session with one listener in the speaker's language, up to so long after the talk.
fn heard(talk: Talk, prepare: impl FnOnce(&mut World)) -> World {
    let end = talk.end_ms() + 6_000;
    let mut world = World::new(talk);
    world.listener("ann", "en");
    prepare(&mut world);
    world.run_until(end);
    world.check_contract();
    world
}

#[test]
fn clean_close_while_live_reconnects() {
    let world = heard(Talk::long(6), |w| w.at(9_000, |w| w.recogniser.cut(StreamEnd::Clean, w.now)));
    assert_eq!(world.recogniser.opened.len(), 2);
    assert_eq!(world.seat("ann").text(), world.speaker.talk.text());
}

#[test]
fn no_audio_is_lost_or_duplicated_across_reconnect() {
    for cut in (3_000..12_000).step_by(170) {
        let world = heard(Talk::long(4), |w| {
            w.at(cut, |w| w.recogniser.cut(StreamEnd::Fault("reset".into()), w.now));
        });
        assert_eq!(world.seat("ann").text(), world.speaker.talk.text(), "cut at {cut}");
    }
}

#[test]
fn a_recogniser_that_tells_its_words_too_late_or_too_early_loses_none_at_a_reconnect() {
    for shift_ms in [-150, 150] {
        for cut in (3_000..12_000).step_by(430) {
            let world = heard(Talk::long(4), |w| {
                w.recogniser.shift_ms = shift_ms;
                w.at(cut, |w| w.recogniser.cut(StreamEnd::Fault("reset".into()), w.now));
            });
            assert_eq!(world.seat("ann").text(), world.speaker.talk.text(), "{shift_ms} ms, cut at {cut}");
        }
    }
}

#[test]
fn an_outage_of_seconds_loses_no_word_and_is_told() {
    let world = heard(Talk::long(8), |w| {
        w.recogniser.refuses = vec![(9_000, 17_000, StreamEnd::Fault("unavailable".into()))];
        w.at(9_000, |w| w.recogniser.cut(StreamEnd::Fault("unavailable".into()), w.now));
    });
    assert_eq!(world.seat("ann").text(), world.speaker.talk.text());
    let opened = world.recogniser.opened.len();
    assert!((3..=10).contains(&opened), "retries wait: {opened}");
    let rungs: Vec<Rung> = world.writes.iter().map(|(_, w)| w.status.rung).collect();
    assert!(rungs.contains(&Rung::Paused) && rungs.last() == Some(&Rung::Full));
}

#[test]
fn amen_amen_stays_two() {
    let world = heard(Talk::of(&["amen", "amen", "amen amen"]), |w| {
        w.at(3_000, |w| w.recogniser.cut(StreamEnd::Clean, w.now));
    });
    assert_eq!(world.seat("ann").text(), "amen amen amen amen");
}

#[test]
fn nobody_listens_nobody_pays() {
    let mut world = World::new(Talk::long(5));
    world.run_until(20_000);
    assert_eq!((world.wanted("OpenStream"), world.wanted("SendAudio")), (0, 0));
}

#[test]
fn a_config_that_always_listens_pays_always() {
    let mut world = World::with(EngineConfig { listen: ListenPolicy::Always, ..config() }, Talk::long(5));
    world.run_until(20_000);
    assert!(world.recogniser.heard_ms > 15_000);
}

#[test]
fn the_first_listener_gets_the_sentence_that_is_being_spoken() {
    let mut world = World::new(Talk::long(4));
    world.at(6_000, |w| {
        w.listener("ann", "en");
    });
    world.run_until(30_000);
    world.check_contract();
    let text = world.seat("ann").text();
    assert!(text.starts_with("w1x0 ") || text.starts_with("w0x"), "pre-roll of three seconds: {text}");
    assert!(text.ends_with("w3x7"));
}

#[test]
fn the_stream_ends_when_the_last_listener_has_gone() {
    let mut world = World::new(Talk::long(40));
    world.listener("ann", "en");
    world.at(10_000, |w| w.seats.get_mut("ann").unwrap().listed = false);
    world.run_until(120_000);
    assert_eq!(world.wanted("EndStream"), 1);
    let heard = world.recogniser.heard_ms;
    assert!((70_000..80_000).contains(&heard), "it lingers for a minute, and no longer: {heard}");
}

#[test]
fn a_listener_who_comes_back_within_a_minute_finds_the_stream_open_and_has_missed_no_final() {
    let mut world = World::new(Talk::long(20));
    world.listener("ann", "en");
    world.at(10_000, |w| w.seats.get_mut("ann").unwrap().listed = false);
    world.at(22_000, |w| {
        w.listener("bob", "en");
    });
    world.run_until(100_000);
    world.check_contract();
    assert_eq!((world.recogniser.opened.len(), world.wanted("EndStream")), (1, 0));
    let bob = world.seat("bob").finals();
    assert_eq!(bob.iter().filter(|c| c.catch_up).count(), 2, "the last sentences at once");
    assert!(bob.last().unwrap().text.ends_with("w19x7"));
}

#[test]
fn pause_transcribes_nothing() {
    let mut world = World::new(Talk::long(12));
    world.listener("ann", "en");
    world.at(10_000, |w| w.desired = (Desired::Pause, Some(Cause::SessionPaused)));
    world.at(30_000, |w| w.desired = (Desired::Run, None));
    world.run_until(13_000);
    let before = world.wanted("SendAudio");
    world.run_until(30_000);
    assert_eq!(world.wanted("SendAudio"), before);
    world.run_until(60_000);
    world.check_contract();
    let words_in_pause =
        world.speaker.talk.words.iter().enumerate().filter(|(_, w)| w.start_ms > 13_000 && w.end_ms < 29_000);
    for (index, word) in words_in_pause {
        assert!(!world.recogniser.word_ms.contains_key(&(index as i16)), "{} was said in the pause", word.text);
    }
    assert!(world.seat("ann").text().ends_with("w11x7"));
}

#[test]
fn a_gap_in_rtp_does_not_kill_the_stream_and_is_not_sent_twice() {
    let mut world = World::new(Talk::long(1));
    world.listener("ann", "en");
    // No packets, and a peer that is not replaced: the world keeps the same connection.
    world.speaker.silent_line = vec![(6_000, 7_900)];
    world.run_until(12_000);
    let spoken_ms = 12_000 - world.begin_of_audio();
    assert_eq!(world.recogniser.opened.len(), 1);
    let heard = world.recogniser.heard_ms;
    assert!(heard.abs_diff(spoken_ms) < 900, "{heard} of {spoken_ms}");
}

#[test]
fn the_last_words_before_the_speaker_vanishes_become_final() {
    let mut world = World::new(Talk::of(&["these are the last words of all"]));
    world.listener("ann", "en");
    let spoken = world.speaker.talk.end_ms();
    world.speaker.present_until = spoken + 350;
    world.run_until(40_000);
    assert_eq!(world.seat("ann").text(), "these are the last words of all");
    assert!(world.recogniser.heard_ms < 40_000, "a speaker who is away is not paid for");
}

#[test]
fn words_keep_their_media_time_across_streams_and_gaps() {
    let world = heard(Talk::long(6), |w| {
        w.at(7_000, |w| w.recogniser.cut(StreamEnd::Clean, w.now));
    });
    let words = &world.speaker.talk.words;
    for (caption, sentence) in world.seat("ann").finals().iter().zip(words.chunks(8)) {
        assert!(caption.start_ms.abs_diff(sentence[0].start_ms) <= 20, "{} {}", caption.start_ms, sentence[0].start_ms);
        assert!(caption.end_ms.abs_diff(sentence[7].end_ms) <= 20);
    }
}

#[test]
fn no_language_and_no_listener_is_dropped_across_a_reconnect() {
    let languages =
        |w: &World| w.writes.last().map(|(_, write)| write.status.languages.keys().cloned().collect::<Vec<_>>());
    let mut world = World::new(Talk::long(8));
    for (name, spoken) in [("ann", "en"), ("eva", "es"), ("ugo", "it")] {
        world.listener(name, spoken);
    }
    world.run_until(8_000);
    let before = languages(&world);
    assert_eq!(before.as_ref().map(Vec::len), Some(3), "{before:?}");
    world.at(9_000, |w| w.recogniser.cut(StreamEnd::Fault("reset".into()), w.now));
    world.at(15_000, |w| w.recogniser.cut(StreamEnd::Clean, w.now));
    world.run_until(40_000);
    world.check_contract();
    assert_eq!(world.recogniser.opened.len(), 3);
    assert_eq!(languages(&world), before);
    let finals = |name: &str| world.seat(name).finals().len();
    assert!(finals("ann") >= 8);
    assert_eq!((finals("eva"), finals("ugo")), (finals("ann"), finals("ann")), "to the last sentence");
}

#[test]
fn a_change_of_the_speakers_language_brings_a_stream_in_that_language() {
    let mut world = World::new(Talk::long(8));
    world.listener("ann", "en");
    world.listener("eva", "es");
    world.at(10_000, |w| w.source = language("es"));
    world.run_until(40_000);
    world.check_contract();
    let languages: Vec<String> = world.recogniser.opened.iter().map(|(_, l)| l.to_string()).collect();
    assert_eq!(languages, ["en", "es"]);
    assert_eq!(world.seat("ann").finals().len(), world.seat("eva").finals().len());
    let last = world.seat("eva").finals().last().unwrap().text.clone();
    assert!(last.ends_with(" w7x7") && !last.contains("es:"), "now the original: {last}");
}

#[test]
fn a_speaker_who_returns_after_minutes_is_captioned_without_delay() {
    let mut world = World::new(Talk::long(70));
    world.listener("ann", "en");
    world.speaker.silent_line = vec![(10_000, 200_000)];
    world.run_until(290_000);
    world.check_contract();
    assert!(world.recogniser.heard_ms < 150_000, "the gap is not paid for: {}", world.recogniser.heard_ms);
    let lag = |c: &&schemas::message::Caption| c.lag_ms;
    let back: Vec<u64> = world.seat("ann").finals().iter().filter(|c| c.start_ms > 190_000).map(lag).collect();
    assert!(back.len() > 15 && back.iter().all(|ms| *ms < 1_500), "{back:?}");
}

fn renewing(every_ms: u64) -> EngineConfig {
    let mut config = config();
    config.timing.rotate_after_ms = every_ms;
    config
}

#[test]
fn a_stream_is_renewed_before_the_old_one_ends_and_no_word_waits_for_it() {
    let mut world = World::with(renewing(20_000), Talk::long(20));
    world.listener("ann", "en");
    world.run_until(90_000);
    world.check_contract();
    assert_eq!(world.seat("ann").text(), world.speaker.talk.text());
    assert!(world.recogniser.most_streams == 2, "make before break");
    assert!(world.recogniser.opened.len() >= 4);
    let worst = world.seat("ann").finals().iter().map(|c| c.lag_ms).max().unwrap();
    assert!(worst < 1_200, "{worst}");
    let twice = world.recogniser.word_ms.values().filter(|ms| **ms > 300).count();
    assert_eq!(twice, 0, "no audio is sent twice");
}

#[test]
fn a_renewal_that_fails_leaves_the_old_stream_as_it_was() {
    let mut world = World::with(renewing(20_000), Talk::long(12));
    world.listener("ann", "en");
    world.recogniser.refuses = vec![(15_000, 40_000, StreamEnd::LimitExceeded("25 streams".into()))];
    world.run_until(60_000);
    world.check_contract();
    assert_eq!(world.seat("ann").text(), world.speaker.talk.text());
    assert!(world.recogniser.opened.len() <= 3, "it is not tried again at once");
    assert!(world.writes.iter().all(|(_, w)| w.status.rung == Rung::Full), "nobody notices");
}

#[test]
fn a_renewal_that_is_cut_off_at_any_moment_loses_no_word() {
    for cut in (20_000..26_000).step_by(90) {
        let mut world = World::with(renewing(20_000), Talk::long(10));
        world.listener("ann", "en");
        world.at(cut, |w| w.recogniser.cut(StreamEnd::Fault("reset".into()), w.now));
        world.run_until(60_000);
        world.check_contract();
        assert_eq!(world.seat("ann").text(), world.speaker.talk.text(), "cut at {cut}");
    }
}

/// Sentences with a silence of so long after the first.
fn with_a_silence(ms: u64) -> Talk {
    let mut talk = Talk::long(8);
    for word in talk.words.iter_mut().skip(8) {
        (word.start_ms, word.end_ms) = (word.start_ms + ms, word.end_ms + ms);
    }
    talk
}

#[test]
fn a_long_silence_is_not_paid_for_and_the_first_syllable_after_it_is_heard() {
    let world = heard(with_a_silence(300_000), |_| {});
    assert_eq!(world.seat("ann").text(), world.speaker.talk.text());
    assert_eq!(world.recogniser.opened.len(), 2);
    assert!(world.recogniser.heard_ms < 80_000, "{}", world.recogniser.heard_ms);
    assert!(world.recogniser.word_ms.values().all(|ms| *ms == 300), "every word whole, and once");
    let worst = world.seat("ann").finals().iter().map(|c| c.lag_ms).max().unwrap();
    assert!(worst < 1_600, "the stream catches up: {worst}");
}

#[test]
fn a_short_silence_keeps_the_stream() {
    let world = heard(with_a_silence(20_000), |_| {});
    assert_eq!((world.recogniser.opened.len(), world.wanted("EndStream")), (1, 0));
}

#[test]
fn what_was_said_while_nobody_listened_is_not_heard_after_a_silence_either() {
    let mut world = World::new(with_a_silence(60_000));
    world.listener("ann", "en");
    world.at(50_000, |w| w.seats.get_mut("ann").unwrap().listed = false);
    world.at(90_000, |w| {
        w.listener("bob", "en");
    });
    world.run_until(120_000);
    let first = world.seat("bob").finals().iter().find(|c| !c.catch_up).map(|c| c.start_ms).unwrap_or_default();
    assert!(first > 80_000, "{first}");
}

#[test]
fn a_limit_of_streams_is_told_in_the_row() {
    let world = heard(Talk::long(8), |w| {
        w.recogniser.refuses = vec![(0, 14_000, StreamEnd::LimitExceeded("25 streams".into()))];
    });
    let told = world.writes.iter().find_map(|(_, w)| w.status.trouble.clone()).unwrap();
    assert_eq!(told.cause, Cause::TranscribeLimit);
    assert_eq!(world.writes.last().unwrap().1.status.trouble, None, "and when it is over");
}

#[test]
fn a_throttle_of_transcribe_is_told_as_one_and_not_as_full() {
    let world = heard(Talk::long(8), |w| {
        w.recogniser.refuses = vec![(0, 14_000, StreamEnd::Throttled("Rate exceeded".into()))];
    });
    let told = world.writes.iter().find_map(|(_, w)| w.status.trouble.clone()).unwrap();
    assert_eq!(told.cause, Cause::Throttled, "{}", told.text);
}

#[test]
fn a_quiet_worker_waits_for_nothing_however_long_the_silence_is() {
    let mut world = World::new(Talk::of(&["and so on", "amen amen", "amen amen"]));
    world.listener("ann", "en");
    world.listener("bea", "es");
    let end = world.speaker.talk.end_ms() + 300_000;
    world.run_until(end);
    world.check_contract();
    let waits = |status: &schemas::worker::WorkerStatus| {
        let waiting = &status.progress.waiting;
        [waiting.speech_since, waiting.transcript_since, waiting.caption_since].iter().any(Option::is_some)
    };
    let stuck: Vec<u64> =
        world.writes.iter().filter(|(at, w)| *at > end - 250_000 && waits(&w.status)).map(|(at, _)| *at).collect();
    assert_eq!(stuck, [0; 0], "nothing is pending, so nothing is stuck");
}

/// The same as [`heard`], of a session that asks for a vocabulary.
fn heard_with_options(talk: Talk, prepare: impl FnOnce(&mut World)) -> World {
    let end = talk.end_ms() + 6_000;
    let mut world = World::with(EngineConfig { stream_options: CarriedOptions::All, ..config() }, talk);
    world.listener("ann", "en");
    prepare(&mut world);
    world.run_until(end);
    world.check_contract();
    world
}

#[test]
fn a_vocabulary_that_does_not_exist_costs_no_word_and_is_told_in_the_row() {
    let world = heard_with_options(Talk::long(6), |w| w.recogniser.vocabulary_is_unknown = true);
    assert_eq!(world.seat("ann").text(), world.speaker.talk.text());
    assert_eq!(world.recogniser.options, [CarriedOptions::All, CarriedOptions::Plain], "and it is not asked for again");
    let notes = &world.writes.last().unwrap().1.status.notes;
    assert!(notes.len() == 1 && notes[0].contains("the vocabulary does not exist"), "{notes:?}");
}

#[test]
fn a_refusal_that_has_nothing_to_do_with_the_wishes_does_not_cost_them() {
    let world = heard_with_options(Talk::long(8), |w| {
        w.recogniser.refuses = vec![(0, 4_000, StreamEnd::Refused("access denied".into()))];
    });
    assert_eq!(world.recogniser.options[..2], [CarriedOptions::All, CarriedOptions::Plain]);
    assert_eq!(world.recogniser.options.last(), Some(&CarriedOptions::All));
    assert_eq!(world.writes.last().unwrap().1.status.notes, [""; 0]);
}

#[test]
fn a_stream_that_is_refused_after_it_gave_results_costs_no_option_of_the_session() {
    let world = heard_with_options(Talk::long(6), |w| {
        let refused = StreamEnd::Refused("Could not decode the audio stream that you provided.".into());
        w.at(9_000, |w| w.recogniser.cut(refused, w.now));
    });
    assert_eq!(world.seat("ann").text(), world.speaker.talk.text());
    assert_eq!(
        world.recogniser.options,
        [CarriedOptions::All, CarriedOptions::All],
        "the next stream asks for them again"
    );
    let notes = |(_, w): &(u64, worker_core::output::StatusWrite)| w.status.notes.is_empty();
    assert!(world.writes.iter().all(notes), "and nobody reads that they were refused");
}

#[test]
fn a_stream_that_says_nothing_is_replaced_and_no_word_is_lost() {
    let world = heard(Talk::long(10), |w| w.recogniser.mute = Some((9_000, 22_000)));
    assert_eq!(world.seat("ann").text(), world.speaker.talk.text());
    assert_eq!(world.recogniser.opened.len(), 2);
}

#[test]
fn a_speaker_who_is_never_understood_does_not_cost_a_stream_every_few_seconds() {
    let mut world = World::new(Talk::long(200));
    world.listener("ann", "en");
    world.recogniser.mute = Some((0, u64::MAX));
    world.run_until(600_000);
    let opened = world.recogniser.opened.len();
    assert!((4..=18).contains(&opened), "a try in three quarters of a minute, but {opened} in ten minutes");
}

#[test]
fn silence_is_no_reason_to_replace_a_stream() {
    let mut world = World::new(Talk::of(&["good morning"]));
    world.listener("ann", "en");
    world.run_until(25_000);
    assert_eq!(world.recogniser.opened.len(), 1);
}
