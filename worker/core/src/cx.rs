//! Everything that one worker knows of its session, by the concern that owns it.

use crate::audience::Audience;
use crate::config::EngineConfig;
use crate::hearing::Hearing;
use crate::life::Life;
use crate::outbox::Outbox;
use crate::row::Row;
use crate::source::Sources;
use crate::text::Text;
use crate::time::MediaInstant;
use crate::voice::Voices;
use schemas::ids::Timestamp;

/// What a part runs on.
#[derive(Debug)]
pub(crate) struct Cx {
    pub(crate) config: EngineConfig,
    pub(crate) wall_at_zero: Timestamp,
    pub(crate) now: MediaInstant,
    pub(crate) out: Outbox,
    pub(crate) source: Sources,
    pub(crate) hearing: Hearing,
    pub(crate) text: Text,
    pub(crate) audience: Audience,
    pub(crate) voice: Voices,
    pub(crate) row: Row,
    pub(crate) life: Life,
}

impl Cx {
    /// Nothing has happened yet.
    pub(crate) fn new(config: EngineConfig, wall_at_zero: Timestamp) -> Self {
        Self {
            wall_at_zero,
            now: MediaInstant(0),
            out: Outbox::default(),
            source: Sources::default(),
            hearing: Hearing::new(&config),
            text: Text::new(&config),
            audience: Audience::default(),
            voice: Voices::new(&config),
            row: Row::default(),
            life: Life::new(&config, wall_at_zero),
            config,
        }
    }

    /// Wall time of a moment.
    pub(crate) fn wall_of(&self, at: MediaInstant) -> Timestamp {
        self.wall_at_zero.plus_ms(i64::try_from(at.0).unwrap_or(i64::MAX))
    }
    /// Wall time now.
    pub(crate) fn wall(&self) -> Timestamp {
        self.wall_of(self.now)
    }
    /// The first moment at which this wall time has come.
    pub(crate) fn moment_of(&self, wall: Timestamp) -> MediaInstant {
        MediaInstant(u64::try_from(wall.since(self.wall_at_zero)).unwrap_or(0))
    }
}
