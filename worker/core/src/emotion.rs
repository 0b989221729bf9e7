//! Facts of the voice per segment, in the product's words. Nothing is guessed from them.

use crate::audio::Levels;
use crate::captions::Snapshot;
use crate::message::segment_id;
use schemas::ids::{Generation, SessionId, Timestamp};
use schemas::message::{Emotion, Rate, RateClass, Volume, VolumeLevel};

/// Volume and rate of a final segment; `None` when neither can be told.
pub(crate) fn of_segment(
    session: &SessionId,
    generation: Generation,
    snapshot: &Snapshot,
    levels: &Levels,
) -> Option<Emotion> {
    let volume = levels.speech_dbfs(snapshot.start_ms, snapshot.end_ms).map(volume);
    let rate = rate(snapshot);
    (volume.is_some() || rate.is_some()).then(|| Emotion {
        session_id: session.clone(),
        segment_id: segment_id(generation, snapshot.segment),
        timestamp: Timestamp::default(),
        start_ms: snapshot.start_ms,
        end_ms: snapshot.end_ms,
        volume,
        rate,
    })
}

fn volume(dbfs: f64) -> Volume {
    let level = match dbfs {
        db if db > -10.0 => VolumeLevel::Loud,
        db if db > -20.0 => VolumeLevel::Medium,
        db if db > -30.0 => VolumeLevel::Soft,
        _ => VolumeLevel::Whisper,
    };
    Volume { level, dbfs: tenths(dbfs) }
}

fn rate(snapshot: &Snapshot) -> Option<Rate> {
    let words = snapshot.word_count();
    let span_ms = snapshot.end_ms.saturating_sub(snapshot.start_ms);
    if words < 2 || span_ms == 0 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "a segment is short")]
    let wpm = f64::from(words) * 60_000.0 / span_ms as f64;
    let classification = match wpm {
        w if w < 100.0 => RateClass::VerySlow,
        w if w < 130.0 => RateClass::Slow,
        w if w < 160.0 => RateClass::Medium,
        w if w < 190.0 => RateClass::Fast,
        _ => RateClass::VeryFast,
    };
    Some(Rate { classification, wpm: tenths(wpm) })
}

/// A tenth is all that can be told.
fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::tone;
    use crate::captions::tests::words;
    use schemas::ids::Language;

    fn said(text: &str) -> Snapshot {
        let words = words(text, 0, 0);
        let end_ms = words.last().map_or(0, |w| w.end_ms);
        let source = Language::try_new("en").unwrap();
        Snapshot { segment: 7, source, stable: 0, is_final: true, start_ms: 0, end_ms, words }
    }

    fn emotion(text: &str, peak: f64) -> Option<Emotion> {
        let mut levels = Levels::default();
        levels.take(0, &tone(1_000, peak));
        of_segment(&SessionId::try_new("s").unwrap(), Generation(2), &said(text), &levels)
    }

    #[test]
    fn volume_and_rate_carry_the_products_labels() {
        let of = emotion("one two three", 0.5).unwrap();
        assert_eq!(of.segment_id, "2-7");
        assert_eq!(of.volume.unwrap().level, VolumeLevel::Loud);
        assert_eq!(of.rate.unwrap(), Rate { classification: RateClass::Fast, wpm: 163.6 });
        assert_eq!(emotion("one two", 0.05).unwrap().volume.unwrap().level, VolumeLevel::Soft);
    }

    #[test]
    fn one_word_has_no_rate_and_silence_no_volume() {
        assert_eq!(emotion("amen", 0.5).unwrap().rate, None);
        assert_eq!(emotion("amen", 0.0), None);
    }
}
