//! `{"hostile": "worst"}`: what the recogniser says is made hostile before it goes out on the wire.
//!
//! The misbehaviours and what is promised in spite of them: `tests/hostile`. What is set counts for the results that come
//! from then on, of open streams too: what one has told as stable stands, whatever is set later.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use hostile_recogniser::wire::{Event, ms};
use hostile_recogniser::{Hostile, Pace, Switches};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::engine::RATE;
use super::faults::Knobs;

/// Audio whose results may still come: an utterance is shorter.
const REMEMBERED: usize = 4_096;

/// What is switched on, as it was said: a preset's name, or an object of switches, `seed` among them.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "Value", into = "Value")]
pub struct Setting {
    said: Value,
    switches: Switches,
    seed: u64,
}

impl Default for Setting {
    fn default() -> Self {
        Self { said: "off".into(), switches: Switches::off(), seed: 0 }
    }
}

impl TryFrom<Value> for Setting {
    type Error = String;

    fn try_from(said: Value) -> Result<Self, String> {
        let mut switches = said.clone();
        let seed = match switches.as_object_mut().and_then(|object| object.remove("seed")) {
            None => 0,
            Some(seed) => seed.as_u64().ok_or_else(|| format!("seed: {seed} is no whole number"))?,
        };
        let switches = Switches::try_from(&switches).map_err(|error| error.to_string())?;
        Ok(Self { said, switches, seed })
    }
}

impl From<Setting> for Value {
    fn from(setting: Setting) -> Self {
        setting.said
    }
}

/// The way of one stream's results to the client.
#[derive(Debug)]
pub struct Wire {
    knobs: Arc<watch::Sender<Knobs>>,
    began: Instant,
    /// From the first moment on at which something was switched on.
    hostile: Option<Hostile>,
    pace: Pace,
    heard_samples: u64,
    /// Ends of audio in the stream, and when each is understood at 1× real time, ms.
    understood: VecDeque<(u64, u64)>,
    /// What waits until its audio is understood.
    early: VecDeque<(u64, Value)>,
    ready: VecDeque<Value>,
}

impl Wire {
    /// Of a stream that begins now.
    pub fn new(knobs: Arc<watch::Sender<Knobs>>) -> Self {
        Self {
            knobs,
            began: Instant::now(),
            hostile: None,
            pace: Pace::default(),
            heard_samples: 0,
            understood: VecDeque::new(),
            early: VecDeque::new(),
            ready: VecDeque::new(),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// So many bytes of audio have come.
    pub fn hear(&mut self, bytes: usize) {
        self.hear_at(bytes, self.now());
    }

    fn hear_at(&mut self, bytes: usize, now: u64) {
        let samples = bytes as u64 / 2;
        self.heard_samples += samples;
        let per_ms = u64::from(RATE) / 1_000;
        let (end, done) = (self.heard_samples / per_ms, self.pace.take(samples / per_ms, now));
        self.understood.push_back((end, done));
        if self.understood.len() > REMEMBERED {
            self.understood.pop_front();
        }
    }

    /// The recogniser says this: the body of a `TranscriptEvent`.
    pub fn tell(&mut self, body: Value) {
        self.tell_at(body, self.now());
    }

    fn tell_at(&mut self, body: Value, now: u64) {
        let set = self.knobs.borrow().hostile.clone();
        let due = if set.switches.real_time { self.understood_at(&body) } else { 0 };
        self.early.push_back((due, body));
        self.pass_on(&set, now);
    }

    /// When the audio of these results is understood.
    fn understood_at(&self, body: &Value) -> u64 {
        let results = body["Transcript"]["Results"].as_array().into_iter().flatten();
        let end = results.filter_map(|result| result["EndTime"].as_f64()).map(ms).max().unwrap_or(0);
        let at = self.understood.partition_point(|(until, _)| *until < end);
        self.understood.get(at).or(self.understood.back()).map_or(0, |(_, done)| *done)
    }

    /// Takes over what is understood by now.
    fn pass_on(&mut self, set: &Setting, now: u64) {
        while let Some((_, body)) = self.early.pop_front_if(|(due, _)| *due <= now) {
            if self.hostile.is_none() && set.switches != Switches::off() {
                self.hostile = Some(Hostile::new(set.switches, set.seed));
            }
            let Some(hostile) = &mut self.hostile else {
                self.ready.push_back(body);
                continue;
            };
            hostile.set(set.switches);
            match serde_json::from_value::<Event>(body["Transcript"].clone()) {
                Ok(event) => event.results.into_iter().for_each(|result| hostile.hear(result, now)),
                Err(error) => {
                    tracing::error!(%error, "a transcript of our own cannot be read");
                    self.ready.push_back(body);
                }
            }
        }
    }

    /// Whether nothing is on its way.
    pub fn is_empty(&self) -> bool {
        self.due().is_none()
    }

    /// When something is to be done, ms since the stream began.
    fn due(&self) -> Option<u64> {
        let ready = self.ready.front().map(|_| 0);
        let early = self.early.front().map(|(due, _)| *due);
        let waits = self.hostile.as_ref().and_then(Hostile::due);
        [ready, early, waits].into_iter().flatten().min()
    }

    /// The next body, if one is to be sent by now.
    fn take_at(&mut self, now: u64) -> Option<Value> {
        let set = self.knobs.borrow().hostile.clone();
        self.pass_on(&set, now);
        let ready = self.ready.pop_front();
        ready.or_else(|| Some(json!({ "Transcript": self.hostile.as_mut()?.take(now)? })))
    }

    /// The next body to send, when it is to be sent. May be dropped and called again.
    pub async fn next(&mut self) -> Value {
        loop {
            if let Some(body) = self.take_at(self.now()) {
                return body;
            }
            match self.due() {
                Some(due) => sleep_until(self.began + Duration::from_millis(due)).await,
                None => std::future::pending().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(hostile: Value) -> Wire {
        let knobs = Knobs { hostile: Setting::try_from(hostile).unwrap(), ..Knobs::default() };
        Wire::new(Arc::new(watch::Sender::new(knobs)))
    }

    fn body(text: &str, end: f64, partial: bool) -> Value {
        json!({ "Transcript": { "Results": [{
            "Alternatives": [{ "Items": [{ "Content": text, "StartTime": 0.0, "EndTime": end, "Type": "pronunciation",
                "VocabularyFilterMatch": false, "Stable": true }], "Transcript": text }],
            "StartTime": 0.0, "EndTime": end, "IsPartial": partial, "ResultId": "r",
        }]}})
    }

    /// What is sent next, and when.
    fn next(wire: &mut Wire) -> (Value, u64) {
        loop {
            let due = wire.due().unwrap();
            if let Some(body) = wire.take_at(due) {
                return (body, due);
            }
        }
    }

    #[test]
    fn with_nothing_switched_on_everything_passes_at_once_as_it_is() {
        let mut wire = wire("off".into());
        wire.tell_at(body("amen", 0.5, true), 100);
        assert_eq!(wire.take_at(100), Some(body("amen", 0.5, true)));
        assert!(wire.is_empty());
    }

    #[test]
    fn a_final_waits_as_long_as_the_switches_say() {
        let mut wire = wire(json!({"lateFinal": 1, "lateFinalMs": 700}));
        wire.tell_at(body("amen", 0.5, true), 100);
        wire.tell_at(body("amen", 0.5, false), 100);
        assert_eq!(next(&mut wire), (body("amen", 0.5, true), 100));
        assert!(!wire.is_empty());
        assert_eq!(next(&mut wire), (body("amen", 0.5, false), 800));
        assert!(wire.is_empty());
    }

    #[test]
    fn a_replay_is_understood_at_the_pace_at_which_it_was_spoken() {
        let mut wire = wire(json!({"realTime": true}));
        (0..40).for_each(|_| wire.hear_at(3_200, 0));
        for (text, end) in [("one", 0.95), ("two", 4.0)] {
            wire.tell_at(body(text, end, true), 10);
        }
        assert_eq!(next(&mut wire).1, 1_000, "the audio event that holds its end");
        assert_eq!(next(&mut wire).1, 4_000);
    }

    #[test]
    fn what_was_told_as_stable_stands_when_everything_is_switched_off() {
        let two = |partial| {
            let mut body = body("can", 0.5, partial);
            let items = &mut body["Transcript"]["Results"][0]["Alternatives"][0]["Items"];
            let mut not = items[0].clone();
            not["Content"] = "not".into();
            items.as_array_mut().unwrap().push(not);
            body
        };
        let mut wire = wire(json!({"merge": 1}));
        wire.tell_at(two(true), 0);
        let text = |body: &Value| body["Transcript"]["Results"][0]["Alternatives"][0]["Transcript"].clone();
        assert_eq!(text(&next(&mut wire).0), "cannot");
        wire.knobs.send_modify(|knobs| knobs.hostile = Setting::default());
        wire.tell_at(two(false), 300);
        assert_eq!(text(&next(&mut wire).0), "cannot");
    }

    #[test]
    fn a_setting_that_cannot_be_says_what_can() {
        let refused = |value: Value| Setting::try_from(value).unwrap_err();
        assert!(refused("worse".into()).contains("worst"));
        assert!(refused(json!({"seed": "x"})).contains("whole number"));
        assert!(refused(json!({"shrnk": 0.1})).contains("shrink"));
    }
}
