//! Where the worker is in its life, and what ends it.
//!
//! *Guarantees*: the first cause wins; every stage that is not the last has a deadline; a worker that has lost its lease
//! (see `lease.rs`) ends without another word.

use super::{ending, lease, notices};
use crate::config::Timing;
use crate::cx::Cx;
use crate::input::Control;
use crate::outbox::earliest;
use crate::source;
use crate::time::MediaInstant;
use schemas::ids::{Language, Timestamp};
use schemas::reason::{Cause, Why};
use schemas::worker::{Desired, Phase, StartUp};

use schemas::worker::EXIT_INTERRUPTED;
pub(crate) use schemas::worker::EXIT_LEASE_LOST;

/// So long a silence, ms, is one to hand the session over in: longer than the pauses within a sentence.
const LEAVE_SILENCE_MS: u64 = 800;

/// How far the ending has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It serves.
    Serving,
    /// The last words are awaited.
    Flushing { until: MediaInstant, why: Why, farewell: Farewell },
    /// The last posts are on their way.
    Leaving { until: MediaInstant, why: Why, farewell: Farewell },
    /// The last write is on its way.
    Writing { until: MediaInstant, why: Why, farewell: Farewell },
    /// Nothing follows.
    Exited,
}

/// Whether the session ends with its worker, for the listeners and for the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// The session is over: the row becomes Stopped.
    SessionEnded,
    /// The session goes on with another worker: a Stopped row would be final, so the row keeps its phase, and the
    /// controller starts the next generation when it sees the task stopped.
    Interrupted,
}

impl Farewell {
    /// The exit code of the process.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::SessionEnded => 0,
            Self::Interrupted => EXIT_INTERRUPTED,
        }
    }
}

/// The life of one worker.
#[derive(Debug)]
pub(crate) struct Lifecycle {
    pub(crate) stage: Stage,
    pub(crate) desired: Desired,
    /// The speaker's language; `None` before the row was read.
    pub(crate) language: Option<Language>,
    pub(crate) start_up: StartUp,
    expires_at: Option<Timestamp>,
    /// A handover that waits for a silence, and until when.
    leaving: Option<(Why, Timestamp)>,
    joined_at: Option<MediaInstant>,
    heard_first: bool,
    resumed_at: MediaInstant,
}

impl Lifecycle {
    pub(crate) fn new(process_at: Timestamp) -> Self {
        Self {
            stage: Stage::Serving,
            desired: Desired::Run,
            language: None,
            start_up: StartUp { process_at: Some(process_at), ..StartUp::default() },
            expires_at: None,
            leaving: None,
            joined_at: None,
            heard_first: false,
            resumed_at: MediaInstant(0),
        }
    }

    /// The phase that the row shall show.
    pub(crate) fn phase(&self) -> Phase {
        match self.stage {
            Stage::Writing { farewell: Farewell::SessionEnded, .. } | Stage::Exited => return Phase::Stopped,
            Stage::Writing { farewell: Farewell::Interrupted, .. }
            | Stage::Serving
            | Stage::Flushing { .. }
            | Stage::Leaving { .. } => {}
        }
        match (self.joined_at, self.heard_first, self.desired) {
            (None, _, _) => Phase::Joining,
            (Some(_), _, Desired::Pause) => Phase::Paused,
            (Some(_), true, Desired::Run | Desired::Stop | Desired::HandOver { .. }) => Phase::Live,
            (Some(_), false, Desired::Run | Desired::Stop | Desired::HandOver { .. }) => Phase::WaitingForSpeaker,
        }
    }

    /// Whether nothing follows any more.
    pub(crate) fn has_exited(&self) -> bool {
        matches!(self.stage, Stage::Exited)
    }
    /// Whether it serves, and is not on its way out.
    pub(crate) fn is_serving(&self) -> bool {
        self.stage == Stage::Serving
    }
    /// Whether whoever comes now still gets words.
    pub(crate) fn may_welcome(&self) -> bool {
        match self.stage {
            Stage::Serving | Stage::Flushing { .. } => true,
            Stage::Leaving { .. } | Stage::Writing { .. } | Stage::Exited => false,
        }
    }
    /// Whether anything may still be posted.
    pub(crate) fn may_speak(&self) -> bool {
        match self.stage {
            Stage::Serving | Stage::Flushing { .. } | Stage::Leaving { .. } => true,
            Stage::Writing { .. } | Stage::Exited => false,
        }
    }
    /// Whether audio is transcribed.
    pub(crate) fn is_paused(&self) -> bool {
        self.desired == Desired::Pause
    }

    /// The row speaks of us.
    pub(crate) fn on_control(&mut self, control: &Control, now: MediaInstant) {
        if self.is_paused() && control.desired != Desired::Pause {
            self.resumed_at = now;
        }
        self.desired = control.desired;
        self.leaving = self.leaving.take().filter(|_| control.desired.is_to_leave());
        self.language = Some(control.source_language.clone());
        self.expires_at = Some(control.expires_at);
    }

    /// Signaling is open.
    pub(crate) fn on_joined(&mut self, now: MediaInstant, wall: Timestamp) {
        self.joined_at.get_or_insert(now);
        self.start_up.joined_at.get_or_insert(wall);
    }

    /// Audio came; true for the first.
    pub(crate) fn on_audio(&mut self, now: MediaInstant, wall: Timestamp) -> bool {
        self.on_joined(now, wall);
        self.start_up.first_audio_at.get_or_insert(wall);
        !std::mem::replace(&mut self.heard_first, true)
    }

    /// Begins the end, unless it has begun.
    pub(crate) fn drain(&mut self, why: Why, farewell: Farewell, now: MediaInstant, timing: &Timing) -> bool {
        if self.is_serving() {
            self.stage = Stage::Flushing { until: now.plus_ms(timing.flush_ms), why, farewell };
            return true;
        }
        false
    }

    /// The session is handed over at the next silence, and by then at the latest.
    pub(crate) fn leave_at_silence(&mut self, why: Why, by: Timestamp) {
        self.leaving = Some((why, by));
    }

    /// Why the session is handed over now, if it is to be.
    pub(crate) fn reason_to_leave(&self, wall: Timestamp, silent: bool) -> Option<Why> {
        let (why, by) = self.leaving.as_ref().filter(|_| self.is_serving())?;
        (silent || wall >= *by).then(|| why.clone())
    }

    /// Why the session ends by itself now.
    pub(crate) fn reason_to_end(
        &self,
        now: MediaInstant,
        wall: Timestamp,
        heard_at: Option<MediaInstant>,
        timing: &Timing,
    ) -> Option<Why> {
        if !self.is_serving() {
            return None;
        }
        if self.expires_at.is_some_and(|at| wall >= at) {
            return Some(Why::new(Cause::SessionExpired, "The session's expiresAt has passed.", wall));
        }
        if self.speaker_deadline(heard_at, timing).is_some_and(|at| now >= at) {
            return Some(match heard_at {
                Some(_) => Why::new(Cause::SpeakerGone, "The speaker's audio stopped and did not come back.", wall),
                None => Why::new(
                    Cause::SpeakerNeverCame,
                    "No audio came from the speaker since the session was joined.",
                    wall,
                ),
            });
        }
        None
    }

    /// Since when the speaker's next audio is waited for: the last of it, a pause's end, or the joining of the channel.
    pub(crate) fn awaited_since(&self, heard_at: Option<MediaInstant>) -> Option<MediaInstant> {
        heard_at.or(self.joined_at).map(|at| at.max(self.resumed_at))
    }

    fn speaker_deadline(&self, heard_at: Option<MediaInstant>, timing: &Timing) -> Option<MediaInstant> {
        match (heard_at, self.is_paused()) {
            (Some(_), false) => self.awaited_since(heard_at).map(|at| at.plus_ms(timing.speaker_gone_ms)),
            (Some(at), true) => Some(at.plus_ms(timing.speaker_gone_paused_ms)),
            // Until the channel is joined, the controller's deadline of that phase counts.
            (None, false) => self.awaited_since(None).map(|at| at.plus_ms(timing.speaker_never_ms)),
            (None, true) => None,
        }
    }

    /// When it ends, or is handed over, by itself; `lease` is when that has to be looked at.
    fn deadline(
        &self,
        lease: MediaInstant,
        heard_at: Option<MediaInstant>,
        timing: &Timing,
        moment: impl Fn(Timestamp) -> MediaInstant,
    ) -> Option<MediaInstant> {
        let lease = Some(lease);
        match &self.stage {
            Stage::Serving => {
                let leaves = self.leaving.as_ref().map(|(_, by)| moment(*by));
                earliest([lease, self.expires_at.map(moment), leaves, self.speaker_deadline(heard_at, timing)])
            }
            Stage::Flushing { .. } | Stage::Leaving { .. } | Stage::Writing { .. } => lease,
            Stage::Exited => None,
        }
    }
}

/// The row speaks.
pub(crate) fn control(cx: &mut Cx, control: &Control) {
    if control.generation != cx.config.generation {
        ending::lose_lease(cx, "the row names another generation");
        return;
    }
    let issued_at = cx.row.heartbeat.answered(control.answers, cx.now);
    let before = (cx.life.cycle.desired, cx.life.cycle.language.clone());
    cx.life.lease.confirm(issued_at, cx.now, &mut cx.out);
    cx.life.cycle.on_control(control, cx.now);
    notices::know_speakers(cx, control.speaker.iter().cloned().collect());
    if before != (cx.life.cycle.desired, cx.life.cycle.language.clone()) {
        cx.out.fact("wanted", format!("{:?} in {}", control.desired, control.source_language));
    }
    match control.desired {
        Desired::Stop => ending::drain(cx, control.why.clone(), Farewell::SessionEnded),
        Desired::HandOver { leave_by: Some(by) } if before.0 != Desired::Pause => {
            cx.life.cycle.leave_at_silence(control.why.clone(), by);
        }
        Desired::HandOver { .. } => ending::drain(cx, control.why.clone(), Farewell::Interrupted),
        Desired::Run | Desired::Pause if cx.life.cycle.is_serving() => source::start(cx),
        Desired::Run | Desired::Pause => {}
    }
}

/// Ends a worker whose lease is over, whose session has ended by itself, or who hands it over.
pub(crate) fn run(cx: &mut Cx) {
    let (now, wall, heard_at) = (cx.now, cx.wall(), cx.hearing.audio.heard_at);
    if let Some(how) = lease::lost(cx) {
        ending::lose_lease(cx, how);
        return;
    }
    if let Some(why) = cx.life.cycle.reason_to_end(now, wall, heard_at, &cx.config.timing) {
        if lease::is_past(cx) {
            // The speaker may be with another worker by now: its listeners must not read that all is over.
            ending::lose_lease(cx, &why.text);
            return;
        }
        let why = precise(cx, why);
        ending::drain(cx, why, Farewell::SessionEnded);
    }
    let silent = cx.hearing.audio.is_silent_for(LEAVE_SILENCE_MS, now);
    if let Some(why) = cx.life.cycle.reason_to_leave(wall, silent) {
        ending::drain(cx, why, Farewell::Interrupted);
    }
}

/// When one of these is due.
pub(crate) fn due(cx: &Cx) -> Option<MediaInstant> {
    let cycle = &cx.life.cycle;
    // Packets that stop are a silence as well.
    let quiet = cx.hearing.audio.heard_at.filter(|_| cycle.leaving.is_some() && cycle.is_serving());
    let silence = quiet.map(|at| at.plus_ms(LEAVE_SILENCE_MS));
    let by_itself =
        cycle.deadline(lease::due(cx), cx.hearing.audio.heard_at, &cx.config.timing, |wall| cx.moment_of(wall));
    earliest([silence, by_itself])
}

/// A speaker who answered and was not heard is not one who never came.
fn precise(cx: &Cx, why: Why) -> Why {
    let absent = matches!(why.cause, Cause::SpeakerNeverCame | Cause::SpeakerGone);
    match cx.source.path.blocked() {
        Some(blocked) if absent => Why::new(Cause::NoMediaPath, blocked.text, why.at),
        Some(_) | None => why,
    }
}
