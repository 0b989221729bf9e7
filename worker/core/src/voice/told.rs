//! From a reading of the voice to what is told of it: always the facts, judgements only in the mode that asks for them.

use crate::config::EmotionMode;
use schemas::voice::{CategorySource, Judgement, Pitch, Rate, Voice, VoiceFlag, Volume};
use std::collections::BTreeSet;
use worker_emotion as measured;

/// What may be told of this reading in this mode; `None` when that is nothing.
pub(crate) fn told(reading: &measured::Reading, mode: EmotionMode) -> Option<Voice> {
    let facts = || facts(reading);
    let voice = match mode {
        EmotionMode::Off => return None,
        EmotionMode::Acoustic => facts(),
        EmotionMode::Emotion => judged(facts(), reading),
    };
    (voice.volume.is_some() || voice.rate.is_some()).then_some(voice)
}

fn facts(reading: &measured::Reading) -> Voice {
    Voice {
        start_ms: reading.start_ms,
        end_ms: reading.end_ms,
        speech_ms: reading.speech_ms,
        volume: reading.volume.map(volume),
        rate: reading.rate.map(rate),
        pitch: reading.pitch.map(pitch),
        arousal: None,
        valence: None,
        category: None,
        category_source: None,
        category_confidence: None,
        intensity: None,
        flags: flags(reading.flags),
    }
}

/// Adds the judgements; without measured speech there are none.
fn judged(facts: Voice, reading: &measured::Reading) -> Voice {
    let Some(arousal) = reading.arousal else { return facts };
    Voice {
        arousal: Some(Judgement { value: hundredths(arousal.value), confidence: hundredths(arousal.confidence) }),
        category: Some(reading.category),
        category_source: Some(CategorySource::Prosody),
        category_confidence: Some(hundredths(reading.category_confidence)),
        intensity: Some(hundredths(reading.intensity)),
        ..facts
    }
}

/// What was told of an utterance with what the model says of it; `None` when that adds nothing.
pub(crate) fn with_model(told: Voice, affect: &measured::Affect) -> Option<Voice> {
    let round = |j: Judgement| Judgement { value: hundredths(j.value), confidence: hundredths(j.confidence) };
    let valence = affect.valence.map(round);
    match affect.word() {
        Some((word, likely)) => Some(Voice {
            valence,
            category: Some(word),
            category_source: Some(CategorySource::Model),
            category_confidence: Some(hundredths(likely)),
            ..told
        }),
        None => valence.map(|valence| Voice { valence: Some(valence), ..told }),
    }
}

fn volume(volume: Volume) -> Volume {
    Volume { dbfs: tenths(volume.dbfs), relative_db: tenths(volume.relative_db), ..volume }
}

fn rate(rate: Rate) -> Rate {
    Rate { wpm: rate.wpm.map(tenths), syllables_per_second: rate.syllables_per_second.map(tenths), ..rate }
}

fn pitch(pitch: Pitch) -> Pitch {
    Pitch {
        hz: tenths(pitch.hz),
        relative_semitones: tenths(pitch.relative_semitones),
        range_semitones: tenths(pitch.range_semitones),
    }
}

fn flags(flags: measured::Flags) -> BTreeSet<VoiceFlag> {
    let raised = [
        (flags.baseline_warming, VoiceFlag::BaselineWarming),
        (flags.agc_suspected, VoiceFlag::AgcSuspected),
        (flags.low_snr, VoiceFlag::LowSnr),
        (flags.short, VoiceFlag::Short),
        (flags.clipped, VoiceFlag::Clipped),
    ];
    raised.into_iter().filter_map(|(raised, flag)| raised.then_some(flag)).collect()
}

/// A tenth is all that can be told. (Adding 0 makes a zero of a negative one, which would be shown as "-0".)
pub(crate) fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0 + 0.0
}
fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0 + 0.0
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use schemas::voice::{Category, RateBasis, RateClass, VolumeLevel};

    /// A loud, fast, high second.
    pub(crate) fn excited() -> measured::Reading {
        measured::Reading {
            start_ms: 1_000,
            end_ms: 2_000,
            speech_ms: 940,
            arousal: Some(Judgement { value: 0.7234, confidence: 0.81 }),
            category: Category::Activated,
            category_confidence: 0.64,
            intensity: 0.447,
            volume: Some(Volume { level: VolumeLevel::Loud, dbfs: -12.34, relative_db: 5.26 }),
            rate: Some(Rate {
                classification: RateClass::Fast,
                basis: RateBasis::Syllables,
                wpm: None,
                syllables_per_second: Some(5.61),
            }),
            pitch: Some(Pitch { hz: 251.02, relative_semitones: -0.01, range_semitones: 5.4 }),
            lufs: Some(-13.0),
            flags: measured::Flags { clipped: true, ..measured::Flags::default() },
        }
    }

    #[test]
    fn no_word_about_the_person_leaves_the_worker_in_the_acoustic_mode() {
        let told = told(&excited(), EmotionMode::Acoustic).unwrap();
        let json = serde_json::to_value(&told).unwrap();
        for judgement in ["arousal", "valence", "category", "categorySource", "categoryConfidence", "intensity"] {
            assert!(json[judgement].is_null(), "{judgement} is {}", json[judgement]);
        }
        assert_eq!((&json["volume"]["level"], &json["pitch"]["hz"]), (&"loud".into(), &251.0.into()));
        assert_eq!(told.flags, [VoiceFlag::Clipped].into());
        assert!(!json.to_string().contains("-0.0"), "{json}");
    }

    #[test]
    fn the_emotion_mode_adds_what_prosody_tells_and_never_valence() {
        let told = told(&excited(), EmotionMode::Emotion).unwrap();
        assert_eq!(told.arousal, Some(Judgement { value: 0.72, confidence: 0.81 }));
        assert_eq!((told.category, told.category_source), (Some(Category::Activated), Some(CategorySource::Prosody)));
        assert_eq!((told.valence, told.intensity), (None, Some(0.45)));
    }

    #[test]
    fn a_model_adds_valence_and_its_word_and_an_unlikely_word_leaves_what_the_sound_tells() {
        let facts = told(&excited(), EmotionMode::Emotion).unwrap();
        let valence = Some(Judgement { value: -0.731, confidence: 0.5 });
        let sure = measured::Affect { valence, category: Some((Category::Angry, 0.812)) };
        let voice = with_model(facts.clone(), &sure).unwrap();
        assert_eq!(voice.valence, Some(Judgement { value: -0.73, confidence: 0.5 }));
        assert_eq!((voice.category, voice.category_source), (Some(Category::Angry), Some(CategorySource::Model)));
        assert_eq!((voice.category_confidence, voice.arousal, voice.volume), (Some(0.81), facts.arousal, facts.volume));
        let unsure = measured::Affect { category: Some((Category::Angry, 0.4)), ..sure };
        let voice = with_model(facts.clone(), &unsure).unwrap();
        assert_eq!((voice.category, voice.category_source), (facts.category, Some(CategorySource::Prosody)));
        assert!(voice.valence.is_some());
        assert_eq!(with_model(facts, &measured::Affect { valence: None, ..unsure }), None, "nothing is added");
    }

    #[test]
    fn without_measured_speech_nothing_is_judged_and_without_facts_nothing_is_told() {
        let unheard = measured::Reading { arousal: None, volume: None, pitch: None, ..excited() };
        assert_eq!(told(&unheard, EmotionMode::Emotion).unwrap().category, None, "the rate by words is all there is");
        assert_eq!(told(&measured::Reading { rate: None, ..unheard }, EmotionMode::Emotion), None);
        assert_eq!(told(&excited(), EmotionMode::Off), None);
    }
}
