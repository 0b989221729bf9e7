//! What a model of the user's own says of an utterance: what the sound's measures alone do not tell.

use schemas::voice::{Category, Judgement};

/// One answer. Both may be absent: a model need not know both, and may be unsure.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Affect {
    /// How pleasant, −1 to 1, with how far the model is to be trusted, 0 to 1.
    pub valence: Option<Judgement>,
    /// The likeliest word and how likely it is, 0 to 1; `None` when the likeliest is none of ours.
    pub category: Option<(Category, f64)>,
}

impl Affect {
    /// A word that is less likely than this is not told.
    pub const LEAST_LIKELY: f64 = 0.5;

    /// The word, where it is likely enough to be told.
    #[must_use]
    pub fn word(&self) -> Option<(Category, f64)> {
        self.category.filter(|(_, likely)| *likely >= Self::LEAST_LIKELY)
    }
}
