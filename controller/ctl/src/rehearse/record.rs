//! What happened in a rehearsal: plain facts, gathered as they come.

use super::plan::ListenerPlan;
use schemas::ids::{Generation, Language, SessionId, Timestamp};
use schemas::message::{Caption, Emotion, Message};
use schemas::reason::Cause;
use schemas::worker::{Phase, WorkerRow};
use std::collections::{BTreeMap, BTreeSet};

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// At the speaker's.
    Speaker(SpeakerEvent),
    /// At a listener's.
    Listener {
        /// Which one.
        index: usize,
        /// What.
        what: ListenerEvent,
    },
    /// The worker's row has changed.
    Row(Box<WorkerRow>),
    /// The worker's task has changed.
    Task(TaskSeen),
    /// Something that a person should read.
    Trouble(String),
}

/// What happens at the speaker's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpeakerEvent {
    /// The signaling channel is open.
    SignalingOpen,
    /// An offer was answered.
    Answered,
    /// Audio can flow.
    Connected,
    /// It can't any more.
    Lost(String),
    /// The first packet left.
    FirstPacket,
    /// The first word.
    SpeechBegan,
    /// After the last word.
    SpeechEnded,
    /// Signaling has ended; established audio is not affected.
    SignalingClosed(String),
}

/// What happens at a listener's.
#[derive(Debug, Clone, PartialEq)]
pub enum ListenerEvent {
    /// `sessionJoined` came.
    Joined,
    /// One of our messages.
    Message(Box<Message>),
    /// A message with one of our types that is not as we write it.
    Unreadable(String),
    /// The service's `error` message.
    Refused(String),
    /// The connection could not be made or has ended.
    Closed(String),
}

/// What ECS says of the worker's task.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskSeen {
    /// `lastStatus`.
    pub status: String,
    /// Exit code of the worker's container.
    pub exit_code: Option<i32>,
    /// `stoppedReason`.
    pub reason: Option<String>,
}

/// Everything that one listener got.
#[derive(Debug, Clone, PartialEq)]
pub struct ListenerLog {
    /// Who it is.
    pub plan: ListenerPlan,
    /// When the service confirmed them.
    pub joined: Option<Timestamp>,
    /// Captions with their arrival.
    pub captions: Vec<(Timestamp, Caption)>,
    /// Emotions.
    pub emotions: Vec<Emotion>,
    /// The end with its arrival.
    pub ended: Option<(Timestamp, Cause)>,
    /// Messages that could not be read.
    pub unreadable: Vec<String>,
    /// Why the connection is no more.
    pub closed: Option<String>,
}

impl ListenerLog {
    fn new(plan: ListenerPlan) -> Self {
        Self {
            plan,
            joined: None,
            captions: Vec::new(),
            emotions: Vec::new(),
            ended: None,
            unreadable: Vec::new(),
            closed: None,
        }
    }

    /// Finals with their arrival, in the order in which they came; each as it came first.
    pub fn finals(&self) -> impl Iterator<Item = &(Timestamp, Caption)> {
        self.captions.iter().filter(|(_, c)| c.is_final && !c.revised)
    }

    /// Translations that came after their originals.
    pub fn revisions(&self) -> impl Iterator<Item = &Caption> {
        self.captions.iter().map(|(_, c)| c).filter(|c| c.revised)
    }

    /// Originals that stayed for want of a translation.
    #[must_use]
    pub fn untranslated(&self) -> usize {
        let translated: BTreeSet<_> = self.revisions().map(|c| (c.generation, c.cursor)).collect();
        self.finals().filter(|(_, c)| c.degraded && !translated.contains(&(c.generation, c.cursor))).count()
    }
}

/// The whole rehearsal.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// The session.
    pub session: SessionId,
    /// The speaker's language.
    pub source: Language,
    /// When the session row was put.
    pub row_put: Timestamp,
    /// When the speaker connected first.
    pub connected: Option<Timestamp>,
    /// Whether audio can flow now.
    pub connected_now: bool,
    /// When the first packet left; media time zero of the worker, give or take the network.
    pub first_packet: Option<Timestamp>,
    /// When the speech began.
    pub speech_began: Option<Timestamp>,
    /// When it ended.
    pub speech_ended: Option<Timestamp>,
    /// When the end was made.
    pub end_made: Option<Timestamp>,
    /// The listeners, as they were named.
    pub listeners: Vec<ListenerLog>,
    /// The worker's row as last seen.
    pub row: Option<WorkerRow>,
    /// Phases with the time at which they were seen.
    pub phases: Vec<(Timestamp, Phase)>,
    /// The last cursor that the row named per language: the row forgets a language when its last listener goes.
    pub last_cursors: BTreeMap<Language, (Generation, u64)>,
    /// The worker that the first packet went to: only its media time counts from there.
    pub first_generation: Option<Generation>,
    /// The worker's task as last seen.
    pub task: Option<TaskSeen>,
}

impl Recording {
    /// Nothing yet.
    #[must_use]
    pub fn new(session: SessionId, source: Language, plans: Vec<ListenerPlan>, row_put: Timestamp) -> Self {
        Self {
            session,
            source,
            row_put,
            connected: None,
            connected_now: false,
            first_packet: None,
            speech_began: None,
            speech_ended: None,
            end_made: None,
            listeners: plans.into_iter().map(ListenerLog::new).collect(),
            row: None,
            phases: Vec::new(),
            last_cursors: BTreeMap::new(),
            first_generation: None,
            task: None,
        }
    }

    /// Takes in what happened.
    pub fn take(&mut self, at: Timestamp, event: Event) {
        match event {
            Event::Speaker(event) => self.speaker(at, &event),
            Event::Listener { index, what } => {
                if let Some(log) = self.listeners.get_mut(index) {
                    listener(log, at, what);
                }
            }
            Event::Row(row) => self.row(at, *row),
            Event::Task(task) => self.task = Some(task),
            Event::Trouble(_) => {}
        }
    }

    fn speaker(&mut self, at: Timestamp, event: &SpeakerEvent) {
        match event {
            SpeakerEvent::Connected => {
                self.connected.get_or_insert(at);
                self.connected_now = true;
            }
            SpeakerEvent::Lost(_) => self.connected_now = false,
            SpeakerEvent::FirstPacket => {
                self.first_packet.get_or_insert(at);
            }
            SpeakerEvent::SpeechBegan => self.speech_began = Some(at),
            SpeakerEvent::SpeechEnded => self.speech_ended = Some(at),
            SpeakerEvent::SignalingOpen | SpeakerEvent::Answered | SpeakerEvent::SignalingClosed(_) => {}
        }
    }

    fn row(&mut self, at: Timestamp, row: WorkerRow) {
        if self.phases.last().is_none_or(|(_, phase)| *phase != row.phase) {
            self.phases.push((at, row.phase));
        }
        for (language, status) in row.worker.iter().flat_map(|w| &w.languages) {
            let last = self.last_cursors.entry(language.clone()).or_default();
            *last = (*last).max((row.generation, status.last_cursor));
        }
        if self.first_packet.is_some() {
            self.first_generation.get_or_insert(row.generation);
        }
        self.row = Some(row);
    }

    /// Media time zero of this caption by our own clock; a later worker's media time begins at a moment that we do not know.
    #[must_use]
    pub fn media_zero(&self, caption: &Caption) -> Option<Timestamp> {
        self.first_packet.filter(|_| self.first_generation.is_none_or(|first| first == caption.generation))
    }

    /// Whether audio has come to the worker.
    #[must_use]
    pub fn worker_hears(&self) -> bool {
        let worker = self.row.as_ref().and_then(|row| row.worker.as_ref());
        worker.is_some_and(|worker| worker.start_up.first_audio_at.is_some())
    }

    /// Whether everybody who is to be there before the speech is there.
    #[must_use]
    pub fn audience_is_there(&self) -> bool {
        self.listeners.iter().all(|l| l.plan.late_s.is_some() || l.joined.is_some())
    }

    /// Whether every listener was told of the end.
    #[must_use]
    pub fn everybody_was_told(&self) -> bool {
        self.listeners.iter().all(|l| l.ended.is_some())
    }

    /// Whether the row is in a final phase.
    #[must_use]
    pub fn row_is_final(&self) -> bool {
        self.row.as_ref().is_some_and(|r| r.phase.is_final())
    }

    /// Whether ECS has stopped the task.
    #[must_use]
    pub fn task_is_stopped(&self) -> bool {
        self.task.as_ref().is_some_and(|t| t.status == "STOPPED")
    }
}

fn listener(log: &mut ListenerLog, at: Timestamp, what: ListenerEvent) {
    match what {
        ListenerEvent::Joined => {
            log.joined.get_or_insert(at);
        }
        ListenerEvent::Message(message) => match *message {
            Message::Transcription(caption) => log.captions.push((at, caption)),
            Message::Emotion(emotion) => log.emotions.push(emotion),
            Message::CaptionStatus(_) => {}
            Message::SessionEnded(ended) => {
                log.ended.get_or_insert((at, ended.reason));
            }
        },
        ListenerEvent::Unreadable(why) => log.unreadable.push(why),
        ListenerEvent::Refused(why) | ListenerEvent::Closed(why) => log.closed = Some(why),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
pub(crate) mod samples {
    use super::*;

    pub(crate) fn language(text: &str) -> Language {
        Language::try_new(text).unwrap()
    }

    pub(crate) fn recording(listeners: &[&str]) -> Recording {
        let plans = listeners.iter().map(|l| l.parse().unwrap()).collect();
        Recording::new(SessionId::try_new("a-b-001").unwrap(), language("en"), plans, Timestamp(0))
    }

    /// A caption of segment `s{segment}`, spoken until 1000 × segment ms.
    pub(crate) fn caption(to: &str, segment: u64, cursor: u64, is_final: bool) -> Caption {
        Caption {
            session_id: SessionId::try_new("a-b-001").unwrap(),
            text: format!("segment {segment}"),
            is_final,
            language: language(to),
            timestamp: Timestamp(0),
            segment_id: format!("s{segment}"),
            revision: if is_final { 9 } else { 1 },
            cursor,
            generation: Generation(1),
            source_language: language("en"),
            source_text: (to != "en").then(|| format!("said {segment}")),
            stable_words: 0,
            stable_chars: Some(0),
            start_ms: segment.saturating_sub(1) * 1000,
            end_ms: segment * 1000,
            lag_ms: 700,
            translated: false,
            degraded: false,
            catch_up: false,
            revised: false,
        }
    }

    pub(crate) fn said(index: usize, caption: Caption) -> Event {
        Event::Listener { index, what: ListenerEvent::Message(Box::new(Message::Transcription(caption))) }
    }

    #[test]
    fn the_row_may_forget_a_language_but_the_recording_does_not() {
        let mut recording = recording(&["es"]);
        let mut row = crate::store::samples::row("a-b-001");
        recording.take(Timestamp(1), Event::Row(Box::new(row.clone())));
        row.worker.as_mut().unwrap().languages.clear();
        recording.take(Timestamp(2), Event::Row(Box::new(row)));
        assert_eq!(recording.last_cursors.get(&language("es")), Some(&(Generation(1), 3)));
        assert_eq!(recording.phases.len(), 1);
    }

    #[test]
    fn the_speech_waits_for_those_who_are_on_time_only() {
        let mut recording = recording(&["es", "en@5"]);
        assert!(!recording.audience_is_there());
        recording.take(Timestamp(1), Event::Listener { index: 0, what: ListenerEvent::Joined });
        assert!(recording.audience_is_there());
    }
}
