//! The speaker's voice: what goes into its analysis, and what becomes of what comes out.
//!
//! *Flow*: every frame of a session that is not paused is analysed as it comes; final segments follow with their words. A
//! reading of a second is told at once, that of a segment after its caption, and again when a model of the user's own has added
//! something in time. *Guarantees*: nothing here holds a caption up, nor does the model hold up the facts;
//! in the mode `off` nothing of the voice is told, and without the watch over the audio's quality nothing is even measured.

use crate::audience::Body;
use crate::audience::message::segment_id;
use crate::config::{EmotionMode, EngineConfig};
use crate::cx::Cx;
use crate::hearing::SAMPLES_PER_MS;
use crate::input::{AudioFrame, AudioKind, UtteranceId};
use crate::life::notices;
use crate::text::Snapshot;
use crate::voice::model::{Told, Utterance};
use crate::voice::sound::{Warning, Watch};
use crate::voice::told as emotion;
use schemas::ids::Timestamp;
use schemas::message::Emotion;
use schemas::speaker::{AudioQualityWarning, ToSpeaker};
use schemas::voice::{Voice, VoiceFlag};
use schemas::worker::{Media, Rung};
use std::collections::BTreeMap;
use std::sync::Arc;
use worker_emotion::{Affect, Analyzer, Config, Event, Origin};

/// What is known of the voice and of the audio's quality.
#[derive(Debug)]
pub(crate) struct Ear {
    analyzer: Option<Box<Analyzer>>,
    /// Whether everything that was taken in has been analysed.
    flushed: bool,
    /// The watch over the quality.
    pub(crate) watch: Watch,
    /// What was told last.
    pub(crate) last: Option<Voice>,
}

impl Ear {
    pub(crate) fn new(config: &EngineConfig) -> Self {
        let wanted = config.audio_quality || config.emotion != EmotionMode::Off;
        let analyzer = wanted.then(|| Box::new(Analyzer::new(Config { agc_on: config.agc_on })));
        Self { analyzer, flushed: true, watch: Watch::default(), last: None }
    }

    fn take(&mut self, frame: &AudioFrame) {
        let Some(analyzer) = &mut self.analyzer else { return };
        let origin = match frame.kind {
            AudioKind::Decoded => Origin::Received,
            AudioKind::Concealed => Origin::Concealed,
            AudioKind::Filled => Origin::Filled,
        };
        if std::mem::take(&mut self.flushed) {
            self.watch.begin(frame.start_ms);
        }
        analyzer.push(frame.start_ms, &frame.pcm, origin);
    }

    fn segment(&mut self, shown: &Snapshot) {
        let Some(analyzer) = &mut self.analyzer else { return };
        for word in shown.items.iter().filter(|word| !word.mark) {
            analyzer.word(word.start_ms, word.end_ms);
        }
        analyzer.segment(shown.segment, shown.start_ms, shown.end_ms);
    }

    /// No audio comes for now: what is held back is analysed, once.
    fn flush(&mut self) {
        if let Some(analyzer) = self.analyzer.as_mut().filter(|_| !self.flushed) {
            self.flushed = true;
            analyzer.flush();
            self.watch.pause();
        }
    }

    fn poll(&mut self) -> Option<Event> {
        self.analyzer.as_mut()?.poll()
    }
}

/// A frame of a session that is not paused.
pub(crate) fn hear_voice(cx: &mut Cx, frame: &AudioFrame) {
    cx.voice.ear.take(frame);
    tell_voice(cx);
}

/// A segment's caption is final.
pub(crate) fn voice_of(cx: &mut Cx, shown: &Snapshot) {
    if cx.config.emotion != EmotionMode::Off {
        cx.voice.ear.segment(shown);
        tell_voice(cx);
    }
}

/// The session is paused or ends.
pub(crate) fn rest(cx: &mut Cx) {
    if cx.life.cycle.is_paused() || !cx.life.cycle.is_serving() {
        cx.voice.ear.flush();
        tell_voice(cx);
    }
}

/// The state of the media path, once a second.
pub(crate) fn watch_network(cx: &mut Cx, media: &Media) {
    if cx.config.audio_quality && !cx.life.cycle.is_paused() {
        let warnings = cx.voice.ear.watch.reported(media, cx.now);
        warn_speaker(cx, warnings);
    }
}

fn tell_voice(cx: &mut Cx) {
    while let Some(event) = cx.voice.ear.poll() {
        match event {
            Event::Second(reading) => {
                if let Some(lufs) = reading.lufs.filter(|_| cx.config.audio_quality && !cx.life.cycle.is_paused()) {
                    cx.voice.ear.watch.heard(lufs);
                }
                let told = emotion::told(&reading, cx.config.emotion);
                told.into_iter().for_each(|voice| tell_second(cx, voice));
            }
            Event::Segment { id, reading } => {
                if let Some(voice) = emotion::told(&reading, cx.config.emotion) {
                    tell_segment(cx, voice, segment_id(cx.config.generation, id));
                }
            }
            Event::Quality(quality) => {
                if cx.config.audio_quality && cx.life.cycle.is_serving() && !cx.life.cycle.is_paused() {
                    let warnings = cx.voice.ear.watch.measured(&quality, cx.now);
                    warn_speaker(cx, warnings);
                }
            }
        }
    }
}

/// A live display can do without, when captions already suffer.
fn tell_second(cx: &mut Cx, voice: Voice) {
    if cx.life.ladder.service.rung == Rung::Full && !cx.audience.delivery.is_slow() && !cx.life.cycle.is_paused() {
        tell_emotion(cx, voice, None);
    } else {
        cx.voice.ear.last = Some(voice);
    }
}

/// The facts at once; what a model adds to them follows.
fn tell_segment(cx: &mut Cx, voice: Voice, segment: String) {
    tell_emotion(cx, voice.clone(), Some(segment.clone()));
    let unfit = [VoiceFlag::Short, VoiceFlag::LowSnr].iter().any(|flag| voice.flags.contains(flag));
    let Some(model) = cx.config.model.as_ref().filter(|_| cx.voice.model.serves() && !unfit) else { return };
    let begin_ms = voice.start_ms.max(voice.end_ms.saturating_sub(model.longest_ms));
    // What a pause, or half a minute, has taken away is not made up.
    if begin_ms * SAMPLES_PER_MS >= cx.hearing.audio.ring.first() {
        let pcm = cx.hearing.audio.ring.read(begin_ms * SAMPLES_PER_MS, (voice.end_ms - begin_ms) * SAMPLES_PER_MS);
        let told = Told { segment, voice, at: cx.now };
        cx.voice.model.offer(Utterance { told, pcm }, cx.now, &mut cx.out);
    }
}

/// The user's model has answered.
pub(crate) fn judged(cx: &mut Cx, id: UtteranceId, answer: Result<Affect, String>) {
    let when = (cx.now, &cx.config.timing);
    let Some((segment, voice)) = cx.voice.model.answered(id, answer, when, &mut cx.out) else { return };
    if cx.life.cycle.is_serving() && !cx.life.cycle.is_paused() {
        tell_emotion(cx, voice, Some(segment));
    }
}

fn tell_emotion(cx: &mut Cx, voice: Voice, segment_id: Option<String>) {
    cx.voice.ear.last = Some(voice.clone());
    let session_id = cx.config.session.clone();
    let timestamp = Timestamp::default();
    let emotion = Emotion { version: Emotion::VERSION, session_id, generation: None, segment_id, timestamp, voice };
    cx.audience.delivery.tell_all(&Body::Emotion(Arc::new(emotion)));
}

fn warn_speaker(cx: &mut Cx, warnings: Vec<Warning>) {
    let wall = cx.wall();
    for warning in warnings {
        if let Some(seen) = &mut cx.voice.ear.watch.seen {
            seen.warned_at = Some(wall);
        }
        cx.out.warn("audio_quality", format!("{:?} {}: {}", warning.issue, warning.value, warning.advice));
        notices::tell_speaker(
            cx,
            ToSpeaker::AudioQualityWarning(AudioQualityWarning {
                session_id: cx.config.session.clone(),
                generation: Some(cx.config.generation),
                issue: warning.issue,
                value: warning.value,
                message: warning.advice.to_owned(),
                details: BTreeMap::from([("threshold".to_owned(), warning.limit)]),
                timestamp: wall,
            }),
        );
    }
}
