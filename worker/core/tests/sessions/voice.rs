//! How something was said, and how good the speaker's microphone is.

use crate::world::{Talk, World, with_voice};
use schemas::ids::ConnectionId;
use schemas::message::{Emotion, Message};
use schemas::speaker::ToSpeaker;
use schemas::voice::{AudioIssue, Category, CategorySource, Judgement, RateBasis};
use schemas::worker::Desired;
use worker_core::config::{EmotionMode, ModelSetting};
use worker_core::{Affect, EngineConfig};

/// The sample's speech: 14 s of one voice.
fn speech() -> Vec<i16> {
    let wav = include_bytes!("../../../../samples/short.wav");
    wav[44..].chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect()
}

fn world(mode: EmotionMode, voice: Vec<i16>) -> World {
    let config = EngineConfig { emotion: mode, ..with_voice() };
    let mut world = World::with(config, Talk { voice: Some(voice), ..Talk::default() });
    world.listener("ann", "en");
    world.speakers_line.in_row = ConnectionId::try_new("speaker=").ok();
    world
}

fn emotions(world: &World) -> Vec<(u64, Emotion)> {
    let emotion = |(at, message): &(u64, Message)| match message {
        Message::Emotion(emotion) => Some((*at, emotion.clone())),
        Message::Transcription(_) | Message::CaptionStatus(_) | Message::SessionEnded(_) => None,
    };
    world.seats["ann"].received.iter().filter_map(emotion).collect()
}

/// What the speaker was warned of, and when.
fn warnings(world: &World) -> Vec<(u64, AudioIssue)> {
    let warning = |(at, message): &(u64, ToSpeaker)| match message {
        ToSpeaker::AudioQualityWarning(warning) => Some((*at, warning.issue)),
        ToSpeaker::SpeakerNotice(_) => None,
    };
    world.speakers_line.received.iter().filter_map(warning).collect()
}

fn last_row(world: &World) -> serde_json::Value {
    serde_json::to_value(&world.writes.last().unwrap().1.status).unwrap()
}

#[test]
fn every_final_is_followed_by_how_it_was_said_once() {
    let mut world = World::with(with_voice(), Talk::long(4));
    world.listener("ann", "en");
    world.run_until(30_000);
    let all = emotions(&world).into_iter().map(|(_, e)| e);
    let of_segments: Vec<Emotion> = all.filter(|e| e.segment_id.is_some()).collect();
    let segments: Vec<&str> = of_segments.iter().filter_map(|e| e.segment_id.as_deref()).collect();
    assert_eq!(segments, ["1-1", "1-2", "1-3", "1-4"]);
    let rate = of_segments[0].voice.rate.unwrap();
    assert_eq!(rate.basis, RateBasis::Words);
    assert!((rate.wpm.unwrap() - 155.0).abs() < 6.0, "{rate:?}");
    let received = &world.seat("ann").received;
    for segment in segments {
        let caption = received
            .iter()
            .position(|(_, m)| matches!(m, Message::Transcription(c) if c.is_final && c.segment_id == segment));
        let emotion = received
            .iter()
            .position(|(_, m)| matches!(m, Message::Emotion(e) if e.segment_id.as_deref() == Some(segment)));
        assert!(caption.unwrap() < emotion.unwrap(), "{segment}");
    }
}

#[test]
fn a_speaker_is_measured_once_a_second_and_no_word_about_the_person_is_said_by_default() {
    let mut world = world(with_voice().emotion, speech());
    world.run_until(40_000);
    let told = emotions(&world);
    assert!((15..=40).contains(&told.len()), "{} in 40 s with pauses", told.len());
    for pair in told.windows(2) {
        assert!(pair[1].1.voice.end_ms >= pair[0].1.voice.end_ms + 1_000, "one a second: {pair:?}");
    }
    let mut everything: Vec<serde_json::Value> = told.iter().map(|(_, e)| serde_json::to_value(e).unwrap()).collect();
    assert!(everything.iter().filter(|e| e["pitch"]["hz"].is_number()).count() > 10);
    everything.push(last_row(&world)["voice"].clone());
    for told in everything {
        for judgement in ["arousal", "valence", "category", "categorySource", "categoryConfidence", "intensity"] {
            assert!(told.as_object().unwrap()[judgement].is_null(), "{judgement}: {told}");
        }
    }
    assert!(world.facts.iter().all(|(_, fact)| !fact.detail.contains("arousal")), "nor in the log");
}

#[test]
fn a_second_is_told_at_once() {
    let mut world = world(EmotionMode::Acoustic, speech());
    world.run_until(20_000);
    let first_packet = world.begin_of_audio();
    for (at, emotion) in emotions(&world) {
        let late = at - first_packet - emotion.voice.end_ms;
        assert!(late <= 150 + 30, "{late} ms after its end, of which 30 are the post's");
    }
}

#[test]
fn the_mode_emotion_judges_and_the_mode_off_tells_nothing() {
    let mut judging = world(EmotionMode::Emotion, speech());
    judging.run_until(20_000);
    let (_, last) = emotions(&judging).pop().unwrap();
    assert!(last.voice.arousal.is_some() && last.voice.category.is_some() && last.voice.valence.is_none());
    assert!(last_row(&judging)["voice"]["category"].is_string());
    let mut silent = world(EmotionMode::Off, speech());
    silent.run_until(20_000);
    assert!(emotions(&silent).is_empty() && last_row(&silent)["voice"].is_null());
    assert!(last_row(&silent)["audioQuality"].is_object(), "the microphone is watched all the same");
}

#[test]
fn a_muted_microphone_is_told_once_a_minute_and_not_in_a_pause() {
    let mut world = world(EmotionMode::Acoustic, vec![0; 16_000]);
    world.at(40_000, |w| w.desired.0 = Desired::Pause);
    world.at(150_000, |w| w.desired.0 = Desired::Run);
    world.run_until(170_000);
    let told = warnings(&world);
    assert!(told.iter().all(|(_, issue)| *issue == AudioIssue::Silence), "{told:?}");
    let at: Vec<u64> = told.iter().map(|(at, _)| *at).collect();
    assert_eq!(at.len(), 2, "{at:?}");
    assert!(at[0] < 10_000 && (155_000..160_000).contains(&at[1]), "five seconds after the pause: {at:?}");
    assert_eq!(last_row(&world)["audioQuality"]["warnings"]["silence"], 2);
}

#[test]
fn nothing_of_the_voice_is_told_in_a_pause() {
    let mut world = world(EmotionMode::Emotion, speech());
    world.at(15_000, |w| w.desired.0 = Desired::Pause);
    world.run_until(40_000);
    let after: Vec<u64> = emotions(&world).iter().map(|(at, _)| *at).filter(|at| *at > 18_000).collect();
    assert_eq!(after, [0; 0]);
}

/// Four segments with a model that is wholly sure of anger.
fn with_model(mode: EmotionMode, model: fn(usize) -> (u64, Result<Affect, String>)) -> World {
    let setting = Some(ModelSetting { name: "mine.onnx".into(), longest_ms: 2_000 });
    let mut world = World::with(EngineConfig { emotion: mode, model: setting, ..with_voice() }, voiced(4));
    world.model = model;
    world.listener("ann", "en");
    world.run_until(40_000);
    world
}

/// Words for the recogniser, in the sound of a voice.
fn voiced(segments: usize) -> Talk {
    Talk { under: Some(speech()), ..Talk::long(segments) }
}

fn angry() -> Result<Affect, String> {
    let valence = Some(Judgement { value: -0.5, confidence: 0.5 });
    Ok(Affect { valence, category: Some((Category::Angry, 0.9)) })
}

/// Of each message of a segment: which, when, and what the category was told from.
fn of_segments(world: &World) -> Vec<(String, u64, Option<CategorySource>)> {
    let of = |(at, e): (u64, Emotion)| Some((e.segment_id?, at, e.voice.category_source));
    emotions(world).into_iter().filter_map(of).collect()
}

#[test]
fn a_model_never_holds_up_the_facts_and_what_it_says_follows_as_a_second_message_of_the_segment() {
    let without = with_model(EmotionMode::Emotion, |_| (0, Ok(Affect::default())));
    let with = with_model(EmotionMode::Emotion, |ms| {
        assert!((400..=2_000).contains(&ms), "{ms}");
        (900, angry())
    });
    let first: Vec<_> = of_segments(&with).into_iter().filter(|(_, _, s)| *s != Some(CategorySource::Model)).collect();
    assert_eq!(first, of_segments(&without), "the facts come as they would without it");
    let second: Vec<_> = of_segments(&with).into_iter().filter(|(_, _, s)| *s == Some(CategorySource::Model)).collect();
    assert!(!second.is_empty());
    for (segment, at, _) in &second {
        let (_, told, _) = first.iter().find(|(of, _, _)| of == segment).unwrap();
        assert!((850..=960).contains(&(at - told)), "{segment}: {told} and {at}");
    }
    let captions = |world: &World| {
        let of = |(at, m): &(u64, Message)| matches!(m, Message::Transcription(_)).then_some(*at);
        world.seat("ann").received.iter().filter_map(of).collect::<Vec<_>>()
    };
    assert_eq!(captions(&with), captions(&without), "and so do the captions");
    let row = last_row(&with);
    assert_eq!(row["voiceModel"]["judged"], second.len());
    assert_eq!((row["voiceModel"]["name"].as_str(), with.wanted("Judge") as usize), (Some("mine.onnx"), second.len()));
}

#[test]
fn a_model_is_not_asked_unless_judgements_are_wanted() {
    let world = with_model(EmotionMode::Acoustic, |_| (0, angry()));
    assert_eq!(world.wanted("Judge"), 0);
    assert!(
        last_row(&world)["voiceModel"].is_null() && emotions(&world).iter().all(|(_, e)| e.voice.valence.is_none())
    );
}

#[test]
fn a_broken_model_leaves_what_the_sound_tells_and_the_session_goes_on() {
    let world = with_model(EmotionMode::Emotion, |_| (100, Err("the answer is not a number".into())));
    assert!(of_segments(&world).iter().all(|(_, _, source)| *source == Some(CategorySource::Prosody)));
    assert!(world.exit.is_none() && world.wanted("Judge") == 3 && world.wanted("DropModel") == 1);
    let given_up = last_row(&world)["voiceModel"]["givenUp"].to_string();
    assert!(given_up.contains("failed 3 times in a row"), "{given_up}");
    assert_eq!(world.facts.iter().filter(|(_, f)| f.warn && f.event == "model_given_up").count(), 1);
}
