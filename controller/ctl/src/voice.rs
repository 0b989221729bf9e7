//! How the speaker sounds and how good the microphone is, in a line each.

use schemas::voice::{AudioQuality, CategorySource, ModelStatus, Voice};

/// How the speaker sounds, fact by fact; judgements where they are made.
#[must_use]
pub fn sound(voice: &Voice) -> Vec<String> {
    let volume = voice.volume.map(|v| format!("{}, {:.0} dBFS ({:+.0} dB)", word(&v.level), v.dbfs, v.relative_db));
    let rate = voice.rate.map(|r| {
        let counted = match (r.wpm, r.syllables_per_second) {
            (Some(wpm), _) => format!(", {wpm:.0} words/min"),
            (None, Some(syllables)) => format!(", {syllables:.1} syllables/s"),
            (None, None) => String::new(),
        };
        format!("{}{counted}", word(&r.classification))
    });
    let pitch = voice.pitch.map(|p| format!("{:.0} Hz ({:+.1} semitones)", p.hz, p.relative_semitones));
    let judged = voice.category.map(|category| {
        let source = voice.category_source.filter(|source| *source == CategorySource::Model);
        let source = source.map_or("", |_| " by the model");
        let arousal = voice.arousal.map_or_else(String::new, |a| format!(", arousal {:.2}", a.value));
        let valence = voice.valence.map_or_else(String::new, |v| format!(", valence {:+.2}", v.value));
        format!("{}{source}{arousal}{valence}", word(&category))
    });
    [volume, rate, pitch, judged].into_iter().flatten().collect()
}

/// The product's word for a level, a rate or an issue (`very_fast` → `very fast`).
pub(crate) fn word<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(|t| t.replace('_', " "))).unwrap_or_default()
}

/// The same in one line, with what to keep in mind about it.
#[must_use]
pub fn flagged(voice: &Voice) -> String {
    let flags: Vec<String> = voice.flags.iter().map(word).collect();
    let flags = if flags.is_empty() { String::new() } else { format!(" ({})", flags.join(", ")) };
    format!("{}{flags}", sound(voice).join(" · "))
}

/// What became of the user's own model.
#[must_use]
pub fn model(m: &ModelStatus) -> String {
    let given_up = m.given_up.as_ref().map_or_else(String::new, |why| format!(". {why}"));
    format!(
        "model {}: {} utterances judged, {} skipped, {} too late, {} failed{given_up}",
        m.name, m.judged, m.skipped, m.late, m.failed
    )
}

/// How good the audio is, what is wrong now, and what was found before.
#[must_use]
pub fn microphone(q: &AudioQuality) -> String {
    let snr = q.snr_db.map_or_else(|| "not measured".to_owned(), |db| format!("{db:.0} dB"));
    let loudness = q.loudness_lufs.map_or_else(|| "not measured".to_owned(), |lufs| format!("{lufs:.0} LUFS"));
    let echo = q.echo_db.map_or_else(|| "none".to_owned(), |db| format!("{db:.0} dB"));
    let now: Vec<String> = q.issues.iter().map(word).collect();
    let now = if now.is_empty() { "nothing is wrong".to_owned() } else { format!("wrong now: {}", now.join(", ")) };
    let warned: Vec<String> = q.warnings.iter().map(|(issue, times)| format!("{} {times}×", word(issue))).collect();
    let warned = if warned.is_empty() { String::new() } else { format!("; warned of {}", warned.join(", ")) };
    format!(
        "signal to noise {snr}, loudness {loudness}, {:.1} % clipped, echo {echo}, {:.1} % of packets lost; {now}{warned}",
        q.clipping_percent, q.packet_loss_percent
    )
}
