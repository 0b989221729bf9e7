//! The run rule: what the session row wishes, and which run it speaks of.

use crate::model::{Policy, View};
use schemas::ids::{ChannelArn, ConnectionId, Language, StreamArn, Timestamp};
use schemas::quote::quoted;
use schemas::reason::{Cause, Why};
use schemas::session::{CaptionOptions, SessionRecord, SessionRow, Status};
use schemas::worker::{Desired, Intent};

/// What the session row wishes now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Serve this run.
    Serve(Run),
    /// No worker.
    Stop(Why),
    /// It wants to be served, and cannot be.
    Refuse {
        /// The run as the row spells it.
        run: String,
        /// What is wrong with the row.
        why: Why,
    },
}

/// One run: the session id given to one channel (or stream).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// [`Desired::Run`] or [`Desired::Pause`].
    pub desired: Desired,
    /// The signaling channel.
    pub channel_arn: Option<ChannelArn>,
    /// The stream.
    pub stream_arn: Option<StreamArn>,
    /// The speaker's language.
    pub source_language: Language,
    /// When it ends at the latest: `expiresAt`, or the longest duration that policy allows.
    pub ends_at: Timestamp,
    /// What the session asks of its captions.
    pub options: CaptionOptions,
    /// The speaker's own connection, where the session's row names it.
    pub speaker_connection: Option<ConnectionId>,
}

impl Run {
    /// What identifies the run beside the session id.
    #[must_use]
    pub fn key(&self) -> &str {
        key(self.channel_arn.as_ref(), self.stream_arn.as_ref())
    }

    /// Whether this intent was written for this run.
    #[must_use]
    pub fn is_run_of(&self, intent: Option<&Intent>) -> bool {
        intent.is_some_and(|intent| intent_key(intent) == self.key())
    }

    /// The intent of a launch that is decided now.
    #[must_use]
    pub fn intent(&self, decided_at: Timestamp) -> Intent {
        Intent {
            desired: self.desired,
            channel_arn: self.channel_arn.clone(),
            stream_arn: self.stream_arn.clone(),
            source_language: self.source_language.clone(),
            expires_at: self.ends_at,
            decided_at,
            wanted_since: None,
            task_definition: None,
            options: self.options.clone(),
            speaker_connection: self.speaker_connection.clone(),
        }
    }
}

/// What identifies the run of an intent.
#[must_use]
pub fn intent_key(intent: &Intent) -> &str {
    key(intent.channel_arn.as_ref(), intent.stream_arn.as_ref())
}

fn key<'a>(channel: Option<&'a ChannelArn>, stream: Option<&'a StreamArn>) -> &'a str {
    channel.map(ChannelArn::as_str).or(stream.map(StreamArn::as_str)).unwrap_or_default()
}

/// Reads the wish: served iff a channel or stream is there, `status` is active, `isActive` is not false and `expiresAt`
/// lies ahead; paused keeps the worker; anything else stops it.
#[must_use]
pub fn wish(view: &View, policy: &Policy, now: Timestamp) -> Wish {
    let stop = |cause, text: String| Wish::Stop(Why::new(cause, text, now));
    match &view.session {
        None => stop(Cause::SessionDeleted, "the session row is gone".into()),
        Some(SessionRecord::Ignored { why }) => {
            stop(Cause::SessionEnded, format!("the session row wants nothing: {why}"))
        }
        Some(SessionRecord::Unservable { expires_at: Some(at), .. }) if *at <= now => {
            stop(Cause::SessionExpired, "expiresAt has passed".into())
        }
        Some(SessionRecord::Unservable { run, why, language, expires_at: _ }) => {
            let cause = if *language { Cause::UnsupportedLanguage } else { Cause::MalformedRow };
            Wish::Refuse { run: run.clone(), why: Why::new(cause, why.clone(), now) }
        }
        Some(SessionRecord::Session(row)) => session_wish(row, policy, now),
    }
}

fn session_wish(row: &SessionRow, policy: &Policy, now: Timestamp) -> Wish {
    let stop = |cause, text: String| Wish::Stop(Why::new(cause, text, now));
    let longest = row.created_at.map(|at| at.plus_ms(policy.max_duration_ms));
    let desired = match &row.status {
        Status::Active => Desired::Run,
        Status::Paused => Desired::Pause,
        Status::Ended => return stop(Cause::SessionEnded, "status is ended".into()),
        Status::Other(status) => {
            return stop(Cause::SessionInactive, format!("status is {}, which is not active", quoted(status)));
        }
    };
    if row.is_active == Some(false) {
        return stop(Cause::SessionInactive, "isActive is false".into());
    }
    if row.expires_at <= now {
        return stop(Cause::SessionExpired, "expiresAt has passed".into());
    }
    if longest.is_some_and(|at| at <= now) {
        let hours = policy.max_duration_ms / 3_600_000;
        return stop(Cause::MaxDuration, format!("the session has lasted {hours} h, the longest that policy allows"));
    }
    Wish::Serve(Run {
        desired,
        channel_arn: row.channel_arn.clone(),
        stream_arn: row.stream_arn.clone(),
        source_language: row.source_language.clone(),
        ends_at: longest.map_or(row.expires_at, |at| at.min(row.expires_at)),
        options: row.options.clone(),
        speaker_connection: row.speaker_connection_id.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{NOW, SECOND, World};
    use schemas::worker::Phase;

    fn wish_of(world: &World) -> Wish {
        wish(&world.view(), &Policy::default(), NOW)
    }
    fn stop_cause(world: &World) -> Option<Cause> {
        match wish_of(world) {
            Wish::Stop(why) => Some(why.cause),
            Wish::Serve(_) | Wish::Refuse { .. } => None,
        }
    }

    #[test]
    fn an_active_row_with_a_channel_wants_a_worker_even_without_is_active() {
        assert!(matches!(wish_of(&World::active()), Wish::Serve(run) if run.desired == Desired::Run));
        assert!(matches!(wish_of(&World::active().with("isActive", true)), Wish::Serve(_)));
    }

    #[test]
    fn every_way_to_end_is_a_stop_with_its_own_cause() {
        assert_eq!(stop_cause(&World::active().with("status", "ended")), Some(Cause::SessionEnded));
        assert_eq!(stop_cause(&World::active().with("isActive", false)), Some(Cause::SessionInactive));
        assert_eq!(
            stop_cause(&World::active().with("expiresAt", (NOW.0 - 1_000) / 1_000)),
            Some(Cause::SessionExpired)
        );
        assert_eq!(stop_cause(&World::active().with("status", "archived")), Some(Cause::SessionInactive));
        assert_eq!(stop_cause(&World::active().deleted()), Some(Cause::SessionDeleted));
    }

    #[test]
    fn a_paused_row_keeps_the_worker() {
        assert!(
            matches!(wish_of(&World::active().with("status", "paused")), Wish::Serve(run) if run.desired == Desired::Pause)
        );
    }

    #[test]
    fn a_row_whose_language_nobody_can_transcribe_is_refused_and_an_expired_one_is_just_over() {
        let world = World::active().with("sourceLanguage", "xx");
        assert!(matches!(wish_of(&world), Wish::Refuse { why, .. } if why.cause == Cause::UnsupportedLanguage));
        assert_eq!(stop_cause(&world.with("expiresAt", (NOW.0 - 1_000) / 1_000)), Some(Cause::SessionExpired));
    }

    #[test]
    fn the_longest_duration_is_enforced_from_the_creation_of_the_session() {
        let created = NOW.0 - Policy::default().max_duration_ms;
        let world = World::active().with("createdAt", created).with("expiresAt", NOW.0 + 1_000 * SECOND);
        assert_eq!(stop_cause(&world), Some(Cause::MaxDuration));
        assert_eq!(stop_cause(&world.with("createdAt", created + 1)), None);
    }

    #[test]
    fn the_longest_duration_ends_a_session_that_nothing_else_ends() {
        let mut world = World::active().live().with("expiresAt", NOW.0 / 1_000 + 30 * 86_400);
        for _ in 0..(26 * 60) {
            world = world.later(60 * SECOND);
            if !world.row().phase.is_final() {
                world.worker_is_fresh();
            }
            world.settle();
            if world.row().phase == Phase::Draining {
                assert_eq!(world.row().why.cause, Cause::MaxDuration);
                assert!(world.now.since(NOW) >= world.policy.max_duration_ms - 120 * SECOND);
                return;
            }
        }
        panic!("it ran for ever");
    }
}
