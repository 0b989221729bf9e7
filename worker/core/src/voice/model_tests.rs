use super::*;
use crate::config::ModelSetting;
use schemas::ids::{Generation, SessionId};
use schemas::voice::{Category, CategorySource};

/// A model and the moments of a session, without one.
struct Desk {
    judge: Judge,
    timing: Timing,
    out: Outbox,
    now: MediaInstant,
}

impl Desk {
    fn new() -> Self {
        let mut config = EngineConfig::new(SessionId::try_new("s").unwrap(), Generation(1), "test");
        config.model = Some(ModelSetting { name: "mine.onnx".into(), longest_ms: 5_000 });
        config.emotion = EmotionMode::Emotion;
        let judge = Judge::new(&config);
        Self { judge, timing: config.timing, out: Outbox::default(), now: MediaInstant(0) }
    }
    /// A segment is told now.
    fn told(&mut self, segment: u64) {
        let voice = emotion::told(&emotion::tests::excited(), EmotionMode::Emotion).unwrap();
        let told = Told { segment: segment.to_string(), voice, at: self.now };
        self.judge.offer(Utterance { told, pcm: vec![0; 160] }, self.now, &mut self.out);
    }
    /// The model answers so many ms later; the segment that is told anew.
    fn answers(&mut self, id: u64, after_ms: u64, answer: Result<Affect, String>) -> Option<String> {
        self.now = self.now.plus_ms(after_ms);
        let told = self.judge.answered(UtteranceId(id), answer, (self.now, &self.timing), &mut self.out);
        told.map(|(segment, voice)| {
            assert_eq!(voice.category_source, Some(CategorySource::Model));
            segment
        })
    }
    /// What the model is asked about, by the numbers, and whether it is let go.
    fn asked(&mut self) -> (Vec<u64>, bool) {
        let (mut ids, mut dropped) = (Vec::new(), false);
        while let Some(output) = self.out.pop() {
            if let Output::Judge { id, .. } = &output {
                ids.push(id.0);
            }
            dropped |= output == Output::DropModel;
        }
        (ids, dropped)
    }
    fn counts(&self) -> [u64; 4] {
        let status = self.judge.status.as_ref().unwrap();
        [status.judged, status.skipped, status.late, status.failed]
    }
    fn given_up(&self) -> &str {
        self.judge.status.as_ref().unwrap().given_up.as_deref().unwrap_or_default()
    }
}

fn angry() -> Result<Affect, String> {
    Ok(Affect { valence: None, category: Some((Category::Angry, 0.9)) })
}

#[test]
fn a_busy_model_is_asked_next_about_the_newest_utterance_alone() {
    let mut desk = Desk::new();
    (1..=4).for_each(|n| desk.told(n));
    assert_eq!(desk.asked().0, [1]);
    assert_eq!(desk.answers(1, 400, angry()).as_deref(), Some("1"));
    assert_eq!(desk.asked().0, [2], "its second question is the fourth segment");
    assert_eq!(desk.answers(2, 400, angry()).as_deref(), Some("4"));
    assert_eq!((desk.asked().0, desk.counts()), (Vec::new(), [2, 2, 0, 0]));
}

#[test]
fn an_answer_that_comes_too_late_is_counted_and_not_told() {
    let mut desk = Desk::new();
    desk.told(1);
    assert_eq!(desk.answers(1, 3_001, angry()), None);
    desk.told(2);
    assert_eq!(desk.answers(2, 3_000, angry()).as_deref(), Some("2"));
    assert_eq!(desk.counts(), [1, 0, 1, 0]);
}

#[test]
fn an_utterance_that_has_waited_too_long_is_skipped() {
    let mut desk = Desk::new();
    desk.told(1);
    desk.told(2);
    assert_eq!(desk.answers(1, 3_500, angry()), None);
    assert_eq!((desk.asked().0, desk.counts()), (vec![1], [0, 1, 1, 0]));
}

#[test]
fn a_model_that_fails_three_times_in_a_row_is_given_up_and_one_that_fails_now_and_then_is_not() {
    let mut desk = Desk::new();
    for n in 0..10 {
        desk.told(n);
        let answer = if n % 3 == 2 { angry() } else { Err("not a number".into()) };
        desk.answers(n + 1, 100, answer);
    }
    assert_eq!((desk.given_up(), desk.counts()), ("", [3, 0, 0, 7]));
    for n in 10..12 {
        desk.told(n);
        desk.answers(n + 1, 100, Err("not a number".into()));
    }
    let (ids, dropped) = desk.asked();
    assert!(
        ids.len() == 12 && dropped && desk.given_up().contains("at last with: not a number"),
        "{}",
        desk.given_up()
    );
    desk.told(12);
    assert_eq!(desk.asked(), (Vec::new(), false), "it is not asked any more");
}

#[test]
fn a_model_that_hangs_or_is_gone_is_given_up_and_what_it_says_later_is_nothing() {
    let mut desk = Desk::new();
    desk.told(1);
    desk.told(2);
    let due = desk.judge.deadline(&desk.timing).unwrap();
    assert_eq!(due, MediaInstant(60_000));
    desk.judge.advance(MediaInstant(59_999), &desk.timing, &mut desk.out);
    assert_eq!(desk.given_up(), "");
    desk.judge.advance(due, &desk.timing, &mut desk.out);
    assert!(desk.given_up().contains("did not answer for 60 s") && desk.asked().1);
    assert_eq!(desk.answers(1, 61_000, angry()), None);
    assert_eq!(desk.judge.deadline(&desk.timing), None);
    let mut gone = Desk::new();
    gone.judge.ended("no such file".into(), &mut gone.out);
    gone.judge.ended("again".into(), &mut gone.out);
    assert!(gone.given_up().contains("no such file") && gone.asked().1);
}

#[test]
fn without_the_mode_emotion_there_is_no_model() {
    let mut config = EngineConfig::new(SessionId::try_new("s").unwrap(), Generation(1), "test");
    config.model = Some(ModelSetting { name: "mine.onnx".into(), longest_ms: 5_000 });
    assert_eq!(config.emotion, EmotionMode::Acoustic);
    assert!(!Judge::new(&config).serves() && Judge::new(&config).status.is_none());
}
