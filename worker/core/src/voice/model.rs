//! The user's own model of the voice: which utterances it is asked about, and what becomes of its answers.
//!
//! *Flow*: the facts of a segment are told at once, whatever the model does; then it is asked, and what it says in time is told as
//! another message of the same segment, which replaces the first. *Guarantees*: one utterance is asked about at a time, and of those that
//! come meanwhile only the newest waits, so that a slow model falls behind by one utterance and never more, and memory holds two; an
//! answer that comes too late is counted and not told; a model that fails again and again, hangs or is gone is given up, loudly and for
//! good, and everything else goes on without it.

use crate::config::{EmotionMode, EngineConfig, Timing};
use crate::input::UtteranceId;
use crate::outbox::Outbox;
use crate::output::Output;
use crate::time::MediaInstant;
use crate::voice::told as emotion;
use schemas::voice::{ModelStatus, Voice};
use worker_emotion::Affect;

/// So many failures in a row are no accident.
const FAILURES_MOST: u32 = 3;

/// A segment that was told, and its audio.
#[derive(Debug)]
pub(crate) struct Utterance {
    pub(crate) told: Told,
    pub(crate) pcm: Vec<i16>,
}

/// What was told of a segment, and when.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) segment: String,
    pub(crate) voice: Voice,
    pub(crate) at: MediaInstant,
}

/// What the model is asked about now.
#[derive(Debug)]
struct Asked {
    id: UtteranceId,
    at: MediaInstant,
    told: Told,
}

/// The model, as it is seen from here.
#[derive(Debug, Default)]
pub(crate) struct Judge {
    /// As the row shows it; `None` without a model.
    pub(crate) status: Option<ModelStatus>,
    last: u64,
    asked: Option<Asked>,
    waiting: Option<Utterance>,
    failures: u32,
}

impl Judge {
    pub(crate) fn new(config: &EngineConfig) -> Self {
        let wanted = config.model.as_ref().filter(|_| config.emotion == EmotionMode::Emotion);
        let status = wanted.map(|model| ModelStatus { name: model.name.clone(), ..ModelStatus::default() });
        Self { status, ..Self::default() }
    }

    /// Whether there is a model to be asked.
    pub(crate) fn serves(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.given_up.is_none())
    }

    /// A segment was told: the model is asked about it, or it waits for the one that is.
    pub(crate) fn offer(&mut self, utterance: Utterance, now: MediaInstant, out: &mut Outbox) {
        if !self.serves() {
            return;
        }
        if self.asked.is_none() {
            self.ask(utterance, now, out);
        } else if self.waiting.replace(utterance).is_some() {
            self.count(|status| status.skipped += 1);
        }
    }

    /// The model has answered; gives what is to be told of which segment.
    pub(crate) fn answered(
        &mut self,
        id: UtteranceId,
        answer: Result<Affect, String>,
        (now, timing): (MediaInstant, &Timing),
        out: &mut Outbox,
    ) -> Option<(String, Voice)> {
        let Asked { told, .. } = self.asked.take_if(|asked| asked.id == id)?;
        let late = now.since(told.at) > timing.model_late_ms;
        let affect = self.judge(answer, late, out);
        self.ask_next(now, timing, out);
        let voice = emotion::with_model(told.voice, &affect?)?;
        Some((told.segment, voice))
    }

    fn judge(&mut self, answer: Result<Affect, String>, late: bool, out: &mut Outbox) -> Option<Affect> {
        match answer {
            Ok(affect) => {
                self.failures = 0;
                self.count(|status| if late { status.late += 1 } else { status.judged += 1 });
                Some(affect).filter(|_| !late)
            }
            Err(why) => {
                self.failures += 1;
                self.count(|status| status.failed += 1);
                if self.failures >= FAILURES_MOST {
                    self.give_up(format!("it failed {FAILURES_MOST} times in a row, at last with: {why}"), out);
                } else {
                    out.warn("model_failed", why);
                }
                None
            }
        }
    }

    /// The model is gone.
    pub(crate) fn ended(&mut self, why: String, out: &mut Outbox) {
        self.give_up(why, out);
    }

    /// Gives up a model that does not answer.
    pub(crate) fn advance(&mut self, now: MediaInstant, timing: &Timing, out: &mut Outbox) {
        if self.deadline(timing).is_some_and(|due| now >= due) {
            self.give_up(format!("it did not answer for {} s", timing.model_patience_ms / 1_000), out);
        }
    }

    /// When the model will be given up.
    pub(crate) fn deadline(&self, timing: &Timing) -> Option<MediaInstant> {
        self.asked.as_ref().map(|asked| asked.at.plus_ms(timing.model_patience_ms))
    }

    fn ask_next(&mut self, now: MediaInstant, timing: &Timing, out: &mut Outbox) {
        let Some(next) = self.waiting.take().filter(|_| self.serves()) else { return };
        if now.since(next.told.at) > timing.model_late_ms {
            self.count(|status| status.skipped += 1);
        } else {
            self.ask(next, now, out);
        }
    }

    fn ask(&mut self, Utterance { told, pcm }: Utterance, now: MediaInstant, out: &mut Outbox) {
        self.last += 1;
        let id = UtteranceId(self.last);
        self.asked = Some(Asked { id, at: now, told });
        out.push(Output::Judge { id, pcm });
    }

    fn give_up(&mut self, why: String, out: &mut Outbox) {
        if !self.serves() {
            return;
        }
        (self.asked, self.waiting) = (None, None);
        let text = format!("The model is not asked any more: {why}. What the sound tells goes on without it.");
        out.warn("model_given_up", text.clone());
        out.push(Output::DropModel);
        self.count(|status| status.given_up = Some(text));
    }

    fn count(&mut self, change: impl FnOnce(&mut ModelStatus)) {
        if let Some(status) = &mut self.status {
            change(status);
        }
    }
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
