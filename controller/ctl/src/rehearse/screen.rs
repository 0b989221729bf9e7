//! What the terminal shows during a rehearsal, without the terminal: lines that scroll away and are kept, and a block of
//! live lines below them, one per language, that change in place.

use super::lag::lag_ms;
use super::record::{Event, ListenerEvent, Recording, SpeakerEvent};
use crate::board::tenths;
use crate::text::{cut, cut_begin, duration, wrap};
use crate::voice::sound;
use schemas::ids::{Language, Timestamp};
use schemas::message::{Caption, Emotion, Message};
use std::collections::{BTreeMap, BTreeSet};

/// Columns of the time or lag, and of the language, with their gaps: where texts begin.
const INDENT: usize = 14;

/// The model of the terminal.
#[derive(Debug, Default)]
pub struct Screen {
    width: usize,
    began: Timestamp,
    kept: Vec<String>,
    languages: Vec<Language>,
    partials: BTreeMap<Language, String>,
    shown: BTreeSet<(Language, String)>,
    voice: Option<Emotion>,
    phase: Option<String>,
    trouble: BTreeSet<String>,
}

impl Screen {
    /// An empty screen of so many columns for these languages.
    #[must_use]
    pub fn new(width: u16, began: Timestamp, languages: impl IntoIterator<Item = Language>) -> Self {
        let mut screen = Self { width: usize::from(width).clamp(60, 120), began, ..Self::default() };
        for language in languages {
            if !screen.languages.contains(&language) {
                screen.languages.push(language);
            }
        }
        screen
    }

    /// A line of progress.
    pub fn note(&mut self, at: Timestamp, text: &str) {
        let since = format!("{} s", tenths(u64::try_from(at.since(self.began)).unwrap_or(0)));
        self.keep(&since, "", text);
    }

    fn keep(&mut self, left: &str, mark: &str, text: &str) {
        for (n, line) in wrap(text, self.width - INDENT).into_iter().enumerate() {
            self.kept.push(if n == 0 {
                format!("{left:>8}  {mark:<2}  {line}")
            } else {
                format!("{:INDENT$}{line}", "")
            });
        }
    }

    /// Shows what happened. `recording` has taken it in already.
    pub fn take(&mut self, at: Timestamp, event: &Event, recording: &Recording) {
        match event {
            Event::Speaker(event) => self.speaker(at, event),
            Event::Listener { index, what } => {
                let who = recording.listeners.get(*index).map(|l| l.plan.label()).unwrap_or_default();
                self.listener(at, &who, what, recording);
            }
            Event::Row(row) => {
                let phase = format!("{:?} (generation {}): {}", row.phase, row.generation, row.why.text);
                if self.phase.as_ref() != Some(&phase) {
                    self.note(at, &format!("worker {phase}"));
                    self.phase = Some(phase);
                }
            }
            Event::Task(task) => {
                let code = task.exit_code.map_or_else(String::new, |c| format!(", exit code {c}"));
                self.note(at, &format!("task {}{code}", task.status));
            }
            Event::Trouble(text) => {
                // The same trouble, repeated twice a second, is said once.
                if self.trouble.insert(text.clone()) {
                    self.note(at, text);
                }
            }
        }
    }

    fn speaker(&mut self, at: Timestamp, event: &SpeakerEvent) {
        let text = match event {
            SpeakerEvent::SignalingOpen => "speaker waits on the signaling channel",
            SpeakerEvent::Answered => "speaker answered an offer",
            SpeakerEvent::Connected => "speaker connected, the microphone is on",
            SpeakerEvent::SpeechBegan => "the speech begins",
            SpeakerEvent::SpeechEnded => "the speech is over",
            SpeakerEvent::FirstPacket => return,
            SpeakerEvent::Lost(why) => return self.note(at, &format!("the speaker's connection is lost: {why}")),
            SpeakerEvent::SignalingClosed(why) => {
                return self.note(at, &format!("the speaker's signaling has ended: {why}"));
            }
        };
        self.note(at, text);
    }

    fn listener(&mut self, at: Timestamp, who: &str, what: &ListenerEvent, recording: &Recording) {
        match what {
            ListenerEvent::Joined => self.note(at, &format!("listener {who} joined")),
            ListenerEvent::Message(message) => match &**message {
                Message::Transcription(caption) => self.caption(at, caption, recording),
                Message::Emotion(emotion) => self.voice = Some(emotion.clone()),
                Message::CaptionStatus(status) => {
                    let text = format!("service for listeners: {:?}, {}", status.rung, status.message);
                    if self.trouble.insert(text.clone()) {
                        self.note(at, &text);
                    }
                }
                Message::SessionEnded(ended) => self.note(at, &format!("listener {who} was told: {:?}", ended.reason)),
            },
            ListenerEvent::Unreadable(why) => {
                self.note(at, &format!("listener {who} got an unreadable message: {why}"))
            }
            ListenerEvent::Refused(why) => self.note(at, &format!("listener {who} was refused: {why}")),
            ListenerEvent::Closed(why) => self.note(at, &format!("listener {who} is disconnected: {why}")),
        }
    }

    /// Several listeners of one language get the same: it is shown once.
    fn caption(&mut self, at: Timestamp, caption: &Caption, recording: &Recording) {
        let wording = if caption.revised { " revised" } else { "" };
        let key = (caption.language.clone(), format!("{}{wording}", caption.segment_id));
        if self.shown.contains(&key) {
            return;
        }
        if !caption.is_final {
            self.partials.insert(caption.language.clone(), caption.text.clone());
            return;
        }
        self.shown.insert(key);
        self.partials.remove(&caption.language);
        let lag = lag_ms(at, caption, recording.media_zero(caption));
        let left = if caption.catch_up {
            "earlier".to_owned()
        } else {
            format!("+{} s", tenths(u64::try_from(lag).unwrap_or(0)))
        };
        let mark = match (caption.degraded, caption.revised) {
            (true, _) => " (not translated)",
            (false, true) => " (translated after all)",
            (false, false) => "",
        };
        self.keep(&left, caption.language.as_str(), &format!("{}{mark}", caption.text));
    }

    /// Lines to be kept that were not fetched yet.
    pub fn fetch_kept(&mut self) -> Vec<String> {
        std::mem::take(&mut self.kept)
    }

    /// The live block: one line per language, then how the speaker sounds.
    #[must_use]
    pub fn live(&self, recording: &Recording, now: Timestamp) -> Vec<String> {
        let Some(began) = recording.speech_began else { return Vec::new() };
        let mut lines = vec!["\u{2500}".repeat(self.width - 1)];
        for language in &self.languages {
            let text = self.partials.get(language).map_or("", String::as_str);
            lines.push(format!("{:8}  {:<2}  {}", "", language.as_str(), cut_begin(text, self.width - INDENT - 1)));
        }
        let finals = recording.listeners.iter().map(|l| l.finals().count()).max().unwrap_or(0);
        let state = if recording.speech_ended.is_some() { "silent" } else { "speaking" };
        let line = format!("{:>8}  {state}, {finals} finals{}", duration(now.since(began)), self.sounds());
        lines.push(cut(&line, self.width - 1));
        lines
    }

    fn sounds(&self) -> String {
        self.voice.as_ref().map_or_else(String::new, |emotion| {
            sound(&emotion.voice).into_iter().map(|fact| format!(" · {fact}")).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::samples::{caption, language, recording, said};
    use super::*;
    use proptest::prelude::*;
    use unicode_width::UnicodeWidthStr;

    fn screen(languages: &[&str]) -> Screen {
        Screen::new(80, Timestamp(0), languages.iter().map(|l| language(l)))
    }

    fn show(screen: &mut Screen, recording: &mut Recording, at: i64, event: Event) {
        recording.take(Timestamp(at), event.clone());
        screen.take(Timestamp(at), &event, recording);
    }

    #[test]
    fn a_partial_lives_in_its_block_until_its_final_is_kept() {
        let (mut s, mut r) = (screen(&["es", "en"]), recording(&["es", "en"]));
        show(&mut s, &mut r, 0, Event::Speaker(SpeakerEvent::FirstPacket));
        show(&mut s, &mut r, 0, Event::Speaker(SpeakerEvent::SpeechBegan));
        show(&mut s, &mut r, 900, said(0, caption("es", 1, 1, false)));
        assert_eq!(s.fetch_kept().len(), 1, "only the begin of the speech");
        assert!(s.live(&r, Timestamp(1_000))[1].contains("es  segment 1"));
        show(&mut s, &mut r, 2_200, said(0, caption("es", 1, 1, true)));
        assert_eq!(s.fetch_kept(), ["  +1.2 s  es  segment 1"]);
        assert!(!s.live(&r, Timestamp(3_000))[1].contains("segment 1"));
    }

    #[test]
    fn two_listeners_of_one_language_are_one_block() {
        let (mut s, mut r) = (screen(&["es", "es"]), recording(&["es", "es@5"]));
        show(&mut s, &mut r, 1, said(0, caption("es", 1, 1, true)));
        show(&mut s, &mut r, 2, said(1, caption("es", 1, 1, true)));
        assert_eq!(s.fetch_kept().len(), 1);
        show(&mut s, &mut r, 3, Event::Speaker(SpeakerEvent::SpeechBegan));
        assert_eq!(s.live(&r, Timestamp(4)).len(), 3);
    }

    #[test]
    fn the_same_trouble_is_said_once() {
        let (mut s, mut r) = (screen(&["es"]), recording(&["es"]));
        for at in 0..3 {
            show(&mut s, &mut r, at, Event::Trouble("ECS cannot be reached".into()));
        }
        assert_eq!(s.fetch_kept().len(), 1);
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_terminal(text in ".{0,300}", width in 60u16..200) {
            let mut r = recording(&["es"]);
            let mut s = Screen::new(width, Timestamp(0), [language("es")]);
            let mut partial = caption("es", 1, 1, false);
            partial.text = text.clone();
            let mut last = caption("es", 2, 1, true);
            last.text = text;
            show(&mut s, &mut r, 0, Event::Speaker(SpeakerEvent::SpeechBegan));
            show(&mut s, &mut r, 0, said(0, last));
            show(&mut s, &mut r, 0, said(0, partial));
            let lines = s.fetch_kept().into_iter().chain(s.live(&r, Timestamp(1)));
            for line in lines {
                prop_assert!(line.width() <= usize::from(width.min(120)), "{line:?}");
            }
        }
    }
}
