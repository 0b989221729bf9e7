//! What is posted, before it is a message.

use crate::life::ladder::Service;
use crate::text::Rendered;
use schemas::ids::Language;
use schemas::message::Emotion;
use schemas::reason::Cause;
use std::sync::Arc;

/// What is to be posted; it becomes a message at the moment of the post.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    /// A caption.
    Caption(Arc<Rendered>),
    /// Facts of the voice.
    Emotion(Arc<Emotion>),
    /// How much of the service is given.
    Status(Service),
    /// The end.
    Ended(Cause),
}

impl Body {
    /// The segment of a caption.
    pub(crate) fn segment(&self) -> Option<u64> {
        match self {
            Self::Caption(rendered) => Some(rendered.shown.segment),
            Self::Emotion(_) | Self::Status(..) | Self::Ended(_) => None,
        }
    }
    /// The language of a caption.
    pub(crate) fn language(&self) -> Option<&Language> {
        match self {
            Self::Caption(rendered) => Some(&rendered.language),
            Self::Emotion(_) | Self::Status(..) | Self::Ended(_) => None,
        }
    }
    /// Language and cursor of a final; a revision is none: its final was sent before.
    pub(crate) fn final_of(&self) -> Option<(&Language, u64)> {
        match self {
            Self::Caption(rendered) if rendered.shown.is_final && !rendered.revised => {
                Some((&rendered.language, rendered.cursor))
            }
            Self::Caption(_) | Self::Emotion(_) | Self::Status(..) | Self::Ended(_) => None,
        }
    }
    /// Whether it may be lost: there will be a newer one, and nobody misses it.
    pub(crate) fn is_fleeting(&self) -> bool {
        match self {
            Self::Caption(rendered) => !rendered.shown.is_final,
            Self::Emotion(_) => true,
            Self::Status(..) | Self::Ended(_) => false,
        }
    }
    /// Whether it says how a segment, or (false) a second, was said; `None` for everything else.
    pub(crate) fn emotion_of_segment(&self) -> Option<bool> {
        match self {
            Self::Emotion(emotion) => Some(emotion.segment_id.is_some()),
            Self::Caption(_) | Self::Status(..) | Self::Ended(_) => None,
        }
    }
    /// The segment of a partial.
    pub(crate) fn partial_of(&self) -> Option<u64> {
        match self {
            Self::Caption(rendered) if !rendered.shown.is_final => Some(rendered.shown.segment),
            Self::Caption(_) | Self::Emotion(_) | Self::Status(..) | Self::Ended(_) => None,
        }
    }
}
